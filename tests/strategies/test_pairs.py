"""Pairs, worked out by hand on minute bars.

The second instrument stays at 10, so the spread is the log of the first, up to a constant. The window is ten bars that
swing between two values a hundredth apart in logs; their deviation is `SWING`.
"""

from __future__ import annotations

from decimal import Decimal
from math import exp, log, sqrt
from typing import Any

import pytest
from attrs import evolve

from engine.domain.market import Bar, MarketEvent
from engine.domain.order import State
from engine.errors import StrategyError
from engine.settings import Limits, ParticipationSettings
from strategies.pairs import Pairs, PairsParams

from .ring import AAA, BBB, LOOSE, OPEN, QUICK, M, Ring, Run

BASE = log(20.0)
SWING = 0.005 * sqrt(10.0 / 9.0)  # ten values half a hundredth from their mean
WINDOW = [BASE + (0.005 if i % 2 else -0.005) for i in range(10)]
PAIR = Ring(instruments=(AAA, BBB), venue=evolve(QUICK, participation=ParticipationSettings(bar=1.0)))


def bar(conid: int, minute: int, price: float) -> Bar:
    return Bar(OPEN + minute * M, conid, M, price, price, price, price, 1e6)


def bars(logs: list[float], second: float = 10.0) -> list[MarketEvent]:
    """Minute bars of both; bars of one minute share their moment."""
    events: list[MarketEvent] = []
    for i, value in enumerate(logs):
        events += [bar(1, i + 1, exp(value)), bar(2, i + 1, second)]
    return events


def at(z: float) -> float:
    """The log price that lies z deviations above the window's mean."""
    return BASE + z * SWING


def run(logs: list[float], ring: Ring = PAIR, **changes: Any) -> Run:
    given = PairsParams(window=10, source="recorded", notional=Decimal(2_000), **changes)
    return ring.run(Pairs, given, bars(logs))


def test_apart_upwards_the_first_is_sold_and_the_second_bought() -> None:
    done = run([*WINDOW, at(2.5), at(2.5)])
    units = int(2_000 / exp(at(2.5)))  # 98: whole shares for the money
    assert done.asked == [(11 * M, f"SELL {units} AAA MKT"), (11 * M, "BUY 200 BBB MKT")]
    assert {order.state for order in done.orders} == {State.FILLED}


def test_apart_downwards_the_other_way() -> None:
    done = run([*WINDOW, at(-2.5), at(-2.5)])
    assert [what.split()[0] for _, what in done.asked] == ["BUY", "SELL"]


@pytest.mark.parametrize("z", [1.9, -1.9, 4.1, -4.1])
def test_neither_near_nor_too_far(z: float) -> None:
    assert run([*WINDOW, at(z), at(z)]).asked == []


def test_nothing_before_the_window_is_full() -> None:
    assert run([*WINDOW[:9], at(3.0)]).asked == []


