"""The national best bid and offer, made of quotes by exchange: plain arrays in and out.

Each exchange's last quote of a side stands until it is replaced; a price of 0 or NaN says nothing of that side, a size
of 0 takes the quote away. The best bid is the highest of the standing bids, its size the sum over the exchanges that
show it; the best offer likewise. At each local midnight all quotes are forgotten: what an exchange left standing in the
evening is no offer in the morning.

Some files look the same and are not: each update of a consolidated feed as a pair of rows, best bid then best ask, each
with the letter of the exchange that shows it. There an exchange that is overtaken says nothing more, and its last quote
must not stand: on two days of IBM nine results in ten would be crossed. `comes_in_pairs` tells such a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_PAIR_ROWS_MIN = 100
_STEP_ROWS = 16_384  # rows a time, so that the table of rows by exchange stays small


@define(eq=False, slots=True)
class _Side:
    """One side's standing quotes, an entry an exchange; `sign` is 1 where the highest price is best, else -1."""

    sign: float
    price: Floats = field(factory=lambda: np.empty(0))
    size: Floats = field(factory=lambda: np.empty(0))

    def grow(self, count: int) -> None:
        more = count - len(self.price)
        if more > 0:
            self.price = np.concatenate([self.price, np.full(more, -np.inf)])
            self.size = np.concatenate([self.size, np.zeros(more)])

    def forget(self) -> None:
        self.price = np.full(len(self.price), -np.inf)
        self.size = np.zeros(len(self.size))

    def best(self, exchange: NDArray[np.int64], price: Floats, size: Floats) -> tuple[Floats, Floats]:
        """Best price (NaN for none) and size after each row; keeps what stands after the last."""
        rows, count = len(exchange), len(self.price)
        speaks = price > 0  # NaN does not
        # For each row and exchange the newest row in which it spoke; 0 stands for what it said before these rows.
        said = np.zeros((rows + 1, count), np.int64)
        at = np.flatnonzero(speaks)
        said[at + 1, exchange[at]] = at + 1
        np.maximum.accumulate(said, axis=0, out=said)
        said = said[1:]
        withdrawn = size == 0
        prices = np.concatenate([[0.0], np.where(withdrawn, -np.inf, self.sign * price)])
        sizes = np.concatenate([[0.0], np.where(np.isnan(size), 0.0, size)])
        standing = np.where(said > 0, prices[said], self.price)
        shown = np.where(said > 0, sizes[said], self.size)
        best = standing.max(axis=1)
        total = np.where(standing == best[:, None], shown, 0.0).sum(axis=1)
        self.price, self.size = standing[-1].copy(), shown[-1].copy()
        nothing = best == -np.inf
        return np.where(nothing, np.nan, self.sign * best), np.where(nothing, np.nan, total)


def comes_in_pairs(
    ts_ns: NDArray[np.int64], exchange: NDArray[np.object_], has_bid: NDArray[np.bool_], has_ask: NDArray[np.bool_]
) -> bool:
    """Say whether rows are pairs of best bid and best ask at one time, a good part of them from two exchanges.

    An exchange's own quote split in two has one letter; a hundred rows at least, since a few may pair by chance.
    """
    if len(ts_ns) < _PAIR_ROWS_MIN:
        return False
    first = (ts_ns[1:] == ts_ns[:-1]) & has_bid[:-1] & ~has_ask[:-1] & has_ask[1:] & ~has_bid[1:]
    pairs = int(first.sum())
    of_two = int((first & (exchange[1:] != exchange[:-1])).sum())
    return 2 * pairs >= 0.95 * len(ts_ns) and of_two >= 0.1 * pairs


