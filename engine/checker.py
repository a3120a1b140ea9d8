"""`engine check`: run a configuration again in ways that must change nothing, and say what did.

Four things are looked for: results that depend on where windows are cut, on data that comes later (look-ahead), on a
clock other than the recording's, and on chance. Clocks, dice and hands in the recording's own files are caught in the
act, by watching what the strategies' files call and open; the rest shows in a journal that differs. What is not seen:
a module of the author's own that does it for him, and files that a C library opens by a name put together inside it.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path, PurePath
from types import FrameType, FunctionType
from typing import Any, Final

from attrs import evolve, frozen

from engine import app
from engine.domain.moments import NS_PER_S
from engine.errors import StrategyError
from engine.journal.run import RunJournal
from engine.settings import Pipeline, Settings
from engine.strategy.api import Strategy
from engine.strategy.loading import Loaded

_AFTER_NS: Final = (0, 0, NS_PER_S)  # how long after a decision the data is cut off
_OF_THE_END: Final = frozenset({"answer", "log", "state", "switched_off"})
Fact = tuple[int, str, str, bytes]

_CLOCKS: Final = {
    getattr(time, name)
    for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for name in (clock, f"{clock}_ns")
    if hasattr(time, name)
} | {time.strftime, time.localtime, time.gmtime, time.ctime, time.asctime}
_CLOCKS_OF_DATETIME: Final = {"now", "utcnow", "today"}
_DICE_FILES: Final = {secrets.__file__, uuid.__file__}
_OPENING: Final = {"open", "os.listdir", "os.scandir"}


@frozen
class Finding:
    """Something that a backtest of this configuration can't be trusted in: `kind` is `look-ahead`, `window`, `clock`,
    `chance` or `switched off`."""

    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


def check_run(settings: Settings, *, seed: int = 1) -> list[Finding]:
    """Run a configuration as it is and in seven other ways; return what differs, most telling first.

    Raises: InputError if it can't be run at all.
    """
    settings = evolve(settings, replay=evolve(settings.replay, pipeline=Pipeline.FUSED))
    with _opened(settings.recording.path) as opened:
        prepared = app.prepare(settings)
        files = {path: loaded.name for loaded in prepared.strategies for path in _sources(loaded)}
        with _watched(files, settings.recording.path) as seen:
            base = _facts(settings)[0]
    hands = [_hand(files[name], name, line) for name, line in opened if name in files]
    # Of one that was switched off nothing after that was checked.
    off = [
        Finding("switched off", f"strategy {name} at {_iso(ts_ns)}: {body.decode()}")
        for ts_ns, kind, name, body in base
        if kind == "switched_off"
    ]
    findings = list(dict.fromkeys((*hands, *seen, *off)))
    again = _difference(base, _facts(settings)[0])
    if again is not None:
        findings.append(Finding("chance", f"two equal runs differ: {again}"))
        return findings  # what differs by itself tells nothing when run in another way
    dice = random.Random(seed)
    for most in (1, 40, 3_000):
        other = evolve(settings, replay=evolve(settings.replay, chunk=dice.randint(500, 5_000)))
        told = _differs(base, other, widths=partial(dice.randint, 1, most))
        if told is not None:
            findings.append(Finding("window", f"cut into windows of up to {most} rows, {told}"))
            break
    for end_ns in _ends(base, prepared.span_ns, dice):
        shorter = evolve(settings, recording=evolve(settings.recording, end=_iso(end_ns)))
        told = _differs(base, shorter, end_ns=end_ns)
        if told is not None:
            findings.append(Finding("look-ahead", f"without the data from {_iso(end_ns)} on, {told}"))
            break
    return findings


def _sources(loaded: Loaded) -> set[str]:
    """The file names under which a strategy's own code may run; beside the configuration they can be relative."""
    own = [one for one in loaded.strategy_class.__mro__ if one not in Strategy.__mro__]  # an author's bases, too
    parts = [(one, value) for one in own for value in vars(one).values() if isinstance(value, FunctionType)]
    return {str(loaded.file), *(part.__code__.co_filename for one, part in parts if part.__module__ == one.__module__)}


def _facts(settings: Settings, widths: Callable[[], int] | None = None) -> tuple[list[Fact], int]:
    """A run's journal, and the time of the last row it saw."""
    journal = RunJournal()
    with closing(journal):
        outcome = app.run(app.prepare(settings), journal, widths=widths)
        return list(journal.rows()), outcome.end_ns


def _differs(
    base: Sequence[Fact], settings: Settings, *, widths: Callable[[], int] | None = None, end_ns: int | None = None
) -> str | None:
    """Run in another way and say what differs; of a run whose data ends at `end_ns`, as far as it goes."""
    try:
        other, last_ns = _facts(settings, widths)
    except StrategyError as error:
        return f"the run ends: {error}"
    if end_ns is not None:
        last_ns = min(last_ns, end_ns - 1)  # bars cut off by the end are stamped after it
        base, other = _until(base, last_ns), _until(other, last_ns)
    return _difference(base, other)


