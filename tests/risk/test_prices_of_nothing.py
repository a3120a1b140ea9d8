"""A stock or an option has no price of 0 or less: one that is said is not known, and no money is worked out by it."""

from __future__ import annotations

import pytest

from engine.domain.market import Quote
from engine.domain.ticket import OrderType, Side
from tests.risk.made import T0, D, new
from tests.risk.test_catalogue import QUIET, Market, ask, make, venue

MONEY = {"order_notional_max": D(1_000), "gross_max": D(1_000), "notional_per_day_max": D(1_000)}


class Blank(Market):
    """A quote of nothing bid and nothing asked."""

    def quote(self, conid: int) -> Quote | None:
        return Quote(T0, conid, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("terms", [{}, {"order_type": OrderType.TRAIL, "trail": D(1)}])
@pytest.mark.parametrize("live", [False, True])
def test_an_order_at_a_price_of_nothing_does_not_pass_the_limits_on_money(
    side: Side, terms: dict[str, object], live: bool
) -> None:
    seen = Blank(prices={1: 0.0}, bid=0.0, ask=0.0)
    limits = {**QUIET, "two_sided": True, "buying_power": True} if live else {}
    gate = make(venue() if live else None, **{**limits, **MONEY})
    assert ask(gate, new(100_000, side=side, **terms), market=seen) == "NO_PRICE"
