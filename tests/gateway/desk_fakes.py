"""A market that stands still and an exchange that only lists, for tests of the desk; every fill is a test's doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, cast

import msgspec

from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.ticket import OrderTicket
from engine.gateway.calls import Answer, Call
from engine.gateway.hall import Hall
from engine.gateway.options import Options, Questions
from engine.gateway.records import (
    Contract,
    Exchange,
    Execution,
    Funds,
    LiveOrder,
    NewOrder,
    Position,
    Top,
)
from engine.gateway.routes import ALL_ROUTES
from engine.gateway.routing import Table
from engine.gateway.tops import combined

START_NS: Final = 1_710_165_600_000_000_000  # 2024-03-11 14:00 UTC, 10:00 New York
SECOND: Final = 1_000_000_000
ACCOUNT: Final = "DU1234567"
AAPL, SPY, DARK, ES, EUR, BTC = 265598, 756733, 111, 495512552, 12087792, 479624278
Profile = Literal["observed", "documented"]
_NAN: Final = float("nan")
_ALL_CONTRACTS: Final = (
    (Instrument(conid=AAPL, symbol="AAPL"), "APPLE INC", "NASDAQ"),
    (Instrument(conid=SPY, symbol="SPY"), "SS SPDR S&P 500 ETF TRUST-US", "ARCA"),
    (Instrument(conid=DARK, symbol="DARK"), "DARK CORP", "NYSE"),
    (
        Instrument(conid=ES, symbol="ES", sec_type=SecType.FUTURE, multiplier=Decimal(50), exchange="CME"),
        "E-MINI S&P 500",
        "CME",
    ),
    (
        Instrument(conid=EUR, symbol="EUR", sec_type=SecType.CASH, size_increment=Decimal("0.01"), calendar="24/7"),
        "European Monetary Union Euro",
        "IDEALPRO",
    ),
    (
        Instrument(
            conid=BTC, symbol="BTC", sec_type=SecType.CRYPTO, size_increment=Decimal("0.00000001"), calendar="24/7"
        ),
        "Bitcoin",
        "PAXOS",
    ),
)
_QUOTES: Final = {
    AAPL: (168.41, 168.43, 168.42),
    SPY: (500.00, 500.02, 500.01),
    ES: (5100.25, 5100.50, 5100.25),
    EUR: (1.08, 1.09, 1.085),
    BTC: (60000.0, 60010.0, 60005.0),
}
QUIET: Final = Questions(stop_risk=False, market_cap=False, price_percent=Decimal(1_000))


class StillExchange:
    """Lists what it is given. `released` has an order's id each time it was sent to the venue, `changed` each time it
    was modified."""

    def __init__(self, accounts: Sequence[str] = (ACCOUNT,), room: Decimal = Decimal(1_000_000)) -> None:
        self.now_ns = START_NS
        self.accounts = list(accounts)
        self.contracts = {
            instrument.conid: Contract(instrument=instrument, name=name, listing=listing)
            for instrument, name, listing in _ALL_CONTRACTS
        }
        self.live: dict[int, LiveOrder] = {}
        self.released: list[int] = []
        self.groups: list[list[int]] = []
        self.changed: list[int] = []
        self.fills: list[Execution] = []
        self.holdings: dict[int, Decimal] = {}
        self.room = room
        self.open_market = True
        self.next_id = 987654

    def combo(self, legs: Sequence[Leg], currency: str) -> int:
        for conid, contract in self.contracts.items():
            if contract.instrument.legs == tuple(legs):
                return conid
        conid = -len(self.contracts)
        instrument = Instrument(
            conid=conid, symbol="COMBO", sec_type=SecType.COMBO, currency=currency, legs=tuple(legs)
        )
        self.contracts[conid] = Contract(instrument=instrument, name="COMBO", listing="SMART")
        return conid

    def register(self, order: NewOrder) -> LiveOrder:
        self.next_id += 1
        live = LiveOrder(
            order_id=self.next_id,
            account=order.account,
            ticket=msgspec.structs.replace(order.ticket, coid=str(self.next_id)),
            wire=order.wire,
            client_id=order.client_id,
            parent_id=order.parent_id,
            oca_group=order.oca_group,
            status="Inactive",
            ccp_status="" if order.deactivated else "Pending Submit",
            created_ns=self.now_ns,
            parked=True,
            deactivated=order.deactivated,
        )
        self.live[live.order_id] = live
        return live

    def release(self, order_ids: Sequence[int]) -> None:
        self.groups.append(list(order_ids))
        for order_id in order_ids:
            order = self.live[order_id]
            assert order.parked, "only a parked order is sent"
            self.released.append(order_id)
            order.parked = order.deactivated = False
            order.ccp_status = ""
            order.status = "PreSubmitted" if order.parent_id else "Submitted"

    def discard(self, order_id: int, reason: str) -> None:
        order = self.live[order_id]
        assert order.parked, "only a parked order is discarded"
        order.parked = order.deactivated = False
        order.ccp_status, order.status, order.reason = "", "Cancelled", reason

    def modify(self, order_id: int, ticket: OrderTicket, wire: dict[str, Any]) -> None:
        order = self.live[order_id]
        assert order.open
        order.ticket, order.wire = ticket, wire
        self.changed.append(order_id)

    def cancel(self, order_id: int) -> None:
        order = self.live[order_id]
        assert order.open
        order.status = "Cancelled"

    def orders(self, account: str) -> list[LiveOrder]:
        return [order for order in self.live.values() if order.account == account]

    def order(self, order_id: int) -> LiveOrder | None:
        return self.live.get(order_id)

    def executions(self, account: str, days: int) -> list[Execution]:
        return [fill for fill in self.fills if self.now_ns - fill.ts_ns < days * 86_400 * SECOND]

    def positions(self, account: str) -> list[Position]:
        return [Position(conid=conid, quantity=quantity) for conid, quantity in self.holdings.items()]

    def funds(self, account: str) -> Funds:
        zero = Decimal(0)
        return Funds(
            base="USD",
            net_liquidation=Decimal(215_415),
            cash=self.room,
            stock_value=zero,
            position_value=zero,
            initial_margin=Decimal(1_000),
            maintenance_margin=Decimal(900),
            available=self.room,
            excess_liquidity=self.room,
            buying_power=self.room,
            unrealised=zero,
            realised=zero,
            daily=zero,
        )

    def unaffordable(self, order: NewOrder) -> str | None:
        price = order.ticket.limit_price or Decimal(170)
        cost = price * order.ticket.quantity if order.ticket.side == "BUY" else Decimal(0)
        return (
            "We are unable to accept your order. Your available funds are insufficient." if cost > self.room else None
        )

    def margin_change(self, order: NewOrder) -> tuple[Decimal, Decimal, Decimal]:
        return Decimal(652), Decimal(590), Decimal(1)

    def top(self, conid: int) -> Top | None:
        legs = self.contracts[conid].instrument.legs if conid in self.contracts else ()
        if legs:
            return combined(conid, [(leg.ratio, self.top(leg.conid)) for leg in legs])
        if conid not in _QUOTES:
            return None
        bid, ask, last = _QUOTES[conid]
        return Top(
            conid=conid,
            ts_ns=self.now_ns,
            bid=bid,
            ask=ask,
            bid_size=100.0,
            ask_size=100.0,
            last=last,
            last_size=100.0,
            volume=1e6,
            open=_NAN,
            high=_NAN,
            low=_NAN,
            prior_close=last,
            open_market=self.open_market,
        )

    # What a test does

    def fill(self, order_id: int, size: int, price: str = "168.43") -> None:
        """Have an open order execute."""
        order = self.live[order_id]
        order.filled += size
        order.value += Decimal(price) * size
        order.last_execution_ns = self.now_ns
        if order.filled == order.ticket.quantity:
            order.status = "Filled"
        self.fills.append(
            Execution(
                execution_id=f"0000e0d5.6576fd38.01.{len(self.fills) + 1:02d}",
                order_id=order_id,
                account=order.account,
                conid=order.ticket.conid,
                side=str(order.ticket.side),
                size=Decimal(size),
                price=Decimal(price),
                ts_ns=self.now_ns,
                client_id=order.client_id,
                commission=Decimal("1.01"),
                told_ns=self.now_ns + 2 * SECOND,
            )
        )

    def open_orders(self) -> list[LiveOrder]:
        """Orders that the venue has."""
        return [order for order in self.live.values() if order.open and not order.parked]


class Bench:
    """A desk behind the real route table, without session or sockets."""

    def __init__(
        self,
        profile: Profile = "observed",
        questions: Questions = QUIET,
        accounts: Sequence[str] = (ACCOUNT,),
        room: Decimal = Decimal(1_000_000),
    ) -> None:
        self.exchange = StillExchange(accounts, room)
        options = Options(profile=profile, questions=questions)
        self.hall = Hall(options, cast(Exchange, self.exchange))
        self._table = Table(ALL_ROUTES)

    def call(self, method: str, path: str, body: Any = None, **query: str | list[str]) -> Answer:
        """Send one request through the routes."""
        found = self._table.find(method, path)
        assert not isinstance(found, int), f"{method} {path} gives {found}"
        route, params = found
        values: Mapping[str, list[str]] = {k: [v] if isinstance(v, str) else v for k, v in query.items()}
        return route.handler(
            self.hall,
            Call(
                method=method,
                template=route.template,
                params=params,
                query=dict(values),
                body=body,
                now_ns=self.exchange.now_ns,
            ),
        )

    def place(self, *tickets: dict[str, Any], account: str = ACCOUNT) -> Answer:
        """POST tickets in the wrapped form."""
        return self.call("POST", f"/iserver/account/{account}/orders", {"orders": list(tickets)})

    def placed(self, *tickets: dict[str, Any]) -> int:
        """Place what raises no question, and return the first order's id."""
        answer = self.place(*tickets)
        assert answer.status == 200
        row = answer.body[0] if self.hall.options.observed else answer.body
        return int(row["order_id"])

    def reply(self, reply_id: str, confirmed: object = True) -> Answer:
        """Answer a question."""
        return self.call("POST", f"/iserver/reply/{reply_id}", {"confirmed": confirmed})

    def modify(self, order_id: int, ticket: object) -> Answer:
        """POST a modification."""
        return self.call("POST", f"/iserver/account/{ACCOUNT}/order/{order_id}", ticket)

    def orders(self) -> list[dict[str, Any]]:
        """Live orders, past the cold read."""
        for _ in range(2):
            answer = self.call("GET", "/iserver/account/orders")
        return list(answer.body["orders"])

    def wait(self, seconds: float) -> None:
        """Let time pass on the gateway's clock."""
        self.exchange.now_ns += int(seconds * SECOND)
        self.hall.desk.settle(self.hall)


def limit(**more: Any) -> dict[str, Any]:
    """Buy 100 AAPL at 165, the official text's first order."""
    return {
        "conid": AAPL,
        "side": "BUY",
        "orderType": "LMT",
        "price": 165,
        "quantity": 100,
        "tif": "DAY",
        **more,
    }


def market(**more: Any) -> dict[str, Any]:
    """Buy 10 AAPL at the market."""
    return {"conid": AAPL, "side": "BUY", "orderType": "MKT", "quantity": 10, "tif": "DAY", **more}
