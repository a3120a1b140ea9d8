"""What may be concluded from answers about orders: known, or not yet known, never an empty list by mistake."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.webapi.codecs.orders import executions_of, order_row
from engine.webapi.facts.orders import Execution, Executions, OrderRow, OrdersPage, OrderStatus
from engine.webapi.facts.wire import Unreadable
from engine.webapi.orderview import EVERY_NS, Absent, Found, Known, NotYetKnown, OrderView
from tests.runtime_live.sizes import sizes
from tests.webapi.made import TRADE

D = Decimal
S = 1_000_000_000


def row(order_id: int = 1, **keys: Any) -> OrderRow:
    """A row, or a delta, with just these keys of the wire."""
    got = order_row({"orderId": order_id, **keys})
    assert isinstance(got, OrderRow)
    return got


def page(*rows: OrderRow, snapshot: bool = True, **more: Any) -> OrdersPage:
    return OrdersPage(rows=rows, snapshot=snapshot, **more)


def traded(number: int = 1, **keys: Any) -> Execution:
    got = executions_of([{**TRADE, "execution_id": f"a.b.0{number}.01", "account": "DU1", **keys}])
    assert isinstance(got, Executions)
    return got.rows[0]


def trades(*rows: Execution, **more: Any) -> Executions:
    return Executions(rows=rows, **more)


@pytest.fixture
def view() -> OrderView:
    return OrderView("DU1")


def primed(view: OrderView, *rows: OrderRow, at: int = 10 * S) -> OrderView:
    """The view after a list that proves, and two readings of executions."""
    view.heard_orders(page(*rows), asked_ns=at, heard_ns=at + 1)
    view.heard_trades(trades(), asked_ns=at, days=7)
    view.heard_trades(trades(), asked_ns=at + 1, days=7)
    return view


def test_nothing_read_is_nothing_known(view: OrderView) -> None:
    assert view.orders(5) == NotYetKnown(reason="the orders were not read in this session", ask_again_ns=5)
    assert view.executions(5) == NotYetKnown(reason="the executions were not read in this session", ask_again_ns=5)
    assert isinstance(view.find("s-000001", after_ns=0, now_ns=5), NotYetKnown)


@pytest.mark.parametrize(
    ("answer", "forced"),
    [
        (page(snapshot=False), False),
        (page(row(), snapshot=False), False),  # rows together with snapshot false have been seen
        (page(), True),
        (page(row(), unreadable=(Unreadable(reason="x"),)), False),
        (page(row(acct="DU2")), False),
    ],
)
def test_such_a_list_proves_no_absence(view: OrderView, answer: OrdersPage, forced: bool) -> None:
    view.heard_orders(answer, asked_ns=10 * S, heard_ns=11 * S, forced=forced)
    got = view.orders(12 * S)
    assert isinstance(got, NotYetKnown)
    assert got.ask_again_ns == 10 * S + EVERY_NS


def test_rows_count_though_absence_is_unknown(view: OrderView) -> None:
    view.heard_orders(page(row(status="Submitted"), snapshot=False), asked_ns=1, heard_ns=2)
    assert [each.status for each in view.rows()] == ["Submitted"]


def test_a_primed_list_is_known_as_of_when_it_was_asked_for(view: OrderView) -> None:
    view.heard_orders(page(row(2), row(1)), asked_ns=10, heard_ns=20)
    got = view.orders(30)
    assert isinstance(got, Known)
    assert (got.as_of_ns, [each.order_id for each in got.rows], got.missing) == (10, [1, 2], ())


def test_an_empty_list_is_believed_when_a_second_says_the_same(view: OrderView) -> None:
    view.heard_orders(page(), asked_ns=10, heard_ns=11)
    assert isinstance(view.orders(12), NotYetKnown)
    view.heard_orders(page(), asked_ns=10, heard_ns=12)
    assert isinstance(view.orders(12), NotYetKnown)
    view.heard_orders(page(), asked_ns=13, heard_ns=14)
    assert view.orders(15) == Known(rows=(), as_of_ns=10)


def test_an_empty_list_is_not_believed_while_an_order_is_known(view: OrderView) -> None:
    view.heard_stream([row(1, status="Submitted")], heard_ns=13)
    for asked in (14, 20):
        view.heard_orders(page(), asked_ns=asked, heard_ns=asked + 1)
        assert isinstance(view.orders(30), NotYetKnown)
    assert view.order(1) is not None


def test_an_order_that_left_the_list_is_named_and_kept(view: OrderView) -> None:
    view.heard_orders(page(row(1), row(2)), asked_ns=10, heard_ns=11)
    view.heard_orders(page(row(2)), asked_ns=20, heard_ns=21)
    got = view.orders(22)
    assert isinstance(got, Known)
    assert (got.missing, [each.order_id for each in got.rows]) == ((1,), [1, 2])


def test_an_order_newer_than_the_list_is_not_missing(view: OrderView) -> None:
    view.heard_orders(page(row(2)), asked_ns=10, heard_ns=11)
    view.heard_stream([row(1, status="Inactive")], heard_ns=12)
    got = view.orders(22)
    assert isinstance(got, Known)
    assert got.missing == ()


def test_a_new_session_is_cold_again_and_remembers_the_rows(view: OrderView) -> None:
    primed(view, row(1, order_ref="s-000001"))
    view.cooled()
    assert isinstance(view.orders(99 * S), NotYetKnown)
    assert isinstance(view.executions(99 * S), NotYetKnown)
    assert isinstance(view.find("s-000001", after_ns=0, now_ns=0), Found)
    view.new_day()
    assert view.rows() == ()


# Merging


def test_a_delta_changes_only_what_it_carries(view: OrderView) -> None:
    view.heard_stream([row(1, order_ref="s-000001", status="Inactive", totalSize=5.0, price="1.00")], heard_ns=1)
    view.heard_stream([row(1), row(1, status="PendingSubmit"), row(1, status="Submitted")], heard_ns=2)
    view.heard_stream([row(1, filledQuantity=2.0, remainingQuantity=3.0, sizeAndFills="2/5")], heard_ns=3)
    got = view.order(1)
    assert got is not None
    assert (got.order_ref, got.status, got.total, got.filled, got.price) == ("s-000001", "Submitted", D(5), D(2), D(1))


def test_a_read_that_began_before_a_frame_overwrites_nothing(view: OrderView) -> None:
    view.heard_stream([row(1, status="Filled", filledQuantity=5.0)], heard_ns=15)
    view.heard_orders(page(row(1, status="Submitted", filledQuantity=0.0, ticker="AAPL")), asked_ns=10, heard_ns=20)
    got = view.order(1)
    assert got is not None
    assert (got.status, got.filled, got.ticker) == ("Filled", D(5), "AAPL")  # gaps are filled


def test_a_read_that_began_after_a_frame_does(view: OrderView) -> None:
    view.heard_stream([row(1, status="PreSubmitted")], heard_ns=15)
    view.heard_orders(page(row(1, status="Submitted")), asked_ns=16, heard_ns=20)
    got = view.order(1)
    assert got is not None
    assert got.status == "Submitted"


def test_a_late_answer_of_an_early_read_overwrites_nothing(view: OrderView) -> None:
    view.heard_orders(page(row(1, status="Cancelled")), asked_ns=20, heard_ns=21)
    view.heard_orders(page(row(1, status="Submitted")), asked_ns=10, heard_ns=30)
    got = view.order(1)
    assert got is not None
    assert got.status == "Cancelled"


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        ("Cancelled", "Submitted", "Cancelled"),
        ("Filled", "Submitted", "Filled"),
        ("Filled", "Cancelled", "Filled"),
        ("Cancelled", "Filled", "Filled"),  # a later fill always counts
        ("PendingCancel", "Filled", "Filled"),
        ("Inactive", "Submitted", "Submitted"),
    ],
)
def test_an_order_that_has_ended_stays_so_for_frames(view: OrderView, before: str, after: str, stays: str) -> None:
    view.heard_stream([row(1, status=before), row(1, status=after)], heard_ns=1)
    got = view.order(1)
    assert got is not None
    assert got.status == stays


def test_a_read_afterwards_can_tell_that_a_cancel_was_none(view: OrderView) -> None:
    view.heard_stream([row(1, status="Cancelled")], heard_ns=1)
    view.heard_orders(page(row(1, status="Submitted")), asked_ns=2, heard_ns=3)
    got = view.order(1)
    assert got is not None
    assert got.status == "Submitted"


def test_what_is_filled_never_shrinks(view: OrderView) -> None:
    view.heard_stream([row(1, filledQuantity=3.0, remainingQuantity=2.0, avgPrice="9.5")], heard_ns=1)
    view.heard_orders(page(row(1, filledQuantity=1.0, remainingQuantity=4.0, avgPrice="9")), asked_ns=2, heard_ns=3)
    got = view.order(1)
    assert got is not None
    assert (got.filled, got.remaining, got.average_price) == (D(3), D(2), D("9.5"))


def test_an_order_status_counts_like_a_read(view: OrderView) -> None:
    view.heard_stream([row(1, order_ref="s-000001", status="Submitted", totalSize=5.0)], heard_ns=1)
    status = OrderStatus(order_id=1, status="Filled", filled=D(5), remaining=D(0))
    view.heard_status(status, asked_ns=2, heard_ns=3)
    got = view.order(1)
    assert got is not None
    assert (got.status, got.filled, got.remaining, got.total, got.order_ref) == ("Filled", D(5), D(0), D(5), "s-000001")


def test_our_own_id_is_bound_to_the_venues(view: OrderView) -> None:
    view.bind(1, "s-000001")
    view.heard_stream([row(1, status="Submitted")], heard_ns=1)
    view.heard_stream([row(2, status="Submitted")], heard_ns=1)
    view.bind(2, "s-000002")
    assert [each.order_ref for each in view.rows()] == ["s-000001", "s-000002"]


def test_rows_of_other_accounts_are_not_ours(view: OrderView) -> None:
    view.heard_stream([row(1, acct="DU2", status="Submitted")], heard_ns=1)
    assert view.heard_executions([traded(account="DU2")]) == ()
    assert view.rows() == ()


# Executions


def test_the_first_empty_list_of_executions_proves_nothing_the_second_does(view: OrderView) -> None:
    view.heard_trades(trades(), asked_ns=10, days=7)
    got = view.executions(11)
    assert isinstance(got, NotYetKnown)
    assert got.ask_again_ns == 10 + EVERY_NS
    view.heard_trades(trades(), asked_ns=12, days=7)
    assert view.executions(13) == Known(rows=(), as_of_ns=12)


def test_an_empty_list_after_executions_is_not_believed(view: OrderView) -> None:
    view.heard_trades(trades(traded()), asked_ns=10, days=7)
    assert isinstance(view.executions(11), Known)
    view.heard_trades(trades(), asked_ns=12, days=7)
    view.heard_trades(trades(), asked_ns=13, days=7)
    assert isinstance(view.executions(14), NotYetKnown)
    view.heard_trades(trades(traded()), asked_ns=15, days=7)
    assert isinstance(view.executions(16), Known)


def traded_at(number: int, at_ns: int) -> Execution:
    return traded(number, trade_time=None, trade_time_r=at_ns // 1_000_000)


def test_an_execution_too_old_for_the_list_is_let_go_when_the_list_lacks_it(view: OrderView) -> None:
    week = 6 * 86_400 * S  # of seven trading days one is today's, which has only begun
    view.heard_trades(trades(traded_at(1, 10 * S), traded_at(2, 20 * S), traded_at(3, 30 * S)), asked_ns=40 * S, days=7)
    at_ns = 20 * S + week  # the first is older than a week, the second just not; holidays have kept the third listed
    view.heard_trades(trades(traded_at(3, 30 * S)), asked_ns=at_ns, days=7)
    assert view.executions(at_ns) == Known(rows=(traded_at(2, 20 * S), traded_at(3, 30 * S)), as_of_ns=at_ns)
    listed = trades(traded_at(3, 30 * S))
    view.heard_trades(listed, asked_ns=at_ns + week, days=7)
    assert view.executions(at_ns + week) == Known(rows=listed.rows, as_of_ns=at_ns + week)


def test_a_list_that_cannot_be_read_whole_lets_nothing_go(view: OrderView) -> None:
    later_ns = 9 * 86_400 * S
    view.heard_trades(trades(traded_at(1, 10 * S)), asked_ns=20 * S, days=7)
    view.heard_trades(trades(unreadable=(Unreadable(reason="x"),)), asked_ns=later_ns, days=7)
    view.heard_trades(trades(traded_at(1, 10 * S), traded_at(2, later_ns)), asked_ns=later_ns + 1, days=7)
    assert view.heard_executions([traded_at(1, 10 * S)]) == ()  # it is no news


def test_after_many_days_no_more_is_held_than_after_some(view: OrderView) -> None:
    def days(first: int, count: int) -> None:
        for number in range(first, first + count):
            at_ns = number * 86_400 * S
            view.new_day()
            view.bind(number, f"s-{number}")
            view.heard_stream([row(number, status="Submitted")], heard_ns=at_ns)
            view.heard_orders(page(row(number, status="Filled")), asked_ns=at_ns + S, heard_ns=at_ns + S)
            listed = [traded_at(one, one * 86_400 * S) for one in (number - 1, number)]
            view.heard_trades(trades(*listed), asked_ns=at_ns + S, days=2)

    days(1, 5)
    after_some = sizes(view=view)
    days(6, 40)
    assert sizes(view=view) == after_some


def test_an_empty_list_is_believed_when_all_that_is_known_is_too_old_for_it(view: OrderView) -> None:
    view.heard_trades(trades(traded_at(1, 10 * S)), asked_ns=20 * S, days=7)
    view.heard_trades(trades(), asked_ns=30 * S, days=7)
    later_ns = 10 * S + 6 * 86_400 * S
    view.heard_trades(trades(), asked_ns=later_ns, days=7)
    assert isinstance(view.executions(later_ns), NotYetKnown)  # just not too old
    view.heard_trades(trades(), asked_ns=later_ns + 1, days=7)
    assert view.executions(later_ns + 1) == Known(rows=(), as_of_ns=later_ns + 1)


def test_a_list_with_rows_that_cannot_be_read_is_not_all(view: OrderView) -> None:
    view.heard_trades(trades(traded(), unreadable=(Unreadable(reason="x"),)), asked_ns=10, days=7)
    assert isinstance(view.executions(11), NotYetKnown)


def test_an_execution_is_news_once_and_once_more_with_its_commission(view: OrderView) -> None:
    bare = traded(commission=None)
    assert view.heard_executions([bare, bare]) == (bare,)
    told = traded(commission="1.01")
    assert view.heard_executions([told]) == (told,)
    assert view.heard_executions([told, bare]) == ()  # a commission that has been told stays
    view.heard_trades(trades(bare), asked_ns=10, days=7)
    got = view.executions(11)
    assert isinstance(got, Known)
    assert [each.commission for each in got.rows] == [D("1.01")]


def test_executions_that_correct_others_are_named(view: OrderView) -> None:
    view.heard_executions([traded(1), traded(2), traded(1, execution_id="a.b.01.02")])
    assert view.corrections() == (("a.b.01.01", "a.b.01.02"),)


# Looking for an order


def test_an_order_is_found_by_its_row_or_its_executions(view: OrderView) -> None:
    view.heard_stream([row(1, order_ref="s-000001")], heard_ns=1)
    view.heard_executions([traded(1, order_ref=None, order_id=1), traded(2, order_ref="s-000002", order_id=2)])
    first = view.find("s-000001", after_ns=0, now_ns=2)
    assert isinstance(first, Found)
    assert first.row is not None
    assert [each.execution_id for each in first.executions] == ["a.b.01.01"]
    second = view.find("s-000002", after_ns=0, now_ns=2)
    assert isinstance(second, Found)
    assert second.row is None


def test_absence_needs_both_lists_asked_for_after_the_moment(view: OrderView) -> None:
    primed(view, row(1), at=10 * S)
    assert view.find("s-000009", after_ns=9 * S, now_ns=20 * S) == Absent(as_of_ns=10 * S)
    late = view.find("s-000009", after_ns=10 * S, now_ns=20 * S)
    assert isinstance(late, NotYetKnown)
    assert late.reason == "the orders were read before it can have arrived"
    view.heard_orders(page(row(1)), asked_ns=30 * S, heard_ns=30 * S)
    late = view.find("s-000009", after_ns=12 * S, now_ns=31 * S)
    assert isinstance(late, NotYetKnown)
    assert late.reason == "the executions were read before it can have arrived"
    assert late.ask_again_ns == 31 * S


def test_absence_needs_the_executions_too(view: OrderView) -> None:
    view.heard_orders(page(row(1)), asked_ns=10, heard_ns=11)
    assert isinstance(view.find("s-000009", after_ns=1, now_ns=12), NotYetKnown)


def test_a_full_list_says_so_and_proves_no_absence_by_itself(view: OrderView) -> None:
    for many, full in ((999, False), (1_000, True)):
        view.heard_orders(page(*(row(number) for number in range(1, many + 1))), asked_ns=many, heard_ns=many)
        view.heard_trades(trades(), asked_ns=many, days=7)
        view.heard_trades(trades(), asked_ns=many + 1, days=7)
        known = view.orders(2_000)
        assert isinstance(known, Known)
        assert known.full is full
        assert isinstance(view.find("s-000009", after_ns=1, now_ns=2_000), NotYetKnown if full else Absent)
    view.heard_orders(page(*(row(number) for number in range(1, 1_001) if number != 5)), asked_ns=3_000, heard_ns=3_000)
    again = view.orders(3_001)
    assert isinstance(again, Known)
    assert (again.full, again.missing) == (False, (5,))


# A silent stream


def test_a_stream_that_keeps_news_to_itself_is_found_out(view: OrderView) -> None:
    view.streaming(1)
    view.heard_stream([row(1, status="Submitted")], heard_ns=2)
    view.heard_orders(page(row(1, status="Filled")), asked_ns=10, heard_ns=11)
    assert not view.sor_silent(12)
    assert view.sor_silent(12 + EVERY_NS)
    view.heard_stream([row(1, status="Filled")], heard_ns=13)
    assert not view.sor_silent(14 + EVERY_NS)


def test_without_a_subscription_nothing_is_silent(view: OrderView) -> None:
    view.heard_stream([row(1, status="Submitted")], heard_ns=2)
    view.heard_orders(page(row(1, status="Filled")), asked_ns=10, heard_ns=11)
    assert not view.sor_silent(99 * S)


class Venue(RuleBasedStateMachine):
    """A venue that holds the truth, and answers that are cold, late, blank, partial or out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.view = OrderView("DU1")
        self.truth: dict[int, tuple[str, int, str]] = {}  # order id -> status, filled of 5, coid
        self.placed_ns: dict[str, int] = {}
        self.frames: list[OrderRow] = []
        self.reads: list[tuple[OrdersPage, int]] = []
        self.told_fills: dict[int, Decimal] = {}
        self.blanked = False

    def tick(self) -> int:
        self.now += 1
        return self.now

    def whole(self, order_id: int) -> OrderRow:
        status, filled, coid = self.truth[order_id]
        keys = {"status": status, "filledQuantity": filled, "remainingQuantity": 5 - filled, "totalSize": 5}
        return row(order_id, order_ref=coid, acct="DU1", **keys)

    @rule()
    def an_order_arrives(self) -> None:
        order_id = len(self.truth) + 1
        self.truth[order_id] = ("Submitted", 0, f"s-{order_id}")
        self.placed_ns[f"s-{order_id}"] = self.tick()
        self.frames.append(self.whole(order_id))

    @precondition(lambda self: any(status == "Submitted" for status, _, _ in self.truth.values()))
    @rule(data=st.data())
    def an_order_moves(self, data: st.DataObject) -> None:
        working = [name for name, (status, _, _) in self.truth.items() if status == "Submitted"]
        name = data.draw(st.sampled_from(working))
        filled = data.draw(st.integers(self.truth[name][1], 5))
        status = "Filled" if filled == 5 else data.draw(st.sampled_from(["Submitted", "Cancelled"]))
        self.truth[name] = (status, filled, self.truth[name][2])
        self.tick()
        self.frames.append(row(name, status=status, filledQuantity=filled, remainingQuantity=5 - filled))

    @precondition(lambda self: self.frames)
    @rule()
    def a_frame_is_heard(self) -> None:
        frame = self.frames.pop(0)  # one connection keeps its order
        self.heard(frame)
        self.view.heard_stream([frame], heard_ns=self.tick())

    @rule()
    def the_connection_is_lost(self) -> None:
        self.frames.clear()

    @rule(kind=st.sampled_from(["whole", "cold", "blank", "rows without a snapshot", "one cannot be read"]))
    def a_read_is_made(self, kind: str) -> None:
        rows = tuple(self.whole(name) for name in self.truth)
        match kind:
            case "whole":
                answer = page(*rows)
            case "cold":
                answer = page(snapshot=False)
            case "blank":  # a transient empty list, which says snapshot true; not twice while no order is known
                answer = page(snapshot=self.view.rows() != () or not self.blanked)
                self.blanked = True
            case "rows without a snapshot":
                answer = page(*rows, snapshot=False)
            case _:
                answer = page(*rows[1:], unreadable=(Unreadable(reason="x"),))
        self.reads.append((answer, self.tick()))

    @precondition(lambda self: self.reads)
    @rule(data=st.data())
    def a_read_comes_back(self, data: st.DataObject) -> None:
        answer, asked = self.reads.pop(data.draw(st.integers(0, len(self.reads) - 1)))
        for each in answer.rows:
            self.heard(each)
        self.view.heard_orders(answer, asked_ns=asked, heard_ns=self.tick())
        self.view.heard_trades(trades(), asked_ns=asked, days=7)

    @rule()
    def the_session_is_new(self) -> None:
        self.frames.clear()
        self.reads.clear()
        self.blanked = False
        self.view.cooled()

    def heard(self, each: OrderRow) -> None:
        if each.filled is not None:
            self.told_fills[each.order_id] = max(each.filled, self.told_fills.get(each.order_id, D(0)))

    @invariant()
    def no_order_is_called_absent_that_was_there(self) -> None:
        for coid, placed in self.placed_ns.items():
            got = self.view.find(coid, after_ns=placed, now_ns=self.now)
            assert not isinstance(got, Absent)

    @invariant()
    def a_known_list_has_every_order_placed_before_it(self) -> None:
        got = self.view.orders(self.now)
        if isinstance(got, Known):
            held = {each.order_ref for each in got.rows}
            assert {coid for coid, placed in self.placed_ns.items() if placed < got.as_of_ns} <= held

    @invariant()
    def no_fill_is_forgotten(self) -> None:
        for name, filled in self.told_fills.items():
            held = self.view.order(name)
            assert held is not None
            assert held.filled == filled

    @rule()
    def all_is_heard_and_read(self) -> None:
        while self.frames:
            self.a_frame_is_heard()
        self.reads.clear()
        if self.truth:
            asked = self.tick()
            answer = page(*(self.whole(name) for name in self.truth))
            for each in answer.rows:
                self.heard(each)
            self.view.heard_orders(answer, asked_ns=asked, heard_ns=self.tick())
            shown = {each.order_id: (each.status, each.filled, each.order_ref) for each in self.view.rows()}
            assert shown == {name: (s, D(f), c) for name, (s, f, c) in self.truth.items()}


TestVenue = Venue.TestCase


def test_the_same_facts_give_the_same_view() -> None:
    rows = [row(1, status="Submitted", order_ref="a"), row(2, status="Filled", filledQuantity=5.0)]
    one, other = OrderView("DU1"), OrderView("DU1")
    for view in (one, other):
        view.heard_stream(rows, heard_ns=5)
    assert msgspec.json.encode([each.order_id for each in one.rows()]) == b"[1,2]"
    assert one.rows() == other.rows()
