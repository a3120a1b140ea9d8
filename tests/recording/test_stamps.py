"""Stamps of source files: the hours of a clock change, doubtful units, and what the summary says of both."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from engine.domain.market import Kind
from engine.errors import RecordingError
from engine.recording.importing import import_files
from engine.recording.reader import open_recording
from engine.recording.stamps import to_ns

NEW_YORK = "America/New_York"
# New York's clock went from 02:00 back to 01:00 on 2024-11-03, at 06:00 UTC.
PASSES = ("00:59:59", "01:00:00", "01:30:00", "01:30:00", "01:59:00", "01:00:00", "01:30:00", "02:00:00")
PASSES_UTC = ("04:59:59", "05:00:00", "05:30:00", "05:30:00", "05:59:00", "06:00:00", "06:30:00", "07:00:00")


def utc(*texts: str) -> list[int]:
    return [int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 10**9 for text in texts]


def put(folder: Path, name: str, *stamps: str) -> Path:
    """A file of trades at these stamps."""
    path = folder / name
    path.write_text("ts,price,size\n" + "".join(f"{stamp},1,1\n" for stamp in stamps))
    return path


def times(root: Path) -> list[int]:
    return [ts_ns for chunk in open_recording(root).chunks() for ts_ns in chunk.kinds[Kind.TRADES]["ts_ns"].tolist()]


@pytest.mark.parametrize("cuts", [(), (1,), (4,), (5,), (6,), (3, 5, 7)])
def test_the_hour_a_clock_shows_twice_is_the_first_pass_and_then_the_second(cuts: tuple[int, ...]) -> None:
    column = pa.array([f"2024-11-03 {text}" for text in PASSES])
    found: list[int] = []
    for low, high in pairwise((0, *cuts, len(PASSES))):  # a file comes in pieces, cut anywhere
        part = column.slice(low, high - low)
        found += to_ns(part, "iso", ZoneInfo(NEW_YORK), None, found[-1] if found else None).tolist()
    assert found == utc(*(f"2024-11-03 {text}" for text in PASSES_UTC))


def test_years_of_that_hour_and_nothing_else(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "2023-11-05 01:10", "2023-11-05 01:50", "2023-11-05 01:20", "2024-11-03 01:05")
    import_files([path], tmp_path / "out", kind="trades", tz=NEW_YORK)
    assert times(tmp_path / "out") == utc(
        "2023-11-05 05:10", "2023-11-05 05:50", "2023-11-05 06:20", "2024-11-03 05:05"
    )


def test_back_twice_in_that_hour_is_unsorted(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", *(f"2024-11-03 01:{minute}:00" for minute in (30, 20, 10)))
    with pytest.raises(RecordingError, match="line 4: time goes back"):
        import_files([path], tmp_path / "out", kind="trades", tz=NEW_YORK)


def test_a_midnight_that_the_clock_skips_is_a_date(tmp_path: Path) -> None:
    # Cuba's clock went from 24:00 on 2024-03-09 to 01:00, from five hours behind UTC to four.
    path = put(tmp_path, "a.csv", "2024-03-09", "2024-03-10", "2024-03-11")
    import_files([path], tmp_path / "out", kind="trades", tz="America/Havana")
    assert times(tmp_path / "out") == utc("2024-03-09 05:00", "2024-03-10 05:00", "2024-03-11 04:00")


def test_a_time_of_day_is_a_reading_of_that_days_clock(tmp_path: Path) -> None:
    # 18:00 on the evening after the clock was put forward is 22:00 UTC, though only 17 hours after midnight.
    path = put(tmp_path, "abc_20240310.csv", "18:00:00")
    import_files([path], tmp_path / "out", kind="trades", tz=NEW_YORK, date_from="from-name")
    assert times(tmp_path / "out") == utc("2024-03-10 22:00")


DATED = {"date_from": "2024-03-08", "ts_unit": "ms"}


@pytest.mark.parametrize(
    ("stamp", "options", "said"),
    [
        ("1709908200", {"ts_unit": "ns"}, "a.csv: the first stamp is 1970-01-01T00:00:01.709908+00:00, before 1980"),
        ("1709908200", {"ts_unit": "s"}, None),
        ("1800000000", {"ts_unit": "s"}, "the last stamp is 2027-01-15T08:00:00+00:00, after next year"),
        ("34200500000", DATED, "more than a day after the date they count from; if that is wrong, --ts-unit ms is"),
        ("34200500", DATED, None),
    ],
)
def test_stamps_in_a_doubtful_unit_are_noted(
    tmp_path: Path, stamp: str, options: dict[str, Any], said: str | None
) -> None:
    path = put(tmp_path, "a.csv", stamp)
    notes = import_files([path], tmp_path / "out", kind="trades", this_year=2025, **options).notes
    doubts = [note for note in notes if "--ts-unit" in note]
    assert len(doubts) == (said is not None)
    assert said is None or said in doubts[0]


@pytest.mark.parametrize(
    ("stamp", "options", "said"),
    [
        ("1709908200123", {}, "ms since 1970 UTC (guessed; --ts-unit says otherwise)"),
        ("1709908200123", {"ts_unit": "ms", "tz": NEW_YORK}, "ms since 1970 UTC"),
        ("34200500", {**DATED, "tz": NEW_YORK}, "ms since midnight in America/New_York"),
        ("2024-03-08 09:30", {"ts_unit": "iso", "tz": NEW_YORK}, f"ISO times in {NEW_YORK} unless they name an offset"),
        ("09:30", {"ts_unit": "iso", "date_from": "2024-03-08"}, "times of the day in UTC"),
    ],
)
def test_the_summary_says_how_stamps_were_read(tmp_path: Path, stamp: str, options: dict[str, Any], said: str) -> None:
    path = put(tmp_path, "a.csv", stamp)
    (source,) = import_files([path], tmp_path / "out", kind="trades", **options).sources
    assert source.read_as == said


def test_a_calendar_that_does_not_exist_is_told_at_import(tmp_path: Path) -> None:
    given = tmp_path / "x.toml"
    given.write_text('conid = 5\nsymbol = "ES"\ncalendar = "CMESS"\n')
    path = put(tmp_path, "a.csv", "1709908200000000000")
    sentence = r"x\.toml, calendar: there is no trading calendar 'CMESS'; did you mean CMES\?"
    with pytest.raises(RecordingError, match=sentence):
        import_files([path], tmp_path / "out", kind="trades", instrument=given)
    assert not (tmp_path / "out").exists()
