"""What is ours, and whose a position is, out of journals written by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.brokerage import VenueOrder
from engine.domain.facts import Accepted, Cancelled, Filled
from engine.domain.messages import Place
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.guard.known import known_orders
from engine.journal.durable import DurableJournal
from engine.operator.folder import StateFolder
from engine.runtime.live.letters import TakenOver

Rows = list[tuple[int, str, str, Any]]


def sent(coid: str, strategy: str, conid: int, side: Side = Side.BUY) -> Rows:
    ticket = OrderTicket(
        coid=coid,
        strategy=strategy,
        account="DU1",
        conid=conid,
        side=side,
        order_type=OrderType.MARKET,
        quantity=Decimal(10),
    )
    return [(1, "approved", coid, Place((ticket,))), (2, "write", coid, (ticket,))]


def works(coid: str, order_id: str) -> Rows:
    return [(3, "answer", coid, Accepted(coid=coid, ts_ns=3, venue_id=order_id))]


def filled(coid: str, conid: int, quantity: int = 10, side: Side = Side.BUY) -> Rows:
    fill = Filled(
        coid=coid,
        ts_ns=4,
        exec_id=f"e-{coid}",
        conid=conid,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(9),
    )
    return [(4, "answer", coid, fill)]


def write(path: Path, rows: Rows, coids: list[str]) -> None:
    journal = DurableJournal(path)
    journal.write(rows, coids=coids)
    journal.close()


def test_open_orders_are_known_by_the_venue_s_id_and_all_by_name(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    rows = [
        *sent("a-000001", "a", 1),
        *works("a-000001", "11"),
        *sent("a-000002", "a", 1),
        *works("a-000002", "12"),
        (5, "answer", "a-000002", Cancelled(coid="a-000002", ts_ns=5)),
        *sent("a-000003", "a", 1),
    ]
    write(folder.journal, rows, ["a-000001", "a-000002", "a-000003"])
    write(folder.guard_journal, [(1, "order", "guard-1", None)], ["guard-1"])
    known = known_orders(folder)
    assert known.open_ids == {"11": "a-000001"}
    assert known.names == {"a-000001", "a-000002", "a-000003", "guard-1"}
    assert known.problem == ""
    ours = {
        "11": VenueOrder(order_id="11"),
        "99": VenueOrder(order_id="99", coid="a-000003"),
        "98": VenueOrder(order_id="98", parent_id="11"),
        "97": VenueOrder(order_id="97", coid="b-000001"),
        "96": VenueOrder(order_id="96"),
    }
    assert [name for name, row in ours.items() if known.ours(row)] == ["11", "99", "98"]


@pytest.mark.parametrize(
    ("rows", "holder"),
    [
        ([*sent("a-1", "a", 1), *filled("a-1", 1)], "a"),
        ([*sent("a-1", "a", 1), *works("a-1", "11")], "a"),  # its fill has not been heard of
        ([*sent("a-1", "a", 1), *filled("a-1", 1), *sent("b-1", "b", 1), *works("b-1", "12")], "a"),
        ([*sent("a-1", "a", 1), *filled("a-1", 1), *sent("b-1", "b", 1), *filled("b-1", 1)], None),
        ([*sent("a-1", "a", 2), *filled("a-1", 2)], None),
    ],
)
def test_a_position_is_its_only_holder_s(tmp_path: Path, rows: Rows, holder: str | None) -> None:
    folder = StateFolder(tmp_path)
    write(folder.journal, rows, [])
    assert known_orders(folder).holders.get(1) == holder


BEFORE: Rows = [(5, "taken_over", "1", TakenOver("outside", 1, Decimal(20), Decimal(0)))]
OUT: Rows = [*sent("a-2", "a", 1, Side.SELL), *filled("a-2", 1, side=Side.SELL)]


@pytest.mark.parametrize(
    "rows",
    [
        [*BEFORE, *sent("a-1", "a", 1), *filled("a-1", 1)],  # 10 of the 30 are a's
        [*BEFORE, *sent("a-1", "a", 1), *filled("a-1", 1), *OUT],
        [*sent("a-1", "a", 1), *filled("a-1", 1), *OUT],  # it holds nothing: what is held came from elsewhere
    ],
)
def test_what_came_by_no_order_of_ours_is_not_closed_in_a_strategy_s_name(tmp_path: Path, rows: Rows) -> None:
    folder = StateFolder(tmp_path)
    write(folder.journal, rows, [])
    assert known_orders(folder).holders.get(1) is None


def test_a_journal_that_can_t_be_read_adds_nothing_and_is_said(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert known_orders(folder).names == frozenset()
    folder.journal.write_text("no journal " * 1000)
    known = known_orders(folder)
    assert known.names == frozenset()
    assert "the journal is damaged" in known.problem
