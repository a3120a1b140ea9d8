"""Calendars become plain sessions, with the holidays and half days in them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from engine.calendars import sessions
from engine.errors import ConfigError


def ns(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000_000  # type: ignore[arg-type,misc]


def test_thanksgiving_week_of_new_york() -> None:
    # The exchange closed on 28 November 2024 and at 13:00 New York (18:00 UTC) on the 29th.
    found = sessions("XNYS", ns(2024, 11, 27), ns(2024, 11, 30))
    week = [
        pair
        for pair in zip(found.opens_ns, found.closes_ns, strict=True)
        if ns(2024, 11, 27) <= pair[0] < ns(2024, 11, 30)
    ]
    assert week == [
        (ns(2024, 11, 27, 14, 30), ns(2024, 11, 27, 21)),
        (ns(2024, 11, 29, 14, 30), ns(2024, 11, 29, 18)),
    ]


def test_summer_time_moves_the_open_in_utc() -> None:
    found = sessions("XNYS", ns(2024, 3, 8), ns(2024, 3, 12))
    assert ns(2024, 3, 8, 14, 30) in found.opens_ns
    assert ns(2024, 3, 11, 13, 30) in found.opens_ns


def test_there_is_a_session_before_the_start_and_after_the_end() -> None:
    start, end = ns(2024, 7, 6, 1), ns(2024, 7, 6, 2)  # a Saturday
    found = sessions("XNYS", start, end)
    assert found.opens_ns[0] < start
    assert found.next_open_ns(end) == ns(2024, 7, 8, 13, 30)


def test_a_lunch_break_belongs_to_its_session() -> None:
    found = sessions("XHKG", ns(2024, 7, 8), ns(2024, 7, 8, 12))
    assert found.session_at(ns(2024, 7, 8, 4, 30)) == (ns(2024, 7, 8, 1, 30), ns(2024, 7, 8, 8))


def test_round_the_clock_needs_no_calendar_package() -> None:
    code = (
        "import sys; from engine.calendars import sessions; s = sessions('24/7', 0, 1);"
        "assert s.is_open(5) and 'exchange_calendars' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no trading calendar 'XNYSS'; did you mean XNYS\?"):
        sessions("XNYSS", 0, 1)


def test_a_calendar_that_does_not_reach_so_far_says_so() -> None:
    with pytest.raises(ConfigError, match="XKRX has no sessions from 2059-12-18"):
        sessions("XKRX", ns(2060, 1, 2), ns(2060, 1, 3))
