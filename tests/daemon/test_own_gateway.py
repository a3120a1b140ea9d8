"""The simulated gateway that `engine run` starts: it may die alone, and a later start may want it otherwise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from engine.daemon.config import load
from engine.daemon.owngateway import find_or_start
from engine.daemon.simulated import known_place
from engine.errors import InputError
from engine.operator.folder import StateFolder
from engine.operator.processes import Process, alive, end, kill
from tests.daemon.test_run import LIMIT_S, SIM, Running, engine, wait_for


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory() as short:  # a socket's path is
        state = StateFolder(Path(short) / "s")
        state.make()
        yield state
        engine("stop", "--state-dir", str(state.path))
        for role in ("daemon", "guard", "gateway"):
            one = state.process(role)
            if one is not None:
                kill(one, 5.0)


def gateway_of(folder: StateFolder) -> Process:
    one = folder.process("gateway")
    assert one is not None
    return one


def test_a_gateway_that_dies_alone_is_started_again_and_nothing_is_lost(folder: StateFolder) -> None:
    running = Running(folder.path)
    running.until("trading is on")
    wait_for(lambda: any(Decimal(order["filled"]) for order in running.ask("orders")))
    first, place = gateway_of(folder), known_place(folder)
    before = running.venue()
    kill(first, 5.0)
    wait_for(lambda: folder.process("gateway") not in (None, first))
    assert known_place(folder) == place, "who speaks to it finds it where it was"
    seen = len(running.ask("orders"))
    wait_for(lambda: sum(Decimal(order["filled"]) > 0 for order in running.ask("orders")[seen:]) > 3)
    alerts = [alert for alert in running.ask("status")["alerts"] if alert["code"] == "GATEWAY"]
    assert [("has died" in alert["sentence"]) for alert in alerts] == [True]
    assert running.ask("halt")["trading"] == "halted"
    wait_for(lambda: not running.ask("orders", "--open"))
    there = running.venue()
    assert there["clock_ms"] > before["clock_ms"]
    known = {one["execution_id"] for one in there["executions"]}
    assert {one["execution_id"] for one in before["executions"]} <= known
    filled = {order["coid"]: Decimal(order["filled"]) for order in running.ask("orders") if Decimal(order["filled"])}
    at_venue: dict[str, Decimal] = {}
    for one in there["executions"]:
        at_venue[one["cOID"]] = at_venue.get(one["cOID"], Decimal(0)) + Decimal(str(one["size"]))
    assert filled == at_venue
    last = gateway_of(folder)
    assert engine("stop", "--state-dir", str(folder.path)).returncode == 0
    running.process.wait(LIMIT_S)
    assert not alive(last), "the one that was started in the other's place ends with the rest"


def test_a_start_that_wants_another_market_is_refused_and_another_speed_is_had(folder: StateFolder) -> None:
    running = Running(folder.path)
    running.until("trading is on")
    running.process.terminate()
    running.process.wait(LIMIT_S)
    first, place = gateway_of(folder), known_place(folder)
    for wanted, said in (("gateway.seed=8", "seed 8"), ('gateway.synthetic=["AAPL","IBM","SPY","MSFT"]', "SPY,MSFT")):
        done = engine("run", SIM, "--state-dir", str(folder.path), "--set", wanted)
        assert done.returncode == 2
        assert "trades AAPL,IBM,SPY with seed 7, and now" in done.stderr
        assert said in done.stderr
        assert gateway_of(folder) == first
    again = Running(folder.path, "--set", "gateway.speed=10")
    again.until("trading is on")
    assert "(speed 20, now 10): it is started anew" in again.log.read_text()
    assert not alive(first)
    assert known_place(folder) == place
    assert again.venue()["rate"] == 10
    assert engine("stop", "--state-dir", str(folder.path)).returncode == 0
    again.process.wait(LIMIT_S)
    done = engine("run", SIM, "--state-dir", str(folder.path), "--set", "gateway.seed=8")
    assert done.returncode == 2, "with no gateway running the books are another market's all the same"
    assert "put [gateway] back" in done.stderr


# --- without a daemon ---------------------------------------------------------------------------------------------


async def test_what_the_gateway_says_against_a_start_is_passed_on(folder: StateFolder, tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text("[[fault]]\ndo = 'nonsense'\n")
    settings = load(Path(SIM), [f'gateway.faults="{faults}"'])
    with pytest.raises(InputError, match=r"the simulated gateway did not start: .*nonsense"):
        await find_or_start(settings, folder, lambda said: None)
    assert folder.process("gateway") is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it outlives whoever started it
async def test_a_fault_script_that_reads_differently_has_the_gateway_started_anew(
    folder: StateFolder, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text("seed = 1\n")
    settings = load(Path(SIM), [f'gateway.faults="{faults}"'])
    said: list[str] = []
    place = await find_or_start(settings, folder, said.append)
    first = gateway_of(folder)
    try:
        assert await find_or_start(settings, folder, said.append) == place
        assert (gateway_of(folder), said) == (first, [])
        faults.write_text("seed = 2\n")
        assert await find_or_start(settings, folder, said.append) == place
        assert gateway_of(folder) != first
        assert len(said) == 1
        assert "faults.toml" in said[0]
    finally:
        end(gateway_of(folder), 10.0)
