"""`engine check`: run a configuration again in ways that must change nothing, and say what did.

Four things are looked for: results that depend on where windows are cut, on data that comes later (look-ahead), on a
clock other than the recording's, and on chance. The clocks and dice are caught in the act, by watching what the
strategies' own files call; the rest shows in a journal that differs.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from attrs import evolve, frozen

from engine import app
from engine.domain.moments import NS_PER_S
from engine.journal.run import RunJournal
from engine.settings import Pipeline, Settings

_CUTS: Final = 3
Fact = tuple[int, str, str, bytes]

_CLOCKS: Final = {time.time, time.time_ns, time.monotonic, time.monotonic_ns, time.perf_counter, time.perf_counter_ns}
_CLOCKS_OF_DATETIME: Final = {"now", "utcnow", "today"}


@frozen
class Finding:
    """Something that a backtest of this configuration can't be trusted in: `kind` is `look-ahead`, `window`, `clock` or
    `chance`."""

    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


def check_run(settings: Settings, *, seed: int = 1) -> list[Finding]:
    """Run a configuration as it is and in seven other ways; return what differs, most telling first.

    Raises: InputError if it can't be run at all.
    """
    settings = evolve(settings, replay=evolve(settings.replay, pipeline=Pipeline.FUSED))
    prepared = app.prepare(settings)
    files = {str(loaded.file): loaded.name for loaded in prepared.strategies}
    with _watched(files) as seen:
        base = _facts(settings)
    findings = list(dict.fromkeys(seen))
    again = _difference(base, _facts(settings))
    if again is not None:
        findings.append(Finding("chance", f"two equal runs differ: {again}"))
        return findings  # what differs by itself tells nothing when run in another way
    dice = random.Random(seed)
    for most in (1, 40, 3_000):
        other = evolve(settings, replay=evolve(settings.replay, chunk=dice.randint(500, 5_000)))
        told = _difference(base, _facts(other, widths=partial(dice.randint, 1, most)))
        if told is not None:
            findings.append(Finding("window", f"cut into windows of up to {most} rows, {told}"))
            break
    for end_ns in _ends(base, prepared.span_ns, dice):
        shorter = evolve(settings, recording=evolve(settings.recording, end=_iso(end_ns)))
        facts, last_ns = _facts_and_end(shorter)
        last_ns = min(last_ns, end_ns - 1)  # bars cut off by the end are stamped after it
        told = _difference(_until(base, last_ns), _until(facts, last_ns))
        if told is not None:
            findings.append(Finding("look-ahead", f"without the data from {_iso(end_ns)} on, {told}"))
            break
    return findings


def _facts(settings: Settings, widths: Callable[[], int] | None = None) -> list[Fact]:
    return _facts_and_end(settings, widths)[0]


def _facts_and_end(settings: Settings, widths: Callable[[], int] | None = None) -> tuple[list[Fact], int]:
    """A run's journal, and the time of the last row it saw."""
    journal = RunJournal()
    with closing(journal):
        outcome = app.run(app.prepare(settings), journal, widths=widths)
        return list(journal.rows()), outcome.end_ns


def _until(facts: Sequence[Fact], last_ns: int) -> list[Fact]:
    """What a run that ends with the row at `last_ns` must share: what was under way then never came to its answer."""
    return [fact for fact in facts if fact[0] < last_ns or (fact[0] == last_ns and fact[1] != "answer")]


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
    chosen = [dice.choice(times) + NS_PER_S for _ in range(_CUTS)] if times else [(low + high) // 2]
    return sorted({min(max(end, low + 1), high) // 1_000 * 1_000 + 1_000 for end in chosen})


def _iso(ts_ns: int) -> str:
    seconds, rest = divmod(ts_ns, NS_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1_000).isoformat()


@contextmanager
def _watched(files: dict[str, str]) -> Iterator[list[Finding]]:
    """Watch which clocks and dice the strategies' files call."""
    seen: list[Finding] = []

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and frame.f_code.co_filename in files:
            kind = _kind(called)
            if kind is not None:
                path = frame.f_code.co_filename
                what = "a clock" if kind == "clock" else "chance"
                name = getattr(called, "__qualname__", repr(called))
                where = f"{Path(path).name}:{frame.f_lineno}"
                seen.append(Finding(kind, f"strategy {files[path]} asks {what}: {name} at {where}"))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def _kind(called: Any) -> str | None:
    owner = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    if called in _CLOCKS or (isinstance(owner, type) and issubclass(owner, datetime) and name in _CLOCKS_OF_DATETIME):
        return "clock"
    if called is os.urandom or owner is getattr(random, "_inst", None):
        return "chance"
    return None
