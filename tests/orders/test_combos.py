"""Combos by their legs: whole units for the order, every leg at once for the books, the same after a restart."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.brokerage import Answered, LegTaken, VenueExecution, VenueOrder
from engine.domain.facts import Filled
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.messages import Approved, Place
from engine.domain.order import State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.actions import SendPlace
from engine.orders.combos import Combos
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.recovery import KINDS, recover
from engine.orders.replies import read_policy
from engine.portfolio.books import Portfolio

ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")
S: Final = 1_000_000_000
SPREAD: Final = 900
LEG_CONIDS: Final = (11, 12, 13)
RATIOS = st.lists(
    st.sampled_from([-3, -2, -1, 1, 2, 3]),
    min_size=2,
    max_size=3,
)


def spread(ratios: list[int]) -> dict[int, Instrument]:
    legs = tuple(Leg(conid, ratio) for conid, ratio in zip(LEG_CONIDS, ratios, strict=False))
    found = {leg.conid: Instrument(conid=leg.conid, symbol=f"L{leg.conid}") for leg in legs}
    found[SPREAD] = Instrument(conid=SPREAD, symbol="SPREAD", sec_type=SecType.COMBO, legs=legs)
    return found


def ticket(side: Side, units: int) -> OrderTicket:
    return OrderTicket(
        coid="s-000001",
        strategy="s",
        account="DU1",
        conid=SPREAD,
        side=side,
        order_type=OrderType.MARKET,
        quantity=Decimal(units),
    )


def executions(instruments: dict[int, Instrument], order: OrderTicket, chance: Random) -> list[VenueExecution]:
    """Every leg of the whole order, cut into parts of odd sizes at odd prices, in any order."""
    found: list[VenueExecution] = []
    for leg in instruments[SPREAD].legs:
        left = int(order.quantity) * abs(leg.ratio)
        buys = (leg.ratio > 0) == (order.side is Side.BUY)
        while left:
            size = chance.randint(1, left)
            left -= size
            found.append(
                VenueExecution(
                    execution_id=f"0000e0d5.{len(found):08x}.01.01",
                    order_id="77",
                    account="DU1",
                    coid=None,
                    conid=leg.conid,
                    side="BUY" if buys else "SELL",
                    size=Decimal(size),
                    price=Decimal(chance.randint(-500, 5_000)) / 100,
                    ts_ns=S,
                )
            )
    chance.shuffle(found)
    return found


def whole_units(instruments: dict[int, Instrument], told: list[VenueExecution]) -> int:
    """How many units of the combo these legs make: the model."""
    return min(
        sum(int(one.size) for one in told if one.conid == leg.conid) // abs(leg.ratio)
        for leg in instruments[SPREAD].legs
    )


@given(ratios=RATIOS, side=st.sampled_from(list(Side)), units=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_units_are_whole_and_no_money_is_made_or_lost(ratios: list[int], side: Side, units: int, seed: int) -> None:
    instruments, order = spread(ratios), ticket(side, units)
    combos = Combos(instruments)
    ratio = {leg.conid: leg.ratio for leg in instruments[SPREAD].legs}
    rows = executions(instruments, order, Random(seed))
    told: list[VenueExecution] = []
    filled, paid = Decimal(0), Decimal(0)
    for row in rows:
        fill = combos.fill(order, row)
        assert fill is not None
        told.append(row)
        (leg,) = fill.legs
        signed = row.size if row.side == "BUY" else -row.size
        assert (leg.conid, leg.quantity, leg.price) == (row.conid, signed, row.price)
        assert fill.exec_id == row.execution_id
        filled += fill.quantity
        paid += fill.quantity * fill.price
        assert filled == whole_units(instruments, told)
    assert filled == units
    # What a buyer of the unit pays for its bought legs, less what its sold legs bring; a seller is at the other end.
    money = sum((one.size * one.price * (1 if ratio[one.conid] > 0 else -1) for one in rows), Decimal(0))
    assert abs(paid - money) < Decimal("1e-18")


def test_a_net_price_by_hand() -> None:
    """Buy 2 units of +1 A -2 B: A at 50 and 51, B sold at 20 (three) and 21 (one): 50 - 40 = 10, then 51 - 41 = 10."""
    instruments, order = spread([1, -2]), ticket(Side.BUY, 2)
    combos = Combos(instruments)

    def row(number: int, conid: int, side: str, size: int, price: int) -> VenueExecution:
        return VenueExecution(
            execution_id=f"e{number}",
            order_id="77",
            account="DU1",
            coid=None,
            conid=conid,
            side=side,
            size=Decimal(size),
            price=Decimal(price),
            ts_ns=S,
        )

    said = [
        combos.fill(order, one)
        for one in (
            row(1, 11, "BUY", 1, 50),
            row(2, 12, "SELL", 3, 20),
            row(3, 11, "BUY", 1, 51),
            row(4, 12, "SELL", 1, 21),
        )
    ]
    got = [(int(fill.quantity), fill.price) for fill in said if fill is not None]
    assert got == [(0, Decimal(0)), (1, Decimal(10)), (0, Decimal(0)), (1, Decimal(10))]
    assert combos.fill(order, row(5, 28812380, "BUY", 2, 10)) is None  # the spread's own row moves nothing


def test_a_leg_against_the_order_moves_a_position_and_makes_no_unit() -> None:
    instruments, order = spread([1, -1]), ticket(Side.SELL, 1)
    combos = Combos(instruments)
    odd = VenueExecution(
        execution_id="e1",
        order_id="77",
        account="DU1",
        coid=None,
        conid=11,
        side="BUY",
        size=Decimal(1),
        price=Decimal(5),
        ts_ns=S,
    )
    fill = combos.fill(order, odd)
    assert fill is not None
    assert fill.quantity == 0
    assert fill.legs[0].quantity == 1


def test_legs_against_the_order_make_no_unit_however_many_there_are() -> None:
    """Sell one of +1 A -1 B: A is to be sold and B bought. Told the other way round, then as it should be."""
    instruments, order = spread([1, -1]), ticket(Side.SELL, 1)
    combos = Combos(instruments)

    def units(number: int, conid: int, side: str) -> Decimal:
        row = VenueExecution(
            execution_id=f"e{number}", order_id="77", account="DU1", coid=None, conid=conid, side=side,
            size=Decimal(1), price=Decimal(5), ts_ns=S,
        )  # fmt: skip
        fill = combos.fill(order, row)
        assert fill is not None
        return fill.quantity

    told = [
        units(n, conid, side) for n, (conid, side) in enumerate([(11, "BUY"), (12, "SELL"), (11, "SELL"), (12, "BUY")])
    ]
    assert told == [0, 0, 0, 1]


# --- through the desk, over a restart -------------------------------------------------------------------------------


def live(instruments: dict[int, Instrument], order: OrderTicket) -> tuple[LiveOrders, Desk]:
    book = LiveOrders()
    desk = Desk(book, read_policy({}), DeskSettings(), instruments)
    desk.session(True, S)
    requests, _ = book.act([Approved(Place((order,)))], S)
    desk.submit(requests, S)
    (sent,) = [action for action in desk.take()[0] if isinstance(action, SendPlace)]
    taken = LegTaken(order_id="77", status="Submitted", coid=order.coid)
    desk.answered(sent.number, Answered(taken=(taken,)), S)
    desk.take()
    return book, desk


@given(
    ratios=RATIOS,
    side=st.sampled_from(list(Side)),
    units=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_a_restart_at_any_leg_loses_nothing(
    ratios: list[int], side: Side, units: int, seed: int, data: st.DataObject
) -> None:
    instruments, order = spread(ratios), ticket(side, units)
    rows = executions(instruments, order, Random(seed))
    cut = data.draw(st.integers(0, len(rows)))
    book, desk = live(instruments, order)
    portfolio = Portfolio(instruments, {}, {"USD": Decimal(1)})
    booked: list[str] = []
    for number, row in enumerate(rows):
        if number == cut:
            facts = [(t, k, n, ENCODER.encode(w).decode()) for t, k, n, w in book.facts if k in KINDS]
            found = recover(facts)
            assert found.orders == dict(book.book)
            assert not found.odd
            booked += [fill.exec_id for fill in found.legs]
            book = LiveOrders()
            book.adopt(found.orders.values(), found.executions)
            desk = Desk(book, read_policy({}), DeskSettings(), instruments)
            desk.recovered(found.in_flight(S), (), S, legs=found.legs)
            desk.session(True, S)
            desk.take()
            desk.executions(rows[:number], S)  # the venue's list tells all of it again
            assert not desk.take()[1]
        desk.executions([row, row], S)
        portfolio.hear(desk.take()[1])
        ours = {conid: held for (_, conid), held in portfolio.holdings.items()}
        for leg in instruments[SPREAD].legs:
            signed = [
                one.size if one.side == "BUY" else -one.size for one in rows[: number + 1] if one.conid == leg.conid
            ]
            held = ours.get(leg.conid)
            assert (held.quantity if held else 0) == sum(signed)
        assert book.book[order.coid].filled == whole_units(instruments, rows[: number + 1])
    assert book.book[order.coid].state is State.FILLED
    booked += [what.exec_id for _, kind, _, what in book.facts if kind == "answer" and isinstance(what, Filled)]
    assert sorted(booked) == sorted(row.execution_id for row in rows)  # each once, in one of the two lives


def test_an_execution_of_what_is_no_leg_is_noted_once_and_hides_nothing() -> None:
    instruments, order = spread([1, -1]), ticket(Side.BUY, 2)
    book, desk = live(instruments, order)
    first = executions(instruments, order, Random(1))[0]
    odd = msgspec.structs.replace(first, execution_id="0000e0d5.99999999.01.01", conid=28812380)
    desk.executions([odd, first], S)
    desk.executions([odd], S)
    assert [(at, name, row) for at, kind, name, row in book.facts if kind == "no_leg"] == [(S, order.coid, odd)]
    booked = [what.exec_id for _, kind, _, what in book.facts if kind == "answer" and isinstance(what, Filled)]
    assert booked == [first.execution_id]


def test_a_row_that_shows_more_units_than_the_legs_make_is_read_after() -> None:
    instruments, order = spread([1, -1]), ticket(Side.BUY, 2)
    _, desk = live(instruments, order)
    first = executions(instruments, order, Random(1))[0]
    desk.executions([first], S)
    copy = VenueOrder(
        order_id="77", coid=order.coid, status="Submitted", total=Decimal(2), filled=Decimal(1), seen_ns=S
    )
    desk.rows([copy], S)
    desk.take()
    desk.tick(S + 3 * S)
    assert {type(action).__name__ for action in desk.take()[0]} == {"ReadExecutions", "ReadOrders"}
