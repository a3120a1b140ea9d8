"""Rooms: what stays in one no check refuses, whatever happens; and orders far from every limit do stay in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import define
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from engine.domain.facts import Accepted, AnswerMissing, Cancelled, Filled
from engine.domain.instrument import Instrument, SecType
from engine.domain.messages import Approved, Cancel, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings
from tests.risk.made import SESSIONS, T0, WIDE, D
from tests.risk.test_catalogue import Market

STOCK, EURO, CALL, PUT = 1, 2, 3, 4
INSTRUMENTS = {
    STOCK: Instrument(conid=STOCK, symbol="AAA", calendar="24/7"),
    EURO: Instrument(conid=EURO, symbol="BBB", calendar="24/7", currency="EUR"),
    CALL: Instrument(conid=CALL, symbol="CCC", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(10)),
    PUT: Instrument(conid=PUT, symbol="PPP", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(10)),
}
PRICES = {STOCK: 100.0, EURO: 80.0, CALL: 10.0, PUT: 12.0}
MONEY = [D(3000), D(6000), D(10**6)]
COUNTS = [8, 20, 10**6]
# Each far enough for some orders to stay in a room, and near enough to be reached.
LIMITS: dict[str, list[Any]] = {
    "position_max": [D(20), D(40), D(10**6)],
    "open_orders_max": [8, 15, 50],
    "orders_per_minute_max": [8, 15, 50],
    "order_notional_max": [D(300), D(500), D(10**6)],
    "price_collar_pct": [D(1), D(50)],
    "duplicate_window_s": [D(0), D(2)],
    "quote_age_max_s": [D(1), D(10**6)],
    "price_drift_pct": [D(1), D(5), D(10**6)],
    "displayed_size_pct": [D("0.7"), D(50)],
    "range_factor": [D("1.5"), D(3)],
    "order_types": [("LMT",), ("LMT", "MKT"), ("LMT", "MKT", "STP")],
    "messages_per_minute_max": COUNTS,
    "orders_per_hour_max": COUNTS,
    "orders_per_day_max": COUNTS,
    "messages_per_day_max": COUNTS,
    "notional_per_day_max": MONEY,
    "gross_max": MONEY,
    "net_max": MONEY,
    "sector_max": MONEY,
    "currency_max": MONEY,
    "leverage_max": [D("0.3"), D("0.6"), D(50)],
    "in_doubt_max": [0, 1],
    "self_trade": [False],
    "blackouts": [("1970-01-01T00:17:10/1970-01-01T00:17:40",)],
    "spread_max_pct": [D("0.1"), D(5)],
    "live_data": [True],
    "short_availability": [True],
    "borrow_fee_max_pct": [D(1), D(5)],
    "no_short": [("AAA",)],
    "settled_cash": [True],
    "buying_power": [True],
    "margin_cushion_pct": [D(0), D(5)],
    "what_if_above": [D(300), D(10**6)],
    "summary_age_max_s": [D(30), D(10**6)],
    "day_trades_max": [1],
    "naked_short": [False],
    "option_delta_max": [D(20), D(60), D(10**6)],
    "option_vega_max": [D(5), D(60), D(10**6)],
    "expiry_days_min": [1],
}
QUIET: dict[str, Any] = {
    "self_trade": True, "two_sided": False, "live_data": False, "short_availability": False, "buying_power": False,
    "in_doubt_max": 10**6, "margin_cushion_pct": D(0), "summary_age_max_s": D(10**6), "gross_max": D(10**9),
}  # fmt: skip
READ = [0, 0, 2000, 10_000]
STAKES = ["gross_max", "net_max", "sector_max", "currency_max", "leverage_max"]
LENT = ["short_availability", "borrow_fee_max_pct"]
PAID = ["notional_per_day_max", "settled_cash", "buying_power", "margin_cushion_pct", "position_max"]


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Limits of the account, of a strategy and of an instrument: one that is near, and few others."""
    near = draw(
        st.sampled_from(STAKES) | st.sampled_from(PAID) | st.sampled_from(LENT) | st.sampled_from(sorted(LIMITS))
    )
    found: list[dict[str, Any]] = [{}, {}, {}]
    for name in draw(st.lists(st.sampled_from(sorted(LIMITS)), max_size=2)):
        found[draw(st.sampled_from([0, 1, 2]))][name] = LIMITS[name][-1]
    found[draw(st.sampled_from([0, 0, 1]))][near] = draw(st.sampled_from(LIMITS[near][:2]))
    return found


