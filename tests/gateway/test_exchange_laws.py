"""Laws of the exchange: time may be cut anywhere, fills are those of a naive matcher, and money is never lost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.instrument import Instrument, SecType
from engine.domain.market import MarketEvent
from engine.domain.moments import NS_PER_MS, NS_PER_S
from engine.domain.ticket import OrderType, Tif
from engine.gateway.accounts import opened
from engine.gateway.exchange import SimExchange
from engine.gateway.options import Options
from engine.gateway.records import NewOrder, News
from tests.gateway.exchanges import ACCOUNT, START, of_orders, on_rows, order, plain_venue, synthetic
from tests.venue.driving import quote, trade
from tests.venue.reference import Reference, Row, Wish

S = NS_PER_S
LATENCY_MS = 30

# Fills


@st.composite
def small_markets(draw: st.DrawFn) -> list[Row]:
    """A few quotes and prints around 100 ticks, some of them at one moment."""
    rows, at = [Row(0, "q", (99, 101, 100, 100))], 0
    for _ in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([0, 10, 30, 100])) * NS_PER_MS
        middle = draw(st.integers(97, 103))
        if draw(st.booleans()):
            sizes = [draw(st.sampled_from([50, 100, 250])) for _ in range(2)]
            rows.append(Row(at, "q", (middle - 1, middle + draw(st.integers(0, 1)), *sizes)))
        else:
            rows.append(Row(at, "t", (middle, draw(st.sampled_from([50, 100, 250])))))
    return sorted(rows, key=lambda row: (row.ts, row.kind == "q"))  # as in a recording: trades before quotes


@st.composite
def wish_lists(draw: st.DrawFn, rows: int) -> list[Wish]:
    found: list[Wish] = []
    for number in range(draw(st.integers(1, 6))):
        row = draw(st.integers(0, rows - 1))
        if found and draw(st.sampled_from((True, False, False))):
            placed = draw(st.sampled_from([wish for wish in found if not wish.cancels]))
            found.append(Wish(max(row, placed.row), placed.coid, cancels=True))
            continue
        kind, level = draw(st.sampled_from(["MKT", "LMT", "LMT", "STP"])), draw(st.integers(97, 103))
        found.append(
            Wish(
                row,
                f"w{number}",
                buy=draw(st.booleans()),
                limit=level if kind == "LMT" else None,
                stop=level if kind == "STP" else None,
                quantity=draw(st.sampled_from([50, 100, 300])),
            )
        )
    return sorted(found, key=lambda wish: (wish.row, wish.cancels))


def event(row: Row) -> MarketEvent:
    ts_ns = START + 1 + row.ts
    if row.kind == "q":
        return quote(ts_ns, row.values[0] / 100, row.values[1] / 100, *row.values[2:])
    return trade(ts_ns, row.values[0] / 100, row.values[1])


def asked(wish: Wish) -> NewOrder:
    more: dict[str, Any] = {}
    if wish.stop is not None:
        more = {"order_type": OrderType.STOP, "stop_price": f"{wish.stop / 100:.2f}"}
    limit = None if wish.limit is None else f"{wish.limit / 100:.2f}"
    side = "BUY" if wish.buy else "SELL"
    return order(side, wish.quantity, limit, conid=1, client_id=wish.coid, tif=Tif.GTC, **more)


@given(data=st.data())
@settings(max_examples=150)
def test_fills_are_those_of_a_naive_matcher(data: st.DataObject) -> None:
    rows = data.draw(small_markets())
    wanted = data.draw(wish_lists(len(rows)))
    naive = Reference("conservative", LATENCY_MS * NS_PER_MS, Fraction(1), Fraction(1), Fraction(1))
    naive.run(rows, wanted)

    exchange = on_rows(
        [event(row) for row in rows], venue=plain_venue(LATENCY_MS), size=data.draw(st.sampled_from([1, 3, 1000]))
    )
    ids: dict[str, int] = {}
    for wish in wanted:
        exchange.advance(START + 1 + rows[wish.row].ts)
        if wish.cancels:
            exchange.cancel(ids[wish.coid])
        else:
            ids[wish.coid] = exchange.register(asked(wish)).order_id
            exchange.release([ids[wish.coid]])
    exchange.advance(START + 1 + rows[-1].ts)
    fills = [(one.client_id, int(one.size), int(one.price * 100)) for one in exchange.executions(ACCOUNT, 1)]
    assert fills == naive.fills
    for coid, number in ids.items():
        found = exchange.order(number)
        assert found is not None
        assert found.filled == sum(size for name, size, _ in naive.fills if name == coid)


# Cuts


class Script:
    """Commands at given times, drawn from a seed and from nothing else."""

    def __init__(self, seed: int, exchange: SimExchange) -> None:
        self._chance = Random(seed)
        self._exchange = exchange
        self._ids: list[int] = []
        call = [one for one in exchange.contracts.values() if one.right == "C"][30]
        self._conids = (265598, 265598, call.instrument.conid)

    def act(self) -> None:
        """Place, change or cancel something."""
        chance, exchange = self._chance, self._exchange
        what = chance.random()
        if what < 0.6 or not self._ids:
            conid = chance.choice(self._conids)
            top = exchange.top(conid)
            assert top is not None
            limit = f"{top.bid + chance.choice((-0.02, -0.01, 0.0, 0.01)):.2f}"
            kind = chance.choice(("MKT", "LMT", "LMT", "TRAIL", "bracket"))
            side = chance.choice(("BUY", "SELL"))
            if kind == "TRAIL":
                new = [order(side, 50, conid=conid, order_type=OrderType.TRAIL, trail="0.03")]
            else:
                new = [order(side, chance.choice((50, 700)), None if kind == "MKT" else limit, conid=conid)]
            ids = [exchange.register(one).order_id for one in new]
            if kind == "bracket":
                other = "SELL" if side == "BUY" else "BUY"
                far = f"{top.bid + (0.05 if side == 'BUY' else -0.05):.2f}"
                ids.append(exchange.register(order(other, 50, far, conid=conid, parent=ids[0])).order_id)
            exchange.release(ids)
            self._ids += ids
        elif what < 0.8:
            exchange.cancel(chance.choice(self._ids))
        else:
            found = exchange.order(chance.choice(self._ids))
            assert found is not None
            wanted = msgspec.structs.replace(found.ticket, quantity=found.ticket.quantity + 50)
            exchange.modify(found.order_id, wanted, {"quantity": float(wanted.quantity)})


def told(seed: int, cuts: Random | None) -> tuple[list[News], dict[str, Any], Any]:
    """News of a session in which something is asked for every seven seconds."""
    exchange = synthetic("AAPL", options=Options(commission_delay_s=1.5))
    script = Script(seed, exchange)
    news: list[News] = []
    for _ in range(12):
        script.act()
        target = exchange.now_ns + 7 * S
        while cuts is not None and exchange.now_ns < target:
            news += exchange.advance(
                min(target, exchange.now_ns + cuts.choice((0, 1, 10_000_000, 30_000_000, S, 3 * S)))
            )
        news += exchange.advance(target)
    return of_orders(news), exchange.state(), exchange.top(265598)


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 10_000))
@settings(max_examples=15)
def test_how_time_is_cut_changes_nothing(seed: int, cut: int) -> None:
    whole, cuts = told(seed, None), told(seed, Random(cut))
    assert whole == cuts
    times = [one.ts_ns for one in whole[0]]
    assert times == sorted(times)


# Money

SHARE = Instrument(conid=1, symbol="X")
FUTURE = Instrument(conid=2, symbol="F", sec_type=SecType.FUTURE, multiplier=Decimal(50), calendar="CMES")
EURO = Instrument(conid=3, symbol="E", currency="EUR")
LISTED = {one.conid: one for one in (SHARE, FUTURE, EURO)}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]),
            st.integers(-7, 7).filter(bool),
            st.integers(1, 99_999),
            st.integers(-50, 300),
        ),
        max_size=40,
    )
)
def test_accounts_balance_after_every_fill(fills: list[tuple[int, int, int, int]]) -> None:
    account = opened(ACCOUNT, {"USD": Decimal(1_000), "EUR": Decimal(50)})
    held: dict[int, tuple[Fraction, Fraction]] = {}  # quantity and cost, exactly
    realised: dict[str, Fraction] = {"USD": Fraction(0), "EUR": Fraction(0)}
    for conid, units, cents, fee in fills:
        instrument = LISTED[conid]
        price = Decimal(cents) / 100
        account.fill(instrument, Decimal(units), price)
        account.charge(Decimal(fee) / 100, instrument.currency)
        quantity, cost = held.get(conid, (Fraction(0), Fraction(0)))
        money = Fraction(price) * int(instrument.multiplier)
        for _ in range(abs(units)):  # one unit at a time: too simple to be wrong
            sign = 1 if units > 0 else -1
            if quantity * sign < 0:
                realised[instrument.currency] += (cost / quantity - money) * sign
                cost -= cost / quantity * -sign
            else:
                cost += sign * money
            quantity += sign
        held[conid] = quantity, cost
        assert not any(account.balance(LISTED).values())
    for conid, (quantity, cost) in held.items():
        position = account.positions[conid]
        assert position.quantity == quantity
        assert abs(Fraction(position.cost) - cost) < Fraction(1, 1_000_000)
    for currency, amount in realised.items():
        assert abs(Fraction(account.realised.get(currency, Decimal(0))) - amount) < Fraction(1, 1_000_000)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=5)
def test_the_exchanges_books_balance(seed: int) -> None:
    exchange = synthetic("AAPL")
    script = Script(seed, exchange)
    for _ in range(25):
        script.act()
        exchange.advance(exchange.now_ns + 5 * S)
        books = exchange.books[ACCOUNT]
        listed = {conid: one.instrument for conid, one in exchange.contracts.items()}
        assert not any(books.balance(listed).values())
    paid = sum((one.commission for one in exchange.executions(ACCOUNT, 1)), Decimal(0))
    assert books.fees.get("USD", Decimal(0)) == paid
    for position in exchange.positions(ACCOUNT):
        sides = [
            (1 if one.side == "BUY" else -1) * one.size
            for one in exchange.executions(ACCOUNT, 1)
            if one.conid == position.conid
        ]
        assert position.quantity == sum(sides)
