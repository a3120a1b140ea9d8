"""One request as the gateway's handlers see it, one answer as they give it, and one row of the route table."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from engine.gateway.hall import Hall


class Tier(IntEnum):
    """How much of a session a path needs."""

    NONE = 0  # the tickle, a login, our own /sim
    OUTER = 1  # portfolio, trsrv, fyi, pa
    BROKERAGE = 2  # all of /iserver


class Call(msgspec.Struct, kw_only=True):
    """A request after routing. `body` is the decoded JSON or form body, None where there was none that can be read."""

    method: str
    template: str
    params: dict[str, str]
    query: dict[str, list[str]]
    body: Any
    now_ns: int

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


class Answer(msgspec.Struct, kw_only=True):
    """Status and body: `body` goes out as JSON unless `text` is given, which goes out as it is."""

    status: int = 200
    body: Any = None
    text: str | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A path of the Web API. `template` lies below `/v1/api`, names in braces (`/iserver/account/{accountId}/orders`).

    `after_accounts`: 400 `Please query /accounts first` until GET /iserver/accounts was called in this brokerage
    session. `after_portfolio`: 401 until GET /portfolio/accounts (or subaccounts) was called in this outer session.
    """

    methods: tuple[str, ...]
    template: str
    handler: Callable[[Hall, Call], Answer]
    tier: Tier
    after_accounts: bool = False
    after_portfolio: bool = False


def refusal(status: int, text: str) -> Answer:
    """An answer in the plain error shape."""
    return Answer(status=status, body={"error": text, "statusCode": status})
