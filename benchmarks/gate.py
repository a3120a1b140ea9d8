"""What the gate costs an order: a new order and its cancel, with the default limits and with the full catalogue.

    python benchmarks/gate.py [--orders N]

The full catalogue has every limit set that a backtest can ask about (and refuses nothing), with positions in three
instruments. Microseconds of one order and its cancel, the median of five runs; one JSON line each.
"""

from __future__ import annotations

import argparse
import json
import sys
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.domain.facts import Accepted, Cancelled
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.messages import Cancel, Place, PositionNow, Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.gate import Gate
from engine.settings import Limits, RiskSettings

MANY = Decimal(10**12)
COUNT = 10**9
BASE: dict[str, Any] = {
    "order_quantity_max": MANY, "order_notional_max": MANY, "position_max": MANY, "open_orders_max": COUNT,
    "orders_per_minute_max": COUNT, "duplicate_window_s": Decimal(0), "session_hours": False,
}  # fmt: skip
FULL: dict[str, Any] = {
    **BASE, "price_collar_ticks": 500, "price_drift_pct": MANY, "displayed_size_pct": MANY,
    "average_volume": MANY, "average_volume_pct": Decimal(100), "range_factor": MANY,
    "order_types": ("LMT", "MKT"), "tifs": ("DAY",), "messages_per_minute_max": COUNT, "orders_per_hour_max": COUNT,
    "orders_per_day_max": COUNT, "messages_per_day_max": COUNT, "notional_per_day_max": MANY, "gross_max": MANY,
    "net_max": MANY, "sector_max": MANY, "currency_max": MANY, "leverage_max": MANY, "in_doubt_max": 5,
    "allowed": ("S1", "S2", "S3"), "exchanges": ("SMART",), "no_short": ("S9",), "self_trade": False,
    "blackouts": ("2001-01-01/2001-01-02",), "two_sided": True, "spread_max_pct": Decimal(50),
}  # fmt: skip


class Market:
    """One quote for all."""

    now = Quote(0, 1, 99.99, 100.01, 500.0, 500.0)

    def quote(self, _: int) -> Quote | None:
        return self.now

    def price(self, _: int) -> tuple[float, int] | None:
        return 100.0, 0

    def trade(self, _: int) -> Trade | None:
        return None

    def bar(self, _: int) -> Bar | None:
        return None

    def status(self, _: int) -> Status | None:
        return None


def cost_us(limits: dict[str, Any], orders: int) -> float:
    """Microseconds of judging one new order, with the cancel and the news that make room for the next."""
    instruments = {conid: Instrument(conid=conid, symbol=f"S{conid}", calendar="24/7") for conid in (1, 2, 3)}
    gate = Gate(
        settings=RiskSettings(account=Limits(**limits)),
        instruments=instruments,
        sessions={"24/7": Sessions.round_the_clock()},
        rates={"USD": Decimal(1)},
        equity=1e6,
    )
    held = Decimal(100)
    gate.hear([], [PositionNow("a", conid, held, held, held, held, held, "USD") for conid in instruments])
    market = Market()
    tickets = [
        OrderTicket(
            coid=f"a-{number:06d}", strategy="a", account="DU1", conid=1, side=Side.BUY, order_type=OrderType.LIMIT,
            quantity=Decimal(10), limit_price=Decimal("99.98"),
        )
        for number in range(orders)
    ]  # fmt: skip
    spent = 0.0
    for number, ticket in enumerate(tickets):
        now_ns = number * NS_PER_S // 100
        place, cancel = Place((ticket,)), Cancel(ticket.coid, "a")
        began = perf_counter()
        gate.judge(place, lambda: market, now_ns)
        spent += perf_counter() - began
        gate.hear([Update(Order(ticket=ticket, state=State.WORKING), Accepted(coid=ticket.coid, ts_ns=now_ns))], [])
        gate.judge(cancel, lambda: market, now_ns)
        gone = Order(ticket=ticket, state=State.CANCELLED)
        gate.hear([Update(gone, Cancelled(coid=ticket.coid, ts_ns=now_ns))], [])
    return spent / orders * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=5_000)
    orders = parser.parse_args().orders
    for name, limits in (("default limits", BASE), ("full catalogue", FULL)):
        found = [cost_us(limits, orders) for _ in range(5)]
        print(json.dumps({"gate": name, "us_an_order": round(median(found), 2), "least": round(min(found), 2)}))


if __name__ == "__main__":
    main()
