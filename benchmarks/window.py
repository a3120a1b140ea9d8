"""W2v: the workload W2 computed on whole windows of columns; apart from the others, for only it needs scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import lfilter

from benchmarks.strategies import FAST, GAP, QUANTITY, SLOW
from engine.domain.columns import Floats
from engine.strategy.api import Strategy, Window


class WindowCross(Strategy[Any]):
    """W2v: QuoteCross computed on whole windows of columns."""

    def on_start(self) -> None:
        self.long = False
        self.conid = self.ctx.instruments[0].conid
        self.seen = 0
        self.last = -GAP
        self.fast = self.slow = 0.0
        self.above = False

    def _ema(self, mids: Floats, before: float, weight: float) -> Floats:
        line: Floats = lfilter([weight], [1.0, weight - 1.0], mids, zi=[before * (1.0 - weight)])[0]
        return line

    def on_window(self, window: Window) -> int | None:
        quotes = window.quotes
        assert quotes is not None
        mids = (quotes.bid + quotes.ask) * 0.5
        if self.seen == 0:
            self.fast = self.slow = float(mids[0])
        fast, slow = self._ema(mids, self.fast, FAST), self._ema(mids, self.slow, SLOW)
        above = fast > slow
        crossed = np.flatnonzero(np.diff(above, prepend=self.above))
        numbers = crossed + self.seen + 1
        wanted = (numbers > 30) & (numbers - self.last >= GAP) & (above[crossed] != self.long)
        first = int(wanted.argmax()) if len(wanted) else 0
        end = window.size - 1
        index = None
        if len(wanted) and wanted[first]:
            index = end = int(crossed[first])
            self.long = bool(above[index])
            self.last = self.seen + index + 1
            window.at(index)
            if self.long:
                self.ctx.buy(self.conid, QUANTITY)
            else:
                self.ctx.sell(self.conid, QUANTITY)
        self.seen += end + 1
        self.fast, self.slow, self.above = float(fast[end]), float(slow[end]), bool(above[end])
        return index
