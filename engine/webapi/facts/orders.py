"""What the order endpoints and the `sor` and `str` topics tell: rows, executions, and the answers to order writes.

`PlacementRow` is the closed set of what one row of an answer to place, modify or reply can mean; `CancelAnswer` is that
of an answer to a cancel.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from engine.webapi import values
from engine.webapi.facts.wire import Fact, Unreadable, wire

_SIDES: Final = {"B": "BUY", "BUY": "BUY", "BOT": "BUY", "S": "SELL", "SELL": "SELL", "SLD": "SELL"}


def side(value: object) -> str | None:
    """Read BUY or SELL in any of its spellings; "X" (an expired option) and others stay as they are."""
    word = values.text(value)
    return None if not word else _SIDES.get(word.strip().upper(), word)


class OrderRow(Fact, frozen=True, kw_only=True):
    """One row of live orders, or one `sor` delta. `carried` names the fields the row had at all: only these change.

    `parent_id` is the venue's order id of the parent, `order_ref` our `cOID`. `status` and `ccp_status` are as printed;
    `plain` brings spellings together. `tif` may read "CLOSE" for a DAY order.
    """

    order_id: Annotated[int, wire("orderId", "order_id")]
    account: Annotated[str | None, wire("acct", "account")] = None
    conid: int | None = None
    conidex: str | None = None
    order_ref: Annotated[str | None, wire("order_ref", read=values.identifier)] = None
    status: str | None = None
    ccp_status: Annotated[str | None, wire("order_ccp_status")] = None
    side: Annotated[str | None, wire("side", read=side)] = None
    order_type: Annotated[str | None, wire("orderType")] = None
    original_type: Annotated[str | None, wire("origOrderType")] = None
    tif: Annotated[str | None, wire("timeInForce")] = None
    price: Decimal | None = None
    stop_price: Annotated[Decimal | None, wire("auxPrice", "stop_price")] = None
    total: Annotated[Decimal | None, wire("totalSize")] = None
    filled: Annotated[Decimal | None, wire("filledQuantity")] = None
    remaining: Annotated[Decimal | None, wire("remainingQuantity")] = None
    cash: Annotated[Decimal | None, wire("totalCashSize")] = None
    average_price: Annotated[Decimal | None, wire("avgPrice")] = None
    outside_rth: Annotated[bool | None, wire("outsideRTH")] = None
    parent_id: Annotated[int | None, wire("parentId")] = None
    oca_group: Annotated[str | None, wire("ocaGroupId", "oca_group_id", read=values.identifier)] = None
    reason: Annotated[str | None, wire("order_cancellation_by_system_reason")] = None
    ticker: str | None = None
    sec_type: Annotated[str | None, wire("secType")] = None
    listing_exchange: Annotated[str | None, wire("listingExchange")] = None
    description: Annotated[str | None, wire("orderDesc")] = None
    currency: Annotated[str | None, wire("cashCcy")] = None
    last_execution_ns: Annotated[int | None, wire("lastExecutionTime_r", read=values.ms_ns)] = None
    carried: Annotated[frozenset[str], wire(read=lambda _: None)] = frozenset()


class OrdersPage(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of live orders. Rows are usable; absence is only when `snapshot` is true and nothing was unreadable."""

    rows: tuple[OrderRow, ...]
    snapshot: bool
    unreadable: tuple[Unreadable, ...] = ()


class OrderStatus(Fact, frozen=True, kw_only=True):
    """The order status endpoint's answer, whichever of its two sets of keys it came in. It does not tell the `cOID`."""

    order_id: Annotated[int, wire("order_id", "orderId")]
    status: Annotated[str, wire("order_status")] = ""
    ccp_status: Annotated[str, wire("order_ccp_status")] = ""
    conid: int | None = None
    conidex: str = ""
    symbol: str = ""
    account: Annotated[str, wire("account", "order_clearing_account", "option_acct")] = ""
    side: Annotated[str, wire("side", read=side)] = ""
    order_type: str = ""
    tif: str = ""
    total: Annotated[Decimal | None, wire("total_size")] = None
    remaining: Annotated[Decimal | None, wire("remaining_quantity", "size")] = None
    filled: Annotated[Decimal | None, wire("cum_fill", "filled_quantity")] = None
    average_price: Annotated[Decimal | None, wire("average_price", "avg_fill_price")] = None
    limit_price: Annotated[Decimal | None, wire("limit_price", "price")] = None
    stop_price: Decimal | None = None
    cash: Annotated[Decimal | None, wire("total_cash_size")] = None
    outside_rth: bool | None = None
    description: Annotated[str, wire("order_status_description", "order_description")] = ""
    cannot_cancel: Annotated[bool | None, wire("cannot_cancel_order")] = None
    not_editable: Annotated[bool | None, wire("order_not_editable")] = None
    child_type: Annotated[str, wire("child_order_type")] = ""
    oca_group: Annotated[str | None, wire("oca_group_id", read=values.identifier)] = None
    ordered_ns: Annotated[int | None, wire("order_time", read=values.stamp_ns)] = None


