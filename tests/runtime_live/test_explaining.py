"""What the checks compared is told with an order's verdict, or with the next letter: the same either way."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.market import MarketEvent, Quote
from engine.domain.messages import Cancel, Intent, Place, PositionNow
from engine.domain.ticket import OrderTicket, OrderType
from engine.risk.explaining import explain
from engine.risk.gate import Gate
from engine.runtime.live.judging import Judging
from engine.runtime.live.letters import (
    Arrived,
    Booked,
    Explained,
    Forget,
    Judged,
    LimitsNow,
    Paid,
    RiskLetter,
    Tick,
    TradingNow,
    Wanted,
)
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, WIDE, D, gate, new

NOTHING: Any = None


def quote(mid: float, at_ns: int = T0) -> Quote:
    return Quote(at_ns, 1, mid - 0.01, mid + 0.01, 100.0, 100.0)


class Bench:
    """A risk task without a task, which has judged an order of the kind already: the short way is open."""

    def __init__(self, **more: Any) -> None:
        self.gate: Gate = gate(duplicate_window_s=D(0), **more)
        self.risk = Judging(self.gate, NOTHING, conditions=NOTHING, to_orders=NOTHING, note=NOTHING)
        self.hear(TradingNow("on", ""))
        self.see(quote(100.0))
        self.first = new(1, limit_price=D(100))
        (judged,) = self.want(self.first)
        assert isinstance(judged, Judged)
        assert (judged.findings, judged.worth) == ((), ((self.first.coid, 100.0),)), "the long way shows in no letter"
        (told,) = self.hear(Tick())
        assert [coid for coid, _ in told.findings] == [self.first.coid]

    def hear(self, letter: RiskLetter, at_ns: int = T0) -> list[Any]:
        return list(self.risk.decide(letter, at_ns))

    def see(self, *events: MarketEvent) -> list[Any]:
        return self.hear(Arrived(events))

    def want(self, *wanted: OrderTicket | Intent) -> list[Any]:
        intents = tuple(Place((one,)) if isinstance(one, OrderTicket) else one for one in wanted)
        return self.hear(Wanted(intents, T0))


LETTERS: list[RiskLetter] = [
    Tick(),
    Arrived((quote(120.0),)),
    Booked((), (PositionNow("a", 1, D(7), D(0), D(0), D(7), D(0), "USD"),)),
    Paid("a", D(5)),
    TradingNow("halted", "by hand"),
    LimitsNow(RiskSettings(account=Limits(**{**WIDE, "order_quantity_max": D(3)}))),
    Forget(T0),
    Wanted((Place((new(2),)),), T0),
    Wanted((Cancel("somebody", "a"),), T0),
]


@pytest.mark.parametrize("letter", LETTERS, ids=lambda one: type(one).__name__)
def test_whatever_comes_next_the_checks_say_what_they_had_compared(letter: RiskLetter) -> None:
    ticket = new(4, limit_price=D("99.5"))
    one, other = Bench(), Bench()
    expected = tuple(explain(one.gate, ticket, one.risk.view, T0))
    (judged,) = other.want(ticket)
    assert isinstance(judged, Judged)
    assert judged.findings == ()
    ((coid, money),) = judged.worth
    assert coid == ticket.coid
    assert money == pytest.approx(400.0), "at the market's price, which is the dearer one"
    answers = other.hear(letter)
    assert answers[0] == Explained(((ticket.coid, expected),))
    later = [one for one in (*answers[1:], *other.hear(Tick())) if isinstance(one, Explained)]
    assert ticket.coid not in [coid for one in later for coid, _ in one.findings]


def test_of_several_orders_in_one_letter_the_last_alone_is_told_later() -> None:
    bench = Bench()
    first, second, third = (new(number) for number in (2, 3, 4))
    alone = Bench()
    (judged,) = bench.want(first, second, third)
    assert [coid for coid, _ in judged.findings] == [first.coid, second.coid]
    assert [coid for coid, _ in judged.worth] == [third.coid]
    for ticket, (_, said) in zip((first, second), judged.findings, strict=True):
        assert said == tuple(explain(alone.gate, ticket, alone.risk.view, T0))
        alone.want(ticket)
    (late,) = bench.hear(Tick())
    assert late == Explained(((third.coid, tuple(explain(alone.gate, third, alone.risk.view, T0))),))


def test_a_person_who_reads_the_sums_meanwhile_changes_nothing() -> None:
    one, other = Bench(), Bench()
    ticket = new(4)
    expected = tuple(explain(one.gate, ticket, one.risk.view, T0))
    other.want(ticket)
    other.risk.explaining.finish()
    assert other.risk.explaining.worth == ()
    assert other.hear(Tick()) == [Explained(((ticket.coid, expected),))]


def test_what_is_refused_says_at_once_why() -> None:
    bench = Bench(order_types=("LMT",))
    ticket = new(1, order_type=OrderType.MARKET, limit_price=None)
    (judged,) = bench.want(ticket)
    ((coid, said),) = judged.findings
    assert coid == ticket.coid
    assert [one.check for one in said if not one.allows] == ["terms_allowed"]
    assert judged.worth == ()


def test_an_order_says_the_same_the_long_way_and_the_short_way() -> None:
    long, short = Bench(), Bench()
    for exposure in long.gate.account.exposures.values():
        exposure.outline = None  # it has not explained an order of the kind before
    ticket = new(4, limit_price=D("99.5"))
    assert long.want(ticket) == short.want(ticket)
    assert long.hear(Tick()) == short.hear(Tick())


def test_what_was_cut_down_to_what_has_room_says_at_once_why() -> None:
    bench = Bench(position_max=D(10), shrink=True)
    ticket = new(40, limit_price=D(100))
    (judged,) = bench.want(ticket)
    (verdict,) = judged.verdicts
    assert verdict.because is not None
    assert [coid for coid, _ in judged.findings] == [ticket.coid]
    assert judged.worth == ()
