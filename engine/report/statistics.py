"""Every figure of a run, worked out once from its outcome; the files, the terminal page and the HTML page show these.

`docs/results.md` says formula and convention of each. What can't be computed is None, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from attrs import frozen

from engine.report import ratios
from engine.report.breakdown import Parts, by_instrument, by_strategy
from engine.report.days import NEW_YORK, Days, Floats, Ints, MonthRow, day_of_each, monthly_table, trading_days
from engine.report.drawdowns import Drawdown, drawdowns, max_drawdown, worst
from engine.report.execution import (
    Worth,
    exposure_figures,
    fill_ratios,
    order_tally,
    refusals_by_code,
    slippage,
    turnover,
    venue_refusals_by_code,
)
from engine.report.figures import Figure, known, unknown
from engine.report.trips import Trip, round_trips, trip_figures
from engine.runtime.outcome import Outcome

_ZERO: Final = Decimal(0)


@frozen
class DayResult:
    """One trading day: its date as ISO text, the change in equity, and the return (None: no equity to divide by)."""

    date: str
    pnl: float
    change: float | None


@frozen(kw_only=True)
class Statistics:
    """All figures of a run. `figures` holds the single numbers by name; `notes` what a reader must know of them."""

    zone: str
    figures: Mapping[str, Figure]
    days: Days
    best_day: DayResult | None
    worst_day: DayResult | None
    months: tuple[MonthRow, ...]
    worst_drawdowns: tuple[Drawdown, ...]
    trips: tuple[Trip, ...]
    open_trips: int
    orders_by_state: Mapping[str, int]
    refusals: Mapping[str, int]
    venue_refusals: Mapping[str, int]
    by_strategy: Mapping[str, Mapping[str, Any]]
    by_instrument: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def curve_from_deposit(outcome: Outcome) -> tuple[Ints, Floats]:
    """Return times and values of equity with the deposit put in front, at the start of the run."""
    curve = outcome.equity
    start = min(outcome.start_ns, int(curve.ts_ns[0])) if len(curve.ts_ns) else outcome.start_ns
    times = np.concatenate([np.array([start], np.int64), curve.ts_ns])
    return times, np.concatenate([[float(outcome.deposit)], curve.equity])


def work_out(outcome: Outcome, zone: str = NEW_YORK) -> Statistics:
    """Work out every figure of a run.

    Args:
        zone: Time zone whose dates are the trading days.
    """
    conventions = outcome.settings.report
    curve = outcome.equity
    days = trading_days(curve.ts_ns, curve.equity, float(outcome.deposit), zone)
    times, equity = curve_from_deposit(outcome)
    worth = Worth.of(outcome)
    trips, open_trips = round_trips(outcome.fills, worth.rates, outcome.booked)
    parts = Parts.of(outcome, trips)
    traded = sum((part.traded for part in parts.by_strategy.values()), _ZERO)
    costs = slippage(outcome.fills, worth)
    best, least = _extreme_days(days)
    return Statistics(
        zone=zone,
        figures={
            **_return_figures(days, equity, conventions.trading_days, conventions.risk_free_rate),
            **trip_figures(trips),
            **exposure_figures(curve.ts_ns, curve.exposure, curve.equity, day_of_each(curve.ts_ns, zone)[1]),
            "traded": known(round(float(traded), 2)),
            **turnover(traded, days, conventions.trading_days),
            "slippage": costs.figure,
            "slippage_bp": costs.basis_points,
            **fill_ratios(outcome.orders),
            "fees_bp": known(float(outcome.fees / traded) * 10_000) if traded else unknown("there is no fill"),
        },
        days=days,
        best_day=best,
        worst_day=least,
        months=monthly_table(days),
        worst_drawdowns=worst(drawdowns(times, equity)) if outcome.deposit > 0 else (),
        trips=trips,
        open_trips=open_trips,
        orders_by_state=order_tally(outcome.orders),
        refusals=refusals_by_code(outcome.refusals),
        venue_refusals=venue_refusals_by_code(outcome.orders, outcome.refusals),
        by_strategy=by_strategy(outcome, parts),
        by_instrument=by_instrument(outcome, parts),
        notes=_notes(outcome, days, costs.unpriced),
    )


def _return_figures(days: Days, equity: Floats, year: int, risk_free_rate: float) -> dict[str, Figure]:
    growth = ratios.cagr(days, year)
    daily = max_drawdown(np.concatenate([[days.opening], days.closes]))
    return {
        "total_return": ratios.total_return(days),
        "cagr": growth,
        "volatility": ratios.volatility(days, year),
        "sharpe": ratios.sharpe(days, year, risk_free_rate),
        "sortino": ratios.sortino(days, year, risk_free_rate),
        "calmar": ratios.calmar(growth, daily),
        "max_drawdown": max_drawdown(equity),
        "max_drawdown_daily": daily,
    }


def _extreme_days(days: Days) -> tuple[DayResult | None, DayResult | None]:
    """Return the day that earned most and the one that earned least, in money; of equal ones the earlier."""
    if not len(days):
        return None, None
    profits = days.profits
    returns = days.returns

    def result(at: int) -> DayResult:
        change = None if returns is None else float(returns[at])
        return DayResult(days.dates[at].isoformat(), float(profits[at]), change)

    return result(int(np.argmax(profits))), result(int(np.argmin(profits)))


def _notes(outcome: Outcome, days: Days, unpriced: int) -> tuple[str, ...]:
    """Say what a reader must know before trusting the figures."""
    notes = []
    if 2 <= len(days) < 60:
        notes.append(f"CAGR and the ratios are yearly figures from {len(days)} trading days: read them with care.")
    if unpriced:
        notes.append(f"{unpriced:,} of {len(outcome.fills):,} fills have no reference price and are not in slippage.")
    notes += _unseen(outcome)
    splits = {(one.ts_ns, one.conid) for one in outcome.booked if one.kind == "split"}
    if splits:
        count = f"{len(splits)} split{'' if len(splits) == 1 else 's'}"
        notes.append(f"{count} converted positions: fills, orders and charts before are in the units of their day.")
    foreign = _foreign(outcome)
    if foreign and outcome.rated:
        rates = ", ".join(f"{unit} at {outcome.rates[unit].normalize():f}" for unit in foreign)
        notes.append(f"Rates moved: equity counts each moment at its own, sums of the run at the last one: {rates}.")
    elif foreign:
        rates = ", ".join(f"{unit} at {outcome.rates[unit]}" for unit in foreign)
        notes.append(f"Other currencies are counted at one fixed rate for the whole run: {rates}.")
    return tuple(notes)


def _unseen(outcome: Outcome) -> list[str]:
    """Say what the end of the data left open."""
    counts = outcome.counts
    ended = [
        (counts.get("expired_past_data", 0), "expired at the close without the data to be filled by"),
        (counts.get("auctions_past_data", 0), "for the close cancelled for want of a closing print"),
    ]
    found = [f"{count:,} order{'' if count == 1 else 's'} {what}" for count, what in ended if count]
    timers = counts.get("timers_past_data", 0)
    if timers:
        found.append(f"{timers:,} calendar event{'' if timers == 1 else 's'} of that session never came")
    notes = [f"The recording ended before the close: {'; '.join(found)}."] if found else []
    still = counts.get("open_at_end", 0)
    if still:
        notes.append(f"{still:,} order{' was' if still == 1 else 's were'} still open when the recording ended.")
    return notes


def _foreign(outcome: Outcome) -> Sequence[str]:
    units = {outcome.instruments[row.fill.conid].currency for row in outcome.fills}
    units |= {unit for row in outcome.fills for _, _, unit in row.fill.fees}
    units |= {one.currency for one in outcome.booked}
    return sorted(units - {outcome.settings.account.base_currency})
