"""A newcomer's ten minutes, shortened: run, look, halt, resume, ask why, stop; and again on the same folder."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SIM = str(ROOT / "configs" / "sim.toml")
LIMIT_S = 120.0  # for a start on a busy machine


class Running:
    """`engine run` on a state folder."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.log = folder.parent / f"run{time.monotonic_ns()}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine", "run", SIM, "--state-dir", str(folder), *flags],
                stdout=out,
                stderr=out,
                cwd=folder.parent,
            )

    def until(self, words: str) -> None:
        wait_for(lambda: words in self.log.read_text() or self.process.poll() is not None)
        assert words in self.log.read_text(), self.log.read_text()

    def ask(self, *verb: str) -> Any:
        done = engine(*verb, "--state-dir", str(self.folder), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def venue(self) -> Any:
        """What the gateway really holds."""
        told = json.loads((self.folder / "gateway.json").read_text())
        context = ssl.create_default_context(cafile=told["ca"])
        return httpx.get(told["url"].replace("/v1/api", "/sim/state"), verify=context, timeout=20).json()


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def wait_for(what: Any) -> None:
    until = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "s"
    yield state
    engine("stop", "--state-dir", str(state))  # whatever has happened, nothing is left behind
    for role in ("daemon", "guard", "gateway"):
        with_pid = state / f"{role}.pid"
        if with_pid.exists():
            pid = int(json.loads(with_pid.read_text())["pid"])
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_newcomers_first_run_and_the_next_start(folder: Path) -> None:
    running = Running(folder)
    running.until("trading is on")
    wait_for(lambda: any(Decimal(order["filled"]) for order in running.ask("orders")))
    status = running.ask("status")
    assert status["trading"] == "on"
    assert {"gateway", "brokerage", "stream"} <= {layer["layer"] for layer in status["layers"]}
    orders = running.ask("orders")
    keys = {"coid", "order_id", "conid", "side", "quantity", "filled", "status", "strategy"}
    assert all(keys <= order.keys() for order in orders)
    filled = next(order for order in orders if order["status"] == "filled")
    story = running.ask("why", filled["coid"])
    assert filled["coid"] in json.dumps(story)

    second = engine("run", SIM, "--state-dir", str(folder))
    assert second.returncode == 2
    assert "another daemon runs" in second.stderr

    assert running.ask("halt")["trading"] == "halted"
    wait_for(lambda: not running.ask("orders", "--open"))
    held = {row["conid"]: Decimal(row["quantity"]) for row in running.ask("positions") if Decimal(row["quantity"])}
    there = {int(conid): Decimal(str(units)) for conid, units in running.venue()["positions"].items()}
    assert held == {conid: units for conid, units in there.items() if units}
    assert running.ask("resume")["trading"] == "on"
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(LIMIT_S) == 0

    again = Running(folder)  # the gateway has outlived it, books and all
    again.until("trading is on")
    known = {order["coid"] for order in orders}
    assert known <= {order["coid"] for order in again.ask("orders")}
    state = again.venue()
    coids = [order["cOID"] for order in state["orders"]]
    assert len(coids) == len(set(coids))
    done = engine("stop", "--state-dir", str(folder))
    assert done.returncode == 0, done.stderr
    again.process.wait(LIMIT_S)
    assert "not_read" not in again.log.read_text()  # who still asks for something then has nothing to complain of
    assert engine("status", "--state-dir", str(folder)).returncode == 3
