"""What the HTML page's charts draw: thinned columns as plain JSON, bounded whatever the length of the run.

Times are milliseconds UTC as a start and steps, which keeps the page small; values carry seven significant digits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from engine.domain.moments import NS_PER_MINUTE, NS_PER_MS
from engine.report.days import Floats, Ints
from engine.report.drawdowns import underwater
from engine.report.statistics import Statistics, curve_from_deposit
from engine.report.thinning import gaps, spread, thin
from engine.runtime.outcome import IndicatorSeries, OrderRow, Outcome, PriceSeries

LINE_POINTS: Final = 4_000
ALL_POINTS: Final = 26_000  # of all price lines together, and of all indicators together
FILL_MARKS: Final = 6_000
TIMELINE_ORDERS: Final = 2_000
HISTORY_STEPS: Final = 24
PRICE_CHARTS: Final = 24
INDICATOR_LINES: Final = 60
STRATEGY_LINES: Final = 40
_NIGHT_NS: Final = 60 * NS_PER_MINUTE


def chart_data(outcome: Outcome, statistics: Statistics) -> dict[str, Any]:
    """Return everything the page's script draws.

    Keys: `zone`, `breaks` (stretches without data, which the time axis leaves out), `equity`, `drawdown`,
    `strategies`, `prices`, `loose` (indicators of no instrument), `timeline`, `names` (strategies by index).
    """
    names = list(dict.fromkeys([s.name for s in outcome.settings.strategies] + [row.strategy for row in outcome.fills]))
    index = {name: at for at, name in enumerate(names)}
    times, equity = curve_from_deposit(outcome)
    curves = dict(list(outcome.equity.by_strategy.items())[:STRATEGY_LINES])
    per_curve = _share(LINE_POINTS * 3, len(curves))
    return {
        "zone": statistics.zone,
        "currency": outcome.settings.account.base_currency,
        "names": names,
        "breaks": [[start / NS_PER_MS, end / NS_PER_MS] for start, end in gaps(_moments(outcome, times), _NIGHT_NS)],
        "equity": _line(times, equity, LINE_POINTS),
        "drawdown": _line(times, -100.0 * underwater(equity), LINE_POINTS),
        "strategies": [
            {"name": name, **_line(outcome.equity.ts_ns, curve, per_curve)} for name, curve in curves.items()
        ],
        "prices": _prices(outcome, index),
        "loose": [_indicator(line, _share(ALL_POINTS, len(_indicators(outcome)))) for line in loose(outcome)],
        "timeline": _timeline(outcome, index),
    }


def charted(outcome: Outcome) -> list[PriceSeries]:
    """Return the price lines to be drawn: those with most fills first, then by symbol, at most `PRICE_CHARTS`."""
    tally = _fills_by_conid(outcome)
    instruments = outcome.instruments
    ranked = sorted(outcome.prices, key=lambda line: (-tally[line.conid], instruments[line.conid].symbol, line.conid))
    return ranked[:PRICE_CHARTS]


def _fills_by_conid(outcome: Outcome) -> dict[int, int]:
    """Count the marks of each instrument: its own fills and the legs of combos."""
    tally: dict[int, int] = defaultdict(int)
    for row in outcome.fills:
        tally[row.fill.conid] += 1
        for leg in row.fill.legs:
            tally[leg.conid] += 1
    return tally


def loose(outcome: Outcome) -> list[IndicatorSeries]:
    """Return the indicators that belong to no instrument with a price."""
    priced = {line.conid for line in outcome.prices}
    return [line for line in _indicators(outcome) if line.conid not in priced]


def _indicators(outcome: Outcome) -> list[IndicatorSeries]:
    """Return the indicators to be drawn: those of charted instruments and of none, at most `INDICATOR_LINES`."""
    drawn = {line.conid for line in charted(outcome)}
    priced = {line.conid for line in outcome.prices}
    wanted = [line for line in outcome.indicators if line.conid in drawn or line.conid not in priced]
    return wanted[:INDICATOR_LINES]


def _share(total: int, parts: int) -> int:
    """Split a budget of points, never below what shows a shape nor above what a screen can."""
    return max(300, min(LINE_POINTS, total // max(1, parts)))


def _moments(outcome: Outcome, times: Ints) -> Ints:
    """Return the times at which anything is drawn, sorted, so that no chart loses a stretch."""
    columns = [times, *(line.ts_ns for line in outcome.prices)]
    return np.unique(np.concatenate(columns))


def _steps(ts_ns: Ints) -> dict[str, Any]:
    ms = ts_ns // NS_PER_MS
    start = int(ms[0]) if len(ms) else 0
    return {"t0": start, "dt": np.diff(ms, prepend=start).tolist()}


def _digits(values: Floats) -> list[float | None]:
    """Round to seven significant digits; what is not finite becomes None, a hole in the line."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]


def _line(ts_ns: Ints, values: Floats, limit: int) -> dict[str, Any]:
    chosen = thin(values, limit)
    return {**_steps(ts_ns[chosen]), "v": _digits(values[chosen])}


