"""The orders task with its carrier and its journal against a venue that loses things, on virtual time."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from engine.domain.brokerage import (
    SessionNow,
    VenueOrder,
)
from engine.domain.messages import Approved, Cancel, Modify, Place
from engine.domain.order import CLOSED, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.journal.durable import DurableJournal
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.questions import CONDITIONS
from engine.orders.recovery import KINDS, recover
from engine.orders.replies import read_policy
from engine.runtime.live.carrying import Carrier
from engine.runtime.live.letters import (
    Asked,
    CancelNow,
    ExecutionsHeard,
    Judged,
    OrdersLetter,
    PortfolioLetter,
    RiskSays,
    RowsHeard,
    SessionHeard,
    Tick,
    Wanted,
)
from engine.runtime.live.ordering import Ordering
from tests.orders.model_venue import ModelVenue
from tests.runtime_live.edges import DirectLedger, LossyBroker, Recorder, TrioClock


def ticket(coid: str, quantity: int, side: Side = Side.BUY, **more: object) -> OrderTicket:
    fields: dict[str, object] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(10), **more}
    return OrderTicket(coid=coid, strategy="s", account="DU1", conid=1, side=side, quantity=Decimal(quantity), **fields)  # type: ignore[arg-type]  # fields by name


async def day(
    path: Path, seed: int, loss: float, orders: int
) -> tuple[LiveOrders, ModelVenue, DurableJournal, Recorder]:
    """Trade a day and let it settle."""
    chance, clock, people = Random(seed), TrioClock(), Recorder()
    venue = ModelVenue(chance)
    broker = LossyBroker(venue, chance, clock, loss)
    journal = DurableJournal(path)
    book = LiveOrders()
    desk = Desk(book, read_policy({}), DeskSettings())
    to_orders, inbox = trio.open_memory_channel[OrdersLetter](1_000)
    to_portfolio, at_portfolio = trio.open_memory_channel[PortfolioLetter](10_000)
    to_risk, at_risk = trio.open_memory_channel[Wanted | Asked | Tick](1_000)
    ordering = Ordering(
        desk,
        DirectLedger(journal),
        clock,
        people,
        to_portfolio=to_portfolio,
        to_risk=to_risk,
        flatten=lambda action, now_ns: Wanted((), now_ns),
        note=lambda core, now_ns, letter: None,
    )

    async def risk() -> None:
        async for letter in at_risk:
            if isinstance(letter, Asked):
                await to_orders.send(RiskSays(letter.number, dict.fromkeys(CONDITIONS, True)))
            elif isinstance(letter, Wanted):
                await to_orders.send(Judged(tuple(Approved(intent) for intent in letter.intents)))

    async def portfolio() -> None:
        async for _ in at_portfolio:
            pass

    async def stream() -> None:
        while True:
            await trio.sleep(0.1)
            venue.fill(clock.now_ns()) if chance.random() < 0.1 else None
            news, venue.news = venue.news, []
            for one in news:
                await to_orders.send(RowsHeard((one,)) if isinstance(one, VenueOrder) else ExecutionsHeard((one,)))
            await to_orders.send(Tick())

    async with trio.open_nursery() as nursery:
        carrier = Carrier(broker, clock, to_orders)
        await nursery.start(carrier.run)
        nursery.start_soon(ordering.run, inbox, carrier)
        for task in (risk, portfolio, stream):
            nursery.start_soon(task)
        await to_orders.send(SessionHeard(SessionNow(ts_ns=clock.now_ns(), up=True, layer="")))
        for number in range(orders):
            coid = f"s-{number:06d}"
            group = [ticket(coid, chance.randint(1, 9))]
            if chance.random() < 0.3:
                quantity = int(group[0].quantity)
                group.append(ticket(coid + "t", quantity, Side.SELL, parent=coid, limit_price=Decimal(12)))
                group.append(
                    ticket(
                        coid + "x",
                        quantity,
                        Side.SELL,
                        parent=coid,
                        order_type=OrderType.STOP,
                        limit_price=None,
                        stop_price=Decimal(8),
                    )
                )
            await to_orders.send(Judged((Approved(Place(tuple(group))),)))
            await trio.sleep(chance.random())
            victim = f"s-{chance.randint(0, number):06d}"
            what = chance.random()
            if what < 0.3:
                await to_orders.send(Judged((Approved(Cancel(victim, "s")),)))
            elif what < 0.5 and victim in book.book and book.book[victim].state not in CLOSED:
                change = Modify(victim, "s", {"quantity": Decimal(chance.randint(1, 12))})
                await to_orders.send(Judged((Approved(change),)))
            elif what < 0.55 and victim in book.book:
                await to_orders.send(CancelNow((victim,), "risk"))
            if chance.random() < 0.02:
                for up in (False, True):
                    now = SessionNow(ts_ns=clock.now_ns(), up=up, layer="" if up else "websocket")
                    await to_orders.send(SessionHeard(now))
        broker.loss = 0.0
        await trio.sleep(400)
        nursery.cancel_scope.cancel()
    return book, venue, journal, people


@pytest.mark.parametrize(("seed", "loss"), [(1, 0.0), (2, 0.1), (3, 0.25), (4, 0.4)])
async def test_the_books_agree_and_the_journal_has_it_all(
    tmp_path: Path, seed: int, loss: float, autojump_clock: trio.testing.MockClock
) -> None:
    book, venue, journal, people = await day(tmp_path / "j.db", seed, loss, 60)
    twice = [coid for coid, count in Counter(venue.writes).items() if count > 1]
    assert not twice
    there = {live.ticket.coid: live for live in venue.orders.values()}
    for coid, order in book.book.items():
        live = there.get(coid)
        if live is None:
            assert order.state in (State.REFUSED, State.LOST, State.CANCELLED)
        else:
            assert order.filled == live.filled
            assert order.is_open == live.open
    assert people.alerts["IN_DOUBT"] or not loss  # without loss too a halt's cancel can void an open question
    rows = [(r.ts_ns, r.kind, r.name, r.body) for r in journal.rows(kinds=KINDS)]
    found = recover(rows)
    assert found.orders == dict(book.book)
    assert not found.odd
    assert journal.verify() == []
    journal.close()
