"""Reading a recording as a stream of chunks, memory flat: the hot path of a backtest with loading.

A chunk never depends on how it was cut: its rows joined with those of its neighbours are the one order
`(ts_ns, rank, seq)`, also where a cut falls between rows of one nanosecond.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from attrs import define, field

from engine.domain.columns import Chunk, Columns, merge
from engine.domain.instrument import Instrument
from engine.domain.market import RANK, Kind
from engine.errors import RecordingError
from engine.recording.adjusting import adjusted, split_steps
from engine.recording.blocks import Sealed, Segment, check, merged, open_sealed, open_segment
from engine.recording.events import CorporateActions, check_actions, read_actions
from engine.recording.head import Head, read_head
from engine.recording.layout import ACTIONS_FILE, HEAD_FILE, Block, cut, day_files, join, rows_of

# Smaller pieces (the day files of minute bars, the edges of a merge) are put together up to this many rows.
_PIECE_ROWS = 16_384
_BEGINNING_OF_TIME_NS = -(2**63)


@define(eq=False, slots=True)
class _Before:
    """The newest event of each instrument so far, by kind."""

    known: frozenset[int]
    last: dict[Kind, dict[int, Any]] = field(factory=lambda: {Kind.QUOTES: {}, Kind.TRADES: {}, Kind.BARS: {}})

    def fold(self, columns: Columns) -> None:
        """Take in a chunk's rows of one kind."""
        last = self.last.get(columns.kind)
        if last is None:
            return
        conids = columns["conid"]
        missing = set(self.known)
        stop, step = len(conids), 256
        while stop and missing:  # from the end, since each instrument's newest row mostly stands there
            start = max(0, stop - step)
            newest = dict(zip(conids[start:stop].tolist(), range(start, stop), strict=True))
            for conid in missing & newest.keys():
                last[conid] = columns.event(newest[conid])
            missing -= newest.keys()
            stop, step = start, step * 4


