"""The flat look at options and futures: what it passes no check refuses, and a plain order in one is passed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.messages import Approved, Denied, Place, PositionNow
from engine.domain.moments import NS_PER_DAY
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk import longway
from engine.risk.checks import NEW_ORDER
from engine.risk.dated import Dated
from engine.risk.exposure import Units
from engine.risk.gate import Gate
from engine.risk.market import market_now
from engine.risk.outside import Contract
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D, code_of
from tests.risk.test_catalogue import KNOWN, QUIET, Market, venue

CALL, LATER, PUT, FUTURE = 11, 12, 13, 14
SOON = T0 + 2 * NS_PER_DAY


def known(**terms: Any) -> Contract:
    """An option, far from its end."""
    far = {"expires_ns": T0 + 90 * NS_PER_DAY, "underlying": 1, "delta": D("0.5"), "vega": D("0.1"), "right": "C"}
    return Contract(**{**far, **terms})


def gate(contracts: dict[int, Contract], limits: dict[str, Any]) -> Gate:
    return Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, **QUIET, **limits})),
        instruments=KNOWN,
        sessions=SESSIONS,
        rates=RATES,
        outside=venue(contracts=contracts, availability=dict.fromkeys(KNOWN, "R")),
    )


def held(one: Gate, conid: int, quantity: int) -> None:
    one.hear([], [PositionNow("a", conid, D(quantity), D(0), D(0), D(quantity), D(0), "USD")])


def asked(conid: int, side: Side, quantity: int, number: int = 1, *, waits: bool = False) -> OrderTicket:
    """A market order, or a stop at 101."""
    KNOWN[conid].units(D(quantity))  # as after an earlier order of these terms
    return OrderTicket(
        coid=f"a-{number:06d}", strategy="a", account="DU1", conid=conid, side=side, quantity=D(quantity),
        order_type=OrderType.STOP if waits else OrderType.MARKET, stop_price=D(101) if waits else None, tag=str(number),
    )  # fmt: skip


# Sound facts, with one field at a time that is at its edge, unknown, or of another kind.
SOUND: list[dict[str, Any]] = [{}, {}, {}, {}]
contracts = st.sampled_from(
    SOUND
    + [{"delta": delta} for delta in (D("-0.25"), D("1E-9"), None)]
    + [{"vega": vega} for vega in (D("-0.1"), None)]
    + [{"expires_ns": SOON + more} for more in (-1, 0, 1)]
    + [{"notice_ns": SOON - 1}, {"ex_dividend_ns": T0 + NS_PER_DAY - 1}, {"right": "P"}, {"right": None}]
    + [{"underlying": None}, {"expires_ns": None}]
).map(lambda terms: known(**terms))
limits = st.fixed_dictionaries(
    {"delivery_days_min": st.sampled_from([0, 2])},
    optional={
        "option_delta_max": st.sampled_from([D(100), D(250), D(10**6)]),  # a call's is 50 for one
        "option_vega_max": st.sampled_from([D(20), D(50), D(10**6)]),  # and 10
        "expiry_days_min": st.sampled_from([0, 2]),
        "naked_short": st.booleans(),
    },
)
orders = st.tuples(
    st.sampled_from([CALL, CALL, LATER, PUT, FUTURE]), st.sampled_from(list(Side)), st.integers(1, 6), st.booleans()
)


@settings(max_examples=max(100, settings().max_examples))
@given(
    facts=st.fixed_dictionaries({CALL: contracts, LATER: contracts, FUTURE: contracts}, optional={PUT: contracts}),
    given_limits=limits,
    positions=st.dictionaries(st.sampled_from([1, CALL, LATER, PUT]), st.integers(-5, 5)),
    wanted=st.lists(orders, min_size=1, max_size=6),
    later=st.dictionaries(st.sampled_from([CALL, FUTURE]), contracts),
)
def test_both_ways_say_the_same(
    facts: dict[int, Contract],
    given_limits: dict[str, Any],
    positions: dict[int, int],
    wanted: list[tuple[int, Side, int, bool]],
    later: dict[int, Contract],
) -> None:
    short, slow = pair = [gate(dict(facts), given_limits) for _ in range(2)]
    for one in pair:
        for conid in KNOWN:
            one.exposure("a", conid).plain &= one is short
        for conid, quantity in positions.items():
            held(one, conid, quantity)
    market = Market()
    for number, (conid, side, quantity, waits) in enumerate(wanted):
        if number == 2:  # the venue tells of contracts anew
            for one in pair:
                assert one.account.outside is not None
                one.account.outside.contracts = {**one.account.outside.contracts, **later}
        ticket = asked(conid, side, quantity, number, waits=waits)
        exposure = slow.exposure("a", conid)
        now = market_now(exposure.instrument, market, T0)
        checks = (*NEW_ORDER, *exposure.armed)
        refused = any(check(ticket, exposure, now, exposure.bounds) is not None for check in checks)
        if waits:
            event(f"a stop is taken without the table: {short.clears(ticket, market, T0)}")
        verdicts = [one.judge(Place((ticket,)), lambda: market, T0) for one in pair]
        assert verdicts[0] == verdicts[1]
        assert isinstance(verdicts[0], Denied if refused else Approved)


FULL: dict[str, Any] = {
    "option_delta_max": D(1_000), "option_vega_max": D(1_000), "expiry_days_min": 2, "delivery_days_min": 2,
    "naked_short": False,
}  # fmt: skip


@pytest.mark.parametrize(("conid", "side"), [(CALL, Side.BUY), (CALL, Side.SELL), (FUTURE, Side.BUY)])
def test_a_plain_order_in_what_has_an_end_asks_no_check(
    conid: int, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = gate({CALL: known(), LATER: known(), FUTURE: Contract(expires_ns=T0 + 90 * NS_PER_DAY)}, FULL)
    held(one, CALL, 3)
    held(one, LATER, 2)
    monkeypatch.setattr(longway, "NEW_ORDER", (lambda *given: pytest.fail("the table was asked"),))
    assert one.exposure("a", conid).plan is not None
    assert isinstance(one.judge(Place((asked(conid, side, 3),)), Market, T0), Approved)


def test_without_a_venue_nothing_is_asked_of_contracts() -> None:
    one = Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, **FULL})), instruments=KNOWN, sessions=SESSIONS, rates=RATES
    )
    assert isinstance(one.judge(Place((asked(CALL, Side.SELL, 3),)), Market, T0), Approved)


def told(one: Gate, conid: int, quantity: int, number: int) -> str:
    return code_of(one.judge(Place((asked(conid, Side.BUY, quantity, number),)), Market, T0))


@pytest.mark.parametrize("code", ["DELTA", "VEGA"])
def test_open_orders_and_positions_count_against_the_greeks(code: str) -> None:
    """A call counts 50 and, of vega, 10: with two held and two open there is room for one more."""
    most = {"option_delta_max": D(250)} if code == "DELTA" else {"option_vega_max": D(50)}
    one = gate({CALL: known(), LATER: known()}, {**FULL, **most})
    held(one, CALL, 2)
    assert [told(one, CALL, quantity, number) for number, quantity in enumerate((1, 1))] == ["ok", "ok"]
    assert told(one, CALL, 2, 3) == code
    assert told(one, CALL, 1, 4) == "ok"


def test_what_the_venue_tells_of_a_contract_counts_at_once() -> None:
    one = gate({CALL: known(), FUTURE: Contract(expires_ns=T0 + 90 * NS_PER_DAY)}, FULL)
    outside = one.account.outside
    assert outside is not None
    for conid, sooner in ((CALL, known(expires_ns=SOON - 1)), (FUTURE, known(notice_ns=SOON - 1))):
        one.exposure("a", conid)
        assert told(one, conid, 1, conid) == "ok"
        outside.contracts = {**outside.contracts, conid: sooner}
        assert told(one, conid, 1, conid + 100) == ("EXPIRY" if conid == CALL else "DELIVERY")


@pytest.mark.parametrize("conid", [CALL, LATER])
def test_greeks_told_anew_count_at_once(conid: int) -> None:
    """Two of the later call held, one of the other open and one more: 200; at a delta of 0.9 for either, 280."""
    one = gate({CALL: known(), LATER: known()}, {**FULL, "option_delta_max": D(250)})
    held(one, LATER, 2)
    one.exposure("a", CALL)  # whose first order would go the long way
    outside = one.account.outside
    assert outside is not None
    assert told(one, CALL, 1, 1) == "ok"
    outside.contracts = {**outside.contracts, conid: known(delta=D("0.9"))}
    assert told(one, CALL, 1, 2) == "DELTA"
    outside.contracts = {**outside.contracts, conid: known()}
    assert told(one, CALL, 1, 3) == "ok"


def looked(one: Gate, conid: int, side: Side, quantity: int, number: int, strategy: str = "a") -> str:
    ticket = replace(asked(conid, side, quantity, number), coid=f"{strategy}-{number:06d}", strategy=strategy)
    one.exposure(strategy, conid)  # whose first order would go the long way
    return code_of(one.judge(Place((ticket,)), Market, T0))


def test_what_the_account_is_short_of_counts_and_not_what_the_strategy_holds() -> None:
    one = gate({CALL: known()}, FULL)
    for strategy, quantity, of_account in (("a", 1, 1), ("b", -1, 0)):
        one.hear([], [PositionNow(strategy, CALL, D(quantity), D(0), D(0), D(of_account), D(0), "USD")])
    assert looked(one, CALL, Side.SELL, 1, 1) == "NAKED"


GREEKS: dict[int, Contract] = {
    CALL: known(), LATER: known(), PUT: known(right="P", delta=D("-0.5")), FUTURE: Contract(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "holds", "limits", "order", "code"),
    [
        # Sold by another strategy, a put that is held pushes up: 250 of the later calls stay.
        ({}, {LATER: 5, PUT: 1}, {"delta": 240}, (PUT, Side.SELL, 1, "b"), "DELTA"),
        ({}, {LATER: 5, PUT: 1}, {"delta": 250}, (PUT, Side.SELL, 1, "b"), "ok"),
        # An option of which nothing is held or open stands before the one that counts.
        ({}, {CALL: 0, LATER: 4}, {"delta": 240}, (CALL, Side.BUY, 1, "a"), "DELTA"),
        ({}, {CALL: 0, LATER: 4}, {"delta": 250}, (CALL, Side.BUY, 1, "a"), "ok"),
        # A put's vega counts though its delta pushes the other way: 30 and 30.
        ({}, {PUT: 3}, {"vega": 50}, (CALL, Side.BUY, 3, "a"), "VEGA"),
        ({}, {PUT: 3}, {"vega": 60}, (CALL, Side.BUY, 3, "a"), "ok"),
        # What is short already pushes the way of this order: 150 and 50.
        ({}, {CALL: -3}, {"delta": 190}, (PUT, Side.BUY, 1, "a"), "DELTA"),
        ({}, {PUT: -3}, {"delta": 190}, (CALL, Side.BUY, 1, "a"), "DELTA"),
        ({}, {PUT: -3}, {"delta": 200}, (CALL, Side.BUY, 1, "a"), "ok"),
        # One that moves with nothing lifts nothing, whatever is held.
        ({CALL: known(delta=D(0), vega=D(0))}, {LATER: 5}, {"delta": 100, "vega": 10}, (CALL, Side.BUY, 1, "a"), "ok"),
    ],
)  # fmt: skip
def test_the_greeks_of_all_options_at_the_worst_case(
    facts: dict[int, Contract],
    holds: dict[int, int],
    limits: dict[str, int],
    order: tuple[int, Side, int, str],
    code: str,
) -> None:
    given_limits = {f"option_{name}_max": D(most) for name, most in limits.items()}
    one = gate({**GREEKS, **facts}, {"naked_short": True, **given_limits})
    for conid, quantity in holds.items():
        one.exposure("a", conid)
        if quantity:
            held(one, conid, quantity)
    conid, side, quantity, strategy = order
    assert looked(one, conid, side, quantity, 1, strategy) == code


@pytest.mark.parametrize("greek", ["delta", "vega"])
def test_the_smallest_push_counts_what_is_open_its_way(greek: str) -> None:
    """Four later calls are being bought and one is held by now: 250 of 240, or 50 of 48, and not a bit more."""
    most = {"delta": D(240), "vega": D(48)}
    one = gate({**GREEKS, CALL: known(**{greek: D("1E-9")})}, {f"option_{greek}_max": most[greek]})
    one.exposure("a", CALL)
    assert looked(one, LATER, Side.BUY, 4, 1) == "ok"
    held(one, LATER, 1)
    assert looked(one, CALL, Side.BUY, 1, 2) == greek.upper()


def test_vega_that_pushes_back_counts_at_the_least() -> None:
    """A short of three whose vega is below zero pushes up by 30; two that are being bought may never come."""
    odd = known(vega=D("-0.1"))
    one = gate({**GREEKS, LATER: odd}, {"naked_short": True, "option_vega_max": D(35)})
    held(one, LATER, -3)
    assert looked(one, LATER, Side.BUY, 2, 1) == "ok"
    assert looked(one, CALL, Side.BUY, 1, 2) == "VEGA"


@pytest.mark.parametrize("unknown", ["delta", "vega"])
def test_an_order_whose_own_greeks_are_not_known_is_not_surely_allowed(unknown: str) -> None:
    facts = {CALL: known()}
    look, exposure = Dated(greeks=True, held={CALL: (Units(), 100.0)}), gate(facts, {}).exposure("a", CALL)
    ticket = asked(CALL, Side.BUY, 1)
    assert look.allows(ticket, exposure, facts, True, 1.0, T0)
    assert not look.allows(ticket, exposure, {CALL: known(**{unknown: None})}, True, 1.0, T0)
