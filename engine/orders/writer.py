"""Order writes: the queue of what is to be written, one after the other, from an approved request until it leaves.

An order write goes out once. It waits for the round under way, a modification for the venue's copy of its order, a
large order for its preview; what is not wanted any more by then, or can't go, is told so and never leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

from attrs import frozen

from engine.domain.brokerage import Preview, VenueOrder
from engine.domain.facts import Cancelled, ModifyRefused, Refused
from engine.domain.messages import ModifyRequest, PlaceRequest, ResendRequest
from engine.domain.moments import NS_PER_S
from engine.domain.order import CLOSED, State
from engine.domain.ticket import OrderTicket
from engine.orders.actions import AskRisk, ReadOrder, SendClosing, SendModify, SendPlace, SendPreview
from engine.orders.census import Census
from engine.orders.comparing import differences
from engine.orders.doubt import Doubts
from engine.orders.identity import Identity
from engine.orders.link import Link
from engine.orders.rounds import RISK_LIMIT_NS, Round, Stage
from engine.orders.slate import Slate
from engine.orders.underway import UnderWay


@frozen(kw_only=True)
class PreviewSettings:
    """`[orders]`: orders worth more than `above`, in base currency, are previewed before they leave (None: never), and
    how many seconds of the venue's clock that may take."""

    above: Decimal | None = None
    limit_s: float = 10.0


