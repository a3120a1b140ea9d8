"""A process that runs for weeks holds what two days and the venue's week need, and not a day more."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import Any

from engine.domain.brokerage import (
    AllRefused,
    Answered,
    CancelTaken,
    ExecutionsKnown,
    LegTaken,
    OrdersKnown,
    Unclear,
    VenueExecution,
    VenueOrder,
)
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import Quote
from engine.domain.messages import Cancel, Intent, Modify, Place
from engine.domain.moments import NS_PER_DAY
from engine.domain.order import State
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.actions import FeeKnown, SendCancel, SendModify, SendPlace
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.replies import read_policy
from engine.portfolio.books import Portfolio
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Outside, Summary
from engine.runtime.live.booking import Booking
from engine.runtime.live.judging import Judging
from engine.runtime.live.letters import (
    Arrived,
    Became,
    Charged,
    Forget,
    Judged,
    TradingNow,
    VenueSays,
    Wanted,
)
from engine.settings import Limits, RiskSettings
from tests.runtime_live.sizes import sizes

S = 1_000_000_000
ACME = Instrument(conid=1, symbol="ACME", calendar="24/7")
OTHER = Instrument(conid=2, symbol="OTHER", calendar="24/7")
PAIR = Instrument(conid=9, symbol="PAIR", calendar="24/7", sec_type=SecType.COMBO, legs=(Leg(1, 1), Leg(2, -1)))
INSTRUMENTS = {one.conid: one for one in (ACME, OTHER, PAIR)}
WIDE = Limits(
    duplicate_window_s=Decimal(0), position_max=Decimal(10_000), orders_per_minute_max=10_000, open_orders_max=1_000,
    order_quantity_max=Decimal(500), fill_collar_pct=Decimal(50), quote_age_max_s=Decimal(1_000),
)  # fmt: skip
PRICES = ((1, 10.0), (2, 9.0))
PLENTY = Decimal(10_000_000)
NOTHING: Any = None
TICKETS = 9  # orders of a day
# Prices of late (`risk.recent`) and what rests or did (`risk.resting`): at most so many.
_BOUNDED = re.compile(r"\.(_fresh|_heap|sent)(\[\])*$")


class Process:
    """Risk, orders and portfolio, fed by hand; the venue is what a day's story says it is."""

    def __init__(self) -> None:
        self.now = 1_000 * NS_PER_DAY
        self.number = 0
        self.told: list[VenueExecution] = []  # what the venue lists: seven days of executions
        self.book = LiveOrders()
        self.desk = Desk(self.book, read_policy({}), DeskSettings(), INSTRUMENTS)
        gate = Gate(
            settings=RiskSettings(account=WIDE), instruments=INSTRUMENTS,
            sessions={"24/7": Sessions.round_the_clock()}, rates={"USD": Decimal(1)}, outside=Outside(),
        )  # fmt: skip
        self.judging = Judging(
            gate, NOTHING, conditions=NOTHING, to_orders=NOTHING, note=NOTHING, explains=False, holds=False
        )
        portfolio = Portfolio(INSTRUMENTS, {"USD": Decimal(1_000_000)}, {"USD": Decimal(1)})
        self.booking = Booking(portfolio, NOTHING, to_strategies=NOTHING, to_risk=NOTHING, note=NOTHING)
        self.desk.session(True, self.now)
        self.judging.decide(TradingNow("on", ""), self.now)

    # --- letters ------------------------------------------------------------------------------------------------

    def want(self, *intents: Intent) -> list[Any]:
        """Through the gate to the desk; what is to be carried out."""
        for letter in self.judging.decide(Wanted(intents, self.now), self.now):
            assert isinstance(letter, Judged)
            requests, updates = self.book.act(letter.verdicts, self.now)
            self.desk.pass_on(updates)
            self.desk.submit(requests, self.now)
        return self.act()

    def act(self) -> list[Any]:
        """Pass on what became of orders; the desk's actions."""
        actions, updates = self.desk.take()
        self.book.facts.clear()
        letters: list[Any] = [Became(tuple(updates))] if updates else []
        letters += (Charged(action) for action in actions if isinstance(action, FeeKnown))
        for letter in letters:
            booked = self.booking.decide(letter)
            assert booked is not None
            self.judging.decide(booked, self.now)
        return actions

    def ticket(self, **terms: Any) -> OrderTicket:
        self.number += 1
        plain = {
            "coid": f"s-{self.number:06d}", "strategy": "s", "account": "DU1", "conid": 1, "side": Side.BUY,
            "order_type": OrderType.LIMIT, "quantity": Decimal(2), "limit_price": Decimal(10),
        }  # fmt: skip
        return OrderTicket(**{**plain, **terms})

    def row(self, one: OrderTicket, status: str, *, order_id: str = "", **more: Any) -> None:
        """The stream tells of an order."""
        known = {"coid": one.coid, "conid": one.conid, "side": str(one.side), "total": one.quantity}
        rest = {"order_type": str(one.order_type), "limit_price": one.limit_price, "stop_price": one.stop_price}
        told = {"order_id": order_id or f"v{one.coid}", "seen_ns": self.now, "from_stream": True, "filled": Decimal(0)}
        self.desk.rows(
            [VenueOrder(**{**told, **known, **rest, "status": status, "tif": str(one.tif), **more})], self.now
        )
        self.act()

    def live(self, *tickets: OrderTicket) -> None:
        """Wanted, sent, taken and told of."""
        (sent,) = [action for action in self.want(Place(tickets)) if isinstance(action, SendPlace)]
        legs = tuple(LegTaken(order_id=f"v{one.coid}", status="Submitted", coid=one.coid) for one in sent.tickets)
        self.desk.answered(sent.number, Answered(taken=legs), self.now)
        for one in tickets:
            self.row(one, "Submitted")

    def executes(self, one: OrderTicket, size: int, *, fee: bool, foreign: bool = False, conid: int = 1) -> None:
        """The stream tells an execution, and with a fee once more."""
        self.number += 1
        side = str(one.side) if conid == 1 else str(one.side.opposite)
        told = VenueExecution(
            execution_id=f"0000.{self.number:08d}.01.01", order_id="f" * foreign + f"v{one.coid}", account="DU1",
            coid=None if foreign else one.coid, conid=conid, side=side, size=Decimal(size), price=Decimal(10),
            ts_ns=self.now, commission=Decimal(1) if fee else None,
        )  # fmt: skip
        self.told.append(told)
        self.desk.executions([told], self.now)
        self.act()

    # --- a day --------------------------------------------------------------------------------------------------

    def day(self) -> None:
        """Trade as on every day; then the venue's day turns, and its lists are read."""
        self.now += NS_PER_DAY // 2
        self.judging.decide(
            Arrived(tuple(Quote(self.now, conid, at - 0.01, at + 0.01, 9, 9) for conid, at in PRICES)), self.now
        )
        summary = Summary(ts_ns=self.now, net_liquidation=PLENTY, excess_liquidity=PLENTY, buying_power=PLENTY)
        real_time = tuple((conid, "R") for conid in INSTRUMENTS)
        lent = tuple((conid, Borrow(shares=PLENTY)) for conid in INSTRUMENTS)
        self.judging.decide(
            VenueSays(down="", account="DU1", summary=summary, availability=real_time, borrow=lent), self.now
        )
        for fee in (True, False):
            filled = self.ticket(order_type=OrderType.MARKET, limit_price=None)
            self.live(filled)
            self.executes(filled, 2, fee=fee)
            self.row(filled, "Filled", filled=Decimal(2))
        changed = self.ticket()
        self.live(changed)
        (modify,) = [
            action
            for action in self.want(Modify(changed.coid, "s", {"quantity": Decimal(3)}))
            if isinstance(action, SendModify)
        ]
        taken = (LegTaken(order_id=f"v{changed.coid}", status="Submitted", coid=changed.coid),)
        self.desk.answered(modify.number, Answered(taken=taken), self.now)
        self.row(modify.ticket, "Submitted")
        (cancel,) = [action for action in self.want(Cancel(changed.coid, "s")) if isinstance(action, SendCancel)]
        self.desk.cancel_answered(cancel.coid, CancelTaken(), self.now)
        self.row(changed, "Cancelled")
        (sent,) = [one for one in self.want(Place((self.ticket(),))) if isinstance(one, SendPlace)]
        self.desk.answered(sent.number, AllRefused(reason="no funds"), self.now)
        self.act()
        self.want(Place((self.ticket(quantity=Decimal(501)),)))  # risk refuses it
        entry = self.ticket()
        stop = self.ticket(
            side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(9), parent=entry.coid
        )
        self.live(entry, stop)
        for one in (entry, stop):
            self.row(one, "Cancelled")
        pair = self.ticket(conid=9, limit_price=Decimal(1))
        self.live(pair)
        for conid in (1, 2, 1):  # one leg ahead of the other
            self.executes(pair, 1, fee=True, conid=conid)
        self.row(pair, "Cancelled")
        stranger = self.ticket()
        self.row(stranger, "Submitted", order_id=f"f{stranger.coid}", coid=None, account="DU1")
        self.executes(stranger, 1, fee=True, foreign=True)
        self._lost()
        self.now += NS_PER_DAY // 2
        self.desk.tick(self.now)
        forget = Forget(self.now - NS_PER_DAY)
        self.desk.forget(forget.before_ns)
        self.judging.decide(forget, self.now)
        self.booking.decide(forget)
        self.told = [
            one for one in self.told if one.ts_ns > self.now - 9 * NS_PER_DAY
        ]  # seven of trading and a weekend
        self.desk.executions_read(ExecutionsKnown(executions=tuple(self.told), as_of_ns=self.now, days=7), self.now)
        self.desk.orders_read(OrdersKnown(orders=(), as_of_ns=self.now), self.now)
        self.act()

    def _lost(self) -> None:
        """An order whose answer never comes, and which both lists prove absent."""
        lost = self.ticket()
        (sent,) = [action for action in self.want(Place((lost,))) if isinstance(action, SendPlace)]
        self.desk.answered(sent.number, Unclear(reason="silence"), self.now)
        self.now += 600 * S
        self.desk.orders_read(OrdersKnown(orders=(), as_of_ns=self.now), self.now)
        self.desk.executions_read(ExecutionsKnown(executions=tuple(self.told), as_of_ns=self.now, days=7), self.now)
        self.act()
        assert self.book.book[lost.coid].state is State.LOST

    def held(self) -> Counter[str]:
        """Entries by place, but for what has a bound of its own in numbers."""
        found = sizes(desk=self.desk, judging=self.judging, portfolio=self.booking.portfolio)
        return Counter({path: size for path, size in found.items() if not _BOUNDED.search(path)})


def test_after_many_days_no_more_is_held_than_after_some() -> None:
    process = Process()
    for _ in range(25):
        process.day()
    after_some = process.held()
    for _ in range(25):
        process.day()
    after_many = process.held()
    assert {path: (after_some[path], size) for path, size in after_many.items() if size != after_some[path]} == {}


def test_what_two_days_need_is_there() -> None:
    process = Process()
    for _ in range(30):
        process.day()
    book, gate = process.book.book, process.judging.gate
    assert len({order.ticket.coid for order in book.values() if order.created_ns > process.now - NS_PER_DAY}) == TICKETS
    held = [coid for coid, order in book.items() if order.created_ns > process.now - NS_PER_DAY]
    assert all(coid in gate.references for coid in held if book[coid].code != "QUANTITY")
    for told in process.told:  # whatever the venue may tell again is known
        assert process.book.heard(told.execution_id) or told.coid is None
