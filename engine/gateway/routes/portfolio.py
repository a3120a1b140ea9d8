"""The read-only tier's accounts, cash and figures: accounts, subaccounts, ledger, summary, allocation.

All of it is worked out from the exchange's books as of now, so that it agrees with the fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from engine.domain.instrument import SecType
from engine.domain.moments import NS_PER_S
from engine.gateway.accounts import UNPAID
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.rows import contract_of
from engine.gateway.tops import mark

_PAGE: Final = 20
_ZERO: Final = Decimal(0)
_OPENED_MS: Final = 1_644_814_800_000
# By kind of instrument: the ledger's row of its market value.
_VALUES: Final = {
    SecType.STOCK: "stockmarketvalue",
    SecType.OPTION: "stockoptionmarketvalue",
    SecType.FUTURE: "futuremarketvalue",
    SecType.FUTURE_OPTION: "futureoptionmarketvalue",
    SecType.CRYPTO: "cryptocurrencyvalue",
}
_LEDGER: Final = (
    "commoditymarketvalue", "futuremarketvalue", "settledcash", "cashbalance", "corporatebondsmarketvalue",
    "warrantsmarketvalue", "netliquidationvalue", "interest", "unrealizedpnl", "stockmarketvalue", "moneyfunds",
    "realizedpnl", "funds", "issueroptionsmarketvalue", "stockoptionmarketvalue", "futuresonlypnl",
    "tbondsmarketvalue", "futureoptionmarketvalue", "cashbalancefxsegment", "tbillsmarketvalue", "dividends",
    "cryptocurrencyvalue",
)  # fmt: skip


def unknown_account(account: str) -> Answer:
    """What the read-only tier says of an account that this login does not have."""
    return refusal(401, f"Unauthorized: no access to account {account}")


def account_row(hall: Hall, account: str) -> dict[str, Any]:
    """An account as `/portfolio/accounts` describes it."""
    paper = hall.session.is_paper
    row: dict[str, Any] = {
        "id": account,
        "PrepaidCrypto-Z": False,
        "PrepaidCrypto-P": False,
        "brokerageAccess": True,
        "accountId": account,
        "accountVan": account,
        "accountTitle": "",
        "displayName": account,
        "accountAlias": None,
        "accountStatus": _OPENED_MS,
        "currency": hall.options.base,
        "type": "DEMO" if paper else "INDIVIDUAL",
        "tradingType": "STKNOPT" if hall.options.observed else "PMRGN",
        "businessType": "INDEPENDENT" if hall.options.observed else "IB_PROSERVE",
        "ibEntity": "IBLLC-US",
        "faclient": False,
        "clearingStatus": "O",
        "covestor": False,
        "noClientTrading": False,
        "trackVirtualFXPortfolio": not hall.options.observed,
        "parent": {"mmc": [], "accountId": "", "isMParent": False, "isMChild": False, "isMultiplex": False},
        "desc": account,
    }
    return row | {"category": "", "acctCustType": "INDIVIDUAL"} if hall.options.observed else row


def accounts(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/accounts and /portfolio/subaccounts."""
    del call
    return Answer(body=[account_row(hall, account) for account in hall.exchange.accounts[:100]])


