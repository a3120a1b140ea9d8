"""What the actors of the daemon send one another. Tagged: a log of them can be read back and fed to the cores."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from engine.domain.brokerage import (
    Availability,
    CancelAnswer,
    ExecutionsKnown,
    Notice,
    NotYetKnown,
    OrdersKnown,
    Preview,
    SessionNow,
    VenueExecution,
    VenueOrder,
    WriteAnswer,
)
from engine.domain.depth import Depth
from engine.domain.market import Bar, MarketEvent
from engine.domain.messages import Intent, Place, PositionNow, Update, Verdict
from engine.domain.ticket import OrderTicket
from engine.orders.actions import FeeKnown
from engine.risk.account import Held
from engine.risk.explaining import Finding
from engine.risk.monitors import Health
from engine.risk.outside import Borrow, Contract, Summary
from engine.risk.standing import Standing
from engine.settings import RiskSettings


class Letter(Struct, frozen=True, tag=True):
    """One message to an actor."""


class Judged(Letter, frozen=True, tag=True):
    """Risk to orders: verdicts, in the order in which the intents were wanted; what every check said, by coid.

    `worth`: of orders of which risk tells that later (`Explained`), so that they need not wait for it, their money.
    """

    verdicts: tuple[Verdict, ...]
    findings: tuple[tuple[str, tuple[Finding, ...]], ...] = ()
    worth: tuple[tuple[str, float], ...] = ()


class ClosingJudged(Judged, frozen=True, tag=True):
    """Risk to orders: verdicts on what closes positions for the kill switch."""


class Explained(Letter, frozen=True, tag=True):
    """Risk to orders: what every check said of orders that were approved before, by coid."""

    findings: tuple[tuple[str, tuple[Finding, ...]], ...]


class RiskSays(Letter, frozen=True, tag=True):
    """Risk to orders: which conditions hold for the tickets of a round."""

    number: int
    holds: Mapping[str, bool]


class WriteAnswered(Letter, frozen=True, tag=True):
    """Carrier to orders: what a write or reply came to; None where nothing of it left us."""

    number: int
    answer: WriteAnswer | None


class Previewed(Letter, frozen=True, tag=True):
    """Carrier to orders: what tickets would do; None where that could not be asked."""

    number: int
    preview: Preview | None


class NotSent(Letter, frozen=True, tag=True):
    """Orders to themselves: what could not be stored has not left."""

    number: int


class CancelAnswered(Letter, frozen=True, tag=True):
    """Carrier to orders: what a request to cancel came to."""

    coid: str
    answer: CancelAnswer


class OrdersRead(Letter, frozen=True, tag=True):
    """Reader to orders."""

    view: OrdersKnown | NotYetKnown


class ExecutionsRead(Letter, frozen=True, tag=True):
    """Reader to orders."""

    view: ExecutionsKnown | NotYetKnown


class OrderRead(Letter, frozen=True, tag=True):
    """Reader to orders: one order's page, None if it could not be read."""

    order_id: str
    copy: VenueOrder | None


class RowsHeard(Letter, frozen=True, tag=True):
    """Stream to orders."""

    rows: tuple[VenueOrder, ...]


class ExecutionsHeard(Letter, frozen=True, tag=True):
    """Stream to orders."""

    rows: tuple[VenueExecution, ...]


class SessionHeard(Letter, frozen=True, tag=True):
    """Session to orders."""

    now: SessionNow


class NoticeHeard(Letter, frozen=True, tag=True):
    """Stream to the operator."""

    notice: Notice


class OperatorAnswered(Letter, frozen=True, tag=True):
    """An operator's answer to a question of the venue's."""

    number: int
    yes: bool


class CancelNow(Letter, frozen=True, tag=True):
    """Cancel these at once, by risk or by an operator; None: all that are open, by one request if policy allows it."""

    coids: tuple[str, ...] | None
    why: str


class TradingNow(Letter, frozen=True, tag=True):
    """Supervisor to risk and orders: what may be traded from now on. `reason` is told to whoever is refused.

    Orders need it for what risk had approved, and had not handed over yet, when the halt came.

    `lifts`: a person has resumed, which lifts the latches of risk's own; a start lifts none.
    """

    state: str
    reason: str
    lifts: bool = False


class Latched(Letter, frozen=True, tag=True):
    """Risk to orders: risk has set a latch; it is stored before anything follows, and these orders are cancelled."""

    owner: str
    held: Held
    coids: tuple[str, ...]


class LossesStand(Letter, frozen=True, tag=True):
    """Risk to orders: how owners stand, for the journal; a restart takes it up."""

    standings: tuple[tuple[str, Standing], ...]


class Paid(Letter, frozen=True, tag=True):
    """Portfolio to risk: what a fee, in base currency, turned out to be beyond its estimate."""

    strategy: str
    fee: Decimal


class Deposited(Letter, frozen=True, tag=True):
    """Portfolio to risk: cash that came into the account by no trade, or left it (below zero), in base currency.

    `money` is a deposit, which is nobody's profit; `earned` are interest, dividends and fees.
    """

    money: Decimal
    earned: Decimal


