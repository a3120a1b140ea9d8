"""Live market data: `ports.MarketData` on the stream's quotes, with the snapshot that opens each line before it.

Where nobody takes rows for long they are conflated and counted. After a loss of the link the gap is filled with
one-minute bars from history, so that nobody is blind to what happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
import trio

from engine.domain.brokerage import Availability
from engine.domain.conflating import Conflator
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, MarketEvent
from engine.errors import VenueError
from engine.ports import Clock
from engine.webapi.budgets import SECOND
from engine.webapi.endpoints.marketdata import MarketData as Endpoints
from engine.webapi.facts.market import SnapshotRow
from engine.webapi.stream import frames
from engine.webapi.stream.quotes import FIELDS, Quotes
from engine.webapi.stream.registry import Registry

GAP_S: Final = 90.0  # a shorter silence is not worth a request
BARS_MAX: Final = 1_000  # of one answer
_MINUTE: Final = 60 * SECOND
_DAY: Final = 86_400 * SECOND
# Bars the venue makes: seconds -> its word.
_WORDS: Final = {
    60: "1min",
    120: "2min",
    180: "3min",
    300: "5min",
    600: "10min",
    900: "15min",
    1_800: "30min",
    3_600: "1h",
    7_200: "2h",
    10_800: "3h",
    14_400: "4h",
    28_800: "8h",
    86_400: "1d",
}

log = structlog.get_logger()


class WebMarketData:
    """Quotes, sampled trades, halts and availability of what was subscribed to.

    Args:
        send: Sends messages over the socket; without a link they go nowhere.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        registry: Registry,
        clock: Clock,
        *,
        send: Callable[[list[str]], Awaitable[None]],
    ) -> None:
        self.quotes = Quotes()
        self._endpoints = endpoints
        self._registry = registry
        self._clock = clock
        self._send = send
        self._waiting = Conflator()
        self._available: list[Availability] = []
        self._filled = trio.Event()
        self._instruments: dict[int, Instrument] = {}
        self._gaps: dict[int, int] = {}  # conids whose data broke off, and when

    # --- the port -----------------------------------------------------------------------------------------------

    async def subscribe(self, instruments: Sequence[Instrument]) -> None:
        """Want these from now on, through every loss of the session."""
        new = [one for one in instruments if one.conid not in self._instruments]
        self._instruments.update((one.conid, one) for one in new)
        names = [str(one.conid) for one in new]
        self._endpoints.fields.want(names, FIELDS)
        messages = self._registry.want_quotes(names, self._clock.now_ns())
        if messages:
            await self.open_lines(names)
            await self._send(messages)

    async def news(self) -> Sequence[MarketEvent | Availability]:
        """Wait until there is something, and take all of it, oldest first."""
        while not len(self._waiting) and not self._available:
            self._filled = trio.Event()
            await self._filled.wait()
        available, self._available = self._available, []
        return (*available, *self._waiting.take())

    @property
    def conflated(self) -> int:
        """How many rows were folded into later ones because nobody took them."""
        return self._waiting.folded

    def silent_s(self, conid: int) -> float | None:
        """Seconds of the venue's clock since data of an instrument last came; None before the first."""
        last_ns = self.quotes.last_ns(conid)
        return None if last_ns is None else (self._clock.now_ns() - last_ns) / SECOND

    async def bars(self, instrument: Instrument, *, start_ns: int, end_ns: int, span_ns: int) -> Sequence[Bar]:
        """Past bars whose end lies in (start, end].

        Raises: ValueError for a length the venue does not make; VenueError.
        """
        word = _WORDS.get(span_ns // SECOND) if span_ns % SECOND == 0 else None
        if word is None:
            raise ValueError(f"the venue makes no bars of {span_ns / SECOND:g} s")
        found: dict[int, Bar] = {}
        until_ns = end_ns
        now_ns = self._clock.now_ns()
        while until_ns > start_ns:
            history = await self._endpoints.history(
                instrument.conid, period=period_for(until_ns - start_ns, span_ns), bar=word, start_ns=until_ns
            )
            ends = []
            for bar in history.bars:
                closed_ns = bar.start_ns + span_ns
                ends.append(closed_ns)
                if start_ns < closed_ns <= end_ns and closed_ns <= now_ns:
                    volume = float("nan") if bar.volume is None else bar.volume
                    found[closed_ns] = Bar(
                        closed_ns, instrument.conid, span_ns, bar.open, bar.high, bar.low, bar.close, volume
                    )
            earliest = min(ends, default=start_ns)
            if len(ends) < BARS_MAX or earliest - span_ns >= until_ns:
                break
            until_ns = earliest - span_ns
        return [found[end] for end in sorted(found)]

    # --- the session's side -------------------------------------------------------------------------------------

    async def open_lines(self, names: Sequence[str]) -> None:
        """Ask for a snapshot of each line first: some streams stay silent without it. What fails here is no loss."""
        try:
            taken = await self._endpoints.snapshot(names, FIELDS, tries=1)
        except VenueError as error:
            log.warning("snapshot_failed", problem=str(error))
            return
        for row in taken.rows.values():
            self._take(row, self._clock.now_ns())

    async def reopen(self) -> None:
        """A new connection is about to subscribe: every line anew."""
        for conid in self._instruments:
            self.quotes.restart(conid)
            last_ns = self.quotes.last_ns(conid)
            if last_ns is not None:
                self._gaps.setdefault(conid, last_ns)
        if self._instruments:
            await self.open_lines([str(conid) for conid in self._instruments])

    async def fill_gaps(self) -> None:
        """Bars of one minute for what was missed while the link was away."""
        gaps, self._gaps = self._gaps, {}
        now_ns = self._clock.now_ns()
        for conid, since_ns in gaps.items():
            if now_ns - since_ns < GAP_S * SECOND:
                continue
            start_ns = max(since_ns, now_ns - BARS_MAX * _MINUTE)
            try:
                bars = await self.bars(self._instruments[conid], start_ns=start_ns, end_ns=now_ns, span_ns=_MINUTE)
            except VenueError as error:
                log.warning("gap_not_filled", conid=conid, problem=str(error))
                continue
            log.info("gap_filled", conid=conid, bars=len(bars), missing_s=(now_ns - since_ns) / SECOND)
            self._push(bars)

    def on_frame(self, frame: frames.Said, at_ns: int) -> None:
        """Take market data frames."""
        if isinstance(frame, frames.Market) and frame.row.conid in self._instruments:
            self._take(frame.row, at_ns)

    def _take(self, row: SnapshotRow, at_ns: int) -> None:
        events: list[MarketEvent] = []
        for one in self.quotes.hear(row, at_ns):
            if isinstance(one, Availability):
                self._available.append(one)
                self._filled.set()
            else:
                events.append(one)
        self._push(events)

    def _push(self, events: Sequence[MarketEvent]) -> None:
        if events:
            self._waiting.add(events)
            self._filled.set()


def period_for(length_ns: int, span_ns: int) -> str:
    """The shortest period of the venue's that covers a length, and not more bars than one answer holds."""
    length_ns = min(length_ns, BARS_MAX * span_ns)
    minutes = -(-length_ns // _MINUTE)
    if minutes <= 30:
        return f"{max(1, minutes)}min"
    hours = -(-length_ns // (60 * _MINUTE))
    if hours <= 8:
        return f"{hours}h"
    return f"{min(1_000, -(-length_ns // _DAY))}d"
