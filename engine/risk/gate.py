"""The gate: every intent passes here, and only here is an `Approved` made.

Most orders take the short way (`clear`, `screens`), all others the long one (`longway`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from math import inf
from typing import Final

from engine.domain.instrument import Instrument
from engine.domain.market import Trading
from engine.domain.messages import Approved, Cancel, Denied, Intent, Modify, Place, Refusal, Resend, Verdict
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, Side
from engine.domain.view import MarketView
from engine.risk.account import Held
from engine.risk.catalogue import HELD_FOR_A_PERSON, Row
from engine.risk.changing import changes
from engine.risk.clear import clear
from engine.risk.earlier import Earlier
from engine.risk.exits import count, exits_of
from engine.risk.exposure import Exposure, MarketNow, Reserved, Tally
from engine.risk.exposures import Exposures
from engine.risk.ledger import Ledger
from engine.risk.longway import LongWay, first
from engine.risk.market import market_now
from engine.risk.measuring import measure, stands
from engine.risk.outside import Outside
from engine.risk.plan import Plan
from engine.risk.screens import passes
from engine.settings import RiskSettings

_BUY: Final = Side.BUY  # bound once: an enum class is slow to ask
_OPEN: Final = Trading.OPEN


class Gate:
    """Judges intents one by one, each with those approved before it already counted.

    Args:
        rates: Price of one unit of each currency in base currency.
        warm_up_until_ns: No order is approved before.
        outside: What a venue says of the account; with it a session's checks and defaults hold.
        plugins: Rows of a user's own.
        equity: What the account is worth to begin with, in base currency; whoever marks it keeps `account.equity`.
    """

    def __init__(
        self,
        *,
        settings: RiskSettings,
        instruments: Mapping[int, Instrument],
        sessions: Mapping[str, Sessions],
        rates: Mapping[str, Decimal],
        warm_up_until_ns: int = 0,
        outside: Outside | None = None,
        plugins: Sequence[Row] = (),
        equity: float | None = None,
    ) -> None:
        self._exposures = Exposures(
            settings=settings,
            instruments=instruments,
            sessions=sessions,
            rates=rates,
            warm_up_until_ns=warm_up_until_ns,
            outside=outside,
            plugins=plugins,
            equity=equity,
        )
        self._known = self._exposures.known
        self._ledger = Ledger(self._exposures)
        self._open = self._ledger.open
        self.hear = self._ledger.hear  # folds what became of orders and positions
        self.sessions = sessions
        self.account = self._exposures.account
        self._held = self.account.held
        self.latched: list[tuple[str, Held]] = []  # latches set since somebody last looked: owner and why
        self._long_way = LongWay(self._exposures, self._ledger, self.latch)
        self.references = self._long_way.references  # the market's price when an order was approved, by coid
        self._refused = self._long_way.refused
        self._earlier = Earlier()

    def forget(self, also: Iterable[str] = ()) -> frozenset[str]:
        """Another day begins: let go of orders that have been over for a day, of `also` too; return which."""
        outside = self.account.outside
        previews = {} if outside is None else outside.what_if
        gone = self._earlier.turn((*self.references, *self._refused, *previews, *also), self._open)
        self._refused -= gone
        for coid in gone:
            self.references.pop(coid, None)
            previews.pop(coid, None)
        return gone

    @property
    def settings(self) -> RiskSettings:
        """The limits in force."""
        return self._exposures.settings

    @property
    def plugins(self) -> Sequence[Row]:
        """Rows of a user's own."""
        return self._exposures.plugins

    @property
    def tally(self) -> Tally:
        """The account's open and recent orders."""
        return self._exposures.tally

    def judge(self, intent: Intent, view: Callable[[], MarketView], now_ns: int) -> Verdict:
        """Approve or refuse one intent as a whole; what is approved counts at once."""
        # By class: `isinstance` asks a struct's metaclass, which costs as much as a small function.
        if intent.__class__ is Place:
            if len(intent.tickets) == 1:
                if self._takes(intent.tickets[0], view(), now_ns):
                    return Approved(intent)
            elif intent.tickets and self._takes_bracket(intent.tickets, view(), now_ns):
                return Approved(intent)
            return self._judge_place(intent, view, now_ns)
        if intent.__class__ is not Cancel:
            if intent.__class__ is Modify and not self._held:
                known = self._open.get(intent.coid)
                if known is not None and changes(intent, known, view(), now_ns):
                    return Approved(intent)
            self.account.meter.void()
            if intent.__class__ is Modify:
                refusal = self._long_way.modify(intent, view, now_ns)
            else:
                assert isinstance(intent, Resend)
                refusal = self._long_way.resend(intent, view, now_ns)
            return Approved(intent) if refusal is None else Denied(intent, refusal)
        reserved = self._open.get(intent.coid)
        if self.account.counting:
            self.account.cancelled(intent.strategy, now_ns)
        if reserved is not None and not reserved.cancelling:
            reserved.cancelling = True
            twins = reserved.exposure.twins
            if twins.counts is not None:
                twins.changed(reserved)
            if twins.lately:
                twins.forget(intent.coid)
        return Approved(intent)

    def exposure(self, strategy: str, conid: int) -> Exposure:
        """What is at stake for a strategy in an instrument, made on first use. Raises: KeyError if it is not known."""
        return self._exposures.of(strategy, conid)

    def rate_now(self, currency: str) -> None:
        """A currency's rate has changed in the mapping that the gate was given."""
        self._exposures.rate_now(currency)

    # --- judging ------------------------------------------------------------------------------------------------

    def clears(self, ticket: OrderTicket, view: MarketView, now_ns: int) -> bool:
        """Whether the short way would take an order, so that no check can refuse it; counts nothing."""
        return self._takes(ticket, view, now_ns, counts=False)

    def takes(self, intent: Place, view: MarketView, now_ns: int) -> Approved | None:
        """Approve one order alone, if the short way takes it; else nothing is counted, and it is to be judged."""
        return Approved(intent) if self._takes(intent.tickets[0], view, now_ns) else None

    def _takes(self, ticket: OrderTicket, view: MarketView, now_ns: int, *, counts: bool = True) -> bool:
        """Take a plain order that is far from every limit; False, with nothing counted, if the checks must be asked.

        Args:
            counts: Whether it counts from now on, or was only asked about.
        """
        coid, references = ticket.coid, self.references
        exposure = self._known.get((ticket.strategy, ticket.conid))
        if exposure is None or coid in references or coid in self._refused or self._held:
            return False
        known = view.price(ticket.conid)
        if known is None:
            return False
        status = view.status(ticket.conid)
        if status is not None and status.trading != _OPEN:
            return False
        price, since_ns = known
        buy, limit = ticket.side is _BUY, ticket.limit_price
        level = None if limit is None else exposure.levels[limit]
        plan = exposure.plan
        if plan is None:
            if not clear(ticket, exposure, buy, level, price, since_ns, now_ns):
                return False
        elif not self._looks(ticket, exposure, plan, view, price, since_ns, level, now_ns, counts=counts):
            return False
        if not counts:
            return True
        # It is reserved, as `Ledger.reserve` does at length. `Lines` need not hear of it: those that have a limit were
        # asked about this instrument just now, and look anew, or are told when the order is counted (`settle`).
        references[coid] = price
        quantity = ticket.quantity
        entry = self._open[coid] = exposure.open[coid] = Reserved(exposure, ticket, quantity)
        of_account, of_strategy = exposure.units
        if buy:
            of_account.buys += quantity
            of_strategy.buys += quantity
        else:
            of_account.sells += quantity
            of_strategy.sells += quantity
        if exposure.resting is not None and (level is not None or ticket.stop_price is None):
            rank = -inf if level is None else -level if buy else level
            (exposure.resting.buys if buy else exposure.resting.sells).put(rank, entry, ticket)
        if exposure.window_ns or exposure.twins.counts is not None:
            exposure.twins.taken(entry, now_ns, exposure.window_ns)
        exposure.sent_of_all.append(now_ns)
        for sent_ns in exposure.sent_else:
            sent_ns.append(now_ns)
        if plan is not None and plan.due:  # with this order counted
            measure(plan, exposure, view, price, now_ns)
        return True

    def _takes_bracket(self, tickets: Sequence[OrderTicket], view: MarketView, now_ns: int) -> bool:
        """Take a plain entry and its exits; False, with nothing counted, if the checks must be asked."""
        entry, references = tickets[0], self.references
        exposure = self._known.get((entry.strategy, entry.conid))
        if exposure is None:
            return False
        exits = exits_of(tickets, exposure, references, view, now_ns)
        if exits is None or not self._refused.isdisjoint(one[0].coid for one in exits):
            return False
        if not self._takes(entry, view, now_ns):
            return False
        count(exits, entry, exposure, references, now_ns)
        return True

    def _looks(
        self, ticket: OrderTicket, exposure: Exposure, plan: Plan, view: MarketView, price: float, since_ns: int,
        level: float | None, now_ns: int, *, counts: bool,
    ) -> bool:  # fmt: skip
        """Whether a plain order surely passes what limits have switched on too; if it counts, the sums hear of it.

        Args:
            price: The market's price in force, said at `since_ns`.
            level: Its limit price; None of a market order and of a stop.
        """
        buy = ticket.side is _BUY
        room = plan.buys if buy else plan.sells
        worst = 0.0 if room is None else room.fits(ticket, view, price, since_ns, level, now_ns)
        if not worst:
            room = None
            worst = clear(ticket, exposure, buy, level, price, since_ns, now_ns)
            if not worst:
                return False
            self.account.settle()
            if not (plan.from_ns <= now_ns < plan.until_ns or plan.turn(now_ns)):
                return False
            units = exposure.sizes[ticket.quantity]
            money = units * worst * exposure.unit_value
            if plan.asks and not passes(ticket, exposure, plan, view, price, worst, buy, level, units, money, now_ns):
                return False
        if plan.others:
            market = MarketNow(now_ns, price, since_ns, False, view)
            if first(plan.others, ticket, exposure, market) is not None:
                return False
        if not counts:
            return True
        if room is not None:
            room.take(worst, level, now_ns)
        elif plan.register is not None:
            plan.register.add(worst, buy, level, units, money, now_ns)
            plan.due = ticket.stop_price is None or not stands(plan, units)
        return True

    def _judge_place(
        self, intent: Place, view: Callable[[], MarketView], now_ns: int, waived: frozenset[str] = frozenset()
    ) -> Verdict:
        self.account.meter.void()
        refusal, less = self._long_way.place(intent.tickets, view, now_ns, waived)
        verdict: Verdict
        if refusal is None:
            verdict = Approved(intent)
        elif less is None:
            verdict = Denied(intent, refusal)
        else:  # one that was too large, cut down: it is judged as the order it has become
            verdict = self._judge_place(Place((less,)), view, now_ns, waived)
            if isinstance(verdict, Approved):
                verdict = Approved(verdict.intent, verdict.because or refusal)
            else:
                verdict = Denied(intent, verdict.refusal)
        if self.account.joining:
            self._ledger.joined()
        return verdict

    def release(
        self,
        intent: Place,
        view: Callable[[], MarketView],
        now_ns: int,
        waived: frozenset[str] = HELD_FOR_A_PERSON,
    ) -> Verdict:
        """What was held is let go: everything is judged again but the checks that a person stands above."""
        self._refused.difference_update(ticket.coid for ticket in intent.tickets)
        return self._judge_place(intent, view, now_ns, waived)

    def latch(self, owner: str, held: Held) -> None:
        """Forbid something until it is lifted; `latched` tells whoever has to know."""
        if self.account.latch(owner, held):
            self.latched.append((owner, held))

    def open_of(self, owner: str) -> list[tuple[str, str]]:
        """Coid and strategy of open orders that no cancel was sent for; an empty owner is the account."""
        return [
            (coid, entry.ticket.strategy)
            for coid, entry in self._open.items()
            if not entry.cancelling and owner in ("", entry.ticket.strategy)
        ]

    def under_way(self, conid: int, side: Side) -> Decimal:
        """Units of all open orders of one side of an instrument, at their worst."""
        return sum(
            (e.worst() for e in self._open.values() if e.ticket.conid == conid and e.ticket.side is side), Decimal(0)
        )

    def take_closing(self, ticket: OrderTicket, view: Callable[[], MarketView], now_ns: int) -> Refusal | None:
        """Count an order of the kill switch, which only reduces; only an unknown instrument or a used id refuse it."""
        refusal = self._long_way.unusable(ticket)
        if refusal is not None:
            return refusal
        self.account.meter.void()
        exposure = self.exposure(ticket.strategy, ticket.conid)
        market = market_now(exposure.instrument, view(), now_ns)
        self._long_way.count_sent(ticket, exposure, market)
        self.references[ticket.coid] = market.price or 0.0  # 0: no price was known
        self._ledger.reserve(ticket, exposure)
        return None

    def reload(self, settings: RiskSettings) -> None:
        """Judge by other limits from now on; what is reserved stays reserved."""
        self._exposures.reload(settings)
