"""From a websocket frame's last byte to the first byte of the order that answers it: ours, ibind's, a bare script's.

    python benchmarks/latency.py --orders 200 --rounds 3

Each client runs in a process of its own against a simulated gateway of its own without TLS, and places an order at
every fourth quote; a quote comes each 100 ms of the wall. The clients take turns, `--rounds` times. Ours runs as it
trades, with risk, journal, wire log and recording on; a second time without the journal's fsync, which shows its share.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

HERE: Final = Path(__file__).parent
CLIENTS: Final = ("ours", "ours-unsynced", "ibind", "bare")
LIMIT_S: Final = 240.0


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """A gateway without TLS whose quotes come every 100 ms of the wall; its URL."""
    command = [sys.executable, "-m", "engine", "gateway", "--port", "0", "--plain", "--synthetic", "AAPL"]
    command += ["--speed", "5", "--pacing", "off", "--state-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+?(?=[,\s])", process.stdout.readline())
            assert found is not None, "the gateway did not start"
            yield found[0]
        finally:
            process.terminate()


def one_round(client: str, orders: int) -> dict[str, Any]:
    """One client's figures."""
    with tempfile.TemporaryDirectory(prefix=f"latency-{client}-") as made:
        folder = Path(made)
        with gateway(folder / "gateway") as url, (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "benchmarks.latency_client", client, url, str(folder), str(orders)]
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    command, stdout=log, stderr=subprocess.STDOUT, cwd=HERE.parent, timeout=LIMIT_S, check=False
                )
        try:
            found: dict[str, Any] = json.loads((folder / "figures.json").read_text())
        except OSError:
            return {"orders": 0, "log": (folder / "log").read_text()[-500:]}
        return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CLIENTS)
    given = parser.parse_args()
    names = [given.only] if given.only else CLIENTS
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(given.rounds):
        for name in names:
            figures = one_round(name, given.orders)
            found[name].append(figures)
            print(
                json.dumps({"client": name, "round": number, "load": round(os.getloadavg()[0], 1), **figures}),
                flush=True,
            )
    for name, rounds in found.items():
        kinds = {key for one in rounds for key in one if key.endswith("_ms")}
        middle = {key: round(median(one[key] for one in rounds if key in one), 3) for key in sorted(kinds)}
        print(json.dumps({"client": name, "rounds": len(rounds), **middle}), flush=True)


if __name__ == "__main__":
    main()
