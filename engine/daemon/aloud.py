"""Fills said in the log once they are on the disk: what a person who watches a daemon wants to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from engine.domain.facts import Filled
from engine.domain.instrument import Instrument
from engine.operator.rows import plain
from engine.runtime.live.ordering import Ledger

log = structlog.get_logger()


class Aloud:
    """A ledger that tells of the fills it has stored. Fulfils `ordering.Ledger`."""

    def __init__(self, ledger: Ledger, instruments: Mapping[int, Instrument]) -> None:
        self._ledger = ledger
        self._instruments = instruments

    async def store(self, rows: Sequence[tuple[int, str, str, Any]], *, coids: Sequence[str], essential: bool) -> None:
        """Store, then tell. Raises: as the ledger."""
        await self._ledger.store(rows, coids=coids, essential=essential)
        for _, _, _, fact in rows:
            if isinstance(fact, Filled):
                instrument = self._instruments.get(fact.conid)
                name = fact.conid if instrument is None else instrument.symbol
                done = "bought" if fact.side == "BUY" else "sold"
                log.info("filled", did=f"{done} {plain(fact.quantity)} {name} at {plain(fact.price)}", order=fact.coid)
