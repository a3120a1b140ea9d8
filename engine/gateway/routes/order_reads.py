"""Reading orders back: live orders, one order's status, executions."""

from __future__ import annotations

from typing import Any, Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.records import LiveOrder
from engine.gateway.rows import order_row, status_row, trade_row

_MOST_ROWS: Final = 1_000
_MOST_DAYS: Final = 7
_SORTED: Final = "sort_by_time"
_FILTERS: Final = {
    "inactive": "Inactive",
    "pending_submit": "PendingSubmit",
    "pre_submitted": "PreSubmitted",
    "submitted": "Submitted",
    "filled": "Filled",
    "pending_cancel": "PendingCancel",
    "pre_cancelled": "PreCancelled",
    "cancelled": "Cancelled",
    "warn_state": "WarnState",
}


def live_orders(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/orders: the day's orders of the selected account.

    The first read of a session is empty. A filtered read mutes the `sor` topic, and is empty the first time a filter is
    used; `force=true` ends the muting and is empty itself (in profile `documented` it has rows, as the sample has).
    """
    hall.desk.settle(hall)
    account = _account(hall, call)
    if account is None:
        return refusal(400, f"Bad Request: accountId is not valid: {call.first('accountId')}")
    names = sorted({name for text in call.query.get("filters", []) for name in _words(text)})
    cold = _cold(hall, "orders")
    if names:
        hall.memory.silent = True
        cold = _cold(hall, f"orders:{','.join(names)}") or cold
    if call.first("force").strip().lower() == "true":
        hall.memory.silent = False
        cold = hall.options.observed
    if cold:
        return Answer(body={"orders": [], "snapshot": False})
    found = hall.exchange.orders(account)
    statuses = {_FILTERS.get(name, "") for name in names if name != _SORTED}
    if statuses:
        found = [order for order in found if order.status in statuses]
    if _SORTED in names:
        found = sorted(found, key=_by_time)
    body: dict[str, Any] = {"orders": [order_row(hall, order) for order in found[-_MOST_ROWS:]], "snapshot": True}
    return Answer(body=body)


def _words(text: str) -> list[str]:
    """Filters one by one; clients write them as `submitted`, `Submitted` or `PreSubmitted`."""
    known = {name.replace("_", ""): name for name in (*_FILTERS, _SORTED)}
    words = (word.strip().lower() for word in text.split(","))
    return [known.get(word.replace("_", ""), word) for word in words if word]


def _by_time(order: LiveOrder) -> tuple[bool, int, int]:
    return not order.open, order.last_execution_ns or order.created_ns, order.order_id


def _cold(hall: Hall, name: str) -> bool:
    """Whether a read is asked for the first time in this session; from now on it is not."""
    first = name not in hall.memory.primed
    hall.memory.primed.add(name)
    return first


def _account(hall: Hall, call: Call) -> str | None:
    """The account a read is for: the one asked for, else the selected; None if there is no such account."""
    account = call.first("accountId") or hall.memory.selected
    return account if account in hall.exchange.accounts else None


def order_status(hall: Hall, call: Call) -> Answer:
    """GET .../order/status/{orderId}, in both forms of its path."""
    hall.desk.settle(hall)
    wanted = call.params["orderId"]
    order = hall.exchange.order(int(wanted)) if wanted.isdecimal() and len(wanted) < 19 else None
    account = call.params.get("accountId")
    if order is None or (account is not None and order.account != account):
        if not hall.options.observed:
            return refusal(503, "Service Unavailable")
        return Answer(status=400, body={"error": f"OrderID {wanted} doesn't exist"})
    if not hall.options.observed and order.account != hall.memory.selected and account is None:
        return refusal(503, "Service Unavailable")
    return Answer(body=status_row(hall, order))


def trades(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/trades: executions; the first read of a session is empty, and `days` sticks."""
    account = _account(hall, call)
    if account is None:
        return refusal(400, f"Bad Request: accountId is not valid: {call.first('accountId')}")
    asked = call.first("days").strip()
    if asked:
        if not asked.isdecimal() or not 1 <= int(asked[:9]) <= _MOST_DAYS:
            return refusal(400, f"Bad Request: days must be a whole number from 1 to {_MOST_DAYS}")
        hall.memory.days = int(asked)
    if _cold(hall, "trades") and hall.options.observed:
        return Answer(body=[])
    days = hall.memory.days or (_MOST_DAYS if hall.options.observed else 1)
    now_ns = hall.exchange.now_ns
    return Answer(
        body=[
            trade_row(hall, fill, with_commission=fill.told_ns is None or fill.told_ns <= now_ns)
            for fill in hall.exchange.executions(account, days)
        ]
    )


_STATUS: Final = "order/status/{orderId}"

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        methods=("GET",),
        template="/iserver/account/orders",
        handler=live_orders,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
    Route(
        methods=("GET",),
        template=f"/iserver/account/{_STATUS}",
        handler=order_status,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
    Route(
        methods=("GET",),
        template=f"/iserver/account/{{accountId}}/{_STATUS}",
        handler=order_status,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
    Route(
        methods=("GET",), template="/iserver/account/trades", handler=trades, tier=Tier.BROKERAGE, after_accounts=True
    ),
)
