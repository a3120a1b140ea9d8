"""Seats for whole-window handlers: a strategy that looks ahead in a window and can be taken back.

Alone, such a strategy never needs to go back: it stops where it wants something. Beside others, who may stop the window
earlier, its state is copied before each window and the shorter window is given again.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.domain.columns import Chunk, Columns, Ints
from engine.domain.market import Kind
from engine.domain.messages import Intent, TimerWish
from engine.errors import StrategyError
from engine.strategy.context import Context
from engine.strategy.window import RAISED, Window, slice_of

if TYPE_CHECKING:
    from engine.strategy.api import Strategy

Wants = list[Intent | TimerWish]


# Values that nothing changes from within, or that nobody would want copied.
_ATOMS = (int, float, str, bool, NoneType, Decimal, bytes, FunctionType, BuiltinFunctionType, ModuleType, type)


class NotCopied(StrategyError):
    """A strategy keeps something that it could not be taken back from: the run ends."""


class ColumnarSeat:
    """One strategy with `on_window`. `row` is the chunk row in hand while it is asking for orders; `reached` the row up
    to which it has gone."""

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
        """Give the rows [start, stop); return the row after the one at which orders are wanted, or `stop`.

        With `rewind`, a handler that raises is given fewer rows: it raises out of here only if it can't take the first
        one, so that the row at which it fails does not depend on where windows are cut.
        """
        if not rewind:
            return self._call(chunk, start, stop)
        self._keep()
        try:
            return self._call(chunk, start, stop)
        except RAISED as error:
            failure: BaseException = error
        good, bad = 0, stop - start
        while bad - good > 1:
            middle = (good + bad) // 2
            self._take_back(wants)
            try:
                self._call(chunk, start, start + middle)
                good = middle
            except RAISED as error:
                bad, failure = middle, error
        self._take_back(wants)
        if not good:
            raise failure
        return self._call(chunk, start, start + good)

    def again(self, chunk: Chunk, start: int, stop: int, wants: Wants) -> None:
        """Take the strategy back to `start` and give it the shorter window.

        Raises: StrategyError if it now does what it did not do with more rows before it: it looks ahead.
        """
        self._take_back(wants)
        try:
            looked_ahead = self._call(chunk, start, stop) != stop
        except RAISED as error:
            what = f"on_window raised {error!r} only when given fewer rows: it looks ahead, or keeps state elsewhere"
            raise StrategyError(what, place=f"strategy {self._ctx.strategy}") from error
        if looked_ahead:
            what = "on_window wants something only when given fewer rows: it looks ahead, or keeps state elsewhere"
            raise StrategyError(what, place=f"strategy {self._ctx.strategy}")

    def _keep(self) -> None:
        """Copy what a shorter window may have to begin from."""
        ctx = self._ctx
        self._before = self._copied(vars(self._strategy))
        self._marks = (ctx._number, ctx._groups, len(ctx.indicators), len(ctx.notes))
        self._orders = dict(ctx.open_orders)

    def _take_back(self, wants: Wants) -> None:
        ctx = self._ctx
        ctx._number, ctx._groups, indicators, notes = self._marks
        del ctx.indicators[indicators:]
        del ctx.notes[notes:]
        wants[:] = [want for want in wants if owner(want) != ctx.strategy]
        ctx.open_orders = dict(self._orders)
        before = self._copied(self._before)  # a copy again: it may have to be taken back twice
        state = vars(self._strategy)
        state.clear()
        state.update(before)

    def _copied(self, state: dict[str, Any]) -> dict[str, Any]:
        strategy, ctx = self._strategy, self._ctx
        memo: dict[int, Any] = {id(strategy): strategy, id(ctx): ctx, id(strategy.params): strategy.params}
        found = {}
        for name, value in state.items():
            try:
                found[name] = value if value.__class__ in _ATOMS else copy.deepcopy(value, memo)
            except Exception as error:  # a plugin may keep anything
                what = f"beside others a strategy with on_window must keep what can be copied, and self.{name} can't be"
                raise NotCopied(f"{what}: {error}", place=f"strategy {ctx.strategy}") from error
        return found

    def _call(self, chunk: Chunk, start: int, stop: int) -> int:
        wants = self._ctx._wants
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
            if chunk.built is not None:
                places = self._built_rows(chunk.built)
                parts.append(places)
                total += len(places)
            if total == chunk.size:
                self._mine = None
            else:
                self._mine = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        return self._mine

    def _built_rows(self, built: Columns) -> Ints:
        """The chunk's rows of the built bars that this strategy has asked for."""
        keep = np.zeros(len(built), bool)
        for wish in self._ctx.bar_wishes:
            keep |= (built["conid"] == wish.conid) & (built["span_ns"] == wish.span_ns)
        places: Ints = np.flatnonzero(keep) if built.at is None else built.at[keep]
        return places


def owner(want: Intent | TimerWish) -> str:
    """Whose wish it is."""
    tickets = getattr(want, "tickets", None)
    name: str = tickets[0].strategy if tickets else want.strategy  # type: ignore[union-attr]
    return name


def _window(chunk: Chunk, start: int, stop: int, rows: Ints | None) -> Window:
    def part(kind: Kind) -> Any:
        columns = chunk.kinds.get(kind)
        return None if columns is None else slice_of(columns, start, stop, rows)

    times = chunk.ts_ns[start:stop] if rows is None else chunk.ts_ns[rows]
    built = None if chunk.built is None else slice_of(chunk.built, start, stop, rows)
    return Window(times, part(Kind.QUOTES), part(Kind.TRADES), part(Kind.BARS), built)