def paged_accounts(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/subaccounts2: 20 a page."""
    text = call.first("page", "0")
    page = int(text) if text.isdecimal() and len(text) < 9 else 0
    found = hall.exchange.accounts[page * _PAGE : (page + 1) * _PAGE]
    total = len(hall.exchange.accounts)
    head = {"total": total, "pageSize": _PAGE, "pageNum": page}
    return Answer(body={"metadata": head, "subaccounts": [account_row(hall, account) for account in found]})


def meta(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/meta: one account's row."""
    account = call.params["accountId"]
    if account not in hall.exchange.accounts:
        return unknown_account(account)
    return Answer(body=account_row(hall, account))


def ledger(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/ledger: figures by currency, and `BASE` for all of them in the base currency."""
    account = call.params["accountId"]
    if account not in hall.exchange.accounts:
        return unknown_account(account)
    figures: dict[str, dict[str, Decimal]] = {}
    for currency, cash in hall.exchange.cash(account).items():
        mine = figures.setdefault(currency, {})
        for name in ("cashbalance", "settledcash", "netliquidationvalue"):
            mine[name] = mine.get(name, _ZERO) + cash
    for position in hall.exchange.positions(account):
        instrument = contract_of(hall, position.conid).instrument
        mine = figures.setdefault(instrument.currency, {})
        value, gain = worth(hall, position.conid, position.quantity, position.cost)
        paid = instrument.sec_type not in UNPAID
        for key, amount in (
            (_VALUES.get(instrument.sec_type), value if paid else gain),
            ("netliquidationvalue", value if paid else gain),
            ("unrealizedpnl", gain),
            ("realizedpnl", position.realised),
            ("futuresonlypnl" if instrument.sec_type is SecType.FUTURE else None, gain),
        ):
            if key is not None:
                mine[key] = mine.get(key, _ZERO) + amount
    body = {
        currency: _ledger_row(hall, account, currency, mine, hall.exchange.rate(currency), end=True)
        for currency, mine in figures.items()
    }
    total: dict[str, Decimal] = {}
    for currency, mine in figures.items():
        for name, amount in mine.items():
            total[name] = total.get(name, _ZERO) + amount * hall.exchange.rate(currency)
    body["BASE"] = _ledger_row(hall, account, "BASE", total, Decimal(1), end=hall.options.observed)
    return Answer(body=body)


def worth(hall: Hall, conid: int, quantity: Decimal, cost: Decimal) -> tuple[Decimal, Decimal]:
    """Market value and unrealised profit of a position; at cost where no price is known."""
    top = hall.exchange.top(conid) if quantity else None
    price = mark(top) if top is not None else float("nan")
    if price != price:
        return cost, _ZERO
    instrument = contract_of(hall, conid).instrument
    value = instrument.price(price) * quantity * instrument.multiplier
    return value, value - cost


def _ledger_row(
    hall: Hall, account: str, currency: str, figures: Mapping[str, Decimal], rate: Decimal, *, end: bool
) -> dict[str, Any]:
    row: dict[str, Any] = {name: round(float(figures.get(name, _ZERO)), 4) for name in _LEDGER}
    if not hall.options.observed:
        del row["cryptocurrencyvalue"]
    row |= {
        "exchangerate": 1 if rate == 1 else float(rate),
        "sessionid": 1,
        "currency": currency,
        "acctcode": account,
        "key": "LedgerList",
        "timestamp": hall.exchange.now_ns // NS_PER_S,
        "severity": 0,
        "secondkey": currency,
    }
    return row | {"endofbundle": 1} if end else row


def summary(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/summary: figures of the whole account, its securities (-s) and commodities (-c)."""
    account = call.params["accountId"]
    if account not in hall.exchange.accounts:
        return unknown_account(account)
    funds = hall.exchange.funds(account)
    base, net = funds.base, funds.net_liquidation
    amounts: dict[str, Decimal] = {
        "accruedcash": _ZERO,
        "accrueddividend": _ZERO,
        "availablefunds": funds.available,
        "availabletotrade": funds.available,
        "availabletowithdraw": funds.available,
        "billable": _ZERO,
        "buyingpower": funds.buying_power,
        "equitywithloanvalue": net,
        "excessliquidity": funds.excess_liquidity,
        "fullavailablefunds": funds.available,
        "fullexcessliquidity": funds.excess_liquidity,
        "fullinitmarginreq": funds.initial_margin,
        "fullmaintmarginreq": funds.maintenance_margin,
        "grosspositionvalue": funds.position_value,
        "guarantee": _ZERO,
        "indianstockhaircut": _ZERO,
        "initmarginreq": funds.initial_margin,
        "lookaheadavailablefunds": funds.available,
        "lookaheadexcessliquidity": funds.excess_liquidity,
        "lookaheadinitmarginreq": funds.initial_margin,
        "lookaheadmaintmarginreq": funds.maintenance_margin,
        "maintmarginreq": funds.maintenance_margin,
        "netliquidation": net,
        "pasharesvalue": _ZERO,
        "physicalcertificatevalue": _ZERO,
        "postexpirationexcess": _ZERO,
        "postexpirationmargin": _ZERO,
        "previousdayequitywithloanvalue": net - funds.daily,
        "regtequity": net,
        "regtmargin": funds.initial_margin,
        "settledcash": funds.cash,
        "sma": funds.available,
        "totalcashvalue": funds.cash,
        "totaldebitcardpendingcharges": _ZERO,
    }
    body: dict[str, Any] = {
        "accountcode": _text(hall, account),
        "accounttype": _text(hall, "INDIVIDUAL"),
        "accountready": _text(hall, "true"),
        "tradingtype-s": _text(hall, "STKNOPT"),
        "segmenttitle-s": _text(hall, "US Securities"),
        "segmenttitle-c": _text(hall, "US Commodities"),
        "whatifpmenabled": _text(hall, "true"),
        "nlvandmargininreview": _text(hall, "false"),
        "highestseverity": _amount(hall, _ZERO, None),
        "netliquidationuncertainty": _amount(hall, _ZERO, base),
        "depositoncredithold": _amount(hall, _ZERO, base),
        "cushion": _amount(hall, funds.excess_liquidity / net if net else _ZERO, None),
        "leverage-s": _amount(hall, funds.position_value / net if net else _ZERO, None),
        "lookaheadnextchange": _amount(hall, _ZERO, None),
        "daytradesremaining": _amount(hall, Decimal(-1), None),
    }
    for name, amount in amounts.items():
        body[name] = _amount(hall, amount, base)
        body[f"{name}-s"] = _amount(hall, amount, base)
        body[f"{name}-c"] = _amount(hall, _ZERO, base)
    return Answer(body=body)


def _cell(hall: Hall, amount: float, currency: str | None, value: str | None) -> dict[str, Any]:
    now_ns = hall.exchange.now_ns
    return {
        "amount": amount,
        "currency": currency,
        "isNull": False,
        "timestamp": now_ns // NS_PER_S if hall.options.observed else now_ns // 1_000_000,
        "value": value,
        "severity": 0,
    }


def _text(hall: Hall, text: str) -> dict[str, Any]:
    return _cell(hall, 0.0, None, text)


def _amount(hall: Hall, amount: Decimal, currency: str | None) -> dict[str, Any]:
    number = round(float(amount), 4)
    return _cell(hall, number, currency, str(number) if hall.options.observed else None)


def allocation(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/allocation: market value by class, sector and group, long and short."""
    account = call.params["accountId"]
    if account not in hall.exchange.accounts:
        return unknown_account(account)
    return Answer(body=_allocated(hall, [account]))


def joint_allocation(hall: Hall, call: Call) -> Answer:
    """POST /portfolio/allocation: the same for several accounts together."""
    wanted = call.body.get("acctIds") if isinstance(call.body, dict) else None
    if not isinstance(wanted, list) or not wanted:
        return refusal(400, "Bad Request: acctIds must be a list of accounts")
    for account in wanted:
        if account not in hall.exchange.accounts:
            return unknown_account(str(account))
    return Answer(body=_allocated(hall, wanted))


def _allocated(hall: Hall, names: list[str]) -> dict[str, Any]:
    body: dict[str, dict[str, dict[str, float]]] = {
        kind: {"long": {}, "short": {}} for kind in ("assetClass", "sector", "group")
    }

    def add(kind: str, name: str, value: Decimal) -> None:
        if value:
            side = body[kind]["long" if value > 0 else "short"]
            side[name] = round(side.get(name, 0.0) + float(value), 2)

    for account in names:
        for position in hall.exchange.positions(account):
            contract = contract_of(hall, position.conid)
            value, _ = worth(hall, position.conid, position.quantity, position.cost)
            value *= hall.exchange.rate(contract.instrument.currency)
            add("assetClass", str(contract.instrument.sec_type), value)
            add("sector", contract.sector or "Others", value)
            add("group", contract.category or "Others", value)
        add("assetClass", "CASH", hall.exchange.funds(account).cash)
    return body


_ACCOUNT: Final = "/portfolio/{accountId}"


def _route(method: str, template: str, handler: Any, *, after: bool = True) -> Route:
    return Route(methods=(method,), template=template, handler=handler, tier=Tier.OUTER, after_portfolio=after)


ROUTES: Final[tuple[Route, ...]] = (
    _route("GET", "/portfolio/accounts", accounts, after=False),
    _route("GET", "/portfolio/subaccounts", accounts, after=False),
    _route("GET", "/portfolio/subaccounts2", paged_accounts, after=False),
    _route("GET", f"{_ACCOUNT}/meta", meta),
    _route("GET", f"{_ACCOUNT}/ledger", ledger),
    _route("GET", f"{_ACCOUNT}/summary", summary),
    _route("GET", f"{_ACCOUNT}/allocation", allocation),
    _route("POST", "/portfolio/allocation", joint_allocation),
)
