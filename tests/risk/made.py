"""A gate with limits, a market that says what it is told, and tickets for it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import define

from engine.domain.instrument import Instrument, Leg, PriceTick, SecType
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.messages import Approved, Denied, Place, Verdict
from engine.domain.moments import NS_PER_S
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.gate import Gate
from engine.settings import Limits, RiskSettings

D = Decimal
T0 = 1_000 * NS_PER_S
STOCK = Instrument(conid=1, symbol="AAA", calendar="day", outside_hours=(10, 20), size_increment=D("0.5"))
FUTURE = Instrument(conid=2, symbol="FUT", calendar="24/7", multiplier=D(50), currency="EUR")
STEPPED = Instrument(
    conid=3, symbol="STP", calendar="24/7", price_ticks=(PriceTick(D(0), D("0.05")), PriceTick(D(3), D("0.10")))
)
SPREAD = Instrument(conid=9, symbol="SPR", calendar="24/7", sec_type=SecType.COMBO, legs=(Leg(1, 1), Leg(3, -2)))
CRUDE = Instrument(conid=4, symbol="CL", calendar="24/7", sec_type=SecType.FUTURE)  # its price may fall below 0
INSTRUMENTS = {i.conid: i for i in (STOCK, FUTURE, STEPPED, CRUDE, SPREAD)}
SESSIONS = {"day": Sessions((900 * NS_PER_S,), (9_000 * NS_PER_S,)), "24/7": Sessions.round_the_clock()}
RATES = {"USD": D(1), "EUR": D("1.25")}

# Limits that refuse nothing, so that a test sees the one it sets.
WIDE: dict[str, Any] = {
    "order_quantity_max": D(10**9),
    "order_notional_max": D(10**15),
    "price_collar_pct": D(10**6),
    "position_max": D(10**9),
    "open_orders_max": 10**6,
    "orders_per_minute_max": 10**6,
    "duplicate_window_s": D(0),
    "quote_age_max_s": D(10**6),
    "session_hours": False,
    "tick_and_lot": False,
}


@define
class FakeView:
    """One price for all, said at `since_ns`; or what is put in."""

    value: float | None = 100.0
    since_ns: int = T0
    halted: bool = False

    def price(self, conid: int) -> tuple[float, int] | None:
        return None if self.value is None else (self.value, self.since_ns)

    def quote(self, conid: int) -> Quote | None:
        return None

    def trade(self, conid: int) -> Trade | None:
        return None

    def bar(self, conid: int) -> Bar | None:
        return None

    def status(self, conid: int) -> Status | None:
        return Status(0, conid, "halted" if self.halted else "open")


def gate(
    strategy: Mapping[str, Limits] | None = None, instrument: Mapping[str, Limits] | None = None, **account: Any
) -> Gate:
    """A gate with wide limits but those named."""
    return make_gate({**WIDE, **account}, strategy or {}, instrument or {})


def make_gate(
    account: Mapping[str, Any],
    strategy: Mapping[str, Limits],
    instrument: Mapping[str, Limits],
    *,
    rates: Mapping[str, Decimal] = RATES,
    sessions: Mapping[str, Sessions] = SESSIONS,
    warm_up_until_ns: int = 0,
) -> Gate:
    """A gate with exactly these settings."""
    return Gate(
        settings=RiskSettings(account=Limits(**account), strategy=dict(strategy), instrument=dict(instrument)),
        instruments=INSTRUMENTS,
        sessions=sessions,
        rates=rates,
        warm_up_until_ns=warm_up_until_ns,
    )


class Tickets:
    """Makes tickets, each with a number of its own."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, quantity: int | str | Decimal = 10, **terms: Any) -> OrderTicket:
        self._number += 1
        given: dict[str, Any] = {
            "coid": f"a-{self._number:06d}",
            "strategy": "a",
            "account": "DU1",
            "conid": 1,
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "quantity": Decimal(quantity),
            "tag": f"t{self._number}",  # so that two tickets are no duplicates unless a test wants it
            **terms,
        }
        if "limit_price" in given and "order_type" not in terms:
            given["order_type"] = OrderType.LIMIT if given.get("stop_price") is None else OrderType.STOP_LIMIT
        return OrderTicket(**given)


new = Tickets()


def ask(gate_: Gate, *tickets: OrderTicket, view: FakeView | None = None, at_ns: int = T0) -> str:
    """Ask for orders as one group; "ok", or the code of the refusal."""
    seen = view or FakeView(since_ns=at_ns)
    return code_of(gate_.judge(Place(tickets), lambda: seen, at_ns))


def code_of(verdict: Verdict) -> str:
    """ "ok", or the code of a refusal."""
    if isinstance(verdict, Approved):
        return "ok"
    assert isinstance(verdict, Denied)
    assert verdict.refusal.sentence
    assert not verdict.refusal.sentence.endswith(".")
    return verdict.refusal.code


__all__ = [
    "FUTURE",
    "RATES",
    "SESSIONS",
    "SPREAD",
    "STEPPED",
    "STOCK",
    "T0",
    "WIDE",
    "D",
    "FakeView",
    "Tif",
    "ask",
    "code_of",
    "gate",
    "make_gate",
    "new",
]
