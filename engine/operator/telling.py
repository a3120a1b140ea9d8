"""A journal row in a sentence: what it says to a person who asks why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.journal.durable import StoredRow
from engine.operator.rows import plain

_CONID: Final = re.compile(r"\bconid (\d+)\b")
_SILENCE: Final = "no answer in time: whether it arrived is not known"


def _ticket(what: Mapping[str, Any]) -> str:
    """A ticket in a line, as traders say it."""
    parts = [what["side"], what["quantity"], "of", f"conid {what['conid']}", what["order_type"]]
    if what.get("limit_price") is not None:
        parts += ["at", what["limit_price"]]
    if what.get("stop_price") is not None:
        parts += ["stop", what["stop_price"]]
    if what.get("trail") is not None:
        parts += ["trail", what["trail"]]
    parts.append(what.get("tif", "DAY"))
    if what.get("parent"):
        parts.append(f"(child of {what['parent']})")
    return " ".join(map(str, parts))


def _approved(body: Any) -> str:
    return "risk approved " + "; ".join(_ticket(ticket) for ticket in body["tickets"])


def _judged(body: Any) -> str:
    against = [f"{one['check']} ({one['code']}): {one['sentence']}" for one in body if not one["allows"]]
    return f"risk made {len(body)} checks: " + ("; ".join(against) or "none is against it")


def _found(body: Any) -> str:
    if "execution_id" in body:
        return (
            f"found at the venue: {_plain(body['size'])} at {_plain(body['price'])} (execution {body['execution_id']})"
        )
    return f"found at the venue: order {body['order_id']}, {body['status']}"


def _denied(body: Any) -> str:
    intent, refusal = body
    what = _ticket(intent) if "order_type" in intent else "the change" if "changes" in intent else "the cancel"
    return f"risk refused {what}: {refusal['code']}, {refusal['sentence']}"


def _write(body: Any) -> str:
    if isinstance(body, list):
        return "sent to the venue: " + "; ".join(_ticket(ticket) for ticket in body)
    return f"sent over the working order, as a full ticket: {_ticket(body)}"


def _question(body: Any) -> str:
    ids = ", ".join(body["message_ids"]) or "without an id"
    return f"the venue asks ({ids}): {' | '.join(body['texts'])}"


def _reply(body: Any) -> str:
    return f"answered {'yes' if body['confirmed'] else 'no'}: {body['reason']}"


def _fill(body: Mapping[str, Any]) -> str:
    told = f"filled {_plain(body['quantity'])} at {_plain(body['price'])}"
    if body.get("legs"):
        moved = ", ".join(
            f"{_plain(leg['quantity'])} of {leg['conid']} at {_plain(leg['price'])}" for leg in body["legs"]
        )
        told = f"{told} net; legs: {moved}" if Decimal(body["quantity"]) else f"a leg of its next unit filled: {moved}"
    return f"{told} (execution {body['exec_id']})"


def _reason(sentence: str) -> Callable[[Mapping[str, Any]], str]:
    def told(body: Mapping[str, Any]) -> str:
        reason = body.get("reason", "")
        code = body.get("code", "")
        return sentence + (f" ({code})" if code else "") + (f": {reason}" if reason else "")

    return told


def _id(sentence: str) -> Callable[[Mapping[str, Any]], str]:
    def told(body: Mapping[str, Any]) -> str:
        return sentence + (f", order {body['venue_id']}" if body.get("venue_id") else "")

    return told


_VENUES: Final = frozenset({"", "VENUE", "INACTIVE"})  # codes of refusals that are the venue's own
_UNSENT: Final = frozenset({"UNSENT", "DISCONNECTED", "HALTED", "PREVIEW"})


def _refused(body: Mapping[str, Any]) -> str:
    code = body.get("code", "")
    return _reason("the venue refused it" if code in _VENUES else "never sent" if code in _UNSENT else "refused")(body)


_ANSWERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "Pending": _id("the venue has it, not yet working"),
    "Accepted": _id("works at the venue"),
    "Refused": _refused,
    "Modified": lambda _: "the venue took the new ticket",
    "ModifyRefused": _reason("the venue keeps the old ticket"),
    "CancelRefused": _reason("not cancelled"),
    "Cancelled": _reason("off the book"),
    "AnswerMissing": lambda _: _SILENCE,
    "ProvedAbsent": lambda _: "proved absent: it never reached the venue",
    "Filled": _fill,
}


def _answer(body: Any) -> str:
    if "type" not in body:  # the guard's: what the venue said, as it said it
        return f"the venue answered: {_write_answer(body)}"
    told = _ANSWERS.get(body.get("type", ""))
    return _raw(body) if told is None else told(body)


def _write_answer(body: Any) -> str:
    if isinstance(body, str):
        return "nothing of it left us" if body == "unsent" else body
    said = [f"taken as order {leg['order_id']} ({leg['status']})" for leg in body.get("taken", ())]
    said += [f"refused: {leg['reason']}" for leg in body.get("refused", ())]
    if body.get("questions"):
        said.append("questions come first")
    if not said and body.get("reason"):
        said.append(str(body["reason"]))
    return "; ".join(said) or _raw(body)


def _cancel_answer(body: Any) -> str:
    reason = body.get("reason", "")
    return str(reason) if reason else "request received, the end comes later"


def _wish(body: Any) -> str:
    changes = ", ".join(f"{name} {value}" for name, value in body["changes"].items())
    return f"a change waits for an earlier answer: {changes}"


def _latch(body: Any) -> str:
    if isinstance(body, str):
        return f"the guard halted: {body}"
    if body.get("latch") == "set":
        return f"trading {body['level']}: {body['reason']}" + (", and flattened" if body.get("flatten") else "")
    if body.get("latch") == "flat":
        return "the venue says that nothing is held"
    return "an operator resumed trading"


def _command(body: Any) -> str:
    if "verb" in body:
        args = ", ".join(f"{name} {value}" for name, value in body.get("args", {}).items() if value not in ("", None))
        return f"an operator said {body['verb']}" + (f" ({args})" if args else "")
    return f"an operator answered question {body['question']} {'yes' if body['yes'] else 'no'}"


def _reload(body: Any) -> str:
    if body.get("loosened"):
        return f"an operator confirmed looser limits: {'; '.join(body['loosened'])}"
    return "limits read again" + (f"; these wait: {'; '.join(body['waiting'])}" if body.get("waiting") else "")


def _raw_text(body: Any) -> str:
    return str(body)


def _session(body: Any) -> str:
    if body["up"]:
        return "the session is up: orders can be sent"
    expected = ", as was known ahead" if body.get("expected") else ""
    return f"the session is down at the {body['layer']}{expected}: {body['reason']}"


def _taken_over(body: Any) -> str:
    return (
        f"{body['owner']} takes over {_plain(body['quantity'])} of conid {body['conid']} that came by no order of ours"
    )


def _cash(body: Any) -> str:
    return "the venue's cash, taken for ours: " + ", ".join(f"{_plain(much)} {name}" for name, much in body.items())


def _ledger(body: Any) -> str:
    rows = (f"{_plain(one['cash'])} {name}" for name, one in body.items())
    return "the venue's ledger when the books were compared: " + ", ".join(rows)


def _plain(amount: str) -> str:
    return plain(Decimal(amount)) or amount


def _alert(body: Any) -> str:
    return f"alert {body['code']}: {body['sentence']}"


_TELLS: Final[Mapping[str, Callable[[Any], str]]] = {
    "approved": _approved,
    "denied": _denied,
    "held": lambda body: f"held, not sent: {body[1]['code']}, {body[1]['sentence']}",
    "judged": _judged,
    "worth": lambda body: f"risk counts it as {'unknown' if body is None else format(body, '.2f')} in base currency",
    "found": _found,
    "write": _write,
    "modify": lambda body: f"a change was approved: {_ticket(body)}",
    "wish": _wish,
    "cancel": lambda _: "a cancellation is wanted",
    "cancel_sent": lambda body: f"cancellation asked for at the venue, try {body['try']}",
    "answer_to_cancel": lambda body: f"the venue on the cancellation: {_cancel_answer(body)}",
    "answer_to_write": lambda body: f"the venue answered: {_write_answer(body)}",
    "stale_answer": lambda body: f"an answer to an earlier request: {_write_answer(body)}",
    "answer": _answer,
    "question": _question,
    "rule": lambda body: f"rule {body['rule']} says {body['stance']}: {body['reason']}",
    "reply": _reply,
    "doubt": lambda body: f"in doubt: {body}",
    "not_modified": lambda body: f"not modified ({body[0]}): {body[1]}",
    "foreign": lambda body: str(body),
    "illegal": lambda body: f"frozen: {body}",
    "row_unknown": lambda body: f"the venue named an order {body['order_id']} that fits none of the group",
    "fee": lambda body: f"fee {_plain(body['amount'])} for execution {body['execution_id']}",
    "session": _session,
    "taken_over": _taken_over,
    "cash": _cash,
    "ledger": _ledger,
    "reconciled": lambda body: (
        "the books agree with the venue's" if not body else f"the books differ: {'; '.join(body)}"
    ),
    "availability": lambda body: f"market data are {body}",
    "guard": lambda body: f"the guard, while there was no daemon: {body}",
    "operator": _command,
    "latch": _latch,
    "alert": _alert,
    "alive": lambda _: "an operator looks after it",
    "reload": _reload,
    "risk_latched": lambda body: f"risk latched: {body['sentence']}",
    "risk_lifted": lambda _: "an operator lifted what risk had latched",
    "cancel_all_sent": lambda body: (
        f"cancellation of everything asked for at the venue, for {len(body['coids'])} orders"
    ),
    "answer_to_cancel_all": lambda body: f"the venue on cancelling everything: {_cancel_answer(body)}",
    # What the guard writes into its own journal.
    "took": lambda body: f"the daemon, process {body['pid']}, is guarded from here on",
    "fenced": _raw_text,
    "order": lambda body: f"closes a position: {_ticket(body)}",
    "trouble": _raw_text,
    "done": lambda body: f"done: {body}",
}


def _raw(body: Any) -> str:
    if isinstance(body, str):
        return body
    return msgspec.json.encode(body).decode()


def tell(row: StoredRow, symbols: Mapping[str, str]) -> str:
    """The row in one sentence; one of a kind or shape that is not known is shown as it is.

    Args:
        symbols: How instruments are called, by conid.
    """
    return _CONID.sub(lambda found: symbols.get(found[1], found[0]), _said(row))


def _said(row: StoredRow) -> str:
    body = msgspec.json.decode(row.body)
    told = _TELLS.get(row.kind)
    if told is None:
        return f"{row.kind}: {_raw(body)}"
    try:
        return told(body)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError):  # a row of another version
        return f"{row.kind}: {_raw(body)}"


def rule_of(row: StoredRow) -> str | None:
    """The name of the rule or check that a row speaks of."""
    if row.kind not in ("rule", "denied"):
        return None
    body = msgspec.json.decode(row.body)
    try:
        return str(body["rule"] if row.kind == "rule" else body[1]["code"])
    except (KeyError, TypeError, IndexError):
        return None
