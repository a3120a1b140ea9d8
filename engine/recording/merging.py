"""Rows of an import on their way: staged by source, merged by time with what is there, and put in place at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from attrs import define, field

from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY
from engine.errors import RecordingError
from engine.recording.blocks import Sealed, Segment, merged, open_sealed, open_segment
from engine.recording.head import Head
from engine.recording.layout import HEAD_FILE, SCHEMAS, Block, DayFile, by_day, day_files, day_path, join, to_batch
from engine.recording.sources import Source
from engine.recording.writer import sync_folder, write_day, write_head

_Spans = dict[tuple[str, int], tuple[int, int]]  # first and last time by day and conid


@define(eq=False)
class Stage:
    """Rows of the import so far: a segment a source, the days they touch, and whose they are from when to when."""

    root: Path
    kind: Kind
    files: list[tuple[int, int, Segment]] = field(factory=list)
    ranges: dict[tuple[str, int], list[tuple[int, int, str]]] = field(factory=dict)
    days: set[str] = field(factory=set)
    short: set[str] = field(factory=set)  # years with bars of less than a day
    conids: set[int] = field(factory=set)
    _source: str = ""
    _path: Path = field(default=Path())
    _raw: Any = None
    _stream: Any = None
    _spans: _Spans = field(factory=dict)

    def begin(self, source: Source) -> None:
        """Rows of a source follow."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._source = str(source)
        self._path = self.root / f"{len(self.files):06d}.arrows"
        self._raw = self._path.open("xb")
        self._stream = pa.ipc.new_stream(self._raw, SCHEMAS[self.kind])
        self._spans = {}

    def add(self, block: Block) -> None:
        """Keep rows; times of one source only go forward."""
        self._stream.write_batch(to_batch(self.kind, block))
        _widen(self._spans, block)
        if self.kind is Kind.BARS and (brief := block["span_ns"] < NS_PER_DAY).any():
            ends = block["ts_ns"][brief]
            self.short.update(np.unique(ends.astype("M8[ns]").astype("M8[Y]")).astype(str).tolist())

    def end(self) -> None:
        """No more rows of this source."""
        self.close()
        self.conids = {conid for _, conid in self._spans}
        for (day, conid), (first, last) in self._spans.items():
            self.days.add(day)
            self.ranges.setdefault((day, conid), []).append((first, last, self._source))
        if self._spans:
            first, last = min(low for low, _ in self._spans.values()), max(high for _, high in self._spans.values())
            self.files.append((first, last, Segment(kind=self.kind, file=DayFile("", 1, self._path))))

    def close(self) -> None:
        """Close the open segment, also after a failure."""
        if self._raw is not None:
            self._stream.close()
            self._raw.close()
            self._raw = None

    def lanes(self) -> list[list[Segment]]:
        """The segments as few sequences in time as can be, so that a year of daily files is one stream to merge."""
        lanes: list[tuple[int, list[Segment]]] = []
        for first, last, segment in sorted(self.files, key=lambda entry: entry[:2]):
            for at, (end, lane) in enumerate(lanes):
                if end <= first:
                    lanes[at] = (last, [*lane, segment])
                    break
            else:
                lanes.append((last, [segment]))
        return [lane for _, lane in lanes]


def _widen(spans: _Spans, block: Block) -> None:
    for day, part in by_day(block):
        for conid in np.unique(part["conid"]).tolist():
            times = part["ts_ns"][part["conid"] == conid]
            first = spans[day, conid][0] if (day, conid) in spans else int(times[0])
            spans[day, conid] = (first, int(times[-1]))


def assemble(out: Path, new: Path, stage: Stage, head: Head) -> list[str]:
    """Write the recording as it will be into `new`: touched days and years merged anew, all else linked."""
    files = day_files(out, stage.kind)
    years = {day[:4] for day in stage.days}
    yearly = _yearly(stage, years, files)
    touched = [file for file in files if file.day in stage.days or file.day in years]
    held, through = _held(stage.kind, touched)
    spans: _Spans = {}
    for block in _rows(held):
        _widen(spans, block)
    symbols = {one.conid: one.symbol for one in head.instruments}
    for (day, conid), ranges in stage.ranges.items():
        old = [(*spans[day, conid], str(out))] if (day, conid) in spans else []
        _no_overlap([*ranges, *old], symbols[conid], stage.kind, day)
    streams = ([_rows(held)] if held else []) + [_rows(lane) for lane in stage.lanes()]
    parts = (part for block in _in_order(streams) for part in by_day(block))
    for day, group in groupby(parts, key=lambda part: part[0][:4] if part[0][:4] in yearly else part[0]):
        path = day_path(new, stage.kind, day)
        write_day(path, stage.kind, (part for _, part in group), sealed_through=through.get(day, 0), durable=False)
    written = {file.path for file in touched}
    if out.is_dir():
        for path in sorted(out.rglob("*")):
            target = new / path.relative_to(out)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif path not in written and path.relative_to(out) != Path(HEAD_FILE):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(path, target)
                except OSError:  # a file system without links
                    shutil.copy2(path, target)
    write_head(new, head)
    if hasattr(os, "sync"):
        os.sync()  # once for all the days, before anything old is taken away
    return sorted(stage.days)


def _yearly(stage: Stage, years: set[str], files: list[DayFile]) -> set[str]:
    """The years that go into one file each: decades of daily bars in a file a day take seconds to open.

    Only where all of a year's bars are a day long or longer, and no day file is there: a year file and a day file must
    not cover the same time, since a reader takes them one after the other.
    """
    if stage.kind is not Kind.BARS:
        return set()
    return years - stage.short - {file.day[:4] for file in files if not file.of_year}


def _held(kind: Kind, files: list[DayFile]) -> tuple[list[Sealed | Segment], dict[str, int]]:
    """What the recording has of the touched days, and the highest segment number of each."""
    held: list[Sealed | Segment] = []
    sealed_through: dict[str, int] = {}
    through: dict[str, int] = {}
    for file in files:
        if not file.part:
            sealed = open_sealed(kind, file)
            sealed_through[file.day] = through[file.day] = sealed.sealed_through
            held.append(sealed)
        elif file.part > sealed_through.get(file.day, 0):
            through[file.day] = file.part
            held.append(open_segment(kind, file))
    return held, through


def _rows(sources: Sequence[Sealed | Segment]) -> Iterator[Block]:
    for source in sources:
        for _, block in source.blocks():
            yield block


def _in_order(streams: list[Iterator[Block]]) -> Iterator[Block]:
    for taken in merged(streams):
        blocks = [block for block in taken if block is not None]
        whole = join(blocks)
        if len(blocks) > 1:
            order = np.argsort(whole["ts_ns"], kind="stable")
            whole = {name: column[order] for name, column in whole.items()}
        yield whole


def _no_overlap(ranges: list[tuple[int, int, str]], symbol: str, kind: Kind, day: str) -> None:
    ordered = sorted(ranges)
    for (first, last, source), (then, end, other) in pairwise(ordered):
        if then < last or (first, last) == (then, end):
            raise RecordingError(f"has {kind} of {symbol} on {day} at times that {source} covers too", place=other)


def install(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; a crash between the two renames is mended by the next import."""
    aside = _aside(out)
    if out.exists():
        out.rename(aside)
    new.rename(out)
    sync_folder(out.parent)
    if aside.exists():
        shutil.rmtree(aside)


def recover(out: Path) -> None:
    aside = _aside(out)
    if aside.exists():
        if out.exists():
            shutil.rmtree(aside)  # the new one made it
        else:
            aside.rename(out)


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.before-import")
