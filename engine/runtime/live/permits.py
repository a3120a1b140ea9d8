"""Leave to go: what an order's request waits for while the journal stores the order. Fulfils `ports.Permit`.

The journal's thread grants it, as the first thing after its commit, and takes the bytes to the socket itself: waking
the loop for that would cost an order a tenth of a millisecond. Whoever halts may refuse it until then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final

import trio

GIVEN_WAY_S: Final = 0.001  # a disk may be slow, and the loop has other work


class StorePermit:
    """One permit. Made, refused and waited for on the loop; granted in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()  # held while bytes go to the socket, which takes no time
        self._go: Callable[[], None] | None = None
        self._token = trio.lowlevel.current_trio_token()
        self._known = trio.Event()
        self._verdict: bool | None = None
        self._over = Lock()  # let go of when it has been granted, or will not be
        self._over.acquire()

    @property
    def granted(self) -> bool:
        """Whether it was granted."""
        return self._verdict is True

    @property
    def refused(self) -> bool:
        """Whether it was refused."""
        return self._verdict is False

    def grant(self) -> None:
        """What was armed goes, now and here; nothing happens if it was refused before."""
        with self._lock:
            if self._verdict is not None:
                return
            self._verdict = True
            go, self._go = self._go, None
            if go is not None:
                go()
            self._over.release()
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._known.set)

    def refuse(self) -> bool:
        """Nothing may leave any more; False if it was granted before."""
        with self._lock:
            if self._verdict is None:
                self._verdict, self._go = False, None
                self._over.release()
        self._known.set()
        return not self._verdict

    def give_way(self) -> None:
        """Keep this thread from its work until the permit is granted or refused, a moment at most.

        One thread at a time has the interpreter: who grants gets it at once from a thread that waits, and from one at
        work a tenth of a millisecond later.
        """
        if self._over.acquire(timeout=GIVEN_WAY_S):
            self._over.release()

    async def settled(self) -> bool:
        """Wait until it is granted (True) or refused."""
        await self._known.wait()
        return self.granted

    def arm(self, go: Callable[[], None]) -> None:
        """See `ports.Permit`."""
        with self._lock:
            if self._verdict is None:
                self._go = go
            elif self._verdict:
                go()

    def disarm(self) -> None:
        """See `ports.Permit`."""
        with self._lock:
            self._go = None
