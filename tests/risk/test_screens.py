"""The flat look at what limits switch on: what it passes no check refuses, and a plain order of them all is passed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from engine.domain.facts import AnswerMissing, Cancelled, Filled
from engine.domain.messages import Approved, Cancel, Denied, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk import longway
from engine.risk.checks import NEW_ORDER
from engine.risk.gate import Gate
from engine.risk.market import market_now
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D
from tests.risk.test_catalogue import KNOWN, Market

# Each limit near what the orders below ask for, so that every check refuses now and then.
MONEY = [D(999), D(1000), D(2000), D(2500), D(10**9)]
COUNTS = [1, 2, 3, 50]
LIMITS: dict[str, st.SearchStrategy[Any]] = {
    "price_drift_pct": st.sampled_from([D(1), D(2), D(50)]),
    "displayed_size_pct": st.sampled_from([D(2), D("3.33333"), D(100)]),
    "average_volume": st.just(D(1000)),
    "average_volume_pct": st.sampled_from([D(1), D(100)]),
    "range_factor": st.sampled_from([D(1), D(2)]),
    "order_types": st.sampled_from([("LMT",), ("LMT", "MKT"), ("LMT", "MKT", "STP"), ("STP",)]),
    "tifs": st.sampled_from([("DAY",), ("DAY", "GTC")]),
    "messages_per_minute_max": st.sampled_from(COUNTS),
    "orders_per_hour_max": st.sampled_from(COUNTS),
    "orders_per_day_max": st.sampled_from(COUNTS),
    "messages_per_day_max": st.sampled_from(COUNTS),
    "notional_per_day_max": st.sampled_from(MONEY),
    "gross_max": st.sampled_from(MONEY),
    "net_max": st.sampled_from(MONEY),
    "sector_max": st.sampled_from(MONEY),
    "currency_max": st.sampled_from(MONEY),
    "leverage_max": st.sampled_from([D(1), D(2)]),
    "in_doubt_max": st.sampled_from([0, 1]),
    "allowed": st.sampled_from([("AAA",), ("AAA", "BBB")]),
    "exchanges": st.sampled_from([("SMART",), ("NYSE",)]),
    "no_short": st.sampled_from([("AAA",), ("BBB",)]),
    "self_trade": st.booleans(),
    "blackouts": st.sampled_from([("1970-01-01T00:16:41/1970-01-01T00:17:00",), ("1970-01-01/1970-01-01T00:16:40",)]),
    "two_sided": st.booleans(),
    "spread_max_pct": st.sampled_from([D("0.1"), D(50)]),
    "live_data": st.booleans(),
    "short_availability": st.booleans(),
    "borrow_fee_max_pct": st.sampled_from([D(1), D(5)]),
    "day_trades_max": st.sampled_from([0, 1]),
    "settled_cash": st.booleans(),
    "buying_power": st.booleans(),
    "margin_cushion_pct": st.sampled_from([D(0), D(5)]),
    "what_if_above": st.sampled_from(MONEY),
    "summary_age_max_s": st.sampled_from([D(999), D(1_000), D(10_000)]),  # the summary is 1,000 s old at first
}
# What a session asks for by itself, off, so that a case has few limits and each of them is the one that decides.
QUIET: dict[str, Any] = {
    "self_trade": True, "two_sided": False, "live_data": False, "short_availability": False, "buying_power": False,
    "in_doubt_max": 10**6, "margin_cushion_pct": D(0), "summary_age_max_s": D(10**6),
}  # fmt: skip


BESIDE = {"average_volume_pct": ["average_volume"], "leverage_max": ["gross_max"]}


@st.composite
def tables(draw: st.DrawFn, first: str) -> list[dict[str, Any]]:
    """Limits of the account, of a strategy and of an instrument: one that is named, and few others."""
    others = draw(st.lists(st.sampled_from(sorted(LIMITS)), max_size=2))
    names = dict.fromkeys([first, *BESIDE.get(first, ()), *others])
    found: list[dict[str, Any]] = [dict(QUIET), {}, {}]
    for name in names:
        found[draw(st.sampled_from([0, 0, 1, 2]))][name] = draw(LIMITS[name])
    return found


some_money = st.sampled_from([D(500), D(1000), D(2000), D(2500), D(10**9), D(10**9), None])
outsides = st.none() | st.builds(
    Outside,
    account=st.sampled_from(["DU1", "DU1", "DU1", "DU1", "DU2", None]),
    strategies=st.none() | st.sampled_from([frozenset({"a"}), frozenset({"a", "b"})]),
    down=st.sampled_from(["", "", "", "", "", "maintenance"]),
    away=st.sampled_from(["", "", "", "", "", "weekly maintenance"]),
    availability=st.sampled_from([{1: "R", 2: "RpB"}, {1: "D"}]),
    borrow=st.sampled_from([{}, {1: Borrow(D(10), D(2)), 2: Borrow(D(5), None)}]),
    contracts=st.sampled_from([{}, {}, {1: Contract(order_types=frozenset({"LMT"}))}, {2: Contract(tifs=frozenset())}]),
    summary=st.none()
    | st.builds(
        Summary,
        ts_ns=st.sampled_from([0, T0, T0 + NS_PER_S]),
        net_liquidation=some_money,
        excess_liquidity=some_money,
        buying_power=some_money,
        settled_cash=some_money,
        cash_account=st.sampled_from([None, None, True]),
        day_trades_left=st.sampled_from([None, -1, 0, 1, 2]),
    ),
    what_if=st.just({}),
)
tickets = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["a", "a", "b"]),
        "conid": st.sampled_from([1, 1, 2]),
        "side": st.sampled_from(list(Side)),
        "quantity": st.sampled_from([D(5), D(10), D(11)]),
        "tif": st.sampled_from([Tif.DAY, Tif.DAY, Tif.GTC]),
        "limit_price": st.sampled_from([None, D(99), D(100), D(101), D("101.01")]),
        "stop_price": st.sampled_from([None, None, D(98), D(100), D(102), D(120)]),  # of one that has no limit
    }
)
steps = st.sampled_from([0, 0, 0, NS_PER_S, NS_PER_MINUTE, 61 * NS_PER_MINUTE, NS_PER_DAY])
markets = st.builds(
    Market,
    prices=st.sampled_from([{1: 100.0, 2: 100.0}, {1: 100.0, 2: 100.0}, {1: 99.5, 2: 101.0}, {1: 100.0}]),
    bid=st.sampled_from([99.95, 99.95, 99.95, 100.06, float("nan")]),
    bid_size=st.sampled_from([300.0, 500.0]),
    ask_size=st.sampled_from([300.0, 300.0, 300.0, float("nan")]),
    quoted=st.sampled_from([True, True, True, False]),
)
# What may happen besides an order: the last one open is cancelled, ends, fills, is in doubt, or is modified.
happenings = st.sampled_from(["nothing"] * 4 + ["cancel", "end", "fill", "doubt", "modify", "reload"])


def gate_with(levels: list[dict[str, Any]], outside: Outside | None) -> Gate:
    return Gate(
        settings=settings_of(levels),
        instruments=KNOWN,
        sessions=SESSIONS,
        rates=RATES,
        outside=outside,
        equity=1500.0,
    )


def settings_of(levels: list[dict[str, Any]]) -> RiskSettings:
    return RiskSettings(
        account=Limits(**{**WIDE, **levels[0]}),
        strategy={"a": Limits(**levels[1])},
        instrument={"AAA": Limits(**levels[2])},
        sectors={"AAA": "tech", "BBB": "tech"},
    )


class Pair:
    """Two gates that are told and asked the same, the second of them never the short way."""

    def __init__(self, levels: list[dict[str, Any]], outside: Outside | None) -> None:
        self.levels = levels
        self.gates = [gate_with(levels, outside) for _ in range(2)]
        self.long()
        self.now_ns = T0
        self.number = self.at_length = 0
        self.open: list[OrderTicket] = []
        place = self.gates[0]._long_way.place

        def asked(*given: Any) -> Any:
            self.at_length += 1
            return place(*given)

        self.gates[0]._long_way.place = asked  # type: ignore[method-assign, assignment]

    def long(self) -> None:
        for strategy in ("a", "b"):
            for conid in (1, 2):
                for at, one in enumerate(self.gates):  # made in one order: the first that stands across is named
                    one.exposure(strategy, conid).plain &= at == 0

    def ask(self, terms: dict[str, Any], market: Market) -> None:
        self.number += 1
        kind = OrderType.LIMIT
        if terms["limit_price"] is None:
            kind = OrderType.MARKET if terms["stop_price"] is None else OrderType.STOP
        else:
            terms = {**terms, "stop_price": None}
        coid = f"{terms['strategy']}-{self.number:06d}"
        ticket = OrderTicket(coid=coid, account="DU1", order_type=kind, tag=coid, **terms)
        exposure = self.gates[0].exposure(ticket.strategy, ticket.conid)
        exposure.instrument.level(
            ticket.limit_price or ticket.stop_price or D(1)
        )  # as after an earlier order of these terms
        exposure.instrument.units(ticket.quantity)
        now = market_now(exposure.instrument, market, self.now_ns)
        checks = (*NEW_ORDER, *exposure.armed)
        refused = any(check(ticket, exposure, now, exposure.bounds) is not None for check in checks)
        before = self.at_length
        short, slow = (one.judge(Place((ticket,)), lambda: market, self.now_ns) for one in self.gates)
        assert short == slow
        if isinstance(short, Approved) and kind is OrderType.STOP:
            event(f"a stop is taken the short way: {self.at_length == before}")
        held = any(one.account.held for one in self.gates)
        assert isinstance(short, Denied if refused else (Approved, Denied) if held else Approved)
        if isinstance(short, Approved):
            self.open.append(ticket)

    def happen(self, what: str, market: Market) -> None:
        if what == "reload":
            for one in self.gates:
                one.reload(settings_of([{**QUIET, **self.levels[1]}, *self.levels[:0:-1]]))
            self.long()
        if not self.open or what == "nothing":
            return
        ticket = self.open[-1]
        coid, strategy = ticket.coid, ticket.strategy
        for one in self.gates:
            if what == "cancel":
                one.judge(Cancel(coid, strategy), lambda: market, self.now_ns)
            elif what == "modify":
                changes: dict[str, Any] = {"quantity": D(6)} | ({"stop_price": D(101)} if ticket.stop_price else {})
                one.judge(Modify(coid, strategy, changes), lambda: market, self.now_ns)
            elif what == "end":
                gone = Order(ticket=ticket, state=State.CANCELLED)
                one.hear([Update(gone, Cancelled(coid=coid, ts_ns=self.now_ns))], [])
            elif what == "doubt":
                lost = Order(ticket=ticket, state=State.IN_DOUBT)
                one.hear([Update(lost, AnswerMissing(coid=coid, ts_ns=self.now_ns))], [])
            elif what == "fill":
                self.fill(one, ticket)
        if what in ("end", "fill"):
            self.open.pop()

    def fill(self, one: Gate, ticket: OrderTicket) -> None:
        account, own = one.exposure(ticket.strategy, ticket.conid).units
        more = ticket.quantity * ticket.side.sign
        fill = Filled(
            coid=ticket.coid, ts_ns=self.now_ns, exec_id=ticket.coid, conid=ticket.conid, side=ticket.side,
            quantity=ticket.quantity, price=D(100),
        )  # fmt: skip
        done = Order(ticket=ticket, state=State.FILLED, filled=ticket.quantity)
        quantity, of_account = own.position + more, account.position + more
        now = PositionNow(ticket.strategy, ticket.conid, quantity, D(0), D(0), of_account, D(0), "USD")
        one.hear([Update(done, fill)], [now])


@pytest.mark.parametrize("name", sorted(LIMITS))
@settings(max_examples=max(12, settings().max_examples // 4))
@given(
    data=st.data(),
    outside=outsides,
    orders=st.lists(st.tuples(tickets, markets, steps, happenings), min_size=3, max_size=12),
)
def test_both_ways_say_the_same_and_count_the_same(
    name: str, data: st.DataObject, outside: Outside | None, orders: list[tuple[dict[str, Any], Market, int, str]]
) -> None:
    pair = Pair(data.draw(tables(name)), outside)
    for terms, market, step_ns, what in orders:
        pair.now_ns += step_ns
        market.at_ns = pair.now_ns
        pair.ask(terms, market)
        pair.happen(what, market)
    short, slow = (one.account for one in pair.gates)
    for owner in slow.purses:
        mine, purse = (account.purse(owner, pair.now_ns) for account in (short, slow))
        assert (mine.orders, mine.messages, mine.notional) == (purse.orders, purse.messages, purse.notional)
        assert (mine.in_minute(pair.now_ns), mine.in_hour(pair.now_ns)) == (
            purse.in_minute(pair.now_ns),
            purse.in_hour(pair.now_ns),
        )
    told_ns = T0 if outside is None or outside.summary is None else outside.summary.ts_ns
    assert short.spent_since(told_ns) == pytest.approx(slow.spent_since(told_ns))
    for key in slow.exposures:
        mine_, recent = short.recent_of(*key), slow.recent_of(*key)
        plan = pair.gates[1].exposure(*key).plan
        assert (mine_.quantities.figures, mine_.levels.figures) == (recent.quantities.figures, recent.levels.figures)
        assert [mine_.size, mine_.level] == pytest.approx([recent.size, recent.level], nan_ok=True)
        for side in Side:
            walk, other_walk = mine_.walk(side), recent.walk(side)
            if plan is not None and plan.walk is not None:  # whoever asks forgets, and each is asked at other times
                walk.forget(pair.now_ns - plan.walk_ns)
                other_walk.forget(pair.now_ns - plan.walk_ns)
            assert walk.sent == other_walk.sent
            assert walk.total == pytest.approx(other_walk.total)
            assert walk.last == pytest.approx(other_walk.last, nan_ok=True)
    for (strategy, conid), exposure in pair.gates[1].account.exposures.items():
        other = pair.gates[0].exposure(strategy, conid)
        assert [(u.position, u.buys, u.sells, u.top) for u in other.units] == [
            (u.position, u.buys, u.sells, u.top) for u in exposure.units
        ]


FULL: dict[str, Any] = {
    "price_drift_pct": D(50), "displayed_size_pct": D(100), "average_volume": D(10**6), "average_volume_pct": D(100),
    "range_factor": D(10), "order_types": ("LMT", "MKT"), "tifs": ("DAY",), "messages_per_minute_max": 10**6,
    "orders_per_hour_max": 10**6, "orders_per_day_max": 10**6, "messages_per_day_max": 10**6,
    "notional_per_day_max": D(10**12), "gross_max": D(10**12), "net_max": D(10**12), "sector_max": D(10**12),
    "currency_max": D(10**12), "leverage_max": D(10**12), "in_doubt_max": 5, "allowed": ("AAA",),
    "exchanges": ("SMART",), "no_short": ("BBB",), "self_trade": False, "blackouts": ("2001-01-01/2001-01-02",),
    "two_sided": True, "spread_max_pct": D(50), "live_data": True, "short_availability": True,
    "borrow_fee_max_pct": D(50), "day_trades_max": 1, "settled_cash": True, "buying_power": True,
    "margin_cushion_pct": D(5), "what_if_above": D(10**12), "summary_age_max_s": D(10**6),
}  # fmt: skip


@pytest.mark.parametrize("side", Side)
def test_a_plain_order_under_the_full_catalogue_asks_no_check(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    rich = D(10**9)
    summary = Summary(
        ts_ns=0, net_liquidation=rich, excess_liquidity=rich, buying_power=rich, settled_cash=rich, day_trades_left=3
    )
    outside = Outside(account="DU1", down="", availability={1: "R"}, summary=summary)
    gate = gate_with([FULL, {}, {}], outside)
    gate.hear([], [PositionNow("a", 1, D(100), D(0), D(0), D(100), D(0), "USD")])
    exposure = gate.exposure("a", 1)
    assert exposure.plan is not None
    assert exposure.plan.others == ()
    assert len(exposure.armed) >= 20
    monkeypatch.setattr(longway, "NEW_ORDER", (lambda *given: pytest.fail("the table was asked"),))
    exposure.instrument.level(D(100))
    exposure.instrument.units(D(10))
    for number in range(8):  # some more than make a range of its own
        terms: dict[str, Any] = {"limit_price": D(100), "order_type": OrderType.LIMIT, "tag": str(number)}
        ticket = OrderTicket(
            coid=f"a-{number:06d}", strategy="a", account="DU1", conid=1, side=side, quantity=Decimal(10), **terms
        )
        assert isinstance(gate.judge(Place((ticket,)), Market, T0), Approved)


def test_a_dearer_order_lifts_what_the_other_side_counts_too() -> None:
    """Open orders count at the dearest price: a buy at 101 makes ten units on sale at 100 worth 1,010."""
    gate = gate_with([{"net_max": D(1005)}, {}, {}], None)
    terms: dict[str, Any] = {"strategy": "a", "account": "DU1", "conid": 1, "order_type": OrderType.LIMIT}
    one, other = (
        OrderTicket(coid=f"a-{number}", side=side, quantity=D(quantity), limit_price=D(price), **terms)
        for number, side, quantity, price in ((1, Side.SELL, 10, 100), (2, Side.BUY, 1, 101))
    )
    for ticket in (one, other):
        gate.exposure("a", 1).instrument.level(ticket.limit_price or D(0))
        gate.exposure("a", 1).instrument.units(ticket.quantity)
    assert isinstance(gate.judge(Place((one,)), Market, T0), Approved)
    verdict = gate.judge(Place((other,)), Market, T0)
    assert isinstance(verdict, Denied)
    assert (verdict.refusal.code, verdict.refusal.value) == ("NET", "1010.00")


@pytest.mark.parametrize(
    ("limit", "said", "code"),
    [
        ({"buying_power": True}, {"buying_power": D(1400)}, "BUYING_POWER"),
        ({"settled_cash": True}, {"settled_cash": D(1400)}, "SETTLED"),
        ({"margin_cushion_pct": D(0)}, {"excess_liquidity": D(700)}, "MARGIN"),  # half of a stock's money
        ({"day_trades_max": 1}, {"day_trades_left": 1}, "DAY_TRADES"),
        ({"summary_age_max_s": D(1), "buying_power": True}, {"ts_ns": T0 - NS_PER_S - 1}, "MARGIN"),  # asked first
    ],
)
def test_a_new_account_summary_counts_at_once(limit: dict[str, Any], said: dict[str, Any], code: str) -> None:
    """Each order is worth 500; those sent since a summary count against it, those before it don't."""
    rich: dict[str, Any] = dict.fromkeys(
        ("net_liquidation", "excess_liquidity", "buying_power", "settled_cash"), D(10**9)
    )
    rich |= {"ts_ns": T0 - 1, "day_trades_left": 3}
    outside = Outside(account="DU1", down="", summary=Summary(**rich))
    gate = gate_with([{**QUIET, **limit}, {}, {}], outside)
    exposure = gate.exposure("a", 1)
    exposure.instrument.level(D(100))
    exposure.instrument.units(D(5))

    def ask(number: int) -> str:
        ticket = OrderTicket(
            coid=f"a-{number:06d}", strategy="a", account="DU1", conid=1, side=Side.BUY, quantity=D(5), tag=str(number),
            limit_price=D(100), order_type=OrderType.LIMIT,
        )  # fmt: skip
        verdict = gate.judge(Place((ticket,)), Market, T0)
        return verdict.refusal.code if isinstance(verdict, Denied) else "ok"

    assert [ask(1), ask(2)] == ["ok", "ok"]
    outside.summary = Summary(**{**rich, **said})
    assert ask(3) == code
    outside.summary = Summary(**{**rich, "settled_cash": D(1400), "ts_ns": T0})
    assert [ask(4), ask(5)] == ["ok", "ok"]
