"""A journal that is put away takes nothing along: the next one begins with the same books."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from shutil import copyfile

import pytest
import trio
import trio.testing

from engine.daemon.recovering import Books, read_books
from engine.daemon.rotating import keep_small, rotate
from engine.domain.brokerage import Balance
from engine.domain.facts import ESTIMATED, Filled
from engine.domain.instrument import Instrument, SecType
from engine.errors import CoidUsed
from engine.journal.committer import Committer
from engine.journal.durable import DurableJournal
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import FeeKnown
from engine.portfolio.commissions import open_estimates
from engine.portfolio.identity import TALLIES, gaps
from engine.risk import rebuilding
from engine.risk.account import Held, Level
from tests.orders.test_desk_storm import World
from tests.runtime_live.edges import TrioClock

INSTRUMENTS = {1: Instrument(conid=1, symbol="ACME", calendar="24/7")}
RATES = {"USD": Decimal(1)}
DAY = 86_400 * 1_000_000_000


def written(path: Path, *, open_orders: bool = False) -> int:
    """A stormy day in a journal; returns the time of its last row."""
    world = World(5, loss=0.1)
    world.desk.session(True, world.now)
    steps = Random(5)
    for _ in range(120):
        world.step(steps.randint(0, 6))
    if not open_orders:
        world.desk.cancel_now(world.coids, world.now)
    world.settle()
    journal = DurableJournal(path)
    rows = list(world.book.facts)
    for order in world.book.book.values():
        for number, execution in enumerate(order.fills):
            fee = FeeKnown(execution, order.coid, "s", 1, Decimal(f"1.{number}"))
            rows.append((world.now, "fee", order.coid, fee))
    held = next(order for order in world.book.book.values() if order.fills)
    estimated = Filled(
        coid=held.coid, ts_ns=world.now, exec_id="late", conid=1, side="BUY", quantity=Decimal(1), price=Decimal(10),
        fees=(("commission", Decimal("0.75"), "USD"),), flags=(ESTIMATED,),
    )  # fmt: skip
    rows += [
        (world.now, "cash", "", {"USD": Decimal("1000.50")}),
        (world.now, "cash", "interest", {"USD": Decimal("3.25")}),
        (world.now, "ledger", "", {"USD": Balance(cash=Decimal(1_000), interest=Decimal("1.5"))}),
        (world.now, "answer", held.coid, estimated),
        (world.now, "state", "s", {"seen": 3}),
        *TradingDesk().latch(TradingState.HALTED, "risk", "a loss", world.now),
    ]
    journal.write(rows, coids=world.coids)
    journal.close()
    return world.now


def books_of(path: Path) -> Books:
    journal = DurableJournal(path)
    try:
        assert journal.verify() == []
        return read_books(journal, INSTRUMENTS, RATES)
    finally:
        journal.close()


@pytest.mark.parametrize("kind", [SecType.STOCK, SecType.FUTURE])
def test_the_next_journal_begins_with_the_same_books(
    tmp_path: Path, kind: SecType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INSTRUMENTS, 1, Instrument(conid=1, symbol="ACME", calendar="24/7", sec_type=kind))
    path = tmp_path / "journal.db"
    last_ns = written(path)
    before = books_of(path)
    assert before.portfolio.fees
    archive = rotate(path, INSTRUMENTS, RATES, day_began_ns=last_ns + DAY, large_bytes=0)
    assert archive is not None
    after = books_of(path)
    assert after.orders.orders == before.orders.orders
    assert after.orders.executions == before.orders.executions
    assert after.portfolio.cash == before.portfolio.cash
    assert after.portfolio.fees == before.portfolio.fees
    assert open_estimates(before.portfolio) == {"USD": Decimal("0.75")}
    assert (after.portfolio.estimates, after.ledger) == (before.portfolio.estimates, before.ledger)
    for tally in TALLIES:
        assert getattr(after.portfolio, tally) == getattr(before.portfolio, tally), tally
    assert (before.portfolio.interest, gaps(after.portfolio)) == ({"USD": Decimal("3.25")}, {})
    assert after.portfolio.account == before.portfolio.account
    for key, held in before.portfolio.holdings.items():
        now = after.portfolio.holdings[key]
        assert (now.quantity, now.cost, now.realised) == (held.quantity, held.cost, held.realised)
    assert (after.charged, after.saved, after.numbers) == (before.charged, before.saved, before.numbers)
    journal = DurableJournal(path)
    with pytest.raises(CoidUsed):
        journal.write([], coids=[next(iter(before.orders.orders))])
    trading = TradingDesk.rebuilt((r.ts_ns, r.kind, r.name, r.body) for r in journal.rows(kinds=("latch",)))
    assert trading.state is TradingState.HALTED
    journal.close()
    assert books_of(archive).orders.orders == before.orders.orders  # and the old one keeps everything


def test_nothing_is_put_away_that_is_small_of_today_or_not_there(tmp_path: Path) -> None:
    last_ns = written(tmp_path / "a.db")
    assert rotate(tmp_path / "a.db", INSTRUMENTS, RATES, day_began_ns=0, large_bytes=0) is None
    assert rotate(tmp_path / "a.db", INSTRUMENTS, RATES, day_began_ns=last_ns + DAY, large_bytes=1 << 30) is None
    assert rotate(tmp_path / "none.db", INSTRUMENTS, RATES, day_began_ns=last_ns, large_bytes=0) is None


def test_wherever_the_day_turns_the_books_are_the_same(tmp_path: Path) -> None:
    world, steps, calm = World(5, loss=0.05), Random(5), []
    world.desk.session(True, world.now)
    for _ in range(8):
        for _ in range(15):
            world.step(steps.randint(0, 6))
        world.settle()
        calm.append(world.now + 1)
    journal = DurableJournal(tmp_path / "journal.db")
    journal.write(list(world.book.facts), coids=world.coids)
    rows = journal.last_seq
    journal.close()
    before = books_of(tmp_path / "journal.db")
    done = 0
    for number, day_ns in enumerate(calm[4:]):
        path = tmp_path / str(number) / "journal.db"
        path.parent.mkdir()
        copyfile(tmp_path / "journal.db", path)
        archive = rotate(path, INSTRUMENTS, RATES, day_began_ns=day_ns, large_bytes=0)
        if archive is None:  # an order was on its way
            continue
        done += 1
        after = books_of(path)
        assert {c: o for c, o in after.orders.orders.items() if o.is_open} == {
            c: o for c, o in before.orders.orders.items() if o.is_open
        }
        assert after.orders.executions == before.orders.executions
        assert after.portfolio.cash == before.portfolio.cash
        assert after.portfolio.fees == before.portfolio.fees
        assert after.portfolio.account == before.portfolio.account
        assert after.numbers == before.numbers
        whole = DurableJournal(archive)
        assert (whole.last_seq, whole.verify()) == (rows, [])
        whole.close()
    assert done


async def test_a_daemon_that_runs_puts_its_journal_away_and_loses_nothing(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "journal.db"
    now_ns = TrioClock().now_ns()
    journal = DurableJournal(path)
    held = Held(Level.REDUCING, "STREAK", "three in a row", now_ns)
    journal.write(
        [(now_ns + n, "availability", "1", "live") for n in range(100)] + [(now_ns, "risk_latched", "a", held)]
    )
    committer = Committer(journal)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run)
        nursery.start_soon(partial(keep_small, committer, path, INSTRUMENTS, RATES, TrioClock(), large_bytes=0))
        number = 0
        # Two days and a half, an hour each; more where the threads were slow, for time runs on while they work.
        while number < 60 or (number < 1_000 and len(StateFolder(tmp_path).journals()) < 3):
            await trio.sleep(3_600)
            await committer.store([(TrioClock().now_ns(), "session", str(number), {})], coids=[f"a-{number:06d}"])
            number += 1
        nursery.cancel_scope.cancel()
    assert journal.verify() == []
    said = rebuilding.latches((r.kind, r.name, r.body) for r in journal.rows(kinds=rebuilding.LATCHES))
    assert said == [("a", held)]
    files = StateFolder(tmp_path).journals()
    assert len(files) >= 3  # the day has turned twice at least
    names = set()
    for file in files:
        reader = JournalReader(file)
        names |= {row.name for row in reader.rows(kinds=("session",))}
        reader.close()
    assert names == {str(one) for one in range(number)}
    assert journal.sent_coids() == [f"a-{one:06d}" for one in range(number)]
    journal.close()


def test_what_was_sent_within_the_hour_counts_in_the_next_journal_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path)

    def counted() -> list[tuple[int, str, str, float]]:
        journal = DurableJournal(path)
        try:
            rows = journal.rows(kinds=rebuilding.SENT)
            return list(rebuilding.sent((r.ts_ns, r.kind, r.name, r.body) for r in rows))
        finally:
            journal.close()

    before = counted()
    last_ns = max(ts_ns for ts_ns, *_ in before)
    assert rotate(path, INSTRUMENTS, RATES, day_began_ns=last_ns + DAY, large_bytes=0) is not None
    assert counted() == before
    assert before
