"""The portfolio: it alone writes positions and cash. Exact, in `Decimal`.

Average cost is kept as total cost: when part of a position is closed, its part of the cost is taken out rounded to
1e-8, and what is taken out is what profit is worked out with, so no cent is ever lost to a division.

At every moment, by currency and exactly: cash + cost of positions = deposits + realised - fees + dividends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from attrs import define, field
from msgspec import Struct

from engine.domain.actions import Action, Booked, SplitNow
from engine.domain.facts import Filled
from engine.domain.instrument import Instrument
from engine.domain.messages import PositionNow, Update
from engine.portfolio.actions import book

_ZERO: Final = Decimal(0)
_GRAIN: Final = Decimal("1e-8")


@define(eq=False)
class Holdings:
    """One strategy's position in one instrument; `cost` is signed like `quantity` and knows no fees."""

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    realised: Decimal = _ZERO

    def trade(self, units: Decimal, money: Decimal) -> Decimal:
        """Book an execution of signed units for signed money (price x units x multiplier); return profit realised."""
        held = self.quantity
        if held == _ZERO or (held > _ZERO) == (units > _ZERO):
            self.quantity = held + units
            self.cost += money
            return _ZERO
        if abs(units) < abs(held):  # a part is closed
            out = (self.cost * -units / held).quantize(_GRAIN, ROUND_HALF_EVEN)
            profit = -money - out
            self.cost -= out
        elif abs(units) == abs(held):
            profit = -money - self.cost
            self.cost = _ZERO
        else:  # closed, and opened the other way
            closing = (money * -held / units).quantize(_GRAIN, ROUND_HALF_EVEN)
            profit = -closing - self.cost
            self.cost = money - closing
        self.quantity = held + units
        self.realised += profit
        return profit


class FillEntry(Struct, eq=False, gc=False):
    """One execution as booked: profit realised, and the account after it, for marking and for the result."""

    fill: Filled
    strategy: str
    realised: Decimal
    ts_ns: int


class Step(Struct, eq=False, gc=False):
    """A strategy's books right after a fill: its position in one instrument and its cash flow so far, base currency."""

    ts_ns: int
    strategy: str
    conid: int
    quantity: float
    flow: float


