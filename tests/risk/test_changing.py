"""Modifications and brackets on the short way: they are taken without the table, and count as the table counts them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from attrs import define, field
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.facts import Accepted, Cancelled, Filled, Modified, ModifyRefused
from engine.domain.messages import Approved, Cancel, Intent, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_MS
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, amend
from engine.risk.gate import Gate
from engine.risk.outside import Borrow
from engine.settings import Limits, RiskSettings
from tests.risk.made import SESSIONS, T0, WIDE, D
from tests.risk.test_catalogue import Market
from tests.risk.test_rooms import CALL, INSTRUMENTS, PRICES, STOCK, outside, settings_of, summary, tables
from tests.risk.test_rooms_hold import FULL, MANY

BUY, SELL = Side.BUY, Side.SELL
WITH_STOPS: dict[str, Any] = {**FULL, "order_types": ("LMT", "MKT", "STP")}
FEW = RiskSettings(account=Limits(**{**WIDE, "position_max": D(12), "duplicate_window_s": D(2)}))  # nothing is summed


@define
class Pair:
    """The same told to and asked of two gates, the second of which asks the table of checks each time."""

    gates: list[Gate]
    market: Market = field(factory=lambda: Market(prices=dict(PRICES)))
    now_ns: int = T0
    number: int = 0
    open: dict[str, Order] = field(factory=dict)

    def judge(self, intent: Intent) -> bool:
        """Whether it was approved."""
        self.now_ns += 10 * NS_PER_MS
        self.market.at_ns = self.now_ns
        short, slow = (one.judge(intent, lambda: self.market, self.now_ns) for one in self.gates)
        assert short == slow
        return isinstance(short, Approved)

    def say(self, order: Order, fact: Any) -> None:
        for one in self.gates:
            one.hear([Update(order, fact)], [])

    def ticket(self, cents: int = 0, quantity: int = 2, side: Side = BUY, conid: int = STOCK) -> OrderTicket:
        self.number += 1
        return OrderTicket(
            coid=f"a-{self.number:06d}", strategy="a", account="DU1", conid=conid, side=side, quantity=D(quantity),
            order_type=OrderType.LIMIT, limit_price=D(str(PRICES[conid])) + D("0.01") * cents,
        )  # fmt: skip

    def place(self, *tickets: OrderTicket) -> bool:
        if not self.judge(Place(tickets)):
            return False
        for ticket in tickets:
            order = self.open[ticket.coid] = Order(ticket=ticket, state=State.WORKING)
            self.say(order, Accepted(coid=ticket.coid, ts_ns=self.now_ns))
        return True

    def modify(self, coid: str, *, answered: bool | None = True, **changes: Any) -> bool:
        """Ask for it; the venue agrees, refuses, or has not said."""
        if not self.judge(Modify(coid, "a", changes)):
            return False
        was = self.open[coid]
        if answered:
            now = self.open[coid] = Order(ticket=amend(was.ticket, changes), state=State.WORKING, filled=was.filled)
            self.say(now, Modified(coid=coid, ts_ns=self.now_ns))
        elif answered is False:
            self.say(was, ModifyRefused(coid=coid, ts_ns=self.now_ns, code="NO", reason="no"))
        return True

    def fill(self, coid: str) -> None:
        """One unit more has traded; the positions are not told."""
        was = self.open[coid]
        ticket, filled = was.ticket, was.filled + 1
        fact = Filled(
            coid=coid, ts_ns=self.now_ns, exec_id=f"{coid}-{filled}", conid=ticket.conid, side=ticket.side,
            quantity=D(1), price=ticket.limit_price or D(100),
        )  # fmt: skip
        done = filled >= ticket.quantity
        now = self.open[coid] = Order(ticket=ticket, state=State.FILLED if done else State.WORKING, filled=filled)
        if done:
            del self.open[coid]
        self.say(now, fact)

    def end(self, coid: str) -> None:
        was = self.open.pop(coid)
        gone = Order(ticket=was.ticket, state=State.CANCELLED, filled=was.filled)
        self.say(gone, Cancelled(coid=coid, ts_ns=self.now_ns))

    def hold(self, conid: int, units: int) -> None:
        for one in self.gates:
            one.hear([], [PositionNow("a", conid, D(units), D(0), D(0), D(units), D(0), "USD")])

    def lend(self, shares: int | None, fee: int = 1) -> None:
        for one in self.gates:
            assert one.account.outside is not None
            one.account.outside.borrow = {} if shares is None else {STOCK: Borrow(D(shares), D(fee))}

    def since(self, sent: Iterable[tuple[Any, ...]], span_ns: int) -> list[tuple[Any, ...]]:
        """What is within a span still: what is older is dropped sooner or later."""
        return [one for one in sent if one[0] > self.now_ns - span_ns]

    def same(self) -> None:
        """Both have counted the same."""
        short, slow = (one.account for one in self.gates)
        for owner in slow.purses:
            mine, other = (account.purse(owner, self.now_ns) for account in (short, slow))
            assert (mine.sent, mine.changes, mine.notional) == (other.sent, other.changes, other.notional)
            assert (mine.in_minute(self.now_ns), mine.in_hour(self.now_ns)) == (
                other.in_minute(self.now_ns), other.in_hour(self.now_ns),
            )  # fmt: skip
        assert list(short.spent) == list(slow.spent)
        for key, exposure in slow.exposures.items():
            twin = short.exposures[key]
            for one, two in zip(twin.units, exposure.units, strict=True):
                assert (one.position, one.buys, one.sells) == (two.position, two.buys, two.sells)
                assert one.top == two.top or not (one.buys or one.sells)
            mine_, other_ = short.recent_of(*key), slow.recent_of(*key)
            for walk, walked in ((mine_.buys, other_.buys), (mine_.sells, other_.sells)):
                assert self.since(walk.sent, 60_000 * NS_PER_MS) == self.since(walked.sent, 60_000 * NS_PER_MS)
            assert mine_.quantities.figures == other_.quantities.figures
            assert mine_.levels.figures == other_.levels.figures
            assert [(coid, held.ticket, held.wanted, held.counted) for coid, held in twin.open.items()] == [
                (coid, held.ticket, held.wanted, held.counted) for coid, held in exposure.open.items()
            ]
            window_ns = exposure.window_ns
            assert self.since(twin.twins.lately, window_ns) == self.since(exposure.twins.lately, window_ns)
            assert {parent: (held.counted, held.children) for parent, held in twin.brackets.items()} == {
                parent: (held.counted, held.children) for parent, held in exposure.brackets.items()
            }
        assert self.gates[0].references == self.gates[1].references


def pair(settings: RiskSettings, *, session: bool = True, money: Decimal = MANY) -> Pair:
    rich = dict.fromkeys(("net_liquidation", "excess_liquidity", "buying_power", "settled_cash"), money)
    gates = []
    for at in range(2):
        venue = outside()
        venue.summary = summary(**rich)
        gate = Gate(
            settings=settings, instruments=INSTRUMENTS, sessions=SESSIONS, rates={"USD": D(1), "EUR": D(1)},
            outside=venue if session else None, equity=1e6,
        )  # fmt: skip
        for strategy in "ab":
            for conid in INSTRUMENTS:
                gate.exposure(strategy, conid).plain &= at == 0
        gates.append(gate)
    return Pair(gates)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Under all limits, none of them near; the first gate may not ask the table."""
    made = pair(settings_of([WITH_STOPS, {}, {}]))

    def asked(*_: Any) -> None:
        raise AssertionError("the table was asked")

    for name in ("modify", "place"):
        monkeypatch.setattr(made.gates[0]._long_way, name, asked)
    return made


