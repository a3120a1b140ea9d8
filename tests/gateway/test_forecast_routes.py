"""Event contracts, and what else only discovery tells: read by our own decoders."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.webapi.codecs import contracts as codec
from engine.webapi.facts.discovery import ForecastDetails, ForecastMarket, ForecastRules, ForecastSchedule
from tests.gateway.desk_fakes import ACCOUNT
from tests.gateway.floor import Floor


@pytest.fixture(scope="module")
def floor() -> Floor:
    return Floor()


def body(floor: Floor, path: str, **query: str) -> bytes:
    return msgspec.json.encode(floor.get(path, **query))


def markets(floor: Floor) -> list[int]:
    tree = codec.forecast_categories(body(floor, "/forecast/category/tree"))
    assert isinstance(tree, dict)
    assert {node.parent for node in tree.values()} <= {"", *tree}
    return [one.conid for node in tree.values() for one in node.markets]


def test_a_question_is_found_from_the_tree_down(floor: Floor) -> None:
    for conid in markets(floor):
        market = codec.forecast_market(body(floor, "/forecast/contract/market", underlyingConid=str(conid)))
        assert isinstance(market, ForecastMarket)
        by_conid = {one.conid: one for one in market.contracts}
        assert len(by_conid) == len(market.contracts)
        for one in market.contracts:
            details = codec.forecast_details(body(floor, "/forecast/contract/details", conid=str(one.conid)))
            assert isinstance(details, ForecastDetails)
            assert (details.side, details.strike, details.expiration) == (one.side, one.strike, one.expiration)
            assert one.conid in (details.conid_yes, details.conid_no)
            yes, no = by_conid[details.conid_yes], by_conid[details.conid_no]
            assert (yes.side, no.side, yes.strike, yes.expiration) == ("Y", "N", no.strike, no.expiration)
            rules = codec.forecast_rules(body(floor, "/forecast/contract/rules", conid=str(one.conid)))
            assert isinstance(rules, ForecastRules)
            assert rules.market_name == market.name
            week = codec.forecast_schedule(body(floor, "/forecast/contract/schedules", conid=str(one.conid)))
            assert isinstance(week, ForecastSchedule)
            assert len({day.weekday for day in week.days}) == 7


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/forecast/contract/market", {"underlyingConid": "1"}, 500),
        ("/forecast/contract/details", {}, 500),
        ("/forecast/contract/rules", {"conid": "x"}, 500),
        ("/forecast/contract/schedules", {"conid": "880000000"}, 500),
        ("/iserver/secdef/bond-filters", {"symbol": "BOND"}, 400),
        ("/acesws/DU9/signatures-and-owners", {}, 400),
    ],
)
def test_what_is_not_there_is_refused(floor: Floor, path: str, query: dict[str, Any], status: int) -> None:
    assert floor.call("GET", path, **query).status == status


def test_owners_and_bonds(floor: Floor) -> None:
    assert floor.get(f"/acesws/{ACCOUNT}/signatures-and-owners")["users"][0]["roleId"] == "OWNER"
    assert floor.get("/iserver/secdef/bond-filters", symbol="BOND", issuerId="e1") == {"bondFilters": []}
