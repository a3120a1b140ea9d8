"""Imports: against a row-by-row importer too plain to be wrong, every wrong input, and all or nothing."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.market import Kind
from engine.errors import RecordingError
from engine.recording.importing import Summary, import_files
from engine.recording.naming import symbol_in
from engine.recording.nbbo import Nbbo, PairedBest, comes_in_pairs
from engine.recording.reader import open_recording
from engine.recording.stamps import length_ns

from .made import events

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NEW_YORK = "America/New_York"


def rows_in(root: Path, kind: Kind) -> list[Any]:
    return [event for chunk in open_recording(root).chunks(kinds=frozenset({kind})) for event in events(chunk)]


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


# Stamps in milliseconds since midnight, prices in ten-thousandths, 0 for no side: as tick files have them.
tick_rows = st.lists(
    st.tuples(
        st.integers(0, 3),  # ms after the row before
        st.sampled_from([0, 1836300, 1836400, 99999, 1]),
        st.integers(0, 900),
        st.sampled_from([0, 1836500, 1836600, 3]),
        st.integers(0, 900),
        st.sampled_from(["Q", "P", "N"]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    min_size=1,
    max_size=40,
)


@SLOW
@given(tick_rows, st.booleans())
def test_quotes_are_those_of_a_plain_loop(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]], nbbo: bool
) -> None:
    folder = tmp_path_factory.mktemp("import")
    text, plain = io.StringIO(), []
    now_ms = 14_400_000
    midnight = datetime(2013, 10, 7, tzinfo=ZoneInfo(NEW_YORK))
    standing: dict[str, list[tuple[float, float]]] = {}
    said = (math.nan, math.nan, math.nan, math.nan)
    for step, bid, bid_size, ask, ask_size, exchange, suspicious in rows:
        now_ms += step
        text.write(f"{now_ms},{bid},{bid_size},{ask},{ask_size},{exchange},{suspicious}\n")
        ts_ns = int(midnight.timestamp()) * 10**9 + now_ms * 10**6
        if suspicious:
            continue
        if not nbbo:
            plain.append(
                (
                    ts_ns,
                    float(Fraction(bid, 10_000)) if bid else math.nan,
                    float(Fraction(ask, 10_000)) if ask else math.nan,
                    bid_size if bid else math.nan,
                    ask_size if ask else math.nan,
                )
            )
            continue
        sides = standing.setdefault(str(exchange), [(math.nan, 0.0), (math.nan, 0.0)])
        for side, price, size in ((0, bid, bid_size), (1, ask, ask_size)):
            if price:
                sides[side] = (float(Fraction(price, 10_000)) if size else math.nan, size)
        best = []
        for side, choose in ((0, max), (1, min)):
            prices = [quote[side][0] for quote in standing.values() if not math.isnan(quote[side][0])]
            if prices:
                top = choose(prices)
                best.append((top, sum(quote[side][1] for quote in standing.values() if quote[side][0] == top)))
            else:
                best.append((math.nan, math.nan))
        now = (best[0][0], best[1][0], best[0][1], best[1][1])
        if not all(same(one, other) for one, other in zip(now, said, strict=True)):
            plain.append((ts_ns, *now))
        said = now
    path = folder / "20131007_ibm.csv"
    path.write_text(text.getvalue())
    summary = import_files(
        [path],
        folder / "out",
        kind="quotes",
        header=False,
        columns="ts=0,bid=1,bid_size=2,ask=3,ask_size=4,exchange=5,suspicious=6",
        date_from="from-name",
        tz=NEW_YORK,
        price_scale="0.0001",
        nbbo=nbbo,
    )
    got = [(e.ts_ns, e.bid, e.ask, e.bid_size, e.ask_size) for e in rows_in(folder / "out", Kind.QUOTES)]
    assert len(got) == len(plain)
    assert all(same(a, b) for one, other in zip(got, plain, strict=True) for a, b in zip(one, other, strict=True))
    assert summary.read == len(rows)
    assert summary.kept == len(plain)
    assert summary.read == summary.kept + sum(summary.dropped.values())
    assert summary.crossed == sum(row[1] > row[2] for row in plain) * nbbo
    assert summary.locked == sum(row[1] == row[2] for row in plain) * nbbo


@SLOW
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ABC"), st.sampled_from([0.0, 9.0, 10.0, 11.0]),
                       st.sampled_from([0.0, 9.0, 10.0, 11.0]), st.integers(0, 3)), max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
)  # fmt: skip
def test_the_best_quote_is_the_same_however_rows_are_cut(rows: list[tuple[Any, ...]], cuts: list[int]) -> None:
    day = np.cumsum(np.array([row[0] == 2 for row in rows], np.int64))
    columns = [np.array([float(row[i]) for row in rows]) for i in (2, 3, 4, 4)]
    names = [row[1] for row in rows]
    for made in (Nbbo, PairedBest):
        at, best = made().fold(day, names, *columns)
        state = made()
        edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
        parts = []
        for start, stop in pairwise(edges):
            rows_at, values = state.fold(day[start:stop], names[start:stop], *(c[start:stop] for c in columns))
            parts.append((rows_at + start, values))
        assert np.concatenate([np.empty(0), *(rows_at for rows_at, _ in parts)]).tolist() == at.tolist()
        assert np.array_equal(np.concatenate([np.empty((0, 4)), *(v for _, v in parts)]), best, equal_nan=True)


def test_quotes_of_yesterday_do_not_stand_today() -> None:
    day = np.array([1, 1, 2])
    bid, ask = np.array([10.0, 0.0, 9.0]), np.array([0.0, 10.5, 0.0])
    sizes = np.array([1.0, 1.0, 1.0])
    at, best = Nbbo().fold(day, ["A", "B", "C"], bid, ask, sizes, sizes)
    assert at.tolist() == [0, 1, 2]
    assert best[2, 0] == 9.0
    assert math.isnan(best[2, 1])


def test_pairs_of_best_quotes_are_told_from_quotes_by_exchange() -> None:
    count = 400
    pair = np.repeat(np.arange(count // 2), 2)
    bids, asks = np.arange(count) % 2 == 0, np.arange(count) % 2 == 1
    one = np.array(list("QQPPQP") * 100, object)[:count]
    own = np.repeat(np.array(list("QPN") * 100, object), 2)[:count]
    assert comes_in_pairs(pair, one, bids, asks)  # pairs of two exchanges
    assert not comes_in_pairs(pair, own, bids, asks)  # an exchange's own quote in two rows
    assert not comes_in_pairs(np.arange(count), one, bids, asks)  # no pairs
    assert not comes_in_pairs(pair[:50], one[:50], bids[:50], asks[:50])  # too few to say
    # The newest of each side counts, and only whole pairs speak: P's better offer does not outlive Q's next one.
    day = np.ones(6, np.int64)
    bid = np.array([10.0, 0, 10.0, 0, 10.0, 0])
    ask = np.array([0, 10.2, 0, 10.1, 0, 10.2])
    at, best = PairedBest().fold(day, list("QQQPQQ"), bid, ask, bid * 10, ask * 10)
    assert at.tolist() == [1, 3, 5]
    assert best[:, 1].tolist() == [10.2, 10.1, 10.2]


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


BARS = "timestamp,open,high,low,close,volume\n2024-03-08 14:30:00,1,3,1,2,10\n2024-03-11 13:30:00,2,2,2,2,0\n"


@pytest.mark.parametrize(("stamp", "later_s"), [("open", 60), (None, 60), ("close", 0)])
def test_a_bar_is_known_at_its_end(tmp_path: Path, stamp: str | None, later_s: int) -> None:
    import_files([put(tmp_path, "xyz.csv", BARS)], tmp_path / "out", kind="bars", bar="1m", stamp=stamp)
    first = datetime.fromisoformat("2024-03-08T14:30:00+00:00") + timedelta(seconds=later_s)
    bar = rows_in(tmp_path / "out", Kind.BARS)[0]
    assert bar.ts_ns == int(first.timestamp()) * 10**9
    assert (bar.span_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.complete) == (
        60 * 10**9, 1.0, 3.0, 1.0, 2.0, 10.0, True
    )  # fmt: skip


def test_local_stamps_follow_the_clock_change(tmp_path: Path) -> None:
    # New York went to summer time on 2024-03-10: 09:30 is 14:30 UTC before and 13:30 after.
    text = "time,price,size\n2024-03-08 09:30:00.5,1,1\n2024-03-11 09:30:00.5,1,1\n"
    import_files([put(tmp_path, "a.csv", text)], tmp_path / "iso", kind="trades", tz=NEW_YORK)
    for day in ("2024-03-08", "2024-03-11"):
        put(tmp_path, f"abc_{day}.csv", "time,price,size\n34200500,1,1\n")
    files = sorted(tmp_path.glob("abc_*.csv"))
    import_files(files, tmp_path / "ms", kind="trades", tz=NEW_YORK, date_from="from-name", ts_unit="ms")
    wanted = [
        int(datetime.fromisoformat(text).timestamp()) * 10**9 + 500_000_000
        for text in ("2024-03-08T14:30:00+00:00", "2024-03-11T13:30:00+00:00")
    ]
    assert [e.ts_ns for e in rows_in(tmp_path / "iso", Kind.TRADES)] == wanted
    assert [e.ts_ns for e in rows_in(tmp_path / "ms", Kind.TRADES)] == wanted


@pytest.mark.parametrize(
    ("stamp", "unit"),
    [
        ("1709908200123456789", "ns"),
        ("1709908200123456", "us"),
        ("1709908200123", "ms"),
        ("1709908200.123456789", "s"),
        ("1709908200", None),
        ("2024-03-08T14:30:00.123456789Z", None),
        ("2024-03-08 09:30:00.123-05:00", "iso"),
        ("20240308 14:30", None),
    ],
)
def test_every_unit_of_stamps(tmp_path: Path, stamp: str, unit: str | None) -> None:
    import_files(
        [put(tmp_path, "a.csv", f"ts,price,size\n{stamp},1,1\n")], tmp_path / "out", kind="trades", ts_unit=unit
    )
    kept = {"us": 123_456_000, "ms": 123_000_000}.get(unit or "", 123_456_789)
    fraction = 0 if "123" not in stamp else 123_000_000 if stamp.endswith("123-05:00") else kept
    assert rows_in(tmp_path / "out", Kind.TRADES)[0].ts_ns == 1_709_908_200 * 10**9 + fraction


def test_times_of_day_count_from_the_date(tmp_path: Path) -> None:
    path = put(tmp_path, "abc_20240308.csv", "time,price,size\n09:30:00.25,1,1\n15:59:59,1,1\n")
    import_files([path], tmp_path / "out", kind="trades", tz=NEW_YORK, date_from="from-name")
    assert [e.ts_ns for e in rows_in(tmp_path / "out", Kind.TRADES)] == [
        int(datetime.fromisoformat("2024-03-08T14:30:00+00:00").timestamp()) * 10**9 + 250_000_000,
        int(datetime.fromisoformat("2024-03-08T20:59:59+00:00").timestamp()) * 10**9,
    ]


def test_gz_zip_and_parquet_say_the_same_as_csv(tmp_path: Path) -> None:
    text = "ts,symbol,price,size\n1709908200000000000,AAA,1.5,10\n1709908200000000000,BBB,2.5,20\n"
    put(tmp_path, "t.csv", text)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("inside.csv", text)
        archive.writestr("__MACOSX/._inside.csv", "not data")
    table = pa.table({"ts": [1709908200 * 10**9] * 2, "symbol": ["AAA", "BBB"], "price": [1.5, 2.5], "size": [10, 20]})
    pq.write_table(table, tmp_path / "t.parquet")
    pq.write_table(table.set_column(0, "ts", table["ts"].cast(pa.timestamp("ns", "UTC"))), tmp_path / "stamped.parquet")
    seen = []
    for name in ("t.csv", "t.csv.gz", "t.zip", "t.parquet", "stamped.parquet"):
        import_files([tmp_path / name], tmp_path / f"out-{name}", kind="trades", ts_unit="ns")
        seen.append(rows_in(tmp_path / f"out-{name}", Kind.TRADES))
    assert [(e.price, e.size) for e in seen[0]] == [(1.5, 10.0), (2.5, 20.0)]
    assert all(other == seen[0] for other in seen)


def test_a_second_kind_and_a_second_share_join_the_recording(tmp_path: Path) -> None:
    out = tmp_path / "out"
    put(tmp_path, "one.toml", 'conid = 7\nsymbol = "AAA"\nprice_ticks = [["0", "0.05"]]\n')
    put(tmp_path, "aaa_q.csv", "ts,bid,ask\n1709908200000000001,1,2\n1709908200000000003,1,2\n")
    put(tmp_path, "aaa_t.csv", "ts,price,size\n1709908200000000002,1,1\n")
    put(tmp_path, "bbb_q.csv", "ts,bid,ask\n1709908200000000002,5,6\n1709908200000000003,5,6\n")
    import_files([tmp_path / "aaa_q.csv"], out, kind="quotes", instrument=tmp_path / "one.toml")
    (out / "notes.txt").write_text("mine")
    import_files([tmp_path / "aaa_t.csv"], out, kind="trades")  # AAA is known by now
    summary = import_files([tmp_path / "bbb_q.csv"], out, kind="quotes")
    recording = open_recording(out)
    other = next(one for one in recording.instruments.values() if one.symbol == "BBB")
    assert recording.instruments[7].price_ticks[0].tick == Decimal("0.05")
    assert "made-up conid" in summary.notes[0]
    got = [(e.ts_ns % 10, e.conid) for e in rows_in(out, Kind.QUOTES)]
    assert got == [(1, 7), (2, other.conid), (3, 7), (3, other.conid)]
    assert [e.conid for e in rows_in(out, Kind.TRADES)] == [7]
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(RecordingError, match=r"at times that .* covers too"):
        import_files([tmp_path / "bbb_q.csv"], out, kind="quotes")


def test_days_may_come_in_any_order(tmp_path: Path) -> None:
    # A New York day reaches past midnight UTC in winter, so neighbouring days share a UTC day.
    for day in ("2024-01-03", "2024-01-04", "2024-01-05"):
        put(tmp_path, f"x_{day}.csv", f"ts,price,size\n{day} 09:30:00,1,1\n{day} 19:30:00,2,1\n")
    for day in ("2024-01-05", "2024-01-03", "2024-01-04"):
        import_files([tmp_path / f"x_{day}.csv"], tmp_path / "out", kind="trades", tz=NEW_YORK)
    times = [e.ts_ns for e in rows_in(tmp_path / "out", Kind.TRADES)]
    assert len(times) == 6
    assert times == sorted(times)


HEAD = "ts,price,size\n1709908200000000000,1,1\n"


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (HEAD + "1709908200000000001,x,1\n", {}, "line 3: price is 'x', not a number"),
        (HEAD + "1709908200000000001,nan,1\n", {}, "line 3: price is nan, which is no price"),
        (HEAD + "1709908200000000001,-2,1\n", {}, "line 3: price is -2, which is no price"),
        (HEAD + "1709908200000000001,0,1\n", {}, "line 3: price is 0, which is no price"),
        (HEAD + "1709908200000000001,,1\n", {}, "line 3: price is empty, which is no price"),
        (HEAD + "1709908200000000001,inf,1\n", {}, "line 3: price is inf, which is no price"),
        (HEAD + "1709908200000000001,1,-1\n", {}, "line 3: size is -1, which is no size"),
        (HEAD + "1709908200000000001,1\n", {}, "line 3: has 2 columns, not 3"),
        (HEAD + "\n\n1709908199000000001,1,1\n", {}, "line 5: time goes back"),
        (HEAD + "tomorrow,1,1\n", {}, "line 3: 'tomorrow' is no stamp in ns"),
        (HEAD + ",1,1\n", {}, "line 3: the stamp is empty"),
        ("", {}, "is empty"),
        ("ts,price,size\n", {}, "holds no rows"),
        ("ts,price\n1,1\n", {}, "no column for size"),
        (HEAD, {"columns": "price=cost"}, "there is no column 'cost'; the header has ts, price, size"),
        (HEAD, {"columns": "price=9"}, "there is no column 9, the last is 2"),
        (HEAD, {"columns": "cost=1"}, "the name 'cost'"),
        (HEAD, {"columns": "price"}, "which is not NAME=COLUMN"),
        (HEAD, {"tz": "Amerika/New_York"}, "did you mean America/New_York"),
        (HEAD, {"ts_unit": "min"}, "--ts-unit min is none of"),
        (HEAD, {"price_scale": "-1"}, "--price-scale -1 is no number above zero"),
        (HEAD, {"kind": "ticks"}, "--kind ticks is none of"),
        (HEAD, {"kind": "bars"}, "bars need their length"),
        (HEAD, {"bar": "1m"}, "--bar and --stamp belong to --kind bars"),
        (HEAD, {"nbbo": True}, "--nbbo belongs to --kind quotes"),
        (HEAD, {"form": "xls"}, "--format xls is none of"),
        (HEAD, {"date_from": "from-name"}, "the file name has no date"),
        (HEAD, {"date_from": "2024-13-01"}, "--date 2024-13-01 is neither"),
        (HEAD, {"header": False}, "a file without header needs --columns"),
        (
            "ts,open,high,low,close\n2024-01-02 14:30,1,2,1,3\n",
            {"kind": "bars", "bar": "1m"},
            "line 2: the bar contradicts itself",
        ),
        ("ts,open,high,low,close\n2024-01-02 14:30,1,2,1,1\n", {"kind": "bars", "bar": "soon"}, "--bar soon is no"),
        ("ts,open,high,low,close\n2024-01-02,1,2,1,1\n", {"kind": "bars", "bar": "9" * 30 + "d"}, "is longer than 366"),
        (HEAD + "1709908200000000001,1e300,1\n", {}, "line 3: price is 1e+300, beyond all reason"),
        (HEAD + "1709908200000000001,1,1e17\n", {}, "line 3: size is 1e+17, beyond all reason"),
        (HEAD + "1709908200000000001,500,1\n", {"price_scale": "1e10"}, "line 3: price is 5e+12, beyond all reason"),
        (HEAD, {"price_scale": "1e300"}, "--price-scale 1e300 is beyond all reason"),
        (HEAD, {"ts_unit": "s"}, "line 2: '1609908200000000000' is no stamp in s"),
        (HEAD + f"{'9' * 40},1,1\n", {}, f"line 3: '{'9' * 40}' is no stamp in ns"),
        ("ts,price,size\n1962-01-02 15:00,1,1\n", {}, "line 2: 1962-01-02 15:00 in iso is before 1970"),
        (
            "ts,price,size\n2024-03-10 01:59:59,1,1\n2024-03-10 02:30:00,1,1\n",
            {"tz": NEW_YORK},
            "line 3: 2024-03-10 02:30:00 never was in America/New_York, whose clock is put forward over it",
        ),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence_and_changes_nothing(
    tmp_path: Path, text: str, options: dict[str, Any], sentence: str
) -> None:
    out = tmp_path / "out"
    good = put(tmp_path, "good.csv", "ts,price,size\n1609908200000000000,1,1\n")
    import_files([good], out, kind="trades")
    before = open_recording(out).digest()
    bad = put(tmp_path, "abc.csv", text)
    with pytest.raises(RecordingError, match=re.escape(sentence)):
        import_files([bad] if "bars" in options.values() else [good, bad], out, **{"kind": "trades", **options})
    assert open_recording(out).digest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["abc.csv", "good.csv", "out"]


def test_a_bad_row_far_into_a_file_has_its_line(tmp_path: Path) -> None:
    lines = [f"{1709908200000000000 + n},1.25,100" for n in range(120_000)]
    lines[99_999] = lines[99_999].replace("1.25", "-1.25")
    path = put(tmp_path, "abc.csv", "ts,price,size\n" + "\n".join(lines))
    with pytest.raises(RecordingError, match=r"abc\.csv, line 100001: price is -1\.25"):
        import_files([path], tmp_path / "out", kind="trades")
    lines[99_999] = lines[99_999].replace("-1.25", "what")
    put(tmp_path, "abc.csv", "ts,price,size\n" + "\n".join(lines))
    with pytest.raises(RecordingError, match=r"abc\.csv, line 100001: price is 'what'"):
        import_files([path], tmp_path / "out", kind="trades")
    assert not (tmp_path / "out").exists()


def test_damaged_archives_and_missing_files(tmp_path: Path) -> None:
    text = "ts,price,size\n" + "".join(f"{1709908200000000000 + n * 7919},{n % 97 + 1},{n}\n" for n in range(30_000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode())[:-2000])
    (tmp_path / "b.csv.gz").write_bytes(b"no gzip at all")
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
    whole = (tmp_path / "c.zip").read_bytes()
    (tmp_path / "d.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "e.zip").write_bytes(whole[:20_000] + bytes(500) + whole[20_500:])
    with zipfile.ZipFile(tmp_path / "f.zip", "w"):
        pass
    (tmp_path / "g.parquet").write_bytes(b"PAR1PAR1")
    (tmp_path / "h.csv").write_bytes(b"ts,price,size\n1,\xff\xfe,1\n")
    for name, sentence in (
        ("a.csv.gz", "cut off or damaged"),
        ("b.csv.gz", "cut off or damaged"),
        ("d.zip", "is no whole zip archive"),
        ("e.zip", "cut off or damaged"),
        ("f.zip", "the archive is empty"),
        ("g.parquet", "is no whole Parquet file"),
        ("h.csv", "is no UTF-8 text"),
        ("absent.csv", "there is no such file"),
    ):
        with pytest.raises(RecordingError, match=sentence) as caught:
            import_files([tmp_path / name], tmp_path / "out", kind="trades", ts_unit="ns")
        assert name in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_another_folder_is_left_alone_and_a_broken_off_swap_is_mended(tmp_path: Path) -> None:
    source = put(tmp_path, "abc.csv", HEAD)
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    with pytest.raises(RecordingError, match="is not a recording"):
        import_files([source], out, kind="trades")
    (out / "letter.txt").unlink()
    import_files([source], out, kind="trades")
    out.rename(tmp_path / ".out.before-import")  # a crash between the two renames
    later = put(tmp_path, "abc2.csv", "ts,price,size\n1709908200000000009,1,1\n")
    import_files([later], out, kind="trades", instrument=None)
    assert open_recording(out).rows == {Kind.TRADES: 2}


def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(tmp_path, "abc.csv", HEAD)
    put(tmp_path, "file", "")
    with pytest.raises(RecordingError, match="can't be written"):
        import_files([source], tmp_path / "file" / "out", kind="trades")
    with pytest.raises(RecordingError, match="is a file, not a folder"):
        import_files([source], tmp_path / "file", kind="trades")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    import_files([source], Path(), kind="trades")
    assert open_recording(tmp_path / "here").rows == {Kind.TRADES: 1}


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("20131007_ibm_Quote_Tick.csv", "IBM"),
        ("fxy_1min_2023-07_2025-07.csv.gz", "FXY"),
        ("usdjpy-ticks.csv", "USDJPY"),
        ("20131007_quote.zip", None),
    ],
)
def test_symbols_are_found_in_file_names(name: str, symbol: str | None) -> None:
    assert symbol_in(name) == symbol


def test_lengths_of_bars() -> None:
    assert [length_ns(text) // 10**9 for text in ("1m", "5min", "30s", "1h", "1d", "2 days", "minute")] == [
        60, 300, 30, 3600, 86_400, 172_800, 60
    ]  # fmt: skip


DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real recordings is not there")


def lines_of(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    return list(csv.reader(text.splitlines()))


@needs_data
def test_two_days_of_ibm_ticks(tmp_path: Path) -> None:
    folder = DATA / "equity-ticks" / "ibm"
    common: dict[str, Any] = {"header": False, "date_from": "from-name", "tz": NEW_YORK, "price_scale": "0.0001"}
    quotes: Summary = import_files(
        sorted(folder.glob("*_quote.zip")), tmp_path / "ibm", kind="quotes", nbbo=True, **common,
        columns="ts=0,bid=1,bid_size=2,ask=3,ask_size=4,exchange=5,suspicious=7",
    )  # fmt: skip
    trades = import_files(
        sorted(folder.glob("*_trade.zip")), tmp_path / "ibm", kind="trades", **common,
        columns="ts=0,price=1,size=2,suspicious=5",
    )  # fmt: skip
    assert quotes.read == 109_067 + 125_750
    assert trades.read == 24_293 + 33_381
    assert trades.kept == 57_674
    # The newest bid and ask of each pair of rows, by hand.
    wanted = 0
    for path in sorted(folder.glob("*_quote.zip")):
        sides: dict[str, tuple[str, str]] = {}
        said = None
        for row in lines_of(path):
            if row[7] == "1":
                continue
            if row[1] != "0":
                sides["bid"] = (row[1], row[2])
            if row[3] != "0":
                sides["ask"] = (row[3], row[4])
                wanted += sides != said
                said = dict(sides)
    assert quotes.kept == wanted
    assert quotes.crossed < 0.001 * quotes.kept
    prices = [e.price for e in rows_in(tmp_path / "ibm", Kind.TRADES)]
    first = lines_of(folder / "20131007_trade.zip")[0]
    assert prices[0] == float(Decimal(first[1]) / 10_000)


@needs_data
def test_two_years_of_fxy_minutes(tmp_path: Path) -> None:
    source = DATA / "equity-minute" / "fxy_1min_2023-07_2025-07.csv.gz"
    import_files([source], tmp_path / "fxy", kind="bars", bar="1m", stamp="open", tz="UTC")
    bars = rows_in(tmp_path / "fxy", Kind.BARS)
    assert len(bars) == 78_974
    first = datetime.fromisoformat("2023-07-10T13:06:00+00:00")
    assert bars[0].ts_ns == int(first.timestamp()) * 10**9
    with gzip.open(source, "rt") as text:
        closes = [float(row["close"]) for row in csv.DictReader(text)]
    assert [bar.close for bar in bars] == closes


@needs_data
def test_aapl_minutes_daily_bars_and_yen(tmp_path: Path) -> None:
    columns = "ts=0,open=1,high=2,low=3,close=4,volume=5"
    minutes = import_files(
        sorted((DATA / "equity-minute" / "aapl").glob("*_trade.zip")), tmp_path / "aapl", kind="bars", bar="1m",
        header=False, columns=columns, date_from="from-name", tz=NEW_YORK, price_scale="0.0001",
    )  # fmt: skip
    assert minutes.kept == 686 + 783 + 834
    daily = import_files(
        [DATA / "equity-daily" / "goog.zip"], tmp_path / "goog", kind="bars", bar="1d",
        header=False, columns=columns, tz=NEW_YORK, price_scale="0.0001",
    )  # fmt: skip
    assert daily.kept == 4_183
    yen = import_files([DATA / "fx-quotes" / "usdjpy-ticks.csv"], tmp_path / "yen", kind="quotes")
    assert yen.kept == 1_000
    first = rows_in(tmp_path / "yen", Kind.QUOTES)[0]
    assert (first.bid, first.ask) == (86.655, 86.728)
    assert math.isnan(first.bid_size)


def test_parquet_with_texts_that_are_no_texts(tmp_path: Path) -> None:
    bad = pa.array([b"\xcd\x00"], pa.binary()).view(pa.string())
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"ts": bad, "price": [1.0], "size": [1.0]}), path)
    with pytest.raises(RecordingError, match=r"a\.parquet: holds a text that is no UTF-8"):
        import_files([path], tmp_path / "out", kind="trades")
