"""The brokerage tier's accounts: the list that must be read first, the selected account, its profit and figures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.records import Funds
from engine.gateway.session import SERVER_INFO

_SHORT: Final = ["2h", "1d", "2d", "1w", "1m"]
_CHARTS: Final = {
    "STK": ["*"], "CFD": ["*"], "OPT": _SHORT, "FOP": _SHORT, "WAR": _SHORT, "IOPT": ["*"], "FUT": ["*"],
    "CASH": ["*"], "IND": ["*"], "BOND": ["*"], "FUND": ["*"], "CMDTY": ["*"], "PHYSS": ["*"], "CRYPTO": ["*"],
}  # fmt: skip
_ON: Final = (
    "showGFIS", "allowEventContract", "allowFXConv", "allowMTA", "allowTypeAhead", "allowEventTrading", "showWebNews",
    "research", "debugPnl", "showTaxOpt", "showImpactDashboard", "allowCrypto", "sideBySide",
)  # fmt: skip
_OFF: Final = (
    "showEUCostReport", "allowFinancialLens", "liteUser", "allowDynAccount", "allowFA", "allowLiteUnderPro",
    "restrictTradeSubscription", "showUkUserLabels",
)  # fmt: skip
_ASSETS: Final = "STK,CFD,OPT,FOP,WAR,FUT,BAG,PDC,CASH,IND,BOND,BILL,FUND,SLB,News,CMDTY,IOPT,ICU,ICS,PHYSS,CRYPTO"


def accounts(hall: Hall, call: Call) -> Answer:
    """GET /iserver/accounts: what may be traded in; the shell notes that it was read."""
    del call
    names = list(hall.exchange.accounts)
    features: dict[str, Any] = dict.fromkeys(_ON, True) | dict.fromkeys(_OFF, False)
    features |= {"snapshotRefreshTimeout": 30, "allowedAssetTypes": _ASSETS}
    properties = {
        "hasChildAccounts": False,
        "supportsCashQty": True,
        "liteUnderPro": False,
        "noFXConv": False,
        "isProp": False,
        "supportsFractions": False,
        "allowCustomerTime": False,
        "autoFx": False,
    }
    return Answer(
        body={
            "accounts": names,
            "acctProps": {name: dict(properties) for name in names},
            "aliases": {name: name for name in names},
            "allowFeatures": features,
            "chartPeriods": _CHARTS,
            "groups": sorted(hall.shelf.get("groups", {})),
            "profiles": [],
            "selectedAccount": hall.memory.selected,
            "serverInfo": SERVER_INFO,
            "sessionId": hall.session.brokerage_id,
            "isFT": False,
            "isPaper": hall.session.is_paper,
        }
    )


def select(hall: Hall, call: Call) -> Answer:
    """POST /iserver/account: choose the account that order reads follow."""
    account = call.body.get("acctId") if isinstance(call.body, dict) else None
    if account is None:
        return refusal(400, "Bad Request: acctId is missing")
    if account not in hall.exchange.accounts:
        return refusal(500, "Invalid account ID")
    if account == hall.memory.selected:
        return Answer(body={"success": "Account already set"})
    hall.memory.selected = account
    return Answer(body={"set": True, "acctId": account})


def profit(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/pnl/partitioned: profit by account and model; the first read is empty."""
    del call
    cold = "pnl" not in hall.memory.primed
    hall.memory.primed.add("pnl")
    if cold and hall.options.observed:
        return Answer(body={"upnl": {}})
    account = hall.memory.selected
    funds = hall.exchange.funds(account)
    row = {
        "rowType": 1,
        "dpl": float(funds.daily),
        "nl": float(funds.net_liquidation),
        "upl": float(funds.unrealised),
        "uel": float(funds.excess_liquidity),
        "el": float(funds.excess_liquidity),
        "mv": float(funds.position_value),
    }
    return Answer(body={"upnl": {f"{account}.Core": row}})


def _funds(hall: Hall, call: Call) -> Funds | None:
    account = call.params["accountId"]
    return hall.exchange.funds(account) if account in hall.exchange.accounts else None


def _unknown(call: Call) -> Answer:
    return refusal(400, f"Bad Request: accountId is not valid: {call.params['accountId']}")


