"""Each oddity is found where it was put, and only there."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.recording import quality as quality_module
from engine.recording.page import show
from engine.recording.quality import Quality, examine
from engine.recording.reader import open_recording
from engine.recording.writer import RecordingWriter, seal

from .made import DAY_NS, block, quote, start

OPEN_NS = DAY_NS + (14 * 60 + 30) * NS_PER_MINUTE  # 09:30 New York on 2024-01-02
CLOSE_NS = OPEN_NS + 390 * NS_PER_MINUTE


def session(day: int = 0, conid: int = 11) -> list[tuple[Any, ...]]:
    """A quote every ten seconds of a session, the price alternating by a cent."""
    return [
        quote(OPEN_NS + day * NS_PER_DAY + n * 10 * NS_PER_S, conid, 10.0 + n % 2 / 100, 10.5 + n % 2 / 100)
        for n in range(2340)
    ]


def record(root: Path, rows: list[tuple[Any, ...]], kind: Kind = Kind.QUOTES) -> Path:
    start(root)
    with RecordingWriter(root) as writer:
        writer.append(kind, block(kind, rows))
    return root


def test_three_plain_sessions_are_clean(tmp_path: Path) -> None:
    rows = sorted(row for day in (0, 1, 2) for conid in (11, 22) for row in session(day, conid))
    found = examine(record(tmp_path, rows))
    assert found.clean
    assert [(one.symbol, one.rows, one.first_ns) for one in found.series] == [
        ("AAA", 7020, OPEN_NS),
        ("BBB", 7020, OPEN_NS),
    ]
    assert found.rows == {"quotes": 14_040}
    assert found.unsealed == 3
    seal(tmp_path)
    assert examine(tmp_path).unsealed == 0


@pytest.mark.parametrize(
    ("row", "findings", "notes"),
    [
        ((10.25, 10.24), {"crossed": 1}, {}),
        ((10.25, 10.25), {}, {"locked": 1}),
        ((math.nan, 10.5), {}, {"one-sided": 1}),
        ((math.nan, math.nan), {}, {"no side": 1}),
        ((0.0, 10.5), {"zero price": 1, "outliers": 1}, {}),
        ((30.0, 30.5), {"outliers": 1}, {}),
    ],
)
def test_a_strange_quote_is_counted_once(
    tmp_path: Path, row: tuple[float, float], findings: dict[str, int], notes: dict[str, int]
) -> None:
    rows = session()
    rows[1000] = (*rows[1000][:2], *row, 100.0, 100.0)
    (one,) = examine(record(tmp_path, rows)).series
    assert dict(one.findings) == findings
    assert dict(one.notes) == notes
    assert dict(one.found_ns) == dict.fromkeys(findings, rows[1000][0])


@pytest.mark.parametrize("place", [0, 4, 5, 6, 49, 50, 51, 99, 100, 101, 2334])
def test_an_outlier_is_counted_once_wherever_blocks_are_cut(
    tmp_path: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_module, "_PIECE_ROWS", 1)
    start(tmp_path)
    rows = session()
    rows[place] = (*rows[place][:2], 30.0, 30.5, 1.0, 1.0)
    with RecordingWriter(tmp_path, batch_rows=1) as writer:
        for at in range(0, len(rows), 50):
            writer.append(Kind.QUOTES, block(Kind.QUOTES, rows[at : at + 50]))
    wanted = {} if place < 5 else {"outliers": 1}  # the first and last five have no neighbours on one side
    (one,) = examine(tmp_path).series
    assert dict(one.findings) == wanted


def test_a_gap_a_repeat_and_a_missing_day(tmp_path: Path) -> None:
    first, last = session(), session(2)
    rows = first[:500] + first[560:700] + [first[699]] + first[700:] + last  # 2024-01-03 has no rows
    (one,) = examine(record(tmp_path, rows)).series
    assert dict(one.findings) == {"duplicates": 1, "gaps": 1, "missing days": 1}
    assert one.missing_days == ("2024-01-03",)
    assert [(gap.start_ns, gap.end_ns) for gap in one.gaps] == [(first[499][0], first[560][0])]
    assert one.gaps[0].length_s == 610.0


def test_a_halt_explains_a_silence(tmp_path: Path) -> None:
    rows = session()
    record(tmp_path, rows[:500] + rows[560:])
    halted = [(rows[500][0], 11, "halted"), (rows[559][0], 11, "open")]
    with RecordingWriter(tmp_path) as writer:
        writer.append(Kind.STATUS, block(Kind.STATUS, halted))
    status, quotes = examine(tmp_path).series
    assert [(halt.start_ns, halt.end_ns) for halt in status.halts] == [(rows[500][0], rows[559][0])]
    assert quotes.gaps == ()


def test_what_the_reader_refuses_is_a_finding(tmp_path: Path) -> None:
    start(tmp_path)
    rows = session()
    columns = block(Kind.QUOTES, rows)
    columns["ts_ns"] = columns["ts_ns"].copy()
    columns["ts_ns"][[7, 8]] = columns["ts_ns"][[8, 7]]
    columns["bid"] = columns["bid"].copy()
    columns["bid"][100] = -1.0
    columns["conid"] = columns["conid"].copy()
    columns["conid"][2000] = 99
    (tmp_path / "quotes").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "quotes/2024-01-02.parquet")
    found = examine(tmp_path)
    (one,) = found.series
    assert dict(one.findings) == {"bad price": 1, "outliers": 1, "time goes back": 1}
    assert "conid 99 is not among" in found.problems[0]
    assert found.findings["unreadable"] == 1


def test_bars_and_trades(tmp_path: Path) -> None:
    bars = [
        (OPEN_NS + n * NS_PER_MINUTE, 11, NS_PER_MINUTE, 10.0, 10.0 + n % 2 / 10, 9.9, 10.0, 5.0, True)
        for n in range(1, 391)
    ]
    bars[10] = (*bars[10][:3], 10.0, 9.95, 9.9, 10.0, 0.0, False)
    record(tmp_path / "bars", bars, Kind.BARS)
    (one,) = examine(tmp_path / "bars").series
    assert dict(one.findings) == {"bar contradicts itself": 1}
    assert dict(one.notes) == {"incomplete": 1, "zero volume": 1}
    chance = random.Random(4)
    trades = [(OPEN_NS + n * NS_PER_S, 11, 10.0 + chance.choice((0.0, 0.01)), 1.0, False) for n in range(1000)]
    trades[5] = trades[4]
    record(tmp_path / "trades", trades, Kind.TRADES)
    (one,) = examine(tmp_path / "trades").series
    assert dict(one.findings) == {}  # two like prints may well be two trades
    assert dict(one.notes) == {"duplicates": 1, "equal stamps": 1}


def test_a_daily_bar_stands_for_the_day_before_its_end(tmp_path: Path) -> None:
    # Midnight to midnight New York, stamped at the end; 2024-01-04 is left out, 6 and 7 are a weekend.
    midnight = DAY_NS + 5 * 60 * NS_PER_MINUTE
    bars = [(midnight + (n + 1) * NS_PER_DAY, 11, NS_PER_DAY, 1.0, 1.0, 1.0, 1.0, 1.0, True) for n in (0, 1, 3, 6)]
    (one,) = examine(record(tmp_path, bars, Kind.BARS)).series
    assert one.missing_days == ("2024-01-04",)


def test_a_torn_segment_is_a_finding(tmp_path: Path) -> None:
    record(tmp_path, session()[:100])
    path = next((tmp_path / "quotes").glob("*.arrows"))
    path.write_bytes(path.read_bytes()[:-100])
    assert "breaks off" in examine(tmp_path).problems[0]


def page(quality: Quality, width: int) -> str:
    out = io.StringIO()
    show(quality, Console(file=out, width=width, color_system=None))
    return out.getvalue()


def test_the_page_fits_and_says_what_was_found(tmp_path: Path) -> None:
    rows = session()
    rows[1000] = (*rows[1000][:2], 10.25, 10.24, 1.0, 1.0)
    found = examine(record(tmp_path, rows[:500] + rows[560:] + session(3)))
    for width in (80, 140):
        text = page(found, width)
        assert max(map(len, text.splitlines())) <= width
        for part in ("AAA", "1 crossed", "1 gap", "no rows on 2024-01-03, 2024-01-04", "Findings:", "at 2024-01-02 1"):
            assert part in text
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["findings"] == {
        "crossed": 1,
        "gaps": 1,
        "missing days": 2,
    }
    assert "Clean" in page(examine(record(tmp_path / "clean", session())), 80)


def test_an_empty_recording_and_a_page_of_nothing(tmp_path: Path) -> None:
    found = examine(start(tmp_path))
    assert found.series == ()
    assert found.findings == {"unreadable": 1}
    assert found.problems == (f"{tmp_path}: holds no rows",)
    assert "rows" in page(found, 80)


def truncate(root: Path) -> None:
    path = root / "quotes/2024-01-02.parquet"
    path.write_bytes(path.read_bytes()[:200])


def rename(root: Path) -> None:
    path = root / "quotes/2024-01-02.parquet"
    table = pq.read_table(path)
    pq.write_table(table.rename_columns([{"ask": "offer"}.get(name, name) for name in table.column_names]), path)


def retype(root: Path) -> None:
    path = root / "quotes/2024-01-02.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("conid")
    pq.write_table(table.set_column(place, "conid", table["conid"].cast(pa.string())), path)


def stray(root: Path) -> None:
    (root / "quotes/notes.txt").write_text("bought in 2024")


def misspelt(root: Path) -> None:
    (root / "quote").mkdir()
    (root / "quotes/2024-01-03.parquet").rename(root / "quote/2024-01-03.parquet")


def no_folder(root: Path) -> None:
    (root / "trades").write_text("none")


def other_actions(root: Path) -> None:
    (root / "corporate_actions.toml").write_text("[[splits]]\nconid = 5\nday = 2024-01-03\nratio = 2\n")


@pytest.mark.parametrize(
    ("spoil", "said", "rows"),
    [
        (truncate, "2024-01-02.parquet: is no whole Parquet file", 2),
        (rename, "2024-01-02.parquet: column ask is missing", 2),
        (retype, "2024-01-02.parquet: column conid is string, not int64", 2),
        (stray, "notes.txt: does not belong there", 4),
        (misspelt, "quote: is no kind of data; a recording has quotes, trades, bars, status", 2),
        (no_folder, "trades: is a file; trades lie in a folder of that name", 4),
        (other_actions, "corporate_actions.toml: conid 5 is not among the recording's instruments", 4),
    ],
)
def test_a_file_that_can_not_be_taken_is_a_finding_beside_the_others(
    tmp_path: Path, spoil: Callable[[Path], None], said: str, rows: int
) -> None:
    record(tmp_path, [(OPEN_NS + day * NS_PER_DAY + n, 11, 10.0, 10.5, 1.0, 1.0) for day in (0, 1) for n in (1, 2)])
    seal(tmp_path)
    assert examine(tmp_path).clean
    spoil(tmp_path)
    found = examine(tmp_path)
    (problem,) = found.problems
    assert said in problem
    assert found.findings["unreadable"] == 1
    assert sum(one.rows for one in found.series) == rows


@pytest.mark.parametrize("name", ["ts_ns", "conid", "bid", "ask", "bid_size", "ask_size"])
@given(row=st.integers(0, 5), value=st.sampled_from([-1e300, -1, 0, 0.5, 10, 22, 1e13, 1e16, 1e300, np.nan, np.inf]))
def test_what_is_clean_can_be_read(tmp_path_factory: pytest.TempPathFactory, name: str, row: int, value: float) -> None:
    """Whatever number is put in, the reader takes the recording, or verify has a finding."""
    root = start(tmp_path_factory.mktemp("spoilt"))
    columns = block(Kind.QUOTES, [(OPEN_NS + n * 10, 11 + 11 * (n % 2), 10.0, 10.5, 1.0, 1.0) for n in range(6)])
    column = columns[name].copy()
    if column.dtype == np.int64:
        value = int(np.clip(np.nan_to_num(value), -(2**62), 2**62)) + (OPEN_NS if name == "ts_ns" else 0)
    column[row] = value
    (root / "quotes").mkdir()
    pq.write_table(pa.table({**columns, name: column}), root / "quotes/2024-01-02.parquet")
    if examine(root).clean:
        assert sum(chunk.size for chunk in open_recording(root).chunks()) == 6
