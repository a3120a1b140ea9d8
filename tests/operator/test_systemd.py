"""What systemd is told, at a socket of the test's."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.operator.systemd import feed_watchdog, notify, watchdog_s


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        path = Path(name) / "notify"
        line.bind(str(path))
        line.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield line


def test_it_hears_what_is_said(systemd: socket.socket) -> None:
    assert notify("READY=1")
    assert systemd.recv(100) == b"READY=1"


def test_an_abstract_name(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"engine-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert notify("STATUS=on")
        assert line.recv(100) == b"STATUS=on"


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("limit", "pid", "expected"),
    [
        ("30000000", None, 30.0),
        ("500000", str(os.getpid()), 0.5),
        ("30000000", "1", None),
        ("", None, None),
        ("0", None, None),
    ],
    ids=["anybody's", "ours", "another's", "none", "never"],  # no process id: workers must name tests alike
)
def test_the_watchdog_is_ours_if_it_is_meant_for_us(
    monkeypatch: pytest.MonkeyPatch, limit: str, pid: str | None, expected: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    if pid is None:
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_s() == expected


async def test_it_is_fed_twice_as_often_as_it_wants(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with trio.move_on_after(59):
        await feed_watchdog()
    fed = 0
    while True:
        try:
            assert systemd.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            break
        fed += 1
    assert fed == 4  # at 0, 15, 30 and 45 s
