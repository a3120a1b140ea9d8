"""Instruments that reconciliation halted, until a person has looked and says resume; a restart forgets none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

HALTED: Final = "instrument_halted"
LIFTED: Final = "instrument_resumed"
SETTLED: Final = "settled"
KINDS: Final = (HALTED, LIFTED, SETTLED)
Row = tuple[int, str, str, Any]


class InstrumentHalts:
    """Which instruments are halted and why, and which executions that are not ours have been dealt with."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}
        self.settled: set[str] = set()

    @classmethod
    def rebuilt(cls, rows: Iterable[tuple[str, str, str]]) -> InstrumentHalts:
        """Out of the journal's rows of `KINDS`: kind, name and body, oldest first."""
        found = cls()
        for kind, name, body in rows:
            if kind == HALTED:
                found.reasons[int(name)] = msgspec.json.decode(body, type=str)
            elif kind == LIFTED:
                found.reasons.pop(int(name), None)
            else:
                found.settled.update(msgspec.json.decode(body, type=list[str]))
        return found

    def halt(self, conid: int, reason: str, now_ns: int) -> list[Row]:
        """No new order in it from now on; rows for the journal."""
        self.reasons[conid] = reason
        return [(now_ns, HALTED, str(conid), reason)]

    def lift(self, now_ns: int) -> list[Row]:
        """All of them may be traded again; rows for the journal."""
        rows: list[Row] = [(now_ns, LIFTED, str(conid), reason) for conid, reason in sorted(self.reasons.items())]
        self.reasons.clear()
        return rows

    def settle(self, executions: Iterable[str], now_ns: int) -> list[Row]:
        """These have been dealt with and explain no later difference; rows for the journal."""
        new = sorted(set(executions) - self.settled)
        self.settled.update(new)
        return [(now_ns, SETTLED, "", new)] if new else []