def _until(facts: Sequence[Fact], last_ns: int) -> list[Fact]:
    """What a run that ends with the row at `last_ns` must share: what was under way then never came to its answer, and
    what strategies note when they are stopped there is no decision."""
    return [fact for fact in facts if fact[0] < last_ns or (fact[0] == last_ns and fact[1] not in _OF_THE_END)]


def _difference(base: Sequence[Fact], other: Sequence[Fact]) -> str | None:
    """Say where two journals part; None if they are equal."""
    for one, two in zip(base, other, strict=False):
        if one != two:
            return f"{_told(one)} becomes {_told(two)}"
    if len(base) > len(other):
        return f"{_told(base[len(other)])} is missing"
    if len(other) > len(base):
        return f"{_told(other[len(base)])} is new"
    return None


def _told(fact: Fact) -> str:
    ts_ns, kind, name, body = fact
    text = body.decode()
    return f"{kind} of {name} at {_iso(ts_ns)} {text if len(text) < 120 else text[:117] + '...'}"


def _ends(base: Sequence[Fact], span_ns: tuple[int, int], dice: random.Random) -> list[int]:
    """Times at which to cut the data: soon after something was decided, where a look ahead has most to gain."""
    times = sorted({ts_ns for ts_ns, kind, _, _ in base if kind == "approved"})
    low, high = span_ns
    chosen = [dice.choice(times) + after for after in _AFTER_NS] if times else [(low + high) // 2]
    return sorted({min(max(end, low + 1), high) // 1_000 * 1_000 + 1_000 for end in chosen})


def _iso(ts_ns: int) -> str:
    seconds, rest = divmod(ts_ns, NS_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1_000).isoformat()


_Opened = list[tuple[str, int]]
_listening: list[Callable[[object, FrameType | None], None]] = []


def _audit(event: str, args: tuple[object, ...]) -> None:
    """The process's audit hook. It can't be taken off again, so it listens only while somebody does."""
    if _listening and event in _OPENING:
        _listening[-1](args[0], sys._getframe(1))


@contextmanager
def _opened(folder: Path) -> Iterator[_Opened]:
    """Note which source files, and lines, stand behind the opening of a recording's files."""
    found: _Opened = []

    def note(path: object, frame: FrameType | None) -> None:
        if _lies_in(path, folder):
            while frame is not None:
                found.append((frame.f_code.co_filename, frame.f_lineno))
                frame = frame.f_back

    if not getattr(sys, "_engine_check_listens", False):
        sys._engine_check_listens = True  # type: ignore[attr-defined]  # once in a process, whoever imports this module
        sys.addaudithook(_audit)
    _listening.append(note)
    try:
        yield found
    finally:
        _listening.pop()


def _lies_in(path: object, folder: Path) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str | PurePath):
        return False
    whole, root = os.path.abspath(path), os.path.abspath(folder)  # noqa: PTH100  # asks the disk for nothing
    return whole == root or whole.startswith(root + os.sep)


def _hand(strategy: str, path: str, line: int) -> Finding:
    return Finding(
        "look-ahead", f"strategy {strategy} goes to the files of the recording itself at {Path(path).name}:{line}"
    )


@contextmanager
def _watched(files: dict[str, str], folder: Path) -> Iterator[list[Finding]]:
    """Watch which clocks and dice the strategies' files call, and what they are told of the recording's folder."""
    seen: list[Finding] = []

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and frame.f_code.co_filename in files:
            kind = _kind(called)
            if kind is not None:
                seen.append(_asks(kind, files, frame, getattr(called, "__qualname__", repr(called))))
        elif event == "call" and frame.f_back is not None and frame.f_back.f_code.co_filename in files:
            code = frame.f_code
            if code.co_filename in files:
                return
            told = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
            dice = code.co_filename == random.__file__ and (
                _is_shared_dice(told[:1]) or (code.co_name == "__init__" and told[1:] == [None])  # nobody's seed
            )
            if dice or code.co_filename in _DICE_FILES:
                seen.append(_asks("chance", files, frame.f_back, code.co_qualname))
            elif any(_lies_in(one, folder) for one in told):
                path = frame.f_back.f_code.co_filename
                seen.append(_hand(files[path], path, frame.f_back.f_lineno))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def _asks(kind: str, files: dict[str, str], frame: FrameType, name: str) -> Finding:
    path = frame.f_code.co_filename
    what = "a clock" if kind == "clock" else "chance"
    return Finding(kind, f"strategy {files[path]} asks {what}: {name} at {Path(path).name}:{frame.f_lineno}")


def _is_shared_dice(owner: Sequence[object]) -> bool:
    """The module's own dice, or the system's: nobody has seeded them for this strategy alone."""
    return any(one is getattr(random, "_inst", None) or isinstance(one, random.SystemRandom) for one in owner)


def _kind(called: Any) -> str | None:
    owner = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    if called in _CLOCKS or (isinstance(owner, type) and issubclass(owner, date) and name in _CLOCKS_OF_DATETIME):
        return "clock"
    if called is os.urandom or _is_shared_dice((owner,)):
        return "chance"
    return None
