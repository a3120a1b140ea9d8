"""Answers to order writes, every shape of them: what each row means, and what is in doubt.

The order of the questions asked of a row is the one that survives every shape seen: refusal, question,
acknowledgement, prompt. What fits none is in doubt, and so is every HTTP error that does not prove by itself that
nothing was done: an order write whose outcome is unknown is asked about, never sent again.
"""

from __future__ import annotations

from typing import Final

from engine.webapi import values
from engine.webapi.codecs import errors, reading
from engine.webapi.facts.orders import (
    Acknowledged,
    CancelAnswer,
    CancelInDoubt,
    CancelRefused,
    CancelTaken,
    InDoubt,
    PlacementRow,
    Prompt,
    Question,
    RefusedRow,
    plain,
)
from engine.webapi.facts.wire import Unreadable

_DEAD: Final = frozenset({"failed", "rejected"})
# Turned away before anyone looked at the order: no such path or method, no length, too large, too many requests.
_TURNED_AWAY: Final = frozenset({403, 404, 405, 411, 413, 414, 415, 429})
_JUDGED: Final = frozenset({400, 422})  # looked at: the text says whether it proves anything
# Texts of refusals that prove nothing: the order's question or the session was gone, or the server gave up waiting.
_PROVE_NOTHING: Final = (
    "reply id not found",
    "service unavailable",
    "timeout",
    "timed out",
    "no bridge",
    "bad gateway",
    "init session first",
)


def placement(status: int, body: bytes) -> tuple[PlacementRow, ...]:
    """Read the answer to a placement, or to a modification; one row at least."""
    if status >= 300:
        return (_failed(status, body),)
    return _rows(body)


def reply(status: int, body: bytes, *, confirmed: bool) -> tuple[PlacementRow, ...]:
    """Read the answer to a reply.

    After `confirmed: true` no HTTP error proves the order dead: a reply that failed has let one go live later. After
    `confirmed: false` a refusal such as "Order not confirmed" is what was asked for.
    """
    if status < 300:
        return _rows(body)
    failed = _failed(status, body)
    if isinstance(failed, RefusedRow) and (confirmed or status in _TURNED_AWAY):
        return (InDoubt(reason=f"the reply failed with HTTP status {status}", excerpt=reading.excerpt(body)),)
    return (failed,)


def _failed(status: int, body: bytes) -> RefusedRow | InDoubt:
    text = errors.said(body, status)
    told = status in _TURNED_AWAY or (status in _JUDGED and errors.refusal_of(body) is not None)
    if told and not _proves_nothing(text):
        return RefusedRow(reason=text)
    return InDoubt(reason=f"HTTP status {status} to an order write proves nothing", excerpt=reading.excerpt(body))


def _proves_nothing(text: str) -> bool:
    lower = text.lower()
    return any(phrase in lower for phrase in _PROVE_NOTHING)


def _rows(body: bytes) -> tuple[PlacementRow, ...]:
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return (InDoubt(reason=value.reason, excerpt=value.excerpt),)
    if isinstance(value, list) and value:
        return tuple(placement_row(item) for item in value)
    return (placement_row(value),)


def placement_row(value: object) -> PlacementRow:
    """Say what one row of an answer means."""
    if not isinstance(value, dict):
        return InDoubt(reason="a row of the answer is no object", excerpt=reading.excerpt(value))
    order_id = values.integer(value.get("order_id"))
    word = plain(values.text(value.get("order_status")))
    if errors.refusal(value) is not None or order_id == -1 or word in _DEAD:
        return _refused(value, order_id)
    reply_id = values.identifier(value.get("id"))
    if reply_id is not None and "message" in value:
        return Question(
            reply_id=reply_id,
            messages=_words(value.get("message")),
            message_ids=_words(value.get("messageIds")),
            suppressed=values.flag(value.get("isSuppressed")),
        )
    if order_id is not None and order_id > 0:
        return Acknowledged(
            order_id=order_id,
            status=values.text(value.get("order_status")) or "",
            coid=values.identifier(value.get("local_order_id")),
            parent_id=values.integer(value.get("parent_order_id")),
            oca_group=values.identifier(value.get("oca_group_id")),
            text=_text(value),
        )
    request_id = values.identifier(value.get("reqId"))
    if request_id is not None and isinstance(value.get("options"), list):
        return Prompt(
            order_id=values.integer(value.get("orderId")),
            request_id=request_id,
            text=values.text(value.get("text")) or "",
            options=_words(value.get("options")),
            message_id=values.text(value.get("messageId")) or "",
        )
    return InDoubt(reason="a row of the answer has no known shape", excerpt=reading.excerpt(value))


def _refused(value: dict[str, object], order_id: int | None) -> RefusedRow | InDoubt:
    reason = errors.refusal(value) or _text(value) or "it gave no reason"
    code = values.integer(value.get("statusCode")) or 0
    if _proves_nothing(reason) or code == 401 or code >= 500:
        return InDoubt(reason="the refusal does not prove that nothing was done", excerpt=reading.excerpt(value))
    return RefusedRow(
        reason=reason,
        coid=values.identifier(value.get("local_order_id")),
        parent_id=values.integer(value.get("parent_order_id")),
        order_id=None if order_id == -1 else order_id,
        of_one_ticket="order_id" in value or "order_status" in value,
    )


def _text(value: dict[str, object]) -> str:
    """Return the words beside an order row; "-1" and the like are no words."""
    for key in ("text", "warning_message"):
        word = (values.text(value.get(key)) or "").strip()
        if word and values.integer(word) is None:
            return word
    return ""


def _words(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(word for word in map(values.text, listed) if word is not None)


def cancel(status: int, body: bytes) -> CancelAnswer:
    """Read the answer to a cancel; HTTP errors of the session (401, 429, 5xx) are the endpoint's to raise."""
    value = reading.parse(body)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Unreadable) or not isinstance(value, dict):
        return CancelInDoubt(reason=f"HTTP status {status}, no readable answer", excerpt=reading.excerpt(body))
    said = errors.refusal(value)
    if said is not None:
        lower = said.lower()
        if _proves_nothing(lower):
            return CancelInDoubt(reason="the refusal proves nothing", excerpt=reading.excerpt(body))
        unknown = "exist" in lower or "not found" in lower or "unknown" in lower
        return CancelRefused(reason=said, inactive="inactive" in lower, unknown=unknown)
    order_id = values.integer(value.get("order_id", value.get("orderId")))
    text = values.text(value.get("msg")) or ""
    if status >= 300 or (order_id is None and not text):
        return CancelInDoubt(reason=f"HTTP status {status}, no known shape", excerpt=reading.excerpt(body))
    at_once = values.integer(value.get("conid")) == -1 and not value.get("account")
    return CancelTaken(order_id=order_id, at_once=at_once, text=text)
