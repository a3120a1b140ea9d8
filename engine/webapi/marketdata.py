"""Live market data: `ports.MarketData` on the stream's quotes, with the snapshot that opens each line before it.

Where nobody takes rows for long they are conflated and counted. What a loss of the link or a silent stream has kept
from us is filled with one-minute bars from history, so that nobody is blind to what happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
import trio
from msgspec.structs import replace

from engine.domain.brokerage import Availability
from engine.domain.conflating import Conflator
from engine.domain.depth import Depth
from engine.domain.instrument import Instrument, SecType
from engine.domain.market import Bar, MarketEvent
from engine.errors import VenueError
from engine.ports import Clock
from engine.webapi.budgets import SECOND
from engine.webapi.conidex import conidex
from engine.webapi.endpoints.marketdata import MarketData as Endpoints
from engine.webapi.facts.market import SnapshotRow
from engine.webapi.periods import BARS_MAX, MINUTE, bars_of, pages_max, period_for, word_of
from engine.webapi.stream import frames
from engine.webapi.stream.books import book
from engine.webapi.stream.histories import Histories
from engine.webapi.stream.quotes import BORROW_FEE, DELTA, FIELDS, SHORTABLE, VEGA, Quotes
from engine.webapi.stream.registry import Registry

_BESIDES: Final = {
    SecType.STOCK: (SHORTABLE, BORROW_FEE),
    SecType.OPTION: (DELTA, VEGA),
    SecType.FUTURE_OPTION: (DELTA, VEGA),
}
GAP_S: Final = 90.0  # a shorter silence is not worth a request
GAP_TRIES: Final = 3
GAP_AGAIN_S: Final = 20.0

log = structlog.get_logger()


class WebMarketData:
    """Quotes, sampled trades, halts, books and availability of what was subscribed to.

    Args:
        account: Whose right to see books is used.
        histories: Past bars over the socket; what fails there is asked for by REST.
        send: Sends messages over the socket; without a link they go nowhere.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        registry: Registry,
        clock: Clock,
        *,
        account: str,
        histories: Histories,
        send: Callable[[list[str]], Awaitable[None]],
    ) -> None:
        self.quotes = Quotes()
        self._endpoints = endpoints
        self._registry = registry
        self._clock = clock
        self._account = account
        self._histories = histories
        self._send = send
        self._waiting = Conflator()
        self._available: list[Availability] = []
        self._books: dict[int, Depth] = {}
        self._folded_books = 0
        self._filled = trio.Event()
        self._relay: Callable[[Sequence[MarketEvent | Availability | Depth]], bool] | None = None
        self._instruments: dict[int, Instrument] = {}
        self._conids: dict[str, int] = {}  # by line
        self._deep: set[int] = set()
        self._gaps: dict[int, int] = {}  # conids whose data broke off, and when
        self._wanted = trio.Event()  # there are gaps to be filled

    # --- the port -----------------------------------------------------------------------------------------------

    async def subscribe(self, instruments: Sequence[Instrument]) -> None:
        """Want these from now on, through every loss of the session.

        Raises: NoCombo for a combo that the Web API can't name.
        """
        lines = {line_of(one): one for one in instruments if one.conid not in self._instruments}
        names = list(lines)
        for name, one in lines.items():
            self._endpoints.fields.want([name], FIELDS + _BESIDES.get(one.sec_type, ()))
        self._instruments.update((one.conid, one) for one in lines.values())
        self._conids.update((name, one.conid) for name, one in lines.items())
        if self._registry.is_connected:
            await self.open_lines(names)
        # Only now, so that a line is not subscribed twice by a connection that came meanwhile.
        await self._send(self._registry.want_quotes(names, self._clock.now_ns()))

    async def subscribe_depth(self, instruments: Sequence[Instrument]) -> None:
        """Want the books of these, too."""
        for one in instruments:
            if one.conid not in self._deep:
                self._deep.add(one.conid)
                name = f"sbd+{self._account}+{one.conid}"
                await self._send(self._registry.want(name, name, f"ubd+{self._account}"))

    async def news(self) -> Sequence[MarketEvent | Availability | Depth]:
        """Wait until there is something, and take all of it, oldest first."""
        while not (len(self._waiting) or self._available or self._books):
            self._filled = trio.Event()
            await self._filled.wait()
        available, self._available = self._available, []
        books, self._books = self._books, {}
        return (*available, *self._waiting.take(), *books.values())

    def relay(self, take: Callable[[Sequence[MarketEvent | Availability | Depth]], bool]) -> None:
        """Offer rows to `take` as they come, while nothing waits; what it does not take waits for `news`."""
        self._relay = take

    @property
    def conflated(self) -> int:
        """How many rows were folded into later ones because nobody took them."""
        return self._waiting.folded + self._folded_books

    def silent_s(self, conid: int) -> float | None:
        """Seconds of the venue's clock since data of an instrument last came; None before the first."""
        last_ns = self.quotes.last_ns(conid)
        return None if last_ns is None else (self._clock.now_ns() - last_ns) / SECOND

    async def bars(self, instrument: Instrument, *, start_ns: int, end_ns: int, span_ns: int) -> Sequence[Bar]:
        """Past bars whose end lies in (start, end] and in the past, oldest first.

        Raises: ValueError for a length the venue does not make; VenueError.
        """
        word = word_of(span_ns)
        now_ns = self._clock.now_ns()
        found: dict[int, Bar] = {}
        until_ns = min(end_ns, now_ns)
        for _ in range(pages_max(until_ns - start_ns, span_ns)):
            if until_ns <= start_ns:
                break
            page = await self._endpoints.history(
                instrument.conid, period=period_for(until_ns - start_ns, span_ns), bar=word, start_ns=until_ns
            )
            begun = [bar.start_ns for bar in page.bars]
            for bar in bars_of(page, instrument.conid, span_ns):
                if start_ns < bar.ts_ns <= min(end_ns, now_ns):
                    found[bar.ts_ns] = bar
            # A night or a weekend has no bars: the next page lies behind it.
            passed_ns = until_ns - min(until_ns - start_ns, BARS_MAX * span_ns)
            until_ns = min([passed_ns, *begun]) if begun else passed_ns
        return [found[end] for end in sorted(found)]

    # --- the session's side -------------------------------------------------------------------------------------

    async def open_lines(self, names: Sequence[str]) -> None:
        """Ask for a snapshot of each line first: some streams stay silent without it. What fails here is no loss."""
        try:
            taken = await self._endpoints.snapshot(names, FIELDS, tries=1)
        except VenueError as error:
            log.warning("snapshot_failed", problem=str(error))
            return
        for name, row in taken.rows.items():
            self._take(name, row, self._clock.now_ns())

    async def reopen(self) -> None:
        """A new connection is about to subscribe: every line anew."""
        for conid in self._instruments:
            self.quotes.restart(conid)
            last_ns = self.quotes.last_ns(conid)
            if last_ns is not None:
                self._gap(conid, last_ns)
        if self._conids:
            await self.open_lines(list(self._conids))

    def _gap(self, conid: int, since_ns: int) -> None:
        if self._clock.now_ns() - since_ns >= GAP_S * SECOND and not self._instruments[conid].legs:
            self._gaps.setdefault(conid, since_ns)

    def subscribed(self) -> None:
        """The stream runs again: what was missed can be asked for."""
        if self._gaps:
            self._wanted.set()

    def lost(self) -> None:
        """The link is gone: what was told of availability does not hold any more."""
        self._histories.lost()
        now_ns = self._clock.now_ns()
        for conid in self._instruments:
            self.quotes.lost(conid)
            self._available.append(Availability(conid=conid, ts_ns=now_ns, live=False))
        self._filled.set()

    async def run(self) -> None:
        """Fill gaps until cancelled; what fails is tried again a few times."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            gaps, self._gaps = self._gaps, {}
            for attempt in range(GAP_TRIES):
                if attempt:
                    await self._clock.sleep(GAP_AGAIN_S)
                gaps = {conid: since_ns for conid, since_ns in gaps.items() if not await self._fill(conid, since_ns)}
                if not gaps:
                    break
            for conid in gaps:
                log.warning("gap_not_filled", conid=conid)

    async def _fill(self, conid: int, since_ns: int) -> bool:
        now_ns = self._clock.now_ns()
        start_ns = max(since_ns, now_ns - BARS_MAX * MINUTE)
        try:
            bars = await self._missed(self._instruments[conid], start_ns, now_ns)
        except VenueError as error:
            log.warning("history_failed", conid=conid, problem=str(error))
            return False
        log.info("gap_filled", conid=conid, bars=len(bars), missing_s=(now_ns - since_ns) / SECOND)
        self._push(bars)
        return True

    async def _missed(self, instrument: Instrument, start_ns: int, now_ns: int) -> Sequence[Bar]:
        """One-minute bars from a moment on: over the socket, which costs no request, else by REST."""
        try:
            page = await self._histories.ask(
                str(instrument.conid), period=period_for(now_ns - start_ns, MINUTE), bar=word_of(MINUTE), bar_s=60
            )
        except VenueError as error:
            log.info("stream_history_failed", conid=instrument.conid, problem=str(error))
            return await self.bars(instrument, start_ns=start_ns, end_ns=now_ns, span_ns=MINUTE)
        return [bar for bar in bars_of(page, instrument.conid, MINUTE) if start_ns < bar.ts_ns <= now_ns]

    def on_frame(self, frame: frames.Said, at_ns: int) -> str | None:
        """Take market data frames; return a message to send, if one has to be."""
        match frame:
            case frames.Market(row=row, name=name):
                if not row.cold:
                    self._proved(name, row, at_ns)
                self._take(name, row, at_ns)
            case frames.Depth(conid=conid) if conid in self._deep:
                self._folded_books += conid in self._books
                self._books[conid] = book(frame, at_ns)
                self._filled.set()
            case _:
                pass
        return self._histories.on_frame(frame)

    def _proved(self, name: str, row: SnapshotRow, at_ns: int) -> None:
        """A stream has brought data; one that had been silent has left a gap."""
        line = name if name in self._conids else str(row.conid)
        since_ns = self._registry.quoted(line, at_ns)
        if since_ns is not None and line in self._conids:
            self._gap(self._conids[line], since_ns)
            self.subscribed()

    def _take(self, name: str, row: SnapshotRow, at_ns: int) -> None:
        conid = self._conids.get(name, row.conid)
        if conid not in self._instruments:
            return
        events: list[MarketEvent] = []
        for one in self.quotes.hear(row if row.conid == conid else replace(row, conid=conid), at_ns):
            if isinstance(one, Availability):
                self._available.append(one)
                self._filled.set()
            else:
                events.append(one)
        self._push(events)

    def _push(self, events: Sequence[MarketEvent]) -> None:
        if not events:
            return
        if self._relay is None or len(self._waiting) or self._available or self._books or not self._relay(events):
            self._waiting.add(events)
            self._filled.set()


def line_of(instrument: Instrument) -> str:
    """How an instrument's quotes are asked for: its conid, or a combo's composition.

    Raises: NoCombo.
    """
    return conidex(instrument) if instrument.legs else str(instrument.conid)
