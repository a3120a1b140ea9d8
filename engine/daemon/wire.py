"""The wire log: what went over the wire, and beside it every input each core took, so that a session can be replayed.

A folder a start of the daemon, `wire/00001` and so on: `head.json`, the exchanges (`wire-*.gz`) and the inputs
(`inputs-*.gz`). Records wait here; a thread encodes and writes them, so that nothing of it is on an order's way.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
import trio

from engine.errors import InputError
from engine.orders.actions import Alert
from engine.ports import Clock
from engine.recording.segments import Segments
from engine.runtime.live.inputs import write
from engine.webapi.redaction import scrub

if TYPE_CHECKING:
    from engine.daemon.assembling import Daemon

FORMAT: Final = 1
FLUSH_S: Final = 0.5
WAITING_MAX: Final = 200_000
HEAD: Final = "head.json"
KEPT_STARTS: Final = 20
_SECRETS: Final = re.compile(r'("(?:session|\w*token|sso\w*|bearer\w*)"\s*:\s*")[^"]+', re.IGNORECASE)

log = structlog.get_logger()


class WireKeeper:
    """Fulfils `webapi.tap.Tap`, and takes the nursery's notes.

    `lost` counts what had no room: inputs end before a gap, because nothing after it could be replayed.

    Args:
        alarm: Told, once for each trouble, what a person should know.
    """

    def __init__(self, folder: Path, clock: Clock, alarm: Callable[[str], None] = log.warning) -> None:
        self.folder = folder
        self._clock = clock
        self._alarm = alarm
        self._problem = self._told = ""
        self._wire: list[tuple[Any, ...]] = []
        self._inputs: list[tuple[int, str, int, Any]] = []
        self._asked = 0
        self._noted = 0
        self.lost = 0

    @classmethod
    def of(cls, daemon: Daemon) -> WireKeeper:
        """The keeper of a daemon that starts: its folder, with its head written. Raises: InputError."""
        root = daemon.folder.path / "wire"
        try:
            return cls._begun(daemon, root)
        except OSError as error:
            raise InputError(f"can't be written: {error.strerror}", place=str(root)) from error

    @classmethod
    def _begun(cls, daemon: Daemon, root: Path) -> WireKeeper:
        starts = sorted(int(path.name) for path in root.glob("[0-9]*") if path.name.isdecimal())
        folder = root / f"{starts[-1] + 1 if starts else 1:05d}"
        folder.mkdir(parents=True, mode=0o700)
        for old in starts[:-KEPT_STARTS]:
            _drop(root / f"{old:05d}")
        settings = daemon.settings
        source = settings.base.source
        text = source.read_text(encoding="utf-8")
        head = {
            "format": FORMAT,
            "version": version("fullticket"),
            "python": platform.python_version(),
            "config": str(source.absolute()),
            "config_text": text,
            "config_sha256": sha256(text.encode()).hexdigest(),
            "overrides": list(settings.overrides),
            "simulated": settings.simulated,
            "began_ns": daemon.began_ns,
            "journal": {"file": str(daemon.folder.journal.absolute()), "last": daemon.began_seq},
        }
        (folder / HEAD).write_text(json.dumps(head, indent=1))
        people, clock = daemon.people, daemon.clock
        return cls(folder, clock, lambda sentence: people.alert(Alert("SESSION", sentence), clock.now_ns()))

    # --- what is seen -------------------------------------------------------------------------------------------

    def note(self, core: str, now_ns: int, letter: Any) -> None:
        """A core is about to take a letter, or has come to something."""
        if self.lost:
            return
        if len(self._inputs) >= WAITING_MAX:
            self.lost += 1
            self._alarm(f"inputs_not_recorded: they came faster than they are written, after input {self._noted:,}")
            return
        self._noted += 1
        self._inputs.append((self._noted, core, now_ns, letter))

    def asked(self, method: str, url: str, body: bytes | None) -> int:
        """A request leaves."""
        self._asked += 1
        self._see(self._clock.now_ns(), "asked", self._asked, method, url, body or b"")
        return self._asked

    def answered(self, number: int, status: int | None, body: bytes, problem: str) -> None:
        """Its answer."""
        self._see(self._clock.now_ns(), "answered", number, status, problem, body)

    def frame(self, ours: bool, data: str | bytes, at_ns: int) -> None:
        """A websocket message."""
        self._see(at_ns, "frame", "ours" if ours else "theirs", None, "", data)

    def _see(self, *what: Any) -> None:
        if len(self._wire) < WAITING_MAX:
            self._wire.append(what)

    # --- writing ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write what waits, every so often, until cancelled; then the rest."""
        wire = Segments(self.folder, "wire")
        inputs = Segments(self.folder, "inputs")
        task_status.started()
        try:
            while True:
                await trio.sleep(FLUSH_S)
                await trio.to_thread.run_sync(self._write, wire, inputs)
                if self._problem != self._told:
                    self._told = self._problem
                    self._alarm(f"wire_not_recorded: {self._problem}")
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._write, wire, inputs)
                for segments in (wire, inputs):
                    with suppress(OSError):  # it ends where the disk was full
                        segments.close()

    def _write(self, wire: Segments, inputs: Segments) -> None:
        seen, self._wire = self._wire, []
        noted, self._inputs = self._inputs, []
        try:
            if noted:
                inputs.append(write(*one) for one in noted)
            if seen:
                wire.append(_line(one) for one in seen)
        except (OSError, TypeError, ValueError) as error:  # a log that lacks a letter ends no daemon that trades
            self.lost += 1
            self._problem = str(error)


def _line(seen: tuple[Any, ...]) -> bytes:
    at_ns, kind, first, second, third, data = seen
    body = data.decode("utf-8", "replace") if isinstance(data, bytes | bytearray) else str(data)
    told = {"at_ns": at_ns, "what": kind, "body": _SECRETS.sub(r"\1(hidden)", scrub(body))}
    if kind == "asked":
        told |= {"number": first, "method": second, "url": scrub(str(third))}
    elif kind == "answered":
        told |= {"number": first, "status": second, "problem": third}
    else:
        told |= {"who": first}
    return msgspec.json.encode(told)


def _drop(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink(missing_ok=True)
    folder.rmdir()
