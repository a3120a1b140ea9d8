"""The shipped recordings are what the generator makes, and look like a market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.calendars import sessions
from engine.domain.market import Kind
from engine.recording.generator import MAKERS, main
from engine.recording.quality import examine
from engine.recording.reader import open_recording

SHIPPED = Path(__file__).parents[2] / "replay_data"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generated")
    main(["--out", str(out)])
    return out


def quotes_of(path: Path) -> dict[str, Any]:
    chunks = list(open_recording(path).chunks(kinds=frozenset({Kind.QUOTES})))
    return {
        name: np.concatenate([chunk.kinds[Kind.QUOTES][name] for chunk in chunks]) for name in ("conid", "bid", "ask")
    }


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_same_seed_gives_the_shipped_rows(made: Path, name: str) -> None:
    ours, theirs = open_recording(made / name), open_recording(SHIPPED / name)
    assert ours.head == theirs.head
    assert ours.head.generated
    assert ours.rows == theirs.rows
    for one, other in zip(ours.chunks(), theirs.chunks(), strict=True):
        assert one.kinds.keys() == other.kinds.keys()
        for kind, columns in one.kinds.items():
            for column, values in columns.data.items():
                if values.dtype.kind == "f":  # exp and log may differ in the last place between machines
                    np.testing.assert_allclose(values, other.kinds[kind][column], rtol=0, atol=1e-9)
                else:
                    np.testing.assert_array_equal(values, other.kinds[kind][column])


def test_another_seed_gives_another_market(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--only", "halt", "--seed", "1"])
    assert open_recording(tmp_path / "halt").digest() != open_recording(SHIPPED / "halt").digest()


def test_all_of_it_is_a_few_megabytes() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 6_000_000


def test_quotes_are_on_the_tick_in_hours_and_trades_at_the_quote() -> None:
    recording = open_recording(SHIPPED / "demo")
    known = sessions("XNYS", *recording.span())
    prints = 0
    for chunk in recording.chunks():
        quotes, trades = chunk.kinds[Kind.QUOTES], chunk.kinds[Kind.TRADES]
        assert (quotes["bid"] < quotes["ask"]).all()
        for side in ("bid", "ask"):
            cents = quotes[side] * 100
            assert np.abs(cents - np.rint(cents)).max() < 1e-6
        assert all(known.is_open(ts_ns) for ts_ns in (chunk.times[0], chunk.times[-1]))
        for index in range(0, len(trades), 7):
            row = trades.row_of(index)
            before = chunk.quote(int(trades["conid"][index]), row)
            assert before is not None
            assert before.bid <= trades["price"][index] <= before.ask
            prints += 1
    assert prints > 5000


def test_shipped_recordings_have_the_findings_put_there_and_no_others() -> None:
    assert examine(SHIPPED / "demo").clean
    assert examine(SHIPPED / "minutes").clean
    halt = examine(SHIPPED / "halt")
    assert halt.findings == {"gaps": 4}
    (held,) = [one.halts[0] for one in halt.series if one.halts]
    assert held.length_s == 15 * 60


def test_a_fast_and_a_slow_average_cross_often_enough_for_a_demo() -> None:
    columns = quotes_of(SHIPPED / "demo")
    for conid in (265598, 8314, 756733):
        own = columns["conid"] == conid
        mid = (columns["bid"][own] + columns["ask"][own]) / 2
        minutes = mid[:: max(1, len(mid) // 1170)]
        fast, slow, above, crosses = minutes[0], minutes[0], False, 0
        for price in minutes.tolist():
            fast, slow = fast + (price - fast) * 2 / 11, slow + (price - slow) * 2 / 31
            crosses += (fast > slow) is not above
            above = fast > slow
        assert 20 < crosses < 200


def test_the_pair_keeps_together() -> None:
    closes: dict[int, list[float]] = {8894: [], 11017: []}
    for chunk in open_recording(SHIPPED / "minutes").chunks():
        bars = chunk.kinds[Kind.BARS]
        for conid, kept in closes.items():
            kept += bars["close"][bars["conid"] == conid].tolist()
    ko, pep = (np.log(np.array(kept)) for kept in closes.values())
    assert len(ko) == len(pep) == 60 * 390
    spread = pep - ko
    assert spread.std() < 0.5 * ko.std()  # each wanders, their difference does not
    changes = np.sign(spread - spread.mean())
    assert (changes[1:] != changes[:-1]).sum() > 30
