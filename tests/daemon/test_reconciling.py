"""What counts as a difference: only what two readings show, of which the second knows all that the first could."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.testing

from engine.daemon.halting import InstrumentHalts
from engine.daemon.reconciling import Reconciler
from engine.domain.brokerage import Balance, ExecutionsKnown, OrdersKnown, VenuePosition
from engine.domain.instrument import Instrument, SecType
from engine.errors import VenueUnreachable
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.reconcile import ReconcilePolicy
from engine.orders.replies import read_policy
from engine.portfolio.books import Portfolio
from engine.webapi.clock import RatedClock
from tests.portfolio.test_books import booked, fill_of

S = 1_000_000_000
AAPL = Instrument(conid=265598, symbol="AAPL")
ES = Instrument(conid=11, symbol="ES", sec_type=SecType.FUTURE, multiplier=Decimal(50))


class Venue:
    """A venue whose positions are three units ahead of our books; `stale` readings of executions are from long ago."""

    def __init__(self, clock: RatedClock, stale: int, lost: int) -> None:
        self._clock = clock
        self._stale = stale
        self._lost = lost
        self.readings = 0

    async def orders(self) -> OrdersKnown:
        return OrdersKnown(orders=(), as_of_ns=self._clock.now_ns())

    async def executions(self) -> ExecutionsKnown:
        self.readings += 1
        if 1 < self.readings <= 1 + self._lost:
            raise VenueUnreachable("GET /iserver/account/trades", "nobody answers there")
        as_of_ns = 0 if self.readings <= 1 + self._stale else self._clock.now_ns()
        return ExecutionsKnown(executions=(), as_of_ns=as_of_ns, days=7)

    async def positions(self) -> tuple[VenuePosition, ...]:
        return (VenuePosition(conid=AAPL.conid, quantity=Decimal(3)),)

    async def ledger(self) -> Mapping[str, Balance]:
        return {}


class Holder(Venue):
    """A venue that holds one future and tells this cash; nobody has paid for the future."""

    def __init__(self, clock: RatedClock, cash: Decimal) -> None:
        super().__init__(clock, 0, 0)
        self._cash = cash

    async def positions(self) -> tuple[VenuePosition, ...]:
        return (VenuePosition(conid=ES.conid, quantity=Decimal(1), average_cost=Decimal(250_000)),)

    async def ledger(self) -> Mapping[str, Balance]:
        return {"USD": Balance(cash=self._cash)}


class Heard:
    """Stands for the nursery: letters, and how often one waited for them to be taken in."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.waits = 0

    async def digested(self) -> None:
        self.waits += 1
        await trio.lowlevel.checkpoint()

    def __getattr__(self, name: str) -> Any:
        return self.letters.append


def reconciler_of(venue: Any, clock: RatedClock, heard: Any, books: Portfolio, store: Any) -> Reconciler:
    book: Any = LiveOrders()
    return Reconciler(
        venue,
        clock,
        heard,
        Desk(book, read_policy({}), DeskSettings()),
        books,
        books.instruments,
        ReconcilePolicy(),
        store=store,
        alert=lambda alert, now_ns: None,
        halts=InstrumentHalts(),
        last_cash={},
        last_ledger={},
    )


@pytest.mark.parametrize(("stale", "lost", "readings"), [(0, 0, 2), (3, 0, 5), (0, 1, 2)])
async def test_a_difference_counts_once_executions_are_known_from_after_the_first_reading(
    autojump_clock: trio.testing.MockClock, stale: int, lost: int, readings: int
) -> None:
    del autojump_clock
    clock = RatedClock(1_000 * S, 1.0)
    venue, heard, stored = Venue(clock, stale, lost), Heard(), list[Any]()

    async def store(rows: Any) -> None:
        stored.extend(rows)

    books = Portfolio(instruments={AAPL.conid: AAPL}, cash={}, rates={"USD": Decimal(1)})
    reconciler = reconciler_of(venue, clock, heard, books, store)
    done = await reconciler.run_once(first=False)
    assert venue.readings == readings
    assert heard.waits == readings - stale - lost
    assert done is (lost == 0)
    assert bool([row for row in stored if row[1] == "reconciled" and row[3]]) is (lost == 0)


@pytest.mark.parametrize("bought", [True, False])
@pytest.mark.parametrize(("cash", "gaps"), [("100000", []), ("100020", [("USD", Decimal(20))])])
async def test_what_a_future_stands_for_is_no_gap_in_cash(
    autojump_clock: trio.testing.MockClock, cash: str, gaps: list[tuple[str, Decimal]], *, bought: bool
) -> None:
    """100,000 and a future of 50 x 5,000: bought by ourselves, or found in the account."""
    del autojump_clock
    clock = RatedClock(1_000 * S, 1.0)
    stored: list[Any] = []

    async def store(rows: Any) -> None:
        stored.extend(rows)

    books = Portfolio(instruments={ES.conid: ES}, cash={"USD": Decimal(100_000)}, rates={"USD": Decimal(1)})
    if bought:
        booked(books, fill_of(ES.conid, Decimal(1), Decimal(5_000)))
    else:
        books.take_over("outside", ES.conid, Decimal(1), Decimal(250_000))
    assert books.cash == {"USD": Decimal(-150_000)}
    venue = Holder(clock, Decimal(cash))
    assert await reconciler_of(venue, clock, Heard(), books, store).run_once(first=False)
    assert [row[3] for row in stored if row[1] == "cash"] == [dict([gap]) for gap in gaps]
