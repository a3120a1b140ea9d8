"""A crash sweep: daemons that die one after another on one busy day, tricks of the gateway, the books at the end.

python -m tests.crash.sweep FOLDER --seed 1 --kills 60
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.crash.books import disagreements, unexpected
from tests.crash.daemons import CONFIG, Daemon, Gateway, die, state_folder
from tests.crash.plans import faults, kills

IDLE = ("--set", "strategy.pulse.params.every_s=86400", "--set", "strategy.busy.params.every_s=86400")


def sweep(folder: Path, seed: int, many: int, *, say: Any = print) -> tuple[list[str], dict[str, Any]]:
    """Kill `many` daemons; return what is wrong at the end (the plan among it), and figures."""
    wrong: list[str] = []
    told: list[str] = []
    struck: Counter[str] = Counter()
    with state_folder(folder) as state:
        for number, kill in enumerate(kills(seed, many)):
            script = faults(seed, number)

            def arm(script: dict[str, Any] = script) -> None:
                gateway = Gateway(state)
                for one in gateway.clear():
                    struck[one["do"]] += one["struck"]
                gateway.arm(script)
                gateway.close()

            if number:
                arm()
                how, said = die(state, kill)
            else:
                how, said = die(state, kill, arm)
            line = f"{number}: {kill.plan or f'after {kill.after_s:.2f} s'}: {how}"
            line += f" [{', '.join(entry['do'] for entry in script['fault'])}]"
            say(line)
            told.append(line)
            if "BY ITSELF" in how:
                say("\n".join(said))
                wrong.append(line + "\n" + "\n".join(said))
            wrong += unexpected(said)
        figures = last(state, struck, wrong, say)
    if wrong:
        wrong += [f"seed {seed}, {many} kills", *told]
    return wrong, figures


def last(state: Path, struck: Counter[str], wrong: list[str], say: Any) -> dict[str, Any]:
    """The line is good again: a daemon that trades on, settles and stops; then the comparison."""
    gateway = Gateway(state)
    for one in gateway.clear():
        struck[one["do"]] += one["struck"]
    for idle in (False, True):  # the second one wants nothing, and hears of the fees that were not told yet
        daemon = Daemon(state, None, *(IDLE if idle else ()))
        if not daemon.wait_trading():
            wrong += ["the last daemon did not trade", *list(daemon.said)[-30:]]
        time.sleep(3)
        code = daemon.stop()
        if code != 0:
            wrong += [f"the last daemon ended with {code}", *list(daemon.said)[-30:]]
    books = gateway.state()
    gateway.close()
    found, figures = disagreements(state / "journal.db", CONFIG, books)
    say(json.dumps(figures))
    say(f"struck: {dict(struck)}")
    wrong += found
    return figures | {"struck": dict(struck)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    wrong, _ = sweep(given.folder, given.seed, given.kills, say=lambda line: print(line, flush=True))
    print("\n".join(wrong) or "the books agree")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
