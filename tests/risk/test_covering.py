"""R33: what covers a short option is not sold away, whoever holds it and however it came to be wanted."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.facts import AnswerMissing, Cancelled
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.messages import BARRED, Cancel, Denied, Place, Update
from engine.domain.moments import NS_PER_DAY
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, Side
from engine.risk.confirming import conditions
from engine.risk.explaining import explain
from engine.risk.gate import Gate
from engine.risk.outside import Contract
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D, new
from tests.risk.test_catalogue import KNOWN, LATE, OPTIONS, QUIET, SOON, Market, change, hold, venue
from tests.risk.test_catalogue import ask as ask_at

BUY, SELL = Side.BUY, Side.SELL
SHARES, OTHER, CALL, LATER, PUT, FUTURE = 1, 2, 11, 12, 13, 14
FOP = Instrument(conid=15, symbol="FOP", calendar="24/7", sec_type=SecType.FUTURE_OPTION, multiplier=D(50))
BIG = Instrument(conid=16, symbol="BIG", calendar="24/7", sec_type=SecType.FUTURE, multiplier=D(50))
LATER_PUT = Instrument(conid=17, symbol="LPUT", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(100))


def combo(conid: int, *legs: tuple[int, int]) -> Instrument:
    """Legs are (conid, ratio)."""
    made = tuple(Leg(leg, ratio) for leg, ratio in legs)
    return Instrument(conid=conid, symbol=f"C{conid}", calendar="24/7", sec_type=SecType.COMBO, legs=made)


DIAGONAL = combo(31, (LATER, 1), (CALL, -1))  # bought, its short leg is covered by its long one
WRONG_WAY = combo(32, (CALL, 1), (LATER, -1))  # here it is not: the long one ends earlier
BUY_WRITE = combo(33, (SHARES, 100), (CALL, -1))
HALF_WRITE = combo(34, (SHARES, 50), (CALL, -1))
SWAP = combo(35, (SHARES, 50), (OTHER, -50))
TWO_SOLD = combo(36, (OTHER, -1), (CALL, -1))
ALL = {
    **KNOWN,
    **{one.conid: one for one in (FOP, BIG, LATER_PUT, DIAGONAL, WRONG_WAY, BUY_WRITE, HALF_WRITE, SWAP, TWO_SOLD)},
}
FACTS = {
    **OPTIONS,
    15: Contract(right="C", expires_ns=SOON, underlying=16),
    17: Contract(right="P", expires_ns=LATE, underlying=SHARES),
}


def covered(contracts: Mapping[int, Contract] = FACTS, held: Mapping[int, int] | None = None, **more: Any) -> Gate:
    """A gate of a session that lets no option be short without cover, with what the account holds."""
    made = Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, **QUIET, "naked_short": False, **more})),
        instruments=ALL,
        sessions=SESSIONS,
        rates=RATES,
        outside=venue(contracts=dict(contracts)),
    )
    for conid, units in (held or {}).items():
        hold(made, units, conid)
    return made


MARKET = Market(prices=dict.fromkeys(ALL, 100.0))


def ask(gate: Gate, *tickets: OrderTicket) -> str:
    return ask_at(gate, *tickets, market=MARKET)


def sale(quantity: int | str = 1, conid: int = SHARES, **terms: Any) -> OrderTicket:
    return new(quantity, conid=conid, side=SELL, **terms)


def told(gate: Gate, ticket: OrderTicket) -> tuple[str, str, str]:
    verdict = gate.judge(Place((ticket,)), lambda: MARKET, T0)
    assert isinstance(verdict, Denied)
    return verdict.refusal.limit, verdict.refusal.value, verdict.refusal.sentence


@pytest.mark.parametrize(
    ("held", "quantity", "code"),
    [
        ({SHARES: 100, CALL: -1}, 1, "NAKED"),
        ({SHARES: 100, CALL: -1}, 100, "NAKED"),
        ({SHARES: 150, CALL: -1}, 49, "ok"),
        ({SHARES: 150, CALL: -1}, 50, "ok"),
        ({SHARES: 150, CALL: -1}, 51, "NAKED"),
        ({SHARES: 100, CALL: -1, LATER: 1}, 100, "ok"),  # a long call that lives longer covers it instead
        ({SHARES: 100, LATER: -1, CALL: 1}, 1, "NAKED"),  # one that ends earlier does not
        ({SHARES: 100, CALL: -1, LATER: -1}, 1, "NAKED"),
        ({SHARES: 100, PUT: -1}, 100, "ok"),  # shares cover no put
        ({SHARES: 100, CALL: 1}, 100, "ok"),
        ({SHARES: 100}, 200, "ok"),  # nothing is short
        ({CALL: -1}, 1, "ok"),  # nor does a sale uncover what is not covered
        ({OTHER: 100, SHARES: 100, CALL: -1}, 1, "NAKED"),
    ],
)
def test_shares_that_cover_a_short_call_are_not_sold(held: dict[int, int], quantity: int, code: str) -> None:
    assert ask(covered(held=held), sale(quantity)) == code


def test_another_stock_covers_nothing_and_is_free() -> None:
    assert ask(covered(held={SHARES: 100, CALL: -1, OTHER: 100}), sale(100, OTHER)) == "ok"


def test_the_refusal_says_how_much_may_be_sold_and_what_wants_the_rest() -> None:
    limit, value, sentence = told(covered(held={SHARES: 150, CALL: -1}), sale(60))
    assert (limit, value) == ("50", "60")
    assert "CALL" in sentence


def test_what_may_be_sold_is_told_in_contracts_of_what_covers() -> None:
    """A future of 50 covers an option of 50: of three that are sold one is wanted, whoever sells."""
    gate = covered({**FACTS, 16: Contract(expires_ns=LATE)}, held={16: 3, 15: -1})
    assert told(gate, sale(3, 16))[:2] == ("2", "3")
    assert ask(gate, sale(1, 16, strategy="b")) == "ok"
    assert told(gate, sale(2, 16))[:2] == ("2", "3")


def test_what_is_uncovered_already_is_not_this_orders() -> None:
    """Two short calls and 150 shares: half a call is naked as it is. A hundred fewer shares would bare 100 more."""
    limit, value, sentence = told(covered(held={SHARES: 150, CALL: -1, LATER: -1}), sale(100))
    assert (limit, value) == ("0", "100")
    assert sentence.endswith("to cover CALL, LATER")


@pytest.mark.parametrize(
    ("held", "sold", "quantity", "code"),
    [
        ({LATER: 2, CALL: -1}, LATER, 1, "ok"),
        ({LATER: 2, CALL: -1}, LATER, 2, "NAKED"),
        ({LATER: 1, CALL: -1, SHARES: 99}, LATER, 1, "NAKED"),
        ({LATER: 1, CALL: -1, SHARES: 100}, LATER, 1, "ok"),
        ({CALL: 1, LATER: -1, SHARES: 100}, CALL, 1, "ok"),  # it covered nothing
        ({17: 1, PUT: -1}, 17, 1, "NAKED"),
        ({17: 1, PUT: -1}, SHARES, 1, "ok"),
        ({17: 1, CALL: -1}, 17, 1, "ok"),
        ({16: 1, 15: -1}, 16, 1, "NAKED"),
        ({16: 2, 15: -1}, 16, 1, "ok"),
        ({16: 1}, 15, 1, "ok"),  # one future covers one option on it: both have the multiplier 50
        ({16: 1}, 15, 2, "NAKED"),
        ({SHARES: 100}, PUT, 1, "NAKED"),  # shares cover no put
    ],
)
def test_long_options_and_futures_cover_too(held: dict[int, int], sold: int, quantity: int, code: str) -> None:
    assert ask(covered(held=held), sale(quantity, sold)) == code


def test_a_long_call_may_cover_one_short_and_shares_another() -> None:
    """One short call that ends soon under a long one of its own kind, and one that ends late under 100 shares."""
    mid = Contract(right="C", expires_ns=SOON + NS_PER_DAY, underlying=SHARES)
    held = {SHARES: 100, CALL: -1, 15: 1}
    gate = covered({**FACTS, 15: mid}, held)
    assert told(gate, sale(1, LATER, strategy="b"))[:2] == ("0.5", "1")  # its multiplier is 50
    hold(gate, 2, 15)
    assert ask(gate, sale(1, LATER, strategy="b")) == "ok"
    assert ask(gate, sale(1)) == "NAKED"


# --- how a call comes to be short, and shares to be gone -------------------------------------------------------------


@pytest.mark.parametrize("state", [None, State.SENT, State.WORKING, State.IN_DOUBT, State.PENDING_CANCEL])
def test_a_call_that_may_yet_be_sold_wants_its_cover(state: State | None) -> None:
    gate = covered(held={SHARES: 150})
    call = sale(1, CALL, limit_price=D(5))
    assert ask(gate, call) == "ok"
    if state is State.PENDING_CANCEL:
        gate.judge(Cancel(call.coid, "a"), Market, T0)
    if state is not None:
        gate.hear([Update(Order(ticket=call, state=state), AnswerMissing(coid=call.coid, ts_ns=T0))], [])
    assert ask(gate, sale(51, strategy="b")) == "NAKED"
    assert ask(gate, sale(50, strategy="b")) == "ok"
    dead = Order(ticket=call, state=State.CANCELLED)
    gate.hear([Update(dead, Cancelled(coid=call.coid, ts_ns=T0))], [])
    assert ask(gate, sale(100, strategy="b")) == "ok"


def test_shares_that_are_on_their_way_out_are_gone_and_those_on_their_way_in_are_not_there() -> None:
    gate = covered(held={SHARES: 200, CALL: -1})
    assert ask(gate, sale(60, strategy="b", limit_price=D(100))) == "ok"
    assert ask(gate, new(100)) == "ok"
    assert ask(gate, sale(41)) == "NAKED"
    assert ask(gate, sale(40)) == "ok"


def test_a_call_that_is_being_bought_back_is_short_until_it_is_bought() -> None:
    gate = covered(held={SHARES: 100, CALL: -1})
    assert ask(gate, new(1, conid=CALL)) == "ok"
    assert ask(gate, sale(1)) == "NAKED"
    hold(gate, 0, CALL)
    assert ask(gate, sale(100)) == "ok"


def test_a_modification_in_flight_counts_at_the_larger_and_is_judged_as_what_it_becomes() -> None:
    gate = covered(held={SHARES: 200})
    call = sale(1, CALL, limit_price=D(5))
    shares = sale(50, limit_price=D(100))
    assert [ask(gate, call), ask(gate, shares)] == ["ok", "ok"]
    assert change(gate, shares.coid, quantity=D(101)) == "NAKED"
    assert change(gate, shares.coid, quantity=D(100)) == "ok"
    assert change(gate, call.coid, quantity=D(2)) == "NAKED"


def test_the_change_of_an_order_that_has_lost_its_cover_is_refused() -> None:
    gate = covered(held={SHARES: 100})
    shares = sale(100, limit_price=D(100))
    assert ask(gate, shares) == "ok"
    hold(gate, -1, CALL)  # somebody sold it elsewhere
    assert change(gate, shares.coid, limit_price=D(99)) == "NAKED"
    assert conditions(gate, [shares], Market(), T0)[BARRED]


def test_a_question_about_a_covered_sale_is_not_barred() -> None:
    gate = covered(held={SHARES: 100})
    call = sale(1, CALL, limit_price=D(5))
    assert ask(gate, call) == "ok"
    assert BARRED not in conditions(gate, [call], Market(), T0)


def test_a_bracket_gets_out_of_what_it_gets_into() -> None:
    gate = covered(held={SHARES: 100, CALL: -1})
    entry = new(10, limit_price=D(100))
    target, stop = (sale(10, parent=entry.coid, limit_price=D(price)) for price in (110, 90))
    assert ask(gate, entry, target, stop) == "ok"
    assert ask(gate, sale(1)) == "NAKED"


def test_of_an_oca_group_the_largest_counts() -> None:
    gate = covered(held={SHARES: 150, CALL: -1})
    assert ask(gate, *(sale(50, limit_price=D(price), oca_group="g") for price in (110, 120))) == "ok"
    assert ask(gate, *(sale(1, limit_price=D(price), oca_group="h") for price in (110, 120))) == "NAKED"
    first = covered(held={SHARES: 150, CALL: -1})
    pair = [sale(units, limit_price=D(110), oca_group="g") for units in (30, 50)]
    assert ask(first, *pair) == "ok"
    assert change(first, pair[0].coid, quantity=D(50)) == "ok"
    assert change(first, pair[0].coid, quantity=D(51)) == "NAKED"
    hold(first, -2, CALL)  # the group has lost its cover
    assert change(first, pair[1].coid, limit_price=D(109)) == "NAKED"


# --- combos ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conid", "side", "held", "code"),
    [
        (31, BUY, {}, "ok"),
        (31, SELL, {}, "NAKED"),
        (31, SELL, {LATER: 1, CALL: -1}, "ok"),  # out of it
        (31, SELL, {LATER: 1}, "ok"),
        (32, BUY, {}, "NAKED"),
        (32, BUY, {SHARES: 100}, "ok"),
        (33, BUY, {}, "ok"),
        (33, SELL, {SHARES: 100, CALL: -1}, "ok"),
        (33, SELL, {SHARES: 200, CALL: -2}, "ok"),
        (34, BUY, {}, "NAKED"),
        (34, BUY, {SHARES: 50}, "ok"),
        (35, SELL, {SHARES: 149, CALL: -1}, "NAKED"),
        (35, SELL, {SHARES: 150, CALL: -1}, "ok"),
        (35, BUY, {SHARES: 100, CALL: -1}, "ok"),
        (36, BUY, {}, "NAKED"),  # what is sold beside the call changes nothing
        (36, BUY, {SHARES: 100}, "ok"),
    ],
)
def test_the_legs_of_a_combo_cover_one_another(conid: int, side: Side, held: dict[int, int], code: str) -> None:
    assert ask(covered(held=held), new(1, conid=conid, side=side)) == code


def test_while_a_combo_is_open_its_sold_leg_is_short_and_its_bought_leg_is_not_there() -> None:
    gate = covered(held={SHARES: 100})
    spread = new(1, conid=31)
    assert ask(gate, spread) == "ok"
    assert ask(gate, sale(1)) == "NAKED"
    hold(gate, 0)
    assert change(gate, spread.coid, quantity=D(2)) == "ok"


def test_the_change_of_a_combo_whose_sold_leg_has_lost_its_cover_is_refused() -> None:
    """It sells 50 shares of the 20 that are left: without it these would cover a part of the call."""
    gate = covered(held={SHARES: 50})
    swap = new(1, conid=35, side=SELL)
    assert ask(gate, swap) == "ok"
    hold(gate, 20)
    assert change(gate, swap.coid, quantity=D(1)) == "ok"
    hold(gate, -1, CALL)  # somebody sold it elsewhere
    assert change(gate, swap.coid, quantity=D(1)) == "NAKED"


# --- what is not known -----------------------------------------------------------------------------------------------

NOT_KNOWN: list[dict[int, Contract]] = [
    {},
    {CALL: Contract(right="C", expires_ns=SOON)},
    {CALL: Contract(expires_ns=SOON, underlying=SHARES)},
]


@pytest.mark.parametrize("facts", NOT_KNOWN)
def test_a_short_option_of_which_too_little_is_known_may_be_a_call_on_these_shares(facts: dict[int, Contract]) -> None:
    assert ask(covered(facts, {SHARES: 200, CALL: -1}), sale(100)) == "ok"
    gate = covered(facts, {SHARES: 200, CALL: -1})
    assert told(gate, sale(101))[:2] == ("100", "101")
    assert "too little is known" in told(gate, sale(101))[2]
    assert ask(covered({**facts, LATER: FACTS[LATER]}, {SHARES: 100, CALL: -1}), sale(1, LATER)) == "NAKED"


@pytest.mark.parametrize(
    "facts", [Contract(right="P"), Contract(underlying=OTHER), Contract(right="C", underlying=OTHER)]
)
def test_what_is_known_to_be_on_something_else_wants_nothing(facts: Contract) -> None:
    assert ask(covered({CALL: facts}, {SHARES: 100, CALL: -1}), sale(100)) == "ok"


def test_without_an_expiry_a_short_option_may_live_longest_and_a_long_one_covers_nothing() -> None:
    endless = Contract(right="C", underlying=SHARES)
    assert ask(covered({**FACTS, CALL: endless}, {SHARES: 100, CALL: -1, LATER: 1}), sale(1)) == "NAKED"
    assert ask(covered({**FACTS, LATER: endless}, {SHARES: 100, CALL: -1, LATER: 1}), sale(1)) == "NAKED"
    neither = Contract(underlying=SHARES, expires_ns=LATE)  # a call or a put
    assert ask(covered({**FACTS, LATER: neither}, {SHARES: 100, CALL: -1, LATER: 1}), sale(1)) == "NAKED"


def test_it_is_asked_in_a_session_and_may_be_allowed() -> None:
    held = {SHARES: 100, CALL: -1}
    assert ask(covered(held=held, naked_short=True), sale(100)) == "ok"
    assert ask(covered(held=held, naked_short=None), sale(100)) == "NAKED"  # a session's own default
    backtest = Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, "naked_short": False})), instruments=ALL, sessions=SESSIONS,
        rates=RATES,
    )  # fmt: skip
    for conid, units in held.items():
        hold(backtest, units, conid)
    assert ask(backtest, sale(100)) == "ok"


def test_where_there_are_no_options_nothing_is_asked() -> None:
    shares = {SHARES: ALL[SHARES]}
    alone = Gate(settings=RiskSettings(), instruments=shares, sessions=SESSIONS, rates=RATES, outside=venue())
    assert "naked_short" not in {check.__name__ for check in alone.exposure("a", SHARES).armed}


def test_what_is_explained_is_what_is_asked() -> None:
    gate = covered(held={SHARES: 150, CALL: -1})
    found = {one.check: one for one in explain(gate, sale(50), Market(), T0)}["naked_short"]
    assert (found.code, found.allows, found.value) == ("R33", True, "nothing uncovered")
    found = {one.check: one for one in explain(gate, sale(51), Market(), T0)}["naked_short"]
    assert (found.code, found.allows, found.limit, found.value) == ("R33", False, "50", "51")


# --- the law ---------------------------------------------------------------------------------------------------------

EXPIRIES = {CALL: SOON, LATER: LATE, 15: SOON + NS_PER_DAY}
CALLS = {conid: Contract(right="C", expires_ns=ns, underlying=SHARES) for conid, ns in EXPIRIES.items()}


def uncovered(held: Mapping[int, int], selling: Mapping[int, int]) -> int:
    """Shares that short calls are on and nothing covers, share by share: each takes the shortest-lived cover left."""
    low = {conid: held.get(conid, 0) - selling.get(conid, 0) for conid in (SHARES, *CALLS)}
    covers = [10**30] * max(low[SHARES], 0)
    wanted: list[int] = []
    for conid, ns in EXPIRIES.items():
        each = abs(low[conid]) * int(ALL[conid].multiplier)
        (covers if low[conid] > 0 else wanted).extend([ns] * each)
    covers.sort()
    naked = 0
    for ns in sorted(wanted, reverse=True):  # those that live longest have the least choice
        fits = [place for place, cover in enumerate(covers) if cover >= ns]
        if fits:
            del covers[fits[0]]
        else:
            naked += 1
    return naked


@settings(max_examples=max(60, settings().max_examples // 2), deadline=None)
@given(
    held=st.fixed_dictionaries(
        {}, optional={SHARES: st.sampled_from([0, 50, 100, 150, 200]), **{c: st.integers(-1, 2) for c in CALLS}}
    ),
    wanted=st.lists(
        st.tuples(
            st.sampled_from([SHARES, *CALLS]), st.sampled_from([SELL, SELL, SELL, BUY]), st.sampled_from([1, 50, 100])
        ),
        max_size=5,
    ),
)
def test_no_order_lifts_what_is_uncovered_and_none_that_does_not_is_refused(
    held: dict[int, int], wanted: list[tuple[int, Side, int]]
) -> None:
    gate = covered(CALLS, held)
    selling: dict[int, int] = {}
    for conid, side, size in wanted:
        quantity = size if conid == SHARES else 1
        then = dict(selling)
        if side is SELL:
            then[conid] = then.get(conid, 0) + quantity
        lifts = uncovered(held, then) > uncovered(held, selling)
        said = ask(gate, new(quantity, conid=conid, side=side, limit_price=Decimal(100)))
        assert said == ("NAKED" if lifts else "ok")
        if said == "ok":
            selling = then
