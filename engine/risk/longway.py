"""The long way through the gate: every check of the table is asked, and what passes counts at once.

An order that the short way (`clear`, `screens`) can't speak for comes here, and so does every group, every modification
and every ticket that is sent again. What a refusal or its absence makes of an intent is the gate's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.domain.messages import Modify, Refusal, Resend
from engine.domain.ticket import BadTicket, OrderTicket, amend
from engine.domain.view import MarketView
from engine.risk import venueside
from engine.risk.account import Held
from engine.risk.account import Level as Latching
from engine.risk.checks import MODIFICATION, NEW_ORDER, Check
from engine.risk.conduct import latched
from engine.risk.exposure import Exposure, MarketNow, Reserved
from engine.risk.exposures import Exposures
from engine.risk.ledger import Ledger
from engine.risk.market import market_now
from engine.risk.shrinking import smaller
from engine.risk.stakes import reserve
from engine.risk.sums import added_money, dearest_price, worst_money, worst_price
from engine.risk.together import Bracket, Oca, misfit

_NONE: Final[frozenset[str]] = frozenset()


class LongWay:
    """Asks the table, and keeps the client order ids that were used.

    Args:
        latch: Forbids something to an owner until it is lifted.
    """

    def __init__(self, exposures: Exposures, ledger: Ledger, latch: Callable[[str, Held], None]) -> None:
        self.references: dict[str, float] = {}  # the market's price when an order was approved, by coid
        self.refused: set[str] = set()  # ids of orders that were
        self._by: tuple[Check, Refusal] | None = None  # the check that refused last, and what it said
        self._exposures = exposures
        self._ledger = ledger
        self._latch = latch
        self._open = ledger.open
        self._account = exposures.account

    def place(
        self, tickets: Sequence[OrderTicket], view: Callable[[], MarketView], now_ns: int, waived: frozenset[str]
    ) -> tuple[Refusal | None, OrderTicket | None]:
        """Judge new orders as a whole, without those checks whose codes are waived.

        Returns: Why they are refused; and if a smaller order has room instead, that one, of which nothing counts yet.
        """
        if not tickets:
            return Refusal("EMPTY", "an order", "none", "a group without an order was asked for"), None
        passed: list[tuple[Reserved, float]] = []
        refusal = misfit(tickets) if len(tickets) > 1 else None
        if refusal is not None:
            return self._take_back(passed, tickets, refusal, now_ns), None
        for ticket in tickets:
            refusal = self.unusable(ticket)
            if refusal is not None:
                return self._take_back(passed, tickets, refusal, now_ns), None
            exposure = self._exposures.of(ticket.strategy, ticket.conid)
            market = market_now(exposure.instrument, view(), now_ns)
            group = self._ledger.join(ticket)
            refusal = self._refusal(ticket, exposure, market, waived)
            if refusal is not None:
                less = smaller(ticket, exposure, market, refusal) if len(tickets) == 1 else None
                if less is not None:
                    return refusal, less
                self._note(refusal)
                self._latch_on(refusal, ticket, exposure, now_ns)
                return self._take_back(passed, tickets, refusal, now_ns), None
            money = self.count_sent(ticket, exposure, market)
            passed.append((self._ledger.reserve(ticket, exposure, group), money))
            assert market.price is not None  # a check has refused where there is none
            self.references[ticket.coid] = market.price
            for tally, _, _ in exposure.rate_levels:
                tally.sent_ns.append(now_ns)
        for entry, _ in passed:
            exposure = entry.exposure
            if exposure.bounds.duplicate_window_ns:
                exposure.twins.remember(now_ns, entry.ticket, exposure.bounds.duplicate_window_ns)
        return None, None

    def resend(self, intent: Resend, view: Callable[[], MarketView], now_ns: int) -> Refusal | None:
        """Judge a ticket that never arrived as if it were new; it goes on counting, whatever is said."""
        ticket = intent.ticket
        reserved = self._open.get(ticket.coid)
        if reserved is None or reserved.cancelling:
            sentence = f"order {ticket.coid} is not wanted any more"
            return Refusal("NOT_OPEN", "an open order", ticket.coid, sentence)
        exposure, shared = reserved.exposure, reserved.shared
        self._ledger.release(reserved)
        market = market_now(exposure.instrument, view(), now_ns)
        refusal = self._refusal(ticket, exposure, market, _NONE)
        if refusal is None:
            self.count_sent(ticket, exposure, market)
        group = shared.group if isinstance(shared, Oca) else None
        if group is not None:  # it is of it still, if as the last
            self._account.groups[group] = None
        self._ledger.reserve(ticket, exposure, group)
        if refusal is not None:
            self._note(refusal)
            return refusal
        for tally, _, _ in exposure.rate_levels:
            tally.sent_ns.append(now_ns)
        return None

    def modify(self, intent: Modify, view: Callable[[], MarketView], now_ns: int) -> Refusal | None:
        """Judge a modification as the ticket that it makes of its order; from then on the worse of the two counts."""
        reserved = self._open.get(intent.coid)
        if reserved is None:
            return Refusal("NOT_OPEN", "an open order", intent.coid, f"order {intent.coid} is not open")
        try:
            ticket = amend(reserved.ticket, intent.changes)
        except BadTicket as error:
            return Refusal("BAD_TICKET", "a sound ticket", intent.coid, str(error))
        exposure, account = reserved.exposure, self._account
        market = market_now(exposure.instrument, view(), now_ns)
        refusal = latched(ticket, exposure, market, exposure.bounds) if account.held else None
        refusal = refusal or _too_small(ticket, exposure) or first(MODIFICATION, ticket, exposure, market)
        if refusal is None and exposure.armed_changes:
            refusal = self._first(exposure.armed_changes, ticket, exposure, market, _NONE)
            if refusal is not None:
                self._note(refusal)
        if refusal is not None:
            return refusal
        if account.counting:
            more = added_money(ticket, exposure, market)
            account.sent(ticket.strategy, more if more == more else 0.0, now_ns, new=False)
            account.note(ticket, now_ns)
            if exposure.counts(ticket):
                reserve(exposure, dearest_price(ticket, exposure, market))
        if reserved.wanted is None:  # else the order manager will refuse it: the one in flight goes on counting
            reserved.wanted = ticket
            if isinstance(reserved.shared, Bracket) and ticket.quantity > reserved.shared.quantity:
                self._ledger.part(reserved, reserved.shared)  # it may trade more than its entry gets into
            self._ledger.rewritten(reserved)
            if exposure.bounds.duplicate_window_ns and not reserved.cancelling:
                exposure.twins.remember(now_ns, ticket, exposure.bounds.duplicate_window_ns)
        return None

    def unusable(self, ticket: OrderTicket) -> Refusal | None:
        """Why a new ticket can't even be judged: its id has been used, or its instrument is not known."""
        coid = ticket.coid
        if coid in self.references or coid in self.refused:
            return Refusal("ID", "a new id", coid, f"the client order id {coid} has been used before")
        if self._exposures.unknown(ticket.conid):
            sentence = f"no instrument has the conid {ticket.conid}"
            return Refusal("NO_INSTRUMENT", "a known instrument", str(ticket.conid), sentence)
        return None

    def count_sent(self, ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> float:
        """Count an order in the day's sums and in what was sent lately, and its price for as long as it is open.

        Returns: The money that was counted, in base currency.
        """
        account, money = self._account, 0.0
        if account.counting and market.price is not None:
            worst, money = worst_price(ticket, market), worst_money(ticket, exposure, market)
            spends = venueside.previewed_money(ticket, exposure)
            account.sent(ticket.strategy, money, market.now_ns, new=True, spends=spends)
            account.note(ticket, market.now_ns)
            if exposure.counts(ticket):  # a child's price is reserved once its entry has filled
                reserve(exposure, worst)
        return money

    def _refusal(
        self, ticket: OrderTicket, exposure: Exposure, market: MarketNow, waived: frozenset[str]
    ) -> Refusal | None:
        """Ask every check of a new order; the first that refuses is the one that is told."""
        bounds = exposure.bounds
        if self._account.held:
            refusal = latched(ticket, exposure, market, bounds)
            if refusal is not None:
                return refusal
        refusal = self._first(NEW_ORDER, ticket, exposure, market, waived)
        return refusal or self._first(exposure.armed, ticket, exposure, market, waived)

    def _first(
        self,
        checks: Sequence[Check],
        ticket: OrderTicket,
        exposure: Exposure,
        market: MarketNow,
        waived: frozenset[str],
    ) -> Refusal | None:
        """What the first check that refuses says, and which it was; None if all allow."""
        for check in checks:
            refusal = check(ticket, exposure, market, exposure.bounds)
            if refusal is not None and refusal.code not in waived:
                self._by = check, refusal
                return refusal
        return None

    def _note(self, refusal: Refusal) -> None:
        """Count a refusal that a plugin's check has made: its code need not say whose it is."""
        if not self._exposures.plugins or self._by is None or self._by[1] is not refusal:
            return
        for row in self._exposures.plugins:
            if self._by[0] in row.checks:
                self._account.plugins_refused[row.code, refusal.code] += 1
                return

    def _latch_on(self, refusal: Refusal, ticket: OrderTicket, exposure: Exposure, now_ns: int) -> None:
        """A strategy that has fired too often may only reduce; one that fires on is halted; a person resumes both."""
        if refusal.code != "THROTTLE":
            return
        strategy = ticket.strategy
        self._latch(strategy, Held(Latching.REDUCING, "THROTTLE", refusal.sentence, now_ns))
        most = exposure.bounds.tightest.throttled_orders_max
        if most is not None and self._account.throttle(strategy, now_ns) > most:
            sentence = f"{strategy} went on: more than {most} orders were refused within an hour for being too many"
            self._latch(strategy, Held(Latching.HALTED, "THROTTLE", sentence, now_ns))

    def _take_back(
        self, passed: Sequence[tuple[Reserved, float]], tickets: Sequence[OrderTicket], refusal: Refusal, now_ns: int
    ) -> Refusal:
        """A group is refused as a whole: what its earlier tickets had reserved is free again."""
        account = self._account
        for entry, money in reversed(passed):
            self._ledger.release(entry)
            if account.counting:
                account.take_back(entry.ticket, money, now_ns)
            del self.references[entry.ticket.coid]
            for tally, _, _ in entry.exposure.rate_levels:
                tally.sent_ns.pop()
        self.refused.update(ticket.coid for ticket in tickets)
        return refusal


def _too_small(ticket: OrderTicket, exposure: Exposure) -> Refusal | None:
    """An entry must not get smaller than an exit that hangs on it: that would turn the position."""
    bracket = exposure.brackets.get(ticket.coid)
    if bracket is None or ticket.quantity >= bracket.quantity:
        return None
    exits = [exposure.open[coid] for coid in bracket.children]
    most = max((one.filled + one.worst() for one in exits), default=ticket.quantity)
    if ticket.quantity >= most:
        return None
    sentence = (
        f"an exit of {ticket.coid} is for {most}: make the exits smaller first, and the entry when that is confirmed"
    )
    return Refusal("GROUP", f"an entry for at least {most}", str(ticket.quantity), sentence)


def first(checks: Sequence[Check], ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> Refusal | None:
    """What the first check that refuses says; None if all allow."""
    for check in checks:
        refusal = check(ticket, exposure, market, exposure.bounds)
        if refusal is not None:
            return refusal
    return None
