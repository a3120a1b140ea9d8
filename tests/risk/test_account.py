"""What an account and a strategy have sent of late: sums of a day, walks of prices, ranges, latches; resting orders."""

from __future__ import annotations

from math import inf, isnan

import pytest

from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import OrderType, Side
from engine.risk import times
from engine.risk.account import ACCOUNT, Account, Held, Level
from engine.risk.days import Days
from engine.risk.exposure import Reserved
from engine.risk.outside import Outside
from engine.risk.recent import Latest, Recent, Walk
from engine.risk.resting import Queue, Resting, rank
from tests.risk.made import T0, D, new
from tests.risk.test_catalogue import make

HOUR = 60 * NS_PER_MINUTE
MIDNIGHT = 5 * 3_600 * NS_PER_S  # New York's, of 1 January 1970


def account(outside: Outside | None = None) -> Account:
    return Account(exposures={}, units={}, instruments={}, values={}, outside=outside)


# --- sums ------------------------------------------------------------------------------------------------------------


def test_messages_and_orders_leave_their_span_at_its_last_nanosecond() -> None:
    here = account()
    for at in (T0, T0, T0 + 1):
        here.sent("a", 1.0, at, new=True)
        here.cancelled("a", at)
    purse = here.purse("a", T0 + 1)
    assert [purse.in_minute(T0 + NS_PER_MINUTE - 1), purse.in_hour(T0 + HOUR - 1)] == [6, 3]
    assert [purse.in_minute(T0 + NS_PER_MINUTE), purse.in_hour(T0 + HOUR)] == [2, 1]
    assert [purse.in_minute(T0 + NS_PER_MINUTE + 1), purse.in_hour(T0 + HOUR + 1)] == [0, 0]
    assert (purse.messages, purse.orders) == (6, 3)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40])
def test_times_are_dropped_a_part_at_a_time_and_counted_exactly(count: int) -> None:
    sent = list(range(1, count + 1))
    for floor in range(count + 2):
        assert times.after(sent, floor) == max(count - floor, 0)
        assert times.drop(sent, floor) == max(count - floor, 0)
        assert len(sent) <= max(count - floor, 0) * 16 // 15


def test_what_is_sent_counts_for_its_owner_and_the_account() -> None:
    here = account()
    here.sent("a", 100.0, T0, new=True)
    here.sent("b", 30.0, T0 + 1, new=True)
    here.sent("a", 7.0, T0 + 2, new=False)
    here.cancelled("a", T0 + 3)
    here.executed("b", T0 + 4)
    told = {
        owner: (p.orders, p.messages, p.notional, p.executions, p.in_hour(T0 + 5), p.in_minute(T0 + 5))
        for owner in (ACCOUNT, "a", "b")
        for p in [here.purse(owner, T0 + 5)]
    }
    assert told == {ACCOUNT: (2, 4, 137.0, 1, 2, 4), "a": (1, 3, 107.0, 0, 1, 3), "b": (1, 1, 30.0, 1, 1, 1)}


def test_a_day_empties_the_sums_and_leaves_the_last_hour() -> None:
    here = account()
    here.sent("a", 100.0, MIDNIGHT - 1, new=True)
    here.executed("a", MIDNIGHT - 1)
    purse = here.purse("a", MIDNIGHT - 1)
    assert (purse.orders, purse.messages, purse.notional, purse.executions) == (1, 1, 100.0, 1)
    purse = here.purse("a", MIDNIGHT)
    assert (purse.orders, purse.messages, purse.notional, purse.executions) == (0, 0, 0.0, 0)
    assert (purse.in_hour(MIDNIGHT), purse.in_minute(MIDNIGHT)) == (1, 1)
    here.sent("a", 5.0, MIDNIGHT + 1, new=True)
    assert here.purse("a", MIDNIGHT + 2).notional == 5.0


