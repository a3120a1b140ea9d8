"""`engine check`: run a configuration again in ways that must change nothing, and say what did.

Five things are looked for: results that depend on where windows are cut, on data that comes later (look-ahead), on a
clock other than the recording's, on chance, and on the order of sets (PYTHONHASHSEED). Clocks, dice and hands in files
of later data are caught in the act, by watching what the strategies' files call and open; the rest shows in a journal
that differs. What is not seen: a module of the author's own that asks a clock or dice for him, files that a C library
opens by a name put together inside it, and data from after the run's start in a form that shows no times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Final

from attrs import evolve

from engine import app
from engine.checker.dated import latest_within
from engine.checker.elsewhere import SEEDS, Fact, facts_under
from engine.checker.watching import Finding, Opened, lies_in, may_be_data, opened, watched
from engine.domain.moments import NS_PER_DAY, NS_PER_S, iso
from engine.errors import StrategyError
from engine.journal.run import RunJournal
from engine.settings import Pipeline, Settings
from engine.strategy.api import Strategy
from engine.strategy.loading import Loaded

__all__ = ["Finding", "check_run"]

_AFTER_NS: Final = (0, 0, NS_PER_S)  # how long after a decision the data is cut off
_OF_THE_END: Final = frozenset({"answer", "log", "state", "switched_off"})


def check_run(settings: Settings, *, seed: int = 1, hash_seeds: Sequence[int] = SEEDS) -> list[Finding]:
    """Run a configuration as it is and in ten other ways; return what differs, most telling first.

    Args:
        seed: Of the random cuts.
        hash_seeds: Values of PYTHONHASHSEED to run under, each in a child process.

    Raises: InputError if it can't be run at all.
    """
    settings = evolve(settings, replay=evolve(settings.replay, pipeline=Pipeline.FUSED))
    with opened() as read:
        prepared = app.prepare(settings)
        files = {path: loaded.name for loaded in prepared.strategies for path in _sources(loaded)}
        with watched(files) as (seen, handed):
            base = _facts(settings)[0]
    hands = _hands([*read, *handed], files, settings.recording.path, prepared.span_ns)
    # Of one that was switched off nothing after that was checked.
    off = [
        Finding("switched off", f"strategy {name} at {iso(ts_ns)}: {body.decode()}")
        for ts_ns, kind, name, body in base
        if kind == "switched_off"
    ]
    findings = list(dict.fromkeys((*hands, *seen, *off)))
    again = _difference(base, _facts(settings)[0])
    if again is not None:
        findings.append(Finding("chance", f"two equal runs differ: {again}"))
        return findings  # what differs by itself tells nothing when run in another way
    for number, there in zip(hash_seeds, facts_under(hash_seeds, settings, f"{__name__}:facts_of"), strict=True):
        how = there if isinstance(there, str) else _difference(base, there)
        if how is not None:
            findings.append(Finding("hash seed", f"with PYTHONHASHSEED={number} {how}"))
            break
    dice = random.Random(seed)
    for most in (1, 40, 3_000):
        other = evolve(settings, replay=evolve(settings.replay, chunk=dice.randint(500, 5_000)))
        told = _differs(base, other, widths=partial(dice.randint, 1, most))
        if told is not None:
            findings.append(Finding("window", f"cut into windows of up to {most} rows, {told}"))
            break
    for end_ns in _ends(base, prepared.span_ns, dice):
        shorter = evolve(settings, recording=evolve(settings.recording, end=iso(end_ns)))
        told = _differs(base, shorter, end_ns=end_ns)
        if told is not None:
            findings.append(Finding("look-ahead", f"without the data from {iso(end_ns)} on, {told}"))
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


def facts_of(settings: Settings) -> list[Fact]:
    """A run's journal, for a child process."""
    return _facts(settings)[0]


def _hands(
    touched: Iterable[Opened], files: Mapping[str, str], folder: Path, span_ns: tuple[int, int]
) -> list[Finding]:
    """Findings on the files that strategies opened: those of the recording itself, and others with times in the run."""
    found = []
    latest: dict[str, int | None] = {}
    for one in dict.fromkeys(touched):
        name = files.get(one.source)
        if name is None:
            continue
        at = f"at {Path(one.source).name}:{one.line}"
        if lies_in(one.path, folder):
            found.append(Finding("look-ahead", f"strategy {name} goes to the files of the recording itself {at}"))
            continue
        if one.path not in latest:
            there = Path(one.path).is_file() and may_be_data(one.path)
            latest[one.path] = latest_within(Path(one.path), span_ns[0], span_ns[1] + NS_PER_DAY) if there else None
        until_ns = latest[one.path]
        if until_ns is not None:
            told = f"strategy {name} reads {Path(one.path).name} {at}, which has times up to {iso(until_ns)}"
            found.append(Finding("look-ahead", f"{told}, after the run's first row"))
    return found


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
    return f"{kind} of {name} at {iso(ts_ns)} {text if len(text) < 120 else text[:117] + '...'}"


def _ends(base: Sequence[Fact], span_ns: tuple[int, int], dice: random.Random) -> list[int]:
    """Times at which to cut the data: soon after something was decided, where a look ahead has most to gain."""
    times = sorted({ts_ns for ts_ns, kind, _, _ in base if kind == "approved"})
    low, high = span_ns
    chosen = [dice.choice(times) + after for after in _AFTER_NS] if times else [(low + high) // 2]
    return sorted({min(max(end, low + 1), high) // 1_000 * 1_000 + 1_000 for end in chosen})