def summary(**said: Any) -> Summary:
    rich: dict[str, Any] = dict.fromkeys(
        ("net_liquidation", "excess_liquidity", "buying_power", "settled_cash"), D(5_000)
    )
    return Summary(**{"ts_ns": T0 - 1, "day_trades_left": 3, **rich, **said})


def contract(conid: int, delta: str = "0.5", days: int = 30) -> Contract:
    return Contract(
        right="C" if conid == CALL else "P", expires_ns=T0 + days * NS_PER_DAY, underlying=STOCK, vega=D("0.1"),
        delta=D(delta) if conid == CALL else -D(delta),
    )  # fmt: skip


def outside() -> Outside:
    return Outside(
        account="DU1", strategies=frozenset("ab"), down="", availability=dict.fromkeys(INSTRUMENTS, "R"),
        contracts={conid: contract(conid) for conid in (CALL, PUT)}, summary=summary(),
        borrow={STOCK: Borrow(D(15), D(1)), EURO: Borrow(D(30), D(3))},
    )  # fmt: skip


def settings_of(levels: list[dict[str, Any]]) -> RiskSettings:
    account, strategy, instrument = levels
    return RiskSettings(
        account=Limits(**{**WIDE, **QUIET, **account}),
        strategy={"a": Limits(**strategy)},
        instrument={"AAA": Limits(**instrument), "CCC": Limits(**instrument)},
        sectors={"AAA": "tech", "BBB": "tech"},
    )


@define
class Live:
    """An open order."""

    ticket: OrderTicket
    filled: Decimal = Decimal(0)


