"""From `engine run` to "trading is on", on a simulated gateway that runs: a first start, and starts after kill -9.

    python benchmarks/startup.py --starts 5

Prints one JSON line a start, in seconds of the wall since the process was made, and a line with their median.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final

HERE: Final = Path(__file__).parent
CONFIG: Final = HERE.parent / "configs" / "sim.toml"
LIMIT_S: Final = 60.0
TRADE_S: Final = 5.0  # how long each daemon trades before it is killed


@contextmanager
def gateway(folder: Path, speed: float) -> Iterator[tuple[str, Path]]:
    """A gateway as a user starts it; its URL and its certificate's authority."""
    command = [sys.executable, "-m", "engine", "gateway", "--port", "0", "--synthetic", "AAPL,IBM,SPY"]
    command += ["--speed", f"{speed:g}", "--state-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"https://\S+?(?=[,\s])", process.stdout.readline())
            assert found is not None, "the gateway did not start"
            yield found[0], folder / "ca.pem"
        finally:
            process.terminate()


def start(state: Path, url: str, ca: Path) -> dict[str, float]:
    """Start a daemon, let it trade, kill it; when it said what, in seconds."""
    command = [sys.executable, "-m", "engine", "run", str(CONFIG), "--state-dir", str(state)]
    command += ["--gateway", url, "--gateway-ca", str(ca)]
    told: dict[str, float] = {}
    began_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            for line in daemon.stdout:
                now_s = round(time.monotonic() - began_s, 2)
                if line.startswith("session with"):
                    told["assembled_s"] = now_s
                elif line.startswith("trading is"):
                    told["trading_s"] = now_s
                    break
            time.sleep(TRADE_S)
        finally:
            daemon.kill()
    return told


def _end_guard(state: Path) -> None:
    from engine.operator.folder import StateFolder

    one = StateFolder(state).process("guard")
    if one is not None:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--speed", type=float, default=20)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="startup-"))
    again: list[float] = []
    with gateway(folder / "gateway", given.speed) as (url, ca):
        state = folder / "state"
        try:
            for number in range(given.starts + 1):
                told = start(state, url, ca)
                print(json.dumps({"start": "first" if not number else "after kill -9", **told}), flush=True)
                if number:
                    again.append(told.get("trading_s", LIMIT_S))
        finally:
            _end_guard(state)
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"median_s": median(again), "worst_s": max(again), "starts": len(again), "load": load}))


if __name__ == "__main__":
    main()
