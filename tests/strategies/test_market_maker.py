"""Two-sided quoting, with prices worked out by hand.

Half a tick is never left over: markets here are an even number of cents wide.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve

from engine.domain.market import MarketEvent
from engine.domain.moments import NS_PER_DAY
from engine.domain.order import Order, State
from engine.settings import LatencySettings, ParticipationSettings, VenueSettings
from strategies.market_maker import MarketMaker, MarketMakerParams

from .ring import CLOSE, LOOSE, MS, OPEN, M, Ring, Run, S, quote, trade

STOP = CLOSE - OPEN - 10 * M
# Every share of a print may be ours.
WHOLE = VenueSettings(
    latency_ms=LatencySettings(place=10, modify=10, cancel=10),
    participation=ParticipationSettings(trade=1.0),
    fees="none",
)


def run(events: list[MarketEvent], ring: Ring | None = None, **changes: Any) -> Run:
    return (ring or Ring(venue=WHOLE)).run(MarketMaker, MarketMakerParams(**changes), events)


def limits(done: Run) -> list[str]:
    """Price of each order in force at the end."""
    return [str(order.ticket.limit_price) for order in done.orders]


def said(done: Run, number: int) -> list[str]:
    return [word for _, word in done.history(f"s-{number:06d}")]


def test_both_sides_about_the_middle() -> None:
    done = run([quote(0, 10.00, 10.10), quote(S, 10.00, 10.10)], edge_ticks=2)
    assert done.asked == [(0, "BUY 100 AAA LMT 10.03"), (0, "SELL 100 AAA LMT 10.07")]
    assert [(order.state, order.reason) for order in done.orders] == [(State.CANCELLED, "day")] * 2  # at the close


def test_prices_between_ticks_go_away_from_the_middle() -> None:
    done = run([quote(0, 10.00, 10.05), quote(S, 10.00, 10.05)], edge_ticks=1)  # 10.025 -/+ 0.01
    assert [what for _, what in done.asked] == ["BUY 100 AAA LMT 10.01", "SELL 100 AAA LMT 10.04"]


def test_a_price_that_lies_on_a_tick_stays_there() -> None:
    # (0.07 + 0.09) / 2 - 0.01 is 0.06999999999999999 in floats.
    done = run([quote(0, 0.07, 0.09), quote(S, 0.07, 0.09)], edge_ticks=1)
    assert [what for _, what in done.asked] == ["BUY 100 AAA LMT 0.07", "SELL 100 AAA LMT 0.09"]


def test_never_through_the_other_side() -> None:
    done = run([quote(0, 10.00, 10.01), quote(S, 10.00, 10.01)], edge_ticks=0)
    assert [what for _, what in done.asked] == ["BUY 100 AAA LMT 10.00", "SELL 100 AAA LMT 10.01"]
    # Short 100, fair value nine ticks up at 10.14: a bid of 10.13 would take the ask at 10.10.
    short = [quote(0, 10.00, 10.10), trade(S, 10.08), quote(2 * S, 10.00, 10.10), trade(3 * S, 10.095)]
    assert limits(run(short, skew_ticks=9))[0] == "10.09"
    long = [quote(0, 10.00, 10.10), trade(S, 10.02), quote(2 * S, 10.00, 10.10), trade(3 * S, 10.005)]
    assert limits(run(long, skew_ticks=9))[1] == "10.01"


def test_working_orders_are_moved_not_replaced() -> None:
    done = run([quote(0, 10.00, 10.10), quote(S, 10.04, 10.14), quote(2 * S, 10.04, 10.14)])
    assert len(done.orders) == 2
    assert limits(done) == ["10.08", "10.10"]
    for number in (1, 2):
        assert said(done, number) == ["Sent", "Accepted", "ModifyAsked", "Modified", "Cancelled"]
        assert done.history(f"s-{number:06d}")[2][0] == S


def test_a_small_move_is_let_be() -> None:
    events: list[MarketEvent] = [quote(0, 10.00, 10.10), quote(S, 10.02, 10.12), quote(2 * S, 10.03, 10.13)]
    done = run([*events, quote(3 * S, 10.03, 10.13)], refresh_ticks=3)
    assert limits(done) == ["10.07", "10.09"]
    assert [ts for ts, word in done.history("s-000001") if word == "ModifyAsked"] == [2 * S]


class Listening(MarketMaker):
    """Counts what it is told of its orders, refusals of modifications included."""

    heard = 0

    def on_order(self, order: Order) -> None:
        super().on_order(order)
        self.heard += 1


def test_an_order_in_flight_is_left_alone() -> None:
    moves = [quote(0, 10.00, 10.10), quote(5 * MS, 10.02, 10.12), quote(11 * MS, 10.04, 10.14), quote(S, 10, 10.1)]
    done = Ring(venue=WHOLE).run(Listening, MarketMakerParams(), moves)
    # At 5 ms they are on their way: an order manager would turn down to modify what the exchange has not accepted. So
    # there are two acceptances and two modifications to hear of, and two orders for the day that expire at the close;
    # the last modifications would arrive after the last row.
    assert done.strategy.heard == 6
    assert [ts for ts, word in done.history("s-000001") if word == "ModifyAsked"] == [11 * MS, S]


def test_inventory_shifts_both_prices() -> None:
    events = [quote(0, 10.00, 10.20), trade(S, 10.08, 100), quote(2 * S, 10.00, 10.20), quote(9 * S, 10.00, 10.20)]
    done = run([*events, quote(10 * S, 10.00, 10.20)], skew_ticks=3)
    assert done.fills == [("BUY", Decimal(100), Decimal("10.09"))]
    # Fair value 10.10 - 0.03: the ask comes down at once, the bid after its rest.
    assert done.asked == [
        (0, "BUY 100 AAA LMT 10.09"),
        (0, "SELL 100 AAA LMT 10.08"),
        (9 * S, "BUY 100 AAA LMT 10.06"),
    ]
    assert [ts for ts, word in done.history("s-000002") if word == "ModifyAsked"] == [2 * S]


def test_a_part_filled_order_goes_on_and_is_filled_up_when_it_moves() -> None:
    events = [quote(0, 10.00, 10.20), trade(S, 10.08, 40), quote(2 * S, 10.00, 10.20), quote(3 * S, 10.10, 10.30)]
    done = run([*events, quote(4 * S, 10.10, 10.30)], skew_ticks=0)
    buying = done.orders[0]
    assert buying.filled == 40
    assert [ts for ts, word in done.history("s-000001") if word == "ModifyAsked"] == [3 * S]
    assert (buying.ticket.quantity, str(buying.ticket.limit_price)) == (Decimal(140), "10.19")
    assert len(done.orders) == 2


def test_inventory_has_a_limit() -> None:
    events = [quote(0, 10.00, 10.20), trade(S, 10.08, 100)]
    events += [quote(i * S, 10.00, 10.20) for i in range(2, 20)]
    done = run(events, max_inventory=Decimal(150), skew_ticks=0)
    assert done.asked[2:] == [(4 * S, "BUY 50 AAA LMT 10.09")]
    done = run(events, max_inventory=Decimal(100), skew_ticks=0)
    assert done.asked[2:] == []


def test_an_order_is_filled_up_to_two_in_all_and_no_further() -> None:
    events = [quote(0, 10.00, 10.20), trade(S, 10.08, 60), quote(2 * S, 10.10, 10.30), trade(3 * S, 10.18, 60)]
    done = run([*events, quote(4 * S, 10.20, 10.40), quote(5 * S, 10.20, 10.40)], skew_ticks=0)
    buying = done.orders[0]
    assert (buying.filled, buying.ticket.quantity, str(buying.ticket.limit_price)) == (
        Decimal(120),
        Decimal(200),
        "10.29",
    )


def test_what_is_filled_up_keeps_to_the_limit() -> None:
    events = [quote(0, 10.00, 10.20), trade(S, 10.08, 40), quote(2 * S, 10.00, 10.20), quote(3 * S, 10.10, 10.30)]
    done = run([*events, quote(4 * S, 10.10, 10.30)], max_inventory=Decimal(120), skew_ticks=0)
    buying = done.orders[0]
    assert (buying.ticket.quantity, buying.remaining) == (Decimal(120), Decimal(80))  # 40 held, room for 80


def test_out_while_a_side_is_missing_or_the_market_is_crossed() -> None:
    nan = float("nan")
    good = [quote(i * S, 10.00, 10.10) for i in (0, 2, 3)]
    for bad in [(nan, 10.10), (10.00, nan), (10.06, 10.05), (10.05, 10.05)]:  # none of them takes our orders
        done = run([*good, quote(S, *bad)], edge_ticks=3)
        assert [order.state for order in done.orders[:2]] == [State.CANCELLED, State.CANCELLED], bad
        assert done.asked[2:] == [(2 * S, "BUY 100 AAA LMT 10.02"), (2 * S, "SELL 100 AAA LMT 10.08")]
    assert run([quote(0, nan, 10.10), quote(S, 10.10, 10.00)]).asked == []


def test_before_the_close_it_cancels_and_goes_flat_and_begins_again_after_the_open() -> None:
    day = NS_PER_DAY
    events = [quote(STOP - 60 * S, 10.00, 10.20), trade(STOP - 59 * S, 10.08, 100), quote(STOP - 58 * S, 10.00, 10.20)]
    events += [quote(STOP + 3 * S, 10.00, 10.20), quote(day, 10.00, 10.20), quote(day + M + S, 10.00, 10.20)]
    done = run(events, skew_ticks=0)
    assert done.asked == [
        (STOP - 60 * S, "BUY 100 AAA LMT 10.09"),
        (STOP - 60 * S, "SELL 100 AAA LMT 10.11"),
        (STOP + 10 * MS, "SELL 100 AAA MKT"),  # when the other order is known to be dead
        (day + M + S, "BUY 100 AAA LMT 10.09"),
        (day + M + S, "SELL 100 AAA LMT 10.11"),
    ]
    assert [order.state for order in done.orders[:3]] == [State.FILLED, State.CANCELLED, State.FILLED]


def test_a_fill_while_it_is_getting_out_is_closed_with_the_rest() -> None:
    events = [quote(STOP - S, 10.00, 10.20), trade(STOP + 5 * MS, 10.08, 40), quote(STOP + S, 10.00, 10.20)]
    done = run(events)
    assert done.asked[2:] == [(STOP + 10 * MS, "SELL 40 AAA MKT")]
    assert [position.quantity for position in done.result.positions] == [Decimal(0)]


def test_it_may_hold_overnight() -> None:
    events = [quote(STOP - 60 * S, 10.00, 10.20), trade(STOP - 59 * S, 10.08, 100), quote(STOP + S, 10.00, 10.20)]
    done = run(events, flatten=False)
    assert [position.quantity for position in done.result.positions] == [Decimal(100)]
    assert [order.state for order in done.orders] == [State.FILLED, State.CANCELLED]


def test_a_refused_side_rests() -> None:
    ring = Ring(venue=WHOLE, limits=evolve(LOOSE, position_max=Decimal(50)))
    done = run([quote(i * S, 10.00, 10.10) for i in range(7)], ring, pause_s=3)
    assert [order.created_ns - OPEN for order in done.orders] == [0, 0, 3 * S, 3 * S, 6 * S, 6 * S]
    assert set(done.refused) == {"POSITION"}


def test_no_quotes_outside_the_session() -> None:
    assert run([quote(-S, 10.00, 10.10), quote(CLOSE - OPEN, 10.00, 10.10)]).asked == []


def test_a_smoothed_middle_lags() -> None:
    # Smoothing over 3 moves half of the way: 10.05, then 10.06 for a middle of 10.07.
    done = run([quote(0, 10.00, 10.10), quote(S, 10.02, 10.12), trade(2 * S, 10.06)], smoothing=3)
    assert limits(done) == ["10.05", "10.07"]


def test_fair_value_and_inventory_are_charted() -> None:
    done = run([quote(0, 10.00, 10.10), quote(S, 10.00, 10.10)])
    assert {(series.name, series.value.tolist()[0]) for series in done.result.indicators} == {
        ("fair value", 10.05),
        ("inventory", 0.0),
    }
