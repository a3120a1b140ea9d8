"""What the gateway's exchange holds and tells: orders, executions, positions, quotes, and the news of them.

The exchange (`exchange.py`) owns and changes these; the routes and the streams read them. Money and quantities are
`Decimal`, market data `float`, times nanoseconds UTC on the gateway's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from engine.domain.instrument import Instrument, Leg
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket


class LiveOrder(msgspec.Struct, kw_only=True):
    """One order of the day. `ticket.coid` is `str(order_id)`, the exchange's own name for it; `client_id` the `cOID`.

    `wire` is the ticket as the client sent it, for the full-ticket rule and for reading back. `status` is a word of
    section 5 of the protocol (`Submitted`, `PreSubmitted`, `Inactive`, `Filled` ...); `ccp_status` the second word
    where it differs (`Pending Submit` while a question is open). `reason` is why the system cancelled or refused it.
    A doubled order is a second LiveOrder.
    """

    order_id: int
    account: str
    ticket: OrderTicket
    wire: dict[str, Any]
    client_id: str | None = None
    parent_id: int | None = None
    oca_group: str | None = None
    status: str = "Inactive"
    ccp_status: str = ""
    filled: Decimal = Decimal(0)
    value: Decimal = Decimal(0)  # sum of price x size of its executions, without multiplier
    reason: str = ""
    created_ns: int = 0
    last_execution_ns: int = 0
    parked: bool = False  # a question about it is open; the venue does not have it
    deactivated: bool = False

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of its executions; None before the first."""
        return self.value / self.filled if self.filled else None

    @property
    def open(self) -> bool:
        """Whether it may still fill."""
        return self.status not in ("Filled", "Cancelled", "Rejected") and not (
            self.status == "Inactive" and not self.parked and not self.deactivated
        )


class Execution(msgspec.Struct, kw_only=True):
    """One fill. `commission` is what it cost; `told_ns` when the commission becomes known (None: at once)."""

    execution_id: str
    order_id: int
    account: str
    conid: int
    side: str
    size: Decimal
    price: Decimal
    ts_ns: int
    client_id: str | None = None
    exchange: str = "ISLAND"
    commission: Decimal = Decimal(0)
    told_ns: int | None = None
    liquidation: bool = False


class Position(msgspec.Struct, kw_only=True):
    """What an account holds of a conid. `cost` is the total paid for it, signed like `quantity`, in its currency."""

    conid: int
    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)


class Top(msgspec.Struct, kw_only=True):
    """The top of a book and the day's figures; NaN where there is none. `halted` while trading is stopped."""

    conid: int
    ts_ns: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    last: float
    last_size: float
    volume: float
    open: float
    high: float
    low: float
    prior_close: float
    halted: bool = False
    open_market: bool = True


class HistoryBar(msgspec.Struct, frozen=True, kw_only=True):
    """A past bar; `start_ns` is its beginning, as the Web API's `t` is."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What discovery tells of an instrument beyond trading facts. Dates are `YYYYMMDD`, `right` C or P."""

    instrument: Instrument
    name: str
    listing: str  # primary exchange, such as NASDAQ
    underlying: int = 0
    expiry: str = ""
    last_trading: str = ""
    strike: Decimal = Decimal(0)
    right: str = ""
    trading_class: str = ""
    local_symbol: str = ""
    sector: str = ""
    category: str = ""


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """An account's figures in its base currency."""

    base: str
    net_liquidation: Decimal
    cash: Decimal
    stock_value: Decimal
    position_value: Decimal  # gross
    initial_margin: Decimal
    maintenance_margin: Decimal
    available: Decimal
    excess_liquidity: Decimal
    buying_power: Decimal
    unrealised: Decimal
    realised: Decimal
    daily: Decimal  # since the prior close


class OrderNews(msgspec.Struct, frozen=True, kw_only=True):
    """An order changed; `status` is what it became at this step (one order can take several steps at one moment)."""

    ts_ns: int
    order_id: int
    account: str
    status: str
    filled: Decimal


class ExecutionNews(msgspec.Struct, frozen=True, kw_only=True):
    """A fill, or (`commission_known`) the commission of an earlier one."""

    ts_ns: int
    execution: Execution
    commission_known: bool


class QuoteNews(msgspec.Struct, frozen=True, kw_only=True):
    """Top of book, trades or halt of a conid changed."""

    ts_ns: int
    conid: int


News = OrderNews | ExecutionNews | QuoteNews


