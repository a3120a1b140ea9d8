"""The shipped configurations run on the shipped recordings: they trade, are refused nothing, and switch nothing off."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import pytest

from engine import app
from engine.config import load
from engine.domain.moments import NS_PER_DAY
from engine.domain.order import CLOSED
from engine.journal.run import RunJournal
from engine.runtime.outcome import Outcome
from tests.docs.blocks import ROOT

# Those of a backtest; the others are of a gateway and of a daemon.
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.toml") if "[recording]" in path.read_text())
FLAT_AT_NIGHT = {"ema-aapl", "maker-ibm", "maker-aapl", "range-spy", "range"}


@pytest.fixture(scope="module", params=CONFIGS)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    settings = load(ROOT / "configs" / f"{request.param}.toml", ["replay.pipeline=fused"])
    with closing(RunJournal()) as journal:
        return app.run(app.prepare(settings), journal)


def test_nothing_is_refused_and_nobody_switched_off(outcome: Outcome) -> None:
    assert dict(outcome.off) == {}
    assert Counter(row.code for row in outcome.refusals) == {}
    assert [row.order.coid for row in outcome.orders if row.order.state not in CLOSED] == []


def test_each_strategy_trades_and_none_churns(outcome: Outcome) -> None:
    days = 1 + (outcome.end_ns - outcome.start_ns) // NS_PER_DAY
    fills = Counter(row.strategy for row in outcome.fills)
    for strategy in outcome.settings.strategies:
        assert fills[strategy.name] >= 2, strategy.name
        assert fills[strategy.name] <= 200 * days, strategy.name


def test_those_that_promise_it_are_flat_at_the_end(outcome: Outcome) -> None:
    held = {p.strategy for p in outcome.positions if p.quantity}
    assert not held & FLAT_AT_NIGHT


def test_each_draws_a_chart(outcome: Outcome) -> None:
    assert {series.strategy for series in outcome.indicators} == {s.name for s in outcome.settings.strategies}
