"""Sums of money at stake that are kept from order to order are those that a recount from nothing finds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import nan
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.facts import Cancelled, Filled
from engine.domain.instrument import SecType
from engine.domain.messages import Approved, Cancel, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.gate import Gate
from engine.risk.meter import Meter, Span
from engine.risk.stakes import Stake, stakes
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D
from tests.risk.test_catalogue import KNOWN, Market

HUGE: dict[str, Any] = {name: D(10**15) for name in ("gross_max", "net_max", "sector_max", "currency_max")}
SECTORS = {"AAA": "tech", "FUT": "tech"}
CONIDS = (1, 2, 14)


def fresh(rates: Mapping[str, Decimal] = RATES, **limits: Any) -> Gate:
    return Gate(
        settings=RiskSettings(
            account=Limits(**{**WIDE, **HUGE, **limits}), strategy={"a": Limits(gross_max=D(10**15))}, sectors=SECTORS
        ),
        instruments=KNOWN,
        sessions=SESSIONS,
        rates=rates,
    )


class World:
    """A gate whose orders rest, end and fill while prices move."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.market = Market(prices=dict.fromkeys(CONIDS, 100.0))
        self.now_ns = T0
        self.number = 0
        self.open: list[OrderTicket] = []

    def place(self, strategy: str, conid: int, side: Side, quantity: int, price: int) -> None:
        self.number += 1
        self.gate.exposure(strategy, conid)  # whose first order would go the long way
        self.now_ns += NS_PER_S
        self.market.at_ns = self.now_ns
        ticket = OrderTicket(
            coid=f"{strategy}-{self.number:06d}", strategy=strategy, account="DU1", conid=conid, side=side,
            order_type=OrderType.LIMIT, quantity=D(quantity), limit_price=D(price), tag=str(self.number),
        )  # fmt: skip
        instrument = KNOWN[conid]
        instrument.level(D(price))  # as after an earlier order of these terms
        instrument.units(D(quantity))
        if isinstance(self.gate.judge(Place((ticket,)), lambda: self.market, self.now_ns), Approved):
            self.open.append(ticket)

    def modify(self, quantity: int, price: int) -> None:
        if self.open:
            changes = {"quantity": D(quantity), "limit_price": D(price)}
            ticket = self.open[-1]
            self.gate.judge(Modify(ticket.coid, ticket.strategy, changes), lambda: self.market, self.now_ns)

    def end(self, *, filled: bool) -> None:
        if not self.open:
            return
        ticket = self.open.pop(0)
        coid, now_ns = ticket.coid, self.now_ns
        if not filled:
            self.gate.judge(Cancel(coid, ticket.strategy), lambda: self.market, now_ns)
            gone = Order(ticket=ticket, state=State.CANCELLED)
            self.gate.hear([Update(gone, Cancelled(coid=coid, ts_ns=now_ns))], [])
            return
        fill = Filled(
            coid=coid, ts_ns=now_ns, exec_id=coid, conid=ticket.conid, side=ticket.side, quantity=ticket.quantity,
            price=D(100),
        )  # fmt: skip
        done = Order(ticket=ticket, state=State.FILLED, filled=ticket.quantity)
        account, own = self.gate.exposure(ticket.strategy, ticket.conid).units
        more = ticket.quantity * ticket.side.sign
        now = PositionNow(
            ticket.strategy, ticket.conid, own.position + more, D(0), D(0), account.position + more, D(0), "USD"
        )
        self.gate.hear([Update(done, fill)], [now])

    def agrees(self, owner: str | None, conid: int, more: int, price: float, *, buy: bool) -> None:
        account = self.gate.account
        self.gate.exposure(owner or "a", conid)
        market = self.market.price(conid)
        told = None
        if market is not None and not market[0] <= KNOWN[conid].price_floor:
            size = abs(market[0])
            told = account.lines[owner].most(self.market, conid, size, max(size, price), float(more), buy)
        adds = {conid: (D(more), D(0), price) if buy else (D(0), D(more), price)}
        found = stakes(account, self.market, adds, owner)
        if isinstance(found, int):
            assert told is None or any(figure != figure for figure in told)
            return
        assert told is not None
        expected = figures(found, conid)
        assert told == pytest.approx(expected, rel=1e-9, abs=1e-9 * expected[0])


def figures(found: dict[int, Stake], conid: int) -> tuple[float, ...]:
    def money(*conids: int) -> float:
        return sum(stake.worst for of, stake in found.items() if of in conids)

    sides = [sum(stake.side(side) for stake in found.values()) for side in Side]
    sector = [of for of in CONIDS if SECTORS.get(KNOWN[of].symbol) == SECTORS.get(KNOWN[conid].symbol)]
    currency = [of for of in CONIDS if KNOWN[of].currency == KNOWN[conid].currency]
    return money(*CONIDS), *sides, money(*sector), money(*currency)


