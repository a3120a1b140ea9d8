"""Bars of a day or longer lie in one file a year; readers get the rows that day files would have given them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE
from engine.errors import RecordingError
from engine.recording.importing import import_files
from engine.recording.layout import rows_of
from engine.recording.reader import open_recording
from engine.recording.writer import RecordingWriter

from .made import block, events, start

Row = tuple[Any, ...]


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]


def daily(folder: Path, symbol: str, when: Sequence[date], price: float = 10.0) -> Path:
    """A CSV file of one bar a day, each a cent above the one before."""
    lines = [
        f"{day},{price + n / 100:.2f},{price + n / 100:.2f},{price:.2f},{price:.2f},5" for n, day in enumerate(when)
    ]
    path = folder / f"{symbol}.csv"
    path.write_text("\n".join(("date,open,high,low,close,volume", *lines)) + "\n")
    return path


def minutes(folder: Path, symbol: str, day: date, count: int) -> Path:
    lines = [f"{day} 15:{n:02d}:00,10,10,10,10,5" for n in range(count)]
    path = folder / f"{symbol}.csv"
    path.write_text("\n".join(("date,open,high,low,close,volume", *lines)) + "\n")
    return path


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "bars").iterdir())


def rows(root: Path) -> list[Row]:
    found: list[Row] = []
    for part in open_recording(root).blocks(Kind.BARS):
        found += [tuple(part[name][n].item() for name in part) for n in range(rows_of(part))]
    return found


def ends(when: Sequence[date], span_ns: int = NS_PER_DAY) -> list[int]:
    return [int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) * 10**9 + span_ns for d in when]


def test_decades_of_daily_bars_are_one_file_a_year(tmp_path: Path) -> None:
    when = days(date(1999, 12, 25), 400)
    summary = import_files([daily(tmp_path, "AAA", when)], tmp_path / "r", kind="bars", bar="1d")
    assert names(tmp_path / "r") == ["1999.parquet", "2000.parquet", "2001.parquet"]
    assert (summary.days[0], summary.days[-1]) == ("1999-12-26", str(when[-1] + timedelta(days=1)))
    assert [row[0] for row in rows(tmp_path / "r")] == ends(when)  # a bar is stamped with its end


def test_a_second_instrument_joins_the_years(tmp_path: Path) -> None:
    when = days(date(2020, 6, 1), 300)
    for symbol in ("AAA", "BBB"):
        import_files([daily(tmp_path, symbol, when)], tmp_path / "r", kind="bars", bar="1d")
    assert names(tmp_path / "r") == ["2020.parquet", "2021.parquet"]
    assert [row[0] for row in rows(tmp_path / "r")] == sorted(ends(when) * 2)
    with pytest.raises(RecordingError, match="covers too"):
        import_files([daily(tmp_path, "AAA", when[:2])], tmp_path / "r", kind="bars", bar="1d")


def test_minute_bars_part_the_year_they_fall_in_into_days(tmp_path: Path) -> None:
    when = days(date(2020, 12, 20), 20)
    import_files([daily(tmp_path, "AAA", when)], tmp_path / "r", kind="bars", bar="1d")
    before = rows(tmp_path / "r")
    import_files([minutes(tmp_path, "BBB", date(2021, 1, 4), 3)], tmp_path / "r", kind="bars", bar="1m")
    assert names(tmp_path / "r") == ["2020.parquet", *(f"2021-01-{n:02d}.parquet" for n in range(1, 10))]
    added = [row for row in rows(tmp_path / "r") if row not in before]
    assert [row[0] for row in added] == [
        ends([date(2021, 1, 4)], 15 * 60 * NS_PER_MINUTE + n * NS_PER_MINUTE)[0] for n in (1, 2, 3)
    ]
    assert sorted(row for row in rows(tmp_path / "r") if row not in added) == before
    # Where a year lies in day files, daily bars join those.
    import_files([daily(tmp_path, "CCC", when[-3:])], tmp_path / "r", kind="bars", bar="1d")
    assert names(tmp_path / "r")[0] == "2020.parquet"
    assert "2021.parquet" not in names(tmp_path / "r")
    assert [row[0] for row in rows(tmp_path / "r")] == sorted(row[0] for row in rows(tmp_path / "r"))


def test_bars_may_be_appended_after_a_year_file(tmp_path: Path) -> None:
    when = days(date(2020, 1, 1), 5)
    import_files([daily(tmp_path, "AAA", when)], tmp_path / "r", kind="bars", bar="1d")
    conid = rows(tmp_path / "r")[0][1]
    late, early = (
        block(Kind.BARS, [(stamp, conid, NS_PER_DAY, 1.0, 1.0, 1.0, 1.0, 1.0, True)])
        for stamp in ends([date(2020, 3, 1), date(2020, 1, 2)])
    )
    with RecordingWriter(tmp_path / "r") as writer:
        writer.append(Kind.BARS, late)
        with pytest.raises(RecordingError, match="time goes back"):
            writer.append(Kind.BARS, early)
    assert [row[0] for row in rows(tmp_path / "r")] == ends([*when, date(2020, 3, 1)])


def test_a_year_file_of_another_kind_or_year_is_refused(tmp_path: Path) -> None:
    import_files([daily(tmp_path, "AAA", days(date(2020, 1, 1), 3))], tmp_path / "r", kind="bars", bar="1d")
    (tmp_path / "r/bars/2020.parquet").rename(tmp_path / "r/bars/2021.parquet")
    with pytest.raises(RecordingError, match="holds rows of another UTC year than 2021"):
        open_recording(tmp_path / "r")
    root = start(tmp_path / "q")
    (root / "quotes").mkdir()
    (root / "quotes/2020.parquet").write_bytes(b"")
    with pytest.raises(RecordingError, match="does not belong there"):
        open_recording(root)


@given(data=st.data())
def test_years_give_the_rows_that_days_give(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("years")
    sources = {}
    for symbol in ("AAA", "BBB"):
        chosen = data.draw(st.sets(st.integers(0, 900), min_size=1, max_size=12), label=symbol)
        sources[symbol] = [date(2019, 11, 1) + timedelta(days=n) for n in sorted(chosen)]
    paths = [daily(folder, symbol, when) for symbol, when in sources.items()]
    import_files(paths, folder / "years", kind="bars", bar="1d")
    whole = open_recording(folder / "years")
    assert all(len(name) == len("2019.parquet") for name in names(folder / "years"))
    start(folder / "days", tuple(whole.instruments.values()))
    with RecordingWriter(folder / "days") as writer:
        for part in whole.blocks(Kind.BARS):
            writer.append(Kind.BARS, part)
    split = open_recording(folder / "days")
    assert whole.rows == split.rows
    size = data.draw(st.integers(1, 30), label="chunk")
    low = data.draw(st.sampled_from([None, *ends(sources["AAA"])]), label="from")
    one, two = (
        [event for chunk in recording.chunks(chunk_rows=size, start_ns=low) for event in events(chunk)]
        for recording in (whole, split)
    )
    assert one == two
