"""Where orders go: `ports.Broker` on the Web API's endpoints, its stream and the truthful order view.

An order write goes out once and its silence is `AnswerLost`. Lists come through the order view, so that an empty answer
is never taken for absence. News waits in a bounded buffer; one that overflows costs the link, and the link's return
primes everything anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from engine.domain import brokerage as b
from engine.domain.instrument import Instrument
from engine.domain.ticket import OrderTicket
from engine.errors import AnswerLost, VenueRefused, VenueUnreachable
from engine.ports import Clock, Permit
from engine.webapi import venue
from engine.webapi.budgets import SECOND
from engine.webapi.calls import Caller, Urgency
from engine.webapi.conidex import NoCombo
from engine.webapi.endpoints.orders import ALL_ORDERS, RECENT_DAYS, TRADE_DAYS, Orders, placing
from engine.webapi.endpoints.portfolio import Portfolio
from engine.webapi.facts.orders import PlacementRow
from engine.webapi.inround import InRound, ReadyPlacement
from engine.webapi.news import News
from engine.webapi.orderstream import OrderStream
from engine.webapi.orderview import NotYetKnown, OrderView
from engine.webapi.scheduler import Scheduler
from engine.webapi.sessionfacts import GoDown, Heard, LayerHealth
from engine.webapi.tickets import says_who, to_wire

_PLACE: Final = "POST /iserver/account/{accountId}/orders"
_BASE: Final = "BASE"  # the ledger's total row, no currency
_VENUE_DAY: Final = ZoneInfo("America/New_York")

log = structlog.get_logger()


class WebBroker:
    """One account's orders.

    Args:
        instruments: By conid; tickets in others can't be written.
        tell: The session machine's ear, for a buffer that overflows.
        children_named: Whether a bracket's children carry their own client order id; IBKR's text says they don't, its
            servers take it.
        operator: `extOperator` of orders in futures, where the account needs one.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        clock: Clock,
        view: OrderView,
        instruments: Mapping[int, Instrument],
        *,
        tell: Callable[[Heard], None],
        children_named: bool = True,
        operator: str | None = None,
    ) -> None:
        self.account = view.account
        self.view = view
        self._scheduler = scheduler
        self._clock = clock
        self._instruments = instruments
        self._children_named = children_named
        self._operator = operator
        self._in_round = InRound(scheduler)
        self._writes = Orders(self._in_round)
        self._reads = Orders(scheduler)
        self._portfolio = Portfolio(scheduler)
        self._news = News(tell)
        self.stream = OrderStream(view, self._news)
        self._day: date | None = None
        self._whole_ns: int | None = None  # as of when all executions were known last, in whatever session
        self._stream_since_ns: int | None = None

    @property
    def caller(self) -> Caller:
        """For other requests of the same session."""
        return self._scheduler

    # --- writes -------------------------------------------------------------------------------------------------

    async def place(self, tickets: Sequence[OrderTicket], *, permit: Permit | None = None) -> b.WriteAnswer:
        """Send one order, a bracket (entry first) or an OCA group, when the permit is granted."""
        try:
            wires = [self._wire(ticket) for ticket in tickets]
            rows = await self._writes.place(self.account, wires, permit=permit)
        except VenueRefused as refused:
            return b.AllRefused(reason=refused.problem)
        return self._placed(rows, len(wires))

    def _placed(self, rows: Sequence[PlacementRow], tickets: int) -> b.WriteAnswer:
        answer = venue.write_answer(rows, tickets=tickets)
        self._bind(answer)
        return answer

    def ready(self, tickets: Sequence[OrderTicket], permit: Permit, *, urgent: bool = False) -> ReadyPlacement | None:
        """Open a round and make a placement ready in this turn of the loop; None if something has to be waited for."""
        try:
            wires = [self._wire(ticket) for ticket in tickets]
        except VenueRefused:
            return None  # `place` says why
        call = placing(self.account, wires, permit)
        urgency = Urgency.HALT if urgent else Urgency.PLACE
        begun = self._scheduler.round_now(urgency, call)
        if begun is not None:
            return ReadyPlacement(self._in_round, begun[0], call, begun[1], len(wires), self._placed)
        turn = self._scheduler.order_round_now(urgency)
        if turn is None:
            return None
        try:
            reply = turn.begin(call)
        except VenueUnreachable:
            turn.end()
            return None
        return ReadyPlacement(self._in_round, turn, call, reply, len(wires), self._placed)

    async def preview(self, tickets: Sequence[OrderTicket]) -> b.Preview:
        """Ask what one order or a bracket (entry first) would do; nothing is sent to the market."""
        try:
            wires = [self._wire(ticket) for ticket in tickets]
            return venue.preview(await self._reads.what_if(self.account, wires))
        except VenueRefused as refused:
            return b.Preview(error=refused.problem)

    async def reply(self, reply_id: str, *, confirmed: bool) -> b.WriteAnswer:
        """Answer a question."""
        try:
            # How many tickets the question was about is not known here: a refused row counts for its own ticket only.
            answer = venue.write_answer(await self._writes.reply(reply_id, confirmed=confirmed), tickets=2)
        except VenueRefused as refused:
            return b.AllRefused(reason=refused.problem)
        self._bind(answer)
        return answer

    async def modify(self, order_id: str, ticket: OrderTicket, *, permit: Permit | None = None) -> b.WriteAnswer:
        """Replace a working order by a full ticket, when the permit is granted."""
        try:
            wire = self._wire(ticket, parent_id=self._parent_of(order_id))
            return venue.write_answer(await self._writes.modify(self.account, int(order_id), wire, permit=permit))
        except VenueRefused as refused:
            return b.AllRefused(reason=refused.problem)

    async def cancel(self, order_id: str, *, urgent: bool) -> b.CancelAnswer:
        """Ask for a cancellation of one order.

        Raises: ValueError for the id that would cancel everything; `cancel_all` is for that.
        """
        number = int(order_id)
        if number == ALL_ORDERS:
            raise ValueError("the order id -1 stands for all orders of the account")
        row = self.view.order(number)
        instrument = self._instruments.get(row.conid) if row is not None and row.conid is not None else None
        answer = await self._reads.cancel(
            self.account,
            number,
            urgent=urgent,
            says_who=instrument is not None and says_who(instrument),
            operator=self._operator,
        )
        return venue.cancel_answer(answer)

    async def cancel_all(self) -> b.CancelAnswer:
        """Cancel every order of the account, foreign ones too."""
        answer = await self._reads.cancel(self.account, ALL_ORDERS, urgent=True)
        return venue.cancel_answer(answer)

    async def answer_prompt(self, prompt: b.Prompted, option: str) -> None:
        """Choose one of a prompt's options."""
        await self._writes.answer_prompt(
            order_id=int(prompt.order_id or 0), request_id=prompt.request_id, option=option
        )

    def _wire(self, ticket: OrderTicket, *, parent_id: str | None = None) -> dict[str, object]:
        """Write a ticket. Raises: VenueRefused for one that can't be written: it is refused before anything is sent."""
        instrument = self._instruments.get(ticket.conid)
        if instrument is None:
            raise VenueRefused(_PLACE, "its instrument is not known", status=0)
        named = self._children_named or ticket.parent is None
        try:
            wire = to_wire(ticket, instrument, operator=self._operator, named=named)
        except NoCombo as error:
            raise VenueRefused(_PLACE, str(error), status=0) from None
        if parent_id is not None:
            wire["parentId"] = parent_id
        return wire

    def _parent_of(self, order_id: str) -> str | None:
        """A modified child's parent as the placement named it: by our client order id, where it is known."""
        row = self.view.order(int(order_id))
        if row is None or row.parent_id is None:
            return None
        parent = self.view.order(row.parent_id)
        return parent.order_ref if parent is not None and parent.order_ref else str(row.parent_id)

    def _bind(self, answer: b.WriteAnswer) -> None:
        if isinstance(answer, b.Answered):
            for leg in answer.taken:
                if leg.coid is not None:
                    self.view.bind(int(leg.order_id), leg.coid)

    @asynccontextmanager
    async def round(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """The critical section of one order write with its replies."""
        async with self._scheduler.order_round(Urgency.HALT if urgent else Urgency.PLACE) as turn:
            with self._in_round.under_way(turn):
                yield

    # --- reads --------------------------------------------------------------------------------------------------

    async def orders(self) -> b.OrdersKnown | b.NotYetKnown:
        """Read the day's orders."""
        self._turn_of_day()
        page = await self._reads.live()
        self.view.heard_orders(page.value, asked_ns=page.asked_ns, heard_ns=page.heard_ns)
        known = self.view.orders(self._clock.now_ns())
        read = {row.order_id for row in page.value.rows}  # of the others the stream told, often no more than the id
        rows = tuple(
            venue.order(row, seen_ns=page.asked_ns, from_stream=row.order_id not in read) for row in self.view.rows()
        )
        if isinstance(known, NotYetKnown):
            return b.NotYetKnown(why=known.reason, again_ns=known.ask_again_ns, orders=rows)
        missing = {str(order_id) for order_id in known.missing}
        listed = tuple(row for row in rows if row.order_id not in missing)
        return b.OrdersKnown(orders=listed, as_of_ns=known.as_of_ns, full=known.full)

    async def executions(self) -> b.ExecutionsKnown | b.NotYetKnown:
        """Read the executions since the last list that was known, and those whose commission is not; at first, and at
        most, of the last seven trading days."""
        days = self._days_back()
        fresh = await self._read_executions(days)
        now_ns = self._clock.now_ns()
        known = self.view.executions(now_ns)
        if isinstance(known, NotYetKnown):
            return b.NotYetKnown(why=known.reason, again_ns=known.ask_again_ns, executions=fresh)
        rows = tuple(venue.execution(row, heard_ns=now_ns) for row in known.rows)
        return b.ExecutionsKnown(executions=rows, as_of_ns=known.as_of_ns, days=days)

    def _days_back(self) -> int:
        """How many trading days a list of executions has to hold. A busy account's week is megabytes at a time."""
        since_ns = self._whole_ns
        if since_ns is None:
            return TRADE_DAYS
        unpaid_ns = self.view.unpaid_ns()
        if unpaid_ns is not None:
            since_ns = min(since_ns, unpaid_ns)
        return min(TRADE_DAYS, RECENT_DAYS + (_day_of(self._clock.now_ns()) - _day_of(since_ns)).days)

    async def _read_executions(self, days: int) -> tuple[b.VenueExecution, ...]:
        """Read them into the view; return those that are news, or whose commission is."""
        page = await self._reads.trades(days=days)
        fresh = self.view.heard_executions(page.value.rows)
        self.view.heard_trades(page.value, asked_ns=page.asked_ns, days=days)
        known = self.view.executions(page.heard_ns)
        if not isinstance(known, NotYetKnown):
            self._whole_ns = known.as_of_ns
        return tuple(venue.execution(row, heard_ns=page.heard_ns) for row in fresh)

    async def order(self, order_id: str) -> b.VenueOrder:
        """Read one order's own page."""
        page = await self._reads.status(int(order_id))
        self.view.heard_status(page.value, asked_ns=page.asked_ns, heard_ns=page.heard_ns)
        told = venue.order_page(page.value, seen_ns=page.asked_ns)
        if told.order_id != order_id:
            raise AnswerLost("GET /iserver/account/order/status/{orderId}", "it is the page of another order")
        return told

    async def positions(self) -> tuple[b.VenuePosition, ...]:
        """Read positions, past the venue's cache."""
        return tuple(venue.position(row) for row in await self._portfolio.positions_now(self.account))

    async def ledger(self) -> Mapping[str, b.Balance]:
        """Read cash, and what is owed, by currency."""
        rows = await self._portfolio.ledger(self.account)
        return {
            name: b.Balance(cash=row.cash, interest=row.interest, dividends=row.dividends)
            for name, row in rows.items()
            if name != _BASE and row.cash is not None
        }

    async def suppress(self, message_ids: Sequence[str]) -> None:
        """Give the session the whole list of questions that need not be asked."""
        if message_ids:
            await self._reads.suppress(message_ids)
        else:
            await self._reads.reset_suppression()

    async def reset_suppression(self) -> None:
        """Have all questions asked again."""
        await self._reads.reset_suppression()

    async def prime(self) -> bool:
        """Read orders and executions, and tell as news what nobody has been told: it happened while we were away.

        Returns: Whether both lists are known by now.
        """
        orders = await self.orders()
        fresh = await self._read_executions(self._days_back())
        for row in orders.orders:
            self._news.push(row)
        for execution in fresh:
            self._news.push(execution)
        now_ns = self._clock.now_ns()
        known = self.view.executions(now_ns)
        if isinstance(known, NotYetKnown):
            return False
        self._news.again(venue.execution(row, heard_ns=now_ns) for row in known.rows)
        return isinstance(orders, b.OrdersKnown)

    async def mend(self) -> bool:
        """Read the lists where the stream has kept something from us, or said what can't be read; False if it has not.

        A stream that a filtered read has silenced speaks again after a forced read.
        """
        silent = self.view.sor_silent(self._clock.now_ns())
        if not silent and not self.stream.doubtful:
            return False
        self.stream.doubtful = False
        log.warning("order_stream_doubted", silent=silent)
        if silent:
            page = await self._reads.live(force=True)
            self.view.heard_orders(page.value, asked_ns=page.asked_ns, heard_ns=page.heard_ns, forced=True)
        await self.prime()
        return True

    def streaming(self, since_ns: int | None) -> None:
        """The order stream is subscribed since then; None: it is not."""
        self._stream_since_ns = since_ns
        self.view.streaming(since_ns)

    def _turn_of_day(self) -> None:
        """The venue lists the orders of its day; those of the day before are not missing from the new one's list."""
        today = _day_of(self._clock.now_ns())
        if self._day is not None and today != self._day:
            self.view.new_day()
            self.view.streaming(self._stream_since_ns)
        self._day = today

    # --- news ---------------------------------------------------------------------------------------------------

    async def news(self) -> Sequence[b.BrokerNews]:
        """Wait until there is something, and take all of it, oldest first."""
        return await self._news.take()

    def session_up(self) -> None:
        """The session is whole."""
        self._news.push(b.SessionNow(ts_ns=self._clock.now_ns(), up=True, layer=""))

    def session_down(self, down: GoDown, layer: str) -> None:
        """It is not any more; `layer` is the lowest one that is down."""
        now_ns = self._clock.now_ns()
        self._news.push(b.SessionNow(ts_ns=now_ns, up=False, layer=layer, reason=down.reason, expected=down.expected))

    def session_at(self, lowest: LayerHealth) -> None:
        """While it is not up, another layer is the lowest one that is down."""
        now_ns, name = self._clock.now_ns(), lowest.layer.name.lower()
        self._news.push(b.SessionNow(ts_ns=now_ns, up=False, layer=name, reason=lowest.reason))


def _day_of(at_ns: int) -> date:
    """The venue's date of a moment."""
    return datetime.fromtimestamp(at_ns // SECOND, _VENUE_DAY).date()
