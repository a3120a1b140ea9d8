"""systemd's notify socket and watchdog: a few datagrams, nothing where no systemd listens."""

from __future__ import annotations

import os
import socket

import trio


def notify(state: str) -> bool:
    """Tell systemd `READY=1`, `STATUS=...` and the like; False where nobody listens.

    Source: sd_notify(3): datagrams to the Unix socket NOTIFY_SOCKET, an `@` first stands for the abstract namespace.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or address[0] not in "@/":
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        try:
            line.setblocking(False)
            line.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
        except OSError:  # a watchdog that is not fed says so by itself
            return False
    return True


def watchdog_s() -> float | None:
    """Seconds within which systemd wants a sign, None if it wants none of this process."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID") not in (None, "", str(os.getpid())) or not limit.isdigit() or int(limit) == 0:
        return None
    return int(limit) / 1e6


async def feed_watchdog() -> None:
    """Give a sign twice as often as is wanted, from the loop that trades: if it hangs, none comes."""
    limit_s = watchdog_s()
    if limit_s is None:
        return
    while True:
        notify("WATCHDOG=1")
        await trio.sleep(limit_s / 2)