@pytest.mark.parametrize("conid", [STOCK, CALL])
@pytest.mark.parametrize("answered", [True, False])
def test_a_modification_far_from_every_limit_is_taken_without_the_table(desk: Pair, conid: int, answered: bool) -> None:
    desk.hold(conid, 50)
    first, second = desk.ticket(conid=conid), desk.ticket(cents=20, side=SELL, conid=conid)
    assert desk.place(first)
    assert desk.place(second)
    for turn in range(1, 12):
        desk.now_ns += 61_000 * NS_PER_MS * (turn % 3 == 0)  # past a minute nothing stands in a room any more
        for coid, way in ((first.coid, 1), (second.coid, -1)):
            limit = D(str(PRICES[conid])) + D("0.01") * (-turn * way)
            assert desk.modify(coid, answered=answered, limit_price=limit, quantity=D(2 + turn % 4))
            desk.same()
        desk.fill(first.coid) if turn == 5 else None
        assert desk.place(desk.ticket(cents=-30 - turn, conid=conid))
        desk.same()


def test_modifications_add_up_whichever_way_each_of_them_goes() -> None:
    """Ten orders of 2, at the market's 100, may grow to 60 in all: eight of them by 5, and no ninth."""
    desk = pair(settings_of([{**FULL, "gross_max": D(6_000)}, {}, {}]))
    orders = [desk.ticket(cents=-at) for at in range(10)]
    assert all(desk.place(order) for order in orders)
    grown = [desk.modify(order.coid, answered=None, quantity=D(7)) for order in orders]
    assert grown == [True] * 8 + [False] * 2
    desk.same()


