"""Dividends and splits on positions, exact in `Decimal`.

A dividend is money for what is held; a split changes units and leaves the total cost as it is. A fraction of a unit
that a split leaves is paid out at the last known price, as brokers do, and closes its part of the cost.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from engine.domain.actions import Action, Booked, DividendNow, SplitNow
from engine.domain.instrument import Instrument

if TYPE_CHECKING:
    from engine.portfolio.books import Holdings

_ZERO: Final = Decimal(0)
_GRAIN: Final = Decimal("1e-8")


def book(action: Action, strategy: str, held: Holdings, instrument: Instrument) -> list[Booked]:
    """Change one strategy's position by an action; return what was done, nothing where nothing was held."""
    if not held.quantity:
        return []
    if isinstance(action, DividendNow):
        return [_dividend(action, strategy, held.quantity, instrument)]
    return _split(action, strategy, held, instrument)


def _dividend(action: DividendNow, strategy: str, quantity: Decimal, instrument: Instrument) -> Booked:
    cash = quantity * instrument.multiplier * action.amount
    if action.new != action.old:
        cash = (cash * action.old / action.new).quantize(_GRAIN, ROUND_HALF_EVEN)
    return Booked(action.ts_ns, strategy, action.conid, "dividend", quantity, quantity, cash, action.currency)


def _split(action: SplitNow, strategy: str, held: Holdings, instrument: Instrument) -> list[Booked]:
    before, currency = held.quantity, instrument.currency
    total = before * action.new  # in parts of which `old` make a unit: so no division comes before the rounding
    steps, rest = divmod(total, action.old * instrument.size_increment)
    held.quantity = steps * instrument.size_increment
    done = [Booked(action.ts_ns, strategy, action.conid, "split", before, held.quantity, _ZERO, currency)]
    if rest:
        out = held.cost if not steps else (held.cost * rest / total).quantize(_GRAIN, ROUND_HALF_EVEN)
        cash = out
        if action.price is not None:
            cash = (rest * action.price * instrument.multiplier / action.new).quantize(_GRAIN, ROUND_HALF_EVEN)
        held.cost -= out
        held.realised += cash - out
        after = held.quantity
        lieu = Booked(action.ts_ns, strategy, action.conid, "cash in lieu", after, after, cash, currency, cash - out)
        done.append(lieu)
    return done