def test_an_order_that_is_taken_back_was_never_sent() -> None:
    here = account(Outside())
    first, second = new(3, limit_price=D(100)), new(9, limit_price=D(105))
    for ticket, money in ((first, 300.0), (second, 945.0)):
        here.sent("a", money, T0, new=True)
        here.note(ticket, T0)
    here.take_back(second, 945.0, T0)
    for owner in (ACCOUNT, "a"):
        purse = here.purse(owner, T0)
        assert (purse.orders, purse.messages, purse.notional) == (1, 1, 300.0)
        assert (purse.in_hour(T0), purse.in_minute(T0)) == (1, 1)
    assert here.spent_since(0) == 300.0
    recent = here.recent_of("a", 1)
    assert (list(recent.quantities.figures), list(recent.levels.figures)) == ([3.0], [100.0])
    assert recent.drift(Side.BUY, 101.0, 0) == 1.0
    market = new(2)
    here.sent("a", 200.0, T0, new=True)
    here.note(market, T0)
    here.take_back(market, 200.0, T0)
    assert (list(recent.quantities.figures), list(recent.levels.figures)) == ([3.0], [100.0])


def test_what_was_spent_since_a_summary() -> None:
    here = account(Outside())
    for number, money in enumerate((10.0, 20.0, 40.0)):
        here.sent("a", money, T0 + number, new=True)
    here.sent("a", 1000.0, T0 + 3, new=False)
    assert [here.spent_since(at) for at in (T0 - 1, T0, T0 + 1, T0 + 2, T0 + 3)] == [
        1070.0,
        1060.0,
        1040.0,
        1000.0,
        0.0,
    ]
    here.sent("a", 0.0, T0 + 9, new=False)
    assert not here.spent  # nor does a change that adds nothing
    backtest = account()
    backtest.sent("a", 10.0, T0, new=True)
    assert backtest.spent_since(0) == 0.0


def test_a_restart_counts_today_and_the_last_hour() -> None:
    now_ns = MIDNIGHT + HOUR // 2
    here = account()
    rows = [
        (MIDNIGHT - HOUR, "order", "a", 1.0),  # neither of today nor of the last hour
        (now_ns - HOUR, "order", "a", 2.0),
        (now_ns - HOUR + 1, "order", "a", 4.0),  # yesterday, and within the hour
        (MIDNIGHT, "order", "a", 8.0),
        (MIDNIGHT + 1, "modify", "a", 16.0),
        (MIDNIGHT + 2, "cancel", "a", 0.0),
        (MIDNIGHT + 3, "fill", "a", 0.0),
    ]
    here.rebuild(rows, now_ns)
    purse = here.purse("a", now_ns)
    assert (purse.orders, purse.messages, purse.notional, purse.executions) == (1, 3, 24.0, 1)
    assert purse.in_hour(now_ns) == 2


# --- walks and ranges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_a_walk_adds_up_the_worse_way_only(sign: int) -> None:
    walk = Walk(sign)
    assert walk.step(100.0) == 0.0
    for number, price in enumerate((100.0, 102.0, 101.0, 104.0)):
        walk.add(100.0 + (price - 100.0) * sign, T0 + number)
    assert walk.total == 5.0  # 2 and 3
    assert walk.step(100.0 + 6.0 * sign) == 2.0
    walk.forget(T0)
    assert walk.total == 3.0  # the step from the first to the second counts no more
    walk.take_back()
    assert walk.total == 0.0
    walk.forget(T0 + 9)
    assert (len(walk.sent), walk.total) == (0, 0.0)


def test_a_walk_is_bounded() -> None:
    walk = Walk(1)
    for number in range(1_002):
        walk.add(float(number), T0 + number)
    assert (len(walk.sent), walk.total) == (1_000, 999.0)


def test_the_least_and_the_largest_of_the_last_twenty() -> None:
    latest = Latest()
    assert isnan(latest.least)
    for figure in (5.0, 1.0, 9.0, *[4.0] * 17):
        latest.figures.append(figure)
    assert (latest.least, latest.largest, len(latest.figures)) == (1.0, 9.0, 20)
    for figure, least, largest in ((6.0, 1.0, 9.0), (4.0, 4.0, 9.0), (3.0, 3.0, 6.0)):  # the oldest goes each time
        latest.figures.append(figure)
        assert (latest.least, latest.largest, len(latest.figures)) == (least, largest, 20)
    assert latest.take_back() == 4.0
    assert (latest.least, latest.largest, len(latest.figures)) == (4.0, 6.0, 19)
    alone = Latest()
    alone.figures.append(2.0)
    assert isnan(alone.take_back())
    assert isnan(alone.largest)


