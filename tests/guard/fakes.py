"""A venue for the guard: in memory, and the same over a socket for guards that are processes of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import trio

from engine.domain.brokerage import (
    AllRefused,
    Answered,
    Asked,
    CancelAnswer,
    CancelTaken,
    LegTaken,
    NotYetKnown,
    OrdersKnown,
    Question,
    Unclear,
    VenueOrder,
    VenuePosition,
    WriteAnswer,
)
from engine.domain.ticket import OrderTicket
from engine.errors import AnswerLost, VenueUnreachable

CONID = 265598


@dataclass
class FakeVenue:
    """Fulfils `mandate.Venue`. What it is told to do wrong stands in its fields."""

    orders_: dict[str, VenueOrder] = field(default_factory=dict)
    held: dict[int, Decimal] = field(default_factory=dict)
    cancels: list[str] = field(default_factory=list)
    placed: list[OrderTicket] = field(default_factory=list)
    replies: list[bool] = field(default_factory=list)
    cold: int = 0  # readings that are not yet known
    deaf: set[str] = field(default_factory=set)  # orders that die only at the second cancel
    questions: list[tuple[str, str]] = field(default_factory=list)  # id and text, asked one after the other
    lose_place: str = ""  # "before" or "after" the order has arrived
    refuse: bool = False
    stale_positions: int = 0  # readings of positions that don't show the last fill
    unreachable: int = 0  # openings that fail
    openings: int = 0
    number: int = 900
    in_round: bool = False
    _shown: dict[int, Decimal] = field(default_factory=dict)
    _open: OrderTicket | None = None

    def add(self, order_id: str, coid: str | None, status: str = "Submitted", **more: Any) -> None:
        self.orders_[order_id] = VenueOrder(order_id=order_id, coid=coid, status=status, **more)

    async def orders(self) -> OrdersKnown | NotYetKnown:
        rows = tuple(self.orders_.values())
        if self.cold:
            self.cold -= 1
            return NotYetKnown(why="cold", again_ns=0, orders=rows)
        return OrdersKnown(orders=rows, as_of_ns=0)

    async def cancel(self, order_id: str, *, urgent: bool) -> CancelAnswer:
        assert urgent
        self.cancels.append(order_id)
        if order_id in self.deaf:
            self.deaf.discard(order_id)
        elif order_id in self.orders_:
            self.orders_[order_id] = msgspec.structs.replace(self.orders_[order_id], status="Cancelled")
        return CancelTaken()

    async def positions(self) -> tuple[VenuePosition, ...]:
        if self.stale_positions:
            self.stale_positions -= 1
        else:
            self._shown = dict(self.held)
        return tuple(VenuePosition(conid=conid, quantity=units) for conid, units in self._shown.items())

    @asynccontextmanager
    async def round(self, *, urgent: bool = False) -> AsyncIterator[None]:
        self.in_round = True
        yield
        self.in_round = False

    async def place(self, tickets: Sequence[OrderTicket]) -> WriteAnswer:
        assert self.in_round
        (ticket,) = tickets
        self.placed.append(ticket)
        if self.lose_place == "before":
            self.lose_place = ""
            raise AnswerLost("POST /iserver/account/{accountId}/orders", "reset")
        if self.refuse:
            return AllRefused(reason="no shares to borrow")
        self._open = ticket
        return self._ask() or self._take()

    async def reply(self, reply_id: str, *, confirmed: bool) -> WriteAnswer:
        assert self.in_round
        self.replies.append(confirmed)
        if not confirmed:
            return AllRefused(reason="Order not confirmed")
        return self._ask() or self._take()

    def _ask(self) -> WriteAnswer | None:
        if not self.questions:
            return None
        name, text = self.questions.pop(0)
        return Asked(questions=(Question(reply_id="r1", message_ids=(name,), texts=(text,)),))

    def _take(self) -> WriteAnswer:
        ticket = self._open
        assert ticket is not None
        self.number += 1
        order_id = str(self.number)
        self.held[ticket.conid] = self.held.get(ticket.conid, Decimal(0)) + ticket.quantity * ticket.side.sign
        self.add(order_id, ticket.coid, "Filled", filled=ticket.quantity, total=ticket.quantity)
        if self.lose_place == "after":
            self.lose_place = ""
            return Unclear(reason="silence")
        return Answered(taken=(LegTaken(order_id=order_id, status="Filled", coid=ticket.coid),))

    @asynccontextmanager
    async def opened(self, access: Mapping[str, Any]) -> AsyncIterator[FakeVenue]:
        self.openings += 1
        if self.unreachable:
            self.unreachable -= 1
            raise VenueUnreachable("GET /tickle", "nobody listens")
        yield self


# --- over a socket --------------------------------------------------------------------------------------------------


class FarVenue:
    """The fake on the other side of a socket; what a guard process is given."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def _ask(self, verb: str, *args: Any) -> bytes:
        try:
            await self._stream.send_all(msgspec.json.encode([verb, *args]) + b"\n")
            said = b""
            while not said.endswith(b"\n"):
                more = await self._stream.receive_some()
                if not more:
                    raise VenueUnreachable(verb, "gone")
                said += more
        except trio.BrokenResourceError as error:
            raise VenueUnreachable(verb, "gone") from error
        return said

    async def orders(self) -> OrdersKnown | NotYetKnown:
        return msgspec.json.decode(await self._ask("orders"), type=OrdersKnown)

    async def positions(self) -> tuple[VenuePosition, ...]:
        return msgspec.json.decode(await self._ask("positions"), type=tuple[VenuePosition, ...])

    async def cancel(self, order_id: str, *, urgent: bool) -> CancelAnswer:
        return msgspec.json.decode(await self._ask("cancel", order_id), type=CancelTaken)

    async def place(self, tickets: Sequence[OrderTicket]) -> WriteAnswer:
        return msgspec.json.decode(await self._ask("place", tickets[0]), type=Answered)

    async def reply(self, reply_id: str, *, confirmed: bool) -> WriteAnswer:
        raise AssertionError("nothing is asked here")

    @asynccontextmanager
    async def round(self, *, urgent: bool = False) -> AsyncIterator[None]:
        yield


@asynccontextmanager
async def open_far(access: Mapping[str, Any]) -> AsyncIterator[FarVenue]:
    """The `mandate.OpenVenue` of guard processes under test."""
    try:
        stream = await trio.open_unix_socket(access["path"])
    except OSError as error:
        raise VenueUnreachable("connect", str(error)) from error
    async with stream:
        yield FarVenue(stream)


async def serve_far(venue: FakeVenue, path: Path) -> None:
    """Serve a fake to `open_far`, and to whoever else sends it lines."""
    server = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await server.bind(str(path))
    server.listen(8)

    async def one(stream: trio.SocketStream) -> None:
        buffer = b""
        while True:
            try:
                more = await stream.receive_some()
            except trio.BrokenResourceError:
                return
            if not more:
                return
            buffer += more
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                await stream.send_all(msgspec.json.encode(await _do(venue, line)) + b"\n")

    await trio.serve_listeners(one, [trio.SocketListener(server)])


async def _do(venue: FakeVenue, line: bytes) -> Any:
    verb, *args = msgspec.json.decode(line)
    if verb == "orders":
        return await venue.orders()
    if verb == "positions":
        return await venue.positions()
    if verb == "cancel":
        return await venue.cancel(args[0], urgent=True)
    async with venue.round():
        return await venue.place([msgspec.convert(args[0], OrderTicket)])
