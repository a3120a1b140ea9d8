"""Snapshots, history, discovery and contracts, on a synthetic market and against recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.domain.instrument import SecType
from engine.gateway.options import Options
from engine.gateway.tags import snapshot_fields
from tests.gateway.desk_fakes import AAPL
from tests.gateway.floor import IBM, Floor
from tests.gateway.recorded import misfits, recorded

SNAPSHOT = "/iserver/marketdata/snapshot"
HISTORY = "/iserver/marketdata/history"
ES_INDEX = 11004968


@pytest.fixture(scope="module")
def floor() -> Floor:
    return Floor()


def test_the_first_snapshot_opens_the_stream_and_later_ones_read_all_fields() -> None:
    floor = Floor()
    ids = [{"conid": AAPL, "conidEx": "265598"}, {"conid": IBM, "conidEx": "8314"}]
    assert floor.get(SNAPSHOT, conids="265598,8314", fields="31,84,86") == ids
    row, _ = floor.get(SNAPSHOT, conids="265598,8314")
    top = floor.exchange.top(AAPL)
    assert top is not None
    assert (float(row["84"]), float(row["86"]), float(row["31"])) == (top.bid, top.ask, top.last)
    assert "88" not in row
    assert row["_updated"] == floor.exchange.now_ns // 1_000_000
    assert "88" not in floor.get(SNAPSHOT, conids="265598", fields="88")[0]  # asked for just now
    assert {"31", "84", "86", "88"} <= set(floor.get(SNAPSHOT, conids="265598", fields="88")[0])
    assert floor.get(SNAPSHOT, conids="265598@SMART", fields="31") == [{"conid": AAPL, "conidEx": "265598@SMART"}]


def test_fields_that_are_worked_out_come_later() -> None:
    floor = Floor()
    floor.get(SNAPSHOT, conids="265598", fields="7636")
    assert "7636" not in floor.get(SNAPSHOT, conids="265598")[0]
    floor.wait(1)
    assert floor.get(SNAPSHOT, conids="265598")[0]["7636"] == "10,000,000"


def test_streams_end() -> None:
    floor = Floor()
    floor.get(SNAPSHOT, conids="265598,8314", fields="31")
    end = "/iserver/marketdata/unsubscribe"
    assert floor.call("POST", end, {"conid": AAPL}).body == {"success": True}
    again = floor.call("POST", end, {"conid": AAPL})
    assert (again.status, again.body) == (500, {"error": "unknown"})
    assert len(floor.get(SNAPSHOT, conids="265598", fields="31")[0]) == 2  # a first call again
    assert floor.call("GET", "/iserver/marketdata/8314/unsubscribe").status == 200
    assert floor.get("/iserver/marketdata/unsubscribeall") == {"unsubscribed": True}
    assert floor.hall.memory.fields == {}


def test_what_a_snapshot_refuses(floor: Floor) -> None:
    assert floor.call("GET", SNAPSHOT).status == 400
    assert floor.call("GET", SNAPSHOT, conids=",".join(["265598"] * 101)).status == 400
    assert floor.call("GET", SNAPSHOT, conids="265598", fields=",".join(["31"] * 51)).status == 400
    assert floor.get(SNAPSHOT, conids="0") == []
    assert floor.call("GET", "/md/regsnapshot", conid="265598").status == 400


def test_beyond_the_users_lines_rows_come_back_empty() -> None:
    floor = Floor()
    options = [str(c) for c, k in floor.exchange.contracts.items() if k.instrument.sec_type is SecType.OPTION][:101]
    for _ in range(2):
        floor.get(SNAPSHOT, conids=",".join(options[:100]), fields="84")
    assert "84" in floor.get(SNAPSHOT, conids=options[0])[0]
    for _ in range(2):
        assert floor.get(SNAPSHOT, conids=options[100], fields="84") == [
            {"conid": int(options[100]), "conidEx": options[100]}
        ]


def test_every_field_is_a_text_or_a_documented_number(floor: Floor) -> None:
    tags = [str(tag) for tag in range(8_000)]
    for conid in (AAPL, *[c for c, k in floor.exchange.contracts.items() if k.instrument.sec_type != "STK"][::60]):
        fields = snapshot_fields(floor.hall, conid, tags)
        numbers = {tag for tag, value in fields.items() if not isinstance(value, str)}
        assert numbers <= {"6008", "87_raw", "7920", "7921"}


def test_a_closing_price_is_marked() -> None:
    floor = Floor()
    top = floor.exchange.top(AAPL)
    assert top is not None
    top.volume = 0.0
    floor.exchange.top = lambda conid: top  # type: ignore[method-assign]
    assert snapshot_fields(floor.hall, AAPL, ["31"])["31"] == f"C{top.prior_close:.2f}"
    top.halted = True
    assert snapshot_fields(floor.hall, AAPL, ["31"])["31"].startswith("H")
    for volume, text in ((999.0, "999"), (1_200.0, "1.2K"), (25_500_000.0, "25.5M"), (123_456_789.0, "123M")):
        top.volume = volume
        assert snapshot_fields(floor.hall, AAPL, ["87"])["87"] == text
    assert snapshot_fields(floor.hall, AAPL, ["88"])["88"] == f"{top.bid_size:,.0f}"


@pytest.mark.parametrize(
    ("asked", "count", "first"),
    [
        ({"period": "2d", "bar": "1h"}, 7 + 1, "2026-03-02T14:30:00"),  # yesterday, and 30 minutes of today
        ({"period": "1d", "bar": "5min"}, 6, "2026-03-03T14:30:00"),
        ({"period": "30min", "bar": "1min"}, 30, "2026-03-03T14:30:00"),
        ({"period": "1d", "bar": "1h", "startTime": "20260302-14:30:00", "direction": "1"}, 7, "2026-03-02T14:30:00"),
        ({"period": "1d", "bar": "1h", "startTime": "20260302-21:00:00"}, 7, "2026-03-02T14:30:00"),
        ({"period": "3d", "bar": "1d"}, 3, "2026-02-27T14:30:00"),
    ],
)
def test_a_period_of_history(floor: Floor, asked: dict[str, str], count: int, first: str) -> None:
    data = floor.get(HISTORY, conid="265598", **asked)["data"]
    started = datetime.fromtimestamp(data[0]["t"] / 1000, UTC).replace(tzinfo=None).isoformat()
    assert (len(data), started) == (count, first)
    assert all(row["l"] <= min(row["o"], row["c"]) <= max(row["o"], row["c"]) <= row["h"] for row in data)
    assert [row["t"] for row in data] == sorted({row["t"] for row in data})


def test_history_says_what_it_is(floor: Floor) -> None:
    body = floor.get(HISTORY, conid="265598", period="2d", bar="1h")
    assert (body["symbol"], body["barLength"], body["points"]) == ("AAPL", 3600, len(body["data"]) - 1)
    price, volume, minutes = body["high"].split("/")
    best = max(body["data"], key=lambda row: float(row["h"]))
    assert float(price) / body["priceFactor"] == pytest.approx(best["h"], abs=0.01)
    assert float(volume) == best["v"]
    assert int(minutes) == (best["t"] - body["data"][0]["t"]) // 60_000
    quotes = floor.get(HISTORY, conid="265598", period="1d", bar="1h", source="Bid_Ask")["data"]
    assert {row["v"] for row in quotes} == {0.0}


def test_history_is_at_most_a_thousand_bars_the_newest(floor: Floor) -> None:
    body = floor.get(HISTORY, conid="265598", period="1w", bar="1min")
    assert len(body["data"]) == 1_000
    assert body["data"][-1]["t"] >= (floor.exchange.now_ns - 60 * 10**9) // 10**6 - 60_000


@pytest.mark.parametrize(
    "asked", [{"bar": "7x"}, {"bar": "0min"}, {"startTime": "yesterday"}, {"source": "guess"}, {"conid": "9"}]
)
def test_history_that_there_is_not(floor: Floor, asked: dict[str, str]) -> None:
    assert floor.call("GET", HISTORY, **({"conid": "265598"} | asked)).status == 500
    assert floor.call("GET", HISTORY, conid="265598", period="nonsense").status == 200


def test_the_separate_service_is_opened_first() -> None:
    floor = Floor()
    assert floor.call("GET", "/hmds/history", conid="265598").status == 404
    floor.call("POST", "/hmds/auth/init", {})
    assert floor.get("/hmds/history", conid="265598", period="1d", bar="1h")["data"]


def test_an_option_chain_is_found_by_search_strikes_and_info() -> None:
    floor = Floor()
    strikes = {"conid": "265598", "sectype": "OPT", "month": "MAR26"}
    assert floor.get("/iserver/secdef/strikes", **strikes) == {"call": [], "put": []}  # not searched for yet
    (found,) = floor.get("/iserver/secdef/search", symbol="AAPL")
    assert (found["conid"], found["description"]) == ("265598", "NASDAQ")
    (options,) = [section for section in found["sections"] if section["secType"] == "OPT"]
    assert options["months"].split(";")[0] == "MAR26"
    listed = floor.get("/iserver/secdef/strikes", **strikes)
    assert listed["call"] == listed["put"] == sorted(listed["call"])
    assert floor.get("/iserver/secdef/strikes", **strikes | {"month": "202603"}) == {"call": [], "put": []}
    rows = floor.get("/iserver/secdef/info", **strikes, strike=str(listed["call"][0]), right="C")
    assert {(row["right"], row["strike"], row["maturityDate"][:6]) for row in rows} == {
        ("C", listed["call"][0], "202603")
    }
    assert floor.call("GET", "/iserver/secdef/info", **strikes | {"month": "202603"}).status == 400
    contract = floor.get(f"/iserver/contract/{rows[0]['conid']}/info")
    assert (contract["underlying_con_id"], contract["instrument_type"], contract["multiplier"]) == (AAPL, "OPT", "100")


def test_search_by_name_kind_and_nothing(floor: Floor) -> None:
    assert floor.get("/iserver/secdef/search", symbol="NOPE") == []
    assert floor.call("GET", "/iserver/secdef/search").status == 400
    short = floor.get("/iserver/secdef/search", symbol="apple", name="true")
    assert [set(row) for row in short] == [{"conid", "companyHeader", "companyName", "symbol"}]
    posted = floor.call("POST", "/iserver/secdef/search", {"symbol": "ES", "secType": "FUT", "name": False}).body
    assert [row["conid"] for row in posted] == [str(ES_INDEX)]


def test_the_futures_chain_and_its_rules(floor: Floor) -> None:
    chain = floor.get("/trsrv/futures", symbols="ES,NOPE")
    assert list(chain) == ["ES"]
    dates = [row["expirationDate"] for row in chain["ES"]]
    assert dates == sorted(dates)
    assert len(dates) == 5
    conid = chain["ES"][0]["conid"]
    rules = floor.call("POST", "/iserver/contract/rules", {"conid": conid, "isBuy": True}).body
    assert (rules["increment"], rules["incrementDigits"]) == (0.25, 2)
    (row,) = floor.get("/iserver/secdef/info", conid=str(ES_INDEX), sectype="FUT", month="MAR26")
    assert row["conid"] == conid


def test_what_is_asked_of_contracts_that_are_not_there(floor: Floor) -> None:
    for path in ("/iserver/contract/0/info", "/iserver/contract/x/info-and-rules"):
        assert floor.call("GET", path).status == 400
    assert floor.call("POST", "/iserver/contract/rules", {"conid": 0}).status == 400
    assert floor.call("POST", "/iserver/contract/rules", {"conid": AAPL, "modifyOrder": True}).status == 400
    assert floor.call("GET", "/iserver/contract/0/algos").status == 503
    assert floor.call("GET", "/contract/trading-schedule", conid="0").status == 400
    assert floor.get("/trsrv/stocks", symbols="NOPE") == {"NOPE": []}
    assert floor.get("/trsrv/secdef", conids="1") == {"secdef": []}


def test_algos_need_a_first_call() -> None:
    floor = Floor()
    path = "/iserver/contract/265598/algos"
    assert floor.get(path, algos="Adaptive;Vwap") == {"algos": []}
    assert floor.get(path, algos="Adaptive;Vwap")["algos"] == [
        {"name": "Adaptive", "id": "Adaptive"},
        {"name": "Vwap", "id": "Vwap"},
    ]
    assert all("parameters" in row for row in floor.get(path, addParams="1")["algos"])


def test_hours_of_trading_in_both_forms(floor: Floor) -> None:
    today = floor.get("/contract/trading-schedule", conid="265598")["schedules"]["20260303"]
    opens = int(datetime(2026, 3, 3, 14, 30, tzinfo=UTC).timestamp())
    assert today["liquid_hours"] == [{"opening": opens, "closing": opens + 390 * 60}]
    assert today["extended_hours"][0]["opening"] == opens - 330 * 60
    (old,) = floor.get("/trsrv/secdef/schedule", assetClass="STK", symbol="AAPL")
    (day,) = [row for row in old["schedules"] if row["tradingScheduleDate"] == "20260303"]
    assert day["sessions"] == [{"openingTime": "0930", "closingTime": "1600", "prop": "LIQUID"}]


def test_currencies(floor: Floor) -> None:
    rows = floor.get("/iserver/currency/pairs", currency="EUR")["EUR"]
    assert [(row["symbol"], row["ccyPair"]) for row in rows] == [("EUR.USD", "USD")]
    there = floor.get("/iserver/exchangerate", source="EUR", target="USD")["rate"]
    back = floor.get("/iserver/exchangerate", source="USD", target="EUR")["rate"]
    assert there * back == pytest.approx(1, abs=1e-6)
    assert floor.call("GET", "/iserver/exchangerate", source="EUR", target="XXX").status == 400


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("GET-contract-info", "/iserver/contract/265598/info", {}),
        ("GET-contract-info-and-rules", "/iserver/contract/265598/info-and-rules", {}),
        ("GET-currency-pairs", "/iserver/currency/pairs", {"currency": "USD"}),
        ("GET-exchangerate", "/iserver/exchangerate", {"source": "USD", "target": "EUR"}),
        ("GET-trsrv-all-conids", "/trsrv/all-conids", {"exchange": "NASDAQ"}),
        ("GET-trsrv-futures", "/trsrv/futures", {"symbols": "ES"}),
        ("GET-trsrv-stocks", "/trsrv/stocks", {"symbols": "AAPL"}),
        ("GET-unsubscribeall", "/iserver/marketdata/unsubscribeall", {}),
    ],
)
def test_as_recorded(floor: Floor, name: str, path: str, query: dict[str, str]) -> None:
    assert misfits(floor.get(path, **query), recorded(name)) == []


def test_snapshot_search_and_rules_as_recorded() -> None:
    floor = Floor()
    theirs: Any = recorded("GET-snapshot")
    tags = ",".join(tag for tag in theirs[0] if tag.isdecimal())
    for _ in range(2):
        rows = floor.get(SNAPSHOT, conids="265598", fields=tags)
    assert misfits(rows, theirs) == []
    searched: Any = recorded("POST-secdef-search")
    ours = floor.call("POST", "/iserver/secdef/search", {"symbol": "AAPL"}).body
    plain = {key: value for key, value in searched[0].items() if key != "sections"}
    assert misfits(ours, [plain]) == []
    assert ours[0]["sections"][0] == searched[0]["sections"][0]
    strikes = floor.get("/iserver/secdef/strikes", conid="265598", sectype="OPT", month="MAR26")
    assert misfits(strikes, recorded("GET-secdef-strikes")) == []
    rules = floor.call("POST", "/iserver/contract/rules", {"conid": AAPL, "isBuy": True}).body
    assert misfits(rules, recorded("POST-contract-rules")) == []


def test_the_documented_profile_prints_change_without_its_sign() -> None:
    floor = Floor(Options(profile="documented"))
    assert not snapshot_fields(floor.hall, AAPL, ["83"])["83"].endswith("%")
