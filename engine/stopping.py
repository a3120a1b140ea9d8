"""Ctrl-C and SIGTERM: the process says one sentence, tidies up and is gone, whatever it was at.

An exception raised by a signal handler is no way out: in the middle of an import it becomes an ImportError, in a
callback or a `__del__` it is printed and lost. So the process ends from the handler itself, and what would be left
lying about (a temporary folder, a child, a hidden cursor) is registered here while it is there. Imports as little as
can be: until `obey` is called a signal ends the process with the interpreter's own words.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130  # 128 and the signal's number, as shells have it
TERMINATED: Final = 143

_tidying: list[Callable[[], object]] = []


class Tidied:
    """While in the block, `tidy` is called should a signal end the process; it must not wait for anybody."""

    def __init__(self, tidy: Callable[[], object]) -> None:
        self._tidy = tidy

    def __enter__(self) -> None:
        _tidying.append(self._tidy)

    def __exit__(self, *_: object) -> None:
        _tidying.remove(self._tidy)


def obey() -> None:
    """Take Ctrl-C and SIGTERM from here on; one that our parent had us ignore stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    for tidy in reversed(_tidying):
        try:
            tidy()
        except Exception:  # noqa: BLE001  # the process ends; what could not be tidied up is found by its next start
            continue
    interrupted = number == signal.SIGINT
    sentence = f"engine: stopped by {'Ctrl-C' if interrupted else 'SIGTERM'}\n"
    try:
        # A terminal shows ^C at the cursor, so the sentence begins a line of its own.
        os.write(2, (("\n" if os.isatty(2) else "") + sentence).encode())
    except OSError:  # nobody listens
        os._exit(INTERRUPTED if interrupted else TERMINATED)
    os._exit(INTERRUPTED if interrupted else TERMINATED)