def test_an_order_must_not_meet_what_a_modification_may_make_of_another() -> None:
    desk = pair(settings_of([FULL, {}, {}]))
    desk.hold(STOCK, 50)
    first = desk.ticket()
    assert desk.place(first)
    assert desk.place(desk.ticket(20, side=SELL))
    assert desk.modify(first.coid, answered=None, limit_price=D("100.10"))
    assert desk.place(desk.ticket(11, side=SELL))
    assert not desk.place(desk.ticket(10, side=SELL))
    desk.end(first.coid)
    assert desk.place(desk.ticket(9, side=SELL))


@pytest.mark.parametrize("quantity", [2, 9])
def test_own_prices_walk_by_modifications_in_a_room_and_without(quantity: int) -> None:
    """1 % of 100, up by 0.2 at a time and down between; a size beyond what a room holds is looked at for longer."""
    desk = pair(settings_of([{**FULL, "price_drift_pct": D(1), "range_factor": D(5)}, {}, {}]))
    first = desk.ticket()
    assert desk.place(first)
    assert desk.place(desk.ticket(cents=-1))
    for limit in ("100.2", "100", "100.2", "100", "100.2", "100"):
        assert desk.modify(first.coid, limit_price=D(limit), quantity=D(quantity))
    assert desk.place(desk.ticket(cents=30, quantity=3))  # 0.21 + 0.2 + 0.2 + 0.3
    assert desk.modify(first.coid, limit_price=D(99))
    assert not desk.place(desk.ticket(cents=-80, quantity=3))  # and 0.2 more are beyond 1
    assert desk.place(desk.ticket(cents=-95, quantity=3))


def test_a_bracket_far_from_every_limit_is_taken_without_the_table(desk: Pair) -> None:
    for conid in (STOCK, CALL):
        desk.hold(conid, 100)
    for turn in range(12):
        desk.now_ns += 61_000 * NS_PER_MS * (turn % 4 == 0)
        group = bracket(desk, -turn, 2 + turn % 3, (STOCK, CALL)[turn % 2])
        assert desk.place(*group)
        desk.same()
        desk.end(group[0].coid) if turn % 3 else desk.fill(group[0].coid)
        desk.same()


def terms(
    desk: Pair, *, cents: int = 0, side: Side = BUY, limit: str = "101", stop: str = "97", quantity: int = 2
) -> bool:
    """Whether a bracket is approved whose entry is near the market, and whose exits are as named."""
    entry = desk.ticket(cents, quantity=2, side=side)
    entry = replace(entry, tag=entry.coid)  # nobody's twin
    profit = replace(desk.ticket(quantity=quantity, side=side.opposite), parent=entry.coid, limit_price=D(limit))
    loss = desk.ticket(quantity=quantity, side=side.opposite)
    return desk.place(
        entry,
        profit,
        replace(loss, parent=entry.coid, order_type=OrderType.STOP, limit_price=None, stop_price=D(stop)),
    )


def exits_desk(**limits: Any) -> Pair:
    desk = pair(settings_of([{**WITH_STOPS, "tick_and_lot": True, **limits}, {}, {}]))
    desk.hold(STOCK, 50)
    assert terms(desk)  # whatever else is asked for next, this is fine
    assert terms(desk)
    return desk


