"""`engine replay`: a daemon put together as it was, on the journal as it was, fed with the inputs that it took."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from attrs import frozen

from engine.daemon.assembling import assemble, cores_of, first_news, recover_desk
from engine.daemon.config import RunSettings, load, on_simulated_clock
from engine.daemon.wire import FORMAT, HEAD
from engine.errors import RecordingError
from engine.journal.durable import DurableJournal
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder
from engine.recording.segments import records, segments
from engine.runtime.live import cutting
from engine.runtime.live.again import Again, Difference
from engine.runtime.live.inputs import Record, read

_TOGETHER: Final = 1_000


@frozen(kw_only=True)
class Outcome:
    """What a replay came to; `difference` None: every decision was reached again."""

    log: str
    inputs: int
    decisions: int
    difference: Difference | None

    @property
    def agrees(self) -> bool:
        """Whether all of it came out again."""
        return self.difference is None


class _Stopped:
    """A clock that shows one moment: whatever a core is to know of time comes with its letters."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """That moment."""
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        """Nothing waits in a replay."""

    async def sleep_until(self, moment_ns: int) -> None:
        """Nothing waits in a replay."""


def replay(log: Path, journal: Path | None = None) -> Outcome:
    """Replay a log.

    Args:
        log: The folder of one start, or one that holds some: then the newest.
        journal: The journal that the daemon had, if it is not where it was.

    Raises: RecordingError, InputError.
    """
    folder = _folder(log)
    head = _head(folder)
    if not segments(folder, "inputs"):
        raise RecordingError("it holds no inputs: nothing can be compared", place=str(folder))
    with tempfile.TemporaryDirectory(prefix="engine-replay-") as made:
        place = Path(made)
        _journal_as_it_was(folder, head, journal, place)
        settings = _settings(head, place)
        daemon = assemble(settings, StateFolder(place), _Stopped(int(head["began_ns"])))
        again: Again | None = None
        try:
            # Who hung then hangs again.
            with cutting.Cutter(cutting.HANDLER_LIMIT_S, lambda: again.sign() if again else None):
                wishes = daemon.host.start(daemon.began_ns)
                again = Again(cores_of(daemon, wishes))
                recover_desk(daemon)
                again.begin(first_news(daemon))
                difference = again.feed(_read(folder, lambda: _forget(daemon)))
        finally:
            daemon.journal.close()
    return Outcome(log=str(folder), inputs=again.taken, decisions=again.decisions, difference=difference)


def _forget(daemon: Any) -> None:
    """What the daemon hands to its journal now and then is of no use here."""
    for seat in daemon.host.seats.values():
        seat.ctx.notes.clear()
        seat.ctx.indicators.clear()


def _read(folder: Path, often: Any) -> Iterator[Record]:
    for expected, line in enumerate(records(folder, "inputs"), 1):
        try:
            record = read(line)
        except msgspec.DecodeError as error:
            raise RecordingError(f"input {expected} can't be read: {error}", place=str(folder)) from error
        if record.number != expected:
            raise RecordingError(f"input {expected} is missing", place=str(folder))
        yield record
        if expected % _TOGETHER == 0:
            often()


def _folder(log: Path) -> Path:
    for found in (log, log / "wire"):
        if (found / HEAD).is_file():
            return found
        starts = sorted(path.parent for path in found.glob(f"[0-9]*/{HEAD}"))
        if starts:
            return starts[-1]
    raise RecordingError("there is no wire log", place=str(log))


def _head(folder: Path) -> dict[str, Any]:
    try:
        head: dict[str, Any] = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        known = int(head["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"can't be read: {error}", place=str(folder / HEAD)) from error
    if known > FORMAT:
        problem = f"has format {known}, written by a newer version; this one reads {FORMAT}"
        raise RecordingError(problem, place=str(folder / HEAD))
    return head


def _settings(head: dict[str, Any], place: Path) -> RunSettings:
    """The configuration as it was; where it stood, if it still reads the same, for the strategies beside it."""
    source = Path(head["config"])
    text = str(head["config_text"])
    try:
        same = source.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        same = False
    if not same:
        source = place / source.name
        source.write_text(text, encoding="utf-8")
    settings = load(source, tuple(head["overrides"]))
    return on_simulated_clock(settings) if head.get("simulated") else settings


def _journal_as_it_was(folder: Path, head: dict[str, Any], journal: Path | None, place: Path) -> None:
    """The rows that the daemon read at its start, in a journal of their own."""
    last = int(head["journal"]["last"])
    made = DurableJournal(StateFolder(place).journal)
    try:
        if last:
            beside = folder.parent.parent / "journal.db"
            source = journal or (beside if beside.is_file() else Path(head["journal"]["file"]))
            for row in JournalReader(source).rows():
                if row.seq > last:
                    break
                made.write([(row.ts_ns, row.kind, row.name, msgspec.Raw(row.body.encode()))])
    finally:
        made.close()
