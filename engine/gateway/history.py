"""Bars of the past, made of the market's own rows.

A day's minute bars are kept once the day is over; longer bars are joined of them. Bars begin at multiples of their
length after New York's midnight, but never before the session they belong to; days, weeks and months begin with their
first session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE
from engine.domain.sessions import Sessions
from engine.gateway.hours import day_of, day_start_ns
from engine.gateway.market import MarketFeed
from engine.gateway.quoting import Block
from engine.gateway.records import Contract, HistoryBar

_WEEK_NS: Final = 7 * NS_PER_DAY
_MONTH_NS: Final = 28 * NS_PER_DAY
_COLUMNS: Final = ("start", "open", "high", "low", "close", "volume")
_EMPTY: Final[Block] = {name: np.empty(0, np.int64 if name == "start" else np.float64) for name in _COLUMNS}
_DAYS_KEPT: Final = 256


class History:
    """Bars by contract, length and source ("Last", "Midpoint" or "Bid_Ask")."""

    def __init__(
        self, market: MarketFeed, contracts: Mapping[int, Contract], sessions: Callable[[int], Sessions]
    ) -> None:
        self._market = market
        self._contracts = contracts
        self._sessions = sessions
        self._days: dict[tuple[int, date, str], Block] = {}

    def roll(self) -> None:
        """A new day begins; of old ones no more are kept than fit."""
        for old in list(self._days)[:-_DAYS_KEPT]:
            del self._days[old]

    def bars(
        self, conid: int, start_ns: int, end_ns: int, length_ns: int, *, source: str, outside_rth: bool
    ) -> list[HistoryBar]:
        """Past bars that start in [start, end); of what has not ended yet, the part up to `end_ns`.

        Raises: ValueError for a length that is not above zero, or a source that there is not.
        """
        if length_ns <= 0 or source not in _PRICES:
            raise ValueError(f"there are no bars of {length_ns} ns made of {source!r}")
        contract = self._contracts.get(conid)
        if contract is None or contract.instrument.legs:
            return []
        sessions = self._sessions(conid)
        outside = contract.instrument.outside_hours if outside_rth and length_ns < NS_PER_DAY else (0, 0)
        averages = source == "Bid_Ask"
        first = day_of(max(start_ns, self._market.begins_ns))
        if length_ns >= NS_PER_DAY:
            first -= timedelta(days=31 if length_ns >= _MONTH_NS else 7 if length_ns >= _WEEK_NS else 1)
        found: list[HistoryBar] = []
        groups: dict[Any, list[Block]] = {}
        day = first
        while day_start_ns(day) < end_ns:
            for opens, closes in _open_times(sessions, day, outside):
                fine = self._fine(conid, day, source, min(length_ns, NS_PER_MINUTE), end_ns)
                inside = _between(fine, opens, min(closes, end_ns))
                if length_ns >= NS_PER_DAY:
                    groups.setdefault(_group(day, length_ns), []).append(_session_start(inside, opens))
                else:
                    found += _joined(inside, length_ns, day_start_ns(day), opens, averages=averages)
            day += timedelta(days=1)
        for blocks in groups.values():
            whole = {name: np.concatenate([block[name] for block in blocks]) for name in _COLUMNS}
            if len(whole["start"]):
                found.append(_bar(whole, 0, len(whole["start"]), int(whole["start"][0]), averages=averages))
        return [bar for bar in found if start_ns <= bar.start_ns < end_ns]

    def _fine(self, conid: int, day: date, source: str, length_ns: int, end_ns: int) -> Block:
        """A day's bars of a minute at most, up to `end_ns`; those of whole days are kept."""
        start, after = day_start_ns(day), day_start_ns(day + timedelta(days=1))
        whole = end_ns >= after and length_ns == NS_PER_MINUTE
        key = (conid, day, source)
        if whole and key in self._days:
            return self._days[key]
        quotes, trades, bars = self._market.ticks(conid, start, min(after, end_ns))
        made = _PRICES[source](quotes, trades, bars, start, length_ns)
        if whole:
            self._days[key] = made
        return made


def _open_times(sessions: Sessions, day: date, outside: tuple[int, int]) -> list[tuple[int, int]]:
    """The stretches of a New York day in which bars are made."""
    start, after = day_start_ns(day), day_start_ns(day + timedelta(days=1))
    if sessions.always:
        return [(start, after)]
    found = []
    before, behind = outside[0] * NS_PER_MINUTE, outside[1] * NS_PER_MINUTE
    for opens, closes in zip(sessions.opens_ns, sessions.closes_ns, strict=True):
        low, high = max(start, opens - before), min(after, closes + behind)
        if low < high:
            found.append((low, high))
    return found


def _group(day: date, length_ns: int) -> Any:
    """Days that share a bar of a day or more."""
    if length_ns >= _MONTH_NS:
        return day.year, day.month
    if length_ns >= _WEEK_NS:
        return day.isocalendar()[:2]
    return day.toordinal() // max(1, length_ns // NS_PER_DAY)