def _indicator(line: IndicatorSeries, limit: int) -> dict[str, Any]:
    return {"name": f"{line.strategy} {line.name}", **_line(line.ts_ns, line.value, limit)}


def _on_price(line: IndicatorSeries, price: Floats) -> bool:
    """Say whether an indicator lives on the price's scale, so that it may lie over the price."""
    values = line.value[np.isfinite(line.value)]
    seen = price[np.isfinite(price)]
    if not len(values) or not len(seen):
        return False
    low, high = float(seen.min()), float(seen.max())
    room = max(high - low, abs(high) * 0.01)
    middle = float(np.median(values))
    return low - room <= middle <= high + room


def _prices(outcome: Outcome, index: dict[str, int]) -> list[dict[str, Any]]:
    lines = charted(outcome)
    indicators = _indicators(outcome)
    limit = _share(ALL_POINTS, len(lines))
    indicator_limit = _share(ALL_POINTS, len(indicators))
    tally = _fills_by_conid(outcome)
    marks = fair_share((tally[line.conid] for line in lines), FILL_MARKS)
    made = []
    for line in lines:
        mine = [other for other in indicators if other.conid == line.conid]
        over = [_on_price(other, line.price) for other in mine]
        made.append(
            {
                "symbol": outcome.instruments[line.conid].symbol,
                "conid": line.conid,
                **_line(line.ts_ns, line.price, limit),
                "over": [_indicator(o, indicator_limit) for o, on in zip(mine, over, strict=True) if on],
                "below": [_indicator(o, indicator_limit) for o, on in zip(mine, over, strict=True) if not on],
                "fills": _marks(outcome, line.conid, marks, index),
            }
        )
    return made


def fair_share(counts: Iterable[int], total: int) -> int:
    """Find the most that each may have so that all together have at most `total`; who has fewer keeps all of his."""
    left, waiting = total, sorted(counts)
    for place, count in enumerate(waiting):
        share = left // (len(waiting) - place)
        if count > share:
            return share
        left -= count
    return total


def _marks(outcome: Outcome, conid: int, limit: int, index: dict[str, int]) -> dict[str, Any]:
    """Return an instrument's fills as columns, a combo's legs among them; evenly thinned when there are many."""
    found: list[tuple[int, float, float, int, str, float]] = []
    for row in outcome.fills:
        fill = row.fill
        if fill.conid == conid:
            signed = float(fill.quantity) if fill.side == "BUY" else -float(fill.quantity)
            found.append((fill.ts_ns, float(fill.price), signed, index[row.strategy], fill.coid, float(row.realised)))
        for leg in fill.legs:
            if leg.conid == conid:
                found.append((fill.ts_ns, float(leg.price), float(leg.quantity), index[row.strategy], fill.coid, 0.0))
    chosen = [found[at] for at in spread(len(found), limit).tolist()]
    columns: list[tuple[Any, ...]] = list(zip(*chosen, strict=True)) if chosen else [()] * 6
    return {
        **_steps(np.array(columns[0], np.int64)),
        "price": list(columns[1]),
        "size": list(columns[2]),
        "who": list(columns[3]),
        "coid": list(columns[4]),
        "realised": [round(value, 2) for value in columns[5]],
        "of": len(found),
    }


def _timeline(outcome: Outcome, index: dict[str, int]) -> dict[str, Any]:
    """Return orders with the states they went through; evenly thinned when there are many."""
    chosen = [outcome.orders[at] for at in spread(len(outcome.orders), TIMELINE_ORDERS).tolist()]
    states: dict[str, int] = {}
    lives = [_life(row, outcome, index, states) for row in chosen]
    return {"of": len(outcome.orders), "states": list(states), "orders": lives}


def _life(row: OrderRow, outcome: Outcome, index: dict[str, int], states: dict[str, int]) -> dict[str, Any]:
    """Describe one order; `states` numbers the names of states as they first occur."""
    order = row.order
    ticket = order.ticket
    history = row.history or (
        (order.created_ns, "created", ""),
        (order.updated_ns, order.state.value, order.reason),
    )
    kept = [history[at] for at in spread(len(history), HISTORY_STEPS).tolist()]
    start = kept[0][0] // NS_PER_MS
    symbol = outcome.instruments[ticket.conid].symbol
    prices = [f"{price}" for price in (ticket.limit_price, ticket.stop_price) if price is not None]
    words = (ticket.side.value, f"{ticket.quantity}", symbol, ticket.order_type.value, *prices, ticket.tif.value)
    return {
        "coid": ticket.coid,
        "who": index.get(ticket.strategy, -1),
        "what": " ".join(words),
        "t": start,
        "at": [ts_ns // NS_PER_MS - start for ts_ns, _, _ in kept],
        "state": [states.setdefault(state, len(states)) for _, state, _ in kept],
        "said": [said[:80] for _, _, said in kept],
        "end": states.setdefault(order.state.value, len(states)),
        "why": order.reason[:120],
        "steps": len(history),
    }


__all__ = ["FILL_MARKS", "TIMELINE_ORDERS", "chart_data", "charted", "loose"]
