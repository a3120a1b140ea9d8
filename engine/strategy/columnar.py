"""Seats for whole-window handlers: a strategy that looks ahead in a window and can be taken back.

Alone, such a strategy never needs to go back: it stops where it wants something. Beside others, who may stop the window
earlier, its state is copied before each window and the shorter window is given again.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.domain.columns import Chunk, Ints
from engine.domain.market import Kind
from engine.domain.messages import Intent, TimerWish
from engine.errors import StrategyError
from engine.strategy.context import Context
from engine.strategy.window import Window, slice_of

if TYPE_CHECKING:
    from engine.strategy.api import Strategy

Wants = list[Intent | TimerWish]


class ColumnarSeat:
    """One strategy with `on_window`. `row` is the chunk row in hand while it is asking for orders."""

    def __init__(self, strategy: Strategy[Any], ctx: Context, conids: frozenset[int]) -> None:
        self._strategy = strategy
        self._ctx = ctx
        self._conids = conids
        self._before: dict[str, Any] = {}
        self._marks = (0, 0, 0, 0)
        self._orders: dict[str, Any] = {}
        self._chunk: Chunk | None = None
        self._mine: Ints | None = None
        self._span: tuple[int, Ints | None] = (0, None)
        self.row: int | None = None
        self.reached = 0

    def run(self, chunk: Chunk, start: int, stop: int, wants: Wants, *, rewind: bool) -> int:
        """Give the rows [start, stop); return the row after the one at which orders are wanted, or `stop`."""
        if rewind:
            self._keep(wants)
        return self._call(chunk, start, stop, wants)

    def again(self, chunk: Chunk, start: int, stop: int, wants: Wants) -> None:
        """Take the strategy back to `start` and give it the shorter window."""
        ctx = self._ctx
        _, number, indicators, notes = self._marks
        ctx._number = number
        del ctx.indicators[indicators:]
        del ctx.notes[notes:]
        mine = self._ctx.strategy
        kept = [want for want in wants if _owner(want) != mine]
        wants[:] = kept
        ctx.open_orders = dict(self._orders)
        vars(self._strategy).update(self._before)
        self._call(chunk, start, stop, wants)

    def _keep(self, wants: Wants) -> None:
        state = {name: value for name, value in vars(self._strategy).items() if name not in ("ctx", "params")}
        self._before = copy.deepcopy(state)
        ctx = self._ctx
        self._marks = (len(wants), ctx._number, len(ctx.indicators), len(ctx.notes))
        self._orders = dict(ctx.open_orders)

    def _call(self, chunk: Chunk, start: int, stop: int, wants: Wants) -> int:
        rows = self._rows(chunk)
        if rows is None:
            window = _window(chunk, start, stop, None)
        else:
            first, last = np.searchsorted(rows, (start, stop))
            if first == last:
                self.reached = stop
                return stop
            window = _window(chunk, start, stop, rows[first:last])
            rows = rows[first:last]
        before = len(wants)
        self._span = (start, rows)
        window.point_to = self._point_to
        self._point_to(0)
        try:
            index = self._strategy.on_window(window)
        finally:
            self.row = None
        if index is None:
            if len(wants) > before:
                raise StrategyError("asked for orders in on_window and returned no index", place=self._ctx.strategy)
            self.reached = stop
            return stop
        if not 0 <= index < window.size:
            raise StrategyError(f"on_window returned {index}, outside 0 to {window.size - 1}", place=self._ctx.strategy)
        self.reached = (start + index if rows is None else int(rows[index])) + 1
        return self.reached

    def _point_to(self, index: int) -> None:
        start, rows = self._span
        self.row = start + index if rows is None else int(rows[index])

    def _rows(self, chunk: Chunk) -> Ints | None:
        """The chunk's rows that are for this strategy; None for all."""
        if chunk is not self._chunk:
            self._chunk = chunk
            parts = []
            total = 0
            for columns in chunk.kinds.values():
                if columns.kind is Kind.STATUS:
                    continue
                keep = np.isin(columns["conid"], list(self._conids))
                places = np.arange(len(columns)) if columns.at is None else columns.at
                parts.append(places[keep])
                total += int(keep.sum())
            if total == chunk.size:
                self._mine = None
            else:
                self._mine = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        return self._mine


def _owner(want: Intent | TimerWish) -> str:
    tickets = getattr(want, "tickets", None)
    owner: str = tickets[0].strategy if tickets else want.strategy  # type: ignore[union-attr]
    return owner


def _window(chunk: Chunk, start: int, stop: int, rows: Ints | None) -> Window:
    def part(kind: Kind) -> Any:
        columns = chunk.kinds.get(kind)
        return None if columns is None else slice_of(columns, start, stop, rows)

    times = chunk.ts_ns[start:stop] if rows is None else chunk.ts_ns[rows]
    return Window(times, part(Kind.QUOTES), part(Kind.TRADES), part(Kind.BARS))
