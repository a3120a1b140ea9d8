"""Opens, closes, auctions, days and nights, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.facts import Filled
from engine.domain.instrument import Instrument, SecType
from engine.domain.market import Status
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderType, Tif
from engine.venue import FeeSchedule
from engine.venue.fees import Section, Table, Tier
from tests.venue.driving import bar, cancel, fills, modify, place, play, quote, said, ticket, trade, venue_of

MIN = 60_000_000_000
OPEN, CLOSE = 100 * MIN, 200 * MIN
OPEN2, CLOSE2 = 1000 * MIN, 1100 * MIN
DAY = {"day": Sessions(opens_ns=(OPEN, OPEN2), closes_ns=(CLOSE, CLOSE2))}
S = Instrument(conid=1, symbol="S", calendar="day", outside_hours=(30, 20))
MOC, LOC = OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE


def run(rows: Sequence[Any], actions: dict[int, list[Any]], until: int = 0, **more: Any) -> list[Any]:
    return play(venue_of((S,), DAY, **more), rows, actions, until=until)


def test_order_before_the_open_waits_and_a_day_order_ends_with_the_session() -> None:
    rows = [quote(50 * MIN, 10.0, 10.02), quote(60 * MIN, 9.0, 9.02), quote(OPEN, 10.0, 10.05)]
    limit, market = ticket("l", limit="9.50", tif=Tif.DAY), ticket("m", tif=Tif.DAY)
    answers = run(rows, {0: [place(limit), place(market)]}, until=CLOSE + 1)
    assert said(answers) == ["Pending l", "Pending m", "Accepted l", "Accepted m", "Filled m", "Cancelled l day"]
    assert fills(answers) == [("m", "100", "10.05", "taker")]  # not the quote of before the open
    assert answers[-1].ts_ns == CLOSE + 1  # the very moment of the close still belongs to the session


def test_a_stop_that_waited_does_not_trigger_on_what_was_known_before_the_open() -> None:
    rows = [quote(60 * MIN, 9.0, 9.02), quote(OPEN, 8.9, 9.0), quote(OPEN + 1, 10.0, 10.05)]
    stop = ticket("s", order_type=OrderType.STOP, stop_price="9.01", tif=Tif.DAY)
    assert fills(run(rows, {0: [place(stop)]})) == [("s", "100", "10.05", "taker")]


def test_immediate_order_outside_hours_has_nothing_to_take() -> None:
    rows = [quote(60 * MIN, 9.0, 9.02), quote(OPEN, 8.9, 9.0)]
    assert said(run(rows, {0: [place(ticket("i", tif=Tif.IOC))]})) == ["Cancelled i ioc"]


def test_a_fill_on_the_last_row_of_the_session() -> None:
    rows = [quote(OPEN, 10.0, 10.02), quote(CLOSE, 9.0, 9.02), quote(CLOSE + 1, 8.0, 8.02)]
    orders = [place(ticket("a", limit="9.50", tif=Tif.DAY)), place(ticket("b", limit="8.50", tif=Tif.DAY))]
    assert said(run(rows, {0: orders}))[2:] == ["Filled a", "Cancelled b day"]


def test_good_till_cancelled_sleeps_overnight_at_the_end_of_the_queue() -> None:
    rows = [
        quote(OPEN, 10.0, 10.02, 10),
        trade(OPEN + 1, 10.0, 10),  # nobody is ahead any more
        quote(CLOSE + MIN, 9.0, 9.02),  # closed: no fill
        quote(OPEN2 - MIN, 10.0, 10.02, 70),
        trade(OPEN2, 10.0, 60),  # 70 are ahead again
        trade(OPEN2 + 1, 10.0, 60),  # 10 are, and 50 are left
    ]
    answers = run(rows, {0: [place(ticket("g", limit="10.00"))]})
    assert fills(answers) == [("g", "50", "10.00", "maker")]
    assert said(answers) == ["Accepted g", "Accepted g", "Filled g"]


def test_outside_hours_widen_the_session() -> None:
    early = ticket("e", outside_rth=True, tif=Tif.DAY)
    rows = [
        quote(OPEN - 31 * MIN, 10.0, 10.02),
        quote(OPEN - 30 * MIN, 10.0, 10.03),
        quote(OPEN - 29 * MIN, 10.0, 10.04),
    ]
    assert [one.ts_ns for one in run(rows, {0: [place(early)]}) if isinstance(one, Filled)] == [OPEN - 30 * MIN]
    late = ticket("l", limit="9.00", outside_rth=True, tif=Tif.DAY)
    assert said(run([quote(CLOSE + 19 * MIN, 10.0, 10.02)], {0: [place(late)]}, until=CLOSE + 20 * MIN + 1)) == [
        "Accepted l",
        "Cancelled l day",
    ]
    after = run([quote(CLOSE + 20 * MIN, 10.0, 10.02)], {0: [place(late)]}, until=OPEN2)
    assert said(after)[:2] == ["Pending l", "Accepted l"]
    assert after[1].ts_ns == OPEN2 - 30 * MIN


def test_an_order_after_the_last_session_waits_for_ever() -> None:
    assert said(run([quote(CLOSE2, 10.0, 10.02)], {0: [place(ticket("a"))]}, until=10 * CLOSE2)) == ["Pending a"]


def test_change_of_hours_puts_a_waiting_order_to_work() -> None:
    rows = [quote(OPEN - 10 * MIN, 10.0, 10.02), quote(OPEN - 9 * MIN, 10.0, 10.02), quote(OPEN - 8 * MIN, 10.0, 10.02)]
    order = ticket("a", limit="10.02", tif=Tif.DAY)
    actions: dict[int, list[Any]] = {
        0: [place(order)],
        1: [modify(ticket("a", limit="10.02", tif=Tif.DAY, outside_rth=True))],
    }
    assert said(run(rows, actions)) == ["Pending a", "Modified a", "Filled a"]
    actions = {0: [place(order)], 1: [modify(ticket("a", limit="10.03", tif=Tif.DAY))]}
    assert said(run(rows, actions)) == ["Pending a", "Modified a"]


def test_cancel_while_it_waits() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 10.0, 10.02)]
    assert said(run(rows, {0: [place(ticket("a"))], 1: [cancel("a")]}, until=OPEN)) == [
        "Pending a",
        "Cancelled a request",
    ]


# The close


def at_close(order: Any, *rows: Any, **more: Any) -> list[Any]:
    return run(rows, {0: [place(order)]}, until=CLOSE + 1, **more)


@pytest.mark.parametrize(
    ("rows", "price"),
    [
        ([quote(OPEN, 10.0, 10.02), trade(OPEN + 1, 10.5), quote(OPEN + 2, 10.0, 10.02)], "10.50"),
        ([quote(OPEN, 10.0, 10.02), quote(OPEN + 2, 10.1, 10.12)], "10.12"),
        ([bar(OPEN + MIN, 10, 10, 10, 10, span=MIN), bar(CLOSE, 10, 11, 9, 10.7, span=MIN)], "10.70"),
    ],
)
def test_market_on_close(rows: Sequence[Any], price: str) -> None:
    answers = at_close(ticket("c", order_type=MOC, tif=Tif.DAY), *rows)
    assert fills(answers) == [("c", "100", price, "taker")]
    assert answers[-1].ts_ns == CLOSE + 1
    assert answers[-1].flags == ("auction", "at_close")


@pytest.mark.parametrize(
    ("side", "limit", "ends"),
    [
        ("BUY", "10.00", "Filled c"),
        ("BUY", "9.99", "Cancelled c loc"),
        ("SELL", "10.00", "Filled c"),
        ("SELL", "10.01", "Cancelled c loc"),
    ],
)
def test_limit_on_close(side: str, limit: str, ends: str) -> None:
    order = ticket("c", side, limit=limit, order_type=LOC, tif=Tif.DAY)
    assert said(at_close(order, trade(OPEN, 10.0)))[-1] == ends


def test_close_without_a_price_or_in_a_halt() -> None:
    order = ticket("c", order_type=MOC, tif=Tif.DAY)
    assert said(at_close(order, Status(OPEN, 1, "open"))) == ["Accepted c", "Cancelled c no_price"]
    assert said(at_close(order, trade(OPEN, 10.0), Status(OPEN + 1, 1, "halted"))) == [
        "Accepted c",
        "Cancelled c halted",
    ]


def test_cut_off_before_the_close() -> None:
    order = ticket("c", order_type=MOC, tif=Tif.DAY)
    last, first_late = CLOSE - 10 * MIN, CLOSE - 10 * MIN + 1
    assert said(at_close(order, trade(last, 10.0))) == ["Accepted c", "Filled c"]
    assert said(at_close(order, trade(first_late, 10.0))) == ["Refused c cutoff"]
    rows = [trade(OPEN, 10.0), trade(last, 10.0)]
    assert said(run(rows, {0: [place(order)], 1: [cancel("c")]})) == ["Accepted c", "Cancelled c request"]
    rows = [trade(OPEN, 10.0), trade(first_late, 10.0)]
    actions: dict[int, list[Any]] = {
        0: [place(order)],
        1: [cancel("c"), modify(ticket("c", quantity=50, order_type=MOC, tif=Tif.DAY))],
    }
    assert said(run(rows, actions))[:3] == ["Accepted c", "CancelRefused c cutoff", "ModifyRefused c cutoff"]


def test_after_the_close_it_is_for_the_next_one() -> None:
    order = ticket("c", order_type=MOC, tif=Tif.DAY)
    answers = run([trade(CLOSE + MIN, 10.0), trade(OPEN2, 11.0)], {0: [place(order)]}, until=CLOSE2 + 1)
    assert said(answers) == ["Pending c", "Accepted c", "Filled c"]
    assert fills(answers) == [("c", "100", "11.00", "taker")]


def test_child_at_the_close() -> None:
    rows = [quote(OPEN, 10.0, 10.02), trade(OPEN + 1, 10.3)]
    child = ticket("c", "SELL", order_type=MOC, tif=Tif.DAY, parent="e")
    answers = run(rows, {0: [place(ticket("e"), child)]}, until=CLOSE + 1)
    assert fills(answers) == [("e", "100", "10.02", "taker"), ("c", "100", "10.30", "taker")]
    rows = [quote(OPEN, 10.0, 10.02), quote(CLOSE - MIN, 9.0, 9.02)]
    answers = run(rows, {0: [place(ticket("e", limit="9.50"), child)]}, until=CLOSE + 1)
    assert said(answers)[-1] == "Cancelled c cutoff"  # its entry was filled too late


# The open


@pytest.mark.parametrize(
    ("rows", "price"),
    [
        ([trade(0, 9.0), quote(OPEN, 10.0, 10.02), trade(OPEN + 5, 10.5)], "10.50"),  # it has printed: the print
        ([quote(0, 9.0, 9.02), quote(OPEN, 10.0, 10.02), trade(OPEN + 5, 10.5)], "10.02"),
        ([bar(MIN, 9, 9, 9, 9, span=MIN), bar(OPEN + MIN, 10.2, 11, 10, 10.7, span=MIN)], "10.20"),
    ],
)
def test_market_order_for_the_open(rows: Sequence[Any], price: str) -> None:
    answers = run(rows, {0: [place(ticket("o", tif=Tif.OPG))]})
    assert said(answers) == ["Pending o", "Accepted o", "Filled o"]
    assert fills(answers) == [("o", "100", price, "taker")]


def test_limit_order_for_the_open_is_filled_there_or_never() -> None:
    rows = [trade(0, 9.0), trade(OPEN, 10.0), trade(OPEN + 1, 9.0)]
    assert fills(run(rows, {0: [place(ticket("o", limit="10.00", tif=Tif.OPG))]})) == [("o", "100", "10.00", "taker")]
    assert said(run(rows, {0: [place(ticket("o", limit="9.99", tif=Tif.OPG))]}))[-1] == "Cancelled o opg"


def test_open_without_a_price() -> None:
    answers = run([trade(0, 9.0)], {0: [place(ticket("o", tif=Tif.OPG))]}, until=CLOSE + 1)
    assert said(answers) == ["Pending o", "Accepted o", "Cancelled o opg"]


def test_cut_off_before_the_open() -> None:
    order = ticket("o", tif=Tif.OPG)
    assert said(run([trade(OPEN - 2 * MIN, 9.0)], {0: [place(order)]})) == ["Pending o"]
    assert said(run([trade(OPEN - 2 * MIN + 1, 9.0)], {0: [place(order)]})) == ["Refused o cutoff"]
    rows = [trade(0, 9.0), trade(OPEN - MIN, 9.0)]
    assert said(run(rows, {0: [place(order)], 1: [cancel("o")]})) == ["Pending o", "CancelRefused o cutoff"]
    during = run([trade(OPEN + MIN, 9.0), trade(OPEN2, 9.5)], {0: [place(order)]})
    assert fills(during) == [("o", "100", "9.50", "taker")]  # for the next open


# Bars of a day


HOUR = 60 * MIN
WEEK = {"day": Sessions(opens_ns=(9 * HOUR, 33 * HOUR, 57 * HOUR), closes_ns=(16 * HOUR, 40 * HOUR, 64 * HOUR))}


def days(*orders: Any) -> list[Any]:
    """Three bars that end at midnight; orders are decided at the end of the first."""
    prices = [(10.0, 10.5, 9.5, 10.2), (10.3, 10.6, 9.9, 10.4), (10.1, 10.2, 9.0, 9.1)]
    rows = [bar(24 * HOUR * (at + 1), *four, span=24 * HOUR) for at, four in enumerate(prices)]
    plain = Instrument(conid=1, symbol="S", calendar="day")
    return play(venue_of((plain,), WEEK), rows, {0: [place(order) for order in orders]}, until=100 * HOUR)


def test_market_order_on_daily_bars_gets_the_next_open() -> None:
    assert fills(days(ticket("m", tif=Tif.DAY))) == [("m", "100", "10.30", "taker")]


def test_day_order_on_daily_bars_lives_for_one_bar() -> None:
    assert fills(days(ticket("a", limit="10.00", tif=Tif.DAY))) == [("a", "100", "10.00", "maker")]
    assert said(days(ticket("a", limit="9.50", tif=Tif.DAY))) == ["Pending a", "Accepted a", "Cancelled a day"]
    assert fills(days(ticket("a", limit="9.50"))) == [("a", "100", "9.50", "maker")]


def test_auctions_on_daily_bars() -> None:
    orders = [ticket("c", order_type=MOC, tif=Tif.DAY), ticket("o", tif=Tif.OPG)]
    assert fills(days(*orders)) == [("o", "100", "10.30", "taker"), ("c", "100", "10.40", "taker")]


# Nights and fees


def test_the_minimum_starts_again_overnight_and_after_a_change() -> None:
    section = Section(currency="USD", tiers=(Tier(rate=Decimal("0.005")),), minimum=Decimal(1))
    fees = FeeSchedule(name="f", tables=(Table(valid_from=date(1970, 1, 1), sections={SecType.STOCK: (section,)}),))
    rows = [
        quote(OPEN, 10.0, 10.02),
        quote(OPEN + 1, 9.9, 10.0, ask_size=10),
        quote(OPEN + 2, 9.9, 10.0, ask_size=10),
        quote(OPEN + 3, 9.9, 10.05, ask_size=10),
        quote(OPEN2, 9.9, 10.0, ask_size=10),
    ]
    plain = play(venue_of((S,), DAY, fees), rows, {0: [place(ticket("a", limit="10.00"))]})
    changed = play(
        venue_of((S,), DAY, fees),
        rows,
        {0: [place(ticket("a", limit="10.00"))], 1: [modify(ticket("a", quantity=90, limit="10.00"))]},
    )
    for answers, expected in ((plain, ["1.0000", "", "1.0000"]), (changed, ["1.0000", "1.0000", "1.0000"])):
        lines = [one.fees for one in answers if isinstance(one, Filled)]
        assert [str(line[0][1]) if line else "" for line in lines] == expected
