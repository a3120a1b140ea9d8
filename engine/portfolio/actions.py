"""Corporate actions on positions, exact in `Decimal`.

A dividend is money for what is held; a split changes units and leaves the total cost as it is; a merger, a spin-off, an
exercise or an assignment carries cost from one instrument to another; an expiry closes. A fraction of a unit that is
left is paid out at the last known price, as brokers do, and closes its part of the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final, assert_never

from engine.domain.actions import (
    Booked,
    DividendDue,
    DividendNow,
    ExerciseNow,
    ExpiryNow,
    MergerNow,
    OnHolders,
    SpinOffNow,
    SplitNow,
)
from engine.domain.instrument import Instrument

if TYPE_CHECKING:
    from engine.portfolio.books import Holdings

_ZERO: Final = Decimal(0)
_GRAIN: Final = Decimal("1e-8")


def book(
    action: OnHolders, strategy: str, held: Holdings, other: Holdings | None, instruments: Mapping[int, Instrument]
) -> list[Booked]:
    """Change one strategy's positions by an action; return what was done, nothing where nothing was held.

    Args:
        other: The strategy's position in the instrument that the action names besides (`into`, `underlying`).
    """
    if not held.quantity:
        return []
    match action:
        case DividendNow():
            return [_dividend(action, strategy, held.quantity, instruments[action.conid])]
        case DividendDue():
            return []  # owed first: `money` posts it
        case SplitNow():
            return _split(action, strategy, held, instruments[action.conid])
        case MergerNow():
            return _merger(action, strategy, held, other, instruments)
        case SpinOffNow():
            assert other is not None
            return _spin_off(action, strategy, held, other, instruments)
        case ExpiryNow():
            return _expiry(action, strategy, held, instruments[action.conid])
        case ExerciseNow():
            assert other is not None
            return _exercise(action, strategy, held, other, instruments)
        case _:
            assert_never(action)


def other_of(action: OnHolders) -> int | None:
    """The second instrument that an action touches."""
    match action:
        case MergerNow(into=conid) | SpinOffNow(into=conid) | ExerciseNow(underlying=conid):
            return conid
        case _:
            return None


def dividend_cash(action: DividendNow | DividendDue, quantity: Decimal, instrument: Instrument) -> Decimal:
    """Money that a position receives, below zero where it pays."""
    cash = quantity * instrument.multiplier * action.amount
    if action.new != action.old:
        cash = (cash * action.old / action.new).quantize(_GRAIN, ROUND_HALF_EVEN)
    return cash


def _dividend(action: DividendNow, strategy: str, quantity: Decimal, instrument: Instrument) -> Booked:
    cash = dividend_cash(action, quantity, instrument)
    return Booked(action.ts_ns, strategy, action.conid, "dividend", quantity, quantity, cash, action.currency)


def _units(before: Decimal, new: Decimal, old: Decimal, increment: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """New units, all parts, and the parts that make no unit: in parts of which `old` make a new unit, so that no
    division comes before the rounding."""
    total = before * new
    steps, rest = divmod(total, old * increment)
    return steps * increment, total, rest


def _split(action: SplitNow, strategy: str, held: Holdings, instrument: Instrument) -> list[Booked]:
    before, currency = held.quantity, instrument.currency
    held.quantity, total, rest = _units(before, action.new, action.old, instrument.size_increment)
    done = [Booked(action.ts_ns, strategy, action.conid, "split", before, held.quantity, _ZERO, currency)]
    if rest:
        out = held.cost if not held.quantity else (held.cost * rest / total).quantize(_GRAIN, ROUND_HALF_EVEN)
        cash = out
        if action.price is not None:
            cash = (rest * action.price * instrument.multiplier / action.new).quantize(_GRAIN, ROUND_HALF_EVEN)
        held.cost -= out
        held.realised += cash - out
        after = held.quantity
        lieu = Booked(action.ts_ns, strategy, action.conid, "cash in lieu", after, after, cash, currency, cash - out)
        done.append(lieu)
    return done


def _merger(
    action: MergerNow, strategy: str, held: Holdings, other: Holdings | None, instruments: Mapping[int, Instrument]
) -> list[Booked]:
    instrument = instruments[action.conid]
    before, cost = held.quantity, held.cost
    cash = (before * action.cash * instrument.multiplier).quantize(_GRAIN, ROUND_HALF_EVEN)
    out = cost
    if action.into is not None:
        out = _cash_part(action, cost, cash, instrument, instruments[action.into])
    held.quantity = held.cost = _ZERO
    held.realised += cash - out
    done = [
        Booked(
            action.ts_ns, strategy, action.conid, "merger", before, _ZERO, cash, instrument.currency, cash - out
        )
    ]  # fmt: skip
    if action.into is not None:
        assert other is not None
        done += _receive(action, "merger", strategy, before, cost - out, other, instruments[action.into])
    return done


def _cash_part(
    action: MergerNow, cost: Decimal, cash: Decimal, instrument: Instrument, into: Instrument
) -> Decimal:  # fmt: skip
    """The cost that goes with the cash of a mixed merger: by value; without a price what the cash can pay for."""
    if not cash:
        return _ZERO
    if action.price is None:
        return cash if abs(cash) < abs(cost) and cash * cost > 0 else cost
    paid = action.cash * instrument.multiplier * action.old
    shares = action.price * into.multiplier * action.new
    return (cost * paid / (paid + shares)).quantize(_GRAIN, ROUND_HALF_EVEN)


def _spin_off(
    action: SpinOffNow, strategy: str, held: Holdings, other: Holdings, instruments: Mapping[int, Instrument]
) -> list[Booked]:
    moved = (held.cost * action.cost_share).quantize(_GRAIN, ROUND_HALF_EVEN)
    held.cost -= moved
    unchanged = held.quantity
    currency = instruments[action.conid].currency
    done = [Booked(action.ts_ns, strategy, action.conid, "spin-off", unchanged, unchanged, _ZERO, currency)]
    return done + _receive(action, "spin-off", strategy, unchanged, moved, other, instruments[action.into])


def _receive(
    action: MergerNow | SpinOffNow, kind: str, strategy: str, old_units: Decimal, cost: Decimal, other: Holdings,
    into: Instrument,
) -> list[Booked]:  # fmt: skip
    """Units of another instrument come in with a cost; what makes no unit is paid out."""
    assert action.into is not None
    units, total, rest = _units(old_units, action.new, action.old, into.size_increment)
    out = cash = _ZERO
    if rest:
        out = cost if not units else (cost * rest / total).quantize(_GRAIN, ROUND_HALF_EVEN)
        cash = out
        if action.price is not None:
            cash = (rest * action.price * into.multiplier / action.old).quantize(_GRAIN, ROUND_HALF_EVEN)
    before = other.quantity
    gain = _ZERO
    if units:
        gain = other.trade(units, cost - out)
    elif not rest:
        raise AssertionError("an action without units")  # new is above zero
    after, currency = other.quantity, into.currency
    done = [Booked(action.ts_ns, strategy, action.into, kind, before, after, _ZERO, currency, gain)]
    if rest:
        other.realised += cash - out
        done.append(Booked(
            action.ts_ns, strategy, action.into, "cash in lieu", after, after, cash, currency, cash - out
        ))  # fmt: skip
    return done


def _expiry(action: ExpiryNow, strategy: str, held: Holdings, instrument: Instrument) -> list[Booked]:
    before = held.quantity
    cash = before * action.price * instrument.multiplier
    profit = held.trade(-before, -cash)
    currency = instrument.currency
    return [Booked(action.ts_ns, strategy, action.conid, "expiry", before, _ZERO, cash, currency, profit)]


def units_each(option: Instrument, under: Instrument) -> Decimal:
    """Units of the underlying that one option becomes: 100 shares of 100, one future of 50 times the index of 50."""
    return option.multiplier / under.multiplier


def _exercise(
    action: ExerciseNow, strategy: str, held: Holdings, other: Holdings, instruments: Mapping[int, Instrument]
) -> list[Booked]:
    option, under = instruments[action.conid], instruments[action.underlying]
    options = held.quantity
    if action.holders not in ("all", "long" if options > 0 else "short"):
        return []
    kind = "exercise" if options > 0 else "assignment"
    units = options * units_each(option, under) * (1 if action.right == "C" else -1)
    paid = units * action.strike * under.multiplier
    before = other.quantity
    # The premium goes into what the underlying costs: it is realised with it, not before.
    profit = other.trade(units, paid + held.cost)
    held.quantity = held.cost = _ZERO
    after, currency = other.quantity, under.currency
    return [
        Booked(action.ts_ns, strategy, action.conid, kind, options, _ZERO, _ZERO, option.currency),
        Booked(action.ts_ns, strategy, action.underlying, kind, before, after, -paid, currency, profit),
    ]
