"""What the gate costs an order: with the default limits and with the full catalogue, few and many orders open.

    python benchmarks/gate.py [--rounds N] [--open N ...]

Every table refuses nothing, but all its checks are on: `default` are the limits that hold where a configuration says
nothing; `backtest` sets every limit that a backtest can ask about; `session` every limit there is, with what a venue
says of the account, for a stock; `option` the same for an option. Judged are new limit orders, alone, while so many
others rest in the same instrument at other prices (half of them of another strategy) and three instruments are held.
Each order meets a quote of its own, and prices of all instruments that are a tick or two away from the last.

A round judges 50 orders; between rounds they are cancelled and seen dead, untimed. Rounds of all tables take turns with
one another and with the floor, an empty function of one argument, so that what else the machine does meets all alike.
Times are of the processor (`thread_time`).
`us` is the median of the rounds, `least` the best one, `floors` the best one over the best floor; one JSON line each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from attrs import define, field

from engine.domain.facts import Accepted, Cancelled
from engine.domain.instrument import Instrument, SecType
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.messages import Approved, Cancel, Place, PositionNow, Update
from engine.domain.moments import NS_PER_DAY, NS_PER_MS
from engine.domain.order import Order, State
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.catalogue import TABLE, Kind, is_set
from engine.risk.gate import Gate
from engine.risk.limits import DEFAULTS
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings

MANY = Decimal(10**12)
COUNT = 10**9
ORDERS = 50
STEP_NS = NS_PER_MS
FAR_NS = 10_000 * NS_PER_DAY
WIDE: dict[str, Any] = {
    "order_quantity_max": MANY, "order_notional_max": MANY, "position_max": MANY, "open_orders_max": COUNT,
    "orders_per_minute_max": COUNT, "price_collar_pct": Decimal(1000),
}  # fmt: skip
BACKTEST: dict[str, Any] = {
    **WIDE, "price_collar_ticks": 500, "price_collar_open_pct": Decimal(10), "price_collar_open_s": Decimal(60),
    "price_drift_pct": MANY, "displayed_size_pct": MANY, "average_volume": MANY, "average_volume_pct": Decimal(100),
    "range_factor": MANY, "order_types": ("LMT", "MKT"), "tifs": ("DAY",), "messages_per_minute_max": COUNT,
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
        price = round(100.0 + 0.01 * ticks, 2)
        self.now = Quote(0, 1, price - 0.01, price + 0.01, 500.0, 500.0)
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


def settings(table: str) -> RiskSettings:
    """The limits of a table of this benchmark."""
    own = {"default": WIDE, "backtest": BACKTEST}.get(table, SESSION)
    sectors = {"S1": "one", "S2": "one", "S3": "two"}
    return RiskSettings(account=Limits(**{**own, "quote_age_max_s": Decimal(10**6)}), sectors=sectors)


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
    took_us: list[float] = field(factory=list)
    gate: Gate = field(init=False)
    number: int = 0
    now_ns: int = NS_PER_DAY

    def __attrs_post_init__(self) -> None:
        instruments = {conid: Instrument(conid=conid, symbol=f"S{conid}", calendar="day") for conid in (1, 2, 3)}
        instruments[4] = Instrument(
            conid=4, symbol="C4", sec_type=SecType.OPTION, multiplier=Decimal(100), calendar="day"
        )
        live = self.table in ("session", "option")
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
            self.judge(Place((self.ticket(price, "ab"[at % 2]),)))

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

    def judge(self, intent: Place) -> None:
        """Ask for one order, which has to be approved."""
        verdict = self.gate.judge(intent, Market, self.now_ns)
        assert isinstance(verdict, Approved), verdict
        for ticket in intent.tickets:
            news = Accepted(coid=ticket.coid, ts_ns=self.now_ns)
            self.gate.hear([Update(Order(ticket=ticket, state=State.WORKING), news)], [])

    def round(self) -> None:
        """Judge some orders against the clock, and take them off again."""
        prices = [Decimal("99.96") + Decimal("0.01") * (at % 3) for at in range(ORDERS)]
        # Two of one price stand beside one another only with different quantities.
        intents = [Place((self.ticket(price, quantity=10 + at),)) for at, price in enumerate(prices)]
        view = iter([Market(at % 5 - 2) for at in range(2 * ORDERS)]).__next__
        gate, now_ns = self.gate, self.now_ns
        judge: Callable[..., Any] = gate.judge

        began = thread_time()
        for intent in intents:
            now_ns += STEP_NS
            judge(intent, view, now_ns)
        self.took_us.append((thread_time() - began) / ORDERS * 1e6)
        for intent in intents:
            ticket = intent.tickets[0]
            assert ticket.coid in gate.references, (self.table, ticket)
            gate.judge(Cancel(ticket.coid, "a"), Market, now_ns)
            gone = Order(ticket=ticket, state=State.CANCELLED)
            gate.hear([Update(gone, Cancelled(coid=ticket.coid, ts_ns=now_ns))], [])
        self.now_ns = now_ns + 5_000 * NS_PER_MS


def floor_us(intents: list[Place]) -> float:
    """Microseconds of calling nothing."""
    began = thread_time()
    for intent in intents:
        floor(intent)
    return (thread_time() - began) / len(intents) * 1e6


def asked(table: str) -> list[str]:
    """Rows that judge orders and are on under a table: those with a limit that is set, and those without one."""
    limits = settings(table).account
    live = table in ("session", "option")

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
    given = parser.parse_args()
    cases = [Case(table, resting) for table in ("default", "backtest", "session", "option") for resting in given.open]
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
            "gate": case.table, "rows": len(asked(case.table)), "open": case.resting,
            "us": round(median(case.took_us), 2), "least": round(min(case.took_us), 2),
            "floors": round(min(case.took_us) / least),
        }  # fmt: skip
        print(json.dumps(line))


if __name__ == "__main__":
    main()
