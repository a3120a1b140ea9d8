"""The live market into a recording that `engine backtest` takes as it is. Rows wait here; a thread writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
import trio

from engine.domain.instrument import Instrument
from engine.domain.market import COLUMNS, ROW, Kind, MarketEvent
from engine.errors import InputError, RecordingError
from engine.recording.head import Head
from engine.recording.writer import RecordingWriter, write_head

EVERY_S: Final = 2.0  # on the wall: a crash costs this much
WAITING_MAX: Final = 500_000
_KIND_OF: Final = {row: kind for kind, row in ROW.items()}

log = structlog.get_logger()


class MarketKeeper:
    """Keeps every row that is heard, before anything is conflated. `lost` counts what a slow disk had no room for."""

    def __init__(self, root: Path, instruments: Sequence[Instrument], name: str) -> None:
        self._root = root
        self._head = Head(
            name=name,
            source="engine run",
            time_zone="UTC",
            licence="Market data of a live session: for its subscriber's own use.",
            instruments=tuple(sorted(instruments, key=lambda one: one.conid)),
        )
        self._waiting: list[MarketEvent] = []
        self._problem = ""
        self._last_ns: dict[Kind, int] = {}
        self.lost = 0
        self.kept = 0

    def hear(self, events: Sequence[MarketEvent]) -> None:
        """Rows have arrived, oldest first."""
        if len(self._waiting) + len(events) > WAITING_MAX:
            self.lost += len(events)
            return
        self._waiting += events

    async def run(self) -> None:
        """Write what waits, every so often, until cancelled; then the rest."""
        writer = await trio.to_thread.run_sync(self._open)
        try:
            while True:
                await trio.sleep(EVERY_S)
                await self._write(writer)
        finally:
            with trio.CancelScope(shield=True):
                await self._write(writer)
                try:
                    await trio.to_thread.run_sync(writer.close)
                except (RecordingError, OSError) as error:  # what was written stays, and is read without a seal
                    self._say(str(error), 0)

    def _open(self) -> RecordingWriter:
        try:
            write_head(self._root, self._head)
            return RecordingWriter(self._root)
        except OSError as error:
            raise InputError(f"can't be written: {error.strerror}", place=str(self._root)) from error

    async def _write(self, writer: RecordingWriter) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        try:
            await trio.to_thread.run_sync(self._append, writer, rows)
            self.kept += len(rows)
        except (RecordingError, OSError) as error:
            self.lost += len(rows)
            self._say(str(error), len(rows))

    def _say(self, problem: str, rows: int) -> None:
        """Once for each trouble: a disk may stay full for days."""
        if problem != self._problem:
            self._problem = problem
            log.warning("market_not_recorded", rows=rows, problem=problem)

    def _append(self, writer: RecordingWriter, rows: Sequence[MarketEvent]) -> None:
        by_kind: dict[Kind, list[tuple[Any, ...]]] = {}
        for row in rows:
            kind = _KIND_OF[type(row)]
            # Time never goes back in a recording, whatever a clock that was set anew may say.
            self._last_ns[kind] = max(self._last_ns.get(kind, 0), row.ts_ns)
            values = tuple(getattr(row, name) for name, _ in COLUMNS[kind])
            by_kind.setdefault(kind, []).append((self._last_ns[kind], *values[1:]))
        for kind, found in by_kind.items():
            columns = zip(*found, strict=True)
            block = {
                name: np.array(values, dtype) for (name, dtype), values in zip(COLUMNS[kind], columns, strict=True)
            }
            writer.append(kind, block)
        writer.flush()
