"""What a leg displays is there once: combos, other combos and orders in the leg share it, against a plain model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.facts import Filled
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import Quote
from engine.domain.ticket import OrderTicket
from tests.venue.driving import NAN, X, place, play, quote, ticket, venue_of

Y = Instrument(conid=2, symbol="Y", calendar="24/7")
SUM = Instrument(conid=3, symbol="X+Y", sec_type=SecType.COMBO, calendar="24/7", legs=(Leg(1, 1), Leg(2, 1)))
RATIO = Instrument(conid=4, symbol="X-2Y", sec_type=SecType.COMBO, calendar="24/7", legs=(Leg(1, 1), Leg(2, -2)))
ALL = (X, Y, SUM, RATIO)
LEGS = {3: ((1, 1), (2, 1)), 4: ((1, 1), (2, -2))}
Fill = tuple[str, int, str, tuple[tuple[int, int, str], ...]]


@dataclass
class Rest:
    """An order as the model knows it; prices and sizes in whole cents and units."""

    coid: str
    conid: int
    buy: bool
    left: int
    limit: int | None
    number: int


@dataclass
class Model:
    """A market of displayed sizes that go down as they are taken. It knows of rows, prices and sizes, and nothing else.

    `shown[conid][buy]` is what a buyer (or seller) finds: its price and what is left of its size.
    """

    share: float
    shown: dict[int, dict[bool, list[float]]] = field(default_factory=dict)
    resting: list[Rest] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)

    def quoted(self, row: Quote) -> None:
        self.shown[row.conid] = {
            True: [round(row.ask * 100), row.ask_size * self.share],
            False: [round(row.bid * 100), row.bid_size * self.share],
        }
        mine = [one for one in self.resting if one.conid == row.conid]
        market = [one for one in mine if one.limit is None]
        bids = sorted((one for one in mine if one.limit is not None and one.buy), key=lambda one: -(one.limit or 0))
        asks = sorted((one for one in mine if one.limit is not None and not one.buy), key=lambda one: one.limit or 0)
        for one in (*market, *bids, *asks):
            self.take(one, resting=True)
        for conid in LEGS:
            for one in [one for one in self.resting if one.conid == conid]:
                self.take_combo(one)
        self.clean()

    def arrives(self, one: Rest) -> None:
        self.resting.append(one)
        if one.conid in LEGS:
            self.take_combo(one)
        else:
            self.take(one, resting=False)
        self.clean()

    def take(self, one: Rest, *, resting: bool) -> None:
        found = self.shown.get(one.conid)
        if found is None:
            return
        price, size = found[one.buy]
        if one.limit is not None and (price > one.limit if one.buy else price < one.limit):
            return
        units = min(one.left, int(size + 1e-9))
        if units:
            found[one.buy][1] -= units
            paid = one.limit if resting and one.limit is not None else price
            self.note(one, units, paid, ())

    def take_combo(self, one: Rest) -> None:
        sides = [(conid, ratio, one.buy == (ratio > 0)) for conid, ratio in LEGS[one.conid]]
        if any(conid not in self.shown for conid, _, _ in sides):
            return
        net = sum(ratio * self.shown[conid][side][0] for conid, ratio, side in sides)
        if one.limit is not None and (net > one.limit if one.buy else net < one.limit):
            return
        units = min([one.left, *(int(self.shown[c][side][1] / abs(ratio) + 1e-9) for c, ratio, side in sides)])
        if units <= 0:
            return
        legs = []
        for conid, ratio, side in sides:
            self.shown[conid][side][1] -= units * abs(ratio)
            assert self.shown[conid][side][1] > -1e-6
            legs.append((conid, units * ratio * (1 if one.buy else -1), cents(self.shown[conid][side][0])))
        self.note(one, units, net, tuple(legs))

    def note(self, one: Rest, units: int, price: float, legs: tuple[tuple[int, int, str], ...]) -> None:
        one.left -= units
        self.fills.append((one.coid, units, cents(price), legs))

    def clean(self) -> None:
        self.resting = [one for one in self.resting if one.left]


def cents(price: float) -> str:
    return f"{Decimal(round(price)) / 100:.2f}"


def told(answers: Sequence[Any]) -> list[Fill]:
    return [
        (
            one.coid,
            int(one.quantity),
            f"{one.price:.2f}",
            tuple((leg.conid, int(leg.quantity), f"{leg.price:.2f}") for leg in one.legs),
        )
        for one in answers
        if isinstance(one, Filled)
    ]


def market(dice: Random, size: int) -> list[Quote]:
    rows = []
    for at in range(size):
        bid = dice.randint(996, 1004)
        rows.append(
            quote(
                at,
                bid / 100,
                (bid + dice.randint(1, 2)) / 100,
                dice.choice((0, 1, 7, 40, 100)),
                dice.choice((0, 1, 7, 40, 100)),
                conid=dice.choice((1, 2)),
            )
        )
    return rows


def orders(dice: Random, rows: int) -> dict[int, list[OrderTicket]]:
    found: dict[int, list[OrderTicket]] = {}
    for number in range(dice.randint(1, 10)):
        conid = dice.choice((1, 2, 3, 3, 4, 4))
        limit = None
        if dice.random() < 0.7:
            level = {1: 1000, 2: 1000, 3: 2000, 4: -1000}[conid] + dice.randint(-6, 6)
            limit = f"{Decimal(level) / 100:.2f}"
        side = dice.choice(("BUY", "SELL"))
        one = ticket(f"o{number}", side, dice.choice((1, 20, 60, 150)), limit, conid=conid)
        found.setdefault(dice.randrange(rows), []).append(one)
    return found


@given(seed=st.integers(0, 2**32), cut=st.none() | st.integers(0, 2**32), share=st.sampled_from((1.0, 0.5)))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_legs_are_shared_as_in_a_plain_market(seed: int, cut: int | None, share: float) -> None:
    dice = Random(seed)
    rows = market(dice, dice.randint(2, 40))
    placed = orders(dice, len(rows))
    model = Model(share)
    number = 0
    for at, row in enumerate(rows):
        model.quoted(row)
        for one in placed.get(at, ()):
            number += 1
            limit = None if one.limit_price is None else int(one.limit_price * 100)
            model.arrives(Rest(one.coid, one.conid, one.side == "BUY", int(one.quantity), limit, number))
    requests = {at: [place(one) for one in some] for at, some in placed.items()}
    venue = venue_of(ALL, part=(share, 1.0, 1.0))
    answers = play(venue, rows, requests, cuts=None if cut is None else Random(cut))
    assert told(answers) == model.fills


def test_a_combo_leaves_a_leg_what_it_did_not_take() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 4.0, 4.01, conid=2), quote(2, 4.0, 4.01, conid=2)]
    combo, leg = ticket("k", "BUY", 70, conid=3), ticket("x", "BUY", 100, conid=1)
    answers = play(venue_of(ALL), rows, {1: [place(combo), place(leg)]})
    assert [(fill.coid, int(fill.quantity)) for fill in answers if isinstance(fill, Filled)] == [("k", 70), ("x", 30)]


def test_a_new_quote_of_one_leg_does_not_refill_the_other() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 4.0, 4.01, conid=2), quote(2, 4.0, 4.01, conid=2), quote(3, 10.0, 10.02)]
    answers = play(venue_of(ALL), rows, {1: [place(ticket("k", "BUY", 250, conid=3))]})
    at = [(fill.ts_ns, int(fill.quantity)) for fill in answers if isinstance(fill, Filled)]
    assert at == [(1, 100), (3, 100)]  # row 2 shows Y again, but X was taken; then both show 100


def test_an_absent_size_does_not_lift_the_limit_of_the_other_leg() -> None:
    rows = [quote(0, 10.0, 10.02, ask_size=30), quote(1, 4.0, 4.01, NAN, NAN, conid=2)]
    answers = play(venue_of(ALL), rows, {1: [place(ticket("k", "BUY", 50, conid=3))]})
    found = [(f"{one.quantity:f}", *one.flags) for one in answers if isinstance(one, Filled)]
    assert found == [("30", "unsized", "capped")]
