"""The pulse keeps the way of an order busy: an order at each beat, whatever rests, and no beat lost to a pause."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from engine.domain.ticket import Side
from strategies.pulse import Pulse, PulseParams

S = 1_000_000_000


class Desk:
    """What a context offers a strategy, with its hands in the open."""

    def __init__(self, *names: str) -> None:
        self.instruments = [SimpleNamespace(symbol=name) for name in names]
        self.now_ns = 100 * S
        self.timers: dict[str, int] = {}
        self.resting: list[Any] = []
        self.held = Decimal(0)
        self.placed: list[Side] = []
        self.cancelled: list[str] = []

    def set_timer(self, name: str, *, at_ns: int) -> None:
        self.timers[name] = at_ns

    def instrument(self, name: str) -> Any:
        return next(one for one in self.instruments if one.symbol == name)

    def orders(self, _: Any) -> list[Any]:
        return self.resting

    def cancel(self, coid: str) -> None:
        self.cancelled.append(coid)

    def is_open(self, _: Any) -> bool:
        return True

    def quote(self, _: Any) -> Any:
        return SimpleNamespace(bid=9.0, ask=9.1)

    def position(self, _: Any) -> Any:
        return SimpleNamespace(quantity=self.held)

    def buy(self, *_: Any, limit: float) -> None:
        self.placed.append(Side.BUY)

    def sell(self, *_: Any, limit: float) -> None:
        self.placed.append(Side.SELL)

    def indicator(self, *_: Any) -> None:
        pass


def pulse(desk: Any) -> Pulse:
    made = Pulse(desk, PulseParams(every_s=4.0))
    made.on_start()
    return made


def rests(side: Side, coid: str = "p-1") -> Any:
    return SimpleNamespace(ticket=SimpleNamespace(side=side, coid=coid))


def test_beats_of_several_instruments_stay_apart_after_a_pause() -> None:
    desk = Desk("A", "B")
    made = pulse(desk)
    assert desk.timers == {"A": 102 * S, "B": 104 * S}
    desk.now_ns = 113 * S  # nothing ran for ten seconds
    made.on_timer("A")
    made.on_timer("B")
    assert desk.timers == {"A": 114 * S, "B": 116 * S}


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_what_rests_is_cancelled_and_the_next_order_goes_its_way(side: Side) -> None:
    desk = Desk("A")
    made = pulse(desk)
    desk.resting = [rests(side)]
    made.on_timer("A")
    assert desk.cancelled == ["p-1"]
    assert desk.placed == [side], "the other side could trade with it"


def test_what_is_held_is_given_back_and_never_against_an_order_that_may_live() -> None:
    desk = Desk("A")
    made = pulse(desk)
    desk.held = Decimal(10)
    made.on_timer("A")
    assert desk.placed == [Side.SELL]
    desk.resting = [rests(Side.BUY)]
    made.on_timer("A")
    assert desk.placed == [Side.SELL]


def test_a_pile_of_orders_that_do_not_die_gets_no_higher() -> None:
    desk = Desk("A")
    made = pulse(desk)
    desk.resting = [rests(Side.BUY), rests(Side.BUY, "p-2")]
    made.on_timer("A")
    assert (desk.cancelled, desk.placed) == (["p-1", "p-2"], [])
