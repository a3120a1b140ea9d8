"""The portfolio: it alone writes positions and cash. Exact, in `Decimal`.

Average cost is kept as total cost: when part of a position is closed, its part of the cost is taken out rounded to
1e-8, and what is taken out is what profit is worked out with, so no cent is ever lost to a division.

At every moment, by currency and exactly: cash + cost of positions = deposits + realised - fees + interest + dividends
(`identity.gaps`). What moves money without a trade stands in `money`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from attrs import define, field
from msgspec import Struct

from engine.domain.actions import Action, Booked, OnHolders, Posting, RateNow
from engine.domain.facts import Filled
from engine.domain.instrument import ONE, Instrument, SecType
from engine.domain.messages import PositionNow, Update
from engine.portfolio import commissions, money
from engine.portfolio.actions import book, other_of
from engine.portfolio.financing import Financing

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
        left = held + units
        if not left:
            profit = -money - self.cost
            self.cost = _ZERO
        elif (left > _ZERO) == (held > _ZERO):  # a part is closed
            out = (self.cost * -units / held).quantize(_GRAIN, ROUND_HALF_EVEN)
            profit = -money - out
            self.cost -= out
        else:  # closed, and opened the other way
            closing = (money * -held / units).quantize(_GRAIN, ROUND_HALF_EVEN)
            profit = -closing - self.cost
            self.cost = money - closing
        self.quantity = left
        self.realised += profit
        return profit


class FillEntry(Struct, eq=False, gc=False):
    """One execution as booked: profit realised, and the account after it, for marking and for the result."""

    fill: Filled
    strategy: str
    realised: Decimal
    ts_ns: int


class Step(Struct, eq=False, gc=False):
    """A strategy's books right after a fill: its position in one instrument and its cash flow so far, base currency.

    `conid` None where no position changed; `strategy` "" is the account itself.
    """

    ts_ns: int
    strategy: str
    conid: int | None
    quantity: float
    flow: float


@define(eq=False)
class Portfolio:
    """Positions by strategy and instrument, cash by currency, fees by line.

    Args:
        instruments: By conid.
        cash: Deposits by currency.
        rates: Price of one unit of each currency in base currency; a `RateNow` writes the new one into it.
        financing: What interest and borrowing cost; None: nothing.
    """

    instruments: Mapping[int, Instrument]
    cash: dict[str, Decimal]
    rates: dict[str, Decimal]
    financing: Financing | None = None
    holdings: dict[tuple[str, int], Holdings] = field(factory=dict, init=False)
    account: dict[int, Decimal] = field(factory=dict, init=False)
    fees: dict[str, Decimal] = field(factory=dict, init=False)  # by line, in base currency
    fees_by_currency: dict[str, Decimal] = field(factory=dict, init=False)
    entries: list[FillEntry] = field(factory=list, init=False)
    steps: list[Step] = field(factory=list, init=False)
    dividends: dict[str, Decimal] = field(factory=dict, init=False)  # by currency, gross
    withheld: dict[str, Decimal] = field(factory=dict, init=False)  # tax on them
    interest: dict[str, Decimal] = field(factory=dict, init=False)  # received less paid, without borrow fees
    borrow: dict[str, Decimal] = field(factory=dict, init=False)  # fees on borrowed shares
    deposits: dict[str, Decimal] = field(init=False)  # a conversion is a deposit of one currency out of another
    accrued: dict[money.Key, Decimal] = field(factory=dict, init=False)  # owed to us, not yet in cash
    booked: list[Booked] = field(factory=list, init=False)  # what corporate actions did
    postings: list[Posting] = field(factory=list, init=False)  # money that moved without a trade
    estimates: dict[str, tuple[str, Sequence[commissions.Line]]] = field(factory=dict, init=False)  # by execution
    early: dict[str, bool] = field(factory=dict, init=False)  # `commissions`: executions charged before they were heard
    rated: list[tuple[int, str, Decimal]] = field(factory=list, init=False)  # when a currency got which rate
    # Money beside trades in base currency as it counted when it came, and by new rates since; whoever follows takes it.
    credited: list[tuple[str, Decimal]] = field(factory=list, init=False)
    _flows: dict[str, Decimal] = field(factory=dict, init=False)
    _moneys: dict[tuple[str, str], Decimal] = field(factory=dict, init=False)  # beside trades, by owner and currency
    _counted: int = field(default=0, init=False)  # entries whose fees are in `_moneys`

    def __attrs_post_init__(self) -> None:
        self.deposits = dict(self.cash)

    @property
    def flows(self) -> Mapping[str, Decimal]:
        """Cash that came in (below zero: went out) and what is owed, by owner, in base currency at today's rates."""
        return self._flows

    def hear(self, updates: Sequence[Update]) -> list[PositionNow]:
        """Book the executions among the updates; return the positions that changed."""
        changed: list[PositionNow] = []
        for update in updates:
            event = update.event
            if event.__class__ is Filled:
                if event.fees or event.legs:
                    self._book(update.order.ticket.strategy, event, changed)
                else:
                    changed.append(self._book_plain(update.order.ticket.strategy, event))
        return changed

    def adjust(self, actions: Sequence[Action]) -> list[PositionNow]:
        """Book what corporate actions do to what is held, and money that comes due; return the positions touched."""
        changed: list[PositionNow] = []
        for action in actions:
            if isinstance(action, OnHolders):
                self._convert(action, changed)
            for posting in money.postings(self, action):
                self.post(posting)
            if isinstance(action, RateNow):
                self._revalue(action)
        return changed

    def _convert(self, action: OnHolders, changed: list[PositionNow]) -> None:
        second = other_of(action)
        for (strategy, of), held in list(self.holdings.items()):
            if of != action.conid or not held.quantity:
                continue
            other = None if second is None else self.holdings.setdefault((strategy, second), Holdings())
            done = book(action, strategy, held, other, self.instruments)
            if not done:
                continue
            for one in done:
                self.cash[one.currency] = self.cash.get(one.currency, _ZERO) + one.cash
                if one.kind == "dividend":
                    self.dividends[one.currency] = self.dividends.get(one.currency, _ZERO) + one.cash
                    self._moneys[strategy, one.currency] = (
                        self._moneys.get((strategy, one.currency), _ZERO) + one.cash
                    )  # fmt: skip
                    self.credited.append((strategy, one.cash * self.rates[one.currency]))
                self._flows[strategy] = self._flows.get(strategy, _ZERO) + one.cash * self.rates[one.currency]
                self.account[one.conid] = self.account.get(one.conid, _ZERO) + one.after - one.before
            self.booked += done
            flow = float(self._flows[strategy])
            for conid in dict.fromkeys(one.conid for one in done):
                position = self.holdings[strategy, conid]
                self.steps.append(Step(action.ts_ns, strategy, conid, float(position.quantity), flow))
                changed.append(self._now(strategy, conid, position, self.instruments[conid].currency))

    def post(self, posting: Posting) -> None:
        """Book money that moves without a trade."""
        currency, cash, total = posting.currency, posting.cash, posting.cash + posting.accrued
        money.take(self, posting)
        self.cash[currency] = self.cash.get(currency, _ZERO) + cash
        self.postings.append(posting)
        if posting.kind != money.CONVERSION:
            key = posting.owner, currency
            self._moneys[key] = self._moneys.get(key, _ZERO) + total
        if total:
            in_base = total * self.rates[currency]
            self.credited.append((posting.owner, in_base))
            flow = self._flows[posting.owner] = self._flows.get(posting.owner, _ZERO) + in_base
            self.steps.append(Step(posting.ts_ns, posting.owner, None, 0.0, float(flow)))

    def _revalue(self, action: RateNow) -> None:
        """What was earned and deposited in a currency is worth more or less in base currency from now on."""
        currency, old = action.currency, self.rates[action.currency]
        if action.rate is None or action.rate == old:
            return
        self._count_fees()
        earned: dict[str, Decimal] = {"": self.deposits.get(currency, _ZERO)}
        for (owner, unit), amount in self._moneys.items():
            if unit == currency:
                earned[owner] = earned.get(owner, _ZERO) + amount
        self.rates[currency] = action.rate
        self.rated.append((action.ts_ns, currency, action.rate))
        self.credited += [
            (owner, amount * (action.rate - old)) for owner, amount in earned.items() if amount
        ]  # fmt: skip
        for (owner, conid), held in self.holdings.items():
            if self.instruments[conid].currency == currency:
                earned[owner] = earned.get(owner, _ZERO) + held.realised - held.cost
        for owner, amount in earned.items():
            if amount:
                flow = self._flows[owner] = self._flows.get(owner, _ZERO) + amount * (action.rate - old)
                self.steps.append(Step(action.ts_ns, owner, None, 0.0, float(flow)))

    def _count_fees(self) -> None:
        """Fees of executions, by owner and currency: nobody asks for them while one rate holds, so no fill counts."""
        for entry in self.entries[self._counted :]:
            for _, amount, currency in entry.fill.fees:
                key = entry.strategy, currency
                self._moneys[key] = self._moneys.get(key, _ZERO) - amount
        self._counted = len(self.entries)

    def charge(self, strategy: str, line: str, amount: Decimal, currency: str) -> None:
        """Book a fee that became known after its execution; a rebate is below zero."""
        in_base = amount * self.rates[currency]
        self.fees[line] = self.fees.get(line, _ZERO) + in_base
        self.fees_by_currency[currency] = self.fees_by_currency.get(currency, _ZERO) + amount
        self.cash[currency] = self.cash.get(currency, _ZERO) - amount
        self._flows[strategy] = self._flows.get(strategy, _ZERO) - in_base
        self._moneys[strategy, currency] = self._moneys.get((strategy, currency), _ZERO) - amount

    def deposit(self, currency: str, amount: Decimal) -> None:
        """Money came into the account, or left it (below zero), by no act of ours."""
        self.cash[currency] = self.cash.get(currency, _ZERO) + amount
        self.deposits[currency] = self.deposits.get(currency, _ZERO) + amount

    def take_over(
        self, owner: str, conid: int, quantity: Decimal, cost: Decimal, realised: Decimal = _ZERO
    ) -> PositionNow:
        """Take over units that came into the account by no order of ours: a person's trade, a split, what was there.

        Args:
            quantity: Signed units to add to what the owner holds.
            cost: What they cost in all, signed alike; it counts as a deposit of the instrument, no cash moves. Of a
                future it comes out of cash: it was not paid, and the cash that a venue tells still has it.
            realised: Profit of before that belongs to the position; the deposit is that much smaller.
        """
        held = self.holdings.setdefault((owner, conid), Holdings())
        held.quantity += quantity
        held.cost += cost
        held.realised += realised
        self.account[conid] = self.account.get(conid, _ZERO) + quantity
        instrument = self.instruments[conid]
        currency = instrument.currency
        paid = _ZERO if instrument.sec_type is SecType.FUTURE else cost
        self.cash[currency] = self.cash.get(currency, _ZERO) - cost + paid
        self.deposits[currency] = self.deposits.get(currency, _ZERO) + paid - realised
        return self._now(owner, conid, held, currency)

    def _now(self, strategy: str, conid: int, held: Holdings, currency: str) -> PositionNow:
        return PositionNow(
            strategy, conid, held.quantity, held.cost, held.realised, self.account[conid], self.cash[currency], currency
        )

    def _book_plain(self, strategy: str, fill: Filled) -> PositionNow:
        """What `_book` does, for an execution of one instrument without fees."""
        conid, ts_ns = fill.conid, fill.ts_ns
        instrument = self.instruments[conid]
        units = fill.quantity if fill.side == "BUY" else -fill.quantity
        money = units * fill.price
        if instrument.multiplier is not ONE and instrument.multiplier != 1:
            money *= instrument.multiplier
        held = self.holdings.get((strategy, conid))
        if held is None:
            held = self.holdings[strategy, conid] = Holdings()
        profit = held.trade(units, money)
        currency = instrument.currency
        rate = self.rates[currency]
        cash = self.cash[currency] = self.cash.get(currency, _ZERO) - money
        account = self.account[conid] = self.account.get(conid, _ZERO) + units
        flow = self._flows[strategy] = self._flows.get(strategy, _ZERO) - money * rate
        quantity = held.quantity
        self.steps.append(Step(ts_ns, strategy, conid, float(quantity), float(flow)))
        self.entries.append(FillEntry(fill, strategy, _ZERO + profit * rate, ts_ns))
        return PositionNow(strategy, conid, quantity, held.cost, held.realised, account, cash, currency)

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
