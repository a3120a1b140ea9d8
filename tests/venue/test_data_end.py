"""Where the recording ends while orders work: what is known of them is said, what is not is never filled."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.facts import Cancelled
from engine.domain.instrument import Instrument
from engine.domain.ticket import OrderType, Tif
from tests.venue.driving import bar, fills, place, play, quote, said, ticket, trade, venue_of
from tests.venue.test_sessions import CLOSE, CLOSE2, DAY, MIN, OPEN, OPEN2, S

MOC, LOC, STP = OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE, OrderType.STOP
LONG_NS = 13 * 60 * MIN


def run(rows: list[Any], *orders: Any, **more: Any) -> tuple[list[Any], dict[str, int]]:
    venue = venue_of((S,), DAY, **more)
    answers = play(venue, rows, {0: [place(order) for order in orders]})
    counts = {name: count for name, count in venue.counts.items() if name.endswith("_past_data") and count}
    return answers, counts


def moc(coid: str = "c", **more: Any) -> Any:
    return ticket(coid, order_type=MOC, tif=Tif.DAY, **more)


@pytest.mark.parametrize("kind", ["MOC", "LOC"])
def test_an_order_for_a_close_that_no_data_show_is_cancelled_unfilled(kind: str) -> None:
    order = moc() if kind == "MOC" else ticket("c", limit="10.05", order_type=LOC, tif=Tif.DAY)
    answers, counts = run([trade(OPEN, 10.0), trade(CLOSE - 1, 10.0)], order)
    assert said(answers) == ["Accepted c", "Cancelled c data_end"]
    assert answers[-1].ts_ns == CLOSE + 1
    assert counts == {"auctions_past_data": 1}


def test_data_that_reach_the_very_close_fill_it() -> None:
    answers, counts = run([trade(OPEN, 10.0), trade(CLOSE, 10.2)], moc())
    assert fills(answers) == [("c", "100", "10.20", "taker")]
    assert counts == {}


def test_a_bar_that_ends_with_the_session_is_its_close() -> None:
    rows = [bar(OPEN + MIN, 10.0, 10.1, 9.9, 10.0, span=MIN), bar(CLOSE, 10.0, 10.1, 9.9, 10.05, span=MIN)]
    answers, counts = run(rows, moc(), ticket("d", limit="9.00", tif=Tif.DAY))
    assert fills(answers) == [("c", "100", "10.05", "taker")]
    assert (said(answers)[-1], answers[-1].ts_ns, counts) == ("Cancelled d day", CLOSE + 1, {})


def test_a_days_bar_that_ends_after_the_close_shows_it() -> None:
    # Two bars of thirteen hours: the second ends after the second session, whose orders wait for it twelve hours more.
    first, second = OPEN2 - 10 * MIN, CLOSE2 + 200 * MIN
    rows = [
        bar(first, 10.0, 10.1, 9.9, 10.0, span=LONG_NS),
        bar(second, 10.0, 10.1, 9.9, 10.2, span=LONG_NS),
    ]
    answers, counts = run(rows, moc(), ticket("d", limit="9.00", tif=Tif.DAY))
    assert fills(answers) == [("c", "100", "10.20", "taker")]
    assert (said(answers)[-1], counts) == ("Cancelled d day", {})


def test_an_order_for_the_day_expires_at_the_close_and_is_counted() -> None:
    rows = [quote(OPEN, 10.0, 10.02), quote(CLOSE - MIN, 10.0, 10.02)]
    stop = ticket("s", "SELL", order_type=STP, stop_price="9.00", tif=Tif.DAY)
    answers, counts = run(rows, ticket("d", limit="9.00", tif=Tif.DAY), stop, ticket("g", limit="9.00"))
    assert said(answers)[3:] == ["Cancelled d day", "Cancelled s day"]  # what is good till cancelled stays
    assert {one.ts_ns for one in answers if isinstance(one, Cancelled)} == {CLOSE + 1}
    assert counts == {"expired_past_data": 2}


def test_outside_hours_the_day_is_longer() -> None:
    order = ticket("d", limit="9.00", tif=Tif.DAY, outside_rth=True)
    answers, counts = run([quote(OPEN, 10.0, 10.02), quote(CLOSE + MIN, 10.0, 10.02)], order)
    assert (answers[-1].ts_ns, counts) == (CLOSE + 20 * MIN + 1, {"expired_past_data": 1})


def test_an_order_that_waits_for_an_open_still_waits() -> None:
    rows = [quote(CLOSE + MIN, 10.0, 10.02), quote(CLOSE + 2 * MIN, 10.0, 10.02)]
    answers, counts = run(rows, ticket("d", limit="9.00", tif=Tif.DAY), moc())
    assert (said(answers), counts) == (["Pending d", "Pending c"], {})


def test_children_go_with_an_entry_that_expires() -> None:
    venue = venue_of((S,), DAY)
    orders = place(ticket("e", limit="9.00", tif=Tif.DAY), ticket("t", "SELL", limit="11.00", parent="e"))
    answers = play(venue, [quote(OPEN, 10.0, 10.02), quote(OPEN + MIN, 10.0, 10.02)], {0: [orders]})
    assert said(answers)[2:] == ["Cancelled e day", "Cancelled t parent"]


def test_reports_on_their_way_are_heard_before_the_end_that_follows() -> None:
    answers, _ = run(
        [quote(OPEN, 10.0, 10.02), quote(OPEN + 1, 10.0, 10.02)],
        ticket("m"),
        ticket("d", limit="9.00", tif=Tif.DAY),
        report=5,
    )
    assert said(answers)[-2:] == ["Accepted d", "Cancelled d day"]
    assert [one.ts_ns for one in answers] == sorted(one.ts_ns for one in answers)


def test_a_market_that_never_closes_ends_nothing() -> None:
    always = Instrument(conid=1, symbol="S", calendar="24/7")
    answers = play(venue_of((always,)), [quote(0, 10.0, 10.02)], {0: [place(ticket("d", limit="9.00", tif=Tif.DAY))]})
    assert said(answers) == ["Accepted d"]
