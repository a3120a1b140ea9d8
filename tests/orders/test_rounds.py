"""Whose a row of an answer is: by our id, by the parent's, or because only one ticket is left."""

from __future__ import annotations

import pytest

from engine.domain.brokerage import LegRefused, LegTaken
from engine.orders.rounds import Round
from tests.orders.bench import ticket

ENTRY = ticket("s-000001")
STOP, TARGET = ticket("s-000002", parent="s-000001"), ticket("s-000003", parent="s-000001")
LONELY = ticket("s-000004", parent="s-000009")  # its entry was sent before
KNOWN = {"s-000001": "101", "s-000009": "901"}


def row(coid: str | None = None, parent_id: str | None = None) -> LegTaken:
    return LegTaken(order_id="777", status="Submitted", coid=coid, parent_id=parent_id)


@pytest.mark.parametrize(
    ("tickets", "left", "leg", "whose"),
    [
        # What names one of ours that is open is that one's.
        ((ENTRY, STOP, TARGET), (ENTRY, STOP, TARGET), row("s-000002"), "s-000002"),
        ((ENTRY, STOP, TARGET), (ENTRY, STOP, TARGET), row("s-000001", "999"), "s-000001"),
        # A single ticket needs no name; once it has its row nothing is left to be named.
        ((ENTRY,), (ENTRY,), row(), "s-000001"),
        ((ENTRY,), (ENTRY,), row("of-somebody"), "s-000001"),
        ((STOP,), (STOP,), row(None, "555"), "s-000002"),
        ((ENTRY,), (), row(), None),
        # Without a parent it is the only entry, unless the row says another name.
        ((ENTRY, STOP), (ENTRY, STOP), row(), "s-000001"),
        ((ENTRY, STOP), (ENTRY, STOP), row("of-somebody"), None),
        ((ENTRY, STOP), (STOP,), row(), None),
        ((ENTRY, ticket("s-000005")), (ENTRY, ticket("s-000005")), row(), None),
        # With a parent it is the only child of that parent.
        ((ENTRY, STOP), (ENTRY, STOP), row(None, "101"), "s-000002"),
        ((ENTRY, STOP, TARGET), (STOP, TARGET), row(None, "101"), None),
        ((ENTRY, STOP, TARGET), (TARGET,), row(None, "101"), "s-000003"),
        ((ENTRY, STOP), (ENTRY, STOP), row(None, "102"), None),
        ((STOP, LONELY), (STOP, LONELY), row(None, "901"), "s-000004"),
        ((STOP, LONELY), (STOP, LONELY), row(None, "101"), "s-000002"),
    ],
)
def test_whose_a_row_is(tickets: tuple, left: tuple, leg: LegTaken, whose: str | None) -> None:  # type: ignore[type-arg]
    round_ = Round(1, tickets, None)
    round_.open = {one.coid: one for one in left}
    assert round_.whose(leg, KNOWN) == whose


def test_a_child_whose_parent_has_no_id_yet_may_be_of_any() -> None:
    round_ = Round(1, (ENTRY, STOP), None)
    assert round_.whose(row(None, "101"), {}) == "s-000002"
    both = Round(1, (ENTRY, STOP, TARGET), None)
    assert both.whose(row(None, "101"), {}) is None


def test_the_row_of_a_modification_is_of_what_is_modified() -> None:
    round_ = Round(1, (STOP,), "102")
    assert round_.modifies
    assert round_.whose(row(None, "101"), KNOWN) == "s-000002"
    round_.open.clear()
    assert round_.whose(row(), KNOWN) is None


@pytest.mark.parametrize(
    ("tickets", "left", "named", "whose"),
    [
        ((ENTRY, STOP), (ENTRY, STOP), "s-000002", "s-000002"),
        ((ENTRY,), (ENTRY,), None, "s-000001"),
        ((ENTRY,), (ENTRY,), "of-somebody", "s-000001"),
        ((ENTRY,), (), None, None),
        ((ENTRY, STOP), (ENTRY, STOP), None, None),
        ((ENTRY, STOP), (STOP,), None, None),  # it may be the other's, told twice
    ],
)
def test_whose_a_refusal_is(tickets: tuple, left: tuple, named: str | None, whose: str | None) -> None:  # type: ignore[type-arg]
    round_ = Round(1, tickets, None)
    round_.open = {one.coid: one for one in left}
    assert round_.refused(LegRefused(reason="no", coid=named)) == whose
