"""The report of a drill: what each step took, out of rows of a journal."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.journal.durable import StoredRow
from engine.operator.drilling import report

MS = 1_000_000
S = 1_000 * MS


def rows(*told: tuple[int, str, str, Any]) -> list[StoredRow]:
    encode = msgspec.json.Encoder().encode
    return [
        StoredRow(seq, at_ms * MS, kind, name, encode(body).decode())
        for seq, (at_ms, kind, name, body) in enumerate(told, 1)
    ]


DRILL: tuple[tuple[int, str, str, Any], ...] = (
    (0, "operator", "operator", {"verb": "drill", "args": {}}),
    (5, "cancel_sent", "old-000001", {}),
    (1_000, "operator", "operator", {"verb": "drill", "args": {}}),  # the last one counts
    (1_010, "latch", "drill", {"latch": "set", "level": "halted", "reason": "a drill"}),
    (1_020, "cancel_sent", "a-000001", {"order_id": "1", "try": 1}),
    (1_030, "cancel_sent", "a-000002", {"order_id": "2", "try": 1}),
    (1_100, "answer_to_cancel", "a-000001", {}),
    (1_200, "answer", "a-000001", {"type": "Cancelled"}),
    (1_250, "answer", "b-000009", {"type": "Refused"}),  # another's: it was not asked to die
    (1_300, "answer_to_cancel", "a-000002", {}),
    (1_450, "answer", "a-000002", {"type": "Cancelled"}),
    (1_500, "approved", "a-1f", {"tickets": [{"coid": "a-1f", "tag": "flatten"}]}),
    (1_800, "answer", "a-1f", {"type": "Filled"}),
    (2_000, "latch", "operator", {"latch": "flat"}),
)


def test_each_step_has_its_times() -> None:
    told = report(rows(*DRILL))
    assert told is not None
    assert [(step["step"], step["count"], step["first_s"], step["last_s"]) for step in told["steps"]] == [
        ("halt stored", 1, 0.01, 0.01),
        ("cancels sent", 2, 0.02, 0.03),
        ("cancels acknowledged", 2, 0.1, 0.3),
        ("orders proved dead", 2, 0.2, 0.45),
        ("flattening orders approved", 1, 0.5, 0.5),
        ("flattening orders ended", 1, 0.8, 0.8),
        ("flat", 1, 1.0, 1.0),
    ]
    assert (told["flat"], told["began_ns"], told["cancel_all_requests"]) == (True, S, 0)
    assert told["orders"][1] == {"coid": "a-000002", "sent_s": 0.03, "acknowledged_s": 0.3, "dead_s": 0.45}


def test_one_request_for_all_counts_for_each() -> None:
    told = report(
        rows(
            (0, "operator", "operator", {"verb": "drill"}),
            (10, "cancel_all_sent", "", {"coids": ["a-000001", "a-000002"]}),
            (40, "answer_to_cancel_all", "", {}),
        )
    )
    assert told is not None
    assert [(one["sent_s"], one["acknowledged_s"], one["dead_s"]) for one in told["orders"]] == [(0.01, 0.04, None)] * 2
    assert (told["flat"], told["cancel_all_requests"]) == (False, 1)


def test_a_journal_without_a_drill_has_no_report() -> None:
    assert report(rows((0, "operator", "operator", {"verb": "halt"}))) is None
