"""Fills are said once they are stored, and not said where they were not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.daemon.aloud import Aloud
from engine.domain.facts import Accepted, Filled
from engine.errors import JournalFull

SOLD = Filled(
    coid="s-000001", ts_ns=5, exec_id="e1", conid=8314, side="SELL", quantity=Decimal("10.0"), price=Decimal("9.50")
)
ROWS = [(5, "answer", "s-000001", Accepted(coid="s-000001", ts_ns=5, venue_id="7")), (5, "answer", "s-000001", SOLD)]


class Disk:
    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.rows: list[Any] = []
        self.asked: Sequence[Any] = ()

    def begin(
        self, rows: Sequence[Any], *, coids: Sequence[str], essential: bool, then: Callable[[], None] | None = None
    ) -> Disk:
        del coids, essential, then
        self.asked = rows
        return self

    async def wait(self) -> None:
        if self.full:
            raise JournalFull("full")
        self.rows += self.asked


async def test_a_fill_that_is_stored_is_told_and_nothing_else() -> None:
    disk = Disk()
    with capture_logs() as said:
        await Aloud(disk, {}).begin(ROWS, coids=(), essential=True).wait()
    assert disk.rows == ROWS
    assert [(one["event"], one["did"], one["order"]) for one in said] == [("filled", "sold 10 8314 at 9.5", "s-000001")]


async def test_what_could_not_be_stored_is_not_told() -> None:
    with capture_logs() as said, pytest.raises(JournalFull):
        await Aloud(Disk(full=True), {}).begin(ROWS, coids=(), essential=True).wait()
    assert said == []
