"""Fills said in the log once they are on the disk: what a person who watches a daemon wants to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from attrs import frozen

from engine.domain.facts import Filled
from engine.domain.instrument import Instrument
from engine.operator.rows import plain
from engine.runtime.live.storing import Ledger, Stored

log = structlog.get_logger()


class Aloud:
    """A ledger that tells of the fills it has stored. Fulfils `ordering.Ledger`."""

    def __init__(self, ledger: Ledger, instruments: Mapping[int, Instrument]) -> None:
        self._ledger = ledger
        self._instruments = instruments

    def begin(
        self,
        rows: Sequence[tuple[int, str, str, Any]],
        *,
        coids: Sequence[str],
        essential: bool,
        then: Callable[[], None] | None = None,
    ) -> Stored:
        """Have them stored; who waits for that tells."""
        return _Told(self, self._ledger.begin(rows, coids=coids, essential=essential, then=then), rows)

    def tell(self, rows: Sequence[tuple[int, str, str, Any]]) -> None:
        """Tell of the fills among them."""
        for _, _, _, fact in rows:
            if isinstance(fact, Filled):
                instrument = self._instruments.get(fact.conid)
                name = fact.conid if instrument is None else instrument.symbol
                done = "bought" if fact.side == "BUY" else "sold"
                log.info("filled", did=f"{done} {plain(fact.quantity)} {name} at {plain(fact.price)}", order=fact.coid)


@frozen
class _Told:
    aloud: Aloud
    stored: Stored
    rows: Sequence[tuple[int, str, str, Any]]

    async def wait(self) -> None:
        """Raises: as the ledger; then nothing is told."""
        await self.stored.wait()
        self.aloud.tell(self.rows)
