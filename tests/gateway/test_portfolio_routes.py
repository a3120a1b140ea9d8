"""Accounts, ledger, summary, positions: their shapes as recorded, and that they agree with the fills."""

from __future__ import annotations

from typing import Any

import pytest

from engine.gateway.options import Options
from tests.gateway.desk_fakes import AAPL, ACCOUNT, limit, market
from tests.gateway.floor import IBM, Floor
from tests.gateway.recorded import misfits, recorded

PORTFOLIO = f"/portfolio/{ACCOUNT}"


@pytest.fixture(scope="module")
def floor() -> Floor:
    """An account that is long AAPL and short IBM, and has closed a part of it."""
    made = Floor()
    made.place(market(quantity=100))
    made.wait(5)
    made.place(market(quantity=30, side="SELL"))
    made.place(market(conid=IBM, quantity=50, side="SELL"))
    made.wait(5)
    return made


def cash_moved(floor: Floor) -> float:
    """What the fills and their commissions did to cash, by the news of them alone."""
    moved = 0.0
    for news in floor.fills:
        fill = news.execution
        if news.commission_known:
            moved -= float(fill.commission)
        else:
            moved += float(fill.size * fill.price) * (-1 if fill.side == "BUY" else 1)
    return moved


def test_the_ledger_agrees_with_the_fills(floor: Floor) -> None:
    floor.wait(3)
    body = floor.get(f"{PORTFOLIO}/ledger")
    usd, base = body["USD"], body["BASE"]
    assert usd["cashbalance"] == pytest.approx(1_000_000 + cash_moved(floor), abs=0.001)
    assert usd["netliquidationvalue"] == pytest.approx(usd["cashbalance"] + usd["stockmarketvalue"], abs=0.001)
    rows = floor.get(f"{PORTFOLIO}/positions/0")
    assert usd["stockmarketvalue"] == pytest.approx(sum(row["mktValue"] for row in rows), abs=0.02)
    assert usd["unrealizedpnl"] == pytest.approx(sum(row["unrealizedPnl"] for row in rows), abs=0.02)
    assert {key: base[key] for key in ("cashbalance", "stockmarketvalue")} == {
        key: usd[key] for key in ("cashbalance", "stockmarketvalue")
    }
    summary = floor.get(f"{PORTFOLIO}/summary")
    assert summary["netliquidation"]["amount"] == pytest.approx(base["netliquidationvalue"], abs=0.01)
    assert summary["totalcashvalue"]["amount"] == pytest.approx(base["cashbalance"], abs=0.01)


def test_positions_agree_with_the_fills_on_every_surface(floor: Floor) -> None:
    wanted = {AAPL: 70.0, IBM: -50.0}
    assert {row["conid"]: row["position"] for row in floor.get(f"{PORTFOLIO}/positions/0")} == wanted
    assert {int(row["conid"]): row["position"] for row in floor.get(f"/portfolio2/{ACCOUNT}/positions")} == wanted
    (row,) = floor.get(f"{PORTFOLIO}/position/{AAPL}")
    assert (row["position"], row["contractDesc"]) == (70.0, "AAPL")
    assert floor.get(f"/portfolio/positions/{IBM}")[ACCOUNT][0]["position"] == -50.0
    assert floor.get(f"{PORTFOLIO}/position/1") == []
    assert floor.get(f"{PORTFOLIO}/positions/1") == []


def test_a_first_read_of_positions_is_sparse(floor: Floor) -> None:
    assert floor.call("POST", f"{PORTFOLIO}/positions/invalidate").body == {"message": "success"}
    first = floor.get(f"{PORTFOLIO}/positions/0")[0]
    assert (len(first), first["strike"], first["multiplier"]) == (21, 0.0, None)
    later = floor.get(f"{PORTFOLIO}/positions/0")[0]
    assert (later["strike"], later["multiplier"], later["ticker"]) == ("0", 0.0, "AAPL")
    assert set(first) < set(later)


def test_the_average_price_is_what_was_paid(floor: Floor) -> None:
    (row,) = floor.get(f"{PORTFOLIO}/position/{AAPL}")
    bought = [n.execution for n in floor.fills if n.execution.side == "BUY" and not n.commission_known]
    paid = sum(float(fill.size * fill.price) for fill in bought) / sum(float(fill.size) for fill in bought)
    assert row["avgPrice"] == pytest.approx(paid, abs=1e-6)
    assert row["mktValue"] == pytest.approx(row["mktPrice"] * 70, abs=0.01)


def test_allocation_is_the_market_value_by_class(floor: Floor) -> None:
    body = floor.get(f"{PORTFOLIO}/allocation")
    values = {row["conid"]: row["mktValue"] for row in floor.get(f"{PORTFOLIO}/positions/0")}
    assert body["assetClass"]["long"]["STK"] == pytest.approx(values[AAPL], abs=0.01)
    assert body["assetClass"]["short"]["STK"] == pytest.approx(values[IBM], abs=0.01)
    assert body["sector"]["long"] == {"Technology": pytest.approx(values[AAPL], abs=0.01)}
    joint = floor.call("POST", "/portfolio/allocation", {"acctIds": [ACCOUNT]})
    assert joint.body == body


@pytest.mark.parametrize(
    "path",
    ["meta", "ledger", "summary", "allocation", "positions/0", "position/1", "combo/positions"],
)
def test_an_unknown_account_is_not_authorised(floor: Floor, path: str) -> None:
    assert floor.call("GET", f"/portfolio/U9/{path}").status == 401


