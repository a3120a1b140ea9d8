"""The daemon at speed through days of the market, with resets and reconnects: does anything of it grow?

    python benchmarks/soak.py --days 10 --speed 600

Prints one JSON line for each sample (hours of the gateway's clock, resident memory in MB, open files, threads, trio
tasks) and one at the end. The daemon runs in a process of its own that counts its own tasks; the gateway is another.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import httpx

HERE: Final = Path(__file__).parent
SAMPLE_S: Final = 5.0
COUNT_S: Final = 1.0
DAY_S: Final = 86_400
GATEWAY: Final = "[gateway.streams]\nconflation_s = 20.0\naccount_s = 600.0\nheartbeat_s = 60.0\n"


def inside(tasks: Path) -> None:
    """Be the command line, and write down now and then how many tasks there are."""
    import trio

    class Counting(trio.abc.Instrument):
        alive, told_s = 0, 0.0

        def task_spawned(self, task: trio.lowlevel.Task) -> None:
            del task
            self.alive += 1

        def task_exited(self, task: trio.lowlevel.Task) -> None:
            del task
            self.alive -= 1

        def before_io_wait(self, timeout: float) -> None:
            del timeout
            now_s = time.monotonic()
            if now_s >= self.told_s + COUNT_S:
                self.told_s = now_s
                tasks.write_text(str(self.alive))

    run = trio.run

    def counted(main: Any, *args: Any, **kwargs: Any) -> Any:
        return run(main, *args, instruments=(Counting(),), **kwargs)

    trio.run = counted  # type: ignore[assignment]  # the same, with one more instrument
    from engine.__main__ import main

    main()


def sample(pid: int, tasks: Path) -> dict[str, float]:
    """What the process holds just now."""
    status = Path(f"/proc/{pid}/status").read_text()
    told = {
        line.split(":")[0]: line.split()[1] for line in status.splitlines() if ":" in line and len(line.split()) > 1
    }
    with suppress(OSError, ValueError):
        return {
            "memory_mb": round(int(told["VmRSS"]) / 1024, 1),
            "files": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
            "threads": int(told["Threads"]),
            "tasks": int(tasks.read_text()),
        }
    return {}


def soak(state: Path, days: float, speed: float, every_s: float, limit_s: float) -> dict[str, Any]:
    """Run for so many days of the gateway's clock, but no longer than `limit_s` of the wall."""
    tasks, config = state / "tasks", state / "gateway.toml"
    state.mkdir(parents=True, exist_ok=True)
    config.write_text(GATEWAY)
    command = [
        sys.executable,
        "-m",
        "benchmarks.soak",
        "--inside",
        str(tasks),
        "run",
        str(HERE.parent / "configs" / "sim.toml"),
    ]
    command += ["--state-dir", str(state), "--set", f"gateway.speed={speed}", "--set", f"gateway.config={config}"]
    command += ["--set", f"strategy.pulse.params.every_s={every_s}", "--set", "guard.silence_s=120"]
    # At such a speed a minute of the market is an instant of ours: a price must not be stale for that.
    command += ["--set", "risk.account.quote_age_max_s=7200"]
    log = (state / "daemon.log").open("wb")
    daemon = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=HERE.parent)
    samples: list[dict[str, float]] = []
    cuts = 0
    began_s = time.monotonic()
    try:
        gateway = _gateway(state, limit_s)
        first_ms = _clock_ms(gateway)
        while daemon.poll() is None and time.monotonic() - began_s < limit_s:
            hours = (_clock_ms(gateway) - first_ms) / 3_600_000
            if hours >= 24 * days:
                break
            samples.append({"hours": round(hours, 2), **sample(daemon.pid, tasks)})
            print(json.dumps(samples[-1]), flush=True)
            if len(samples) % 6 == 0:  # beside the nightly reset of the session: a reconnect
                cuts += 1
                gateway.post("/sim/faults", json=[{"do": "drop-connections", "count": 1, "at_s": 1}])
            time.sleep(SAMPLE_S)
        state_now = gateway.get("/sim/state").json()
    finally:
        ended = daemon.poll()
        daemon.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(60)
        daemon.kill()
        _end_others(state)
    return {
        "ended_by_itself": ended,
        "wall_s": round(time.monotonic() - began_s),
        "days": round(samples[-1]["hours"] / 24, 2) if samples else 0,
        "reconnects": cuts,
        "orders_written": _written(state),
        "orders_of_the_last_day": len(state_now["orders"]),
        "fills": len(state_now["executions"]),
        **_trend(samples),
    }


def _written(state: Path) -> int:
    """How many orders were sent in all, by the journal."""
    database = sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)
    try:
        return int(database.execute("SELECT count(*) FROM coids").fetchone()[0])
    finally:
        database.close()


def _trend(samples: list[dict[str, float]]) -> dict[str, Any]:
    """The mean of each figure in the second tenth, the middle and the last tenth of the run."""
    whole = [one for one in samples if "tasks" in one]
    if len(whole) < 10:
        return {}
    days: dict[int, list[float]] = {}
    for one in whole:
        days.setdefault(int(one["hours"] // 24), []).append(one["memory_mb"])
    tenth = len(whole) // 10
    parts = whole[tenth : 2 * tenth], whole[len(whole) // 2 :][:tenth], whole[-tenth:]
    return {"memory_mb_by_day": [round(fmean(found), 1) for found in days.values()]} | {
        name: [round(fmean(one[name] for one in part), 1) for part in parts]
        for name in ("memory_mb", "files", "threads", "tasks")
    }


def _gateway(state: Path, limit_s: float) -> httpx.Client:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        with suppress(OSError, ValueError, httpx.HTTPError):
            known = json.loads((state / "gateway.json").read_text())
            client = httpx.Client(base_url=known["url"].split("/v1/", 1)[0], verify=False, timeout=30, trust_env=False)
            client.get("/sim/clock")
            return client
        time.sleep(0.5)
    raise SystemExit("the gateway did not start")


def _clock_ms(gateway: httpx.Client) -> int:
    return int(gateway.get("/sim/clock").json()["clock_ms"])


def _end_others(state: Path) -> None:
    """The guard and the gateway that the daemon started, by the state folder's own notes."""
    subprocess.run(
        [sys.executable, "-m", "engine", "stop", "--state-dir", str(state)], check=False, capture_output=True
    )
    from engine.operator.folder import StateFolder

    for role in ("guard", "gateway"):
        one = StateFolder(state).process(role)
        if one is not None:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        tasks = Path(sys.argv[2])
        del sys.argv[1:3]
        inside(tasks)
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=10)
    parser.add_argument("--speed", type=float, default=600)
    parser.add_argument("--every", type=float, default=60, help="gateway seconds between orders of an instrument")
    parser.add_argument("--limit", type=float, default=7_200, help="seconds of the wall, at most")
    parser.add_argument("--state", type=Path, help="state folder [a temporary one]")
    given = parser.parse_args()
    state = given.state or Path(tempfile.mkdtemp(prefix="soak-"))
    print(json.dumps(soak(state, given.days, given.speed, given.every, given.limit)))


if __name__ == "__main__":
    main()
