"""A day with more orders than the venue's list can hold: what such a list proves, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from engine.domain.brokerage import CancelTurnedDown, ExecutionsKnown, OrdersKnown, Unclear
from engine.domain.order import Order, State
from engine.orders.actions import ReadOrder, ReadOrders, SendCancel, SendPlace
from engine.orders.reaching import ENOUGH, hidden
from tests.orders.bench import COID, Bench, ticket

DOUBTED = "s-doubt"


def busy(first: int, last: int, bench: Bench | None = None) -> Bench:
    """Orders with these numbers have been placed and taken, a second apart."""
    bench = bench or Bench()
    for number in range(first, last + 1):
        bench.now += 1_000_000_000
        bench.live(ticket(f"s-{number:06d}"), first_id=100 + number)
    return bench


def doubt(bench: Bench) -> None:
    bench.now += 1_000_000_000
    bench.place(ticket(DOUBTED))
    bench.answer(bench.only(SendPlace).number, Unclear(reason="silence"))
    bench.take()


def read(bench: Bench, numbers: Iterable[int], *, full: bool = True, late: tuple[int, ...] = ()) -> None:
    """A list of the orders with these numbers, and one of executions without any, a minute later.

    Args:
        late: Orders that are placed and taken while the lists are on their way.
    """
    bench.now += 60_000_000_000
    as_of_ns = bench.now
    copies = tuple(
        bench.copy(ticket(f"s-{number:06d}"), order_id=str(100 + number), from_stream=False) for number in numbers
    )
    for number in late:
        busy(number, number, bench)
    bench.desk.orders_read(OrdersKnown(orders=copies, as_of_ns=as_of_ns, full=full), bench.now)
    bench.desk.executions_read(ExecutionsKnown(executions=(), as_of_ns=as_of_ns, days=7), bench.now)


def test_a_list_that_keeps_the_newest_proves_a_new_order_absent() -> None:
    bench = busy(1, ENOUGH + 10)
    doubt(bench)
    read(bench, range(11, ENOUGH + 11))
    assert bench.order(DOUBTED).state is State.LOST


def test_a_list_with_fewer_orders_than_it_takes_to_tell_proves_nothing() -> None:
    bench = busy(1, ENOUGH + 10)
    doubt(bench)
    read(bench, range(12, ENOUGH + 11))
    assert bench.order(DOUBTED).state is State.IN_DOUBT


def test_a_list_that_lacks_a_newer_order_proves_nothing() -> None:
    bench = busy(1, ENOUGH + 10)
    doubt(bench)
    read(bench, [*range(1, ENOUGH), *range(ENOUGH + 1, ENOUGH + 11)])
    assert bench.order(DOUBTED).state is State.IN_DOUBT


def test_the_same_list_proves_it_if_it_is_not_full() -> None:
    bench = busy(1, ENOUGH + 10)
    doubt(bench)
    read(bench, [*range(1, ENOUGH), *range(ENOUGH + 1, ENOUGH + 11)], full=False)
    assert bench.order(DOUBTED).state is State.LOST


def test_an_old_order_in_doubt_may_have_been_left_out() -> None:
    bench = Bench()
    doubt(bench)
    busy(1, ENOUGH + 10, bench)
    read(bench, range(11, ENOUGH + 11))
    assert bench.order(DOUBTED).state is State.IN_DOUBT


def test_a_full_list_without_a_gap_reaches_back_to_its_oldest_order() -> None:
    bench = Bench()
    doubt(bench)
    busy(1, ENOUGH + 1, bench)
    read(bench, range(1, ENOUGH + 2))
    assert bench.order(DOUBTED).state is State.IN_DOUBT
    bench = busy(1, ENOUGH + 1)
    doubt(bench)
    read(bench, range(1, ENOUGH + 2))
    assert bench.order(DOUBTED).state is State.LOST


def test_orders_that_are_too_young_to_show_up_are_not_held_against_a_list() -> None:
    bench = busy(1, ENOUGH + 10)
    doubt(bench)
    read(bench, range(11, ENOUGH + 11), late=(900, 901))
    assert bench.order(DOUBTED).state is State.LOST


def turned_down() -> Bench:
    """The oldest order was to be cancelled and the venue said no; the list has left it out."""
    bench = busy(1, ENOUGH + 10)
    bench.cancel(COID)
    bench.only(SendCancel)
    bench.desk.cancel_answered(COID, CancelTurnedDown(reason="it can't be cancelled"), bench.now)
    bench.only(ReadOrders)
    read(bench, range(11, ENOUGH + 11))
    return bench


def test_an_old_order_that_a_full_list_lacks_is_not_gone_its_own_page_is_read() -> None:
    bench = turned_down()
    assert bench.only(ReadOrder).order_id == "101"
    assert bench.alerts == []
    assert bench.order().state is State.PENDING_CANCEL


def test_the_page_of_an_order_that_a_full_list_lacks_decides() -> None:
    bench = turned_down()
    bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
    read(bench, range(11, ENOUGH + 11))
    assert bench.order().state is State.WORKING
    bench = turned_down()
    bench.desk.order_read(bench.copy(ticket(), status="Cancelled", from_stream=False), "101", bench.now)
    assert bench.order().state is State.CANCELLED


def test_a_change_in_doubt_of_an_order_that_a_full_list_lacks_has_its_page_read() -> None:
    bench = busy(1, ENOUGH + 10)
    bench.modify(COID, quantity=Decimal(6))
    bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
    write = next(one for one in bench.take() if hasattr(one, "number"))
    bench.answer(write.number, Unclear(reason="silence"))
    bench.take()
    read(bench, range(11, ENOUGH + 11))
    assert [one.order_id for one in bench.take() if isinstance(one, ReadOrder)] == ["101"]
    bench.desk.order_read(bench.copy(ticket(quantity=Decimal(6)), from_stream=False), "101", bench.now)
    assert (bench.order().state, bench.order().ticket.quantity) == (State.WORKING, Decimal(6))


# --- what a list can have left out, by itself -------------------------------------------------------------------------


def orders(**created_ns: int) -> dict[str, Order]:
    return {
        coid: Order(ticket=ticket(coid), state=State.WORKING, created_ns=at, updated_ns=at)
        for coid, at in created_ns.items()
    }


def view(as_of_ns: int = 10_000) -> OrdersKnown:
    return OrdersKnown(orders=(), as_of_ns=as_of_ns, full=True)


def left_out(book: dict[str, Order], known: set[str], shown: int, *, first_ns: int = 101) -> set[str]:
    """Those that a full list of so many orders, created a nanosecond apart from `first_ns` on, may lack."""
    present = {f"p{n}": first_ns + n for n in range(shown)}
    everything = {**book, **orders(**present)}
    return hidden(view(), everything, dict.fromkeys(known, "1"), set(present), settle_ns=100)


def test_the_newest_order_that_is_known_and_missing_is_itself_left_out() -> None:
    book = orders(old=50, missing=100, newer=500)
    assert left_out(book, {"old", "missing"}, ENOUGH) == {"old", "missing"}
    assert left_out(book, {"old"}, ENOUGH) == {"old"}
    assert left_out(book, {"old", "missing"}, ENOUGH - 1) == {"old", "missing", "newer"}


def test_an_order_that_may_not_have_settled_tells_nothing_of_the_list() -> None:
    book = orders(old=50, young=9_901, settled=9_900)
    assert left_out(book, {"old", "young"}, ENOUGH) == {"old"}
    assert left_out(book, {"old", "settled"}, ENOUGH) == {"old", "young", "settled"}  # none that is newer is shown


def test_where_all_that_are_known_are_shown_the_list_reaches_to_its_oldest() -> None:
    book = orders(before=100, at=101, after=102)
    assert left_out(book, set(), ENOUGH + 1) == {"before", "at"}
    assert left_out(book, set(), ENOUGH) == {"before", "at", "after"}  # one too few is newer than the oldest
    assert left_out(book, set(), 0) == {"before", "at", "after"}