class CancelAllAnswered(Letter, frozen=True, tag=True):
    """Carrier to orders: what the request to cancel everything came to."""

    answer: CancelAnswer


class Tick(Letter, frozen=True, tag=True):
    """Time has passed."""


class Forget(Letter, frozen=True, tag=True):
    """To orders, risk and portfolio: the venue's day has turned, and what ended before a moment is of no interest.

    Risk and portfolio, which keep no times, let go of what was over at the turn before.
    """

    before_ns: int


OrdersLetter = (
    Judged
    | ClosingJudged
    | Explained
    | RiskSays
    | WriteAnswered
    | NotSent
    | Previewed
    | CancelAnswered
    | OrdersRead
    | ExecutionsRead
    | OrderRead
    | RowsHeard
    | ExecutionsHeard
    | SessionHeard
    | OperatorAnswered
    | CancelNow
    | TradingNow
    | CancelAllAnswered
    | Latched
    | LossesStand
    | Forget
    | Tick
)


class Became(Letter, frozen=True, tag=True):
    """Orders to portfolio: what became of orders, oldest first."""

    updates: tuple[Update, ...]


class Charged(Letter, frozen=True, tag=True):
    """Orders to portfolio: what an execution cost."""

    fee: FeeKnown


class TakenOver(Letter, frozen=True, tag=True):
    """Reconciliation to portfolio: units that came into the account by no order of ours."""

    owner: str
    conid: int
    quantity: Decimal
    cost: Decimal


class CashTold(Letter, frozen=True, tag=True):
    """Reconciliation to portfolio: so much cash came or went, and no fill or fee of ours says why.

    `why` is what it was found to be: "fee", "interest", "dividend"; anything else is a deposit or withdrawal.
    """

    currency: str
    amount: Decimal
    why: str = ""


class Begin(Letter, frozen=True, tag=True):
    """To strategies, once and before all else: the books are read, and what they wanted as they started is due."""


class Booked(Letter, frozen=True, tag=True, omit_defaults=True):
    """Portfolio to strategies and risk: the updates, and the positions they led to.

    `deposited` is what units that came in by no order of ours have cost, in base currency: a deposit in kind.
    """

    updates: tuple[Update, ...]
    positions: tuple[PositionNow, ...]
    deposited: Decimal = Decimal(0)


class Wanted(Letter, frozen=True, tag=True):
    """Strategies (or an operator) to risk: intents, in order, decided at `ts_ns`.

    `holds`: what a person may let pass is held for one; what closes positions in a hurry is refused instead.
    """

    intents: tuple[Intent, ...]
    ts_ns: int
    holds: bool = True


class Arrived(Letter, frozen=True, tag=True):
    """Feed to strategies and risk: market data, oldest first, and the bars that have ended; to strategies the newest
    books, too."""

    events: tuple[MarketEvent, ...]
    built: tuple[Bar, ...] = ()
    books: tuple[Depth, ...] = ()


class Ready(Letter, frozen=True, tag=True):
    """Strategies to feed: they have begun, or are done with the last `Arrived`; the next may come."""


class Fresh(Letter, frozen=True, tag=True):
    """Market data's adapter to feed."""

    events: tuple[MarketEvent | Availability | Depth, ...]


class Asked(Letter, frozen=True, tag=True):
    """Orders to risk: which conditions hold for these tickets now?"""

    number: int
    tickets: tuple[OrderTicket, ...]


class InstrumentNow(Letter, frozen=True, tag=True):
    """Supervisor to risk: an instrument may not be traded from now on, or may again."""

    conid: int
    halted: bool
    reason: str


class Closing(Letter, frozen=True, tag=True):
    """The kill switch to risk: market orders that close what the venue says is held, units by conid.

    They pass a gate of their own, which asks only that they reduce, and which no halt closes.
    """

    intents: tuple[Place, ...]
    held: tuple[tuple[int, Decimal], ...]


class Wake(Letter, frozen=True, tag=True):
    """Supervisor to risk: something urgent waits beside the channel."""


class LimitsNow(Letter, frozen=True, tag=True):
    """Supervisor to risk: judge by these limits from now on."""

    settings: RiskSettings


class VenueSays(Letter, frozen=True, tag=True):
    """Outside to risk: what the venue says of the account, the session and its instruments.

    What is None or not in a list stays as it was; see `engine.risk.outside.Outside`.
    """

    down: str | None = None
    away: str | None = None
    account: str | None = None
    summary: Summary | None = None
    availability: tuple[tuple[int, str], ...] = ()
    borrow: tuple[tuple[int, Borrow | None], ...] = ()
    contracts: tuple[tuple[int, Contract], ...] = ()


class HealthNow(Letter, frozen=True, tag=True):
    """Outside to risk: how the process does."""

    health: Health


PortfolioLetter = Became | Charged | TakenOver | CashTold | Forget
FeedLetter = Fresh | Ready | Tick
StrategiesLetter = Arrived | Booked | Tick
ToldToRisk = TradingNow | InstrumentNow | LimitsNow | VenueSays | HealthNow | Closing | Wanted | Forget
RiskLetter = Arrived | Booked | Paid | Deposited | Asked | Tick | ToldToRisk | Wake
