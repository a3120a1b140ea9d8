"""Performance and transactions, and that they agree with the books."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.desk_fakes import AAPL, ACCOUNT, market
from tests.gateway.floor import IBM, Floor
from tests.gateway.published import deviations
from tests.gateway.recorded import misfits, recorded


@pytest.fixture(scope="module")
def floor() -> Floor:
    """An account that bought 100, sold 140 and bought 40 back."""
    made = Floor()
    for quantity, side in ((100, "BUY"), (140, "SELL"), (40, "BUY")):
        made.place(market(quantity=quantity, side=side))
        made.wait(60)
    return made


def post(floor: Floor, path: str, **body: Any) -> Any:
    answer = floor.call("POST", f"/pa/{path}", {"acctIds": [ACCOUNT], **body})
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("period", ["1D", "7D", "MTD", "1M", "YTD", "1Y"])
def test_a_period_ends_with_what_the_account_is_worth(floor: Floor, period: str) -> None:
    body = post(floor, "performance", period=period)
    (row,) = body["nav"]["data"]
    assert row["navs"][-1] == float(floor.exchange.funds(ACCOUNT).net_liquidation)
    assert row["startNAV"]["val"] == 1_000_000.0
    assert len(row["navs"]) == len(body["nav"]["dates"]) == body["nd"]
    assert body["nav"]["dates"][-1] == "20260303"
    assert body["cps"]["data"][0]["returns"][-1] == pytest.approx(row["navs"][-1] / 1_000_000 - 1, abs=1e-8)


def test_transactions_realise_what_the_books_say(floor: Floor) -> None:
    body = post(floor, "transactions", conids=[AAPL], currency="USD", days=3)
    (position,) = floor.exchange.positions(ACCOUNT)
    assert float(body["rpnl"]["amt"]) == pytest.approx(float(position.realised), abs=1e-3)
    assert sum(row["qty"] for row in body["transactions"]) == 0
    assert {row["type"] for row in body["transactions"]} == {"Buy", "Sell"}
    assert post(floor, "transactions", conids=[IBM])["transactions"] == []


def test_what_is_refused(floor: Floor) -> None:
    for path, body, status in (
        ("performance", {"acctIds": [], "period": "1M"}, 400),
        ("performance", None, 400),
        ("performance", {"acctIds": [ACCOUNT], "period": "2W"}, 400),
        ("performance", {"acctIds": ["U9"], "period": "1M"}, 500),
        ("allperiods", {"acctIds": ["U9"]}, 500),
        ("transactions", {"acctIds": [ACCOUNT]}, 400),
        ("transactions", {"acctIds": [ACCOUNT], "conids": [1, 2]}, 400),
    ):
        assert floor.call("POST", f"/pa/{path}", body).status == status


def test_as_recorded_and_published(floor: Floor) -> None:
    body = post(floor, "performance", period="1M")
    assert misfits(body, recorded("POST-pa-performance")) == []
    assert deviations("POST", "/pa/performance", body) == set()
    periods = post(floor, "allperiods")
    theirs = recorded("POST-pa-allperiods")
    theirs[ACCOUNT] = theirs.pop("U1234567")
    assert misfits(periods, theirs) == []
    found = post(floor, "transactions", conids=[AAPL])
    assert deviations("POST", "/pa/transactions", found) == set()
