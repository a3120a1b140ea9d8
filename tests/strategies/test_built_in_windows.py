"""Bars built from ticks reach a whole-window handler as they reach `on_bar`, however windows and chunks are cut."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from attrs import evolve

from engine.domain.market import MarketEvent
from engine.strategy.api import Bar, Strategy, Window

from .ring import AAA, BBB, Ring, S, quote, trade

Row = tuple[int, int, int, float, float]


class ByRow(Strategy[None]):
    """Notes every bar."""

    def on_start(self) -> None:
        self.seen: list[Row] = []
        self.ctx.bars("AAA", "10s")
        self.ctx.bars("AAA", "30s")

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((bar.ts_ns, bar.conid, bar.span_ns, bar.close, bar.volume))


class ByWindow(Strategy[None]):
    """Notes the same out of whole windows, and stops at each sixth trade so that windows are cut."""

    def on_start(self) -> None:
        self.seen: list[Row] = []
        self.trades = self.rows = 0
        self.ctx.bars("AAA", "10s")
        self.ctx.bars("AAA", "30s")

    def on_window(self, window: Window) -> int | None:
        stop = window.size
        if window.trades is not None:
            places = range(len(window.trades)) if window.trades.at is None else window.trades.at
            for at in places:
                self.trades += 1
                if self.trades % 6 == 0:
                    stop = int(at) + 1
                    break
        if window.built is not None:
            built = window.built
            at_all = list(range(len(built))) if built.at is None else built.at.tolist()
            names = ("ts_ns", "conid", "span_ns", "close", "volume")
            for number, at in enumerate(at_all):
                assert window.ts_ns[at] == built.ts_ns[number]
                if at < stop:
                    ts_ns, conid, span_ns, close, volume = (getattr(built, name)[number].item() for name in names)
                    self.seen.append((ts_ns, conid, span_ns, close, volume))
        self.rows += stop
        if stop == window.size:
            return None
        self.ctx.set_timer("cut", after_s=1e-9)
        return stop - 1


def market(seed: int) -> list[MarketEvent]:
    dice = Random(seed)
    rows: list[MarketEvent] = []
    at = 0
    for _ in range(120):
        at += dice.choice((0, 1, 3, 7)) * S
        kind = dice.random()
        conid = 1 if kind < 0.8 else 2
        rows.append(trade(at, dice.randint(990, 1010) / 100, 5.0, conid=conid))
        if kind < 0.2:
            rows.append(quote(at, 10.0, 10.1))
    return rows


def seen(strategy: type[Strategy[Any]], ring: Ring, rows: list[MarketEvent]) -> list[Row]:
    found: list[Row] = ring.run(strategy, None, rows).strategy.seen
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cuts", [(), (1, 2, 60), (97,)])
def test_a_window_has_the_bars_that_on_bar_is_given(seed: int, cuts: tuple[int, ...]) -> None:
    rows = market(seed)
    ring = Ring(instruments=(AAA, BBB))
    expected = seen(ByRow, ring, rows)
    assert len({span for _, _, span, _, _ in expected}) == 2
    assert seen(ByWindow, evolve(ring, cuts=cuts), rows) == expected


def test_nobody_is_given_bars_he_has_not_asked_for() -> None:
    class Unasked(ByWindow):
        def on_start(self) -> None:
            super().on_start()
            self.ctx.bar_wishes.clear()

    assert seen(Unasked, Ring(instruments=(AAA, BBB)), market(1)) == []
