"""What was written is what is read, however it is cut, and whatever a crash left."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.instrument import Instrument, Leg, PriceTick, SecType
from engine.domain.market import Bar, Kind, Quote, Trade
from engine.domain.moments import NS_PER_DAY
from engine.errors import RecordingError
from engine.recording.events import read_actions
from engine.recording.head import Head, read_head
from engine.recording.layout import ACTIONS_FILE, SCHEMAS
from engine.recording.reader import open_recording
from engine.recording.writer import RecordingWriter, seal, write_head

from .made import DAY_NS, A, B, block, events, expected, quote, start

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Times in a narrow range over two days, so that ties within and between kinds are the rule.
times = st.lists(st.integers(0, 6).map(lambda n: DAY_NS + (n // 4) * NS_PER_DAY + n % 4), max_size=12).map(sorted)
conids = st.sampled_from([11, 22])


@st.composite
def markets(draw: st.DrawFn) -> dict[Kind, list[tuple[Any, ...]]]:
    price = st.integers(1, 5).map(float)
    rows: dict[Kind, list[tuple[Any, ...]]] = {
        Kind.QUOTES: [(t, draw(conids), draw(price), draw(price), 1.0, 2.0) for t in draw(times)],
        Kind.TRADES: [(t, draw(conids), draw(price), 3.0, draw(st.booleans())) for t in draw(times)],
        Kind.BARS: [(t, draw(conids), 60, 1.0, 2.0, 1.0, draw(price), 9.0, draw(st.booleans())) for t in draw(times)],
        Kind.STATUS: [(t, draw(conids), draw(st.sampled_from(["open", "halted"]))) for t in draw(times)],
    }
    return {kind: kept for kind, kept in rows.items() if kept}


def write(root: Path, rows: dict[Kind, list[tuple[Any, ...]]], batch_rows: int, sealed_until: int) -> None:
    start(root)
    for part in (slice(0, sealed_until), slice(sealed_until, None)):
        with RecordingWriter(root, batch_rows=batch_rows) as writer:
            for kind, kept in rows.items():
                for row in kept[part]:  # one by one, so that a day is many batches with ties across their edges
                    writer.append(kind, block(kind, [row]))
        if part.start == 0:
            seal(root)


@SLOW
@given(markets(), st.integers(1, 50), st.integers(1, 4), st.integers(0, 12))
def test_any_cut_of_sealed_and_open_files_gives_one_sequence(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[Kind, list[tuple[Any, ...]]],
    chunk_rows: int,
    batch_rows: int,
    sealed_until: int,
) -> None:
    root = tmp_path_factory.mktemp("made")
    write(root, rows, batch_rows, sealed_until)
    wanted = expected(rows)
    recording = open_recording(root)
    seen: list[Any] = []
    for chunk in recording.chunks(chunk_rows=chunk_rows):
        assert 0 < chunk.size <= chunk_rows
        for kind, before in (
            (Quote, chunk.quotes_before),
            (Trade, chunk.trades_before),
            (Bar, chunk.bars_before),
        ):
            assert before == {event.conid: event for event in seen if isinstance(event, kind)}
        seen += events(chunk)
        assert chunk.ts_ns.tolist() == [event.ts_ns for event in seen[-chunk.size :]]
    assert seen == wanted
    assert recording.rows == {kind: len(kept) for kind, kept in rows.items()}
    if wanted:
        assert recording.span() == (wanted[0].ts_ns, wanted[-1].ts_ns)


@SLOW
@given(
    markets(),
    st.integers(1, 20),
    st.integers(-1, 7),
    st.integers(-1, 7),
    st.frozensets(conids),
    st.frozensets(st.sampled_from(list(Kind))),
)
def test_filters_are_those_of_a_list(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[Kind, list[tuple[Any, ...]]],
    chunk_rows: int,
    low: int,
    high: int,
    wanted_conids: frozenset[int],
    kinds: frozenset[Kind],
) -> None:
    root = tmp_path_factory.mktemp("made")
    write(root, rows, 3, 99)
    first, last = DAY_NS + low, DAY_NS + NS_PER_DAY + high - 4
    chunks = open_recording(root).chunks(
        chunk_rows=chunk_rows, start_ns=first, end_ns=last, conids=wanted_conids, kinds=kinds
    )
    assert [event for chunk in chunks for event in events(chunk)] == [
        event
        for event in expected({kind: kept for kind, kept in rows.items() if kind in kinds})
        if first <= event.ts_ns < last and event.conid in wanted_conids
    ]


def test_many_row_groups_are_cut_without_a_seam(tmp_path: Path) -> None:
    root = start(tmp_path / "r")
    count = 150_000
    ts_ns = DAY_NS + np.arange(count) // 3  # ties across the row groups' edges
    with RecordingWriter(root) as writer:
        column = np.arange(count, dtype=float) + 1
        data = {"ts_ns": ts_ns, "conid": np.full(count, 11), "bid": column, "ask": column + 1}
        writer.append(Kind.QUOTES, {**data, "bid_size": column, "ask_size": column})
    seal(root)
    assert pq.read_metadata(root / "quotes/2024-01-02.parquet").row_group(0).num_rows == 65_536
    for chunk_rows in (999, 65_536, 10**9):
        chunks = list(open_recording(root).chunks(chunk_rows=chunk_rows))
        assert np.concatenate([chunk.kinds[Kind.QUOTES]["bid"] for chunk in chunks]).tolist() == column.tolist()
        assert all(chunk.kinds[Kind.QUOTES]["ts_ns"].flags.c_contiguous for chunk in chunks)
        assert all(chunk.kinds[Kind.QUOTES].at is None for chunk in chunks)


def test_a_torn_segment_is_read_to_its_last_whole_batch(tmp_path: Path) -> None:
    root = start(tmp_path / "r")
    with RecordingWriter(root, batch_rows=2) as writer:
        for n in range(6):
            writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS + n)]))
    path = root / "quotes/2024-01-02.part-0001.arrows"
    whole = path.read_bytes()
    seen = set()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        rows = [event.ts_ns - DAY_NS for chunk in open_recording(root).chunks() for event in events(chunk)]
        assert rows == list(range(len(rows)))  # never a part of a batch
        seen.add(len(rows))
    assert seen == {0, 2, 4, 6}
    path.write_bytes(whole[:-200])
    left = open_recording(root).rows[Kind.QUOTES]
    with RecordingWriter(root) as writer:  # the next process goes on in a segment of its own
        writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS + 100)]))
    assert open_recording(root).rows[Kind.QUOTES] == left + 1
    seal(root)
    assert open_recording(root).rows[Kind.QUOTES] == left + 1


def test_sealing_again_after_a_crash_neither_doubles_nor_loses(tmp_path: Path) -> None:
    root = start(tmp_path / "r")
    with RecordingWriter(root) as writer:
        writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS + 1), quote(DAY_NS + 2)]))
    part = root / "quotes/2024-01-02.part-0001.arrows"
    kept = part.read_bytes()
    assert seal(root) == [root / "quotes/2024-01-02.parquet"]
    part.write_bytes(kept)  # as if it had crashed between the rename and the removal
    (root / "quotes/.2024-01-02.parquet.tmp").write_bytes(b"half a file")
    assert open_recording(root).rows == {Kind.QUOTES: 2}
    with RecordingWriter(root) as writer:
        writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS + 3)]))
    assert (root / "quotes/2024-01-02.part-0002.arrows").exists()
    assert open_recording(root).rows == {Kind.QUOTES: 3}
    seal(root)
    assert not list((root / "quotes").glob("*.arrows"))
    assert [e.ts_ns - DAY_NS for c in open_recording(root).chunks() for e in events(c)] == [1, 2, 3]
    assert seal(root) == []


def test_time_may_not_go_back_across_writers(tmp_path: Path) -> None:
    root = start(tmp_path / "r")
    with RecordingWriter(root) as writer:
        writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS + 5)]))
    with RecordingWriter(root) as writer, pytest.raises(RecordingError, match="time goes back"):
        writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS + 4)]))


def test_the_head_says_every_field_of_an_instrument(tmp_path: Path) -> None:
    combo = Instrument(
        conid=33,
        symbol='A"B\\ü',
        sec_type=SecType.COMBO,
        currency="EUR",
        multiplier=Decimal("0.5"),
        price_ticks=(PriceTick(Decimal(0), Decimal("0.0001")), PriceTick(Decimal(1), Decimal("0.01"))),
        size_increment=Decimal("0.001"),
        exchange="IBIS",
        calendar="24/7",
        outside_hours=(330, 240),
        legs=(Leg(11, 1), Leg(22, -2)),
    )
    write_head(
        tmp_path,
        Head(
            name="n",
            source="two\nlines",
            time_zone="Europe/Berlin",
            licence="L",
            generated=True,
            instruments=(A, B, combo),
        ),
    )
    read = read_head(tmp_path)
    assert read.instruments == (A, B, combo)
    assert (read.source, read.time_zone, read.licence, read.generated) == ("two\nlines", "Europe/Berlin", "L", True)


def test_the_digest_follows_every_byte_and_no_path(tmp_path: Path) -> None:
    digests = []
    for name, bid in (("one", 10.0), ("two", 10.0), ("three", 10.25)):
        root = start(tmp_path / name)
        with RecordingWriter(root) as writer:
            writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS, bid=bid)]))
        digests.append(open_recording(root).digest())
    assert digests[0] == digests[1] != digests[2]
    (tmp_path / "one/corporate_actions.toml").write_text("")
    assert open_recording(tmp_path / "one").digest() != digests[0]


def test_a_split_changes_rows_only_where_asked(tmp_path: Path) -> None:
    root = start(tmp_path / "r")
    (root / "corporate_actions.toml").write_text(
        "[[splits]]\nconid = 11\nday = 2024-01-03\nratio = 4\n"
        '[[dividends]]\nconid = 22\nday = 2024-01-03\namount = "0.25"\n'
    )
    rows = [
        (DAY_NS, 11, 100.0, 5.0, False),
        (DAY_NS + 1, 22, 50.0, 5.0, False),
        (DAY_NS + NS_PER_DAY, 11, 25.0, 20.0, False),
    ]
    with RecordingWriter(root) as writer:
        writer.append(Kind.TRADES, block(Kind.TRADES, rows))
    recording = open_recording(root)
    assert recording.actions.dividends[0].amount == Decimal("0.25")
    for adjust, first in ((False, (100.0, 5.0)), (True, (25.0, 20.0))):
        seen = [(e.price, e.size) for c in recording.chunks(adjust=adjust) for e in events(c)]
        assert seen == [first, (50.0, 5.0), (25.0, 20.0)]


GOOD = block(Kind.QUOTES, [quote(DAY_NS + n) for n in range(5)])


def parquet(root: Path, changes: dict[str, Any], kind: Kind = Kind.QUOTES, day: str = "2024-01-02") -> Path:
    table = pa.table({**GOOD, **changes})
    path = root / kind / f"{day}.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ts_ns": np.array([0, 1, 2, 1, 4]) + DAY_NS}, "time goes back in row 4"),
        ({"bid": np.array([1.0, -1.0, 1, 1, 1])}, "bid is -1 in row 2"),
        ({"ask": np.array([1.0, math.nan, math.inf, 1, 1])}, "ask is infinite in row 3"),
        ({"ask": np.array([1.0, math.nan, -math.inf, 1, 1])}, "ask is infinite in row 3"),
        ({"bid_size": np.array([1.0, 1, 1, 1, -2.0])}, "bid_size is -2 in row 5"),
        ({"conid": np.array([11, 22, 11, 33, 11])}, "conid 33 in row 4 is not among"),
        ({"conid": np.array([33] * 5)}, "conid 33 in row 1 is not among"),
        ({"conid": np.array([11] * 5, np.int32)}, "column conid is int32, not int64"),
        ({"bid": np.array([1.0, 1, 1e300, 1, 1])}, "bid is 1e[+]300 in row 3, beyond all reason"),
        ({"ask_size": np.array([1.0, 1, 1e16, 1, 1])}, "ask_size is 1e[+]16 in row 3, beyond all reason"),
        ({"extra": np.zeros(5)}, "column extra does not belong to quotes"),
        ({"bid": pa.array([1.0, None, 1.0, 1.0, 1.0])}, "bid is absent in row 2"),
        ({"ts_ns": np.arange(5) + DAY_NS + NS_PER_DAY}, "another UTC day than 2024-01-02"),
    ],
)
def test_a_bad_parquet_file_is_named_with_its_row(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    path = parquet(start(tmp_path), changes)
    with pytest.raises(RecordingError, match=sentence) as caught:
        list(open_recording(tmp_path).chunks())
    assert str(path) in str(caught.value)


def test_nan_is_an_absent_side_of_a_quote_and_no_trade_price(tmp_path: Path) -> None:
    root = start(tmp_path)
    with RecordingWriter(root) as writer:
        writer.append(Kind.QUOTES, block(Kind.QUOTES, [quote(DAY_NS, bid=math.nan)]))
        with pytest.raises(RecordingError, match="price is NaN in row 1"):
            writer.append(Kind.TRADES, block(Kind.TRADES, [(DAY_NS, 11, math.nan, 1.0, False)]))
        with pytest.raises(RecordingError, match="trading is 'shut' in row 1"):
            writer.append(Kind.STATUS, block(Kind.STATUS, [(DAY_NS, 11, "shut")]))
    assert math.isnan(next(open_recording(root).chunks()).kinds[Kind.QUOTES]["bid"][0])


def test_a_cut_off_or_corrupt_parquet_file_is_named(tmp_path: Path) -> None:
    path = parquet(start(tmp_path), {})
    whole = path.read_bytes()
    for bad in (whole[: len(whole) // 2], b"", b"not at all", whole[:8] + b"\0" * 40 + whole[48:]):
        path.write_bytes(bad)
        with pytest.raises(RecordingError) as caught:
            list(open_recording(tmp_path).chunks())
        assert str(path) in str(caught.value)
    path.unlink()
    other = path.with_name("2024-01-02.part-0001.arrows")
    other.write_bytes(b"PAR1 something else")
    with pytest.raises(RecordingError, match="is no Arrow stream"):
        open_recording(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("format_version = 9", "format_version is 9"),
        ("format_version = 1\ntimezone = 'UTC'", "unknown key 'timezone' .did you mean time_zone"),
        ("format_version = 1\ntime_zone = 'America/New_Yrok'", "did you mean America/New_York"),
        ("format_version = 1\nname = 3", "name must be a text, not 3"),
        ("format_version = 1\n[[instruments]]\nsymbol = 'X'", r"instruments\[0\]: conid is missing"),
        ("format_version = 1\n[[instruments]]\nconid = 1\nsymbol = 'X'\nsec_type = 'stock'", "sec_type is 'stock'"),
        ("format_version = 1\n[[instruments]]\nconid = 1\nsymbol = 'X'\nmultiplier = 'x'", "'x' is no number"),
        ("format_version = 1\n[[instruments]]\nconid = 1\nsymbol = 'X'\nmultiplier = 0", "must be above zero"),
        ("format_version = 1\ninstruments = [{conid = 1, symbol = 'X'}, {conid = 1, symbol = 'Y'}]",
         "two instruments have the conid 1"),
        ("format_version = ", "is no TOML"),
    ],
)  # fmt: skip
def test_a_bad_head_is_named_with_its_key(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "recording.toml").write_text(text)
    with pytest.raises(RecordingError, match=sentence) as caught:
        open_recording(tmp_path)
    assert str(tmp_path / "recording.toml") in str(caught.value)


def test_no_recording_at_all(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such recording folder"):
        open_recording(tmp_path / "absent")
    with pytest.raises(RecordingError, match=r"has no recording\.toml"):
        open_recording(tmp_path)
    start(tmp_path)
    with pytest.raises(RecordingError, match="holds no rows"):
        open_recording(tmp_path).span()
    (tmp_path / "quotes").mkdir()
    (tmp_path / "quotes/notes.txt").write_text("x")
    with pytest.raises(
        RecordingError,
        match=r"notes\.txt: does not belong there: the files of a recording are named YYYY-MM-DD\.parquet",
    ):
        open_recording(tmp_path)


def test_a_future_may_trade_below_zero(tmp_path: Path) -> None:
    oil = Instrument(conid=44, symbol="CL", sec_type=SecType.FUTURE)
    root = start(tmp_path, [A, oil])
    with RecordingWriter(root) as writer:
        writer.append(Kind.TRADES, block(Kind.TRADES, [(DAY_NS, 44, -37.63, 1.0, False)]))
        with pytest.raises(RecordingError, match="price is -1 in row 2"):
            writer.append(
                Kind.TRADES, block(Kind.TRADES, [(DAY_NS, 44, -2.0, 1.0, False), (DAY_NS, 11, -1.0, 1.0, False)])
            )


def test_the_schemas_are_those_of_the_domain() -> None:
    assert SCHEMAS[Kind.QUOTES].names == ["ts_ns", "conid", "bid", "ask", "bid_size", "ask_size"]
    assert SCHEMAS[Kind.BARS].field("complete").type == pa.bool_()
    assert SCHEMAS[Kind.STATUS].field("trading").type == pa.string()


@pytest.mark.parametrize(
    ("ratio", "new", "old"), [("7", "7", "1"), ('"1/3"', "1", "3"), ('"3 / 2"', "3", "2"), ("0.5", "0.5", "1")]
)
def test_a_ratio_is_a_number_or_new_over_old(tmp_path: Path, ratio: str, new: str, old: str) -> None:
    (tmp_path / ACTIONS_FILE).write_text(f"[[splits]]\nconid = 11\nday = 2024-01-03\nratio = {ratio}\n")
    (split,) = read_actions(tmp_path).splits
    assert (split.new, split.old) == (Decimal(new), Decimal(old))


@pytest.mark.parametrize("ratio", ['"1/0"', '"0/3"', '"1/2/3"', '"a/b"', '"/"', "0", "-1", "[1, 3]"])
def test_a_ratio_that_is_none_is_refused(tmp_path: Path, ratio: str) -> None:
    (tmp_path / ACTIONS_FILE).write_text(f"[[splits]]\nconid = 11\nday = 2024-01-03\nratio = {ratio}\n")
    with pytest.raises(RecordingError, match=r"splits\[0\].*ratio"):
        read_actions(tmp_path)


def test_a_damaged_mark_of_sealing_is_told(tmp_path: Path) -> None:
    path = parquet(start(tmp_path), {})
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"fullticket.sealed_through": "@"}), path)
    with pytest.raises(RecordingError, match="is no whole Parquet file"):
        open_recording(tmp_path)