@pytest.mark.parametrize("way", ["order", "modification"])
def test_a_dearer_order_of_another_strategy_makes_what_is_open_dearer_for_the_account_alone(way: str) -> None:
    world = World(fresh())
    world.place("a", 1, Side.BUY, 10, 100)
    for owner in ("a", None):
        world.agrees(owner, 14, 1, 0.0, buy=True)  # the sums hold ten at 100 now
    world.place("b", 1, Side.BUY, 1, 103 if way == "order" else 100)
    if way == "modification":
        world.modify(1, 103)
    lines = world.gate.account.lines
    mine, of_all = (lines[owner].most(world.market, 14, 100.0, 100.0, 1.0, True) for owner in ("a", None))
    assert mine is not None
    assert of_all is not None
    assert (mine[0], of_all[0]) == (10 * 100 + 100, 11 * 103 + 100)


strategies, conids = st.sampled_from(["a", "b"]), st.sampled_from(CONIDS)
quantities, prices, sides = st.integers(1, 20), st.integers(95, 105), st.sampled_from(list(Side))
happenings = st.one_of(
    st.tuples(st.just("place"), strategies, conids, sides, quantities, prices),
    st.tuples(st.just("place"), strategies, conids, sides, quantities, prices),
    st.tuples(st.just("end"), st.booleans()),
    st.tuples(st.just("modify"), quantities, prices),
    st.tuples(st.just("price"), conids, st.sampled_from([90.0, 100.0, 100.5, 120.0, -3.0, None, nan])),
    st.tuples(st.just("rate"), st.sampled_from([D("0.5"), D(2)])),
    st.tuples(st.just("reload")),
)
questions = st.tuples(
    st.sampled_from([None, "a"]), conids, quantities, st.sampled_from([0.0, 90.0, 101.0, 130.0]), st.booleans()
)


