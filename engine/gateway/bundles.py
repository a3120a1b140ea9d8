"""What one placement request asks for: a single order, a bracket, or an OCA group, and nothing else.

Sans state: the tickets of a request in, parts with their parents out. IBKR's brackets are not atomic, so a part may
fail alone: an unknown parent, a price below zero, an exit for another instrument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.gateway.fields import absent
from engine.gateway.questions import Stage
from engine.gateway.records import LiveOrder
from engine.gateway.tickets import BAD_PRICE, Draft, Problem, parse

if TYPE_CHECKING:
    from engine.gateway.hall import Hall


class Part(msgspec.Struct, kw_only=True):
    """One ticket of a request on its way: what was read, the order it became, what it has still to be asked.

    `entry` is the part that its `parentId` names; `parent_id` the order that it names where that is an earlier one;
    `failed` the sentence of its row if it never becomes an order; `barred` why its order dies while the others live.
    """

    draft: Draft | None
    account: str
    entry: Part | None = None
    parent_id: int | None = None
    order: LiveOrder | None = None
    stages: list[Stage] = msgspec.field(default_factory=list)
    failed: str = ""
    barred: str = ""


class Bundle(msgspec.Struct, kw_only=True):
    """All parts of a request, entries before their exits.

    `oca`: they cancel one another; `spread`: one order, spread over the accounts of a group; `stillborn`: a failed exit
    takes the others with it.
    """

    parts: list[Part]
    oca: bool = False
    spread: bool = False
    stillborn: bool = False


def tickets_of(body: object) -> list[Any] | None:
    """The tickets of a placement body: `{"orders":[...]}`, or a bare array as IBKR's text has it; None otherwise."""
    found = body.get("orders") if isinstance(body, dict) else body
    return found if isinstance(found, list) and found else None


def read_bundle(hall: Hall, account: str, raws: list[Any]) -> Bundle | Problem:
    """Read all tickets of a request and how they hang together."""
    parts: list[Part] = []
    stillborn = False
    for raw in raws:
        draft = parse(hall, account, raw)
        if isinstance(draft, Draft):
            parts.append(Part(draft=draft, account=account))
        elif len(raws) > 1 and draft.text.startswith(BAD_PRICE) and not absent(raw, "parentId"):
            parts.append(Part(draft=None, account=account, failed=f"Order couldn't be submitted: {draft.text}"))
            stillborn = True
        else:
            return draft
    names = [part.draft.client_id for part in parts if part.draft is not None and part.draft.client_id]
    if len(set(names)) != len(names):
        return Problem(400, "Bad Request: two orders of one request have the same cOID", "cOID")
    if len(parts) > 1 and all(part.draft is not None and part.draft.single_group for part in parts):
        if any(part.draft is not None and part.draft.parent is not None for part in parts):
            return Problem(400, "Bad Request: an OCA group has no parent", "parentId")
        return Bundle(parts=parts, oca=True)
    return _bracket(hall, account, parts, stillborn)


def _bracket(hall: Hall, account: str, parts: list[Part], stillborn: bool) -> Bundle | Problem:
    entries = [part for part in parts if part.draft is not None and part.draft.parent is None]
    if len(entries) > 1:
        return Problem(400, "Bad Request: only one bracket or one OCA group can be submitted at a time")
    named = {part.draft.client_id: part for part in parts if part.draft is not None and part.draft.client_id}
    ordered = list(entries)
    waiting = [part for part in parts if part not in entries]
    for part in waiting:
        _find_parent(hall, account, part, named)
    while waiting:
        ready = [part for part in waiting if part.entry is None or part.entry in ordered]
        if not ready:
            return Problem(400, "Bad Request: the orders name each other as parents", "parentId")
        ordered += ready
        waiting = [part for part in waiting if part not in ready]
    for part in ordered:
        _check_child(hall, part)
    return Bundle(parts=ordered, stillborn=stillborn)


def _find_parent(hall: Hall, account: str, part: Part, named: dict[str, Part]) -> None:
    """A parent goes by the cOID of this request, or by the cOID or id of an earlier order that has not ended badly."""
    if part.draft is None:
        return
    wanted = part.draft.parent
    part.entry = named.get(wanted) if wanted is not None else None
    if part.entry is not None:
        return
    for order in hall.exchange.orders(account):
        if wanted in (order.client_id, str(order.order_id)) and (order.open or order.filled) and not order.parked:
            part.parent_id = order.order_id
            return
    part.failed = f"Order couldn't be submitted: Parent order ID={str(wanted)[:60]} isn't recognized."


def _check_child(hall: Hall, part: Part) -> None:
    """An exit trades what its entry trades, and dies alone if it does not; without its entry there is none."""
    draft = part.draft
    if draft is None or part.failed:
        return
    if part.entry is not None and part.entry.draft is not None:
        conid = part.entry.draft.ticket.conid
        if part.entry.failed:
            part.failed = part.entry.failed
    elif part.parent_id is not None:
        entry = hall.exchange.order(part.parent_id)
        conid = entry.ticket.conid if entry is not None else draft.ticket.conid
    else:
        return
    if draft.ticket.conid != conid:
        part.barred = "Order rejected - reason: the parent order trades another instrument"
    elif part.entry is not None and part.entry.barred:
        part.barred = part.entry.barred
