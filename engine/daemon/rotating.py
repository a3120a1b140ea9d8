"""A journal that has grown is put away, and the next one begins with what it ended with.

Only at a start, with no order open, and on a later venue day than the last row: so nothing of a day is ever in two
files. The old file keeps everything, under the name of its last day; the new one is whole before it takes its place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from engine.daemon import halting
from engine.daemon.recovering import Books, read_books
from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_DAY
from engine.journal.durable import DurableJournal
from engine.operator.trading import KIND as LATCH
from engine.portfolio.identity import TALLIES

LARGE_BYTES: Final = 64 << 20
KEPT_NS: Final = 7 * NS_PER_DAY  # as far back as the venue tells of executions
Row = tuple[int, str, str, Any]


def rotate(
    path: Path,
    instruments: Mapping[int, Instrument],
    rates: Mapping[str, Decimal],
    *,
    day_began_ns: int,
    large_bytes: int = LARGE_BYTES,
) -> Path | None:
    """Begin a new journal if the one at `path` is large; return where the old one lies, None if nothing was done.

    Raises: InputError for a journal that can't be read.
    """
    if not path.exists() or path.stat().st_size < large_bytes:
        return None
    old = DurableJournal(path)
    try:
        books = read_books(old, instruments, rates)
        last_ns = next((row.ts_ns for row in old.rows(after=old.last_seq - 1)), 0)
        if last_ns >= day_began_ns or any(order.is_open for order in books.orders.orders.values()):
            return None
        rows = _opening(books, last_ns)
        rows += [(row.ts_ns, row.kind, row.name, row.what) for row in old.raw_rows(kinds=(LATCH, *halting.KINDS))]
        coids = old.sent_coids()
    finally:
        old.close()
    day = datetime.fromtimestamp(last_ns // 1_000_000_000, UTC).strftime("%Y%m%d")
    archive = _free_name(path, day)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    new = DurableJournal(fresh)
    try:
        new.write([(last_ns, "rotated", "", {"from": archive.name}), *rows], coids=coids)
    finally:
        new.close()
    os.link(path, archive)
    fresh.replace(path)
    fresh.with_name(fresh.name + ".reserve").unlink(missing_ok=True)
    return archive


def _opening(books: Books, last_ns: int) -> list[Row]:
    """The rows that a new journal begins with."""
    portfolio = books.portfolio
    kept = [order for order in books.orders.orders.values() if order.updated_ns >= last_ns - KEPT_NS]
    fills = {execution for order in kept for execution in order.fills}
    rows: list[Row] = [
        (last_ns, "cash", "", portfolio.cash),
        (last_ns, "fees", "", portfolio.fees),
        (last_ns, "numbers", "", books.numbers),
        (last_ns, "charged", "", sorted(books.charged & fills)),
    ]
    for (owner, conid), held in portfolio.holdings.items():
        what = {"conid": conid, "quantity": held.quantity, "cost": held.cost, "realised": held.realised}
        rows.append((last_ns, "holding", owner, what))
    # After the holdings: what they were taken over for is no deposit of the day.
    tallies = {name: getattr(portfolio, name) for name in TALLIES}
    rows += [(last_ns, "tallies", "", tallies), (last_ns, "estimates", "", portfolio.estimates)]
    rows.append((last_ns, "ledger", "", books.ledger))
    rows += [(last_ns, "order", order.coid, order) for order in kept]
    rows += [(last_ns, "state", strategy, saved) for strategy, saved in books.saved.items()]
    return rows


def _free_name(path: Path, day: str) -> Path:
    """A name for the old file that no other has."""
    for number in range(1, 1_000):
        tail = "" if number == 1 else f"-{number}"
        name = path.with_name(f"{path.stem}-{day}{tail}{path.suffix}")
        if not name.exists():
            return name
    raise AssertionError("a thousand journals of one day")