class Rooms(RuleBasedStateMachine):
    """Two gates that are told and asked the same, the second of them always by the table of checks."""

    @initialize(levels=tables(), session=st.booleans(), equity=st.sampled_from([1e4, 1e5]))
    def begin(self, levels: list[dict[str, Any]], session: bool, equity: float) -> None:
        self.rates = {"USD": D(1), "EUR": D("1.25")}
        self.gates = [
            Gate(
                settings=settings_of(levels), instruments=INSTRUMENTS, sessions=SESSIONS, rates=self.rates,
                outside=outside() if session else None, equity=equity,
            )
            for _ in range(2)
        ]  # fmt: skip
        self.now_ns = T0
        self.market = Market(prices=dict(PRICES))
        self.number = self.fitted = self.near = self.approved = self.stops = self.at_length = 0
        self.terms: tuple[str, int, Side, int, int | None] = "a", STOCK, Side.BUY, 1, None
        self.open: list[Live] = []
        self.held: dict[tuple[str, int], Decimal] = {}
        self.waits = False
        self.table_only()
        place = self.gates[0]._long_way.place

        def asked(*given: Any) -> Any:
            self.at_length += self.waits
            return place(*given)

        self.gates[0]._long_way.place = asked  # type: ignore[method-assign, assignment]

    def table_only(self) -> None:
        for strategy in "ab":
            for conid in INSTRUMENTS:
                for at, one in enumerate(self.gates):
                    one.exposure(strategy, conid).plain &= at == 0

    def judge(self, intent: Any) -> bool:
        self.market.at_ns = self.now_ns
        short, slow = (one.judge(intent, lambda: self.market, self.now_ns) for one in self.gates)
        assert short == slow
        return isinstance(short, Approved)

    def say(self, order: Order, fact: Any, positions: list[PositionNow] | None = None) -> None:
        for one in self.gates:
            one.hear([Update(order, fact)], positions or [])

    # --- orders ------------------------------------------------------------------------------------------------------

    @rule(
        strategy=st.sampled_from("aab"),
        conid=st.sampled_from([STOCK, STOCK, EURO, CALL, PUT]),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 5),
        ticks=st.none() | st.integers(-3, 3) | st.integers(-300, 300),
        several=st.integers(2, 8),
        over=st.sampled_from(READ),
    )
    def orders(
        self, strategy: str, conid: int, side: Side, quantity: int, ticks: int | None, several: int, over: int
    ) -> None:
        self.terms = strategy, conid, side, quantity, ticks
        self.again(several, same=True, over=over)

    @rule(several=st.integers(1, 8), same=st.booleans(), over=st.sampled_from(READ))
    def again(self, several: int, same: bool, over: int = 0) -> None:
        """More of the same; or by another strategy, or of the other side.

        Money of orders that are `over` is read before each but the first: rooms are near the limits that they count.
        """
        strategy, conid, side, quantity, ticks = self.terms
        if not same and several % 2:
            strategy = "b" if strategy == "a" else "a"
        elif not same:
            side = side.opposite
        for at in range(several):
            self.number += 1
            self.gates[0].account.meter.money += over if at else 0
            price = None if ticks is None else D(str(PRICES[conid])) + D("0.01") * ticks
            coid = f"{strategy}-{self.number:06d}"
            ticket = OrderTicket(
                coid=coid, strategy=strategy, account="DU1", conid=conid, side=side, quantity=D(quantity),
                order_type=OrderType.MARKET if price is None else OrderType.LIMIT, limit_price=price, tif=Tif.DAY,
                tag=coid if self.number % 101 else "",
            )  # fmt: skip
            if self.waits and price is not None:
                ticket = structs.replace(ticket, order_type=OrderType.STOP, limit_price=None, stop_price=price)
            taken, near = self.held_by_rooms(strategy, conid)
            if self.judge(Place((ticket,))):
                self.open.append(Live(ticket))
                if ticket.stop_price is not None:
                    self.stops += 1
                    continue
                self.approved += 1
                now = self.held_by_rooms(strategy, conid)
                self.fitted += now[0] > taken or now[1] > near
                self.near += now[1] > near

    def held_by_rooms(self, strategy: str, conid: int) -> tuple[int, int]:
        """How many orders rooms have held lately, far from every limit and near one."""
        plan = self.gates[0].exposure(strategy, conid).plan
        return (0, 0) if plan is None else (plan.taken, plan.near)

    @rule(several=st.integers(1, 8), cheaper=st.integers(0, 30))
    def a_little_more(self, several: int, cheaper: int) -> None:
        strategy, conid, side, quantity, ticks = self.terms
        self.terms = strategy, conid, side, 1 + quantity % 5, None if ticks is None else ticks - cheaper * side.sign
        self.again(several, same=True)

    @rule(several=st.integers(1, 4), ticks=st.integers(-300, 900), quantity=st.integers(1, 5), same=st.booleans())
    def stops_alone(self, several: int, ticks: int, quantity: int, same: bool) -> None:
        """Between other orders of a strategy; as often as not beyond the prices that a room is measured for."""
        terms = self.terms
        strategy, conid, side, *_ = terms
        self.terms, self.waits = (strategy, conid, side, quantity, ticks), True
        self.again(several, same=same)
        self.terms, self.waits = terms, False
        self.again(2, same=True)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        live = data.draw(st.sampled_from(self.open))
        self.judge(Cancel(live.ticket.coid, live.ticket.strategy))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), quantity=st.integers(1, 8), price=st.sampled_from([None, "99.5", "101", "120"]))
    def modify(self, data: st.DataObject, quantity: int, price: str | None) -> None:
        live = data.draw(st.sampled_from(self.open))
        changes: dict[str, Any] = {"quantity": D(quantity)}
        for name in ("limit_price", "stop_price"):
            if price is not None and getattr(live.ticket, name) is not None:
                changes[name] = D(price)
        self.judge(Modify(live.ticket.coid, live.ticket.strategy, changes))

    # --- what becomes of them ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        self.over(data.draw(st.sampled_from(self.open)))

    def over(self, live: Live) -> None:
        self.open.remove(live)
        gone = Order(ticket=live.ticket, state=State.CANCELLED, filled=live.filled)
        self.say(gone, Cancelled(coid=live.ticket.coid, ts_ns=self.now_ns))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), part=st.integers(1, 5), at_once=st.booleans())
    def fills(self, data: st.DataObject, part: int, at_once: bool) -> None:
        live = data.draw(st.sampled_from(self.open))
        ticket = live.ticket
        size = min(D(part), ticket.quantity - live.filled)
        live.filled += size
        done = live.filled == ticket.quantity
        if done:
            self.open.remove(live)
        fact = Filled(
            coid=ticket.coid, ts_ns=self.now_ns, exec_id=f"e{self.number}-{live.filled}", conid=ticket.conid,
            side=ticket.side, quantity=size, price=D(100),
        )  # fmt: skip
        order = Order(ticket=ticket, state=State.FILLED if done else State.WORKING, filled=live.filled)
        told = [self.position(ticket.strategy, ticket.conid, size * ticket.side.sign)]
        self.say(order, fact, told if at_once else None)
        if not at_once:
            for one in self.gates:
                one.hear([], told)

    def position(self, strategy: str, conid: int, more: Decimal) -> PositionNow:
        self.held[strategy, conid] = self.held.get((strategy, conid), D(0)) + more
        whole = sum((held for (_, of), held in self.held.items() if of == conid), D(0))
        return PositionNow(strategy, conid, self.held[strategy, conid], D(0), D(0), whole, D(0), "USD")

    @precondition(lambda self: self.open)
    @rule(data=st.data(), state=st.sampled_from([State.IN_DOUBT, State.WORKING]))
    def in_doubt_or_found(self, data: st.DataObject, state: State) -> None:
        ticket = (live := data.draw(st.sampled_from(self.open))).ticket
        order = Order(ticket=ticket, state=state, filled=live.filled)
        kind = AnswerMissing if state is State.IN_DOUBT else Accepted
        self.say(order, kind(coid=ticket.coid, ts_ns=self.now_ns))

    @rule(strategy=st.sampled_from("ab"), conid=st.sampled_from(sorted(INSTRUMENTS)), quantity=st.integers(-30, 30))
    def an_order_is_alive_after_all(self, strategy: str, conid: int, quantity: int) -> None:
        if not quantity:
            return
        self.number += 1
        ticket = OrderTicket(
            coid=f"{strategy}-{self.number:06d}", strategy=strategy, account="DU1", conid=conid,
            side=Side.BUY if quantity > 0 else Side.SELL, quantity=D(abs(quantity)), order_type=OrderType.LIMIT,
            limit_price=D(str(PRICES[conid])),
        )  # fmt: skip
        self.open.append(Live(ticket))
        self.say(Order(ticket=ticket, state=State.WORKING), Accepted(coid=ticket.coid, ts_ns=self.now_ns))

    @rule(strategy=st.sampled_from("ab"), conid=st.sampled_from([*INSTRUMENTS, STOCK]), quantity=st.integers(-25, 25))
    def a_position_is_another(self, strategy: str, conid: int, quantity: int) -> None:
        told = [self.position(strategy, conid, quantity - self.held.get((strategy, conid), D(0)))]
        for one in self.gates:
            one.hear([], told)

    @rule()
    def nothing_is_left(self) -> None:
        """So that there is room again."""
        for live in list(self.open):
            self.over(live)
        told = [self.position(strategy, conid, -units) for (strategy, conid), units in self.held.items()]
        for one in self.gates:
            one.hear([], told)

    # --- the world ---------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.001, 1, 1.5, 10, 59, 60, 61, 3600, 86400]))
    def time_passes(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS_PER_S)

    @rule(
        data=st.data(),
        what=st.sampled_from(["price", "price", "quote", "rate", "worth"]),
        conid=st.sampled_from(sorted(PRICES)),
    )
    def the_world_moves(self, data: st.DataObject, what: str, conid: int) -> None:
        if what == "price":
            self.market.prices.pop(conid, None)
            by = data.draw(st.sampled_from([0.93, 0.999, 1.001, 1.05, 1.07, 1.5, -1.0, None]))
            if by is not None:
                self.market.prices[conid] = PRICES[conid] * by
        elif what == "quote":
            self.market.bid = data.draw(st.sampled_from([99.95, 95.0, 101.0, float("nan")]))
            self.market.bid_size = self.market.ask_size = data.draw(st.sampled_from([500.0, 300.0, float("nan")]))
        elif what == "rate":
            self.rates["EUR"] = D(data.draw(st.sampled_from(["1.25", "1.5", "0.8"])))
            for one in self.gates:
                one.rate_now("EUR")
        else:
            worth = data.draw(st.sampled_from([None, 1e3, 9e3, 1e4, 1e5]))
            for one in self.gates:
                one.account.equity = worth

    @rule(levels=tables())
    def other_limits(self, levels: list[dict[str, Any]]) -> None:
        for one in self.gates:
            one.reload(settings_of(levels))
        self.table_only()

    @precondition(lambda self: self.gates[0].account.outside is not None)
    @rule(
        name=st.sampled_from(
            ["summary", "summary", "down", "away", "availability", "contracts", "account", "strategies"]
        ),
        well=st.booleans(),
        money=st.sampled_from([D(500), D(2000), D(10_000)]),
    )
    def the_venue_says(self, name: str, well: bool, money: Decimal) -> None:
        fine = outside()
        poor: dict[str, Any] = {
            "down": "no session", "away": "a reset", "availability": {STOCK: "D"}, "account": "DU2",
            "contracts": {CALL: contract(CALL, "0.9"), PUT: contract(PUT, "0.1", days=1)}, "strategies": frozenset("b"),
        }  # fmt: skip
        told = summary(ts_ns=self.now_ns, buying_power=money, settled_cash=money, excess_liquidity=money)
        for one in self.gates:
            there = one.account.outside
            assert there is not None
            setattr(there, name, told if name == "summary" else getattr(fine, name) if well else poor[name])

    @precondition(lambda self: self.gates[0].account.outside is not None)
    @rule(
        conid=st.sampled_from([STOCK, EURO]), shares=st.none() | st.integers(0, 40),
        fee=st.none() | st.sampled_from([D("0.5"), D(3), D(9)]),
    )  # fmt: skip
    def the_venue_lends(self, conid: int, shares: int | None, fee: Decimal | None) -> None:
        for one in self.gates:
            there = one.account.outside
            assert there is not None
            there.borrow.pop(conid, None)
            if shares is not None:
                there.borrow[conid] = Borrow(D(shares), fee)

    # --- laws --------------------------------------------------------------------------------------------------------

    @invariant()
    def both_have_counted_the_same(self) -> None:
        if hasattr(self, "gates") and not self.number % 8:
            self.compare()

    def compare(self) -> None:
        short, slow = (one.account for one in self.gates)
        for owner in slow.purses:
            mine, other = (account.purse(owner, self.now_ns) for account in (short, slow))
            assert (mine.sent, mine.messages, mine.orders) == (other.sent, other.messages, other.orders)
            assert mine.notional == other.notional
            assert mine.in_hour(self.now_ns) == other.in_hour(self.now_ns)
        for key, exposure in slow.exposures.items():
            twin = short.exposures[key]
            assert [(u.position, u.buys, u.sells, u.top) for u in twin.units] == [
                (u.position, u.buys, u.sells, u.top) for u in exposure.units
            ]
            mine_, other_ = short.recent_of(*key), slow.recent_of(*key)
            assert (mine_.quantities.figures, mine_.levels.figures) == (
                other_.quantities.figures,
                other_.levels.figures,
            )

    def teardown(self) -> None:
        if getattr(self, "approved", 0) >= 10:
            event(f"in rooms: {10 * self.fitted // self.approved * 10} %")
            event(f"near a limit: {10 * self.near // self.approved * 10} %")
        if getattr(self, "stops", 0) >= 4:
            event(f"stops taken without the table: {max(4 - 4 * self.at_length // self.stops, 0) * 25} %")


TestRooms = Rooms.TestCase
TestRooms.settings = settings(max_examples=max(40, settings().max_examples // 2), stateful_step_count=30)