def test_a_drift_is_of_one_side_since_a_time() -> None:
    recent = Recent()
    recent.add(Side.BUY, 1.0, 100.0, T0)
    recent.add(Side.BUY, 1.0, 101.0, T0 + 1)
    recent.add(Side.SELL, 1.0, None, T0 + 1)
    assert recent.drift(Side.BUY, 103.0, T0 - 1) == 3.0
    assert recent.drift(Side.SELL, 90.0, T0 - 1) == 0.0
    assert recent.drift(Side.BUY, 103.0, T0) == 2.0


# --- latches ---------------------------------------------------------------------------------------------------------


def held(level: Level, at_ns: int = T0, until_ns: int | None = None, code: str = "LOSS") -> Held:
    return Held(level, code, "a sentence", at_ns, until_ns)


def test_a_latch_as_strict_as_one_that_holds_changes_nothing() -> None:
    for first in Level:
        for second in Level:
            here = account()
            assert here.latch("a", held(first))
            assert here.latch("a", held(second, code="STREAK")) is (second > first)
            assert here.held["a"].level == max(first, second)


def test_the_stricter_of_ones_own_and_the_account_s_counts_until_its_time_is_up() -> None:
    here = account()
    assert here.latch_on("a", T0) is None
    here.latch("a", held(Level.REDUCING, code="STREAK"))
    here.latch(ACCOUNT, held(Level.HALTED, until_ns=T0 + 10))
    for at_ns, code in ((T0, "LOSS"), (T0 + 9, "LOSS"), (T0 + 10, "STREAK")):
        found = here.latch_on("a", at_ns)
        assert found is not None
        assert found.code == code
    assert list(here.held) == ["a"]
    assert here.latch_on("b", T0) is None
    here.throttle("a", T0)
    here.lift()
    assert (here.held, here.throttled) == ({}, {})


def test_a_latch_that_ends_by_time_is_renewed() -> None:
    here = account()
    assert here.latch("a", held(Level.REDUCING, until_ns=T0 + 10))
    assert here.latch("a", held(Level.REDUCING, T0 + 1, T0 + 20))
    assert here.held["a"].until_ns == T0 + 20


def test_refusals_of_one_hour_are_counted_by_strategy() -> None:
    here = account()
    assert [here.throttle("a", T0), here.throttle("a", T0 + 1), here.throttle("b", T0 + 1)] == [1, 2, 1]
    assert here.throttle("a", T0 + HOUR) == 2
    assert here.throttle("a", T0 + 2 * HOUR) == 1


# --- days ------------------------------------------------------------------------------------------------------------


def test_a_day_is_looked_up_again_at_its_very_ends() -> None:
    days = Days(3_600)
    began, ended = days.span_ns(2 * 3_600 * NS_PER_S)
    assert (began, ended) == (3_600 * NS_PER_S, 25 * 3_600 * NS_PER_S)
    number = days.of(began)
    assert [days.of(at) - number for at in (ended - 1, ended, ended - 1, began - 1, began)] == [0, 1, 0, -1, 0]


# --- orders at rest --------------------------------------------------------------------------------------------------


def entry(quantity: int = 1, wanted: str | None = None, **terms: object) -> Reserved:
    ticket = new(quantity, **terms)
    other = None if wanted is None else new(quantity, **{**terms, "limit_price": D(wanted)})
    return Reserved(make().exposure("a", 1), ticket, wanted=other)


def test_ranks_are_lower_the_better_a_price_is() -> None:
    assert rank(new(limit_price=D(10))) == -10.0
    assert rank(new(side=Side.SELL, limit_price=D(10))) == 10.0
    assert rank(new()) == -inf


def met(resting: Resting, side: Side) -> list[int]:
    """The prices from 1 to 13 at which an order would meet what rests on a side."""
    return [price for price in range(1, 14) if resting.meets(side, float(price))]


def queue(resting: Resting, side: Side) -> Queue:
    return resting.buys if side is Side.BUY else resting.sells


def test_what_rests_is_met_at_its_price_and_through_it() -> None:
    resting = Resting()
    assert [met(resting, side) for side in Side] == [[], []]
    assert not resting.meets(Side.BUY, None)
    far, near = entry(limit_price=D(9)), entry(limit_price=D(10))
    ask = entry(side=Side.SELL, limit_price=D(12))
    stop = entry(stop_price=D(50), order_type=OrderType.STOP)
    for one in (far, near, ask, stop):
        resting.add(one)
    assert met(resting, Side.BUY) == list(range(1, 11))
    assert met(resting, Side.SELL) == [12, 13]
    assert resting.meets(Side.SELL, None)
    near.over = True
    assert met(resting, Side.BUY) == list(range(1, 10))
    far.over = ask.over = True
    assert [met(resting, side) for side in Side] == [[], []]
    assert not resting.meets(Side.SELL, None)


