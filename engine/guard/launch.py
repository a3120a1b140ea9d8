"""Starting a guard: a process of its own session, so that neither Ctrl-C nor the daemon's end takes it along."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from engine.operator.folder import StateFolder

_LOG_MAX: Final = 1 << 20


def launch(folder: StateFolder, venue: str) -> subprocess.Popen[bytes]:
    """Start a guard on a state folder; it ends by itself if one runs there already.

    Args:
        venue: `module:attribute` of the `mandate.OpenVenue` that leads to the gateway. How to reach it, the daemon
            says over the guard's socket: nothing secret stands on a command line.
    """
    log = folder.guard_log
    if log.exists() and log.stat().st_size > _LOG_MAX:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "engine.guard", str(folder.path), "--venue", venue],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