def _session_start(block: Block, opens: int) -> Block:
    """Let a session's bars begin with it, even where nothing was traded at once."""
    if not len(block["start"]):
        return block
    return {**block, "start": np.concatenate((np.array([opens]), block["start"][1:]))}


def _between(block: Block, start_ns: int, end_ns: int) -> Block:
    low, high = (int(block["start"].searchsorted(ts_ns)) for ts_ns in (start_ns, end_ns))
    return {name: column[low:high] for name, column in block.items()}


def _joined(block: Block, length_ns: int, midnight: int, opens: int, *, averages: bool) -> list[HistoryBar]:
    """Fine bars as bars of a length, each beginning at a multiple of it or with the session."""
    if not len(block["start"]):
        return []
    bucket = (block["start"] - midnight) // length_ns
    edges = [0, *(np.flatnonzero(np.diff(bucket)) + 1).tolist(), len(bucket)]
    return [
        _bar(block, low, high, max(opens, midnight + int(bucket[low]) * length_ns), averages=averages)
        for low, high in pairwise(edges)
    ]


def _bar(block: Block, low: int, high: int, start_ns: int, *, averages: bool) -> HistoryBar:
    opened, close = float(block["open"][low]), float(block["close"][high - 1])
    volume = float(block["volume"][low:high].sum())
    if averages:
        weights = block["volume"][low:high]
        opened = float((block["open"][low:high] * weights).sum() / volume)
        close = float((block["close"][low:high] * weights).sum() / volume)
        volume = 0.0
    return HistoryBar(
        start_ns=start_ns,
        open=opened,
        high=float(block["high"][low:high].max()),
        low=float(block["low"][low:high].min()),
        close=close,
        volume=volume,
    )


# Fine bars of rows


def _last(quotes: Block, trades: Block, bars: Block, start_ns: int, length_ns: int) -> Block:
    """Of trades; of recorded bars where there are none."""
    del quotes
    if not len(trades["ts_ns"]) and len(bars["ts_ns"]):
        return _recorded(bars)
    price = trades["price"]
    return _folded(trades["ts_ns"], (price, price, price, price), trades["size"], start_ns, length_ns)


def _midpoint(quotes: Block, trades: Block, bars: Block, start_ns: int, length_ns: int) -> Block:
    """Of the middles of quotes, without a volume."""
    del trades
    if not len(quotes["ts_ns"]) and len(bars["ts_ns"]):
        block = _recorded(bars)
        return {**block, "volume": np.zeros(len(block["start"]))}
    middle = (quotes["bid"] + quotes["ask"]) * 0.5
    known = middle == middle
    middle = middle[known]
    nothing = np.zeros(len(middle))
    return _folded(quotes["ts_ns"][known], (middle, middle, middle, middle), nothing, start_ns, length_ns)


def _bid_ask(quotes: Block, trades: Block, bars: Block, start_ns: int, length_ns: int) -> Block:
    """Open is the average bid, close the average ask, high the highest ask, low the lowest bid."""
    del trades, bars
    known = (quotes["bid"] == quotes["bid"]) & (quotes["ask"] == quotes["ask"])
    times, bid, ask = quotes["ts_ns"][known], quotes["bid"][known], quotes["ask"][known]
    starts, edges = _edges(times, start_ns, length_ns)
    if not len(starts):
        return dict(_EMPTY)
    counts = np.diff(np.append(edges, len(times)))
    return {
        "start": starts,
        "open": np.add.reduceat(bid, edges) / counts,
        "high": np.maximum.reduceat(ask, edges),
        "low": np.minimum.reduceat(bid, edges),
        "close": np.add.reduceat(ask, edges) / counts,
        "volume": counts.astype(np.float64),  # the weight of the averages, until bars are joined
    }


def _recorded(bars: Block) -> Block:
    """Recorded bars, whose time is their end, by their beginning."""
    names = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume"}
    return {"start": bars["ts_ns"] - bars["span_ns"], **{name: bars[column] for name, column in names.items()}}


def _edges(times: NDArray[np.int64], start_ns: int, length_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts of the buckets that times fall in, and where each begins among them."""
    if not len(times):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bucket = (times - start_ns) // length_ns
    edges = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(np.diff(bucket)) + 1))
    return start_ns + bucket[edges] * length_ns, edges


def _folded(
    times: NDArray[np.int64],
    prices: tuple[NDArray[np.float64], ...],
    sizes: NDArray[np.float64],
    start_ns: int,
    length_ns: int,
) -> Block:
    starts, edges = _edges(times, start_ns, length_ns)
    if not len(starts):
        return dict(_EMPTY)
    last = np.append(edges[1:], len(times)) - 1
    return {
        "start": starts,
        "open": prices[0][edges],
        "high": np.maximum.reduceat(prices[1], edges),
        "low": np.minimum.reduceat(prices[2], edges),
        "close": prices[3][last],
        "volume": np.add.reduceat(np.nan_to_num(sizes), edges),
    }


_PRICES: Final[Mapping[str, Callable[[Block, Block, Block, int, int], Block]]] = {
    "Last": _last,
    "Midpoint": _midpoint,
    "Bid_Ask": _bid_ask,
}
