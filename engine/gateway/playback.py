"""A recording as the gateway's market: its rows in their order, cut at New York's midnights; quiet after its end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import numpy as np

from engine.domain.columns import Chunk, merge
from engine.domain.market import COLUMNS, Kind
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY, NS_PER_MINUTE
from engine.domain.sessions import Sessions
from engine.gateway import contracts as listing
from engine.gateway.board import Board, Figures
from engine.gateway.hours import Hours, next_day_ns
from engine.gateway.quoting import Block
from engine.gateway.records import Contract
from engine.recording.reader import Recording

_CHUNK_ROWS: Final = 8_192
_BACK_NS: Final = 10 * NS_PER_DAY  # how far before a time rows are read for what is known then
_NOTHING: Final = Chunk(ts_ns=np.empty(0, np.int64), kinds={})


def first_session_ns(recording: Recording) -> int:
    """The open of the first session that has rows, or the first row where that is later."""
    first, _ = recording.span()
    hours = Hours(first)
    opens = []
    for instrument in recording.instruments.values():
        sessions = hours.sessions(instrument.calendar)
        session = sessions.session_at(first)
        opens.append(first if sessions.always else sessions.next_open_ns(first) if session is None else session[0])
    return max(first, min(opens))


class RecordedMarket:
    """A recording, played from any time on."""

    def __init__(self, recording: Recording, hours: Hours, start_ns: int) -> None:
        self.start_ns = start_ns
        self._recording = recording
        self._hours = hours
        self.begins_ns, self._last_ns = recording.span()
        self._contracts = {conid: listing.listed(instrument) for conid, instrument in recording.instruments.items()}
        self._chunks: Iterator[Chunk] = iter(())
        self._next: Chunk | None = None
        self._rest = _NOTHING
        self._rates: dict[tuple[int, int], float] = {}

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """The recording's instruments."""
        return self._contracts

    def open(self, now_ns: int) -> Mapping[int, Figures]:
        """Begin at a time: what the rows of the days before it say."""
        board = Board(lambda conid: self._hours.sessions(self._contracts[conid].instrument.calendar))
        self._chunks = self._cut(max(self.begins_ns, now_ns - _BACK_NS))
        self._next = next(self._chunks, None)
        self._rest = _NOTHING
        midnight = next_day_ns(max(self.begins_ns, now_ns - _BACK_NS))
        while self._next is not None and self._next.times[0] <= now_ns:
            chunk, self._next = self._next, next(self._chunks, None)
            while chunk.times[0] >= midnight:
                board.roll()
                midnight = next_day_ns(midnight)
            board.begin(chunk)
            board.row = int(chunk.ts_ns.searchsorted(now_ns, side="right"))
            self._rest = part(chunk, board.row, chunk.size)
        board.fold()
        while midnight <= now_ns:
            board.roll()
            midnight = next_day_ns(midnight)
        return {conid: board.figures.get(conid) or Figures() for conid in self._contracts}

    def _cut(self, start_ns: int) -> Iterator[Chunk]:
        """Chunks from a time on, none of which crosses a midnight."""
        midnight = next_day_ns(start_ns)
        for chunk in self._recording.chunks(chunk_rows=_CHUNK_ROWS, start_ns=start_ns):
            row = 0
            while row < chunk.size:
                if chunk.times[row] >= midnight:
                    midnight = next_day_ns(chunk.times[row])
                stop = int(chunk.ts_ns.searchsorted(midnight))
                yield chunk if row == 0 and stop == chunk.size else part(chunk, row, stop)
                row = stop

    def take(self, until_ns: int) -> Chunk | None:
        """The next chunk, if its first row comes by a time."""
        chunk = self._next
        if chunk is None or chunk.times[0] > until_ns:
            return None
        self._next = next(self._chunks, None)
        return chunk

    def peek_ns(self) -> int:
        """When the next chunk's first row comes."""
        return END_OF_TIME_NS if self._next is None else self._next.times[0]

    def rest(self, now_ns: int) -> Chunk:
        """The rows in hand after `open`; nothing wakes later."""
        del now_ns
        return self._rest

    def wake(self, conid: int, now_ns: int) -> Figures | None:
        """All that is recorded is always played."""
        del conid, now_ns
        return None

    def sleep(self, conid: int) -> None:
        """All that is recorded is always played."""

    def roll(self, now_ns: int, held: Collection[int]) -> None:
        """Nothing new is listed."""

    def extend(self, sessions: Mapping[str, Sessions]) -> None:
        """Sessions are asked for when they are needed."""

    def rate(self, pair: int, now_ns: int) -> float:
        """The last middle or trade of a recorded pair, as of the minute's beginning; NaN if there is none that day."""
        if pair not in self._contracts:
            return float("nan")
        minute = now_ns // NS_PER_MINUTE
        if (pair, minute) not in self._rates:
            self._rates = {(pair, minute): self._rate(pair, minute * NS_PER_MINUTE)}
        return self._rates[pair, minute]

    def _rate(self, pair: int, now_ns: int) -> float:
        quotes, trades, bars = self.ticks(pair, now_ns - NS_PER_DAY, now_ns + 1)
        if len(quotes["ts_ns"]):
            return float(quotes["bid"][-1] + quotes["ask"][-1]) * 0.5
        for block, name in ((trades, "price"), (bars, "close")):
            if len(block["ts_ns"]):
                return float(block[name][-1])
        return float("nan")

    def ticks(self, conid: int, start_ns: int, end_ns: int) -> tuple[Block, Block, Block]:
        """Recorded quotes, trades and bars of a contract in [start, end)."""
        found: list[Block] = []
        for kind in (Kind.QUOTES, Kind.TRADES, Kind.BARS):
            blocks = list(self._recording.blocks(kind, start_ns, end_ns, frozenset({conid})))
            found.append(
                {
                    name: np.concatenate([block[name] for block in blocks]) if blocks else np.empty(0, dtype)
                    for name, dtype in COLUMNS[kind]
                }
            )
        return found[0], found[1], found[2]


def part(chunk: Chunk, start: int, stop: int) -> Chunk:
    """The rows [start, stop) of a chunk, as a chunk that does not know what was before."""
    kinds: dict[Kind, Block] = {}
    for kind, columns in chunk.kinds.items():
        low, high = columns.first_from(start), columns.first_from(stop)
        kinds[kind] = {name: column[low:high] for name, column in columns.data.items()}
    return merge(kinds)