class NewOrder(msgspec.Struct, kw_only=True):
    """An order as the desk hands it over: checked for form, not yet for funds.

    `ticket.parent` is `str(parent_id)`, and `ticket.oca_group` equals `oca_group`.
    """

    account: str
    ticket: OrderTicket  # its coid is set by the exchange
    wire: dict[str, Any]
    client_id: str | None = None
    parent_id: int | None = None
    oca_group: str | None = None
    deactivated: bool = False
    replaces: int | None = None  # the working order that this would modify: its own margin is not counted twice


class Exchange(Protocol):
    """What routes, desk and streams ask of the exchange. One thread; nothing here waits.

    The caller advances it to the gateway's present before anything else; every answer is as of then.
    """

    @property
    def now_ns(self) -> int:
        """The moment that every answer is as of."""

    @property
    def accounts(self) -> Sequence[str]:
        """Account ids, the first is the default."""

    @property
    def start_ns(self) -> int:
        """When this exchange first opened; a state folder keeps it over restarts."""

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """All contracts by conid; a combo that was traded is among them."""

    def advance(self, now_ns: int) -> list[News]:
        """Play the market up to `now_ns`; return what became of orders and quotes since the last call, by time.

        What commands did at once (a register, a release, a cancel) is told by the next call too. News of orders do not
        depend on how time is cut into calls; of a conid's quotes there is at most one a call, with its newest time.
        """

    def combo(self, legs: Sequence[Leg], currency: str) -> int:
        """The conid of a combo of listed legs; its `Contract` is listed from now on. The same legs, the same conid."""

    def register(self, order: NewOrder) -> LiveOrder:
        """Give it an order id and list it as parked (`Inactive`, `Pending Submit`); the venue hears nothing yet."""

    def release(self, order_ids: Sequence[int]) -> None:
        """Send parked (also deactivated) orders to the venue, as one group where they are a bracket or OCA."""

    def discard(self, order_id: int, reason: str) -> None:
        """End a parked order that was declined, refused or replaced."""

    def modify(self, order_id: int, ticket: OrderTicket, wire: dict[str, Any]) -> None:
        """Replace a working or deactivated order's ticket; `ticket` is full. A deactivated one stays parked."""

    def cancel(self, order_id: int) -> None:
        """Ask the venue to cancel; the end comes as news."""

    def orders(self, account: str) -> list[LiveOrder]:
        """All orders of the venue's day, open or done, oldest first."""

    def order(self, order_id: int) -> LiveOrder | None:
        """One order, any account; None if it is unknown or was purged."""

    def executions(self, account: str, days: int) -> list[Execution]:
        """Fills of the last `days` trading days, oldest first."""

    def positions(self, account: str) -> list[Position]:
        """Positions, closed ones of today (quantity 0) among them."""

    def cash(self, account: str) -> Mapping[str, Decimal]:
        """Cash by currency."""

    def funds(self, account: str) -> Funds:
        """The account's figures now."""

    def unaffordable(self, order: NewOrder) -> str | None:
        """Why the account can't pay for it, in the venue's words; None if it can."""

    def margin_change(self, order: NewOrder) -> tuple[Decimal, Decimal, Decimal]:
        """What an order would add to (initial margin, maintenance margin, commission), for the preview."""

    def top(self, conid: int) -> Top | None:
        """Top of book and the day's figures; None for a conid without data."""

    def depth(self, conid: int, rows: int) -> list[tuple[float, float, float]]:
        """Levels as (price, bid size, ask size), highest price first."""

    def bars(
        self, conid: int, start_ns: int, end_ns: int, length_ns: int, *, source: str, outside_rth: bool
    ) -> list[HistoryBar]:
        """Past bars that start in [start, end), up to the present; `source` is Last, Midpoint or Bid_Ask."""

    def sessions(self, conid: int) -> Sessions:
        """Regular sessions of a contract, from some days back to some months ahead."""

    def rate(self, currency: str) -> Decimal:
        """Price of one unit of a currency in the base currency; 1 for one that is not quoted here."""

    def next_ns(self) -> int:
        """When `advance` next has something to do, as far as is known now: a shell may sleep until then."""

    def state(self) -> dict[str, Any]:
        """What `/sim/state` shows of the exchange: orders, executions, positions and cash of all accounts."""

    def save(self) -> None:
        """Keep all that has changed, where there is a state folder; cheap when nothing has. Call it before an answer or
        a frame that tells of a change goes out."""

    def keep(self, name: str, value: Any) -> None:
        """Keep something for the shell (a session, a shelf), as JSON; `save` writes it."""

    def kept(self, name: str) -> Any:
        """What was kept under a name; None if there is nothing."""

    def close(self) -> None:
        """Save, and let go of the state folder."""
