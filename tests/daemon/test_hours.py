"""Calendars kept in the state folder: the same sessions as worked out, for as long as they reach."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from engine.calendars import sessions
from engine.daemon import hours
from engine.daemon.hours import calendars_for
from engine.domain.moments import NS_PER_DAY

MARCH = 1_772_550_000 * 1_000_000_000  # 3 March 2026


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of calendars that were really worked out."""
    asked: list[str] = []

    def counted(name: str, start_ns: int, end_ns: int) -> object:
        asked.append(name)
        return sessions(name, start_ns, end_ns)

    monkeypatch.setattr(hours, "sessions", counted)
    monkeypatch.setattr(hours, "_shipped", dict)  # nothing comes with the package
    return asked


def test_a_kept_calendar_is_the_one_that_was_worked_out(tmp_path: Path, worked_out: list[str]) -> None:
    first = calendars_for(["XNYS", "24/7", "XNYS"], MARCH, tmp_path)
    again = calendars_for(["XNYS"], MARCH + 20 * NS_PER_DAY, tmp_path)
    assert worked_out == ["XNYS"]
    assert again["XNYS"] == first["XNYS"] == sessions("XNYS", MARCH - 10 * NS_PER_DAY, MARCH + 300 * NS_PER_DAY)
    assert first["24/7"].always


def test_without_a_folder_nothing_is_kept(worked_out: list[str]) -> None:
    assert calendars_for(["XNYS"], MARCH) == calendars_for(["XNYS"], MARCH)
    assert worked_out == ["XNYS", "XNYS"]


def test_what_no_longer_reaches_far_enough_is_worked_out_anew(tmp_path: Path, worked_out: list[str]) -> None:
    calendars_for(["XNYS"], MARCH, tmp_path)
    later = calendars_for(["XNYS"], MARCH + 70 * NS_PER_DAY, tmp_path)["XNYS"]
    earlier = calendars_for(["XNYS"], MARCH, tmp_path)["XNYS"]
    assert worked_out == ["XNYS"] * 3
    assert later.closes_ns[-1] > MARCH + 360 * NS_PER_DAY
    assert earlier.opens_ns[0] < MARCH - 10 * NS_PER_DAY


@pytest.mark.parametrize("text", ["", "{}", "[1", '{"made_with":"exchange_calendars 0.1","calendars":{}}'])
def test_a_file_that_cant_be_used_is_made_anew(tmp_path: Path, worked_out: list[str], text: str) -> None:
    (tmp_path / hours.NAME).write_text(text)
    calendars_for(["XNYS"], MARCH, tmp_path)
    calendars_for(["XNYS"], MARCH, tmp_path)
    assert worked_out == ["XNYS"]


def test_what_comes_with_the_package_is_what_the_library_works_out() -> None:
    assert hours._made_with() in hours.SHIPPED.read_text(), "made with another version: `python -m engine.daemon.hours`"
    assert hours.ship() == hours.SHIPPED.read_bytes()


def test_what_comes_with_the_package_is_neither_worked_out_nor_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = sessions("XNYS", MARCH - NS_PER_DAY, MARCH + 200 * NS_PER_DAY)
    monkeypatch.setattr(hours, "sessions", lambda *told: pytest.fail("worked out"))
    found = calendars_for(["XNYS"], MARCH, tmp_path)["XNYS"]
    assert set(zip(wanted.opens_ns, wanted.closes_ns, strict=True)) <= set(
        zip(found.opens_ns, found.closes_ns, strict=True)
    )
    assert not (tmp_path / hours.NAME).exists()


@pytest.mark.parametrize("day", ["2024-12-30", "2028-10-01"])
def test_beyond_what_comes_with_the_package_it_is_worked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    asked: list[str] = []

    def counted(name: str, start_ns: int, end_ns: int) -> object:
        asked.append(name)
        return sessions(name, start_ns, end_ns)

    monkeypatch.setattr(hours, "sessions", counted)
    now_ns = round(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()) * 1_000_000_000
    calendars_for(["XNYS"], now_ns, tmp_path)
    assert asked == ["XNYS"]


def test_another_versions_calendars_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "_made_with", lambda: "exchange_calendars 99")
    hours._shipped.cache_clear()
    try:
        assert hours._shipped() == {}
    finally:
        hours._shipped.cache_clear()
