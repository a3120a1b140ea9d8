"""Why a mutant may survive: the reasons in `explained/*.toml`, held against what a campaign found.

A file has a table for each function, `["risk.figures:_days"]`. In it stands a reason, or the name of one of
`reasons.toml`, and the faults it holds for: `was -> now`, white space made plain, where "…" stands for any text. No
number of a line or of a mutant is in it: those shift. Knows nothing of how mutants are made or judged.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

HERE: Final = Path(__file__).parent / "explained"
_REASONS: Final = "reasons.toml"
KINDS: Final = ("typed", "killed", "survived", "cut", "unreached")


@frozen
class Entry:
    """One line of a file: faults of the function `place` (`risk.figures:_days`) that may survive, and why.

    `shared` is the reason's name in `reasons.toml`, "" where it is told here only.
    """

    place: str
    fault: str
    reason: str
    shared: str = ""

    def holds_for(self, place: str, fault: str) -> bool:
        """Whether it speaks of this fault of this function."""
        pattern = ".*".join(re.escape(part) for part in self.fault.split("…"))
        return self.place == place and re.fullmatch(pattern, fault) is not None


@frozen
class Survivor:
    """A mutant that no test has noticed; `entered` is False where no test came by, `left` counts tests not asked."""

    place: str
    line: int
    fault: str
    entered: bool
    left: int = 0
    entry: Entry | None = None


def read(folder: Path = HERE) -> tuple[Entry, ...]:
    """All entries of a folder. Raises ValueError where a fault is explained twice, or by a name that nothing has."""
    shared: dict[str, str] = tomllib.loads((folder / _REASONS).read_text(encoding="utf-8"))
    found = []
    for path in sorted(folder.glob("*.toml")):
        if path.name == _REASONS:
            continue
        for place, reasons in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for reason, faults in reasons.items():
                if reason not in shared and " " not in reason:
                    raise ValueError(f"{path.name}, {place}: {_REASONS} has no reason named {reason}")
                name = reason if reason in shared else ""
                found += [Entry(place, fault, shared.get(reason, reason), name) for fault in faults]
    twice = [said for said, count in Counter((each.place, each.fault) for each in found).items() if count > 1]
    if twice:
        raise ValueError(f"explained twice: {twice}")
    return tuple(found)


def survivors(verdicts: Mapping[str, Mapping[str, Any]], entries: Iterable[Entry]) -> list[Survivor]:
    """What nobody noticed, by module and line, each with the first entry that speaks of it."""
    of: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of[entry.place].append(entry)
    found = []
    for key, said in verdicts.items():
        if said["verdict"] in ("survived", "unreached"):
            place, fault = _place(key), f"{_plain(said['was'])} -> {_plain(said['now'])}"
            why = next((each for each in of[place] if each.holds_for(place, fault)), None)
            found.append(Survivor(place, said["line"], fault, said["verdict"] == "survived", said.get("left", 0), why))
    return sorted(found, key=lambda each: (module_of(each.place), each.line, each.fault))


def needless(entries: Iterable[Entry], found: Sequence[Survivor], verdicts: Iterable[str]) -> list[Entry]:
    """Entries that speak of nothing that survives, in modules of which any verdict (by its key) is known."""
    used = {id(each.entry) for each in found}
    known = {module_of(_place(key)) for key in verdicts}
    faults: dict[str, list[str]] = defaultdict(list)
    for each in found:
        faults[each.place].append(each.fault)
    return [
        entry
        for entry in entries
        if module_of(entry.place) in known
        and id(entry) not in used
        and not any(entry.holds_for(entry.place, fault) for fault in faults[entry.place])
    ]


def listing(verdicts: Mapping[str, Mapping[str, Any]], entries: Sequence[Entry]) -> Iterator[str]:
    """For the terminal: a line a module, a line a survivor, and what the files say in vain."""
    for module, count in sorted(counts_of(verdicts).items()):
        yield f"{module:24}" + "".join(f"{count[kind]:6} {kind}" for kind in KINDS)
    found = survivors(verdicts, entries)
    for each in found:
        why = each.entry.shared or each.entry.reason if each.entry else "WITHOUT A REASON"
        asked = (f", {each.left} tests not asked" if each.left else "") if each.entered else ", not entered"
        yield f"{each.place} line {each.line}{asked}: {each.fault}  [{why}]"
    for entry in needless(entries, found, verdicts):
        yield f"NOTHING SURVIVES that explained/ speaks of in {entry.place}: {entry.fault}"
    bare = sum(each.entry is None for each in found)
    yield f"{len(found)} survivors, {bare} without a reason"


def counts_of(verdicts: Mapping[str, Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """By module: how many mutants met which end; `cut` survived only the part of the tests that was asked.

    Those that come to the same bytecode are no faults, and are not counted.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for key, said in verdicts.items():
        if said["verdict"] == "same":
            continue
        kind = "cut" if said.get("left") and said["verdict"] == "survived" else said["verdict"]
        counts[module_of(_place(key))][kind] += 1
    return counts


def _place(key: str) -> str:
    return key.partition("#")[0].removeprefix("engine.")


def module_of(place: str) -> str:
    """`risk.figures` of `risk.figures:_days`."""
    return place.partition(":")[0]


def _plain(text: str) -> str:
    return " ".join(text.split())
