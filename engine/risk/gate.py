"""The gate: every intent passes here, and only here is an `Approved` made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from engine.domain.instrument import Instrument
from engine.domain.market import Trading
from engine.domain.messages import (
    Approved,
    Cancel,
    Denied,
    Intent,
    Modify,
    Place,
    PositionNow,
    Refusal,
    Update,
    Verdict,
)
from engine.domain.order import CLOSED
from engine.domain.sessions import Sessions
from engine.domain.ticket import BadTicket, OrderTicket, Side, amend
from engine.domain.view import MarketView
from engine.risk.checks import MODIFICATION, NEW_ORDER, Check
from engine.risk.exposure import Duplicates, Exposure, MarketNow, Reserved, Tally, Units, key_of, worst_remaining
from engine.risk.limits import resolve
from engine.settings import RiskSettings

_ZERO: Final = Decimal(0)


class Gate:
    """Judges intents one by one, each with those approved before it already counted.

    Args:
        rates: Price of one unit of each currency in base currency.
        warm_up_until_ns: No order is approved before.
    """

    def __init__(
        self,
        *,
        settings: RiskSettings,
        instruments: Mapping[int, Instrument],
        sessions: Mapping[str, Sessions],
        rates: Mapping[str, Decimal],
        warm_up_until_ns: int = 0,
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._sessions = sessions
        self._rates = rates
        self._warm_up_until_ns = warm_up_until_ns
        self._exposures: dict[tuple[str, int], Exposure] = {}
        self._account_units: dict[int, Units] = {}
        self._account_tally = Tally()
        self._strategy_tallies: dict[str, Tally] = {}
        self._instrument_tallies: dict[int, Tally] = {}
        self._duplicates = Duplicates()
        self._open = self._duplicates.open
        self.references: dict[str, float] = {}  # the market's price when an order was approved, by coid

    def judge(self, intent: Intent, view: Callable[[], MarketView], now_ns: int) -> Verdict:
        """Approve or refuse one intent as a whole; what is approved counts at once."""
        if isinstance(intent, Place):
            return self._judge_place(intent, view, now_ns)
        if isinstance(intent, Modify):
            return self._judge_modify(intent, view, now_ns)
        assert isinstance(intent, Cancel)
        reserved = self._open.get(intent.coid)
        if reserved is not None and not reserved.cancelling:
            reserved.cancelling = True
            self._duplicates.forget(key_of(reserved.ticket), intent.coid)
        return Approved(intent)

    def hear(self, updates: Sequence[Update], positions: Sequence[PositionNow]) -> None:
        """Fold what became of orders and positions."""
        reserved = self._open
        for update in updates:
            order = update.order
            entry = reserved.get(order.ticket.coid)
            if order.state in CLOSED:
                if entry is not None:
                    self._release(entry)
                    del reserved[order.ticket.coid]
            elif entry is not None:
                entry.ticket = order.ticket
                if entry.counted or order.wanted is not None:
                    self._count(entry, worst_remaining(order))
            else:  # an order that was lost, or one of another session, is alive after all
                self._reserve(order.ticket, self.exposure(order.ticket.strategy, order.ticket.conid))
        for now in positions:
            exposure = self.exposure(now.strategy, now.conid)
            exposure.units[0].position = now.account_quantity
            exposure.units[1].position = now.quantity

    def exposure(self, strategy: str, conid: int) -> Exposure:
        """Return what is at stake for a strategy in an instrument, made on first use."""
        found = self._exposures.get((strategy, conid))
        if found is None:
            instrument = self._instruments[conid]
            found = self._exposures[strategy, conid] = Exposure(
                strategy=strategy,
                instrument=instrument,
                sessions=self._sessions[instrument.calendar],
                bounds=resolve(self._settings, strategy=strategy, symbol=instrument.symbol),
                rate=self._rates[instrument.currency],
                units=(self._account_units.setdefault(conid, Units()), Units()),
                tallies=(
                    self._account_tally,
                    self._strategy_tallies.setdefault(strategy, Tally()),
                    self._instrument_tallies.setdefault(conid, Tally()),
                ),
                duplicates=self._duplicates,
                warm_up_until_ns=self._warm_up_until_ns,
            )
        return found

    # --- judging ------------------------------------------------------------------------------------------------

    def _judge_place(self, intent: Place, view: Callable[[], MarketView], now_ns: int) -> Verdict:
        passed: list[Reserved] = []
        for ticket in intent.tickets:
            exposure = self._exposures.get((ticket.strategy, ticket.conid))
            if exposure is None:
                if ticket.conid not in self._instruments:
                    return self._take_back(passed, Denied(intent, _unknown_instrument(ticket)))
                exposure = self.exposure(ticket.strategy, ticket.conid)
            market = market_now(exposure.instrument, view(), now_ns)
            bounds = exposure.bounds
            for check in NEW_ORDER:
                refusal = check(ticket, exposure, market, bounds)
                if refusal is not None:
                    return self._take_back(passed, Denied(intent, refusal))
            passed.append(self._reserve(ticket, exposure))
            if market.price is not None:
                self.references[ticket.coid] = market.price
            for tally in exposure.tallies:
                tally.sent_ns.append(now_ns)
        for entry in passed:
            ticket = entry.ticket
            self._duplicates.note(key_of(ticket), ticket.coid, now_ns, entry.exposure.bounds.duplicate_window_ns)
        return Approved(intent)

    def _take_back(self, passed: Sequence[Reserved], denied: Denied) -> Denied:
        """A group is refused as a whole: what its earlier tickets had reserved is free again."""
        for entry in passed:
            self._release(entry)
            del self._open[entry.ticket.coid]
            for tally in entry.exposure.tallies:
                tally.sent_ns.pop()
        return denied

    def _judge_modify(self, intent: Modify, view: Callable[[], MarketView], now_ns: int) -> Verdict:
        reserved = self._open.get(intent.coid)
        if reserved is None:
            sentence = f"order {intent.coid} is not open"
            return Denied(intent, Refusal("NOT_OPEN", "an open order", intent.coid, sentence))
        try:
            ticket = amend(reserved.ticket, intent.changes)
        except BadTicket as error:
            return Denied(intent, Refusal("BAD_TICKET", "a sound ticket", intent.coid, str(error)))
        exposure = reserved.exposure
        market = market_now(exposure.instrument, view(), now_ns)
        before = reserved.counted
        self._count(reserved, _ZERO)  # it does not stand beside itself
        refusal = _first(MODIFICATION, ticket, exposure, market)
        larger = reserved.ticket.quantity < ticket.quantity
        extra = ticket.quantity - reserved.ticket.quantity if refusal is None and larger and before else _ZERO
        self._count(reserved, before + extra)
        return Approved(intent) if refusal is None else Denied(intent, refusal)

    # --- counting -----------------------------------------------------------------------------------------------

    def _reserve(self, ticket: OrderTicket, exposure: Exposure) -> Reserved:
        entry = Reserved(exposure, ticket, _ZERO)
        self._open[ticket.coid] = entry
        for tally in exposure.tallies:
            tally.open += 1
        if ticket.parent is None:
            self._count(entry, ticket.quantity)
        return entry

    def _release(self, entry: Reserved) -> None:
        self._count(entry, _ZERO)
        for tally in entry.exposure.tallies:
            tally.open -= 1

    @staticmethod
    def _count(entry: Reserved, counted: Decimal) -> None:
        more = counted - entry.counted
        if not more:
            return
        entry.counted = counted
        if entry.ticket.side is Side.BUY:
            for units in entry.exposure.units:
                units.buys += more
        else:
            for units in entry.exposure.units:
                units.sells += more


def _first(checks: Sequence[Check], ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> Refusal | None:
    for check in checks:
        refusal = check(ticket, exposure, market, exposure.bounds)
        if refusal is not None:
            return refusal
    return None


def market_now(instrument: Instrument, view: MarketView, now_ns: int) -> MarketNow:
    """Work out the price that orders in an instrument are judged by; of a combo, from its legs' prices."""
    if instrument.legs:
        return _combo_now(instrument, view, now_ns)
    price, since_ns = _price_of(instrument.conid, view)
    return MarketNow(now_ns, price, since_ns, _halted(instrument.conid, view))