@given(steps=st.lists(st.tuples(happenings, questions), max_size=30))
def test_sums_kept_are_those_of_a_recount(steps: list[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> None:
    rates = dict(RATES)
    world = World(fresh(rates))
    for (what, *terms), (owner, conid, more, price, buy) in steps:
        if what == "price":
            world.market.prices.pop(terms[0], None)
            if terms[1] is not None:
                world.market.prices[terms[0]] = terms[1]
        elif what == "rate":
            rates["EUR"] = terms[0]
            world.gate.rate_now("EUR")
        elif what == "reload":
            world.gate.reload(world.gate.settings)
        elif what == "end":
            world.end(filled=terms[0])
        else:
            getattr(world, what)(*terms)
        world.agrees(owner, conid, more, price, buy=buy)


@pytest.mark.parametrize("seed", range(4))
def test_sums_kept_are_those_of_a_recount_through_a_long_day(seed: int) -> None:
    """Long and short, in two currencies and sectors, past the changes after which all is worked out anew."""
    world, random = World(fresh()), Random(seed)
    lines = world.gate.account.lines
    for _ in range(250):
        what = random.choice(("place", "place", "place", "end", "end", "modify", "price", "price"))
        if what == "price":
            world.market.prices[random.choice(CONIDS)] = 100.0 + random.randrange(-8, 9)
        elif what == "end":
            world.end(filled=random.random() < 0.6)
        elif what == "modify":
            world.modify(random.randint(1, 20), random.randint(90, 110))
        else:
            strategy, conid, side = random.choice("ab"), random.choice(CONIDS), random.choice(list(Side))
            world.place(strategy, conid, side, random.randint(1, 20), random.randint(90, 110))
        for _ in range(3):
            owner, conid, price = random.choice((None, "a")), random.choice(CONIDS), random.choice((0.0, 90.0, 115.0))
            world.agrees(owner, conid, random.randint(1, 60), price, buy=random.random() < 0.5)
    for of in lines.values():
        assert of.peak > 0.0
        assert not of.touched - {of.hot}


def test_what_a_strategy_has_nothing_to_do_with_hides_nothing_else_of_its_own() -> None:
    world = World(fresh())
    world.place("b", 1, Side.BUY, 10, 100)
    world.place("a", 14, Side.BUY, 5, 100)
    world.gate.reload(world.gate.settings)  # everything is looked at anew: 1, of b alone, before 14
    world.agrees("a", 2, 1, 0.0, buy=True)
    told = world.gate.account.lines["a"].most(world.market, 2, 100.0, 100.0, 1.0, True)
    assert told is not None
    assert told[0] == 5 * 100 + 125  # one to come in euros


def test_what_has_been_large_leaves_no_trace_in_what_is_small() -> None:
    """Sums drift by the last digits of the largest they have been, until they are worked out anew."""
    world, random = World(fresh()), Random(7)
    held = {1: D(10**6), 2: D(-7), 14: D(3)}
    for conid, quantity in held.items():
        world.gate.hear([], [PositionNow("a", conid, quantity, D(0), D(0), quantity, D(0), "USD")])
    lines = None
    for _ in range(2_000):
        world.market.prices = {conid: random.choice([0.01, 1.37, 1e7 + random.random()]) for conid in CONIDS}
        world.gate.exposure("a", 14)
        lines = world.gate.account.lines[None]
        size = world.market.prices[14]
        assert lines.most(world.market, 14, size, size, 1.0, True) is not None
    assert lines is not None
    world.gate.hear([], [PositionNow("a", 1, D(0), D(0), D(0), D(0), D(0), "USD")])
    for number in range(600):  # as many changes as it takes
        world.market.prices = {1: 1.0, 2: 1.5 + number % 2, 14: 1.0}
        told = lines.most(world.market, 14, 1.0, 1.0, 1.0, True)
    # Seven short at 2.5 and a rate of 1.25; three long and one to come at 1.
    assert told is not None
    assert told[0] == pytest.approx(7 * 2.5 * 1.25 + 4, rel=1e-13)
    assert lines.peak == pytest.approx(7 * 2.5 * 1.25, rel=1e-12)


@pytest.mark.parametrize("limit", ["net_max", "sector_max", "currency_max"])
def test_where_gross_is_too_large_for_floats_to_tell_a_sum_nothing_is_said(limit: str) -> None:
    """A limit of 1 beside a gross of 20,000,000: the last digits of the sums are not to be trusted."""
    limits: dict[str, Any] = {limit: D(1)}
    gate = fresh(**limits)
    market = Market(prices=dict.fromkeys(CONIDS, 100.0))
    for conid, quantity in ((1, D(10**5)), (14, D(-(10**5)))):
        gate.hear([], [PositionNow("a", conid, quantity, D(0), D(0), quantity, D(0), "USD")])
    gate.exposure("a", 1)
    assert gate.account.lines[None].most(market, 1, 100.0, 100.0, 1.0, False) is None
    assert gate.account.lines["a"].most(market, 1, 100.0, 100.0, 1.0, False) is not None


# Ten of 1 are held, twenty of 14 short, four of 2 at 1.25, and one more of it is wanted at 120; prices may go a 16th
# either way.
LEFT: list[tuple[str, int, float]] = [
    ("gross_max", 1, 4000 - 10 * 106.25 - 20 * 106.25 - 5 * 127.5 * 1.25),
    ("net_max", 1, 4000 - (-10 * 93.75 + 20 * 106.25 - 4 * 93.75 * 1.25)),  # of the short side
    ("sector_max", 1, 4000 - 30 * 106.25),
    ("sector_max", 2, 4000 - 5 * 127.5 * 1.25),
    ("currency_max", 1, 4000 - 30 * 106.25),
    ("currency_max", 2, 4000 - 5 * 127.5 * 1.25),
    ("leverage_max", 1, 4 * 1000 - 30 * 106.25 - 5 * 127.5 * 1.25),
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(("limit", "conid", "left"), LEFT)
def test_what_a_limit_leaves_at_all_prices_of_the_spans(
    limit: str, conid: int, left: float, twice: bool, sign: int
) -> None:
    limits: dict[str, Any] = {limit: D(4) if limit == "leverage_max" else D(4000)}
    gate, market = fresh(**limits), Market(prices=dict.fromkeys(CONIDS, 100.0))
    gate.exposure("a", conid)
    lines, meter, worth = gate.account.lines[None], Meter(), 1000.0 if limit == "leverage_max" else None
    if twice:  # asked before anything is held: what comes after counts
        assert lines.left(market, conid, meter, worth, {}) == pytest.approx(4000.0, rel=1e-5)
    for of, quantity in ((1, 10), (14, -20), (2, 4)):
        gate.hear([], [PositionNow("a", of, D(quantity * sign), D(0), D(0), D(quantity * sign), D(0), "USD")])
    if twice:
        gate.reload(gate.settings)
    side = Side.BUY if sign == 1 else Side.SELL
    ticket = OrderTicket(
        coid="a-000001", strategy="a", account="DU1", conid=2, side=side, order_type=OrderType.LIMIT, quantity=D(1),
        limit_price=D(120),
    )  # fmt: skip
    gate.take_closing(ticket, lambda: market, T0)
    spans: dict[int, Span] = {}
    assert lines.left(market, conid, meter, worth, spans) == pytest.approx(left, abs=0.02)
    assert spans == {1: (93.75, 106.25), 14: (93.75, 106.25), 2: (93.75, 127.5)}
    for price in (0.0, -1.0, nan, float("inf")):
        market.prices[14] = price
        assert lines.left(market, conid, Meter(), worth, {}) is None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("limit", "left"), [("gross_max", 100 - 0.53125), ("net_max", 100 - 0.53125)])
def test_what_a_limit_leaves_where_a_single_unit_is_cheap(limit: str, left: float, sign: int) -> None:
    """One is wanted at 0.4, or sold, where the market is at 0.5: it may be worth 0.5 and a 16th part."""
    limits: dict[str, Any] = {limit: D(100)}
    gate, market = fresh(**limits), Market(prices=dict.fromkeys(CONIDS, 0.5))
    gate.exposure("a", 1)
    side = Side.BUY if sign == 1 else Side.SELL
    ticket = OrderTicket(
        coid="a-000001", strategy="a", account="DU1", conid=1, side=side, order_type=OrderType.LIMIT, quantity=D(1),
        limit_price=D("0.4"),
    )  # fmt: skip
    gate.take_closing(ticket, lambda: market, T0)
    spans: dict[int, Span] = {}
    found = gate.account.lines[None].left(market, 1, Meter(), None, spans)
    assert found == pytest.approx(left, abs=0.001)
    assert spans == {1: (0.46875, 0.53125)}


def test_a_position_alone_takes_no_part_in_what_orders_are_priced_at() -> None:
    gate, market = fresh(gross_max=D(100)), Market(prices=dict.fromkeys(CONIDS, 0.5))
    gate.exposure("a", 1)
    gate.hear([], [PositionNow("a", 1, D(1), D(0), D(0), D(1), D(0), "USD")])
    spans: dict[int, Span] = {}
    found = gate.account.lines[None].left(market, 1, Meter(), None, spans)
    assert found == pytest.approx(100 - 0.53125, abs=0.001)
    assert spans == {1: (0.46875, 0.53125)}


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("most", "surely"), [(1601, True), (1599, False)])
@pytest.mark.parametrize("limit", ["gross_max", "net_max", "sector_max", "currency_max", "leverage_max"])
def test_an_order_is_surely_within_a_limit_with_what_others_come_to_at_their_dearest(
    limit: str, most: int, surely: bool, side: Side
) -> None:
    """One of another instrument is wanted at 1,500, and one of this at 100."""
    limits: dict[str, Any] = {limit: D(1) if limit == "leverage_max" else D(most)}
    gate, market = fresh(**limits), Market(prices=dict.fromkeys(CONIDS, 100.0))
    gate.account.equity = float(most)
    for conid in (1, 14):
        gate.exposure("a", conid)
    dear = OrderTicket(
        coid="a-000001", strategy="a", account="DU1", conid=1, side=side, order_type=OrderType.LIMIT, quantity=D(1),
        limit_price=D(1500),
    )  # fmt: skip
    gate.take_closing(dear, lambda: market, T0)
    lines = gate.account.lines[None]
    for _ in range(2):  # worked out, and remembered
        assert lines.surely(market, 14, 100.0, 100.0, 1.0, side is Side.BUY) is surely


def test_sums_that_are_made_anew_hold_all_of_a_sector_and_of_a_currency() -> None:
    """Ten each of two instruments are held, at 100, beside one that is asked about: of one sector and currency all."""
    own = {conid: evolve(KNOWN[conid], currency="USD", multiplier=D(1), sec_type=SecType.STOCK) for conid in CONIDS}
    settings = RiskSettings(
        account=Limits(**{**WIDE, **HUGE}), sectors=dict.fromkeys((one.symbol for one in own.values()), "tech")
    )
    gate, market = Gate(settings=settings, instruments=own, sessions=SESSIONS, rates=RATES), Market()
    market.prices = dict.fromkeys(CONIDS, 100.0)
    asked, *others = CONIDS
    for conid in CONIDS:
        gate.exposure("a", conid)
    gate.hear([], [PositionNow("a", conid, D(10), D(0), D(0), D(10), D(0), "USD") for conid in others])
    lines = gate.account.lines[None]
    for _ in range(2):
        assert lines.most(market, asked, 100.0, 100.0, 1.0, True) == (2100.0, 2100.0, -2000.0, 2100.0, 2100.0)
        lines._work_out()