class Execution(Fact, frozen=True, kw_only=True):
    """One execution (trades, `str`). It is told more than once: without a commission first, then with it."""

    execution_id: Annotated[str, wire("execution_id", read=values.identifier)]
    conid: int
    side: Annotated[str, wire("side", read=side)]
    size: Decimal
    price: Decimal
    order_id: int | None = None
    order_ref: Annotated[str | None, wire("order_ref", read=values.identifier)] = None
    account: Annotated[str, wire("account", "accountCode")] = ""
    conidex: Annotated[str, wire("conidEx", "conidex")] = ""
    symbol: str = ""
    sec_type: str = ""
    exchange: str = ""
    commission: Annotated[Decimal | None, wire("commission", "comission")] = None
    net_amount: Decimal | None = None
    position: Decimal | None = None
    traded_ns: Annotated[int | None, wire("trade_time_r", read=values.ms_ns)] = None
    traded_text_ns: Annotated[int | None, wire("trade_time", read=values.stamp_ns)] = None
    liquidation: Annotated[bool | None, wire("liquidation_trade")] = None

    @property
    def moment_ns(self) -> int | None:
        """When it happened, from whichever time was told."""
        return self.traded_text_ns if self.traded_ns is None else self.traded_ns


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of trades. The first one of a session is empty although there are trades; see `orderview`."""

    rows: tuple[Execution, ...]
    unreadable: tuple[Unreadable, ...] = ()


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The venue has the ticket under `order_id`; `status` is its word for it. `coid` is the echo of ours, if any."""

    order_id: int
    status: str
    coid: str | None = None
    parent_id: int | None = None
    oca_group: str | None = None
    text: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The ticket waits for a reply under `reply_id`; it does not work. Without `message_ids` it can't be suppressed."""

    reply_id: str
    messages: tuple[str, ...]
    message_ids: tuple[str, ...] = ()
    suppressed: bool | None = None


class RefusedRow(msgspec.Struct, frozen=True, kw_only=True):
    """The venue said no: to one ticket where the row is that of an order, else to all that was asked for."""

    reason: str
    coid: str | None = None
    parent_id: int | None = None
    order_id: int | None = None
    of_one_ticket: bool = False


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """The order was rejected with an offer: one of `options`, sent to `/iserver/notification`, may resubmit it."""

    order_id: int | None
    request_id: str
    text: str
    options: tuple[str, ...]
    message_id: str = ""


class InDoubt(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing can be said of this ticket: ask the venue, never send it again. `reason` is fit for logs."""

    reason: str
    excerpt: str = ""


PlacementRow = Acknowledged | Question | RefusedRow | Prompt | InDoubt


class CancelTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The request for a cancel was taken; `at_once` where the answer says the order is gone already (`conid` -1)."""

    order_id: int | None
    at_once: bool = False
    text: str = ""


class CancelRefused(msgspec.Struct, frozen=True, kw_only=True):
    """No cancel was made. `inactive`: rejected, parked or waiting for a reply; `unknown`: no such order, or purged."""

    reason: str
    inactive: bool = False
    unknown: bool = False


class CancelInDoubt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a cancel can't be read: look at the order, and ask again if it still works."""

    reason: str
    excerpt: str = ""


CancelAnswer = CancelTaken | CancelRefused | CancelInDoubt


class Delta(Fact, frozen=True, kw_only=True):
    """Before, change and after of one margin figure, in the account's base currency."""

    current: values.Money | None = None
    change: values.Money | None = None
    after: values.Money | None = None


class WhatIfAmount(Fact, frozen=True, kw_only=True):
    """Cost of the previewed order as printed; `commission` may be a range, and is no number then."""

    amount: values.Money | None = None
    commission: values.Money | None = None
    total: values.Money | None = None
    commission_text: Annotated[str, wire("commission")] = ""


class WhatIf(Fact, frozen=True, kw_only=True):
    """A preview. `error`: the real order would be refused; `warnings`: as printed. Figures may be missing at first."""

    amount: WhatIfAmount | None = None
    equity: Delta | None = None
    initial: Delta | None = None
    maintenance: Delta | None = None
    position: Delta | None = None
    warning: Annotated[str, wire("warn")] = ""
    warnings: Annotated[tuple[str, ...], wire("warns")] = ()
    error: str = ""


class Submitted(Fact, frozen=True, kw_only=True):
    """Answer to suppressions and their reset, and to a re-authentication."""

    status: Annotated[str, wire("status", "message")] = ""


@lru_cache(maxsize=1_024)
def shared(names: frozenset[str]) -> frozenset[str]:
    """The same names in one object: thousands of rows carry the same few sets, of two kilobytes each."""
    return names


def plain(status: str | None) -> str:
    """Bring a status word's spellings together: lower case without spaces ("Pending Submit" -> "pendingsubmit")."""
    return "" if status is None else "".join(status.split()).lower()
