"""What stands between a configuration and a day of trading: looked at from outside, without an order or a login.

Every finding says ok, warn or fail, what was seen, and for what is not ok the very mend. Only reads and one tickle go
out, a handful of requests in all, so that a doctor beside a running daemon costs it nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from engine.daemon.config import Mode, RunSettings
from engine.daemon.findings import Finding, fail, ok, warn
from engine.daemon.simulated import known_place
from engine.daemon.visiting import Visit
from engine.operator.folder import StateFolder
from engine.orders.replies import uncovered
from engine.webapi.maintenance import Region, away_at, next_away

GB: Final = 1_000_000_000
_SYNCS: Final = 7


def examine(
    settings: RunSettings, folder: StateFolder, *, transport: httpx.BaseTransport | None = None
) -> Iterator[Finding]:
    """Look at everything, nearest first; what a failure makes pointless is left out.

    Args:
        transport: In place of the network, for tests.
    """
    yield python()
    yield from disk(folder.path)
    yield from suppression(settings)
    place = where(settings, folder)
    if isinstance(place, Finding):
        yield place
    else:
        yield from Visit(settings, *place, transport=transport).findings()
    yield reset(settings, time.time_ns())


# --- this machine -----------------------------------------------------------------------------------------------------


def python(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    """The interpreter."""
    told = ".".join(str(number) for number in version)
    if version >= (3, 11):
        return ok("python", told)
    return fail("python", f"{told}; 3.11 or later is needed", "make a virtual environment with a newer Python")


def disk(folder: Path) -> Iterator[Finding]:
    """Room for the journal, and how long a synced write takes: every order waits for one."""
    home = folder if folder.is_dir() else next(parent for parent in folder.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(home).free
    seen = f"{free / GB:.1f} GB free at {home}"
    mend = "free some, or give --state-dir on another disk: a full disk stops trading"
    if free < GB // 5:
        yield fail("disk", seen, mend)
    else:
        yield ok("disk", seen) if free >= GB else warn("disk", seen, mend)
    try:
        sync_ms = _sync_ms(home)
    except OSError as error:
        yield fail("journal", f"nothing can be written at {home}: {error.strerror}", "give a --state-dir of your own")
        return
    seen = f"a synced write takes {sync_ms:.1f} ms, and an order waits for one"
    if sync_ms <= 20:
        yield ok("journal", seen)
    else:
        yield warn("journal", seen, "put --state-dir on a local disk, best one with a flash memory")


def _sync_ms(home: Path) -> float:
    """The median of some synced writes of a page, in milliseconds."""
    probe = home / f".doctor-{os.getpid()}"
    took = []
    try:
        file = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for _ in range(_SYNCS):
                began = time.perf_counter()
                os.write(file, b"\0" * 4096)
                os.fsync(file)
                took.append(time.perf_counter() - began)
        finally:
            os.close(file)
    finally:
        probe.unlink(missing_ok=True)
    return median(took) * 1000


def suppression(settings: RunSettings) -> Iterator[Finding]:
    """Questions that nobody asks: neither the venue nor a check of ours."""
    for sentence in uncovered(settings.suppress.ids):
        yield warn("suppression", sentence, "take the id out of [suppress], or know that nothing stands in its place")


# --- where the gateway is ---------------------------------------------------------------------------------------------


def where(settings: RunSettings, folder: StateFolder) -> tuple[str, Path | None, Path | None] | Finding:
    """URL and certificates of the gateway; a finding where there is none to look at."""
    gateway = settings.gateway
    if gateway.url is not None:
        return gateway.url, gateway.ca, gateway.pinned
    place = known_place(folder)
    if place is None or folder.process("gateway") is None:
        return ok("gateway", "none runs yet: engine run starts a simulated one")
    return place.url, place.ca, place.pinned


def reset(settings: RunSettings, now_ns: int) -> Finding:
    """When the venue is away next."""
    if settings.mode is Mode.SIM:
        return ok("next reset", "the simulated gateway's own; engine run sits it out")
    now = away_at(Region.AMERICA, now_ns)
    if now is not None:
        until = datetime.fromtimestamp(now.end_ns / GB, UTC)
        return warn("next reset", f"{now.name} until about {until:%H:%M} UTC", "wait, or start: it waits by itself")
    coming = next_away(Region.AMERICA, now_ns)
    begins = datetime.fromtimestamp(coming.start_ns / GB, UTC)
    return ok("next reset", f"{coming.name} at about {begins:%a %H:%M} UTC; it is sat out")