EXITS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"price_collar_pct": D(2), "self_trade": True}, {"side": SELL, "limit": "102.01", "stop": "103"}, False),
    ({"price_collar_pct": D(3), "self_trade": True}, {"side": SELL, "limit": "102.01", "stop": "103"}, True),
    ({}, {"cents": 50, "limit": "100.5"}, False),  # it would meet its own entry
    ({}, {"cents": 50, "limit": "100.51"}, True),
    ({}, {"stop": "97.001"}, False),  # no price of the tick table
    ({"order_types": ("LMT", "MKT")}, {}, False),
    ({"range_factor": D(2)}, {"limit": "203"}, True),  # who gets out may
    ({"range_factor": D(2)}, {"limit": "199"}, True),
    ({"order_notional_max": D(250)}, {"limit": "126"}, False),
    ({"order_notional_max": D(250)}, {"limit": "124"}, True),
    ({"notional_per_day_max": D(1805)}, {}, False),  # twice 602 were sent before
    ({"notional_per_day_max": D(1806)}, {}, True),
    ({"messages_per_day_max": 8}, {}, False),
    ({"orders_per_hour_max": 9}, {}, True),
    ({"open_orders_max": 8}, {}, False),
    ({"open_orders_max": 9}, {}, True),
    ({"orders_per_minute_max": 8}, {}, False),
    ({"orders_per_minute_max": 9}, {}, True),
    ({"price_drift_pct": D(1)}, {"limit": "100.9"}, False),
]


@pytest.mark.parametrize(("limits", "asked", "allowed"), EXITS)
def test_an_exit_is_refused_where_the_table_refuses_it(
    limits: dict[str, Any], asked: dict[str, Any], allowed: bool
) -> None:
    desk = exits_desk()
    for one in desk.gates:
        one.reload(settings_of([{**WITH_STOPS, "tick_and_lot": True, **limits}, {}, {}]))
    desk.gates[1].exposure("a", STOCK).plain = False
    desk.now_ns += 3_000 * NS_PER_MS
    if limits.get("price_drift_pct"):
        assert terms(desk, limit="102")
    assert terms(desk, **asked) is allowed
    desk.same()


def test_an_exit_is_asked_about_the_size_shown_on_its_side() -> None:
    desk = exits_desk()
    desk.market.bid_size = 1.0
    assert not terms(desk)
    desk.market.bid_size = 2.0
    assert terms(desk)


def test_an_exit_is_a_short_sale_where_more_is_sold_than_held() -> None:
    desk = exits_desk()
    assert desk.place(desk.ticket(cents=300, quantity=20, side=SELL))
    assert terms(desk, limit="105")
    desk.hold(STOCK, 19)
    for shares, allowed in ((None, False), (0, False), (1, True)):
        desk.lend(shares)
        assert terms(desk, limit="105") is allowed
        desk.same()


def test_an_exit_that_is_larger_than_its_entry_is_an_order_of_its_own() -> None:
    desk = exits_desk()
    assert terms(desk, quantity=10)
    desk.same()
    assert desk.gates[0].exposure("a", STOCK).units[0].sells == 20  # both of them


@pytest.mark.parametrize(("money", "allowed"), [(500, False), (700, True)])
def test_exits_of_what_buys_back_a_short_position_have_to_be_paid_too(money: int, allowed: bool) -> None:
    """Two at 100, two at 101, and two at 97, which count at 100."""
    desk = pair(settings_of([WITH_STOPS, {}, {}]), money=D(money))
    desk.hold(STOCK, -5)
    assert terms(desk) is allowed


@pytest.mark.parametrize(
    "limits", [{"orders_per_day_max": 21}, {"notional_per_day_max": D(4_000)}, {"price_drift_pct": D(1)}]
)
def test_orders_in_a_room_and_brackets_reach_a_limit_together(limits: dict[str, Any]) -> None:
    desk = pair(settings_of([{**WITH_STOPS, **limits}, {}, {}]))
    desk.hold(STOCK, 90)
    asked = []
    for turn in range(8):
        asked += [desk.place(desk.ticket(cents=-turn - 9))]
        asked += [terms(desk, limit=("101", "100.8")[turn % 2]), desk.place(desk.ticket(cents=100 + turn, side=SELL))]
        desk.same()
    assert asked[:4] == [True] * 4
    assert False in asked


