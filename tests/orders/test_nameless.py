"""Rows of the stream that never say whose they are: an order that lives is told of, one that died unfilled is not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.brokerage import VenueOrder
from tests.orders.bench import Bench


@pytest.mark.parametrize(
    ("status", "filled", "told"),
    [
        ("Cancelled", None, []),
        ("Rejected", Decimal(0), []),
        (None, None, []),
        ("Submitted", None, ["FOREIGN_ORDER"]),
        ("PreSubmitted", Decimal(0), ["FOREIGN_ORDER"]),
        ("Cancelled", Decimal(3), ["FOREIGN_ORDER"]),
        ("Filled", Decimal(5), ["FOREIGN_ORDER"]),
    ],
)
def test_only_what_lives_or_traded_is_foreign(status: str | None, filled: Decimal | None, told: list[str]) -> None:
    bench = Bench()
    bench.desk.rows(
        [VenueOrder(order_id="999", status=status, filled=filled, seen_ns=bench.now, from_stream=True)], bench.now
    )
    bench.wait(60)
    assert bench.alerts == told
