"""Differences between our books and the venue's, by class."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.brokerage import Balance, VenueExecution, VenuePosition
from engine.orders.reconcile import (
    Class,
    Held,
    ReconcilePolicy,
    Remedy,
    compare_cash,
    compare_positions,
)

POLICY = ReconcilePolicy()


def execution(number: int, side: str, size: int, *, conid: int = 1, liquidation: bool = False) -> VenueExecution:
    return VenueExecution(
        execution_id=f"e{number}",
        order_id="9",
        account=None,
        coid=None,
        conid=conid,
        side=side,
        size=Decimal(size),
        price=Decimal(10),
        ts_ns=1,
        liquidation=liquidation,
    )


def there(quantity: int, cost: str | None = None) -> list[VenuePosition]:
    return [VenuePosition(conid=1, quantity=Decimal(quantity), average_cost=None if cost is None else Decimal(cost))]


def held(quantity: int, cost: int = 0) -> dict[int, Held]:
    return {1: Held(quantity=Decimal(quantity), cost=Decimal(cost))}


def test_equal_books_differ_in_nothing() -> None:
    assert compare_positions(held(5), there(5), [], own={}, policy=POLICY) == []
    assert compare_positions({}, [VenuePosition(conid=3, quantity=Decimal(0))], [], own={}, policy=POLICY) == []


@pytest.mark.parametrize(
    ("rows", "own", "venue", "found"),
    [
        ([execution(1, "BUY", 3)], {"e1": True}, 8, Class.OWN_LATE_FILL),
        ([execution(1, "SELL", 7)], {"e1": True}, -2, Class.OWN_LATE_FILL),
        ([execution(1, "BUY", 3)], {"e1": False}, 8, Class.MANUAL_TRADE),
        ([execution(1, "BUY", 3), execution(2, "BUY", 1)], {"e1": True, "e2": False}, 9, Class.MANUAL_TRADE),
        ([execution(1, "SELL", 5, liquidation=True)], {}, 0, Class.LIQUIDATION),
        ([execution(1, "SELL", 5, liquidation=True), execution(2, "BUY", 1)], {}, 1, Class.LIQUIDATION),
        ([], {}, 6, Class.UNKNOWN),
        ([execution(1, "BUY", 2)], {"e1": True}, 8, Class.UNKNOWN),  # it explains two of three
        ([execution(1, "BUY", 3, conid=2)], {"e1": True}, 8, Class.UNKNOWN),  # of another instrument
    ],
)
def test_a_gap_is_named_by_what_explains_it(
    rows: list[VenueExecution], own: dict[str, bool], venue: int, found: Class
) -> None:
    [difference] = compare_positions(held(5), there(venue), rows, own=own, policy=POLICY)
    assert difference.found is found
    assert (difference.remedy is Remedy.ADOPT) == (found is Class.OWN_LATE_FILL)


@pytest.mark.parametrize(
    ("ours", "venue", "cost", "found"),
    [
        (100, 400, "2.5", Class.SPLIT),  # four for one: 1,000 paid either way
        (100, 10, "100", Class.SPLIT),  # one for ten
        (100, 150, "6.6667", Class.SPLIT),  # three for two, the average rounded
        (-100, -200, "5", Class.SPLIT),
        (100, 400, "10", Class.UNKNOWN),  # as many shares, but paid for
        (100, 437, "2.2883", Class.UNKNOWN),  # no ratio at which shares are split
        (100, -200, "-5", Class.UNKNOWN),
        (100, 200, None, Class.UNKNOWN),
    ],
)
def test_a_split_multiplies_shares_and_leaves_their_cost(ours: int, venue: int, cost: str | None, found: Class) -> None:
    paid = 1_000 if ours > 0 else -1_000
    [difference] = compare_positions(held(ours, paid), there(venue, cost), [], own={}, policy=POLICY)
    assert difference.found is found


def test_policy_decides_what_follows() -> None:
    policy = ReconcilePolicy(manual_trade=Remedy.ADOPT, unknown=Remedy.IGNORE)
    [manual] = compare_positions(held(5), there(8), [execution(1, "BUY", 3)], own={}, policy=policy)
    [unknown] = compare_positions(held(5), there(9), [], own={}, policy=policy)
    assert (manual.remedy, manual.executions) == (Remedy.ADOPT, ("e1",))
    assert unknown.remedy is Remedy.IGNORE
    assert "conid 1: 5 in our books, 9 in the venue's" in str(unknown)


def test_cash_up_to_the_tolerance_is_fees() -> None:
    ours = {"USD": Decimal(100), "EUR": Decimal(7)}
    fee, far = compare_cash(ours, {"USD": balance("105.01"), "EUR": balance(2)}, policy=POLICY)
    assert (fee.currency, fee.found) == ("EUR", Class.FEE)
    assert (far.currency, far.found) == ("USD", Class.UNKNOWN)
    assert compare_cash(ours, {"USD": balance(100), "EUR": balance(7)}, policy=POLICY) == []


def balance(cash: object, interest: object = 0, dividends: object = 0) -> Balance:
    return Balance(cash=Decimal(str(cash)), interest=Decimal(str(interest)), dividends=Decimal(str(dividends)))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        # 12.34 of interest were owed and are not any more; cash is up by as much.
        (balance(100, "12.34"), balance("112.34"), [(Class.INTEREST, "112.34")]),
        (balance(100, "-3.1"), balance("96.90"), [(Class.INTEREST, "96.90")]),  # a debit
        (balance(100, 0, 85), balance(185), [(Class.DIVIDEND, "185")]),
        (balance(100, "12.34", 85), balance("197.34"), [(Class.DIVIDEND, "185"), (Class.INTEREST, "197.34")]),
        # The ledger rounds: a cent is no second difference of its own kind.
        (balance(100, 0, 85), balance("184.99"), [(Class.DIVIDEND, "185"), (Class.FEE, "184.99")]),
        (balance(100, 0, 85), balance(183), [(Class.DIVIDEND, "185"), (Class.FEE, "183")]),
        # What is owed has changed, and cash by something else.
        (balance(100, "12.34"), balance(150), [(Class.UNKNOWN, "150")]),
        (balance(100, "12.34"), balance(103), [(Class.FEE, "103")]),
        (None, balance(150, 0, 0), [(Class.UNKNOWN, "150")]),
    ],
)
def test_what_was_owed_explains_cash(before: Balance | None, now: Balance, expected: list[tuple[Class, str]]) -> None:
    known = {} if before is None else {"USD": before}
    found = compare_cash({"USD": Decimal(100)}, {"USD": now}, policy=POLICY, before=known)
    assert [(one.found, one.venue) for one in found] == [(kind, Decimal(cash)) for kind, cash in expected]
    assert found[0].ours == 100
    assert all(one.remedy is Remedy.ADOPT for one in found)


@pytest.mark.parametrize(
    ("cash", "remedy", "found"),
    [
        (94, Remedy.IGNORE, Class.FEE),  # an estimate of 1 may be wrong by as much, and 5 are tolerated
        (106, Remedy.IGNORE, Class.FEE),
        ("93.99", Remedy.ADOPT, Class.UNKNOWN),
    ],
)
def test_a_gap_within_open_estimates_waits_for_the_commissions(cash: object, remedy: Remedy, found: Class) -> None:
    (one,) = compare_cash({"USD": Decimal(100)}, {"USD": balance(cash)}, policy=POLICY, estimated={"USD": Decimal(1)})
    assert (one.remedy, one.found) == (remedy, found)


@given(
    start=st.integers(-50, 50),
    trades=st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 20), st.booleans()), max_size=8),
)
def test_whatever_was_traded_behind_our_back_is_never_called_unknown(
    start: int, trades: list[tuple[str, int, bool]]
) -> None:
    rows = [execution(number, side, size) for number, (side, size, _) in enumerate(trades)]
    own = {f"e{number}": ours for number, (_, _, ours) in enumerate(trades)}
    end = start + sum(size if side == "BUY" else -size for side, size, _ in trades)
    found = compare_positions(held(start), there(end), rows, own=own, policy=POLICY)
    assert bool(found) == (end != start)
    assert all(one.found in (Class.OWN_LATE_FILL, Class.MANUAL_TRADE) for one in found)


def test_what_each_class_leads_to_unless_the_config_says_otherwise() -> None:
    own, halts = Remedy.ADOPT, Remedy.HALT_INSTRUMENT
    assert {kind: POLICY.remedy(kind) for kind in Class} == {
        Class.OWN_LATE_FILL: own, Class.FEE: own, Class.INTEREST: own, Class.DIVIDEND: own,
        Class.MANUAL_TRADE: halts, Class.LIQUIDATION: halts, Class.SPLIT: halts, Class.UNKNOWN: halts,
    }  # fmt: skip
    for name, kind in (
        ("manual_trade", Class.MANUAL_TRADE),
        ("liquidation", Class.LIQUIDATION),
        ("split", Class.SPLIT),
        ("unknown", Class.UNKNOWN),
    ):
        policy = ReconcilePolicy(**{name: Remedy.IGNORE})  # type: ignore[arg-type]  # one of four
        assert [one for one in Class if policy.remedy(one) is Remedy.IGNORE] == [kind]


@pytest.mark.parametrize("shares", [2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, "1.5", "1.25"])
def test_ratios_of_splits_both_ways(shares: object) -> None:
    ratio = Decimal(str(shares))
    for ours, venue in ((Decimal(100), 100 * ratio), (100 * ratio, Decimal(100))):
        books = {1: Held(quantity=ours, cost=Decimal(1000))}
        position = VenuePosition(conid=1, quantity=venue, average_cost=1000 / venue)
        [difference] = compare_positions(books, [position], [], own={}, policy=POLICY)
        assert difference.found is Class.SPLIT


@pytest.mark.parametrize(("cost", "found"), [("1005", Class.SPLIT), ("995", Class.SPLIT), ("1005.01", Class.UNKNOWN)])
def test_a_split_leaves_the_cost_but_for_half_a_percent(cost: str, found: Class) -> None:
    position = VenuePosition(conid=1, quantity=Decimal(200), average_cost=Decimal(cost) / 200)
    [difference] = compare_positions(held(100, 1000), [position], [], own={}, policy=POLICY)
    assert difference.found is found
    [traded] = compare_positions(held(100, 1000), [position], [execution(1, "BUY", 1)], own={"e1": True}, policy=POLICY)
    assert traded.found is Class.UNKNOWN  # something was traded, and it does not explain it


def test_differences_come_by_conid_with_both_figures_and_what_explains_them() -> None:
    ours = {3: Held(quantity=Decimal(1)), 1: Held(quantity=Decimal(5))}
    theirs = [VenuePosition(conid=2, quantity=Decimal(4)), VenuePosition(conid=1, quantity=Decimal(8))]
    rows = [execution(1, "BUY", 3), execution(2, "BUY", 4, conid=2), execution(3, "SELL", 1, conid=3)]
    found = compare_positions(ours, theirs, rows, own={"e1": True, "e3": True}, policy=POLICY)
    assert [(one.conid, one.ours, one.venue, one.found, one.executions) for one in found] == [
        (1, Decimal(5), Decimal(8), Class.OWN_LATE_FILL, ("e1",)),
        (2, Decimal(0), Decimal(4), Class.MANUAL_TRADE, ("e2",)),
        (3, Decimal(1), Decimal(0), Class.OWN_LATE_FILL, ("e3",)),
    ]
    assert str(found[1]) == "conid 2: 0 in our books, 4 in the venue's (manual trade: halt instrument)"


def test_our_own_fills_beside_the_brokers_are_a_liquidation() -> None:
    rows = [execution(1, "BUY", 3), execution(2, "SELL", 8, liquidation=True)]
    [difference] = compare_positions(held(5), there(0), rows, own={"e1": True}, policy=POLICY)
    assert (difference.found, difference.executions) == (Class.LIQUIDATION, ("e1", "e2"))


@pytest.mark.parametrize(
    ("cash", "found"), [(105, Class.FEE), (95, Class.FEE), ("105.01", Class.UNKNOWN), ("94.99", Class.UNKNOWN)]
)
def test_cash_at_and_beyond_the_tolerance(cash: object, found: Class) -> None:
    [one] = compare_cash({"USD": Decimal(100)}, {"USD": balance(cash)}, policy=POLICY)
    assert (one.found, one.ours, one.venue) == (found, Decimal(100), Decimal(str(cash)))
    assert str(one).startswith(f"cash in USD: 100 in our books, {cash} in the venue's")


def test_a_currency_that_one_side_lacks_is_nothing_there() -> None:
    gone, new = compare_cash({"EUR": Decimal(7)}, {"USD": balance(3)}, policy=POLICY)
    assert [(one.currency, one.ours, one.venue) for one in (gone, new)] == [
        ("EUR", Decimal(7), Decimal(0)),
        ("USD", Decimal(0), Decimal(3)),
    ]
    assert (gone.found, new.found) == (Class.UNKNOWN, Class.FEE)


def test_what_was_owed_of_two_kinds_explains_by_the_cent_before_it_explains_roughly() -> None:
    """100 in interest and 102 in dividends were owed and are paid; 102 came: the dividend, to the cent."""
    before = {"USD": balance(1000, 100, 102)}
    [one, *rest] = compare_cash({"USD": Decimal(1000)}, {"USD": balance(1102, 100, 0)}, policy=POLICY, before=before)
    assert (one.found, rest) == (Class.DIVIDEND, [])
    found = compare_cash({"USD": Decimal(1000)}, {"USD": balance(1102)}, policy=POLICY, before=before)
    assert [(each.found, each.venue) for each in found] == [(Class.DIVIDEND, Decimal(1102))]


def test_an_estimate_widens_what_a_paid_interest_may_be_off_by() -> None:
    before = {"USD": balance(1000, 50)}
    for cash, kinds in (("1043", [Class.INTEREST, Class.FEE]), ("1041.99", [Class.UNKNOWN])):
        found = compare_cash(
            {"USD": Decimal(1000)},
            {"USD": balance(cash)},
            policy=POLICY,
            before=before,
            estimated={"USD": Decimal(-3)},
        )
        assert [one.found for one in found] == kinds


def test_one_currency_that_agrees_or_is_explained_does_not_hide_the_next() -> None:
    ours = {"CHF": Decimal(1), "EUR": Decimal(100), "USD": Decimal(100)}
    venue = {"CHF": balance(1), "EUR": balance(110, "2.34"), "USD": balance(150)}
    before = {"EUR": balance(100, "12.34")}  # 10 of 12.34 were paid
    found = compare_cash(ours, venue, policy=POLICY, before=before)
    assert [(one.currency, one.found, one.venue) for one in found] == [
        ("EUR", Class.INTEREST, Decimal(110)),
        ("USD", Class.UNKNOWN, Decimal(150)),
    ]


def test_what_was_nothing_or_is_nothing_is_no_split() -> None:
    for ours, venue in ((0, 100), (100, 0)):
        [difference] = compare_positions(held(ours), there(venue, "0"), [], own={}, policy=POLICY)
        assert difference.found is Class.UNKNOWN


def test_two_that_were_owed_explain_nothing_where_they_do_not_add_up() -> None:
    before = {"USD": balance(1000, 100, 102)}
    [one] = compare_cash({"USD": Decimal(1000)}, {"USD": balance(1900)}, policy=POLICY, before=before)
    assert (one.found, one.venue) == (Class.UNKNOWN, Decimal(1900))


def test_a_gap_of_no_more_than_a_cent_is_none_that_a_payment_explains() -> None:
    """A cent of interest was owed and is paid; books and venue are a cent apart, or a little more."""
    before = {"USD": balance(1000, "0.01")}
    for cash in ("1000.01", "1000.02"):
        found = compare_cash({"USD": Decimal(1000)}, {"USD": balance(cash)}, policy=POLICY, before=before)
        assert Class.UNKNOWN not in [one.found for one in found]
