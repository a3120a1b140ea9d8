"""Which process is meant: a number and when it started, so that a number given anew is never taken for the old one.

Ends processes too, through a descriptor where the system has one: between the look and the signal the number can't
change hands.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

_PROC: Final = Path("/proc/self/stat")
_STARTED: Final = 19  # of the fields behind the name in /proc/PID/stat: field 22, ticks since boot
_POLL_S: Final = 0.01


class Process(msgspec.Struct, frozen=True):
    """One process of this machine: `started` says when, in whatever words the system has for it."""

    pid: int
    started: str


def this_process() -> Process:
    """The process we are."""
    started = _started(os.getpid())
    assert started is not None, "we live"
    return Process(os.getpid(), started)


def process(pid: int) -> Process | None:
    """The process that has a number now; None if none has."""
    started = _started(pid)
    return None if started is None else Process(pid, started)


def alive(one: Process) -> bool:
    """Whether this very process lives; one that has ended and waits for its parent does not."""
    return _started(one.pid) == one.started


def send(one: Process, number: signal.Signals) -> bool:
    """Send a signal to this very process; False if it is gone."""
    if not alive(one):
        return False
    if not hasattr(os, "pidfd_open"):
        with suppress(ProcessLookupError):
            os.kill(one.pid, number)
            return True
        return False
    try:
        held = os.pidfd_open(one.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(one):  # the number changed hands before we held it
            return False
        signal.pidfd_send_signal(held, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(held)
    return True


def kill(one: Process, limit_s: float) -> bool:
    """SIGKILL, and wait; False if it still lives after `limit_s` of the wall (it hangs in the kernel)."""
    return _ended(one, signal.SIGKILL, limit_s)


def end(one: Process, limit_s: float, kill_s: float = 5.0) -> bool:
    """SIGTERM, and SIGKILL if it lives after `limit_s`; False if it lives all the same."""
    return _ended(one, signal.SIGTERM, limit_s) or kill(one, kill_s)


def gone(one: Process, limit_s: float) -> bool:
    """Wait until it has ended by itself; False if it lives after `limit_s` of the wall."""
    until = time.monotonic() + limit_s
    while alive(one):
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL_S)
    return True


def _ended(one: Process, number: signal.Signals, limit_s: float) -> bool:
    send(one, number)
    return gone(one, limit_s)


def _started(pid: int) -> str | None:
    if _PROC.exists():
        try:
            # The name stands in brackets and may hold anything, brackets and blanks too.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[_STARTED]
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
