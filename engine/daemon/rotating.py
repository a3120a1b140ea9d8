"""A journal that has grown is put away, and the next one begins with what it ended with.

At a start, and by itself when the venue's day turns (`keep_small`). What earlier days ended with is folded into a new
file while the old one is still written; then, with the writer held for a moment, what has come since is copied, row by
row, and the files change places. The old file keeps everything, under the name of its last day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import structlog
import trio
from attrs import frozen

from engine.daemon import halting
from engine.daemon.days import day_began_ns
from engine.daemon.killing import KIND as ALIVE
from engine.daemon.recovering import Books, read_books
from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_DAY
from engine.domain.order import Order, State
from engine.errors import EngineError
from engine.journal.committer import Committer
from engine.journal.durable import DurableJournal, StoredRow
from engine.journal.reading import JournalReader
from engine.operator.trading import KIND as LATCH
from engine.portfolio.identity import TALLIES
from engine.portfolio.money import told_cash
from engine.ports import Clock
from engine.risk import rebuilding
from engine.risk.account import NS_PER_HOUR

LOOK_S: Final = 300.0  # of the venue's clock
LARGE_BYTES: Final = 64 << 20
KEPT_NS: Final = 7 * NS_PER_DAY  # as far back as the venue tells of executions
_KEPT: Final = (LATCH, *halting.KINDS, *rebuilding.LATCHES)
Row = tuple[int, str, str, Any]

log = structlog.get_logger()


def rotate(
    path: Path,
    instruments: Mapping[int, Instrument],
    rates: Mapping[str, Decimal],
    *,
    day_began_ns: int,
    large_bytes: int = LARGE_BYTES,
) -> Path | None:
    """Begin a new journal if the one at `path` is large and nobody writes it; return where the old one lies.

    Returns: None if nothing was done.

    Raises: InputError for a journal that can't be read.
    """
    if not path.exists() or path.stat().st_size < large_bytes:
        return None
    prepared = prepare(path, instruments, rates, day_began_ns=day_began_ns)
    if prepared is None:
        return None
    old = DurableJournal(path)
    try:
        old.put_away(prepared.fresh, prepared.archive, after=prepared.cut)
    finally:
        old.close()
    return prepared.archive


@frozen
class Prepared:
    """A new journal without what has come since the day began: its file, the old one's name, the last row in it."""

    fresh: Path
    archive: Path
    cut: int


def prepare(
    path: Path, instruments: Mapping[int, Instrument], rates: Mapping[str, Decimal], *, day_began_ns: int
) -> Prepared | None:
    """Fold what an earlier day ended with into a new file, beside a journal that may be written meanwhile.

    Returns: None where most of it is of today, or the old day ended with an order of which more was on its way than a
        row can say.

    Raises: InputError for a journal that can't be read.
    """
    old = _Until(path, day_began_ns)
    try:
        if old.cut * 2 < old.total:
            return None
        books = read_books(old, instruments, rates)
        if any(_on_its_way(books, order) for order in books.orders.orders.values() if order.is_open):
            return None
        last_ns = old.last_ns
        rows = _opening(books, last_ns)
        rows += [(row.ts_ns, row.kind, row.name, row.what) for row in old.raw_rows(kinds=_KEPT)]
        rows += _of_risk(old, last_ns)
    finally:
        old.close()
    day = datetime.fromtimestamp(last_ns // 1_000_000_000, UTC).strftime("%Y%m%d")
    archive = _free_name(path, day)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    new = DurableJournal(fresh)
    try:
        new.write([(last_ns, "rotated", "", {"from": archive.name}), *rows])
    finally:
        new.close()
    return Prepared(fresh, archive, old.cut)


class _Until(JournalReader):
    """The rows of earlier days alone: all up to the last one before a time, whatever others are written meanwhile."""

    def __init__(self, path: Path, until_ns: int) -> None:
        self.cut = 0
        super().__init__(path)
        found = self._database.execute("SELECT max(seq) FROM facts WHERE ts_ns < ?", (until_ns,)).fetchone()[0]
        self.cut = found or 0
        told = self._database.execute("SELECT ts_ns FROM facts WHERE seq = ?", (self.cut,)).fetchone()
        self.total = self._database.execute("SELECT max(seq) FROM facts").fetchone()[0] or 1
        self.last_ns = 0 if told is None else int(told[0])

    @property
    def last_seq(self) -> int:
        """Number of the last row that is looked at."""
        return self.cut

    def rows(self, *args: Any, **kwargs: Any) -> Iterator[StoredRow]:
        """As the reader's, no further than the cut."""
        return takewhile(lambda row: row.seq <= self.cut, super().rows(*args, **kwargs))


def _on_its_way(books: Books, order: Order) -> bool:
    """Whether more of an open order is on its way than one row can say."""
    instrument = books.portfolio.instruments.get(order.ticket.conid)
    rests = order.state in (State.WORKING, State.PENDING_SUBMIT) and bool(order.venue_id)
    settled = rests and order.wanted is None and order.coid not in books.orders.given_up
    return not settled or instrument is None or bool(instrument.legs)


def _of_risk(old: DurableJournal, last_ns: int) -> list[Row]:
    """What risk has to know of: how owners stand, what was sent within the hour, when a person was last heard of."""
    rows: list[Row] = []
    newest = {(row.kind, row.name): row for row in old.raw_rows(kinds=(rebuilding.STANDING, ALIVE))}
    rows += [(row.ts_ns, row.kind, row.name, row.what) for row in newest.values()]
    said = rebuilding.sent((r.ts_ns, r.kind, r.name, r.body) for r in old.rows(kinds=rebuilding.SENT))
    rows += [
        (ts_ns, rebuilding.SUMMED, strategy, (kind, notional))
        for ts_ns, kind, strategy, notional in said
        if ts_ns > last_ns - NS_PER_HOUR
    ]
    return rows


async def keep_small(
    committer: Committer,
    path: Path,
    instruments: Mapping[int, Instrument],
    rates: Mapping[str, Decimal],
    clock: Clock,
    *,
    large_bytes: int = LARGE_BYTES,
) -> None:
    """Put the journal away whenever the venue's day has turned and it is large, until cancelled."""
    day_ns = day_began_ns(clock.now_ns())
    while True:
        await clock.sleep(LOOK_S)
        began_ns = day_began_ns(clock.now_ns())
        if began_ns == day_ns:
            continue
        try:
            if path.stat().st_size < large_bytes:
                continue
            day_ns = began_ns
            work = partial(prepare, path, instruments, dict(rates), day_began_ns=began_ns)
            prepared = await trio.to_thread.run_sync(work)
            if prepared is None:
                log.info(
                    "journal_not_rotated", why="most of it is of today, or an order was on its way as the day turned"
                )
                continue
            await committer.put_away(prepared.fresh, prepared.archive, after=prepared.cut)
        except (EngineError, OSError) as error:
            log.error("journal_not_rotated", why=str(error))
        else:
            log.info("journal_rotated", archive=prepared.archive.name)


def _opening(books: Books, last_ns: int) -> list[Row]:
    """The rows that a new journal begins with."""
    portfolio = books.portfolio
    kept = [order for order in books.orders.orders.values() if order.is_open or order.updated_ns >= last_ns - KEPT_NS]
    fills = {execution for order in kept for execution in order.fills}
    rows: list[Row] = [
        (last_ns, "cash", "", told_cash(portfolio)),
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
