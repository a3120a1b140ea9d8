"""Alerts. Changes are sent once; after silence `listed` tells what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from engine.webapi.calls import Kind, Urgency
from engine.webapi.codecs import people as codec
from engine.webapi.endpoints.base import Group, build, stamp
from engine.webapi.facts.alerts import AlertAnswer, AlertDetail, AlertRow

PRICE, TIME, MARGIN, TRADE, VOLUME = 1, 3, 4, 5, 6
ALL_ALERTS: Final = 0


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of an alert. `also` binds it to the next one: True for and, False for or; the last one ends.

    `conidex` is such as `265598@SMART`; `value` None stands for any.
    """

    kind: int = PRICE
    conidex: str
    at_least: bool = True
    value: Decimal | None = None
    trigger: str = "0"
    also: bool = True


class Alerts(Group):
    """Alerts of an account."""

    async def listed(self, account: str) -> tuple[AlertRow, ...]:
        """List alerts, without the Mobile Trading Assistant's."""
        params = {"accountId": account}
        call = build("GET", "/iserver/account/{accountId}/alerts", Kind.READ, Urgency.SCANNER, params=params)
        return await self._ask(call, codec.alerts)

    async def detail(self, alert_id: int) -> AlertDetail:
        """Read one alert."""
        params, query = {"alertId": alert_id}, {"type": "Q"}
        template = "/iserver/account/alert/{alertId}"
        call = build("GET", template, Kind.READ, Urgency.SCANNER, params=params, query=query)
        return await self._ask(call, codec.alert)

    async def mta(self) -> AlertDetail:
        """Read the Mobile Trading Assistant's alert, of which there is always one."""
        return await self._ask(build("GET", "/iserver/account/mta", Kind.READ, Urgency.SCANNER), codec.alert)

    async def save(
        self,
        account: str,
        *,
        name: str,
        message: str,
        conditions: Sequence[Condition],
        alert_id: int | None = None,
        repeats: bool = False,
        outside_rth: bool = False,
        expires_ns: int | None = None,
        email: str | None = None,
    ) -> AlertAnswer:
        """Make an alert, or change the one of `alert_id`; without `expires_ns` it is good till cancelled.

        Raises: ValueError without a condition.
        """
        if not conditions:
            raise ValueError("an alert needs a condition")
        body: dict[str, object] = {
            "alertName": name,
            "alertMessage": message,
            "alertRepeatable": int(repeats),
            "outsideRth": int(outside_rth),
            "tif": "GTC" if expires_ns is None else "GTD",
            "conditions": [_condition(each, last=at == len(conditions)) for at, each in enumerate(conditions, start=1)],
        }
        if alert_id is not None:
            body["orderId"] = alert_id
        if expires_ns is not None:
            body["expireTime"] = stamp(expires_ns)
        if email is not None:
            body |= {"email": email, "sendMessage": 1}
        params = {"accountId": account}
        template = "/iserver/account/{accountId}/alert"
        call = build("POST", template, Kind.OTHER_WRITE, Urgency.SCANNER, params=params, body=body)
        return await self._ask(call, codec.alert_answer)

    async def activate(self, account: str, alert_id: int, *, active: bool = True) -> AlertAnswer:
        """Switch an alert on or off; `ALL_ALERTS` means every one."""
        body, params = {"alertId": alert_id, "alertActive": int(active)}, {"accountId": account}
        template = "/iserver/account/{accountId}/alert/activate"
        call = build("POST", template, Kind.OTHER_WRITE, Urgency.SCANNER, params=params, body=body)
        return await self._ask(call, codec.alert_answer)

    async def delete(self, account: str, alert_id: int) -> AlertAnswer:
        """Delete an alert; `ALL_ALERTS` means every one."""
        params = {"accountId": account, "alertId": alert_id}
        template = "/iserver/account/{accountId}/alert/{alertId}"
        call = build("DELETE", template, Kind.OTHER_WRITE, Urgency.SCANNER, params=params, body={})
        return await self._ask(call, codec.alert_answer)


def _condition(condition: Condition, *, last: bool) -> dict[str, object]:
    return {
        "type": condition.kind,
        "conidex": condition.conidex,
        "operator": ">=" if condition.at_least else "<=",
        "triggerMethod": condition.trigger,
        "value": "*" if condition.value is None else format(condition.value, "f"),
        "logicBind": "n" if last else "a" if condition.also else "o",
    }
