"""A two-leg combo over the wire: the gateway tells its legs, the order counts units, both sides' books agree."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.order import State
from engine.domain.ticket import OrderTicket, OrderType, Side
from tests.daemon.alongside import AAPL, COMBO, IBM, PAIR, Stranger, alongside, held, place, until, until_order
from tests.served import PAPER, served


async def test_a_combo_fills_leg_by_leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = OrderTicket(
        coid="quiet-000001",
        strategy="quiet",
        account=PAPER,
        conid=PAIR,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=Decimal(3),
    )
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, COMBO) as daemon, Stranger(gateway) as venue:
            place(daemon, ticket)
            order = await until_order(daemon, ticket.coid, lambda one: not one.is_open)
            assert order.state is State.FILLED, order.reason
            assert order.filled == 3
            # The book knows first, then the journal, then the portfolio.
            await until(lambda: [held(daemon, conid) for conid in (AAPL, IBM, PAIR)] == [3, -6, 0])
            state = await venue.state()
    rows = [one for one in state["executions"] if one["order_id"] == int(order.venue_id)]
    assert len(order.fills) == len(rows) >= 2
    bought = sum(Decimal(str(r["size"])) * Decimal(str(r["price"])) for r in rows if r["conid"] == AAPL)
    sold = sum(Decimal(str(r["size"])) * Decimal(str(r["price"])) for r in rows if r["conid"] == IBM)
    assert order.paid == bought - sold