class Writer:
    """Starts rounds, one at a time, and lets their tickets leave."""

    def __init__(
        self,
        slate: Slate,
        identity: Identity,
        doubts: Doubts,
        census: Census,
        link: Link,
        under_way: UnderWay,
        previews: PreviewSettings,
    ) -> None:
        self._slate = slate
        self._identity = identity
        self._doubts = doubts
        self._census = census
        self._link = link
        self._under_way = under_way
        self._previews = previews
        self._queue: deque[PlaceRequest | ModifyRequest | ResendRequest] = deque()
        self._reading: dict[str, ModifyRequest] = {}  # modifications that wait for the venue's copy, by order id

    def push(self, request: PlaceRequest | ModifyRequest | ResendRequest) -> None:
        """An approved request waits for its turn."""
        self._queue.append(request)

    def go_on(self, now_ns: int) -> None:
        """Write the next order, if nothing is under way."""
        while self._under_way.round is None and self._queue:
            request = self._queue.popleft()
            if isinstance(request, PlaceRequest):
                self._start_place(request, now_ns)
            elif isinstance(request, ResendRequest):
                self._start_again(request.ticket, now_ns)
            else:
                self._start_modify(request, now_ns)

    def tick(self, now_ns: int) -> None:
        """Our own word on a round's size, or its preview, has not come in time."""
        current = self._under_way.round
        if current is None or now_ns < current.deadline_ns:
            return
        if current.stage is Stage.SIZE:
            self._preview(current, now_ns)
        elif current.stage is Stage.PREVIEW:
            self.previewed(current.number, None, now_ns)

    def copy_read(self, order_id: str, copy: VenueOrder | None, now_ns: int) -> None:
        """The copy that a modification has waited for was read, or could not be."""
        waiting = self._reading.pop(order_id, None)
        if waiting is not None and copy is None:
            self._not_modified(waiting.ticket.coid, "UNREAD", "the venue's copy can't be read", now_ns)
        elif waiting is not None:
            self._queue.appendleft(waiting)

    # --- starting --------------------------------------------------------------------------------------------------

    def _start_place(self, request: PlaceRequest, now_ns: int) -> None:
        tickets, closing = request.tickets, request.closing
        if not self._wanted(tickets, now_ns, closing=closing):
            return
        current = self._under_way.round = Round(self._slate.next_number(), tickets, None, closing=closing)
        if closing or self._previews.above is None:
            self._send(current, now_ns)
        else:
            current.stage = Stage.SIZE
            current.deadline_ns = now_ns + RISK_LIMIT_NS
            self._slate.actions.append(AskRisk(current.number, tickets))

    def _start_again(self, ticket: OrderTicket, now_ns: int) -> None:
        """Send a ticket that was proved absent once more, unless it is not wanted any more."""
        coid = ticket.coid
        if self._slate.book.book[coid].state is not State.IN_DOUBT or coid in self._doubts.cases:
            return  # it has turned up, or is asked about anew
        if not self._link.up:
            self._under_way.give_up(coid, now_ns)
            return
        current = self._under_way.round = Round(self._slate.next_number(), (ticket,), None, again=True)
        self._send(current, now_ns)

    def _send(self, current: Round, now_ns: int) -> None:
        """The tickets of a round leave."""
        tickets = current.tickets
        current.stage = Stage.WRITE
        self._census.sent(tickets)
        self._slate.updates += self._slate.book.sent([ticket.coid for ticket in tickets], now_ns)
        self._slate.note(now_ns, "write", tickets[0].coid, tickets)
        kind = SendClosing if current.closing else SendPlace
        self._slate.actions.append(kind(current.number, tickets, current.again))

    def _wanted(self, tickets: Sequence[OrderTicket], now_ns: int, *, closing: bool = False) -> bool:
        """Whether a group can leave; if not, what is left of it is told so."""
        states = [self._slate.book.book[ticket.coid].state for ticket in tickets]
        if any(state is not State.CREATED for state in states):  # a group goes whole or not at all
            self._slate.say(
                Cancelled(coid=ticket.coid, ts_ns=now_ns, reason="withdrawn")
                for ticket, state in zip(tickets, states, strict=True)
                if state is State.CREATED
            )
            return False
        if not (self._link.up or (closing and self._link.answers)):
            reason = "the session with the venue is down"
            self._slate.say(Refused(coid=t.coid, ts_ns=now_ns, code="DISCONNECTED", reason=reason) for t in tickets)
            return False
        return True

    def _start_modify(self, request: ModifyRequest, now_ns: int) -> None:
        ticket = request.ticket
        coid = ticket.coid
        order = self._slate.book.book[coid]
        if order.state is not State.PENDING_MODIFY:
            if order.state not in CLOSED:
                self._not_modified(coid, "STATE", f"the order is {order.state} by now", now_ns)
            return
        if not self._link.up:
            self._not_modified(coid, "DISCONNECTED", "the session with the venue is down", now_ns)
            return
        order_id = self._identity.id_of[coid]
        copy = self._identity.copies.get(order_id)
        if copy is None or not self._link.fresh(copy):
            if order_id not in self._reading:
                self._reading[order_id] = request
                self._slate.actions.append(ReadOrder(order_id, "its full ticket is wanted before it is modified"))
            return
        found = differences(order, order.ticket, copy, parent_id=self._identity.parent_id(order))
        if found:
            self._not_modified(coid, "DIFFERS", "; ".join(str(one) for one in found), now_ns)
            return
        current = self._under_way.round = Round(self._slate.next_number(), (ticket,), order_id)
        self._slate.note(now_ns, "write", coid, ticket)
        self._slate.actions.append(SendModify(current.number, order_id, ticket))

    # --- previews --------------------------------------------------------------------------------------------------

    def judged(self, number: int, holds: Mapping[str, bool], now_ns: int) -> bool:
        """Risk says what holds for every ticket: only what is large is previewed. False if nobody asked for its size.

        A round's size is asked before it leaves, so never while a question of the venue's is open.
        """
        current = self._under_way.round
        if current is None or current.number != number or current.stage is not Stage.SIZE:
            return False
        if holds.get("small", False):
            self._leave(current, now_ns)
        else:
            self._preview(current, now_ns)
        return True

    def _preview(self, current: Round, now_ns: int) -> None:
        current.stage = Stage.PREVIEW
        current.deadline_ns = now_ns + round(self._previews.limit_s * NS_PER_S)
        self._slate.actions.append(SendPreview(current.number, current.tickets))

    def previewed(self, number: int, preview: Preview | None, now_ns: int) -> None:
        """What the venue says that the tickets would do; None where it can't be known, and then they don't leave."""
        current = self._under_way.round
        if current is None or current.number != number or current.stage is not Stage.PREVIEW:
            return
        self._slate.note(now_ns, "preview", current.tickets[0].coid, preview)
        problem = "what it would do could not be asked" if preview is None else preview.error
        if problem:
            self._under_way.round = None
            self._slate.say(
                Refused(coid=ticket.coid, ts_ns=now_ns, code="PREVIEW", reason=problem)
                for ticket in current.tickets
                if self._slate.book.book[ticket.coid].state is State.CREATED
            )
            self._slate.follow_up(now_ns)
        else:
            self._leave(current, now_ns)

    def _leave(self, current: Round, now_ns: int) -> None:
        """Nothing speaks against a round that has waited: it leaves, unless it is not wanted any more."""
        self._under_way.round = None
        if self._wanted(current.tickets, now_ns):
            self._under_way.round = current
            self._send(current, now_ns)

    def _not_modified(self, coid: str, code: str, reason: str, now_ns: int) -> None:
        self._slate.say([ModifyRefused(coid=coid, ts_ns=now_ns, code=code, reason=reason)])