def test_closed_when_it_has_come_back() -> None:
    done = run([*WINDOW, at(3.0), at(3.0), at(0.0), at(0.0)])
    assert [(ts // M, what.split()[0], what.split()[2]) for ts, what in done.asked] == [
        (11, "SELL", "AAA"),
        (11, "BUY", "BBB"),
        (13, "BUY", "AAA"),
        (13, "SELL", "BBB"),
    ]
    assert [position.quantity for position in done.result.positions] == [Decimal(0), Decimal(0)]
    assert done.orders[-1].ticket.tag == "came back"


def test_given_up_when_it_goes_too_far_and_then_waits_until_it_has_come_back() -> None:
    # Each bar widens the deviation, so what follows goes far beyond.
    logs = [*WINDOW, at(3.0), at(3.0), at(30.0), at(30.0)]
    done = run(logs)
    assert [order.ticket.tag for order in done.orders] == ["enter", "enter", "gave up", "gave up"]
    still_apart = [at(60.0 + 10 * i) for i in range(4)]
    assert len(run([*logs, *still_apart]).orders) == 4


def test_once_it_has_come_back_it_is_traded_again() -> None:
    # Five deviations away is given up on. With that value in the window the next ones lie within half of its deviation,
    # and ten bars later the window is what it was.
    logs = [*WINDOW, at(5.0), *WINDOW, at(2.5), at(2.5)]
    assert [ts // M for ts, _ in run(logs).asked] == [22, 22]
    assert run([*WINDOW, at(5.0), at(5.0), *[at(3.5)] * 2]).asked == []


def test_a_leg_that_is_refused_takes_the_other_out_again() -> None:
    ring = PAIR.but(by_instrument={"BBB": Limits(order_quantity_max=Decimal(10))})
    done = run([*WINDOW, at(2.5), at(2.5), at(2.5), at(2.5)], ring)
    assert done.refused == ["QUANTITY"]
    entry, refused, *rest = done.orders
    assert refused.state is State.REFUSED
    # The order under way either dies by the cancel or is closed after it has filled; either way nothing is held.
    assert entry.state is State.FILLED or (entry.state is State.CANCELLED and not rest)
    assert sum((position.quantity for position in done.result.positions), Decimal(0)) == 0
    assert not [order for order in done.orders if order.is_open]


def test_a_refused_pair_is_not_tried_at_every_bar() -> None:
    ring = PAIR.but(limits=evolve(LOOSE, order_quantity_max=Decimal(10)))
    assert run([*WINDOW, at(2.5), at(2.5), at(2.5)], ring).refused == ["QUANTITY", "QUANTITY"]


def test_a_leg_too_dear_for_the_money_keeps_both_out() -> None:
    given = PairsParams(window=10, source="recorded", notional=Decimal(15))
    done = PAIR.run(Pairs, given, bars([*WINDOW, at(2.5), at(2.5)]))  # 15 buy one of 10 and none of 20
    assert done.asked == []


def test_a_bar_without_its_partner_is_no_pair() -> None:
    events = [event for event in bars([*WINDOW, at(2.5)]) if not (event.conid == 2 and event.ts_ns == OPEN + 11 * M)]
    given = PairsParams(window=10, source="recorded")
    assert PAIR.run(Pairs, given, [*events, bar(1, 12, exp(at(2.5)))]).asked == []


def test_five_minute_bars_are_made_of_the_recorded_ones() -> None:
    logs = [value for value in [*WINDOW, at(2.5)] for _ in range(5)] + [at(2.5)]
    done = PAIR.run(Pairs, PairsParams(window=10, length="5min", notional=Decimal(2_000)), bars(logs))
    assert [(ts // M, what.split()[0]) for ts, what in done.asked] == [(55, "SELL"), (55, "BUY")]


def test_a_fitted_hedge_sizes_the_second_leg() -> None:
    # ln first = 2 ln second + noise: the second leg has twice the money.
    events: list[MarketEvent] = []
    for i in range(12):
        second = 10.0 * exp(0.01 * (i % 5))
        noise = 0.001 * (1 if i % 2 else -1) if i < 11 else 0.003
        first = exp(2.0 * log(second) + noise)
        events += [bar(1, i + 1, first), bar(2, i + 1, second)]
    events += [bar(1, 13, first), bar(2, 13, second)]
    given = PairsParams(window=11, source="recorded", hedge="fitted", notional=Decimal(10_000))
    done = PAIR.run(Pairs, given, events)
    (_, one), (_, two) = done.asked
    assert (one.split()[0], two.split()[0]) == ("SELL", "BUY")
    money = [float(one.split()[1]) * first, float(two.split()[1]) * second]
    assert money[1] / money[0] == pytest.approx(2.0, abs=0.05)


def test_the_z_score_is_charted() -> None:
    (series,) = run([*WINDOW, at(1.0)]).result.indicators
    assert series.name == "z score"
    assert series.value.tolist() == [pytest.approx(1.0)]


@pytest.mark.parametrize("bad", [{"leave": 2.0}, {"give_up": 2.0}, {"window": 9}])
def test_parameters_that_make_no_sense(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"leave|window"):
        PairsParams(**bad)


def test_a_pair_has_two_instruments() -> None:
    with pytest.raises(StrategyError, match="s: a pair has two instruments, not 1"):
        Ring().run(Pairs, PairsParams(), [bar(1, 1, 10.0)])
