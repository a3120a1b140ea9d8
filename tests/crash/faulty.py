"""A long day full of faults: one daemon, script after script, until so many orders were written; then the books.

python -m tests.crash.faulty FOLDER --seed 1 --orders 2000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from tests.crash.books import unexpected
from tests.crash.daemons import Daemon, Gateway, state_folder, written
from tests.crash.plans import KINDS, faults
from tests.crash.sweep import last

SCRIPT_S = 6.0  # of the wall, that one script lasts
CALM_ORDERS, CALM_S = 25, 15.0  # between two scripts: so many orders, or so long
QUICK = (
    "--set",
    "session.inits_per_hour=1000",
    "--set",
    "strategy.pulse.params.every_s=1",
    "--set",
    "strategy.busy.params.every_s=0.4",
)
LIMIT_S = 3_600.0


def faulty_day(folder: Path, seed: int, orders: int, *, say: Any = print) -> tuple[list[str], dict[str, Any]]:
    """Trade until `orders` were written and every kind of fault has struck; what is wrong, and figures."""
    wrong: list[str] = []
    struck: Counter[str] = Counter()
    with state_folder(folder) as state:
        daemon = Daemon(state, None, *QUICK)
        if not daemon.wait_trading():
            return ["the daemon did not trade", *daemon.said], {}
        gateway, until = Gateway(state), time.monotonic() + LIMIT_S
        for number in count():
            done = written(state)
            missing = [kind for kind in KINDS if not struck[kind]]
            if (done >= orders and not missing) or not daemon.alive or time.monotonic() > until:
                break
            for one in gateway.clear():
                struck[one["do"]] += one["struck"]
            gateway.arm(faults(seed, number, hard=number % 4 == 3))  # a session that is always down trades nothing
            say(f"{number}: {done} orders written, not seen yet: {', '.join(missing)}")
            daemon.wait_end(SCRIPT_S)
            _calm(daemon, gateway, state, struck)
        gateway.close()
        if not daemon.alive:
            wrong += ["the daemon ended by itself", *daemon.said]
        wrong += unexpected(list(daemon.said))
        daemon.kill()
        figures = last(state, struck, wrong, say)
    missing = [kind for kind in KINDS if not struck[kind]]
    wrong += [f"never struck: {kind}" for kind in missing]
    if wrong:
        wrong.append(f"seed {seed}")
    return wrong, figures


def _calm(daemon: Daemon, gateway: Gateway, state: Path, struck: Counter[str]) -> None:
    """A good line for a while: what was left in doubt is cleared up, and trade goes on."""
    for one in gateway.clear():
        struck[one["do"]] += one["struck"]
    enough, until = written(state) + CALM_ORDERS, time.monotonic() + CALM_S
    while written(state) < enough and time.monotonic() < until and daemon.alive:
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=2_000)
    given = parser.parse_args()
    wrong, _ = faulty_day(given.folder, given.seed, given.orders, say=lambda line: print(line, flush=True))
    print("\n".join(wrong) or "the books agree")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
