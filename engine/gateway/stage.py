"""The market on stage: the chunk that is being played, what it shows, and which contracts are played at all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from engine.domain.columns import Chunk
from engine.domain.facts import Answer
from engine.domain.moments import END_OF_TIME_NS, NS_PER_MINUTE
from engine.domain.sessions import Sessions
from engine.gateway.board import Board, Figures
from engine.gateway.market import MarketFeed
from engine.gateway.records import Contract, News, QuoteNews, Top
from engine.gateway.tops import combined, mark
from engine.venue.live import LiveVenue

_DOZE_NS: Final = 15 * NS_PER_MINUTE  # a derivative that nobody asks for is played so long


class Stage:
    """Plays a market's rows to the venue and to the board.

    `now_ns` is the moment it has come to; whoever drives it moves it on. A contract that nobody has asked for is not
    played; asking for its top wakes it.
    """

    def __init__(
        self,
        market: MarketFeed,
        venue: LiveVenue,
        contracts: Mapping[int, Contract],
        sessions: Callable[[int], Sessions],
        now_ns: int,
    ) -> None:
        self.now_ns = now_ns
        self.woke = False  # something woke that is not among the rows to come yet
        self._market = market
        self._venue = venue
        self._contracts = contracts
        self._board = Board(sessions)
        self._board.figures = dict(market.open(now_ns))
        self._awake: dict[int, int] = dict.fromkeys(self._board.figures, END_OF_TIME_NS)  # when last asked for
        self._combos: dict[int, tuple[int, ...]] = {}  # those that somebody looks at, with their legs
        self._tops: dict[int, Top | None] = {}
        self._row = self._size = 0
        self._times: Sequence[int] = []
        self._who: list[int] = []
        self._moved: dict[int, int] = {}
        self._begin(market.rest(now_ns))

    # Rows

    def next_ns(self) -> int:
        """When the next row may come."""
        return self._times[self._row] if self._row < self._size else self._market.peek_ns()

    def play(self, horizon_ns: int) -> list[Answer] | None:
        """Play rows before a time; stop after the first that brings answers.

        Returns: The answers; none if rows (or a chunk of them) were played quietly; None if there are none to play.
        """
        row = self._row
        stop = bisect_left(self._times, horizon_ns, row)
        if stop > row:
            hit = self._venue.scan(row, stop)
            self._move(hit)
            self._venue.settle(hit)
            if hit == stop:
                return []
            self.now_ns = self._times[hit]
            answers = self._venue.take_row(hit)
            self._move(hit + 1)
            return answers
        if row < self._size or self._market.peek_ns() >= horizon_ns:
            return None
        chunk = self._market.take(horizon_ns - 1)
        if chunk is not None:
            self._begin(chunk)
        return []

    def take_due(self, due_ns: int) -> list[Answer]:
        """Let the venue do what is due, with the rows played so far."""
        self._venue.settle(self._row)
        return self._venue.take_due(due_ns, self._row)

    def deal(self) -> None:
        """Put what woke among the rows to come."""
        self.woke = False
        chunk = self._market.rest(self.now_ns)
        self._board.begin(chunk)
        self._venue.deal(chunk, self._row)
        self._lay_out(chunk)

    def forget_tops(self) -> None:
        """Time has gone on: whether a market is open has to be looked at again."""
        self._tops.clear()

    def _begin(self, chunk: Chunk) -> None:
        self._board.begin(chunk)
        self._venue.begin(chunk)
        self._lay_out(chunk)

    def _lay_out(self, chunk: Chunk) -> None:
        self._times, self._size, self._row = chunk.times, chunk.size, 0
        who = np.empty(chunk.size, np.int64)
        for columns in chunk.kinds.values():
            if columns.at is None:
                who = columns["conid"]
            else:
                who[columns.at] = columns["conid"]
        self._who = who.tolist()

    def _move(self, row: int) -> None:
        """Rows before `row` are known."""
        start = self._row
        if row == start:
            return
        self._row = self._board.row = row
        self._tops.clear()
        times, who, moved = self._times, self._who, self._moved
        for at in range(start, row):
            moved[who[at]] = times[at]

    def quote_news(self) -> list[News]:
        """What has moved since the last call, a combo with its legs."""
        if not self._moved:
            return []
        moved, self._moved = self._moved, {}
        news: list[News] = [QuoteNews(ts_ns=ts_ns, conid=conid) for conid, ts_ns in moved.items()]
        for conid, legs in self._combos.items():
            newest = max(moved.get(leg, 0) for leg in legs)
            if newest:
                news.append(QuoteNews(ts_ns=newest, conid=conid))
        return news

    # Who is played

    def known(self, conid: int) -> Figures | None:
        """What was known of a contract before the rows in hand; it is played from now on. None if it has no market."""
        asked_ns = self._awake.get(conid)
        if asked_ns is not None:
            if asked_ns != END_OF_TIME_NS:
                self._awake[conid] = self.now_ns
            return self._board.figures[conid]
        figures = self._market.wake(conid, self.now_ns)
        if figures is not None:
            self._board.figures[conid] = figures
            self._awake[conid] = self.now_ns
            self.woke = True
        return figures

    def doze(self, needed: Callable[[], set[int]]) -> None:
        """Play no more, from the next chunk on, what nobody has asked for lately and nobody needs."""
        late = [conid for conid, asked_ns in self._awake.items() if asked_ns < self.now_ns - _DOZE_NS]
        if late:
            wanted = needed()
            for conid in late:
                if conid not in wanted:
                    self._market.sleep(conid)
                    del self._awake[conid]

    def roll(self, needed: set[int]) -> None:
        """A new day begins; what has expired leaves the stage unless it is needed."""
        self._board.roll()
        self._tops.clear()
        self._market.roll(self.now_ns, needed)
        self._awake = {conid: asked_ns for conid, asked_ns in self._awake.items() if conid in self._contracts}

    # What is shown

    def top(self, conid: int) -> Top | None:
        """Top of book and the day's figures; None for a conid without data."""
        if conid in self._tops:
            return self._tops[conid]
        contract = self._contracts.get(conid)
        if contract is None:
            return None
        legs = contract.instrument.legs
        if legs:
            self._combos[conid] = tuple(leg.conid for leg in legs)
            found = combined(conid, [(leg.ratio, self.top(leg.conid)) for leg in legs])
        elif self.known(conid) is None:
            found = None
        else:
            found = self._board.top(conid, self.now_ns)
        self._tops[conid] = found
        return found

    def mark(self, conid: int) -> Decimal | None:
        """The price that a position is valued at; None if nothing is known."""
        top = self.top(conid)
        price = float("nan") if top is None else mark(top)
        return self._contracts[conid].instrument.price(price) if price == price else None
