"""Daemons as processes on one state folder: started, killed, started again, and asked for what their gateway holds."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from engine.operator.folder import StateFolder
from tests.crash.plans import Kill

HERE = Path(__file__).parent
CONFIG = HERE / "crash.toml"
START_LIMIT_S = 90.0
STOP_LIMIT_S = 150.0
BUSY_LIMIT_S = 20.0
NOISE = ("session_", "websocket_lost", "alert ", "stop_asked", "reconciliation_", "trading ", "frame_unreadable")


class Daemon:
    """One `engine run`. What it prints is read as it comes; `said` keeps the last lines."""

    def __init__(self, state: Path, plan: str | None = None, *flags: str, config: Path = CONFIG) -> None:
        start = ["-m", "engine"] if plan is None else ["-m", "tests.crash.dying", plan]
        self.process = subprocess.Popen(
            [sys.executable, *start, "run", str(config), "--state-dir", str(state), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=HERE.parent.parent,
            env={**os.environ, "ENGINE_TRACEBACK": "1"},
        )
        self.trading = threading.Event()
        self.said: deque[str] = deque(maxlen=400)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if "trading is" in line:
                self.trading.set()
        self.trading.set()  # it has ended: nobody need wait for it

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_trading(self, limit_s: float = START_LIMIT_S) -> bool:
        """Whether it trades, by now or within the limit."""
        return self.trading.wait(limit_s) and self.alive

    def wait_end(self, limit_s: float) -> int | None:
        """Its exit code; None if it goes on."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(limit_s)
        return None

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self) -> int | None:
        """Ask it to stop by its policy."""
        self.process.terminate()
        code = self.wait_end(STOP_LIMIT_S)
        self.kill()
        return code


class Gateway:
    """The simulated gateway of a state folder, as seen from behind its curtain."""

    def __init__(self, state: Path) -> None:
        known = json.loads((state / "gateway.json").read_text())
        self._root = known["url"].split("/v1/", 1)[0]
        self._client = httpx.Client(verify=ssl.create_default_context(cafile=known["ca"]), timeout=30, trust_env=False)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        for _ in range(100):  # a script may be cutting connections just now
            with suppress(httpx.HTTPError):
                answer = self._client.request(method, self._root + path, json=body)
                assert answer.status_code == 200, answer.text
                return answer.json()
            time.sleep(0.2)
        raise AssertionError(f"the gateway does not answer {path}")

    def state(self) -> dict[str, Any]:
        """Its books."""
        return dict(self._ask("GET", "/sim/state"))

    def clear(self) -> list[dict[str, Any]]:
        """End all faults; return what struck."""
        struck = self._ask("GET", "/sim/faults")["faults"]
        self._ask("DELETE", "/sim/faults")
        return [one for one in struck if one["struck"]]

    def arm(self, script: dict[str, Any]) -> None:
        """Add a script."""
        self._ask("POST", "/sim/faults", script)

    def close(self) -> None:
        self._client.close()


@contextmanager
def state_folder(path: Path) -> Iterator[Path]:
    """A state folder whose guard and gateway end with it."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    finally:
        for role in ("daemon", "guard", "gateway"):
            one = StateFolder(path).process(role)
            if one is not None:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)


def written(state: Path) -> int:
    """How many new orders have been written to the venue so far, by the journal."""
    journal = state / "journal.db"
    if not journal.exists():
        return 0
    database = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        found = database.execute("SELECT count(*) FROM coids").fetchone()
    except sqlite3.OperationalError:  # a start that died before its tables stood
        return 0
    finally:
        database.close()
    return int(found[0])


def _busy(daemon: Daemon, state: Path, orders: int, after_s: float) -> None:
    """Let it trade until so many orders were written, and for some seconds more; for no longer than the limit."""
    until = time.monotonic() + BUSY_LIMIT_S
    while written(state) < orders and time.monotonic() < until:
        if daemon.wait_end(0.2) is not None:
            return
    daemon.wait_end(after_s)


def die(state: Path, kill: Kill, after_start: Callable[[], None] = lambda: None) -> tuple[str, list[str]]:
    """Run a daemon to its planned end; return how it went, and what it said at last."""
    before = written(state)
    daemon = Daemon(state, kill.plan)
    try:
        began = time.monotonic()
        traded = daemon.wait_trading()
        took = time.monotonic() - began
        if daemon.alive:
            after_start()
            _busy(daemon, state, before + kill.orders, kill.after_s)
        early = not daemon.alive
        code = daemon.process.poll()
    finally:
        daemon.kill()
    wrote = written(state) - before
    how = f"{'traded' if traded else 'did not trade'} after {took:.1f} s, wrote {wrote} orders, "
    if early and code != -signal.SIGKILL:
        return how + f"ENDED BY ITSELF with code {code}", list(daemon.said)[-40:]
    return how + ("died as planned" if early else "was killed"), list(daemon.said)
