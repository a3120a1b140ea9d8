"""The kill switch's other handles: the file, the signal, the timer of people's silence."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from engine.daemon.config import KillSettings
from engine.daemon.killing import SIGNAL, EarlySignal, KillSwitch
from engine.operator.trading import TradingState
from engine.orders.actions import Alert
from tests.runtime_live.edges import TrioClock

HOUR = 3_600.0


class Pulled:
    """Who is told."""

    def __init__(self) -> None:
        self.times: list[tuple[str, str, bool]] = []  # level, source, whether it flattens
        self.alerts: list[str] = []
        self.rows: list[Any] = []

    async def pull(self, level: TradingState, source: str, why: str, *, flatten: bool) -> None:
        assert why
        self.times.append((str(level), source, flatten))

    def alert(self, alert: Alert, now_ns: int) -> None:
        self.alerts.append(alert.code)

    async def store(self, rows: Sequence[Any]) -> None:
        self.rows += rows


def switch(folder: Path, pulled: Pulled, *, alive_ns: int | None = None, **settings: Any) -> KillSwitch:
    clock = TrioClock()
    return KillSwitch(
        KillSettings(**settings),
        clock,
        folder / "halt",
        alive_ns=clock.now_ns() if alive_ns is None else alive_ns,
        pull=pulled.pull,
        alert=pulled.alert,
        store=pulled.store,
    )


async def test_the_file_s_appearance_halts_once_and_its_removal_does_nothing(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    pulled = Pulled()
    here = switch(tmp_path, pulled, flatten=True)
    nursery.start_soon(here.run)
    file = tmp_path / "halt"
    await trio.sleep(1)
    assert pulled.times == []
    file.touch()
    assert "remove it first" in here.may_resume()
    await _until(lambda: len(pulled.times) == 1)
    assert pulled.times == [("halted", "file", True)]
    file.unlink()
    assert here.may_resume() == ""
    await _until(lambda: not here._file_seen)
    assert len(pulled.times) == 1
    file.touch()
    await _until(lambda: len(pulled.times) == 2)
    nursery.cancel_scope.cancel()


async def test_a_file_that_is_there_at_the_start_halts(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    pulled = Pulled()
    (tmp_path / "halt").touch()
    nursery.start_soon(switch(tmp_path, pulled).run)
    await _until(lambda: pulled.times)
    assert pulled.times == [("halted", "file", False)]
    nursery.cancel_scope.cancel()


async def test_the_signal_halts(tmp_path: Path, nursery: trio.Nursery) -> None:
    pulled = Pulled()
    nursery.start_soon(switch(tmp_path, pulled).run)
    await trio.testing.wait_all_tasks_blocked(0.01)
    os.kill(os.getpid(), SIGNAL)
    await _until(lambda: pulled.times)
    assert pulled.times == [("halted", "signal", False)]
    nursery.cancel_scope.cancel()


async def test_a_signal_that_comes_before_the_switch_listens_halts_when_it_does(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    pulled = Pulled()
    here = switch(tmp_path, pulled)
    before = signal.getsignal(SIGNAL)
    with EarlySignal().heard() as early:
        here.early = early
        os.kill(os.getpid(), SIGNAL)  # its default ends the process
        nursery.start_soon(here.run)
        await _until(lambda: pulled.times)
        assert pulled.times == [("halted", "signal", False)]
        await trio.testing.wait_all_tasks_blocked(0.01)
        os.kill(os.getpid(), SIGNAL)
        await _until(lambda: len(pulled.times) == 2)
        nursery.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
    assert signal.getsignal(SIGNAL) is before


@pytest.mark.parametrize(
    ("level", "expected"), [("reducing", ("reducing", "dead-man", False)), ("halted", ("halted", "dead-man", True))]
)
async def test_people_s_silence_pulls_it_once(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, level: str, expected: Any
) -> None:
    pulled = Pulled()
    here = switch(tmp_path, pulled, dead_man_hours=10, dead_man=level, flatten=True)
    nursery.start_soon(here._silence)
    await trio.sleep(8.9 * HOUR)
    assert (pulled.times, pulled.alerts) == ([], [])
    await trio.sleep(0.5 * HOUR)
    assert (pulled.times, pulled.alerts) == ([], ["DEAD_MAN"])
    await here.alive()
    assert [row[1] for row in pulled.rows] == ["alive"]
    await trio.sleep(9.9 * HOUR)
    assert pulled.times == []
    await trio.sleep(0.2 * HOUR)
    assert pulled.times == [expected]
    await trio.sleep(50 * HOUR)
    assert len(pulled.times) == 1
    nursery.cancel_scope.cancel()


async def test_a_restart_does_not_wind_the_timer_up(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    pulled = Pulled()
    long_ago = TrioClock().now_ns() - round(9 * HOUR * 1e9)
    nursery.start_soon(switch(tmp_path, pulled, alive_ns=long_ago, dead_man_hours=10)._silence)
    await trio.sleep(0.9 * HOUR)
    assert pulled.times == []
    await trio.sleep(0.2 * HOUR)
    assert [source for _, source, _ in pulled.times] == ["dead-man"]
    nursery.cancel_scope.cancel()


async def _until(holds: Any) -> None:
    with trio.fail_after(10_000):
        while not holds():
            await trio.sleep(0.02)
