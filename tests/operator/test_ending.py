"""Stopping by policy beside a daemon on virtual time, and the signals that ask for it."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.domain.messages import Place
from engine.operator.ending import hear_signals, wind_down
from engine.runtime.live.letters import Wanted
from tests.operator.house import House, house
from tests.operator.test_live import ticket


async def busy(here: House) -> None:
    """Orders open, something held."""
    while not here.portfolio.account.get(1):
        await trio.sleep(1)
    for number in range(5):
        here.nursery.tell_risk(Wanted((Place((ticket(f"rest-{number:06d}", quantity=number + 1),)),), 0))
    while not here.open():
        await trio.sleep(0.05)


@pytest.mark.parametrize("policy", ["leave", "cancel", "flatten"])
async def test_each_policy_leaves_what_it_says(
    tmp_path: Path, policy: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await busy(here)
        opened = len(here.venue.writes)
        assert await wind_down(here.desk, policy, 900) == []
        if policy == "leave":
            assert here.open() != []
        else:
            assert here.open() == []
            assert not any(live.open for live in here.venue.orders.values())
        if policy == "flatten":
            assert here.portfolio.account[1] == Decimal(0)
        new = [here.book.book[coid].ticket.tag for coid in here.venue.writes[opened:] if not coid.startswith("rest")]
        assert set(new) <= {"flatten"}  # no order of a strategy's goes out any more


async def test_the_deadline_ends_it_and_says_what_is_left(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await busy(here)
        here.broker.loss = 1.0  # the venue says nothing any more
        before = trio.current_time()
        said = await wind_down(here.desk, "cancel", 0.01)
        assert trio.current_time() - before < 1
        assert "still open: " in said[0]


async def test_the_first_signal_asks_the_second_insists_and_hup_reloads() -> None:
    heard: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            hear_signals, lambda: heard.append("stop"), lambda: heard.append("again"), lambda: heard.append("reload")
        )
        await trio.testing.wait_all_tasks_blocked()
        for number, expected in (
            (signal.SIGHUP, ["reload"]),
            (signal.SIGTERM, ["reload", "stop"]),
            (signal.SIGINT, ["reload", "stop", "again"]),
        ):
            os.kill(os.getpid(), number)
            while len(heard) < len(expected):
                await trio.sleep(0.001)
            assert heard == expected
        nursery.cancel_scope.cancel()
