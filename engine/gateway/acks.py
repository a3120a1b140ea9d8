"""The shapes in which a placement, a modification or a reply is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.gateway.calls import Answer, refusal
from engine.gateway.questions import PROMPT, Stage
from engine.gateway.records import LiveOrder
from engine.gateway.rows import oca_id
from engine.gateway.tickets import Problem

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

OPTIONS: Final = ("Use on this order", "Always use", "Do not use")


def refused(problem: Problem) -> Answer:
    """A ticket that is no order: an error body, with 200 where the venue has looked at the order itself."""
    if problem.status == 200:
        return Answer(body={"error": problem.text})
    return refusal(problem.status, problem.text)


def acknowledged(hall: Hall, order: LiveOrder) -> dict[str, Any]:
    """The row of an accepted order; ids are strings here."""
    row: dict[str, Any] = {
        "order_id": str(order.order_id),
        "order_status": order.status,
        "encrypt_message": "1",
    }
    if order.client_id is not None:
        row["local_order_id"] = order.client_id
    if order.parent_id is not None:
        row["parent_order_id"] = str(order.parent_id)
    if order.oca_group is not None:
        row["oca_group_id"] = oca_id(hall, order)
    return row


def failed(text: str) -> dict[str, Any]:
    """The row of a ticket that became no order while others of its request did."""
    return {"order_id": "-1", "order_status": "Failed", "error": None, "warning_message": "-1", "text": text}


def rows(hall: Hall, found: list[dict[str, Any]]) -> Answer:
    """Rows as they go out: the samples show one order as a bare object, the wire sends arrays in no known order."""
    if len(found) == 1 and not hall.options.observed:
        return Answer(body=found[0])
    if len(found) > 1 and hall.options.observed:
        hall.chance.shuffle(found)
    return Answer(body=found)


def question(hall: Hall, reply_id: str, stage: Stage) -> dict[str, Any]:
    """One question; `message` and `messageIds` run parallel."""
    row: dict[str, Any] = {
        "id": reply_id,
        "message": [message.text for message in stage],
        "isSuppressed": False,
        "messageIds": [message.id for message in stage],
    }
    return row | {"messageOptions": ["Yes", "No"]} if hall.options.observed else row


def prompt(order_id: int, request_id: str) -> dict[str, Any]:
    """The offer of a price algo for an order that was refused."""
    return {
        "orderId": order_id,
        "reqId": request_id,
        "dismissable": [],
        "text": PROMPT,
        "options": list(OPTIONS),
        "type": "M",
        "messageId": "p12",
        "prompt": True,
    }