def test_what_the_brokerage_tier_says_of_accounts(floor: Floor) -> None:
    body = floor.get("/iserver/accounts")
    assert (body["accounts"], body["selectedAccount"], body["isPaper"]) == ([ACCOUNT], ACCOUNT, True)
    assert floor.call("POST", "/iserver/account", {"acctId": ACCOUNT}).body == {"success": "Account already set"}
    assert floor.call("POST", "/iserver/account", {"acctId": "U9"}).status == 500
    assert floor.call("POST", "/iserver/account", {}).status == 400
    assert floor.call("GET", "/iserver/account/U9/summary").status == 400
    for part in ("available_funds", "balances", "margins", "market_value"):
        assert floor.call("GET", f"/iserver/account/U9/summary/{part}").status == 400
        assert floor.call("GET", f"/iserver/account/{ACCOUNT}/summary/{part}").status == 200
    summary = floor.get(f"/iserver/account/{ACCOUNT}/summary")
    assert summary["cashBalances"][-1]["currency"] == "Total (in USD)"
    assert summary["netLiquidationValue"] == floor.get(f"{PORTFOLIO}/summary")["netliquidation"]["amount"]


def test_accounts_can_be_switched_and_profit_is_cold_once() -> None:
    floor = Floor(Options(accounts=25))
    assert floor.call("POST", "/iserver/account", {"acctId": "DU1234568"}).body == {"set": True, "acctId": "DU1234568"}
    assert floor.get("/iserver/account/pnl/partitioned") == {"upnl": {}}
    assert list(floor.get("/iserver/account/pnl/partitioned")["upnl"]) == ["DU1234568.Core"]
    first, second = (floor.get("/portfolio/subaccounts2", page=page) for page in ("0", "1"))
    assert (first["metadata"]["total"], len(first["subaccounts"]), len(second["subaccounts"])) == (25, 20, 5)
    assert len(floor.get("/portfolio/accounts")) == 25


def test_the_official_samples_keys() -> None:
    floor = Floor(Options(profile="documented"))
    (row,) = floor.get("/portfolio/accounts")
    assert {"category", "acctCustType"} & set(row) == set()
    assert (row["tradingType"], row["businessType"], row["trackVirtualFXPortfolio"]) == ("PMRGN", "IB_PROSERVE", True)
    ledger = floor.get(f"{PORTFOLIO}/ledger")
    assert set(ledger["USD"]) - set(ledger["BASE"]) == {"endofbundle"}
    code = floor.get(f"{PORTFOLIO}/summary")["accountcode"]
    assert code == {
        "amount": 0.0,
        "currency": None,
        "isNull": False,
        "timestamp": floor.exchange.now_ns // 1_000_000,
        "value": ACCOUNT,
        "severity": 0,
    }


def test_a_combo_that_is_held_is_listed_by_its_legs() -> None:
    floor = Floor()
    assert floor.get(f"{PORTFOLIO}/combo/positions") == []
    floor.place(market(conid=None, conidex=f"28812380;;;{AAPL}/1,{IBM}/-2"))
    floor.wait(10)
    (row,) = floor.get(f"{PORTFOLIO}/combo/positions")
    assert row["description"] == f"1*{AAPL}-2*{IBM}"
    assert row["legs"] == [{"conid": str(AAPL), "ratio": 1}, {"conid": str(IBM), "ratio": -2}]
    assert [leg["position"] for leg in row["positions"]] == [10.0, -20.0]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("GET-portfolio-accounts", "/portfolio/accounts"),
        ("GET-portfolio-subaccounts", "/portfolio/subaccounts"),
        ("GET-portfolio-meta", f"{PORTFOLIO}/meta"),
        ("GET-portfolio-ledger", f"{PORTFOLIO}/ledger"),
        ("GET-portfolio-summary", f"{PORTFOLIO}/summary"),
        ("GET-portfolio-positions-page0", f"{PORTFOLIO}/positions/0"),
        ("GET-portfolio-position-by-conid", f"{PORTFOLIO}/position/{AAPL}"),
        ("GET-portfolio-combo-positions-empty", f"{PORTFOLIO}/combo/positions"),
        ("GET-iserver-accounts", "/iserver/accounts"),
        ("GET-account-summary", f"/iserver/account/{ACCOUNT}/summary"),
        ("GET-account-summary-available-funds", f"/iserver/account/{ACCOUNT}/summary/available_funds"),
        ("GET-account-summary-balances", f"/iserver/account/{ACCOUNT}/summary/balances"),
    ],
)
def test_as_recorded(floor: Floor, name: str, path: str) -> None:
    theirs: Any = recorded(name)
    if name == "GET-iserver-accounts":
        theirs["acctProps"] = {ACCOUNT: next(iter(theirs["acctProps"].values()))}
        theirs["aliases"] = {ACCOUNT: ACCOUNT}
    if name == "GET-portfolio-position-by-conid":
        floor.get(path)  # the recording is of a later read
    if name == "GET-portfolio-positions-page0":
        floor.call("POST", f"{PORTFOLIO}/positions/invalidate")  # that of a first one
    assert misfits(floor.get(path), theirs) == []


def test_positions_of_all_accounts_as_recorded(floor: Floor) -> None:
    theirs = list(recorded("GET-portfolio-positions-by-conid").values())[-1]  # sparse; the first was read before
    assert misfits(floor.get(f"/portfolio/positions/{AAPL}")[ACCOUNT], theirs) == []
    assert misfits(floor.get(f"{PORTFOLIO}/allocation")["assetClass"], {"long": {"STK": 1.0, "CASH": 1.0}}) == []


def test_an_unfilled_order_changes_no_figure(floor: Floor) -> None:
    before = floor.get(f"{PORTFOLIO}/ledger")["USD"]["cashbalance"]
    floor.place(limit(price=round(floor.bid(AAPL) - 3, 2)))
    floor.wait(1)
    assert floor.get(f"{PORTFOLIO}/ledger")["USD"]["cashbalance"] == before
