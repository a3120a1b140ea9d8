"""Orders: writes, replies, and reads of what became of them.

An order write goes out once. Its answer is a row for each ticket that was spoken of, read by `codecs.placement`; what
proves a refusal as a whole is raised as `VenueRefused`, and whatever leaves all in doubt as `AnswerLost`. A row that
alone is in doubt stands among the others as `InDoubt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from engine.errors import AnswerLost, VenueRefused, VenueUnreachable
from engine.ports import Permit
from engine.webapi.calls import Call, Kind, Reply, Urgency
from engine.webapi.codecs import errors, placement
from engine.webapi.codecs import orders as codec
from engine.webapi.endpoints.base import REPEATABLE, Group, Timed, build, judge
from engine.webapi.facts.orders import (
    CancelAnswer,
    Executions,
    InDoubt,
    OrdersPage,
    OrderStatus,
    PlacementRow,
    RefusedRow,
    Submitted,
    WhatIf,
)
from engine.webapi.tickets import orders_body

TRADE_DAYS: Final = 7  # the most; always sent, as the venue keeps the last value of the session
RECENT_DAYS: Final = 2  # today and the trading day before
SUPPRESSED_AT_ONCE: Final = 51
ALL_ORDERS: Final = -1
_ORDERS = "/iserver/account/{accountId}/orders"
_ORDER = "/iserver/account/{accountId}/order/{orderId}"


class Orders(Group):
    """Everything about orders. Writes of a session must not overlap: post, reply, reply ... is one critical section."""

    async def place(
        self,
        account: str,
        wires: Sequence[Mapping[str, object]],
        *,
        deadline_ns: int | None = None,
        permit: Permit | None = None,
    ) -> tuple[PlacementRow, ...]:
        """Place one ticket, a bracket (parent first) or an OCA group, as `tickets.to_wire` writes them.

        Rows come in no particular order: a bracket's are known by `coid` and `parent_id`, and one may be missing.

        Raises: ValueError if the tickets don't belong together.
        """
        return await self._write(placing(account, wires, permit), deadline_ns)

    async def modify(
        self,
        account: str,
        order_id: int,
        wire: Mapping[str, object],
        *,
        deadline_ns: int | None = None,
        permit: Permit | None = None,
    ) -> tuple[PlacementRow, ...]:
        """Replace a working order by the full ticket. After a refusal the old one may work on: look at it."""
        params = {"accountId": account, "orderId": order_id}
        call = build("POST", _ORDER, Kind.ORDER_WRITE, Urgency.MODIFY, params=params, body=dict(wire), permit=permit)
        return await self._write(call, deadline_ns)

    async def reply(
        self, reply_id: str, *, confirmed: bool, deadline_ns: int | None = None
    ) -> tuple[PlacementRow, ...]:
        """Answer a question. A yes is an order write; a no may be repeated, and a `RefusedRow` is its good end."""
        kind = Kind.ORDER_WRITE if confirmed else Kind.IDEMPOTENT
        body = {"confirmed": confirmed}
        call = build("POST", "/iserver/reply/{replyId}", kind, Urgency.REPLY, params={"replyId": reply_id}, body=body)
        reply = await self._caller.call(call, deadline_ns=deadline_ns)
        rows = placement.reply(reply.status, reply.body, confirmed=confirmed)
        if all(isinstance(row, InDoubt) for row in rows):
            _in_doubt(call, rows)
        return rows

    async def _write(self, call: Call, deadline_ns: int | None) -> tuple[PlacementRow, ...]:
        return written(call, await self._caller.call(call, deadline_ns=deadline_ns))

    async def cancel(
        self,
        account: str,
        order_id: int,
        *,
        urgent: bool = False,
        says_who: bool = False,
        operator: str | None = None,
        deadline_ns: int | None = None,
    ) -> CancelAnswer:
        """Ask for a cancel; the outcome comes later, and a fill may win.

        Args:
            order_id: `ALL_ORDERS` cancels every open order of the account.
            urgent: It goes before everything else: a halt, or risk.
            says_who: Send `manualIndicator`, which futures need.
        """
        query: dict[str, object] = {"manualIndicator": False if says_who else None, "extOperator": operator}
        call = build(
            "DELETE",
            _ORDER,
            Kind.IDEMPOTENT,
            Urgency.HALT if urgent else Urgency.CANCEL,
            params={"accountId": account, "orderId": order_id},
            query=query,
        )
        reply = await self._caller.call(call, deadline_ns=deadline_ns)
        if reply.status >= 300 and reply.status not in (400, 404):
            judge(call, reply)
        return placement.cancel(reply.status, reply.body)

    async def what_if(self, account: str, wires: Sequence[Mapping[str, object]]) -> WhatIf:
        """Preview what an order would cost. Figures may be missing until a snapshot of the conid was taken."""
        call = build(
            "POST",
            _ORDERS + "/whatif",
            Kind.IDEMPOTENT,
            Urgency.ORDER_STATUS,
            params={"accountId": account},
            body=orders_body(wires),
        )
        return await self._ask(call, codec.what_if, errors_inside=True)

    async def live(self, *, force: bool = False, deadline_ns: int | None = None) -> Timed[OrdersPage]:
        """Read the day's orders, never filtered (a filter silences `sor`); `orderview` says what an answer proves.

        Args:
            force: Empty the venue's cache. This answer is blank; the next one counts.
        """
        query: dict[str, object] = {"force": True if force else None}
        call = build("GET", "/iserver/account/orders", Kind.READ, Urgency.ORDER_STATUS, query=query)
        return await self._timed(call, codec.live_orders, deadline_ns=deadline_ns)

    async def status(self, order_id: int, *, deadline_ns: int | None = None) -> Timed[OrderStatus]:
        """Read one order of the selected account."""
        params = {"orderId": order_id}
        call = build("GET", "/iserver/account/order/status/{orderId}", Kind.READ, Urgency.ORDER_STATUS, params=params)
        return await self._timed(call, codec.order_status, deadline_ns=deadline_ns)

    async def trades(self, *, days: int = TRADE_DAYS, deadline_ns: int | None = None) -> Timed[Executions]:
        """Read executions of the selected account, 1 to 7 trading days; the first answer of a session is empty."""
        call = build("GET", "/iserver/account/trades", Kind.READ, Urgency.ORDER_STATUS, query={"days": days})
        return await self._timed(call, codec.executions, deadline_ns=deadline_ns)

    async def suppress(self, message_ids: Iterable[str]) -> Submitted:
        """Suppress questions for this brokerage session; always the complete list, at least one and at most 51 ids.

        Raises: ValueError for none or too many.
        """
        listed = sorted(set(message_ids))
        if not 0 < len(listed) <= SUPPRESSED_AT_ONCE:
            raise ValueError(f"1 to {SUPPRESSED_AT_ONCE} questions can be suppressed, not {len(listed)}")
        body = {"messageIds": listed}
        call = build("POST", "/iserver/questions/suppress", Kind.IDEMPOTENT, Urgency.ACCOUNT, body=body)
        return await self._ask(call, codec.submitted)

    async def reset_suppression(self) -> Submitted:
        """Have all questions asked again."""
        call = build("POST", "/iserver/questions/suppress/reset", Kind.IDEMPOTENT, Urgency.ACCOUNT)
        return await self._ask(call, codec.submitted)

    async def answer_prompt(self, *, order_id: int, request_id: str, option: str) -> str:
        """Answer a `Prompt`, or one that came as `ntf`; it may resubmit an order, so it is an order write."""
        body = {"orderId": order_id, "reqId": request_id, "text": option}
        call = build("POST", "/iserver/notification", Kind.ORDER_WRITE, Urgency.REPLY, body=body)
        reply = await self._caller.call(call)
        said = errors.refusal_of(reply.body)
        if reply.status == 400 and said is not None:
            raise VenueRefused(call.name, said, status=reply.status)
        read = codec.message(reply.body)
        if reply.status >= 300 or not isinstance(read, str):
            raise AnswerLost(call.name, f"HTTP status {reply.status}, no readable answer")
        return read


def placing(account: str, wires: Sequence[Mapping[str, object]], permit: Permit | None = None) -> Call:
    """The call of `Orders.place`. Raises: ValueError if the tickets don't belong together."""
    return build(
        "POST",
        _ORDERS,
        Kind.ORDER_WRITE,
        Urgency.PLACE,
        params={"accountId": account},
        body=orders_body(wires),
        permit=permit,
    )


def written(call: Call, reply: Reply) -> tuple[PlacementRow, ...]:
    """The rows of an order write's answer. Raises: VenueRefused, AnswerLost."""
    rows = placement.placement(reply.status, reply.body)
    if all(isinstance(row, InDoubt) for row in rows):
        _in_doubt(call, rows)
    if reply.status >= 300 and isinstance(rows[0], RefusedRow):
        raise VenueRefused(call.name, rows[0].reason, status=reply.status)
    return rows


def _in_doubt(call: Call, rows: tuple[PlacementRow, ...]) -> None:
    """Raise what it means that nothing can be said of any ticket."""
    first = rows[0]
    reason = first.reason if isinstance(first, InDoubt) else ""
    if call.kind in REPEATABLE:
        raise VenueUnreachable(call.name, reason)
    raise AnswerLost(call.name, reason)
