"""Allocation groups and presets. An order to a group uses the group's name as the account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import people as codec
from engine.webapi.endpoints.base import Group as Endpoints
from engine.webapi.endpoints.base import build
from engine.webapi.facts.advisor import AdvisorDone, AllocatableAccount, Group, GroupHead, Presets

_GROUP: Final = "/iserver/account/allocation/group"
_PRESETS: Final = "/iserver/account/allocation/presets"


def _read(template: str) -> Call:
    return build("GET", template, Kind.READ, Urgency.SCANNER)


def _write(method: str, template: str, body: dict[str, object]) -> Call:
    return build(method, template, Kind.OTHER_WRITE, Urgency.SCANNER, body=body)


class Advisor(Endpoints):
    """What advisors spread their orders by."""

    async def accounts(self) -> tuple[AllocatableAccount, ...]:
        """List accounts that orders can be spread to."""
        return await self._ask(_read("/iserver/account/allocation/accounts"), codec.allocatable)

    async def groups(self) -> tuple[GroupHead, ...]:
        """List groups."""
        return await self._ask(_read(_GROUP), codec.groups)

    async def group(self, name: str) -> Group:
        """Read one group."""
        call = build("POST", _GROUP + "/single", Kind.READ, Urgency.SCANNER, body={"name": name})
        return await self._ask(call, codec.group)

    async def create(self, name: str, method: str, accounts: Mapping[str, Decimal | None]) -> AdvisorDone:
        """Make a group; `accounts` with the amount each has, where the method needs one."""
        return await self._ask(_write("POST", _GROUP, _body(name, method, accounts)), codec.advisor_done)

    async def change(
        self, name: str, method: str, accounts: Mapping[str, Decimal | None], *, was: str | None = None
    ) -> AdvisorDone:
        """Replace a group; `was` is its old name where it is renamed."""
        body = _body(name, method, accounts)
        if was is not None:
            body["prev_name"] = was
        return await self._ask(_write("PUT", _GROUP, body), codec.advisor_done)

    async def delete(self, name: str) -> AdvisorDone:
        """Delete a group."""
        return await self._ask(_write("POST", _GROUP + "/delete", {"name": name}), codec.advisor_done)

    async def presets(self) -> Presets:
        """Read how group orders behave by default."""
        return await self._ask(_read(_PRESETS), codec.presets)

    async def set_presets(self, presets: Presets) -> AdvisorDone:
        """Replace how group orders behave by default; what is None is left as it is."""
        given: dict[str, object] = {
            "default_method_for_all": presets.method or None,
            "group_auto_close_positions": presets.group_auto_close,
            "group_proportional_allocation": presets.group_proportional,
            "profiles_auto_close_positions": presets.profiles_auto_close,
            "strict_credit_check": presets.strict_credit_check,
        }
        body = {name: value for name, value in given.items() if value is not None}
        return await self._ask(_write("POST", _PRESETS, body), codec.advisor_done)


def _body(name: str, method: str, accounts: Mapping[str, Decimal | None]) -> dict[str, object]:
    members = [
        {"name": each} if amount is None else {"name": each, "amount": amount} for each, amount in accounts.items()
    ]
    return {"name": name, "default_method": method, "accounts": members}
