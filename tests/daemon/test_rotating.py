"""A journal that is put away takes nothing along: the next one begins with the same books."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from engine.daemon.recovering import Books, read_books
from engine.daemon.rotating import rotate
from engine.domain.brokerage import Balance
from engine.domain.facts import ESTIMATED, Filled
from engine.domain.instrument import Instrument
from engine.domain.order import CLOSED
from engine.errors import CoidUsed
from engine.journal.durable import DurableJournal
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import FeeKnown
from engine.portfolio.commissions import open_estimates
from engine.portfolio.identity import TALLIES, gaps
from tests.orders.test_desk_storm import World

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


def test_the_next_journal_begins_with_the_same_books(tmp_path: Path) -> None:
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


def test_nothing_is_put_away_in_the_middle_of_a_day_or_with_an_order_open(tmp_path: Path) -> None:
    last_ns = written(tmp_path / "a.db")
    assert rotate(tmp_path / "a.db", INSTRUMENTS, RATES, day_began_ns=last_ns, large_bytes=0) is None
    assert rotate(tmp_path / "a.db", INSTRUMENTS, RATES, day_began_ns=last_ns + DAY, large_bytes=1 << 30) is None
    last_ns = written(tmp_path / "b.db", open_orders=True)
    assert any(order.state not in CLOSED for order in books_of(tmp_path / "b.db").orders.orders.values())
    assert rotate(tmp_path / "b.db", INSTRUMENTS, RATES, day_began_ns=last_ns + DAY, large_bytes=0) is None
    assert rotate(tmp_path / "none.db", INSTRUMENTS, RATES, day_began_ns=last_ns, large_bytes=0) is None
