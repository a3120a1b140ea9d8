"""Known windows, against the calendar by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.webapi.maintenance import Region, away_at, next_away

S = 1_000_000_000


def utc(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp()) * S  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("region", "when", "name"),
    [
        (Region.AMERICA, (2024, 7, 10, 5, 0), "nightly reset"),  # 01:00 EDT
        (Region.AMERICA, (2024, 1, 10, 6, 0), "nightly reset"),  # 01:00 EST
        (Region.AMERICA, (2024, 1, 10, 5, 0), "midnight login reset"),
        (Region.AMERICA, (2024, 1, 10, 5, 30), None),
        (Region.AMERICA, (2024, 1, 10, 15, 0), None),
        (Region.EUROPE, (2024, 7, 9, 23, 0), "nightly reset"),  # 01:00 CEST of the 10th
        (Region.EUROPE, (2024, 7, 10, 5, 0), None),
        (Region.ASIA, (2024, 7, 9, 17, 0), "nightly reset"),  # 01:00 HKT of the 10th
        (Region.AMERICA, (2024, 7, 13, 23, 0), "weekly maintenance"),  # Saturday 19:00 EDT
        (Region.AMERICA, (2024, 7, 12, 23, 0), None),  # Friday
        (Region.AMERICA, (2024, 11, 3, 5, 0), "nightly reset"),  # 01:00 EDT, then the clocks go back
        (Region.AMERICA, (2024, 11, 3, 6, 5), "nightly reset"),  # 01:05 EST
    ],
)
def test_windows(region: Region, when: tuple[int, ...], name: str | None) -> None:
    found = away_at(region, utc(*when))
    assert (found.name if found else None) == name


def test_a_window_includes_its_start_and_not_its_end() -> None:
    found = away_at(Region.AMERICA, utc(2024, 1, 10, 6, 0))
    assert found is not None
    assert found.start_ns == utc(2024, 1, 10, 5, 55)
    assert found.end_ns == utc(2024, 1, 10, 6, 15)
    assert away_at(Region.AMERICA, found.start_ns - 1) is None
    assert away_at(Region.AMERICA, found.start_ns) == found
    assert away_at(Region.AMERICA, found.end_ns) is None


def test_the_next_window_is_known_ahead() -> None:
    found = next_away(Region.AMERICA, utc(2024, 1, 10, 15, 0))
    assert (found.name, found.start_ns) == ("midnight login reset", utc(2024, 1, 11, 4, 58))
    assert next_away(Region.AMERICA, found.start_ns).name == "nightly reset"