STEPS = ("place", "place", "sell", "stop", "stop", "modify", "modify", "modify", "wait", "refused", "fill", "cancel",
         "end", "hold", "bracket", "time", "price", "lend")  # fmt: skip


@given(data=st.data(), levels=st.none() | tables(), session=st.booleans())
def test_whatever_is_modified_both_say_and_count_the_same(
    data: st.DataObject, levels: list[dict[str, Any]] | None, session: bool
) -> None:
    desk = pair(
        FEW if levels is None else settings_of(levels),
        session=session,
        money=data.draw(st.sampled_from([D(2000), D(6000), MANY])),
    )
    drawn = data.draw(
        st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11), st.integers(0, 40)), min_size=8, max_size=40)
    )
    approved = stops = trailed = 0
    asked: list[str] = []
    modify = desk.gates[0]._long_way.modify

    def counted(*given: Any) -> Any:
        asked.append("")
        return modify(*given)

    desk.gates[0]._long_way.modify = counted  # type: ignore[method-assign, assignment]
    for step, which, figure in drawn:
        conid = (STOCK, STOCK, CALL)[which % 3]
        coid = None if not desk.open else list(desk.open)[which % len(desk.open)]
        match step:
            case "place" | "sell":
                side = BUY if step == "place" else SELL
                desk.place(desk.ticket((figure - 45) * side.sign, 1 + which % 5, side, conid))
            case "stop":
                stops += desk.place(stop(desk, figure - 20, 1 + which % 5, (BUY, SELL)[which % 2], conid))
            case "bracket":
                desk.place(*bracket(desk, -figure, 1 + which % 5, conid))
            case "hold":
                desk.hold(conid, figure - 10)
            case "lend" if session:
                desk.lend(figure if which else None, which)
            case "time":
                desk.now_ns += (1, 1_000, 61_000)[which % 3] * NS_PER_MS
            case "price":
                desk.market.prices = {conid: PRICES[conid] * (0.9 + 0.005 * figure) for conid in PRICES}
            case "fill" if coid is not None:
                desk.fill(coid)
            case "cancel" if coid is not None:
                desk.judge(Cancel(coid, "a"))
            case "end" if coid is not None:
                desk.end(coid)
            case "modify" | "wait" | "refused" if coid is not None:
                ticket = desk.open[coid].ticket
                changes: dict[str, Any] = {"quantity": D(1 + figure % 7)} if figure % 3 else {}
                for name in ("limit_price", "stop_price"):
                    price = getattr(ticket, name)
                    if price is not None and figure % 4:
                        changes[name] = price + D("0.01") * (figure - 20)
                answered = {"modify": True, "refused": False}.get(step)
                waits = ticket.stop_price is not None and ticket.parent is None
                before = len(asked)
                taken = desk.modify(coid, answered=answered, **changes)
                approved += taken
                trailed += taken and waits and len(asked) == before
        desk.same()
    event(f"modifications: {min(approved, 5)}")
    event(f"stops: {min(stops, 5)}")
    event(f"stops modified without the table: {min(trailed, 5)}")


def stop(desk: Pair, cents: int, quantity: int, side: Side, conid: int) -> OrderTicket:
    """A stop alone, near the market."""
    plain = desk.ticket(cents, quantity, side, conid)
    return replace(plain, order_type=OrderType.STOP, limit_price=None, stop_price=plain.limit_price)


def bracket(desk: Pair, cents: int, quantity: int, conid: int = STOCK) -> tuple[OrderTicket, ...]:
    """An entry, a profit taker above it and a stop below."""
    entry = desk.ticket(cents, quantity, conid=conid)
    profit = desk.ticket(150, quantity, SELL, conid)
    stop = desk.ticket(0, quantity, SELL, conid)
    assert entry.limit_price is not None
    return (
        entry,
        replace(profit, parent=entry.coid),
        replace(stop, parent=entry.coid, order_type=OrderType.STOP, limit_price=None,
                stop_price=entry.limit_price - 3),
    )  # fmt: skip