@define(eq=False)
class Recording:
    """An opened recording: head, instruments and what its files hold; nothing of it is in memory but footers.

    `read_s` is the time spent reading so far, in seconds, including the opening.
    """

    path: Path
    head: Head
    actions: CorporateActions
    files: dict[Kind, tuple[Sealed | Segment, ...]]
    instruments: dict[int, Instrument]
    rows: dict[Kind, int]
    read_s: float = 0.0

    def span(self) -> tuple[int, int]:
        """First and last time, from the files' statistics.

        Raises: RecordingError if there are no rows.
        """
        spans = [span for files in self.files.values() for file in files for span in file.spans if span[0] <= span[1]]
        if not spans:
            raise RecordingError("holds no rows", place=str(self.path))
        return min(low for low, _ in spans), max(high for _, high in spans)

    def digest(self) -> str:
        """SHA-256 in hex over name, length and bytes of every file of the recording, in name order."""
        paths = [self.path / name for name in (HEAD_FILE, ACTIONS_FILE) if (self.path / name).is_file()]
        paths += [file.file.path for files in self.files.values() for file in files]
        whole = hashlib.sha256()
        for name, path in sorted((path.relative_to(self.path).as_posix(), path) for path in paths):
            whole.update(f"{name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as raw:
                whole.update(hashlib.file_digest(raw, "sha256").digest())
        return whole.hexdigest()

    def chunks(
        self,
        *,
        chunk_rows: int = 65_536,
        start_ns: int | None = None,
        end_ns: int | None = None,
        conids: frozenset[int] | None = None,
        kinds: frozenset[Kind] | None = None,
        adjust: bool = False,
    ) -> Iterator[Chunk]:
        """Stream the rows of `[start_ns, end_ns)` as chunks of at most `chunk_rows` rows, in order.

        `adjust` puts prices and sizes before a split into the units after it; left out, rows are as traded.
        What came before `start_ns` is not seen, not even as `quotes_before` of the first chunk.

        Raises: RecordingError with file and row where a file breaks the format's promises; ValueError for a
            `chunk_rows` below 1.
        """
        if chunk_rows < 1:
            raise ValueError(f"a chunk needs at least one row, not {chunk_rows}")
        chunks = self._chunks(chunk_rows, start_ns, end_ns, conids, kinds, adjust)
        while True:
            began = perf_counter()
            chunk = next(chunks, None)
            self.read_s += perf_counter() - began
            if chunk is None:
                return
            yield chunk

    def blocks(
        self,
        kind: Kind,
        start_ns: int | None = None,
        end_ns: int | None = None,
        conids: frozenset[int] | None = None,
        adjust: bool = False,
    ) -> Iterator[Block]:
        """Checked blocks of one kind, as the files have them, cut to the wanted times and instruments."""
        known = tuple(self.instruments.values())
        steps = split_steps(self.actions, self.head.time_zone) if adjust else ()
        alone = conids is None or conids >= self.instruments.keys()
        last_ns = _BEGINNING_OF_TIME_NS
        for source in self.files.get(kind, ()):
            if not any(
                (start_ns is None or high >= start_ns) and (end_ns is None or low < end_ns)
                for low, high in source.spans
            ):
                continue
            for first, block in source.blocks(start_ns, end_ns):
                check(kind, block, first, source.file.path, known, last_ns)
                times = block["ts_ns"]
                last_ns = int(times[-1])
                low = 0 if start_ns is None else int(np.searchsorted(times, start_ns, side="left"))
                high = len(times) if end_ns is None else int(np.searchsorted(times, end_ns, side="left"))
                if low or high < len(times):
                    block = cut(block, low, high)
                if not alone and conids is not None:
                    wanted = np.isin(block["conid"], sorted(conids))
                    block = {name: column[wanted] for name, column in block.items()}
                if rows_of(block):
                    yield adjusted(kind, block, steps) if steps else block

    def _chunks(
        self,
        chunk_rows: int,
        start_ns: int | None,
        end_ns: int | None,
        conids: frozenset[int] | None,
        kinds: frozenset[Kind] | None,
        adjust: bool,
    ) -> Iterator[Chunk]:
        order = sorted((kind for kind in self.files if kinds is None or kind in kinds), key=lambda kind: RANK[kind])
        least = min(chunk_rows, _PIECE_ROWS)
        streams = [pieces(self.blocks(kind, start_ns, end_ns, conids, adjust), least) for kind in order]
        before = _Before(frozenset(self.instruments) if conids is None else conids & self.instruments.keys())
        waiting: list[list[Block | None]] = []
        rows = 0
        for taken in merged(streams) if streams else ():
            waiting.append(taken)
            rows += sum(rows_of(block) for block in taken if block is not None)
            if rows >= least:
                yield from self._cut(order, waiting, chunk_rows, before)
                waiting, rows = [], 0
        if waiting:
            yield from self._cut(order, waiting, chunk_rows, before)

    def _cut(
        self, order: list[Kind], waiting: list[list[Block | None]], chunk_rows: int, before: _Before
    ) -> Iterator[Chunk]:
        parts = {}
        for i, kind in enumerate(order):
            blocks = [block for taken in waiting if (block := taken[i]) is not None]
            if blocks:
                parts[kind] = join(blocks)
        whole = merge(parts)
        for start in range(0, whole.size, chunk_rows):
            stop = min(start + chunk_rows, whole.size)
            kinds: dict[Kind, Columns] = {}
            for kind, columns in whole.kinds.items():
                low, high = columns.first_from(start), columns.first_from(stop)
                if low == high:
                    continue
                at = None if columns.at is None or high - low == stop - start else columns.at[low:high] - start
                kinds[kind] = Columns(kind, cut(columns.data, low, high), at)
            yield Chunk(
                ts_ns=whole.ts_ns[start:stop],
                kinds=kinds,
                quotes_before=_copy(before, Kind.QUOTES),
                trades_before=_copy(before, Kind.TRADES),
                bars_before=_copy(before, Kind.BARS),
            )
            for columns in kinds.values():
                before.fold(columns)


def open_recording(path: Path, problems: list[str] | None = None) -> Recording:
    """Open a recording: read its TOML files, and the footers of its day files.

    Args:
        problems: Takes the sentences on files that can't be opened; those are then left out.

    Raises: RecordingError with file and place; with `problems` only if there is no sound `recording.toml`.
    """
    began = perf_counter()
    head = read_head(path)
    instruments = {instrument.conid: instrument for instrument in head.instruments}
    actions = CorporateActions()
    with _told(problems):
        found = read_actions(path)
        check_actions(found, instruments, path)
        actions = found
    files: dict[Kind, tuple[Sealed | Segment, ...]] = {}
    for kind in Kind:
        opened: list[Sealed | Segment] = []
        through: dict[str, int] = {}
        for file in day_files(path, kind, problems):
            with _told(problems):
                if not file.part:
                    sealed = open_sealed(kind, file)
                    through[file.day] = sealed.sealed_through
                    opened.append(sealed)
                elif file.part > through.get(file.day, 0):
                    opened.append(open_segment(kind, file))
        if opened:
            files[kind] = tuple(opened)
    return Recording(
        path=path,
        head=head,
        actions=actions,
        files=files,
        instruments=instruments,
        rows={kind: sum(file.rows for file in opened) for kind, opened in files.items()},
        read_s=perf_counter() - began,
    )


@contextmanager
def _told(problems: list[str] | None) -> Iterator[None]:
    try:
        yield
    except RecordingError as exc:
        if problems is None:
            raise
        problems.append(str(exc))


def pieces(blocks: Iterator[Block], least: int) -> Iterator[Block]:
    """Put small blocks together until they have at least `least` rows; larger ones pass as they are."""
    waiting: list[Block] = []
    rows = 0
    for block in blocks:
        waiting.append(block)
        rows += rows_of(block)
        if rows >= least:
            yield join(waiting)
            waiting, rows = [], 0
    if waiting:
        yield join(waiting)


def _copy(before: _Before, kind: Kind) -> dict[int, Any]:
    return dict(before.last[kind])
