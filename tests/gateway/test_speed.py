"""A clock that runs faster than the market can be played is held back; one that jumps is followed to the end."""

from __future__ import annotations

from typing import Final

import pytest

from engine.domain.moments import NS_PER_S
from engine.gateway.clock import GatewayClock
from engine.gateway.records import News
from tests.gateway.fakes import START_NS, FakeExchange, shell

HOUR: Final = 3600 * NS_PER_S


class Wall:
    """Only work makes it go on, and whoever sets it."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


class SlowExchange(FakeExchange):
    """An hour of its market takes `cost_ns` of the wall."""

    def __init__(self, wall: Wall, cost_ns: int) -> None:
        super().__init__()
        self._wall = wall
        self._cost_ns = cost_ns

    def advance(self, now_ns: int) -> list[News]:
        self._wall.ns += max(0, now_ns - self.now_ns) * self._cost_ns // HOUR
        return super().advance(now_ns)


@pytest.mark.parametrize("rate", [1e5, 1e9, 1e15])
def test_there_is_an_answer_soon_at_any_speed(rate: float) -> None:
    wall = Wall()
    exchange = SlowExchange(wall, cost_ns=NS_PER_S // 10)
    clock = GatewayClock(START_NS, rate, wall)
    gateway = shell(exchange=exchange, clock=clock)  # type: ignore[arg-type]
    shown = START_NS
    for _ in range(5):
        wall.ns += NS_PER_S
        before = wall.ns
        now = gateway.present()
        assert wall.ns - before < NS_PER_S // 5
        assert shown < now == exchange.now_ns
        assert clock.now_ns() == now
        shown = now


def test_at_a_speed_that_can_be_kept_no_time_is_lost() -> None:
    wall = Wall()
    exchange = SlowExchange(wall, cost_ns=NS_PER_S // 100)
    clock = GatewayClock(START_NS, 1000.0, wall)
    gateway = shell(exchange=exchange, clock=clock)  # type: ignore[arg-type]
    for _ in range(20):
        wall.ns += NS_PER_S
        gateway.present()
    assert exchange.now_ns >= START_NS + 20 * 1000 * NS_PER_S


def test_a_jump_is_played_to_its_end_however_long_that_takes() -> None:
    wall = Wall()
    exchange = SlowExchange(wall, cost_ns=NS_PER_S)
    clock = GatewayClock(START_NS, 1.0, wall)
    gateway = shell(exchange=exchange, clock=clock)  # type: ignore[arg-type]
    clock.jump(START_NS + 30 * HOUR)
    assert gateway.present() >= START_NS + 30 * HOUR
    assert exchange.now_ns >= START_NS + 30 * HOUR
