"""What a restart must not forget, out of the journal's rows: what was sent today, and the latches that risk has set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from engine.risk.account import Held
from engine.risk.standing import Standing

LATCHES: Final = ("risk_latched", "risk_lifted")
SUMMED: Final = "risk_sent"  # what an earlier journal had of it
SENT: Final = ("judged", "worth", "approved", "modify", "cancel", "answer", SUMMED)
STANDING: Final = "risk_day"
_STANDING: Final = msgspec.json.Decoder(Standing)
_HELD: Final = msgspec.json.Decoder(Held)


def latches(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, Held]]:
    """Owner and latch of all that hold still. Rows are (kind, name, body as JSON), oldest first."""
    found: dict[str, Held] = {}
    for kind, name, body in rows:
        if kind == "risk_lifted":
            found.clear()
        elif kind == "risk_latched":
            held = _HELD.decode(body)
            known = found.get(name)
            if known is None or known.level <= held.level or known.until_ns is not None:
                found[name] = held
    return list(found.items())


def standings(rows: Iterable[tuple[str, str]]) -> dict[str, Standing]:
    """How each owner stood last. Rows are (name, body as JSON), oldest first."""
    return {name: _STANDING.decode(body) for name, body in rows}


def sent(rows: Iterable[tuple[int, str, str, str]]) -> Iterator[tuple[int, str, str, float]]:
    """What `Account.rebuild` takes. Rows are (time, kind, name, body as JSON), oldest first."""
    worth: dict[str, float] = {}
    whose: dict[str, str] = {}
    money: dict[str, tuple[dict[str, Any], float]] = {}  # the ticket in force and what it was worth, by coid
    for ts_ns, kind, name, body in rows:
        match kind:
            case "risk_sent":
                what, notional = msgspec.json.decode(body)
                yield ts_ns, what, name, float(notional)
            case "judged":
                worth[name] = _notional(msgspec.json.decode(body))
            case "worth":
                worth[name] = float(msgspec.json.decode(body) or 0.0)
            case "approved":
                for ticket in msgspec.json.decode(body)["tickets"]:
                    coid = ticket["coid"]
                    whose[coid] = ticket["strategy"]
                    money[coid] = ticket, worth.pop(coid, 0.0)
                    yield ts_ns, "order", ticket["strategy"], money[coid][1]
            case "modify" if name in whose:
                ticket, before = msgspec.json.decode(body), money[name][1]
                after = before * _times(money[name][0], ticket)
                money[name] = ticket, after
                yield ts_ns, kind, whose[name], max(after - before, 0.0)
            case "cancel" if name in whose:
                yield ts_ns, kind, whose[name], 0.0
            case "answer" if name in whose and '"type":"Filled"' in body:
                yield ts_ns, "fill", whose[name], 0.0
            case _:
                pass


def _times(before: dict[str, Any], after: dict[str, Any]) -> float:
    """How many times as much a ticket is worth after a modification, the market's price being as it was."""
    times = float(after["quantity"]) / float(before["quantity"])
    was, now = before["limit_price"], after["limit_price"]
    dearer = abs(float(now) / float(was)) if was and now and float(was) else 1.0
    return times * max(dearer, 1.0)


def _notional(findings: list[dict[str, Any]]) -> float:
    """The money of an order, as the check of R2 saw it."""
    for one in findings:
        if one["check"] == "order_notional":
            try:
                return float(one["value"])
            except ValueError:  # it could not be told
                return 0.0
    return 0.0