def summary(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/{accountId}/summary: figures as numbers, cash by currency with a row for the total."""
    funds = _funds(hall, call)
    if funds is None:
        return _unknown(call)
    cash = hall.exchange.cash(call.params["accountId"])
    balances = [
        {"currency": currency, "balance": float(amount), "settledCash": float(amount)}
        for currency, amount in cash.items()
    ]
    total = float(funds.cash)
    balances.append({"currency": f"Total (in {funds.base})", "balance": total, "settledCash": total})
    net = float(funds.net_liquidation)
    return Answer(
        body={
            "accountType": "",
            "status": "",
            "balance": net,
            "SMA": float(funds.available),
            "buyingPower": float(funds.buying_power),
            "availableFunds": float(funds.available),
            "excessLiquidity": float(funds.excess_liquidity),
            "netLiquidationValue": net,
            "equityWithLoanValue": net,
            "regTLoan": 0.0,
            "securitiesGVP": float(funds.position_value),
            "totalCashValue": total,
            "accruedInterest": 0.0,
            "regTMargin": 0.0,
            "initialMargin": float(funds.initial_margin),
            "maintenanceMargin": float(funds.maintenance_margin),
            "cashBalances": balances,
        }
    )


def _segments(funds: Funds, amounts: dict[str, Decimal], plain: dict[str, str]) -> Answer:
    """Display strings by segment; everything of this market lies in securities."""
    filled = {name: f"{amount:,.0f} {funds.base}" for name, amount in amounts.items()} | plain
    empty = dict.fromkeys(amounts, f"0 {funds.base}") | dict.fromkeys(plain, "0.00")
    return Answer(
        body={"total": filled, "Crypto at Paxos": empty, "commodities": dict(empty), "securities": dict(filled)}
    )


def available_funds(hall: Hall, call: Call) -> Answer:
    """GET .../summary/available_funds."""
    funds = _funds(hall, call)
    if funds is None:
        return _unknown(call)
    net = funds.net_liquidation
    amounts = {
        "current_available": funds.available,
        "current_excess": funds.excess_liquidity,
        "Prdctd Pst-xpry Excss": Decimal(0),
        "Lk Ahd Avlbl Fnds": funds.available,
        "Lk Ahd Excss Lqdty": funds.excess_liquidity,
        "overnight_available": funds.available,
        "overnight_excess": funds.excess_liquidity,
        "buying_power": funds.buying_power,
        "look_ahead_available": funds.available,
        "look_ahead_excess": funds.excess_liquidity,
    }
    leverage = f"{funds.position_value / net:.2f}" if net else "n/a"
    return _segments(
        funds, amounts, {"leverage": leverage, "day_trades_left": "Unlimited", "Lk Ahd Nxt Chng": "@ 16:00:00"}
    )


def balances(hall: Hall, call: Call) -> Answer:
    """GET .../summary/balances."""
    funds = _funds(hall, call)
    if funds is None:
        return _unknown(call)
    amounts = {
        "net_liquidation": funds.net_liquidation,
        "equity_with_loan": funds.net_liquidation,
        "Nt Lqdtn Uncrtnty": Decimal(0),
        "previous_day_equity_with_loan": funds.net_liquidation - funds.daily,
        "securities_gross_position_value": funds.position_value,
        "cash": funds.cash,
        "MTD Interest": Decimal(0),
        "Pndng Dbt Crd Chrgs": Decimal(0),
    }
    return _segments(funds, amounts, {})


def margins(hall: Hall, call: Call) -> Answer:
    """GET .../summary/margins."""
    funds = _funds(hall, call)
    if funds is None:
        return _unknown(call)
    amounts = {
        "current_initial": funds.initial_margin,
        "Prdctd Pst-xpry Mrgn @ Opn": Decimal(0),
        "current_maint": funds.maintenance_margin,
        "projected_liquidity_inital_margin": funds.initial_margin,
        "Prjctd Lk Ahd Mntnnc Mrgn": funds.maintenance_margin,
        "projected_overnight_initial_margin": funds.initial_margin,
        "Prjctd Ovrnght Mntnnc Mrgn": funds.maintenance_margin,
    }
    return _segments(funds, amounts, {})


def market_value(hall: Hall, call: Call) -> Answer:
    """GET .../summary/market_value: by currency, and their total."""
    funds = _funds(hall, call)
    if funds is None:
        return _unknown(call)
    body: dict[str, dict[str, str]] = {}
    for currency, amount in hall.exchange.cash(call.params["accountId"]).items():
        body[currency] = {
            "total_cash": f"{amount:,.0f} {currency}",
            "Exchange Rate": f"{hall.exchange.rate(currency):f}",
        }
    total = {
        "total_cash": funds.cash,
        "settled_cash": funds.cash,
        "MTD Interest": Decimal(0),
        "stock": funds.stock_value,
        "options": Decimal(0),
        "futures": Decimal(0),
        "net_liquidation": funds.net_liquidation,
        "unrealized_pnl": funds.unrealised,
        "realized_pnl": funds.realised,
    }
    body[f"Total (in {funds.base})"] = {name: f"{amount:,.0f} {funds.base}" for name, amount in total.items()}
    return Answer(body=body)


def search(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/search/{pattern}: only users with the dynamic account property may."""
    del hall, call
    return refusal(503, "Details currently unavailable. Please try again later and contact client services")


def dynamic(hall: Hall, call: Call) -> Answer:
    """POST /iserver/dynaccount: only users with the dynamic account property may."""
    del hall, call
    return refusal(401, "Unauthorized: this user has no dynamic accounts")


def owners(hall: Hall, call: Call) -> Answer:
    """GET /acesws/{accountId}/signatures-and-owners: the one person whom all accounts here belong to."""
    account, name = call.params["accountId"], hall.session.username
    if account not in hall.exchange.accounts:
        return _unknown(call)
    person = {"entityName": name, "entityType": "INDIVIDUAL", "firstName": name, "lastName": ""}
    return Answer(
        body={
            "accountId": account,
            "applicant": {"signatures": [name]},
            "users": [{"entity": person, "hasRightCodeInd": True, "roleId": "OWNER", "userName": name}],
        }
    )


_SUMMARY: Final = "/iserver/account/{accountId}/summary"


def _route(method: str, template: str, handler: Any, *, after: bool = True) -> Route:
    return Route(methods=(method,), template=template, handler=handler, tier=Tier.BROKERAGE, after_accounts=after)


ROUTES: Final[tuple[Route, ...]] = (
    _route("GET", "/iserver/accounts", accounts, after=False),
    _route("POST", "/iserver/account", select),
    _route("GET", "/iserver/account/pnl/partitioned", profit),
    _route("GET", _SUMMARY, summary),
    _route("GET", f"{_SUMMARY}/available_funds", available_funds),
    _route("GET", f"{_SUMMARY}/balances", balances),
    _route("GET", f"{_SUMMARY}/margins", margins),
    _route("GET", f"{_SUMMARY}/market_value", market_value),
    _route("GET", "/iserver/account/search/{pattern}", search),
    _route("POST", "/iserver/dynaccount", dynamic),
    Route(methods=("GET",), template="/acesws/{accountId}/signatures-and-owners", handler=owners, tier=Tier.OUTER),
)
