"""The page of a campaign: its sums, its table and its survivors with their reasons, as Markdown."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.mutation.explaining import KINDS, Entry, Survivor, counts_of, module_of, survivors

_BLOCK: Final = r"(<!-- {0} -->\n).*?(<!-- end of {0} -->)"
_COLUMNS: Final = ("refused by types", "killed", "survived every test", "survived what was asked", "not entered")
_SHOWN: Final = 110  # letters of a fault


def write_document(
    path: Path, verdicts: Mapping[str, Mapping[str, Any]], entries: Sequence[Entry], *, code: str = ""
) -> None:
    """Put the sums, the table and the survivors between their marks in a page; `code` names the text that was run."""
    text = path.read_text(encoding="utf-8")
    found = survivors(verdicts, entries)
    parts = {"sums": _sums(verdicts, found), "table": _table(verdicts, found), "survivors": _survivors(found)}
    parts["code"] = iter([code])
    for name, lines in parts.items():
        said = "\n".join(lines)
        marks = re.search(_BLOCK.format(name), text, re.DOTALL)
        if marks is None:
            raise ValueError(f"{path} has no place for its {name}")
        text = f"{text[: marks.end(1)]}{said}\n{text[marks.start(2) :]}"
    path.write_text(text, encoding="utf-8")


def _sums(verdicts: Mapping[str, Mapping[str, Any]], found: Sequence[Survivor]) -> Iterator[str]:
    count = sum(counts_of(verdicts).values(), Counter())
    bare = [each for each in found if each.entry is None]
    total = sum(count.values())
    yield (
        f"Of {total:,} mutants {count['typed']:,} are refused by the type checker, {count['killed']:,} were "
        f"killed by tests, {count['survived'] + count['cut']:,} survived ({count['cut']:,} of them had not met every "
        f"test that enters their line), and {count['unreached']:,} stand where no test that was asked enters. "
        f"{len(found) - len(bare):,} of these have a reason below, {len(bare):,} have none."
    )


def _table(verdicts: Mapping[str, Mapping[str, Any]], found: Sequence[Survivor]) -> Iterator[str]:
    bare = Counter(module_of(each.place) for each in found if each.entry is None)
    yield "| " + " | ".join(("module", "mutants", *_COLUMNS, "without a reason")) + " |"
    yield "|---|" + "--:|" * (len(_COLUMNS) + 2)
    counts = counts_of(verdicts)
    for module, count in (*sorted(counts.items()), ("all", sum(counts.values(), Counter()))):
        sums = " | ".join(str(count[kind]) for kind in KINDS)
        name = f"`{module.replace('.', '/')}`" if module in counts else module
        without = bare[module] if module in counts else sum(bare.values())
        yield f"| {name} | {sum(count.values())} | {sums} | {without} |"


def _survivors(found: Sequence[Survivor]) -> Iterator[str]:
    bare = [each for each in found if each.entry is None]
    yield f"### Without a reason ({len(bare)})"
    yield ""
    yield from _by_function(bare) if bare else ["None."]
    shared: dict[tuple[str, str], list[Survivor]] = defaultdict(list)
    alone: dict[str, list[Survivor]] = defaultdict(list)
    for each in found:
        if each.entry is not None and each.entry.shared:
            shared[each.entry.shared, each.entry.reason].append(each)
        elif each.entry is not None:
            alone[module_of(each.place)].append(each)
    for (name, reason), those in sorted(shared.items()):
        yield ""
        yield f"### {name.capitalize()} ({len(those)})"
        yield ""
        yield f"{reason}."
        yield ""
        yield from _by_function(those)
    for module, those in sorted(alone.items()):
        yield ""
        yield f"### `{module.replace('.', '/')}`, one by one ({len(those)})"
        yield ""
        reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
        for each in those:
            assert each.entry is not None
            reasons[_function(each.place), each.entry.reason].append(_short(each.fault))
        for (function, reason), faults in reasons.items():
            yield f"- `{function}`: {reason}. {'; '.join(faults)}"


def _by_function(those: Iterable[Survivor]) -> Iterator[str]:
    """A line a module: its functions, each with its faults."""
    of: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in those:
        of[module_of(each.place)][_function(each.place)].append(_short(each.fault))
    for module, functions in sorted(of.items()):
        yield f"- `{module.replace('.', '/')}`: " + ". ".join(
            f"**{name}** {'; '.join(f'{one} ({n})' if n > 1 else one for one, n in Counter(faults).items())}"
            for name, faults in functions.items()
        )


def _short(fault: str) -> str:
    """The fault as code: what it leaves alone at both ends, and what is too long, is cut out."""
    was, _, now = fault.partition(" -> ")
    if len(fault) > _SHOWN:
        alike = _alike(was, now)
        back = min(_alike(was[::-1], now[::-1]), len(was) - alike, len(now) - alike)
        start, end = max(alike - 12, 0), max(back - 6, 0)
        was, now = (("…" if start else "") + one[start : len(one) - end] + ("…" if end else "") for one in (was, now))
        was, now = (one if len(one) <= _SHOWN // 2 else one[: _SHOWN // 2] + "…" for one in (was, now))
    return f"`{was} -> {now}`"


def _alike(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _function(place: str) -> str:
    return place.partition(":")[2]
