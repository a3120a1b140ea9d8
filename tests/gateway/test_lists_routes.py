"""Watchlists and scanners."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.desk_fakes import AAPL
from tests.gateway.floor import IBM, Floor
from tests.gateway.published import deviations
from tests.gateway.recorded import misfits, recorded

LIST = "/iserver/watchlist"
SCAN = "/iserver/scanner/run"


@pytest.fixture(scope="module")
def floor() -> Floor:
    return Floor()


def test_a_watchlist_from_its_making_to_its_end() -> None:
    floor = Floor()
    body = {"id": "1234", "name": "Mine", "rows": [{"C": IBM}, {"H": ""}, {"C": str(AAPL)}]}
    made = floor.call("POST", LIST, body).body
    assert misfits(made, recorded("POST-create-watchlist")) == []
    first, later = (floor.get(LIST, id="1234")["instruments"] for _ in range(2))
    assert first == [{"C": "8314", "conid": IBM}, {"H": ""}, {"C": "265598", "conid": AAPL}]
    assert (later[0]["ticker"], later[0]["name"], later[0]["ST"]) == ("IBM", "INTL BUSINESS MACHINES CORP", "STK")
    floor.call("POST", LIST, body | {"name": "Ours", "rows": []})  # the same id overwrites
    listed = floor.get("/iserver/watchlists", SC="USER_WATCHLIST")
    assert [row["name"] for row in listed["data"]["user_lists"]] == ["Ours"]
    assert misfits(listed, recorded("GET-watchlists")) == []
    assert deviations("GET", "/iserver/watchlists", listed) == set()
    deleted = floor.call("DELETE", LIST, id="1234").body
    assert deleted == {"data": {"deleted": "1234"}, "action": "context", "MID": "2"}
    assert floor.call("DELETE", LIST, id="1234").status == 503
    assert floor.call("GET", LIST, id="1234").status == 503


@pytest.mark.parametrize(
    "body",
    [None, {}, {"id": "x", "name": "n"}, {"id": "1"}, {"id": "1", "name": ""}, {"id": "1", "name": "n", "rows": {}}],
)
def test_what_is_no_watchlist(floor: Floor, body: Any) -> None:
    assert floor.call("POST", LIST, body).status == 503


def change(floor: Floor, conid: int) -> float:
    top = floor.exchange.top(conid)
    assert top is not None
    return top.last / top.prior_close - 1


def scan(floor: Floor, **more: Any) -> list[int]:
    """Conids in order."""
    body = {"instrument": "STK", "location": "STK.US.MAJOR", "type": "TOP_PERC_GAIN", "filter": []} | more
    return [row["con_id"] for row in floor.call("POST", SCAN, body).body["contracts"]]


def test_a_scan_is_in_order_and_filtered(floor: Floor) -> None:
    best = sorted([AAPL, IBM], key=lambda conid: -change(floor, conid))
    assert scan(floor) == best
    assert scan(floor, type="TOP_PERC_LOSE") == best[::-1]
    assert scan(floor, filter=[{"code": "priceAbove", "value": 10_000}]) == []
    assert scan(floor, filter=[{"code": "priceAbove", "value": "5"}, {"code": "priceBelow", "value": 10_000}]) == best
    assert len(scan(floor, instrument="FUT.US", type="HIGH_PRICE")) == 5


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"instrument": "STK", "type": "NOPE"},
        {"instrument": "NOPE", "type": "MOST_ACTIVE"},
        {"instrument": "STK", "type": "MOST_ACTIVE", "filter": [{"code": "nope", "value": 1}]},
        {"instrument": "STK", "type": "MOST_ACTIVE", "filter": [{"code": "priceAbove", "value": "much"}]},
        {"instrument": "STK", "type": "MOST_ACTIVE", "filter": [5]},
    ],
)
def test_what_can_not_be_scanned(floor: Floor, body: Any) -> None:
    assert floor.call("POST", SCAN, body).status == 500


def test_scanners_as_recorded_and_published(floor: Floor) -> None:
    params = floor.get("/iserver/scanner/params")
    assert misfits(params, recorded("GET-scanner-params")) == []
    assert deviations("GET", "/iserver/scanner/params", params) == set()
    body = {"instrument": "STK", "location": "STK.US.MAJOR", "type": "TOP_TRADE_COUNT"}
    answer = floor.call("POST", SCAN, body).body
    assert deviations("POST", SCAN, answer) == set()
    theirs = recorded("POST-scanner-run")
    assert misfits(answer, theirs | {"contracts": theirs["contracts"][1:]}) == []
    assert [("column_name" in row) for row in answer["contracts"]] == [True, False]


def test_the_older_scanner_is_opened_first() -> None:
    floor = Floor()
    body = {"instrument": "STK", "scanCode": "MOST_ACTIVE", "maxItems": 1, "filters": [{}]}
    assert floor.call("POST", "/hmds/scanner", body).status == 404
    floor.call("POST", "/hmds/auth/init", {})
    answer = floor.call("POST", "/hmds/scanner", body).body
    assert (answer["total"], answer["size"], len(answer["Contracts"]["Contract"])) == ("2", "1", 1)
    assert floor.call("POST", "/hmds/scanner", {"instrument": "STK"}).status == 500
