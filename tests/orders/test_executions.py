"""Executions: whose they are, that each is booked once, what they cost, and what corrects what."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.brokerage import ExecutionsKnown, VenueExecution
from engine.domain.facts import ESTIMATED, Filled
from engine.domain.order import State
from engine.orders.actions import Action, Alert, FeeKnown, SendCancel, SendModify, SendPlace
from engine.orders.desk import Desk, DeskSettings
from engine.orders.outcomes import UNSENT
from engine.orders.replies import read_policy
from tests.orders.bench import COID, Bench, ticket

D = Decimal
FIRST, SECOND = "0000e0d5.6576fd38.01.01", "0000e0d5.6576fd38.01.02"


def execution(bench: Bench, number: int | str = 1, size: int = 2, **more: Any) -> VenueExecution:
    name = number if isinstance(number, str) else f"e{number}"
    plain = {
        "execution_id": name, "order_id": "101", "account": "DU1", "coid": COID, "conid": 1, "side": "BUY",
        "size": D(size), "price": D(10), "ts_ns": bench.now,
    }  # fmt: skip
    return VenueExecution(**{**plain, **more})


def live() -> Bench:
    bench = Bench()
    bench.live(ticket())
    return bench


def hear(bench: Bench, *rows: VenueExecution) -> list[Action]:
    bench.desk.executions(rows, bench.now)
    return bench.take()


def fills(bench: Bench) -> list[Filled]:
    return [what for *_, what in bench.book.facts if isinstance(what, Filled)]


def notes(bench: Bench, kind: str) -> list[tuple[str, Any]]:
    return [(name, what) for _, noted, name, what in bench.book.facts if noted == kind]


def test_each_is_booked_once_however_often_it_is_told() -> None:
    bench = live()
    one, other = execution(bench, 1, 2), execution(bench, 2, 1)
    hear(bench, one, one, other)
    hear(bench, other, one)
    bench.desk.executions_read(ExecutionsKnown(executions=(one, other), as_of_ns=bench.now, days=7), bench.now)
    assert bench.order().filled == 3
    assert [(fill.exec_id, fill.quantity, fill.price, fill.side, fill.ts_ns) for fill in fills(bench)] == [
        ("e1", D(2), D(10), "BUY", bench.now),
        ("e2", D(1), D(10), "BUY", bench.now),
    ]


def test_a_foreign_one_is_told_once_and_does_not_hide_the_next() -> None:
    bench = live()
    foreign = execution(bench, 7, order_id="900", coid=None)
    told = hear(bench, foreign, execution(bench, 1))
    assert told == [Alert("FOREIGN_EXECUTION", "an execution of order 900, which is not ours")]
    assert hear(bench, foreign) == []
    assert notes(bench, "foreign_execution") == [("900", foreign)]
    assert bench.order().filled == 2


def test_one_that_names_our_order_by_its_own_id_binds_the_venue_s() -> None:
    bench = Bench()
    bench.place(ticket())
    bench.only(SendPlace)
    hear(bench, execution(bench, 1, order_id="555"))
    order = bench.order()
    assert (order.state, order.filled, order.venue_id) == (State.WORKING, D(2), "555")
    hear(bench, execution(bench, 2, 3, order_id="555", coid=None))
    assert (bench.order().state, bench.order().filled) == (State.FILLED, D(5))


def test_one_ends_a_doubt_about_a_new_order_and_none_about_a_modification() -> None:
    bench = Bench()
    bench.place(ticket())
    bench.only(SendPlace)
    bench.desk.doubts.begin(COID, bench.now)
    row = execution(bench, 1)
    hear(bench, row)
    assert COID not in bench.desk.doubts.cases
    assert notes(bench, "found") == [(COID, row)]
    changed = live()
    changed.desk.doubts.begin(COID, changed.now, modify=True)
    hear(changed, execution(changed, 1))
    assert COID in changed.desk.doubts.cases


def test_one_of_an_order_that_had_been_proved_absent_is_booked_and_the_order_cancelled() -> None:
    bench = live()
    bench.desk.doubts.watch(COID, bench.now)
    told = hear(bench, execution(bench, 1))
    late = Alert("LATE_ORDER", "an order that had been proved absent has filled", COID)
    assert told == [late, SendCancel(COID, "101", True)]
    assert bench.order().filled == 2


def test_a_commission_is_told_once_with_or_after_its_execution() -> None:
    bench = live()
    fee = FeeKnown("e1", COID, "s", 1, D("0.35"))
    assert hear(bench, execution(bench, 1)) == []
    assert hear(bench, execution(bench, 1, commission=D("0.35"))) == [fee]
    assert hear(bench, execution(bench, 1, commission=D("0.35"))) == []
    assert hear(bench, execution(bench, 2, 1, commission=D(0))) == [FeeKnown("e2", COID, "s", 1, D(0))]
    assert [what for _, what in notes(bench, "fee")] == [fee, FeeKnown("e2", COID, "s", 1, D(0))]
    assert bench.order().filled == 3


def test_until_it_is_told_a_fee_is_estimated() -> None:
    bench = live()
    asked: list[Any] = []

    def estimate(
        coid: str, conid: int, quantity: Decimal, price: Decimal, ts_ns: int, *, sells: bool
    ) -> tuple[tuple[str, Decimal, str], ...]:
        asked.append((coid, conid, quantity, price, ts_ns, sells))
        return () if quantity == 1 else (("commission", D("1.10"), "USD"),)

    bench.desk.follower.bookings.estimate = estimate
    hear(bench, execution(bench, 1, 2, side="SELL"))
    hear(bench, execution(bench, 2, 1))
    hear(bench, execution(bench, 3, 2, commission=D("0.5")))
    assert asked == [(COID, 1, D(2), D(10), bench.now, True), (COID, 1, D(1), D(10), bench.now, False)]
    assert [(fill.fees, fill.flags) for fill in fills(bench)] == [
        ((("commission", D("1.10"), "USD"),), (ESTIMATED,)),
        ((), ()),
        ((), ()),
    ]


def test_a_raised_revision_corrects_and_is_not_booked() -> None:
    bench = live()
    hear(bench, execution(bench, FIRST))
    corrected = execution(bench, SECOND, 3)
    told = hear(bench, corrected, execution(bench, "0000e0d5.6576fd38.02.01", 1))  # another execution of the order
    assert told == [Alert("CORRECTION", f"execution {FIRST} was corrected by {SECOND}", COID)]
    assert hear(bench, corrected) == []
    assert notes(bench, "correction") == [(COID, corrected)]
    assert bench.order().filled == 3


def test_after_a_restart_a_raised_revision_still_corrects() -> None:
    bench = live()
    hear(bench, execution(bench, FIRST))
    bench.desk = Desk(bench.book, read_policy({}), DeskSettings())
    bench.desk.session(True, bench.now)
    told = hear(bench, execution(bench, SECOND))
    assert Alert("CORRECTION", f"execution {FIRST} was corrected by {SECOND}", COID) in told
    assert bench.order().filled == 2
    assert hear(bench, execution(bench, FIRST)) == []


def test_ids_without_a_revision_are_executions_each() -> None:
    bench = live()
    hear(bench, execution(bench, "a.b.01", 1), execution(bench, "a.b.02", 1), execution(bench, "c.1", 1))
    assert bench.order().filled == 3
    assert bench.alerts == []


def test_a_fill_while_a_change_is_under_way_is_booked_and_the_change_goes_on() -> None:
    bench = live()
    bench.modify(limit_price=D(9))
    number = bench.only(SendModify).number
    hear(bench, execution(bench, 1))
    assert (bench.order().state, bench.order().filled) == (State.PENDING_MODIFY, D(2))
    bench.answer(number, UNSENT)
    assert bench.order().state is State.WORKING
