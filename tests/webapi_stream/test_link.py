"""The whole link: it comes up in every way to log in, and after every loss everything is there again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain import brokerage as b
from engine.domain.market import Quote
from engine.webapi.sessionfacts import Layer
from tests.webapi.test_against_gateway_session import WAYS
from tests.webapi_stream.linked import ACCOUNT, SUPPRESS, linked


@pytest.mark.parametrize("way", WAYS)
async def test_it_comes_up_and_comes_back_after_a_reset_with_everything_primed(way: str, tmp_path: Path) -> None:
    async with linked(tmp_path, way) as it:
        await it.until_up()
        quote = await it.fresh(Quote)
        assert quote.bid < quote.ask
        data = it.link.supervisor.health().layers[Layer.DATA]
        await it.until(lambda: it.link.supervisor.health().layers[Layer.DATA].up)
        assert isinstance(await it.link.broker.orders(), b.OrdersKnown), data
        assert isinstance(await it.link.broker.executions(), b.ExecutionsKnown)
        assert await it.asked(SUPPRESS) == 1
        told = [(one.up, one.layer) for one in it.of(b.SessionNow)]
        assert told == [(False, "stream"), (True, "")]  # from then on cancels may leave
        assert {one.conid for one in it.of(b.Availability)} == {265598, 8314}

        await it.faults({"do": "session-reset", "at_s": 0})
        await it.until_down()
        await it.until_up()
        assert await it.asked(SUPPRESS) == 2
        await it.fresh(Quote)
        await it.fresh(Quote, conid=8314)
        told = [(one.up, one.layer) for one in it.of(b.SessionNow)][len(told) :]
        assert told in ([(False, "brokerage"), (True, "")], [(False, "brokerage"), (False, "stream"), (True, "")])
        await it.until(lambda: it.link.supervisor.health().layers[Layer.DATA].up)
        assert isinstance(await it.link.broker.orders(), b.OrdersKnown)


async def test_summary_ledger_and_profit_come_over_the_stream(tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        await it.until_up()
        pages = it.link.account
        await it.until(lambda: pages.summary and pages.ledger and pages.profit)
        assert pages.summary["AccountCode"]["value"] == ACCOUNT
        assert pages.ledger["LedgerListUSD"]["cashbalance"] == Decimal(1_000_000)
        assert pages.profit[f"{ACCOUNT}.Core"].net_liquidation == Decimal(1_000_000)
        age_ns = pages.age_ns("ssd", it.clock.now_ns())
        assert age_ns is not None
        assert age_ns >= 0
        assert pages.age_ns("zzz", 0) is None
