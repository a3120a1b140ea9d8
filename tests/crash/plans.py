"""What a sweep does, from one seed: where each daemon dies, and what goes wrong at the gateway meanwhile."""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import frozen

# Every kind of row that the order path stores before something follows from it.
STEPS = (
    "approved",
    "write",
    "answer_to_write",
    "answer",
    "question",
    "rule",
    "reply",
    "modify",
    "cancel",
    "cancel_sent",
    "answer_to_cancel",
    "fee",
    "found",
    "reconciled",
    "session",
    "*",
)
ORDERS = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
ORDER = "* /iserver/account/{accountId}/order/{orderId}"
LISTS = "GET /iserver/account/*"
KINDS = (
    "delay",
    "status",
    "drop",
    "close",
    "reset",
    "half-open",
    "garbage",
    "truncate",
    "cut",
    "late-live",
    "silent",
    "duplicate",
    "reorder",
    "late-commission",
    "session-reset",
    "session-lost",
    "competing-login",
    "restart",
    "drop-connections",
    "stall-connections",
    "bulletin",
    "prompt",
    "frozen",
    "delayed",
    "crossed",
    "one-sided",
)
LINES = ("smd+265598", "smd+8314", "smd+756733")


@frozen
class Kill:
    """One daemon's end: `plan` is for `tests.crash.dying`; else it is killed `after_s` after it wrote `orders`."""

    plan: str | None
    orders: int
    after_s: float


def kills(seed: int, many: int) -> list[Kill]:
    """The ends of `many` daemons: each step before and after, in turn, and every third at any moment."""
    chance = Random(f"kills/{seed}")
    found = []
    for number in range(many):
        if number % 3 == 2:
            found.append(Kill(None, chance.randint(0, 8), chance.uniform(0.0, 2.0)))
            continue
        kind = chance.choice(STEPS)
        when = chance.choice(("before", "after"))
        found.append(Kill(f"{when}:{kind}:{chance.randint(1, 60 if kind == '*' else 6)}", 8, 2.0))
    return found


def faults(seed: int, number: int, *, hard: bool = True) -> dict[str, Any]:
    """The fault script of one daemon's time: a few kinds at once, seldom enough that the day goes on."""
    chance = Random(f"faults/{seed}/{number}")
    where = (ORDERS, REPLY, ORDER, LISTS)
    entries: list[dict[str, Any]] = []
    for kind in chance.sample(KINDS, 7):
        entry: dict[str, Any] = {"do": kind}
        if kind in KINDS[:9]:
            entry |= {"on": chance.choice(where), "probability": 0.15, "when": chance.choice(("before", "after"))}
            if kind in ("half-open", "delay"):
                entry["count"] = 2  # each costs a request's whole time limit
            if kind == "delay":
                entry["seconds"] = chance.choice((1, 5, 40))
            if kind == "status":
                entry["status"] = chance.choice((401, 429, 500, 503))
                if entry["status"] == 429:
                    entry["count"] = 1
            if kind in ("garbage", "truncate", "cut"):
                entry["when"] = "after"
        elif kind == "late-live":
            entry |= {"on": REPLY, "probability": 0.3}
        elif kind in ("silent", "duplicate", "reorder"):
            entry |= {"on": chance.choice(("sor", "str", "smd", "*")), "probability": 0.1}
            if kind == "silent":
                entry["until_s"] = 10
        elif kind in ("frozen", "delayed", "crossed", "one-sided"):
            entry |= {"on": chance.choice(LINES), "from_s": 5, "until_s": 25}  # such a line must not trade meanwhile
        elif kind == "late-commission":
            entry |= {"probability": 0.3, "seconds": 8}
        else:
            entry |= {"at_s": chance.uniform(5, 50)}
            if kind == "competing-login":
                entry["seconds"] = 10
            if kind == "restart":
                entry["seconds"] = 10
            if kind == "bulletin":
                entry["text"] = "The exchange is closed early."
            if kind == "prompt":
                entry |= {"text": "Is anybody there?", "options": ["Yes", "No"]}
            if not hard and kind in ("session-lost", "restart", "competing-login"):
                continue
        entries.append(entry)
    return {"seed": chance.randrange(2**31), "fault": entries}
