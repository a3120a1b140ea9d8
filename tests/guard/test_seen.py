"""Orders as a guard shows them: what its list has said goes before what a dead daemon's journal knew."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.brokerage import VenueOrder
from engine.guard.seen import as_seen


def row(**more: Any) -> dict[str, Any]:
    return {"coid": "s-000001", "order_id": "7", "filled": "0", "status": "working", "open": True, **more}


@pytest.mark.parametrize(
    ("word", "filled", "status", "is_open"),
    [
        ("Filled", "10", "filled", False),
        ("Cancelled", "4", "cancelled", False),
        ("Api Cancelled", "0", "cancelled", False),
        ("Rejected", "0", "refused", False),
        ("Submitted", "4", "working", True),
        (None, "4", "working", True),
    ],
)
def test_the_venue_s_word_counts(word: str | None, filled: str, status: str, is_open: bool) -> None:
    copy = VenueOrder(order_id="7", status=word, filled=Decimal(filled))
    (told,) = as_seen([row()], [copy])
    assert (told["status"], told["open"], told["filled"]) == (status, is_open, filled)


def test_one_whose_id_was_never_heard_is_known_by_its_name() -> None:
    copy = VenueOrder(order_id="9", coid="s-000001", status="Filled")
    (told,) = as_seen([row(order_id=None, status="sent")], [copy])
    assert (told["order_id"], told["status"], told["filled"]) == ("9", "filled", "0")


def test_what_had_ended_and_what_was_not_seen_stay_as_they_were() -> None:
    ended = row(status="lost", open=False)
    other = row(coid="s-000002", order_id="8")
    assert as_seen([ended, other], [VenueOrder(order_id="7", status="Filled")]) == [ended, other]