def _combo_now(instrument: Instrument, view: MarketView, now_ns: int) -> MarketNow:
    net, oldest, halted = 0.0, now_ns, False
    for leg in instrument.legs:
        price, since_ns = _price_of(leg.conid, view)
        if price is None:
            return MarketNow(now_ns, None, 0, False)
        net += leg.ratio * price
        oldest = min(oldest, since_ns)
        halted = halted or _halted(leg.conid, view)
    return MarketNow(now_ns, net, oldest, halted)


def _price_of(conid: int, view: MarketView) -> tuple[float | None, int]:
    quote = view.quote(conid)
    if quote is not None:
        mid = (quote.bid + quote.ask) * 0.5
        if mid == mid:  # a side that is absent is NaN, and so is the middle
            return mid, quote.ts_ns
    trade = view.trade(conid)
    if trade is not None:
        return trade.price, trade.ts_ns
    bar = view.bar(conid)
    if bar is not None:
        return bar.close, bar.ts_ns
    return None, 0


def _halted(conid: int, view: MarketView) -> bool:
    status = view.status(conid)
    return status is not None and status.trading != Trading.OPEN


def _unknown_instrument(ticket: OrderTicket) -> Refusal:
    sentence = f"no instrument has the conid {ticket.conid}"
    return Refusal("NO_INSTRUMENT", "a known instrument", str(ticket.conid), sentence)