@pytest.mark.parametrize("side", Side)
def test_an_order_whose_price_is_known_as_a_float_rests_like_any_other(side: Side) -> None:
    resting, other = Resting(), Resting()
    one = entry(side=side, limit_price=D(9))
    resting.add(one)
    queue(other, side).put(rank(one.ticket), one, one.ticket)
    assert met(resting, side) == met(other, side) != []
    assert met(other, side.opposite) == []
    market = Resting()
    one = entry(side=side)
    queue(market, side).put(-inf, one, one.ticket)
    assert met(market, side) == list(range(1, 14))


def test_a_change_on_its_way_rests_at_both_prices_and_then_at_one() -> None:
    resting = Resting()
    one = entry(limit_price=D(9), wanted="11")
    resting.add(one)
    assert met(resting, Side.BUY)[-1] == 11
    one.wanted = None  # refused
    assert met(resting, Side.BUY)[-1] == 9
    resting = Resting()
    moved = entry(limit_price=D(11), wanted="9")
    resting.add(moved)
    assert moved.wanted is not None
    moved.ticket, moved.wanted = moved.wanted, None  # made
    assert met(resting, Side.BUY)[-1] == 9


def test_the_dead_are_dropped_when_they_are_many_and_the_living_stay_in_order() -> None:
    resting = Resting()
    living = [entry(limit_price=D(price)) for price in (3, 1, 2)]
    for one in living:
        resting.add(one)
    for number in range(400):
        gone = entry(limit_price=D("0.5"))
        if number % 2:
            resting.add(gone)
        else:
            resting.buys.put(-0.5, gone, gone.ticket)
        gone.over = True
        assert len(resting.buys) <= 140
    found = []
    for one in (living[0], living[2], living[1]):
        found.append(met(resting, Side.BUY)[-1])
        one.over = True
    assert found == [3, 2, 1]
    assert met(resting, Side.BUY) == []


def test_many_that_live_are_kept() -> None:
    resting = Resting()
    living = [entry(limit_price=D(1 + number % 7)) for number in range(300)]
    for one in living:
        resting.add(one)
    assert len(resting.buys) == 300
    assert met(resting, Side.BUY)[-1] == 7


def test_after_a_restart_all_of_the_day_counts_and_of_the_day_before_the_last_hour() -> None:
    now_ns = MIDNIGHT + HOUR // 2
    late = MIDNIGHT + 5 * HOUR
    rows = [
        (MIDNIGHT - HOUR, "order", "a", 1.0),
        (MIDNIGHT - HOUR // 4, "order", "a", 2.0),
        (MIDNIGHT, "order", "a", 4.0),
    ]
    here = account()
    here.rebuild(rows, now_ns)
    purse = here.purse("a", now_ns)
    assert (purse.orders, purse.notional, purse.in_hour(now_ns)) == (1, 4.0, 2)
    later = account()
    later.rebuild([*rows, (MIDNIGHT + HOUR, "fill", "a", 0.0)], late)
    purse = later.purse("a", late)
    assert (purse.orders, purse.notional, purse.executions, purse.in_hour(late)) == (1, 4.0, 1, 0)


def test_what_was_paid_since_a_summary_is_what_was_sent_after_it() -> None:
    here = account(Outside())
    for at, money in ((1, 100.0), (2, 0.5), (3, 0.25)):
        here.sent("a", money, at, new=True)
    assert here.spent_since(0) == 100.75
    assert here.spent_since(1) == 0.75
    assert here.spent_since(2) == 0.25
    assert here.spent_since(3) == 0.0


def test_what_is_left_of_a_walk_is_the_steps_between_what_is_left() -> None:
    walk = Walk(1)
    for at, price in ((1, 100.0), (2, 102.0), (3, 105.0), (4, 109.0)):
        walk.add(price, at)
    assert walk.total == 9.0
    walk.forget(1)
    assert walk.total == 7.0
    walk.forget(2)
    assert walk.total == 4.0  # from 105 to 109
    walk.add(110.0, 5)
    walk.take_back()
    assert walk.total == 4.0
    walk.take_back()
    assert (walk.total, walk.last) == (0.0, 105.0)
