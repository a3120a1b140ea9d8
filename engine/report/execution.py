"""How orders were carried out and what it cost: slippage, turnover, fill ratio, refusals, exposure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np
from attrs import frozen

from engine.domain.instrument import Instrument
from engine.domain.order import State
from engine.report.days import Days, Floats, Ints
from engine.report.figures import Figure, known, unknown
from engine.runtime.outcome import FillRow, OrderRow, Outcome, RefusalRow

_ZERO: Final = Decimal(0)
# States that do not show that an order left us.
_AT_HOME: Final = frozenset({State.CREATED.value, State.REFUSED.value})


@frozen
class Worth:
    """What one unit at price 1 is worth in base currency: multiplier x the price of the instrument's currency."""

    instruments: Mapping[int, Instrument]
    rates: Mapping[str, Decimal]

    @classmethod
    def of(cls, outcome: Outcome) -> Worth:
        """Take the run's instruments and its rates, those of the end where they moved."""
        return cls(outcome.instruments, outcome.rates)

    def unit(self, conid: int) -> Decimal:
        """Money in base currency of one unit of an instrument at price 1."""
        instrument = self.instruments[conid]
        return instrument.multiplier * self.rates[instrument.currency]


def notional(row: FillRow, worth: Worth) -> Decimal:
    """Money that changed hands in a fill: |quantity x price| x multiplier, of a combo the sum over its legs."""
    fill = row.fill
    if fill.legs:
        return sum((abs(leg.quantity * leg.price) * worth.unit(leg.conid) for leg in fill.legs), _ZERO)
    return abs(fill.quantity * fill.price) * worth.unit(fill.conid)


@frozen
class Slippage:
    """Cost against the reference price, above zero where fills were worse; `unpriced` fills had no reference."""

    cost: float
    reference_notional: float
    fills: int
    unpriced: int

    @property
    def figure(self) -> Figure:
        """The cost in money."""
        return known(self.cost) if self.fills else unknown(self._why)

    @property
    def basis_points(self) -> Figure:
        """The cost in 1/10,000 of the reference notional."""
        if not self.fills:
            return unknown(self._why)
        if self.reference_notional <= 0:
            return unknown("the reference prices sum to zero")
        return known(self.cost / self.reference_notional * 10_000)

    @property
    def _why(self) -> str:
        return "no fill has a reference price" if self.unpriced else "there is no fill"


def slippage(fills: Iterable[FillRow], worth: Worth) -> Slippage:
    """Sum (price - reference) x quantity x multiplier over buys and its negative over sells.

    The reference is the mid (or last) when the order was decided, so half the spread, delay and impact are all in it.

    Source: the implementation shortfall of what was executed; Perold, Journal of Portfolio Management 14(3), 1988.
    """
    costs: list[float] = []
    bases: list[float] = []
    unpriced = 0
    for row in fills:
        reference = row.reference
        if reference is None or not math.isfinite(reference):
            unpriced += 1
            continue
        fill = row.fill
        units = float(fill.quantity * worth.unit(fill.conid))
        worse = float(fill.price) - reference
        costs.append((worse if fill.side == "BUY" else -worse) * units)
        bases.append(abs(reference) * units)
    return Slippage(math.fsum(costs), math.fsum(bases), len(costs), unpriced)


def was_sent(row: OrderRow) -> bool:
    """Say whether an order left us for the venue, by its history, or by its end where there is no history."""
    if any(state not in _AT_HOME for _, state, _ in row.history):
        return True
    return row.order.state.value not in _AT_HOME


def fill_ratios(orders: Sequence[OrderRow]) -> dict[str, Figure]:
    """Say how much of what was sent was filled.

    - `fill_ratio`: orders with at least one fill / orders sent to the venue.
    - `quantity_fill_ratio`: quantity filled / quantity ordered over the same orders, at their last full ticket.
    """
    sent = [row.order for row in orders if was_sent(row)]
    if not sent:
        nothing = unknown("no order was sent")
        return {"fill_ratio": nothing, "quantity_fill_ratio": nothing}
    filled = sum((order.filled for order in sent), _ZERO)
    wanted = sum((order.ticket.quantity for order in sent), _ZERO)
    return {
        "fill_ratio": known(sum(1 for order in sent if order.filled) / len(sent)),
        "quantity_fill_ratio": known(float(filled / wanted)),
    }


def order_tally(orders: Sequence[OrderRow]) -> dict[str, int]:
    """Count orders by what became of them; the names are those of the order states, most frequent first."""
    return dict(sorted(Counter(row.order.state.value for row in orders).items(), key=lambda item: (-item[1], item[0])))


def refusals_by_code(refusals: Iterable[RefusalRow]) -> dict[str, int]:
    """Count the gate's refusals by reason code, most frequent first."""
    return _ranked(Counter(row.code for row in refusals))


def venue_refusals_by_code(orders: Iterable[OrderRow], refusals: Iterable[RefusalRow]) -> dict[str, int]:
    """Count the orders that the venue (not our gate) refused, by its code, most frequent first."""
    ours = {row.coid for row in refusals}
    ended = (row.order for row in orders if row.order.state is State.REFUSED and row.order.coid not in ours)
    return _ranked(Counter(order.code or "no code" for order in ended))


def _ranked(tally: Counter[str]) -> dict[str, int]:
    return dict(sorted(tally.items(), key=lambda item: (-item[1], item[0])))


def turnover(traded: Decimal, days: Days, trading_days: int) -> dict[str, Figure]:
    """Say how often the account was turned over.

    - `turnover`: notional of all fills, both sides / mean of the daily closes of equity.
    - `turnover_yearly`: that x trading_days / N days.
    """
    if not len(days):
        nothing = unknown("there is no trading day")
        return {"turnover": nothing, "turnover_yearly": nothing}
    mean = float(days.closes.mean())
    if mean <= 0:
        broke = unknown("mean equity is at or below zero")
        return {"turnover": broke, "turnover_yearly": broke}
    times = float(traded) / mean
    return {"turnover": known(times), "turnover_yearly": known(times * trading_days / len(days))}


def exposure_figures(ts_ns: Ints, exposure: Floats, equity: Floats, day: Ints) -> dict[str, Figure]:
    """Say how much was at risk, and for how long. Each point's state lasts until the next point of the same day.

    - `time_in_market`: time with an open position / all time.
    - `exposure_mean`: time-weighted mean of gross market value / equity.
    - `exposure_max`: largest gross market value / equity at any point.

    Nights count for nothing. Where no day has two points (daily bars), the time from point to point counts instead.

    Args:
        ts_ns: Times, sorted, ns UTC.
        exposure: Gross market value of open positions at each, same length.
        equity: Account value at each, same length.
        day: Index of the trading day of each, same length.
    """
    names = ("time_in_market", "exposure_mean", "exposure_max")
    if not len(ts_ns):
        return dict.fromkeys(names, unknown("there is no equity"))
    share = None if (equity <= 0).any() else exposure / equity
    broke = unknown("equity was at or below zero")
    largest = broke if share is None else known(float(share.max()))
    lasts = np.diff(ts_ns).astype(np.float64)
    within = lasts * (np.diff(day) == 0)
    weight = within if within.sum() > 0 else lasts
    total = float(weight.sum())
    if total <= 0:
        short = unknown("the run has one moment only")
        return {"time_in_market": short, "exposure_mean": short, "exposure_max": largest}
    return {
        "time_in_market": known(float(weight[exposure[:-1] > 0].sum()) / total),
        "exposure_mean": broke if share is None else known(float((weight * share[:-1]).sum()) / total),
        "exposure_max": largest,
    }
