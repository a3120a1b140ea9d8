"""The cross of two averages, with orders worked out by hand.

With fast = 1 and slow = 2 the fast average is the value itself and the slow one moves two thirds of the way to it: a
value above the one before is a signal to be long, one below it a signal to be out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine.domain.market import Bar, MarketEvent, Status, Trading
from engine.domain.moments import NS_PER_DAY
from engine.runtime.outcome import IndicatorSeries
from engine.settings import Pipeline
from strategies.ema_cross import EmaCross, EmaCrossParams

from .ring import AAA, BBB, CLOSE, LOOSE, OPEN, M, Ring, Run, S, quote, trade


def params(**changes: Any) -> EmaCrossParams:
    return evolve(EmaCrossParams(fast=1, slow=2, on="quotes"), **changes)


def mids(*values: float, start: int = 0, step: int = S, conid: int = 1) -> list[MarketEvent]:
    """Quotes a cent to either side of each value."""
    return [quote(start + i * step, value - 0.01, value + 0.01, conid) for i, value in enumerate(values)]


def run(given: EmaCrossParams, events: list[MarketEvent], ring: Ring | None = None) -> Run:
    return (ring or Ring()).run(EmaCross, given, events)


def test_long_while_the_fast_average_is_above_and_flat_else() -> None:
    done = run(params(), mids(10, 10, 11, 12, 11, 10, 12))
    assert done.asked == [
        (2 * S, "BUY 100 AAA MKT"),
        (4 * S, "SELL 100 AAA MKT"),
        (6 * S, "BUY 100 AAA MKT"),  # sent with the last row: it never arrives
    ]
    assert done.fills == [
        ("BUY", Decimal(100), Decimal("11.01")),
        ("SELL", Decimal(100), Decimal("10.99")),
    ]


def test_nothing_before_the_slow_average_is_ready() -> None:
    assert run(params(slow=4), mids(10, 12, 13)).asked == []
    assert run(params(slow=4), mids(10, 12, 13, 14)).asked == [(3 * S, "BUY 100 AAA MKT")]


def test_short_turns_the_position_round() -> None:
    done = run(params(short=True), mids(10, 9, 9, 11, 10, 10))
    assert done.asked == [
        (1 * S, "SELL 100 AAA MKT"),
        (3 * S, "BUY 200 AAA MKT"),
        (4 * S, "SELL 200 AAA MKT"),
    ]
    assert [position.quantity for position in done.result.positions] == [Decimal(-100)]


def test_an_order_under_way_counts_as_done() -> None:
    done = run(params(short=True), mids(10, 11, 9, 9, step=1_000_000))  # the first order needs ten of these steps
    assert [what for _, what in done.asked] == ["BUY 100 AAA MKT", "SELL 200 AAA MKT"]


def test_gap_is_the_least_number_of_rows_between_orders() -> None:
    values = (10, 11, 10, 11, 10, 9)
    assert [ts for ts, _ in run(params(), mids(*values)).asked] == [1 * S, 2 * S, 3 * S, 4 * S]
    assert [ts for ts, _ in run(params(gap=2), mids(*values)).asked] == [1 * S, 4 * S]


def test_one_sided_quotes_say_nothing() -> None:
    events = [*mids(10, 10), quote(2 * S, float("nan"), 50.0), *mids(9, start=3 * S)]
    assert run(params(), events).asked == []


def test_equal_averages_are_no_signal() -> None:
    assert run(params(short=True), mids(10, 10, 10)).asked == []


def test_bars_of_trades_decide_at_their_end() -> None:
    closes = (10.0, 10.0, 11.0, 10.0)
    events: list[MarketEvent] = [quote(0, 9.99, 10.01)]
    for i, close in enumerate(closes):
        events += [trade(i * M + 10 * S, 50.0), trade(i * M + 20 * S, close)]
    events.append(quote(5 * M, 9.99, 10.01))
    done = run(params(on="bars", length="1min"), events)
    assert done.asked == [(3 * M, "BUY 100 AAA MKT"), (4 * M, "SELL 100 AAA MKT")]


def test_recorded_bars_are_taken_as_they_come() -> None:
    bars: list[MarketEvent] = [
        Bar(OPEN + (i + 1) * M, 1, M, c, c, c, c, 1e6) for i, c in enumerate((10.0, 9.0, 10.0, 10.5))
    ]
    assert run(params(on="bars", source="recorded"), bars).asked == [(3 * M, "BUY 100 AAA MKT")]


def test_each_instrument_has_its_own_averages() -> None:
    events = [*mids(10, 11, 12), *mids(20, 19, 21, conid=2, start=1)]
    done = run(params(), events, Ring(instruments=(AAA, BBB)))
    assert done.asked == [(1 * S, "BUY 100 AAA MKT"), (2 * S + 1, "BUY 100 BBB MKT")]


def test_a_signal_while_closed_or_halted_is_acted_upon_later() -> None:
    close = CLOSE - OPEN
    events = [*mids(10, 10, start=close - 2 * S), *mids(11, start=close), *mids(12, 13, start=NS_PER_DAY)]
    assert run(params(), events).asked == [(NS_PER_DAY, "BUY 100 AAA MKT")]
    halt = [Status(OPEN + S, 1, Trading.HALTED), Status(OPEN + 4 * S, 1, Trading.OPEN)]
    assert run(params(), [*mids(10, 10, 11, 12, 13), *halt]).asked == [(4 * S, "BUY 100 AAA MKT")]


def test_flat_before_the_close_and_no_order_until_the_next_open() -> None:
    flat = CLOSE - OPEN - 5 * M
    events = [*mids(10, 11), *mids(12, 11, 12, start=flat - S, step=2 * S), *mids(13, 14, start=NS_PER_DAY)]
    done = run(params(flat_minutes=5), events)
    assert done.asked == [
        (1 * S, "BUY 100 AAA MKT"),
        (flat, "SELL 100 AAA MKT"),
        (NS_PER_DAY, "BUY 100 AAA MKT"),
    ]
    assert [order.ticket.tag for order in done.orders] == ["cross", "flat", "cross"]


def test_a_refused_order_is_not_tried_again_before_the_next_signal() -> None:
    tight = evolve(LOOSE, order_quantity_max=Decimal(50))
    done = run(params(), mids(10, 11, 12, 13), Ring(limits=tight))
    assert done.refused == ["QUANTITY"]


def test_both_averages_are_charted() -> None:
    done = run(params(), mids(10, 13, 16))

    def line(name: str) -> IndicatorSeries:
        (found,) = [series for series in done.result.indicators if series.name == name]
        return found

    assert line("EMA 1").value.tolist() == [13.0, 16.0]
    assert line("EMA 2").value.tolist() == [12.0, pytest.approx(16 - 4 / 3)]
    assert [(ts - OPEN) // S for ts in line("EMA 1").ts_ns.tolist()] == [1, 2]


def test_channels_and_cuts_change_nothing() -> None:
    events = mids(*(10 + (i * i) % 7 for i in range(40)))
    plain = run(params(short=True), events)
    assert len(plain.orders) > 10
    for ring in (Ring(pipeline=Pipeline.CHANNELS), Ring(cuts=(1, 7, 8, 30))):
        assert run(params(short=True), events, ring).result.hash == plain.result.hash


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [({"fast": 0}, "fast"), ({"slow": 10}, "slow must be above fast, 10, not 10"), ({"quantity": Decimal(0)}, "quant")],
)
def test_parameters_that_make_no_sense(bad: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        EmaCrossParams(**bad)
