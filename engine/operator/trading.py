"""What may be traded now, and what stands against it. Pure; its rows in the journal build it again at the next start.

`starting` until the venue's books have been read, then `on`, unless latches hold: `reducing` lets only pass what makes
a position smaller, `halted` lets nothing pass and has open orders cancelled. A latch is set by a person, by risk, by
the supervisor or by the guard, and only a person lifts it. A crash sets none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

KIND: Final = "latch"  # of its rows in the journal; their name is the latch's source
LIFTED: Final = "operator"
Row = tuple[int, str, str, Any]


class TradingState(StrEnum):
    """What `engine status` shows as `trading`."""

    STARTING = "starting"
    ON = "on"
    REDUCING = "reducing"
    HALTED = "halted"


class Latch(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds until a person lifts it.

    `level` is `halted` or `reducing`, `source` who set it, `guard_seq` the row of the guard's journal it comes from.
    With `flatten` positions are to be closed too; a restart goes on with that.
    """

    level: TradingState
    source: str
    reason: str
    ts_ns: int
    guard_seq: int = 0
    flatten: bool = False


class _Set(msgspec.Struct, tag_field="latch", tag="set"):
    level: TradingState
    reason: str
    guard_seq: int = 0
    flatten: bool = False


class _Lifted(msgspec.Struct, tag_field="latch", tag="lifted"):
    count: int = 0


class _Flat(msgspec.Struct, tag_field="latch", tag="flat"):
    pass


_BODY: Final = msgspec.json.Decoder(_Set | _Lifted | _Flat)


class TradingDesk:
    """The trading state. Methods return the row that must be in the journal before anything follows from the change."""

    def __init__(self) -> None:
        self._started = False
        self._latches: list[Latch] = []
        self._guard_seq = 0

    @classmethod
    def rebuilt(cls, rows: Iterable[tuple[int, str, str, str]]) -> TradingDesk:
        """Fold the journal's rows: time, kind, name, body as JSON; other kinds than ours are passed over."""
        made = cls()
        for ts_ns, kind, name, body in rows:
            if kind != KIND:
                continue
            said = _BODY.decode(body)
            if isinstance(said, _Lifted):
                made._latches.clear()
            elif isinstance(said, _Flat):
                made._done_flattening()
            else:
                made._add(
                    Latch(
                        level=said.level,
                        source=name,
                        reason=said.reason,
                        ts_ns=ts_ns,
                        guard_seq=said.guard_seq,
                        flatten=said.flatten,
                    )
                )
        return made

    @property
    def state(self) -> TradingState:
        """What may be traded: what was halted stays so while the engine starts."""
        levels = {latch.level for latch in self._latches}
        for level in (TradingState.HALTED, TradingState.REDUCING):
            if level in levels:
                return level
        return TradingState.ON if self._started else TradingState.STARTING

    @property
    def latches(self) -> Sequence[Latch]:
        """What holds, oldest first."""
        return tuple(self._latches)

    @property
    def guard_seq(self) -> int:
        """The last row of the guard's journal that has been taken over."""
        return self._guard_seq

    @property
    def reason(self) -> str:
        """Why it is not `on`, in a sentence; empty if it is."""
        if not self._latches:
            return "" if self._started else "the venue's books are being read"
        return "; ".join(latch.reason for latch in self._latches if latch.level is self.state)

    def start(self) -> None:
        """The venue's books have been read and agree: what no latch forbids may be traded."""
        self._started = True

    @property
    def started(self) -> bool:
        """Whether the venue's books were read and agreed, in this life."""
        return self._started

    @property
    def flattens(self) -> bool:
        """Whether what holds wants positions closed."""
        return any(latch.flatten for latch in self._latches)

    def latch(
        self,
        level: TradingState,
        source: str,
        reason: str,
        now_ns: int,
        *,
        guard_seq: int = 0,
        flatten: bool = False,
    ) -> list[Row]:
        """Set a latch; one that says the same as one that holds is none. Returns the rows to store."""
        if level not in (TradingState.HALTED, TradingState.REDUCING):
            raise ValueError(f"there is no latch {level}")
        one = Latch(level=level, source=source, reason=reason, ts_ns=now_ns, guard_seq=guard_seq, flatten=flatten)
        if guard_seq and guard_seq <= self._guard_seq:
            return []
        if not guard_seq and any(
            (known.level, known.source) == (level, source) and known.flatten >= flatten for known in self._latches
        ):
            return []
        self._add(one)
        return [(now_ns, KIND, source, _Set(level, reason, guard_seq, flatten))]

    def flat(self, now_ns: int) -> list[Row]:
        """Positions have been closed: a restart need not. Returns the row to store; none where nothing wanted it."""
        if not self.flattens:
            return []
        self._done_flattening()
        return [(now_ns, KIND, LIFTED, _Flat())]

    def _done_flattening(self) -> None:
        self._latches = [msgspec.structs.replace(latch, flatten=False) for latch in self._latches]

    def resume(self, now_ns: int) -> list[Row]:
        """A person lifts all latches. Returns the rows to store; none where nothing held."""
        if not self._latches:
            return []
        count = len(self._latches)
        self._latches.clear()
        return [(now_ns, KIND, LIFTED, _Lifted(count))]

    def _add(self, latch: Latch) -> None:
        self._latches.append(latch)
        self._guard_seq = max(self._guard_seq, latch.guard_seq)