@define(eq=False, slots=True)
class PairedBest:
    """Folds rows of best bids and best asks in pairs: the newest of each side, said when the pair is whole."""

    locked: int = 0
    crossed: int = 0
    _day: int | None = None
    _last: Floats = field(factory=lambda: np.full(4, np.nan))
    _said: Floats = field(factory=lambda: np.full(4, np.nan))

    def fold(
        self,
        day: NDArray[np.int64],
        exchange: Sequence[str],  # noqa: ARG002  # of no account here
        bid: Floats,
        ask: Floats,
        bid_size: Floats,
        ask_size: Floats,
    ) -> tuple[NDArray[np.int64], Floats]:
        """As `Nbbo.fold`; rows with a bid alone change nothing until the next ask."""
        kept, results = [np.empty(0, np.int64)], [np.empty((0, 4))]
        edges = (np.flatnonzero(day[1:] != day[:-1]) + 1).tolist()
        for start, stop in zip([0, *edges], [*edges, len(day)], strict=True):
            if start == stop:
                continue
            if self._day != int(day[start]):
                self._day = int(day[start])
                self._last = np.full(4, np.nan)
                self._said = np.full(4, np.nan)
            rows = slice(start, stop)
            state = np.column_stack([bid[rows], ask[rows], bid_size[rows], ask_size[rows]])
            for side in (0, 1):
                speaks = state[:, side] > 0
                newest = np.maximum.accumulate(np.where(speaks, np.arange(1, len(state) + 1), 0))
                for column in (side, side + 2):
                    state[:, column] = np.concatenate([[self._last[column]], state[:, column]])[newest]
            self._last = state[-1].copy()
            whole = np.flatnonzero(ask[rows] > 0)
            state = state[whole]
            if not len(state):
                continue
            before = np.vstack([self._said, state[:-1]])
            changed = ((state != before) & ~(np.isnan(state) & np.isnan(before))).any(axis=1)
            self._said = state[-1].copy()
            kept.append(start + whole[changed])
            results.append(state[changed])
            self.locked += int((state[changed, 0] == state[changed, 1]).sum())
            self.crossed += int((state[changed, 0] > state[changed, 1]).sum())
        return np.concatenate(kept), np.concatenate(results)


@define(eq=False, slots=True)
class Nbbo:
    """Folds one instrument's rows by exchange; `locked` and `crossed` count results with bid at or above the ask."""

    locked: int = 0
    crossed: int = 0
    _exchanges: dict[str, int] = field(factory=dict)
    _bid: _Side = field(factory=lambda: _Side(1.0))
    _ask: _Side = field(factory=lambda: _Side(-1.0))
    _day: int | None = None
    _last: Floats = field(factory=lambda: np.full(4, np.nan))

    def fold(
        self,
        day: NDArray[np.int64],
        exchange: Sequence[str],
        bid: Floats,
        ask: Floats,
        bid_size: Floats,
        ask_size: Floats,
    ) -> tuple[NDArray[np.int64], Floats]:
        """Take rows in their true order, with the local day of each.

        Returns: indices of the rows that changed the NBBO, and an array (their count, 4) of bid, ask, bid size and ask
        size after each, NaN where a side is absent.
        """
        codes = np.array([self._exchanges.setdefault(name, len(self._exchanges)) for name in exchange], np.int64)
        self._bid.grow(len(self._exchanges))
        self._ask.grow(len(self._exchanges))
        kept, results = [np.empty(0, np.int64)], [np.empty((0, 4))]
        edges = np.flatnonzero(day[1:] != day[:-1]) + 1 if len(day) else np.empty(0, np.int64)
        starts = sorted({0, *edges.tolist(), *range(0, len(day), _STEP_ROWS)})
        for start, stop in zip(starts, [*starts[1:], len(day)], strict=True):
            if start == stop:
                continue
            if self._day != int(day[start]):
                self._day = int(day[start])
                self._bid.forget()
                self._ask.forget()
                self._last = np.full(4, np.nan)
            rows = slice(start, stop)
            bids, bid_sizes = self._bid.best(codes[rows], bid[rows], bid_size[rows])
            asks, ask_sizes = self._ask.best(codes[rows], ask[rows], ask_size[rows])
            state = np.column_stack([bids, asks, bid_sizes, ask_sizes])
            before = np.vstack([self._last, state[:-1]])
            changed = ((state != before) & ~(np.isnan(state) & np.isnan(before))).any(axis=1)
            self._last = state[-1].copy()
            kept.append(start + np.flatnonzero(changed))
            results.append(state[changed])
            self.locked += int((state[changed, 0] == state[changed, 1]).sum())
            self.crossed += int((state[changed, 0] > state[changed, 1]).sum())
        return np.concatenate(kept), np.concatenate(results)
