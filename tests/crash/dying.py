"""The command line in a process that kills itself at one moment of its journal's life, as a power cut would.

    python -m tests.crash.dying before:write:3 run CONFIG --state-dir DIR

`before:write:3` dies before the third commit that has a row of kind `write`; `after:*:40` after the fortieth of all.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence

from engine.journal import durable


def arm(plan: str) -> None:
    """Have the journal kill this process as planned."""
    when, kind, number = plan.split(":")
    left = int(number)
    write = durable.DurableJournal.write

    def dying(
        self: durable.DurableJournal,
        rows: Sequence[durable.Row],
        *,
        coids: Iterable[str] = (),
        essential: bool = False,
        at_sync: Callable[[], None] | None = None,
    ) -> int:
        nonlocal left
        if kind == "*" or any(row[1] == kind for row in rows):
            left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        seq = write(self, rows, coids=coids, essential=essential, at_sync=at_sync)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return seq

    durable.DurableJournal.write = dying  # type: ignore[method-assign]  # that is the point


def main() -> None:
    """Arm, and be the command line."""
    arm(sys.argv[1])
    del sys.argv[1]
    from engine.__main__ import main as engine

    engine()


if __name__ == "__main__":
    main()
