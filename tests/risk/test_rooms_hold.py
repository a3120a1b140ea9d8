"""When a room holds and when it is measured anew: the longer looks are asked no more than that."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import define, field

from engine.domain.facts import Cancelled, Filled
from engine.domain.messages import Approved, Cancel, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk import gate as gates
from engine.risk.clear import clear
from engine.risk.gate import Gate
from engine.risk.meter import Meter
from engine.risk.outside import Outside
from engine.settings import Limits, RiskSettings
from tests.risk.made import SESSIONS, T0, WIDE, D
from tests.risk.test_catalogue import Market
from tests.risk.test_rooms import CALL, EURO, INSTRUMENTS, PRICES, STOCK, contract, outside, summary

BUY, SELL = Side.BUY, Side.SELL
MANY = D(10**9)
FULL: dict[str, Any] = {
    "price_drift_pct": D(50), "displayed_size_pct": D(100), "range_factor": D(10), "order_types": ("LMT", "MKT"),
    "tifs": ("DAY",), "messages_per_minute_max": 10**6, "orders_per_hour_max": 10**6, "orders_per_day_max": 10**6,
    "messages_per_day_max": 10**6, "notional_per_day_max": MANY, "gross_max": MANY, "net_max": MANY,
    "sector_max": MANY, "currency_max": MANY, "leverage_max": D(100), "in_doubt_max": 5, "self_trade": False,
    "two_sided": True, "spread_max_pct": D(50), "live_data": True, "short_availability": True, "day_trades_max": 1,
    "settled_cash": True, "buying_power": True, "margin_cushion_pct": D(5), "what_if_above": MANY,
    "naked_short": False, "option_delta_max": MANY, "option_vega_max": MANY, "expiry_days_min": 1,
    "summary_age_max_s": MANY,
}  # fmt: skip


@define
class Desk:
    """A gate under all limits, none of them near, which tells how often it had to look for longer."""

    gate: Gate
    looks: list[str]
    market: Market = field(factory=lambda: Market(prices=dict(PRICES)))
    now_ns: int = T0
    number: int = 0
    last: OrderTicket | None = None

    def ask(self, conid: int = STOCK, side: Side = BUY, quantity: int = 2, strategy: str = "a", cents: int = 0) -> bool:
        """Whether a room was enough for an order, which has to be approved."""
        self.number += 1
        coid = f"{strategy}-{self.number:06d}"
        self.last = OrderTicket(
            coid=coid, strategy=strategy, account="DU1", conid=conid, side=side, quantity=D(quantity), tag=coid,
            order_type=OrderType.LIMIT, limit_price=D(str(PRICES[conid])) + D("0.01") * (cents - 5 * side.sign),
        )  # fmt: skip
        self.market.at_ns = self.now_ns
        before = len(self.looks)
        assert isinstance(self.gate.judge(Place((self.last,)), lambda: self.market, self.now_ns), Approved)
        return len(self.looks) == before

    def end(self, *, filled: bool) -> None:
        """The last order is over; if filled, its units are held."""
        ticket = self.last
        assert ticket is not None
        if not filled:
            gone = Order(ticket=ticket, state=State.CANCELLED)
            self.gate.hear([Update(gone, Cancelled(coid=ticket.coid, ts_ns=self.now_ns))], [])
            return
        fill = Filled(
            coid=ticket.coid, ts_ns=self.now_ns, exec_id=ticket.coid, conid=ticket.conid, side=ticket.side,
            quantity=ticket.quantity, price=D(100),
        )  # fmt: skip
        account, own = self.gate.exposure(ticket.strategy, ticket.conid).units
        more = ticket.quantity * ticket.side.sign
        done = Order(ticket=ticket, state=State.FILLED, filled=ticket.quantity)
        self.gate.hear(
            [Update(done, fill)], [self.position(ticket.conid, own.position + more, account.position + more)]
        )

    def position(self, conid: int, own: Decimal, account: Decimal) -> PositionNow:
        return PositionNow("a", conid, own, D(0), D(0), account, D(0), "USD")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    looks: list[str] = []

    def looked(*given: Any) -> float:
        looks.append("")
        return clear(*given)

    monkeypatch.setattr(gates, "clear", looked)
    venue = outside()
    rich = dict.fromkeys(("net_liquidation", "excess_liquidity", "buying_power", "settled_cash"), MANY)
    venue.summary = summary(**rich)
    gate = Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, **FULL}), sectors={"AAA": "tech"}),
        instruments=INSTRUMENTS, sessions=SESSIONS, rates={"USD": D(1), "EUR": D(1)}, outside=venue, equity=1e6,
    )  # fmt: skip
    for conid in INSTRUMENTS:
        for strategy in "ab":
            gate.exposure(strategy, conid)
    return Desk(gate, looks)


@pytest.mark.parametrize("conid", [STOCK, CALL])
def test_after_the_first_order_a_room_is_enough_for_both_sides(desk: Desk, conid: int) -> None:
    desk.gate.hear([], [desk.position(conid, D(50), D(50))])  # what is held may be sold
    asked = [desk.ask(conid, side, cents=-cents * side.sign) for cents in range(4) for side in (BUY, SELL)]
    assert asked == [False] + [True] * 7


def test_prices_that_move_a_little_time_and_other_strategies_leave_a_room_as_it_is(desk: Desk) -> None:
    assert [desk.ask(), desk.ask(strategy="b"), desk.ask(EURO)] == [False, False, False]  # spans of two instruments
    assert [desk.ask(), desk.ask(strategy="b"), desk.ask(EURO)] == [False, False, True]
    for turn in range(1, 20):
        desk.now_ns += NS_PER_S
        desk.market.prices = {conid: price * (1 + 0.001 * turn) for conid, price in PRICES.items()}
        assert [desk.ask(), desk.ask(strategy="b"), desk.ask(EURO)] == [True] * 3
    desk.market.prices[EURO] *= 1.1
    assert [desk.ask(), desk.ask()] == [False, True]
    desk.now_ns += NS_PER_MINUTE  # the hour's orders are looked through once a minute
    assert [desk.ask(), desk.ask()] == [False, True]


@pytest.mark.parametrize("filled", [True, False])
def test_an_order_that_is_over_leaves_a_room_as_it_is(desk: Desk, filled: bool) -> None:
    assert not desk.ask()
    for _ in range(10):
        assert desk.ask()
        desk.end(filled=filled)


def test_a_cancel_leaves_a_room_as_it_is(desk: Desk) -> None:
    assert not desk.ask()
    for _ in range(10):
        assert desk.ask()
        assert desk.last is not None
        desk.gate.judge(Cancel(desk.last.coid, "a"), lambda: desk.market, desk.now_ns)


def test_what_may_lift_a_sum_otherwise_has_rooms_measured_anew(desk: Desk) -> None:
    gate = desk.gate
    venue = gate.account.outside
    assert venue is not None
    assert [desk.ask() for _ in range(9)] == [False] + [True] * 8
    coid = "" if desk.last is None else desk.last.coid

    def modify() -> None:
        verdict = gate.judge(Modify(coid, "a", {"quantity": D(3)}), lambda: desk.market, desk.now_ns)
        assert isinstance(verdict, Approved)

    modify()
    assert [desk.ask() for _ in range(9)] == [True] * 9  # it was counted as an order in the room would be

    def told() -> None:
        venue.contracts = {**venue.contracts, CALL: contract(CALL, "0.6")}

    for happen in (
        modify,  # while the first waits for its answer: a case for the table
        told,
        lambda: gate.hear([], [desk.position(STOCK, D(9), D(9))]),
        lambda: gate.rate_now("USD"),
        lambda: gate.reload(gate.settings),
        lambda: setattr(gate.account, "equity", 9e5),
    ):
        happen()
        assert [desk.ask() for _ in range(9)] == [False] + [True] * 8


def test_where_rooms_are_of_no_use_they_are_measured_now_and_then(desk: Desk) -> None:
    meter = desk.gate.account.meter
    for _ in range(200):
        desk.ask()
        desk.ask()
        desk.gate.rate_now("USD")
    assert meter.measured <= 12
    asked = [desk.ask() for _ in range(150)]
    assert asked == sorted(asked)  # and then it stays
    assert asked[-1]


def test_a_reading_begins_anew_with_another_span() -> None:
    meter = Meter()
    assert meter.span(1, 100.0, 0.0) == (93.75, 106.25)
    meter.charge(1, 100.0, 10.0, 2.0)
    assert (meter.messages, meter.money) == (1, 2125.0)  # 10 x 106.25 x 2
    meter.charge(1, 106.25, 2.0, 1.0)
    assert (meter.messages, meter.money) == (2, 2337.5)
    assert meter.span(1, 106.25, 106.25) == (93.75, 106.25)
    epoch = meter.epoch
    for price, top, span in ((106.5, 0.0, (99.84375, 113.15625)), (100.0, 128.0, (93.75, 136.0))):
        assert meter.span(1, price, top) == span
        epoch += 1
        assert (meter.epoch, meter.messages, meter.money) == (epoch, 0, 0.0)
    meter.charge(1, 136.5, 1.0, 1.0)  # dearer than all that was measured with
    meter.charge(2, 1.0, 1.0, 1.0)  # where nothing was measured
    assert (meter.epoch, meter.money) == (epoch + 2, 0.0)


def test_what_a_venue_tells_by_conid_is_replaced_as_a_whole() -> None:
    said = Outside(account="DU1")
    before = said.version
    said.account, said.availability = "DU1", {}
    assert said.version == before  # no news
    said.availability = {1: "R"}
    said.down = ""
    assert said.version == before + 2
    with pytest.raises(TypeError):
        said.contracts[1] = contract(CALL)  # type: ignore[index]
