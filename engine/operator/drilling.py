"""What a drill of the kill switch came to: how long each step took, out of the journal's own rows. Pure.

All times are seconds of the venue's clock since the command was stored. A request has "left" when the journal holds it;
it is acknowledged, and its order dead, when the venue's word has been taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.domain.moments import NS_PER_S
from engine.journal.durable import StoredRow
from engine.operator.flattening import TAG

SOURCE: Final = "drill"  # of the latch
_ENDS: Final = frozenset({"Cancelled", "Refused", "ProvedAbsent", "Filled"})


def report(rows: Iterable[StoredRow]) -> dict[str, Any] | None:
    """The last drill in the rows, which are oldest first; None if there is none.

    Returns: `steps` in their order, each with `step`, `count`, `first_s` and `last_s` (None: it has not come to that);
    `orders` with `coid`, `sent_s`, `acknowledged_s`, `dead_s`; `flat` whether the venue has said that nothing is held.
    """
    began, kept = _last_drill(rows)
    if began is None:
        return None
    sent: dict[str, int] = {}
    taken: dict[str, int] = {}
    dead: dict[str, int] = {}
    closing: dict[str, int] = {}
    filled: dict[str, int] = {}
    halted: list[int] = []
    flat: list[int] = []
    by_one = 0
    for row in kept:
        body = msgspec.json.decode(row.body)
        match row.kind:
            case "latch" if body["latch"] == "set" and row.name == SOURCE:
                halted.append(row.ts_ns)
            case "latch" if body["latch"] == "flat":
                flat.append(row.ts_ns)
            case "cancel_sent":
                sent.setdefault(row.name, row.ts_ns)
            case "cancel_all_sent":
                by_one += 1
                sent.update({coid: row.ts_ns for coid in body["coids"] if coid not in sent})
            case "answer_to_cancel":
                taken.setdefault(row.name, row.ts_ns)
            case "answer_to_cancel_all":
                taken.update({coid: row.ts_ns for coid in sent if coid not in taken})
            case "approved":
                closing.update({one["coid"]: row.ts_ns for one in body["tickets"] if one.get("tag") == TAG})
            case "answer" if body.get("type") in _ENDS:
                if row.name in closing:
                    filled[row.name] = row.ts_ns
                else:
                    dead[row.name] = row.ts_ns
            case _:
                pass
    wanted = dict.fromkeys(sent)
    ends = {coid: at for coid, at in dead.items() if coid in wanted}
    return {
        "began_ns": began.ts_ns,
        "steps": [
            _step("halt stored", halted, began),
            _step("cancels sent", sent.values(), began),
            _step("cancels acknowledged", [at for coid, at in taken.items() if coid in wanted], began),
            _step("orders proved dead", ends.values(), began),
            _step("flattening orders approved", closing.values(), began),
            _step("flattening orders ended", filled.values(), began),
            _step("flat", flat, began),
        ],
        "orders": [
            {
                "coid": coid,
                "sent_s": _since(sent.get(coid), began),
                "acknowledged_s": _since(taken.get(coid), began),
                "dead_s": _since(ends.get(coid), began),
            }
            for coid in wanted
        ],
        "cancel_all_requests": by_one,
        "flat": bool(flat),
    }


def _last_drill(rows: Iterable[StoredRow]) -> tuple[StoredRow | None, Sequence[StoredRow]]:
    """The row of the last command, and all that came after it."""
    began: StoredRow | None = None
    kept: list[StoredRow] = []
    for row in rows:
        if row.kind == "operator" and msgspec.json.decode(row.body).get("verb") == "drill":
            began, kept = row, []
        elif began is not None:
            kept.append(row)
    return began, kept


def _step(name: str, times: Iterable[int], began: StoredRow) -> Mapping[str, Any]:
    ordered = sorted(times)
    return {
        "step": name,
        "count": len(ordered),
        "first_s": _since(ordered[0] if ordered else None, began),
        "last_s": _since(ordered[-1] if ordered else None, began),
    }


def _since(ts_ns: int | None, began: StoredRow) -> float | None:
    return None if ts_ns is None else round((ts_ns - began.ts_ns) / NS_PER_S, 3)
