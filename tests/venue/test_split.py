"""A split at the venue: what is in old units goes, and nothing of before it is matched with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.domain.facts import Answer
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import MarketEvent
from engine.domain.messages import Request
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.ticket import OrderType, Tif
from engine.venue import SimVenue
from tests.venue.driving import (
    NAN,
    X,
    bar,
    cancel,
    chunk_of,
    fills,
    modify,
    place,
    quote,
    said,
    ticket,
    trade,
    venue_of,
)
from tests.venue.test_sessions import CLOSE2, DAY, OPEN, OPEN2, S

Y = Instrument(conid=2, symbol="Y", calendar="24/7")
SUM = Instrument(conid=3, symbol="X+Y", sec_type=SecType.COMBO, calendar="24/7", legs=(Leg(1, 1), Leg(2, 1)))
SPLIT_NS = 100


def play(
    venue: SimVenue,
    rows: Sequence[MarketEvent],
    actions: dict[int, list[Request]],
    *,
    late: Sequence[Request] = (),
    cut: int | None = None,
) -> list[Answer]:
    """Run over rows in one chunk (or two, cut before a row), X splitting at 100; `late` is sent right after that."""
    heard: list[Answer] = []
    parts = [(0, len(rows))] if cut is None else [(0, cut), (cut, len(rows))]
    split_at = next(at for at, row in enumerate(rows) if row.ts_ns >= SPLIT_NS)

    def due(until_ns: int, row: int) -> None:
        while (at := venue.next_due_ns()) <= until_ns and at != END_OF_TIME_NS:
            heard.extend(venue.take_due(at, row))

    for start, stop in parts:
        chunk = chunk_of(rows, start, stop)
        venue.begin(chunk)
        for row in range(chunk.size):
            ts_ns = int(chunk.ts_ns[row])
            if start + row == split_at:
                due(SPLIT_NS - 1, row)
                heard.extend(venue.split(1, SPLIT_NS, row))
                venue.submit(list(late), SPLIT_NS)
            due(ts_ns, row)
            if venue.scan(row, row + 1) == row:
                heard.extend(venue.take_row(row))
            venue.settle(row + 1)
            venue.submit(actions.get(start + row, []), ts_ns)
            due(ts_ns, row + 1)
    heard.extend(venue.finish(rows[-1].ts_ns))
    return heard


ROWS: list[MarketEvent] = [quote(0, 40.0, 40.02), quote(50, 40.0, 40.02), quote(200, 10.0, 10.01)]


def test_what_rests_is_cancelled_in_the_order_of_arrival() -> None:
    orders = [
        ticket("a", limit="39.00"),
        ticket("s", "SELL", order_type=OrderType.STOP, stop_price="30.00"),
        ticket("y", limit="39.00", conid=2),
    ]
    answers = play(venue_of((X, Y)), ROWS, {0: [place(one) for one in orders]})
    assert said(answers) == ["Accepted a", "Accepted s", "Accepted y", "Cancelled a split", "Cancelled s split"]
    assert [one.ts_ns for one in answers[3:]] == [SPLIT_NS, SPLIT_NS]


def test_a_bracket_goes_whole_and_exits_of_a_filled_entry_go_too() -> None:
    waiting = place(ticket("e", limit="39.00"), ticket("t", "SELL", limit="45.00", parent="e"))
    filled = place(ticket("f", limit="41.00"), ticket("u", "SELL", limit="45.00", parent="f"))
    answers = play(venue_of(), ROWS, {0: [waiting, filled]})
    assert said(answers)[5:] == ["Cancelled e split", "Cancelled t parent", "Cancelled u split"]


def test_an_order_that_waits_for_the_open_goes_and_never_comes_back() -> None:
    rows: list[MarketEvent] = [quote(10, 40.0, 40.02), quote(OPEN, 10.0, 10.01), quote(OPEN2, 10.0, 10.01)]
    answers = play(venue_of((S,), DAY), rows, {0: [place(ticket("a", limit="39.00"))]})
    assert said(answers) == ["Pending a", "Cancelled a split"]


def test_placements_on_their_way_are_refused_as_groups_and_changes_find_nothing() -> None:
    slow = venue_of((X, Y), latency=0.000_1)  # 100 ns: sent at 50, due at 150
    orders = place(ticket("a", limit="39.00"))
    group = place(ticket("e", limit="39.00"), ticket("t", "SELL", limit="45.00", parent="e"))
    rows: list[MarketEvent] = [quote(-60, 40.0, 40.02), *ROWS]
    later: list[Request] = [group, place(ticket("y", conid=2)), modify(ticket("a", limit="38.00")), cancel("a")]
    answers = play(slow, rows, {0: [orders], 2: later})
    assert said(answers) == [
        "Accepted a",
        "Refused e split",
        "Refused t split",
        "Cancelled a split",
        "Accepted y",
        "ModifyRefused a order_done",
        "CancelRefused a order_done",
    ]


def test_commands_of_different_latencies_keep_their_order() -> None:
    venue = venue_of((X, Y))
    venue._first_in_first_out = False  # as where latencies differ
    answers = play(venue, ROWS, {1: [place(ticket("a", limit="39.00"))]}, late=[place(ticket("y", conid=2))])
    assert said(answers) == ["Accepted a", "Cancelled a split", "Accepted y"]


def test_reports_on_their_way_are_heard_at_the_split_and_the_cancels_after_it() -> None:
    venue = venue_of(report=0.000_08)  # 80 ns
    answers = play(venue, ROWS, {1: [place(ticket("m")), place(ticket("a", limit="39.00"))]})
    assert said(answers) == ["Accepted m", "Filled m", "Accepted a", "Cancelled a split"]
    assert [one.ts_ns for one in answers] == [SPLIT_NS, SPLIT_NS, SPLIT_NS, SPLIT_NS + 80]


@pytest.mark.parametrize("cut", [None, 2, 3])
def test_nothing_is_matched_with_prices_of_before(cut: int | None) -> None:
    rows = [*ROWS, quote(300, 10.0, 10.01), quote(400, 9.0, 9.01)]
    late = [
        place(ticket("m")),
        place(ticket("l", limit="10.50")),
        place(ticket("r", "SELL", order_type=OrderType.STOP, stop_price="20.00")),
    ]
    answers = play(venue_of(), rows, {}, late=late, cut=cut)
    assert fills(answers) == [  # each quote has 100; nobody knew that the limit was marketable when it came
        ("m", "100", "10.01", "taker"),
        ("r", "100", "10.00", "taker"),
        ("l", "100", "10.50", "maker"),
    ]
    assert [one.ts_ns for one in answers if one.coid == "m"] == [100, 200]


def test_a_quote_in_the_other_leg_finds_no_price_for_the_one_that_split() -> None:
    rows: list[MarketEvent] = [quote(0, 40.0, 40.02), quote(1, 5.0, 5.01, conid=2), quote(150, 5.0, 5.01, conid=2)]
    rows += [quote(200, 10.0, 10.01), quote(201, 10.0, 10.01)]
    resting, later = ticket("k", limit="40.00", conid=3), ticket("n", conid=3)
    answers = play(venue_of((X, Y, SUM)), rows, {1: [place(resting)]}, late=[place(later)])
    assert said(answers) == ["Accepted k", "Cancelled k split", "Accepted n", "Filled n"]
    assert fills(answers) == [("n", "100", "15.02", "taker")]


def test_bars_of_before_do_not_price_a_close_and_trades_neither() -> None:
    moc = place(ticket("c", order_type=OrderType.MARKET_ON_CLOSE, tif=Tif.DAY))
    for before in (bar(60, 40.0, 41.0, 39.0, 40.0), trade(60, 40.0)):
        rows = [before, quote(CLOSE2 + 1, NAN, NAN)]
        assert "Cancelled c no_price" in said(play(venue_of((S,), DAY), rows, {}, late=[moc]))
