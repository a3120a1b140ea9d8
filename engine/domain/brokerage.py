"""What a broker's interface says beyond facts of single orders: answers to a placement, questions, and its own books.

The values that the order manager and a broker's adapter exchange. Where the venue's word is missing the field is None:
absent is never zero.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class Question(Struct, frozen=True, kw_only=True):
    """The venue wants a yes before it takes the order. `message_ids` may be empty or shorter than `texts`."""

    reply_id: str
    message_ids: tuple[str, ...]
    texts: tuple[str, ...]


class LegTaken(Struct, frozen=True, kw_only=True):
    """One ticket has an order id. `coid` is what the venue echoed; None where it did not say."""

    order_id: str
    status: str  # the venue's word, such as PreSubmitted
    coid: str | None = None
    parent_id: str | None = None
    text: str = ""


class LegRefused(Struct, frozen=True, kw_only=True):
    """One ticket of a group was turned down."""

    reason: str
    coid: str | None = None
    parent: str | None = None  # what the row said of its parent, if anything


class Answered(Struct, frozen=True, kw_only=True):
    """The venue took or refused tickets one by one; a ticket that no row speaks of is in doubt."""

    taken: tuple[LegTaken, ...] = ()
    refused: tuple[LegRefused, ...] = ()
    questions: tuple[Question, ...] = ()  # a group can be answered in part and asked about in part


class Asked(Struct, frozen=True, kw_only=True):
    """Nothing works yet: questions come first."""

    questions: tuple[Question, ...]


class AllRefused(Struct, frozen=True, kw_only=True):
    """The whole request was turned down, and that is proved."""

    reason: str


class Prompted(Struct, frozen=True, kw_only=True):
    """Refused, with an offer to send it on other terms; `options` are the answers it takes."""

    order_id: str
    request_id: str
    text: str
    options: tuple[str, ...]
    message_id: str = ""


class Unclear(Struct, frozen=True, kw_only=True):
    """An answer that proves nothing: the order may live."""

    reason: str


class Preview(Struct, frozen=True, kw_only=True):
    """What tickets would do, had they been sent. `error` is why the venue would refuse them, "" if it would not.

    Figures are in the account's base currency, None where the venue does not tell them.
    """

    error: str = ""
    warnings: tuple[str, ...] = ()
    commission: Decimal | None = None
    equity_after: Decimal | None = None
    initial_change: Decimal | None = None
    initial_after: Decimal | None = None
    maintenance_after: Decimal | None = None


WriteAnswer = Answered | Asked | AllRefused | Prompted | Unclear


class CancelTaken(Struct, frozen=True, kw_only=True):
    """The request to cancel was received; its end comes later."""

    at_once: bool = False


class CancelTurnedDown(Struct, frozen=True, kw_only=True):
    """It won't be cancelled: dead already, unknown, or waiting for a question's answer."""

    reason: str
    unknown_order: bool = False
    inactive: bool = False


CancelAnswer = CancelTaken | CancelTurnedDown | Unclear


class VenueOrder(Struct, frozen=True, kw_only=True):
    """The venue's copy of an order, folded from rows, deltas and status reads. `seen_ns` is when it was last said."""

    order_id: str
    account: str | None = None
    coid: str | None = None
    parent_id: str | None = None
    oca_group: str | None = None
    conid: int | None = None
    conidex: str | None = None
    side: str | None = None  # BUY or SELL
    order_type: str | None = None  # our word (LMT, STP ...); None where the venue's can't be read
    tif: str | None = None  # None where it reads CLOSE
    status: str | None = None
    ccp_status: str | None = None
    total: Decimal | None = None
    filled: Decimal | None = None
    remaining: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    outside_rth: bool | None = None
    average_price: Decimal | None = None
    reason: str | None = None
    seen_ns: int = 0
    from_stream: bool = False


class VenueExecution(Struct, frozen=True, kw_only=True):
    """One execution as the venue tells it; `commission` None until it is known."""

    execution_id: str
    order_id: str
    account: str | None
    coid: str | None
    conid: int
    side: str
    size: Decimal
    price: Decimal
    ts_ns: int
    commission: Decimal | None = None
    liquidation: bool = False


class VenuePosition(Struct, frozen=True, kw_only=True):
    """A position in the venue's books."""

    conid: int
    quantity: Decimal
    average_cost: Decimal | None = None  # per unit, with the multiplier
    currency: str | None = None


class Balance(Struct, frozen=True, kw_only=True):
    """The venue's ledger in one currency: cash, and what it owes us (below zero: we owe it) of each kind; None where
    it does not say."""

    cash: Decimal
    interest: Decimal | None = None
    dividends: Decimal | None = None


class OrdersKnown(Struct, frozen=True, kw_only=True):
    """A primed reading of the day's orders: what is not in it is not there.

    `full`: it has as many rows as the venue's list can hold, so it may lack others.
    """

    orders: tuple[VenueOrder, ...]
    as_of_ns: int  # when the read began
    full: bool = False


class ExecutionsKnown(Struct, frozen=True, kw_only=True):
    """A primed reading of executions of the last `days` trading days."""

    executions: tuple[VenueExecution, ...]
    as_of_ns: int
    days: int


class NotYetKnown(Struct, frozen=True, kw_only=True):
    """The venue's list is cold: rows seen may be used, absence proves nothing. Ask again at `again_ns`."""

    why: str
    again_ns: int
    orders: tuple[VenueOrder, ...] = ()
    executions: tuple[VenueExecution, ...] = ()


class SessionNow(Struct, frozen=True, kw_only=True):
    """Whether orders can be sent, and why not. After a `up` the venue's lists have been primed anew."""

    ts_ns: int
    up: bool
    layer: str  # the first layer that is not up: gateway, outer, brokerage, accounts, stream, data; "" when up
    reason: str = ""
    expected: bool = False  # a maintenance window: known ahead, no alarm


class Notice(Struct, frozen=True, kw_only=True):
    """A bulletin, a notification or an FYI; `prompt` where the venue wants one of its options chosen."""

    ts_ns: int
    kind: str  # bulletin, notification, fyi, alert
    title: str
    text: str
    notice_id: str = ""
    prompt: Prompted | None = None


BrokerNews = VenueOrder | VenueExecution | SessionNow | Notice


class Availability(Struct, frozen=True, kw_only=True):
    """What the venue says of an instrument's data, field 6509: `live` only if it is real time and streaming."""

    conid: int
    ts_ns: int
    live: bool
    delayed: bool = False
    frozen: bool = False
    code: str = ""
