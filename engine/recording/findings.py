"""What an examination of a recording found, as plain values for pages and programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from engine.domain.moments import NS_PER_S


@frozen(kw_only=True)
class Gap:
    """A silence inside a session."""

    start_ns: int
    end_ns: int

    @property
    def length_s(self) -> float:
        """How long it lasts."""
        return (self.end_ns - self.start_ns) / NS_PER_S


@frozen(kw_only=True)
class SeriesQuality:
    """One instrument's rows of one kind. `findings` counts by name what is wrong; `notes` what is merely worth knowing.

    `found_ns` has the time of the first row of each finding that has rows. `gap_limit_s` is the silence above which
    a gap counts (None: nothing inside a session to judge by), and `gaps` are the longest of them; a silence in a halt
    is none.
    """

    kind: str
    conid: int
    symbol: str
    rows: int
    first_ns: int
    last_ns: int
    findings: Mapping[str, int]
    notes: Mapping[str, int]
    found_ns: Mapping[str, int]
    gap_limit_s: float | None
    gaps: tuple[Gap, ...] = ()
    missing_days: tuple[str, ...] = ()
    halts: tuple[Gap, ...] = ()


@frozen(kw_only=True)
class Quality:
    """The data-quality page as values. `problems` are sentences on files that could not be read to their end."""

    path: Path
    name: str
    source: str
    time_zone: str
    licence: str
    generated: bool
    rows: Mapping[str, int]
    series: tuple[SeriesQuality, ...]
    problems: tuple[str, ...] = ()
    unsealed: int = 0

    @property
    def findings(self) -> dict[str, int]:
        """Everything found, by name, in the order of the names."""
        total: dict[str, int] = {}
        for one in self.series:
            for name, count in one.findings.items():
                total[name] = total.get(name, 0) + count
        if self.problems:
            total["unreadable"] = len(self.problems)
        return dict(sorted(total.items()))

    @property
    def clean(self) -> bool:
        """Nothing found."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {**asdict(self), "path": str(self.path), "findings": self.findings, "clean": self.clean}
