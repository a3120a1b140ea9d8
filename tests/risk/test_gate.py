"""The gate's own book-keeping: what is judged again, given back, counted once, and asked on the short way too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.facts import Accepted, AnswerMissing, Cancelled, Filled
from engine.domain.market import Status
from engine.domain.messages import Approved, Denied, Modify, Place, Refusal, Resend, Update
from engine.domain.order import Order, State
from engine.domain.ticket import Side
from engine.risk.gate import Gate
from engine.risk.plugins import as_row
from engine.settings import Limits
from tests.risk.made import T0, D, code_of, new
from tests.risk.test_catalogue import Market, ask, change, make

BUY, SELL = Side.BUY, Side.SELL


class Halted(Market):
    """Trading is halted."""

    def status(self, conid: int) -> Status | None:
        return Status(0, conid, "halted")


def judged(gate: Gate, intent: Any, market: Market | None = None) -> str:
    return code_of(gate.judge(intent, lambda: market or Market(), T0))


def seen_before(gate: Gate, quantity: int = 10, price: int | None = None) -> None:
    """Terms of an earlier order: the short way may take the next."""
    instrument = gate.exposure("a", 1).instrument
    instrument.units(D(quantity))
    instrument.level(D(price or 100))


def test_a_halt_stops_a_plain_order_too() -> None:
    gate = make()
    seen_before(gate)
    assert judged(gate, Place((new(10),)), Halted()) == "HALTED"
    assert judged(gate, Place((new(10),))) == "ok"


def test_a_check_without_a_short_form_sees_the_whole_market() -> None:
    seen: list[Any] = []

    def dear(ticket: Any, exposure: Any, market: Any, bounds: Any) -> Refusal | None:
        """Prices above 100 are dear."""
        seen.append(market)
        return Refusal("DEAR", "100", str(market.price), "it is dear") if market.price > 100.0 else None

    gate = make(plugins=(as_row("dear", dear, source="mine:dear"),))
    seen_before(gate)
    market = Market()
    assert judged(gate, Place((new(10),)), market) == "ok"
    assert (seen[-1].now_ns, seen[-1].price, seen[-1].since_ns, seen[-1].halted, seen[-1].view) == (
        T0,
        100.0,
        T0,
        False,
        market,
    )
    assert judged(gate, Place((new(10),)), Market(prices={1: 100.5})) == "DEAR"
    assert len(gate.references) == 1


def test_what_a_person_lets_pass_may_be_cut_down_and_still_passes() -> None:
    gate = make(range_factor=D(2), order_quantity_max=D(50), shrink=True)
    assert {ask(gate, new(10)) for _ in range(5)} == {"ok"}
    large = new(60)
    assert ask(gate, large) == "RANGE"
    verdict = gate.release(Place((large,)), Market, T0)
    assert isinstance(verdict, Approved)
    assert isinstance(verdict.intent, Place)
    assert verdict.intent.tickets[0].quantity == 50
    assert verdict.because is not None
    assert verdict.because.code == "QUANTITY"


def test_units_under_way_are_those_of_one_side_of_one_instrument() -> None:
    gate = make()
    for terms in ({}, {"side": SELL, "quantity": 7}, {"conid": 2, "quantity": 5}, {"strategy": "b", "quantity": 3}):
        assert ask(gate, new(**terms)) == "ok"
    assert [gate.under_way(1, BUY), gate.under_way(1, SELL), gate.under_way(2, BUY), gate.under_way(2, SELL)] == [
        13,
        7,
        5,
        0,
    ]


def test_a_closing_order_is_counted_whatever_the_limits() -> None:
    gate = make(order_quantity_max=D(1), orders_per_day_max=10, notional_per_day_max=D(10**9))
    ticket, blind = new(10, side=SELL), new(10, side=SELL)
    assert gate.take_closing(ticket, Market, T0) is None
    assert gate.references[ticket.coid] == 100.0
    assert gate.exposure("a", 1).units[0].sells == 10
    purse = gate.account.purse("", T0)
    assert (purse.orders, purse.notional) == (1, 1000.0)
    again = gate.take_closing(ticket, Market, T0)
    assert again is not None
    assert (again.code, again.limit, again.value) == ("ID", "a new id", ticket.coid)
    unknown = gate.take_closing(new(1, conid=99), Market, T0)
    assert unknown is not None
    assert unknown.code == "NO_INSTRUMENT"
    assert gate.take_closing(blind, lambda: Market(prices={}), T0) is None
    assert gate.references[blind.coid] == 0.0  # no price was known
    assert gate.exposure("a", 1).units[0].sells == 20


def test_the_days_money_is_in_base_currency() -> None:
    for quantity, code in ((10, "ok"), (11, "DAY")):
        gate = make(notional_per_day_max=D(2500))
        assert ask(gate, new(10, conid=2)) == "ok"  # 10 x 100 EUR x 1.25
        assert ask(gate, new(quantity, conid=2)) == code
        assert gate.account.purse("a", T0).notional == (2500.0 if code == "ok" else 1250.0)


def test_a_ticket_that_never_arrived_is_judged_anew_and_goes_on_counting() -> None:
    gate = make(price_collar_pct=D(5), messages_per_day_max=5)
    ticket = new(10, limit_price=D(100))
    assert ask(gate, ticket) == "ok"
    assert judged(gate, Resend(ticket), Market(prices={1: 90.0})) == "COLLAR"
    assert gate.exposure("a", 1).units[0].buys == 10
    assert gate.account.purse("a", T0).messages == 1
    assert judged(gate, Resend(ticket)) == "ok"
    assert gate.exposure("a", 1).units[0].buys == 10
    assert gate.account.purse("a", T0).messages == 2


def test_a_ticket_sent_again_counts_for_the_rate() -> None:
    gate = make(orders_per_minute_max=3)
    ticket = new(10, limit_price=D(100))
    assert [ask(gate, ticket), judged(gate, Resend(ticket)), ask(gate, new(1))] == ["ok", "ok", "ok"]
    assert ask(gate, new(1)) == "RATE"


@pytest.mark.parametrize("price", [D(110), None])
def test_a_group_that_is_refused_gives_back_its_money(price: Decimal | None) -> None:
    gate = make(notional_per_day_max=D(5000), orders_per_day_max=3)
    terms: dict[str, Any] = {"oca_group": "g"} if price is None else {"oca_group": "g", "limit_price": price}
    assert ask(gate, new(10, **terms), new(10, **terms), new(10**6, **terms)) == "DAY"
    purse = gate.account.purse("", T0)
    assert (purse.orders, purse.messages, purse.notional) == (0, 0, 0.0)
    assert gate.references == {}


def test_a_change_that_one_check_refuses_is_refused_whatever_others_say() -> None:
    gate = make(order_quantity_max=D(12), gross_max=D(10**9), messages_per_minute_max=10**6)
    ticket = new(10, limit_price=D(100))
    assert ask(gate, ticket) == "ok"
    assert gate.exposure("a", 1).armed_changes
    assert change(gate, ticket.coid, quantity=D(13)) == "QUANTITY"
    assert gate.exposure("a", 1).units[0].buys == 10


def test_a_change_is_a_message_and_no_order() -> None:
    gate = make(orders_per_day_max=2, messages_per_day_max=10**6, notional_per_day_max=D(2000))
    ticket = new(10, limit_price=D(100))
    assert [ask(gate, ticket), change(gate, ticket.coid, limit_price=D(99))] == ["ok", "ok"]
    purse = gate.account.purse("a", T0)
    assert (purse.orders, purse.messages, purse.notional) == (1, 2, 1000.0)
    assert ask(gate, new(10)) == "ok"


def test_what_makes_a_ticket_unsound_is_told() -> None:
    gate = make()
    ticket = new(10, limit_price=D(100))
    assert ask(gate, ticket) == "ok"
    verdict = gate.judge(Modify(ticket.coid, "a", {"quantity": D(-1)}), Market, T0)
    assert isinstance(verdict, Denied)
    assert "quantity" in verdict.refusal.sentence


def test_the_tightest_rate_of_a_strategy_is_kept_after_the_short_way() -> None:
    gate = make(strategy={"a": Limits(orders_per_minute_max=2)})
    seen_before(gate)
    assert [ask(gate, new(10)) for _ in range(3)] == ["ok", "ok", "RATE"]


def told(ticket: Any, state: State, event: Any = None, filled: int = 0) -> Update:
    order = Order(ticket=ticket, state=state, filled=D(filled))
    return Update(order, event or Accepted(coid=ticket.coid, ts_ns=T0))


def test_all_news_of_one_moment_is_heard() -> None:
    gate = make()
    first, second, third = (new(10, limit_price=D(100)) for _ in range(3))
    assert {ask(gate, ticket) for ticket in (first, second, third)} == {"ok"}
    fill = Filled(coid=third.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(4), price=D(100))
    gate.hear(
        [
            told(first, State.WORKING),
            told(second, State.CANCELLED, Cancelled(coid=second.coid, ts_ns=T0)),
            told(third, State.WORKING, fill, 4),
        ],
        [],
    )
    assert [gate.open_of("a"), gate.under_way(1, BUY)] == [[(first.coid, "a"), (third.coid, "a")], 16]
    assert [units.buys for units in gate.exposure("a", 1).units] == [16, 16]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("known", [False, True])
def test_what_is_seen_dead_is_free_again(side: Side, known: bool) -> None:
    gate = make(position_max=D(20))
    if known:
        seen_before(gate)
    one, other = new(10, side=side), new(10, side=side)
    assert [ask(gate, one), ask(gate, other), ask(gate, new(1, side=side))] == ["ok", "ok", "POSITION"]
    gate.hear([told(one, State.CANCELLED, Cancelled(coid=one.coid, ts_ns=T0))], [])
    for units in gate.exposure("a", 1).units:
        assert [units.buys, units.sells] == ([10, 0] if side is BUY else [0, 10])
    assert [ask(gate, new(11, side=side)), ask(gate, new(10, side=side))] == ["POSITION", "ok"]


def test_an_order_that_is_found_is_in_doubt_no_more() -> None:
    gate = make(in_doubt_max=0)
    ticket = new(10)
    assert ask(gate, ticket) == "ok"
    gate.hear([told(ticket, State.IN_DOUBT, AnswerMissing(coid=ticket.coid, ts_ns=T0))], [])
    assert ask(gate, new(1)) == "IN_DOUBT"
    gate.hear([told(ticket, State.WORKING)], [])
    assert ask(gate, new(1)) == "ok"


def test_only_fills_are_executions() -> None:
    gate = make(order_to_trade_max=D(10))
    ticket = new(10)
    assert ask(gate, ticket) == "ok"
    gate.hear([told(ticket, State.WORKING)], [])
    assert gate.account.purse("a", T0).executions == 0
    fill = Filled(coid=ticket.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(4), price=D(100))
    gate.hear([told(ticket, State.WORKING, fill, 4)], [])
    assert [gate.account.purse(owner, T0).executions for owner in ("a", "", "b")] == [1, 1, 0]
