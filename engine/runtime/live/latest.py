"""The market as risk sees it, live: the newest row of each kind by instrument."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade


class LatestView:
    """The newest row of each kind by instrument: the market as risk sees it."""

    def __init__(self) -> None:
        self._quotes: dict[int, Quote] = {}
        self._trades: dict[int, Trade] = {}
        self._bars: dict[int, Bar] = {}
        self._status: dict[int, Status] = {}

    def hear(self, events: Sequence[MarketEvent]) -> None:
        """Rows have arrived, oldest first."""
        for event in events:
            if isinstance(event, Quote):
                self._quotes[event.conid] = event
            elif isinstance(event, Trade):
                self._trades[event.conid] = event
            elif isinstance(event, Bar):
                self._bars[event.conid] = event
            else:
                self._status[event.conid] = event

    def quote(self, conid: int) -> Quote | None:
        """The quote in force."""
        return self._quotes.get(conid)

    def trade(self, conid: int) -> Trade | None:
        """The last trade."""
        return self._trades.get(conid)

    def bar(self, conid: int) -> Bar | None:
        """The last recorded bar that has ended."""
        return self._bars.get(conid)

    def status(self, conid: int) -> Status | None:
        """The last change of status."""
        return self._status.get(conid)

    def price(self, conid: int) -> tuple[float, int] | None:
        """The price in force and when it was said: the quote's middle, or the last trade, or the last bar's close."""
        quote = self._quotes.get(conid)
        if quote is not None and quote.mid == quote.mid:
            return quote.mid, quote.ts_ns
        trade = self._trades.get(conid)
        if trade is not None and trade.price == trade.price:
            return trade.price, trade.ts_ns
        bar = self._bars.get(conid)
        return None if bar is None or bar.close != bar.close else (bar.close, bar.ts_ns)
