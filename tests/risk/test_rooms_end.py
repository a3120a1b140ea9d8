"""Rooms end before limits do: orders that stay in one, up to each limit, are refused where the table refuses them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from engine.domain.facts import AnswerMissing
from engine.domain.messages import Cancel, Modify
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import Side
from tests.risk.made import D
from tests.risk.test_rooms import CALL, EURO, PRICES, STOCK, Rooms, contract, settings_of, summary

BUY, SELL = Side.BUY, Side.SELL


def begun(limits: dict[str, Any], *, strategy: bool = False, session: bool = True) -> Rooms:
    made = Rooms()
    account = {"range_factor": D(10**6)} if "range_factor" in limits else {}  # else a session's own would be tighter
    levels = [account, limits, {}] if strategy else [limits, {}, {}]
    made.begin(levels=levels, session=session, equity=1e5)
    return made


def place(
    made: Rooms, several: int, conid: int = STOCK, side: Side = BUY, strategy: str = "a", ticks: int | None = 0
) -> int:
    """How many were approved."""
    before, number = made.approved, made.number
    made.terms = strategy, conid, side, 1, ticks
    for _ in range(several):
        made.again(1, same=True)
    assert made.number == number + several
    return made.approved - before


# A limit, what it is reached by, and after how many orders of one unit at the market's price.
REACHED: list[tuple[dict[str, Any], int, Side, int]] = [
    ({"gross_max": D(3000)}, STOCK, BUY, 30),
    ({"net_max": D(3000)}, STOCK, SELL, 30),
    ({"sector_max": D(3000)}, EURO, BUY, 30),  # 80 at 1.25 each
    ({"currency_max": D(3000)}, EURO, BUY, 30),
    ({"leverage_max": D("0.03")}, STOCK, BUY, 30),
    ({"notional_per_day_max": D(3000)}, STOCK, BUY, 30),
    ({"position_max": D(30)}, STOCK, BUY, 30),
    ({"position_max": D(30)}, STOCK, SELL, 30),
    ({"open_orders_max": 30}, STOCK, BUY, 30),
    ({"orders_per_minute_max": 30}, STOCK, BUY, 30),
    ({"messages_per_minute_max": 30}, STOCK, BUY, 30),
    ({"orders_per_hour_max": 30}, STOCK, BUY, 30),
    ({"orders_per_day_max": 30}, STOCK, BUY, 30),
    ({"messages_per_day_max": 30}, STOCK, BUY, 30),
]
OF_A_SESSION: list[tuple[dict[str, Any], int, Side, int]] = [
    ({"settled_cash": True}, STOCK, BUY, 50),  # 5,000 are there
    ({"buying_power": True}, STOCK, SELL, 50),
    ({"margin_cushion_pct": D(40)}, STOCK, BUY, 60),  # 3,000 are free, and half of each order is margin
    ({"option_delta_max": D(100)}, CALL, BUY, 20),  # 0.5 x 10
    ({"option_vega_max": D(30)}, CALL, BUY, 30),
]


@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize(("limits", "conid", "side", "most"), REACHED + OF_A_SESSION)
def test_limits_are_reached_to_the_last_order(
    limits: dict[str, Any], conid: int, side: Side, most: int, strategy: bool
) -> None:
    made = begun(limits, strategy=strategy)
    assert place(made, most + 5, conid, side) == most
    assert made.fitted >= most // 3


def a_position(made: Rooms) -> None:
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=20)


def a_fill_nobody_expected(made: Rooms) -> None:
    made.a_position_is_another(strategy="b", conid=EURO, quantity=20)


def an_order(made: Rooms) -> None:
    made.an_order_is_alive_after_all(strategy="a", conid=STOCK, quantity=20)


def larger(made: Rooms) -> None:
    live = made.open[-1].ticket
    assert made.judge(Modify(live.coid, "a", {"quantity": D(20)}))


def dearer(made: Rooms) -> None:
    made.market.prices = {conid: price * 1.7 for conid, price in PRICES.items()}


def a_rate(made: Rooms) -> None:
    made.rates["EUR"] = Decimal(3)
    for one in made.gates:
        one.rate_now("EUR")


def worth_less(made: Rooms) -> None:
    for one in made.gates:
        one.account.equity = 4e4


def by_another(made: Rooms) -> None:
    assert place(made, 20, strategy="b", ticks=1) == 20


def by_another_elsewhere(made: Rooms) -> None:
    assert place(made, 20, EURO, strategy="b") == 20


def withdrawn(made: Rooms) -> None:
    for live in made.open[:8]:
        made.judge(Cancel(live.ticket.coid, "a"))
        made.judge(Cancel(live.ticket.coid, "a"))


def quoted(bid: float = 99.95, size: float = 300.0) -> Callable[[Rooms], None]:
    def tell(made: Rooms) -> None:
        made.market.bid, made.market.bid_size, made.market.ask_size = bid, size, size

    return tell


def told(**said: Any) -> Callable[[Rooms], None]:
    def tell(made: Rooms) -> None:
        for one in made.gates:
            assert one.account.outside is not None
            for name, value in said.items():
                setattr(one.account.outside, name, value)

    return tell


def less_to_spend(made: Rooms) -> None:
    told(summary=summary(ts_ns=made.now_ns - 1, buying_power=D(1000), settled_cash=D(1000), excess_liquidity=D(3000)))(
        made
    )


def stronger_greeks(made: Rooms) -> None:
    told(contracts={CALL: contract(CALL, "1.5")})(made)


def lower_limits(made: Rooms) -> None:
    for one in made.gates:
        one.reload(settings_of([{"gross_max": D(2000)}, {}, {}]))
    made.table_only()


def lost(made: Rooms) -> None:
    ticket = made.open[-1].ticket
    made.say(Order(ticket=ticket, state=State.IN_DOUBT), AnswerMissing(coid=ticket.coid, ts_ns=made.now_ns))


HAPPENINGS: list[tuple[dict[str, Any], Callable[[Rooms], None], int]] = [
    *[
        (limits, happen, STOCK)
        for limits in (*({f"{name}_max": D(4000)} for name in ("gross", "net", "sector")), {"leverage_max": D("0.04")})
        for happen in (a_position, a_fill_nobody_expected, an_order, larger, dearer, by_another, by_another_elsewhere)
    ],
    *[({"position_max": D(40)}, happen, STOCK) for happen in (a_position, an_order, larger, by_another)],
    ({"leverage_max": D("0.04")}, worth_less, STOCK),
    ({"gross_max": D(4000)}, a_rate, EURO),
    ({"gross_max": D(4000)}, lower_limits, STOCK),
    ({"notional_per_day_max": D(4000)}, larger, STOCK),
    ({"notional_per_day_max": D(4000)}, by_another_elsewhere, STOCK),
    ({"messages_per_day_max": 30}, withdrawn, STOCK),
    ({"messages_per_minute_max": 30}, withdrawn, STOCK),
    ({"orders_per_day_max": 35}, by_another_elsewhere, STOCK),
    ({"settled_cash": True}, less_to_spend, STOCK),
    ({"buying_power": True}, by_another_elsewhere, STOCK),
    ({"option_delta_max": D(100)}, stronger_greeks, CALL),
    ({}, told(down="no session"), STOCK),
    ({"live_data": True}, told(availability={STOCK: "D"}), STOCK),
    ({}, told(account="DU2"), STOCK),
    ({"in_doubt_max": 0}, lost, STOCK),
    ({"spread_max_pct": D(1)}, quoted(98.0), STOCK),
    ({"two_sided": True}, quoted(101.0), STOCK),
    ({"two_sided": True}, quoted(float("nan")), STOCK),
    ({"displayed_size_pct": D(1)}, quoted(size=99.0), STOCK),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "happen", "conid"), HAPPENINGS)
def test_what_happens_meanwhile_counts_at_once(
    limits: dict[str, Any], happen: Callable[[Rooms], None], conid: int
) -> None:
    """`Rooms.judge` holds each verdict beside that of a gate which has no rooms."""
    made = begun(limits)
    assert place(made, 8, conid) == 8
    assert made.fitted >= 5
    happen(made)
    assert place(made, 45, conid) < 40


def test_orders_that_ended_before_a_room_was_measured_make_no_room_for_a_position_after() -> None:
    made = begun({"gross_max": D(4000)})
    assert place(made, 8) == 8
    for live in made.open[:6]:
        made.over(live)
    assert place(made, 1, strategy="b") == 1  # measured with three open
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=6)
    assert place(made, 40, strategy="b") == 31


@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize("side", Side)
def test_a_room_begins_where_the_position_stands(side: Side, strategy: bool) -> None:
    """20 are held: 10 more on the same side are the limit, and 50 on the other."""
    for sign, most in ((1, 10), (-1, 50)):
        made = begun({"position_max": D(30)}, strategy=strategy)
        made.a_position_is_another(strategy="a", conid=STOCK, quantity=20 * side.sign * sign)
        assert place(made, 60, side=side) == most
        assert made.fitted >= most // 3


def test_a_position_that_rises_counts_where_the_accounts_has_been_as_high() -> None:
    """20 of another strategy end, and as many come to be held: more for the one, no more for the account."""
    made = begun({"gross_max": D(4000)}, strategy=True)
    assert place(made, 20, strategy="b") == 20
    others = list(made.open)
    assert place(made, 8) == 8
    assert made.fitted >= 20
    for live in others:
        made.over(live)
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=20)
    assert place(made, 40) == 12


@pytest.mark.parametrize("first", [STOCK, EURO])
def test_what_was_bought_elsewhere_since_a_room_was_measured_may_get_dearer(first: int) -> None:
    made = begun({"gross_max": D(4000)})
    assert place(made, 2, first) == 2  # whichever of the two was looked at first
    assert place(made, 2, EURO, strategy="b") == 2
    made.nothing_is_left()
    assert place(made, 8) == 8  # nothing is at stake in the other when its room is measured
    assert place(made, 20, EURO, strategy="b") == 20
    made.market.prices[EURO] *= 1.7
    assert place(made, 2) == 0


@pytest.mark.parametrize("taken", [6, 20])  # few are counted one by one, many together
def test_what_a_room_has_taken_counts_in_the_longer_look_elsewhere(taken: int) -> None:
    made = begun({"gross_max": D(2000 + 100 * taken)})
    assert place(made, 12) == 12
    assert place(made, 1, EURO, strategy="b") == 1
    assert place(made, 2) == 2
    assert place(made, 1, EURO) == 1  # asked for longer: the other instrument is what was looked at last
    before = made.fitted
    assert place(made, taken) == taken
    assert made.fitted == before + taken
    made.terms = "b", EURO, BUY, 5, 600  # with 14 others at 100 and two at 80: 7 x 86 x 1.25 are above it
    before = made.approved
    made.again(1, same=True)
    assert made.approved == before


def test_what_leaves_a_window_frees_room_and_a_room_of_old_is_not_trusted() -> None:
    made = begun({"orders_per_minute_max": 6, "price_drift_pct": D(1)})
    assert place(made, 8) == 6
    made.now_ns += 61 * NS_PER_S
    assert place(made, 8) == 6
    made = begun({"price_drift_pct": D(1)})
    walked = [place(made, 1, ticks=ticks) for ticks in (0, 0, 40, 0, 40, 20, 45, 0)]  # 0.4 + 0.4 + 0.25 are above 1 %
    assert walked == [1, 1, 1, 1, 1, 1, 0, 1]


@pytest.mark.parametrize("side", Side)
def test_prices_walk_on_one_side_of_a_room_that_the_other_side_has_opened(side: Side) -> None:
    made = begun({"price_drift_pct": D(1)})
    assert place(made, 1, side=side.opposite) == 1
    walked = [place(made, 1, side=side, ticks=ticks * side.sign) for ticks in (0, 40, 80, 120, 100)]  # 1 % is 100
    assert walked == [1, 1, 1, 0, 1]
    assert made.fitted >= 3


def test_sizes_and_prices_of_late() -> None:
    made = begun({"range_factor": D(2)})
    assert place(made, 6) == 6
    made.terms = "a", STOCK, BUY, 3, 0
    before = made.approved
    made.again(1, same=True)
    assert made.approved == before
    assert made.fitted >= 4


def test_a_room_ends_with_the_summary_and_with_the_time_that_an_option_may_be_opened() -> None:
    made = begun({"buying_power": True, "summary_age_max_s": D(10)})
    assert place(made, 8) == 8
    made.now_ns += 10 * NS_PER_S - 1  # it is of the moment before
    assert place(made, 8) == 8
    made.now_ns += 1
    assert place(made, 8) == 0
    made = begun({"expiry_days_min": 1})
    soon = contract(CALL, days=1)
    told(contracts={CALL: structs.replace(soon, expires_ns=(soon.expires_ns or 0) + 30 * NS_PER_S)})(made)
    assert place(made, 8, CALL) == 8
    made.now_ns += 30 * NS_PER_S
    assert place(made, 8, CALL) == 8
    made.now_ns += 1
    assert place(made, 8, CALL) == 0


def test_an_order_beside_a_room_ends_it() -> None:
    """Prices walk by orders of another size too, whether or not the room is measured again at once."""
    made = begun({"range_factor": D(3), "price_drift_pct": D(1)})
    assert place(made, 12) == 12
    approved = []
    for quantity, ticks in ((2, 40), (1, 0), (2, 40), (1, -10), (1, 20)):  # 0.4 + 0.4 + 0.3 are above 1 %
        made.terms = "a", STOCK, BUY, quantity, ticks
        before = made.approved
        made.again(1, same=True)
        approved.append(made.approved - before)
    assert approved == [1, 1, 1, 1, 0]


def test_own_orders_on_the_other_side() -> None:
    made = begun({"self_trade": False})
    assert place(made, 4, ticks=-5) == 4
    assert place(made, 4, side=SELL, ticks=5) == 4
    assert place(made, 2, strategy="b", ticks=5) == 0
    assert place(made, 2, strategy="b", side=SELL, ticks=-5) == 0
    assert made.fitted >= 4
    for side in Side:
        made = begun({"self_trade": False})
        assert place(made, 1, strategy="b", side=side.opposite, ticks=5 * side.sign) == 1
        assert place(made, 8, side=side, ticks=-5 * side.sign) == 8
        assert place(made, 1, side=side, ticks=None) == 0  # at any price


def test_a_price_is_reserved_until_nothing_is_open() -> None:
    made = begun({"gross_max": D(6000)})
    assert place(made, 8, ticks=300) == 8
    assert [units.top for units in made.gates[0].exposure("a", STOCK).units] == [103.0, 103.0]
    made.nothing_is_left()
    assert place(made, 8) == 8
    assert made.fitted >= 14
    assert [units.top for units in made.gates[0].exposure("a", STOCK).units] == [100.0, 100.0]


def test_what_may_not_be_sold_short_has_no_room() -> None:
    made = begun({"short_availability": True})
    made.the_venue_lends(conid=STOCK, shares=None, fee=None)
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=12)
    assert place(made, 20, side=SELL) == 12
    assert made.fitted >= 6