@define(eq=False)
class Portfolio:
    """Positions by strategy and instrument, cash by currency, fees by line.

    Args:
        instruments: By conid.
        cash: Deposits by currency.
        rates: Price of one unit of each currency in base currency.
    """

    instruments: Mapping[int, Instrument]
    cash: dict[str, Decimal]
    rates: Mapping[str, Decimal]
    holdings: dict[tuple[str, int], Holdings] = field(factory=dict, init=False)
    account: dict[int, Decimal] = field(factory=dict, init=False)
    fees: dict[str, Decimal] = field(factory=dict, init=False)  # by line, in base currency
    fees_by_currency: dict[str, Decimal] = field(factory=dict, init=False)
    entries: list[FillEntry] = field(factory=list, init=False)
    steps: list[Step] = field(factory=list, init=False)
    dividends: dict[str, Decimal] = field(factory=dict, init=False)  # by currency
    booked: list[Booked] = field(factory=list, init=False)  # what corporate actions did
    splits: list[SplitNow] = field(factory=list, init=False)  # for marking; whoever marks takes them
    _flows: dict[str, Decimal] = field(factory=dict, init=False)

    def hear(self, updates: Sequence[Update]) -> list[PositionNow]:
        """Book the executions among the updates; return the positions that changed."""
        changed: list[PositionNow] = []
        for update in updates:
            event = update.event
            if event.__class__ is Filled:
                self._book(update.order.ticket.strategy, event, changed)
        return changed

    def adjust(self, actions: Sequence[Action]) -> list[PositionNow]:
        """Book dividends and splits on what is held; return the positions they touched."""
        changed: list[PositionNow] = []
        for action in actions:
            conid = action.conid
            instrument = self.instruments[conid]
            if isinstance(action, SplitNow):
                self.splits.append(action)
            for (strategy, of), held in self.holdings.items():
                done = book(action, strategy, held, instrument) if of == conid else []
                if not done:
                    continue
                for one in done:
                    self.cash[one.currency] = self.cash.get(one.currency, _ZERO) + one.cash
                    if one.kind == "dividend":
                        self.dividends[one.currency] = self.dividends.get(one.currency, _ZERO) + one.cash
                    flow = self._flows.get(strategy, _ZERO) + one.cash * self.rates[one.currency]
                    self._flows[strategy] = flow
                    self.account[conid] += one.after - one.before
                self.booked += done
                self.steps.append(Step(action.ts_ns, strategy, conid, float(held.quantity), float(flow)))
                changed.append(self._now(strategy, conid, held, instrument.currency))
        return changed

    def charge(self, strategy: str, line: str, amount: Decimal, currency: str) -> None:
        """Book a fee that became known after its execution; a rebate is below zero."""
        in_base = amount * self.rates[currency]
        self.fees[line] = self.fees.get(line, _ZERO) + in_base
        self.fees_by_currency[currency] = self.fees_by_currency.get(currency, _ZERO) + amount
        self.cash[currency] = self.cash.get(currency, _ZERO) - amount
        self._flows[strategy] = self._flows.get(strategy, _ZERO) - in_base

    def take_over(self, owner: str, conid: int, quantity: Decimal, cost: Decimal) -> PositionNow:
        """Take over units that came into the account by no order of ours: a person's trade, a split, what was there.

        Args:
            quantity: Signed units to add to what the owner holds.
            cost: What they cost in all, signed alike; it counts as a deposit of the instrument, no cash moves.
        """
        held = self.holdings.setdefault((owner, conid), Holdings())
        held.quantity += quantity
        held.cost += cost
        self.account[conid] = self.account.get(conid, _ZERO) + quantity
        currency = self.instruments[conid].currency
        self.cash.setdefault(currency, _ZERO)
        return self._now(owner, conid, held, currency)

    def _now(self, strategy: str, conid: int, held: Holdings, currency: str) -> PositionNow:
        return PositionNow(
            strategy, conid, held.quantity, held.cost, held.realised, self.account[conid], self.cash[currency], currency
        )

    def _book(self, strategy: str, fill: Filled, changed: list[PositionNow]) -> None:
        fees_base = _ZERO
        for line, amount, currency in fill.fees:
            in_base = amount * self.rates[currency]
            self.fees[line] = self.fees.get(line, _ZERO) + in_base
            self.fees_by_currency[currency] = self.fees_by_currency.get(currency, _ZERO) + amount
            self.cash[currency] = self.cash.get(currency, _ZERO) - amount
            fees_base += in_base
        flow = self._flows.get(strategy, _ZERO) - fees_base
        realised = _ZERO
        now: list[tuple[int, Holdings]] = []
        cash, account = self.cash, self.account
        for conid, units, price in _legs(fill):
            instrument = self.instruments[conid]
            money = units * price
            if instrument.multiplier != 1:
                money *= instrument.multiplier
            holdings = self.holdings.get((strategy, conid))
            if holdings is None:
                holdings = self.holdings[strategy, conid] = Holdings()
            profit = holdings.trade(units, money)
            currency = instrument.currency
            rate = self.rates[currency]
            cash[currency] = cash.get(currency, _ZERO) - money
            account[conid] = account.get(conid, _ZERO) + units
            realised += profit * rate
            flow -= money * rate
            now.append((conid, holdings))
            changed.append(self._now(strategy, conid, holdings, currency))
        self._flows[strategy] = flow
        as_float = float(flow)
        for conid, holdings in now:
            self.steps.append(Step(fill.ts_ns, strategy, conid, float(holdings.quantity), as_float))
        self.entries.append(FillEntry(fill, strategy, realised, fill.ts_ns))


def _legs(fill: Filled) -> Sequence[tuple[int, Decimal, Decimal]]:
    """What really changed hands: (conid, signed units, price)."""
    if fill.legs:
        return [(leg.conid, leg.quantity, leg.price) for leg in fill.legs]
    return ((fill.conid, fill.quantity if fill.side == "BUY" else -fill.quantity, fill.price),)
