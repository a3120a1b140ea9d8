"""What becomes of orders: the steps of section 5, in order, and what they leave behind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain.instrument import Instrument
from engine.domain.market import MarketEvent
from engine.domain.moments import NS_PER_MS, NS_PER_S
from engine.domain.ticket import OrderType, Tif
from engine.gateway.exchange import SimExchange
from engine.gateway.options import Options
from engine.gateway.records import ExecutionNews, NewOrder, OrderNews
from tests.gateway.exchanges import (
    ACCOUNT,
    START,
    after,
    on_rows,
    order,
    place,
    plain_venue,
    steps,
)
from tests.venue.driving import quote, trade

S = NS_PER_S


def still(latency_ms: float = 0) -> SimExchange:
    """100 shares bid at 9.99 and offered at 10.01, for a minute; then 10.05 by 10.07."""
    rows: list[MarketEvent] = [
        quote(START + 1, 9.99, 10.01),
        trade(START + 2, 10.00),
        quote(START + 60 * S, 10.05, 10.07),
    ]
    exchange = on_rows(rows, venue=plain_venue(latency_ms))
    exchange.advance(START + S)
    return exchange


def x(side: str = "BUY", quantity: int = 10, limit: str | None = None, **more: Any) -> NewOrder:
    return order(side, quantity, limit, conid=1, tif=Tif.GTC, **more)


def test_a_market_order_takes_every_step_and_fills_at_the_ask() -> None:
    exchange = still()
    (one,) = place(exchange, x())
    news = after(exchange, 0)
    assert steps(news, one) == ["Inactive", "PendingSubmit", "PreSubmitted", "Submitted", "Filled"]
    (fill,) = exchange.executions(ACCOUNT, 1)
    assert (fill.size, fill.price, fill.side, fill.order_id) == (Decimal(10), Decimal("10.01"), "BUY", one)
    found = exchange.order(one)
    assert found is not None
    assert found.average_price == Decimal("10.01")
    assert not found.open


def test_ids_count_up_and_executions_have_four_parts() -> None:
    exchange = still()
    first, second = place(exchange, x(), x("SELL", 5))
    after(exchange, 0)
    assert (first, second) == (1_370_093_239, 1_370_093_240)
    names = [one.execution_id for one in exchange.executions(ACCOUNT, 1)]
    assert len(set(names)) == 2
    assert all([len(part) for part in name.split(".")] == [8, 8, 2, 2] for name in names)


def test_a_parked_order_is_inactive_until_it_is_released_and_cancelled_when_discarded() -> None:
    exchange = still()
    held = exchange.register(x())
    assert (held.status, held.ccp_status, held.parked, held.open) == ("Inactive", "Pending Submit", True, True)
    exchange.discard(held.order_id, "it was declined")
    assert (held.status, held.reason, held.open) == ("Cancelled", "it was declined", False)
    exchange.release([held.order_id])
    assert steps(after(exchange, 1), held.order_id) == ["Inactive", "Cancelled"]


def test_a_deactivated_order_is_changed_at_once_and_goes_when_it_is_released() -> None:
    exchange = still()
    held = exchange.register(x(limit="9.00", deactivated=True))
    assert (held.parked, held.ccp_status) == (True, "")
    wanted = msgspec.structs.replace(held.ticket, limit_price=Decimal("9.50"))
    exchange.modify(held.order_id, wanted, {"price": 9.5})
    assert (held.ticket.limit_price, held.wire, held.parked) == (Decimal("9.50"), {"price": 9.5}, True)
    exchange.release([held.order_id])
    after(exchange, 0)
    assert (held.status, held.deactivated) == ("Submitted", False)


def test_a_cancel_is_pending_until_the_venue_has_it() -> None:
    exchange = still(latency_ms=30)
    (one,) = place(exchange, x(limit="9.00"))
    after(exchange, 1)
    exchange.cancel(one)
    assert steps(exchange.advance(exchange.now_ns + 29 * NS_PER_MS), one) == ["PendingCancel"]
    assert steps(exchange.advance(exchange.now_ns + 1 * NS_PER_MS), one) == ["Cancelled"]
    found = exchange.order(one)
    assert found is not None
    assert found.reason == ""


def test_a_cancel_can_lose_to_a_fill() -> None:
    exchange = still(latency_ms=30)
    (one,) = place(exchange, x("SELL", limit="10.05"))
    exchange.advance(START + 60 * S - 20 * NS_PER_MS)
    exchange.cancel(one)
    news = exchange.advance(START + 61 * S)
    assert steps(news, one) == ["PendingCancel", "Filled"]
    assert exchange.state()["positions"] == {"1": -10}


def test_a_part_that_fills_meanwhile_leaves_the_cancel_pending() -> None:
    rows: list[MarketEvent] = [quote(START + 1, 9.99, 10.01), quote(START + 5 * S, 9.99, 10.01)]
    exchange = on_rows(rows, venue=plain_venue(30))
    exchange.advance(START + S)
    (one,) = place(exchange, x(quantity=250, limit="10.01"))
    exchange.advance(START + 5 * S - 20 * NS_PER_MS)
    exchange.cancel(one)
    news = [step for step in exchange.advance(START + 6 * S) if isinstance(step, OrderNews)]
    assert [(step.status, int(step.filled)) for step in news] == [
        ("PendingCancel", 100),
        ("PendingCancel", 200),
        ("Cancelled", 200),
    ]


def test_a_part_fills_and_the_rest_is_cancelled() -> None:
    exchange = still()
    (one,) = place(exchange, x(quantity=250, limit="10.01"))
    news = after(exchange, 0)
    found = exchange.order(one)
    assert found is not None
    assert (found.status, found.filled, found.remaining) == ("Submitted", Decimal(100), Decimal(150))
    assert steps(news, one)[-2:] == ["Submitted", "Submitted"]
    exchange.cancel(one)
    after(exchange, 0)
    assert (found.status, found.filled) == ("Cancelled", Decimal(100))


def test_a_modification_keeps_the_id_and_shows_when_the_venue_has_it() -> None:
    exchange = still(latency_ms=30)
    (one,) = place(exchange, x(limit="9.00"))
    after(exchange, 1)
    found = exchange.order(one)
    assert found is not None
    exchange.modify(one, msgspec.structs.replace(found.ticket, limit_price=Decimal("10.01")), {"price": 10.01})
    assert found.ticket.limit_price == Decimal("9.00")
    news = after(exchange, 1)
    assert found.ticket.limit_price == Decimal("10.01")
    assert found.wire == {"price": 10.01}
    assert steps(news, one) == ["Submitted", "Filled"]


def test_a_refused_modification_leaves_the_order_as_it_was() -> None:
    exchange = still()
    (one,) = place(exchange, x(limit="9.00"))
    after(exchange, 0)
    found = exchange.order(one)
    assert found is not None
    exchange.modify(one, msgspec.structs.replace(found.ticket, limit_price=Decimal("9.005")), {"price": 9.005})
    after(exchange, 0)
    assert found.ticket.limit_price == Decimal("9.00")
    assert found.status == "Submitted"
    assert found.reason
    exchange.modify(one, msgspec.structs.replace(found.ticket, limit_price=Decimal("9.01")), {"price": 9.01})
    after(exchange, 0)
    assert found.ticket.limit_price == Decimal("9.01")


def test_an_order_made_as_small_as_its_fill_is_filled() -> None:
    exchange = still()
    (one,) = place(exchange, x(quantity=250, limit="10.01"))
    after(exchange, 0)
    found = exchange.order(one)
    assert found is not None
    exchange.modify(one, msgspec.structs.replace(found.ticket, quantity=Decimal(100)), {})
    assert steps(after(exchange, 0), one) == ["Filled"]
    assert not found.open


def test_what_the_venue_refuses_is_inactive_with_its_reason() -> None:
    exchange = still()
    (one,) = place(exchange, x(limit="9.005"))
    assert steps(after(exchange, 0), one)[-1] == "Inactive"
    found = exchange.order(one)
    assert found is not None
    assert "tick" in found.reason
    assert not found.open
    assert not found.parked


def test_a_stop_is_held_until_it_triggers() -> None:
    exchange = still()
    (one,) = place(exchange, x(order_type=OrderType.STOP, stop_price="10.06"))
    assert steps(after(exchange, 0), one)[-1] == "PreSubmitted"
    rows_later = exchange.advance(START + 61 * S)
    assert steps(rows_later, one) == []  # prints trigger a stop where there are prints
    stopped = on_rows(
        [quote(START + 1, 9.99, 10.01), trade(START + 2, 10.0), trade(START + 5 * S, 10.06)], venue=plain_venue()
    )
    stopped.advance(START + S)
    (one,) = place(stopped, x(order_type=OrderType.STOP, stop_price="10.06"))
    assert steps(after(stopped, 10), one)[2:] == ["PreSubmitted", "Submitted", "Filled"]


@pytest.mark.parametrize("taken", ["target", "stop"])
def test_a_brackets_children_wait_and_cancel_each_other(taken: str) -> None:
    up, down = (10.20, 10.22), (9.78, 9.80)
    bid, ask = up if taken == "target" else down
    price = 10.2 if taken == "target" else 9.79
    exchange = on_rows(
        [
            quote(START + 1, 9.99, 10.01),
            trade(START + 2, 10.0),
            quote(START + 5 * S, 9.97, 9.99),
            quote(START + 9 * S, bid, ask),
            trade(START + 10 * S, price),
        ]
    )
    exchange.advance(START + S)
    entry = exchange.register(x(limit="9.99")).order_id
    target = exchange.register(x("SELL", limit="10.20", parent=entry)).order_id
    stop = exchange.register(x("SELL", parent=entry, order_type=OrderType.STOP, stop_price="9.80")).order_id
    exchange.release([entry, target, stop])
    early = exchange.advance(START + 2 * S)
    assert steps(early, entry)[-1] == "Submitted"
    assert steps(early, target)[-1] == steps(early, stop)[-1] == "PreSubmitted"
    live = exchange.advance(START + 6 * S)
    assert steps(live, entry) == ["Filled"]
    assert steps(live, target) == ["Submitted"]
    assert steps(live, stop) == []
    end = exchange.advance(START + 20 * S)
    won, lost = (target, stop) if taken == "target" else (stop, target)
    assert steps(end, won)[-1] == "Filled"
    assert steps(end, lost) == ["Cancelled"]
    assert exchange.state()["positions"] == {}


def test_a_child_that_is_released_before_its_entry_still_finds_it() -> None:
    exchange = still()
    entry = exchange.register(x(limit="9.00")).order_id
    child = exchange.register(x("SELL", limit="10.20", parent=entry)).order_id
    grandchild = exchange.register(x("BUY", limit="9.10", parent=child)).order_id
    exchange.release([grandchild, child, entry])
    after(exchange, 0)
    found = [exchange.order(number) for number in (entry, child, grandchild)]
    assert [one.status for one in found if one is not None] == ["Submitted", "PreSubmitted", "PreSubmitted"]


def test_cancelling_an_entry_cancels_its_children() -> None:
    exchange = still()
    entry = exchange.register(x(limit="9.00")).order_id
    child = exchange.register(x("SELL", limit="10.20", parent=entry)).order_id
    exchange.release([entry, child])
    after(exchange, 0)
    exchange.cancel(entry)
    assert steps(after(exchange, 0), child) == ["Cancelled"]
    found = exchange.order(child)
    assert found is not None
    assert "parent" in found.reason


def test_an_oca_group_lives_until_one_fills() -> None:
    exchange = still()
    low, high = place(exchange, x(limit="9.00", oca="g"), x("SELL", limit="10.05", oca="g"))
    assert steps(after(exchange, 0), low)[-1] == "Submitted"
    news = exchange.advance(START + 61 * S)
    assert steps(news, high) == ["Filled"]
    assert steps(news, low) == ["Cancelled"]


def test_a_commission_is_told_later_and_once() -> None:
    exchange = on_rows(
        [quote(START + 1, 9.99, 10.01)],
        options=Options(commission_delay_s=2),
        venue=plain_venue(fees="ibkr-us-fixed-2026"),
    )
    exchange.advance(START + S)
    place(exchange, x())
    first = [one for one in after(exchange, 1) if isinstance(one, ExecutionNews)]
    later = [one for one in after(exchange, 1) if isinstance(one, ExecutionNews)]
    assert [one.commission_known for one in first] == [False]
    assert [one.commission_known for one in later] == [True]
    assert later[0].ts_ns == START + 3 * S
    # 10 shares at 10.01: the least commission of 1.00, for 0.05 is less and 1 % of 100.10 more; 0.00072 for CAT.
    assert later[0].execution.commission == Decimal("1.0007")
    assert exchange.cash(ACCOUNT)["USD"] == Decimal(1_000_000) - Decimal("100.10") - Decimal("1.0007")


def test_without_a_delay_a_commission_is_told_with_its_fill() -> None:
    exchange = still()
    place(exchange, x())
    fills = [one for one in after(exchange, 5) if isinstance(one, ExecutionNews)]
    assert [(one.commission_known, one.execution.told_ns) for one in fills] == [(True, None)]


def test_a_doubled_order_is_a_second_row() -> None:
    exchange = still()
    place(exchange, x(client_id="same"), x(client_id="same"))
    after(exchange, 0)
    state = exchange.state()
    assert [one["cOID"] for one in state["orders"]] == ["same", "same"]
    assert state["positions"] == {"1": 20}
    assert state["cash"] == {"USD": 1_000_000 - 200.2}


def test_a_change_that_meets_a_cancel_leaves_no_reason_behind() -> None:
    exchange = still(latency_ms=30)
    (one,) = place(exchange, x(limit="9.00"))
    after(exchange, 1)
    found = exchange.order(one)
    assert found is not None
    exchange.cancel(one)
    exchange.modify(one, msgspec.structs.replace(found.ticket, quantity=Decimal(20)), {})
    assert steps(after(exchange, 1), one) == ["PendingCancel", "Cancelled"]
    assert (found.reason, found.ticket.quantity) == ("", Decimal(10))


def test_where_no_session_ends_the_venues_day_ends_day_orders() -> None:
    exchange = still()
    (one,) = place(exchange, order("BUY", 10, "9.00", conid=1, tif=Tif.DAY))
    market_without_close = Instrument(conid=1, symbol="X", calendar="24/7")
    assert exchange.contracts[1].instrument == market_without_close
    exchange.advance(START + 15 * 3600 * S)  # one hour past midnight in New York
    found = exchange.order(one)
    assert found is not None
    assert (found.status, "expired" in found.reason) == ("Cancelled", True)
