"""What the gate costs an order: with the default limits and with the full catalogue, few and many orders open.

    python benchmarks/gate.py [--rounds N] [--open N ...] [--way WAY ...]

Every table refuses nothing, but all its checks are on: `default` are the limits that hold where a configuration says
nothing; `backtest` sets every limit that a backtest can ask about; `session` every limit there is, with what a venue
says of the account, for a stock; `option` the same for an option. Judged are new limit orders, alone, while so many
others rest in the same instrument at other prices (half of them of another strategy) and three instruments are held.
Each order meets a quote of its own, and prices of all instruments that are a tick or two away from the last.

Each line says which `way` its orders go. In a `room` (`engine/risk/rooms.py`) they follow one another, most is known
beforehand. The other ways are allowed too; each call is timed by itself, less what it takes to read the clock:

- `modified`: before each order, untimed, an order that rests is modified and the venue agrees;
- `leap`: before each order all prices have gone 8 % up or down, out of what a room is measured for;
- `limit`: each order takes the position to within 5 units of its limit, and is cancelled, untimed, before the next;
- `gross`: likewise the account's gross: within 5 units of its limit, were all prices two ticks higher;
- `modify`: each is a modification of a resting order to another price and quantity, which the venue agrees to, untimed;
- `bracket`: each is an entry with a profit taker and a stop, judged together, cancelled untimed; `us` is for one of
  the three;
- `stop`: each is a stop alone, half a percent above the market; before it, untimed, a limit order is judged;
- `trail`: each is a modification of a resting stop's price, likewise, which the venue agrees to, untimed.

It is asserted that no room takes an order of `leap`, and that rooms take nine of ten orders of `limit` and of `gross`,
each of them as one that is near a limit; the others are those that have rooms measured anew. Of the limit orders of
`stop` and `trail` rooms take nine of ten: they stand.

A round judges 50 orders; between rounds they are cancelled and seen dead, untimed. Rounds of all tables take turns with
one another and with the floor, an empty function of one argument, so that what else the machine does meets all alike.
Times are of the processor (`thread_time`).
`us` is the median of the rounds, `least` the best one, `floors` the best one over the best floor; one JSON line each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from attrs import define, field
from msgspec.structs import replace

from engine.domain.facts import Accepted, Cancelled, Modified
from engine.domain.instrument import Instrument, SecType
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.messages import Approved, Cancel, Intent, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_DAY, NS_PER_MS
from engine.domain.order import Order, State
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, amend
from engine.risk.catalogue import TABLE, Kind, is_set
from engine.risk.gate import Gate
from engine.risk.limits import DEFAULTS
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings

MANY = Decimal(10**12)
COUNT = 10**9
ORDERS = 50
LARGE = ORDERS + 15  # up to 5 units more than an order that goes near a limit
TICK = 0.01
STEP_NS = NS_PER_MS
FAR_NS = 10_000 * NS_PER_DAY
ROOM, MODIFIED, LEAP, LIMIT, GROSS, MODIFY, BRACKET, STOP, TRAIL = WAYS = (
    "room", "modified", "leap", "limit", "gross", "modify", "bracket", "stop", "trail",
)  # fmt: skip
NEAR = LIMIT, GROSS
OF_ALL_LIMITS = "session", "option"  # the tables for which the other ways are measured
FAR_TICKS = 800
AFTER_NS = 5_000 * NS_PER_MS  # a round later what was sent in the last is nobody's twin
WIDE: dict[str, Any] = {
    "order_quantity_max": MANY, "order_notional_max": MANY, "position_max": MANY, "open_orders_max": COUNT,
    "orders_per_minute_max": COUNT, "price_collar_pct": Decimal(1000),
}  # fmt: skip
BACKTEST: dict[str, Any] = {
    **WIDE, "price_collar_ticks": 500, "price_collar_open_pct": Decimal(10), "price_collar_open_s": Decimal(60),
    "price_drift_pct": MANY, "displayed_size_pct": MANY, "average_volume": MANY, "average_volume_pct": Decimal(100),
    "range_factor": MANY, "order_types": ("LMT", "MKT", "STP"), "tifs": ("DAY",), "messages_per_minute_max": COUNT,
    "orders_per_hour_max": COUNT, "orders_per_day_max": COUNT, "messages_per_day_max": COUNT,
    "notional_per_day_max": MANY, "gross_max": MANY, "net_max": MANY, "sector_max": MANY, "currency_max": MANY,
    "leverage_max": MANY, "in_doubt_max": 5, "allowed": ("S1", "S2", "S3", "C4"), "exchanges": ("SMART",),
    "no_short": ("S9",), "restricted": ("S9",), "self_trade": False, "blackouts": ("2001-01-01/2001-01-02",),
    "two_sided": True, "spread_max_pct": Decimal(50),
}  # fmt: skip
SESSION: dict[str, Any] = {
    **BACKTEST, "live_data": True, "short_availability": True, "borrow_fee_max_pct": Decimal(50), "day_trades_max": 1,
    "settled_cash": True, "buying_power": True, "margin_cushion_pct": Decimal(5), "what_if_above": MANY,
    "naked_short": False, "option_delta_max": MANY, "option_vega_max": MANY, "expiry_days_min": 2,
    "delivery_days_min": 2, "combo_sanity": True, "summary_age_max_s": MANY,
}  # fmt: skip
DAY = Sessions((0,), (FAR_NS,))


class Market:
    """One quote for all, some ticks away from 100."""

    def __init__(self, ticks: int = 0) -> None:
        price = round(100.0 + TICK * ticks, 2)
        self.now = Quote(0, 1, price - TICK, price + TICK, 500.0, 500.0)
        self.price_now = price, 0

    def quote(self, _: int) -> Quote | None:
        return self.now

    def price(self, _: int) -> tuple[float, int] | None:
        return self.price_now

    def trade(self, _: int) -> Trade | None:
        return None

    def bar(self, _: int) -> Bar | None:
        return None

    def status(self, _: int) -> Status | None:
        return None


def floor(_: Place) -> None:
    """Nothing, called."""


def settings(table: str, **also: Decimal) -> RiskSettings:
    """The limits of a table of this benchmark, some of them otherwise."""
    own = {"default": WIDE, "backtest": BACKTEST}.get(table, SESSION)
    sectors = {"S1": "one", "S2": "one", "S3": "two"}
    return RiskSettings(account=Limits(**{**own, "quote_age_max_s": Decimal(10**6), **also}), sectors=sectors)


def outside() -> Outside:
    """A session that is up, and an account that can pay for anything."""
    summary = Summary(
        ts_ns=0, net_liquidation=MANY, excess_liquidity=MANY, buying_power=MANY * 1000, settled_cash=MANY,
        day_trades_left=-1,
    )  # fmt: skip
    return Outside(
        account="DU1",
        strategies=frozenset({"a", "b"}),
        down="",
        availability=dict.fromkeys((1, 2, 3, 4), "RpB"),
        borrow=dict.fromkeys((1, 2, 3), Borrow(MANY, Decimal(1))),
        contracts={
            4: Contract(
                right="C", expires_ns=FAR_NS, underlying=1, delta=Decimal("0.5"), vega=Decimal("0.1"),
                ex_dividend_ns=FAR_NS,
            )
        },
        summary=summary,
    )  # fmt: skip


@define(eq=False)
class Case:
    """One gate under one table, with orders open; it judges a round of new ones at a time."""

    table: str
    resting: int
    way: str = ROOM
    clock_s: float = field(factory=lambda: clock_s())
    took_us: list[float] = field(factory=list)
    gate: Gate = field(init=False)
    number: int = 0
    now_ns: int = NS_PER_DAY

    def __attrs_post_init__(self) -> None:
        instruments = {conid: Instrument(conid=conid, symbol=f"S{conid}", calendar="day") for conid in (1, 2, 3)}
        instruments[4] = Instrument(
            conid=4, symbol="C4", sec_type=SecType.OPTION, multiplier=Decimal(100), calendar="day"
        )
        live = self.table in OF_ALL_LIMITS
        self.gate = Gate(
            settings=settings(self.table),
            instruments=instruments,
            sessions={"day": DAY},
            rates={"USD": Decimal(1)},
            outside=outside() if live else None,
            equity=1e9,
        )
        held = Decimal(100)
        self.gate.hear([], [PositionNow("a", conid, held, held, held, held, held, "USD") for conid in (1, 2, 3)])
        for at in range(self.resting):
            price = Decimal("99.95") - Decimal("0.01") * (at // 2)
            self.place(Place((self.ticket(price, "ab"[at % 2]),)))
        if self.way == LIMIT:
            self.gate.reload(settings(self.table, position_max=self._reach(self.conid, LARGE)))
        if self.way == GROSS:
            values = self.gate.account.values
            reached = {conid: self._reach(conid, LARGE if conid == self.conid else 0) for conid in values}
            gross = sum(float(units) * (100.0 + 2 * TICK) * values[conid] for conid, units in reached.items())
            self.gate.reload(settings(self.table, gross_max=Decimal(round(gross))))

    def _reach(self, conid: int, more: int) -> Decimal:
        """How far the account's position may get."""
        return self.gate.exposure("a", conid).units[0].reach(Side.BUY, Decimal(more))

    @property
    def conid(self) -> int:
        """What the orders are in."""
        return 4 if self.table == "option" else 1

    def ticket(self, price: Decimal, strategy: str = "a", quantity: int = 10) -> OrderTicket:
        """A new order."""
        self.number += 1
        return OrderTicket(
            coid=f"{strategy}-{self.number:06d}", strategy=strategy, account="DU1", conid=self.conid, side=Side.BUY,
            order_type=OrderType.LIMIT, quantity=Decimal(quantity), limit_price=price,
        )  # fmt: skip

    def judge(self, intent: Intent, view: Callable[[], Market] = Market) -> Approved:
        """Ask for something, which has to be approved."""
        verdict = self.gate.judge(intent, view, self.now_ns)
        assert isinstance(verdict, Approved), (self.table, self.way, verdict)
        return verdict

    def place(self, intent: Place) -> None:
        """Ask for one order, and have the venue take it."""
        self.judge(intent)
        (ticket,) = intent.tickets
        news = Accepted(coid=ticket.coid, ts_ns=self.now_ns)
        self.gate.hear([Update(Order(ticket=ticket, state=State.WORKING), news)], [])

    def timed(self, intent: Intent, market: Market) -> float:
        """Ask for something, which has to be approved; the seconds that the gate took."""
        view = iter([market] * 4).__next__
        judge: Callable[..., Any] = self.gate.judge
        self.now_ns += STEP_NS
        began = thread_time()
        verdict = judge(intent, view, self.now_ns)
        took = thread_time() - began - self.clock_s
        assert isinstance(verdict, Approved), (self.table, self.way, verdict)
        return took

    def modified(self, at: int) -> float:
        """Modify an order that rests, and have the venue agree; the seconds that the gate took."""
        ticket = next(iter(self.gate.exposure("a", self.conid).open.values())).ticket
        changes = {"limit_price": Decimal("99.90") - Decimal("0.01") * (at % 7), "quantity": Decimal(10 + at % 5)}
        return self.changed(ticket, changes, Market(at % 5 - 2))

    def changed(self, ticket: OrderTicket, changes: dict[str, Decimal], market: Market) -> float:
        """Modify an order in this way, and have the venue agree."""
        took = self.timed(Modify(ticket.coid, "a", changes), market)
        order = Order(ticket=amend(ticket, changes), state=State.WORKING)
        self.gate.hear([Update(order, Modified(coid=ticket.coid, ts_ns=self.now_ns))], [])
        return took

    def gone(self, tickets: Iterable[OrderTicket]) -> None:
        """Have orders cancelled and seen dead."""
        for ticket in tickets:
            assert ticket.coid in self.gate.references, (self.table, self.way, ticket)
            self.judge(Cancel(ticket.coid, "a"))
            gone = Order(ticket=ticket, state=State.CANCELLED)
            self.gate.hear([Update(gone, Cancelled(coid=ticket.coid, ts_ns=self.now_ns))], [])

    def round(self) -> None:
        """Judge some orders against the clock, and take them off again."""
        if self.way == ROOM:
            self.took_us.append(self._in_a_row())
        elif self.way == MODIFY:
            self.took_us.append(sum(self.modified(at) for at in range(ORDERS)) / ORDERS * 1e6)
        elif self.way == BRACKET:
            self.took_us.append(self._brackets())
        elif self.way in (STOP, TRAIL):
            self.took_us.append(self._stops())
        else:
            self.took_us.append(self._one_by_one())
        self.now_ns += AFTER_NS

    def intents(self, size: Callable[[int], int]) -> list[Place]:
        """New orders, of other prices and quantities than their neighbours."""
        prices = [Decimal("99.96") + Decimal("0.01") * (at % 3) for at in range(ORDERS)]
        # Two of one price stand beside one another only with different quantities.
        return [Place((self.ticket(price, quantity=size(at)),)) for at, price in enumerate(prices)]

    def _in_a_row(self) -> float:
        intents = self.intents(lambda at: 10 + at)
        view = iter([Market(at % 5 - 2) for at in range(2 * ORDERS)]).__next__
        gate, now_ns = self.gate, self.now_ns
        judge: Callable[..., Any] = gate.judge

        began = thread_time()
        for intent in intents:
            now_ns += STEP_NS
            judge(intent, view, now_ns)
        took = thread_time() - began
        self.now_ns = now_ns
        self.gone(intent.tickets[0] for intent in intents)
        return took / ORDERS * 1e6

    def _one_by_one(self) -> float:
        """Orders that are near a limit, or that rooms do not hold at once."""
        gate, took, near, held_near = self.gate, 0.0, self.way in NEAR, 0
        judge: Callable[..., Any] = gate.judge
        plan = gate.exposure("a", self.conid).plan
        assert plan is not None
        intents = self.intents(lambda at: 10 + ORDERS + at % 5 if near else 10 + at)
        for at, intent in enumerate(intents):
            if self.way == MODIFIED:
                self.modified(at)
            market = Market(at % 5 - 2 + (FAR_TICKS * (1 - at % 2) if self.way == LEAP else 0))
            view = iter([market] * 4).__next__
            self.now_ns += STEP_NS
            held, nearly = plan.taken, plan.near
            began = thread_time()
            judge(intent, view, self.now_ns)
            took += thread_time() - began - self.clock_s
            assert self.way == MODIFIED or plan.taken <= held, (self.table, self.way, at)  # no room took it as far
            held_near += plan.near > nearly
            if near:
                self.gone(intent.tickets)  # and so nobody's twin
        if self.way != MODIFIED:
            assert held_near >= 0.9 * ORDERS if near else not held_near, (self.table, self.way, held_near)
        if not near:
            self.gone(intent.tickets[0] for intent in intents)
        return took / ORDERS * 1e6

    def _brackets(self) -> float:
        """Entries with a profit taker and a stop, each judged as a whole."""
        took, limit = 0.0, Decimal("99.96")
        for at in range(ORDERS // 3):
            entry = self.ticket(limit, quantity=10 + at)
            self.number += 2
            out = {"side": Side.SELL, "parent": entry.coid}
            profit = replace(entry, **out, coid=f"a-{self.number - 1:06d}", limit_price=Decimal(105))
            stop = replace(
                entry, **out, coid=f"a-{self.number:06d}", order_type=OrderType.STOP, limit_price=None,
                stop_price=Decimal(95),
            )  # fmt: skip
            intent = Place((entry, profit, stop))
            took += self.timed(intent, Market(at % 5 - 2))
            self.gone(intent.tickets)
        return took / (ORDERS // 3 * 3) * 1e6

    def _stops(self) -> float:
        """Stops alone, or changes of one stop's price; each after a limit order, which a room should hold."""
        took, held, stops, limits = 0.0, 0, list[OrderTicket](), self.intents(lambda at: 10 + at)
        plan = self.gate.exposure("a", self.conid).plan
        assert plan is not None
        if self.way == TRAIL:
            stops.append(self.stop(Decimal(101), 10))
            self.place(Place((stops[0],)))
        for at, intent in enumerate(limits):
            taken = plan.taken
            self.judge(intent)
            held += plan.taken > taken
            market, price = Market(at % 5 - 2), Decimal("100.50") + Decimal("0.01") * (at % 7)
            if self.way == TRAIL:
                took += self.changed(stops[0], {"stop_price": price}, market)
            else:
                stops.append(self.stop(price, 10 + at))
                took += self.timed(Place((stops[-1],)), market)
        assert held >= 0.9 * ORDERS, (self.table, self.way, held)
        self.gone([*stops, *(intent.tickets[0] for intent in limits)])
        return took / ORDERS * 1e6

    def stop(self, price: Decimal, quantity: int) -> OrderTicket:
        """A stop to buy, alone."""
        plain = self.ticket(price, quantity=quantity)
        return replace(plain, order_type=OrderType.STOP, limit_price=None, stop_price=price)


def clock_s(times: int = 2_001) -> float:
    """Seconds between two readings of the clock with nothing between them."""
    return median(-(thread_time() - thread_time()) for _ in range(times))


def floor_us(intents: list[Place]) -> float:
    """Microseconds of calling nothing."""
    began = thread_time()
    for intent in intents:
        floor(intent)
    return (thread_time() - began) / len(intents) * 1e6


def asked(table: str) -> list[str]:
    """Rows that judge orders and are on under a table: those with a limit that is set, and those without one."""
    limits = settings(table).account
    live = table in OF_ALL_LIMITS

    def on(name: str) -> bool:
        value = getattr(limits, name)
        return is_set(name, getattr(DEFAULTS, name) if value is None else value)

    return [
        row.code
        for row in TABLE
        if row.kind is not Kind.MONITOR and row.checks and (live or not row.live)
        and (not row.limits or any(on(name) for name in row.limits))
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--open", type=int, nargs="+", default=[1, 100, 1_000])
    parser.add_argument("--way", nargs="+", choices=WAYS, default=WAYS)
    given = parser.parse_args()
    cases = [
        Case(table, resting, way)
        for way in given.way
        for table in ("default", "backtest", "session", "option")
        if way == ROOM or table in OF_ALL_LIMITS
        for resting in given.open
    ]
    nothing = [Place((cases[0].ticket(Decimal(1)),))] * 5_000
    floors = []
    for _ in range(given.rounds):
        floors.append(floor_us(nothing))
        for case in cases:
            case.round()
    least = min(floors)
    print(json.dumps({"gate": "floor", "us": round(median(floors), 3), "least": round(least, 3)}))
    for case in cases:
        line = {
            "gate": case.table, "way": case.way, "rows": len(asked(case.table)), "open": case.resting,
            "us": round(median(case.took_us), 2), "least": round(min(case.took_us), 2),
            "floors": round(min(case.took_us) / least),
        }  # fmt: skip
        print(json.dumps(line))


if __name__ == "__main__":
    main()
