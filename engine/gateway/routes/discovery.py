"""Finding instruments: symbol search, strikes and chains, stocks and futures by symbol, currency pairs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from engine.domain.instrument import SecType
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.records import Contract
from engine.gateway.rows import size_text

_MONTH: Final = re.compile(r"[A-Z]{3}[0-9]{2}")
_SEARCHED: Final = (SecType.STOCK, SecType.INDEX, SecType.CASH, SecType.CRYPTO)
_DERIVED: Final = (SecType.OPTION, SecType.FUTURE, SecType.FUTURE_OPTION)
_EXCHANGES: Final = {SecType.OPTION: "SMART;AMEX;CBOE", SecType.FUTURE: "CME", SecType.FUTURE_OPTION: "CME"}


def month_of(contract: Contract) -> str:
    """The month of an expiry as discovery writes it: `MAR26`."""
    return datetime.strptime(contract.expiry, "%Y%m%d").strftime("%b%y").upper()  # noqa: DTZ007  # a date, no moment


def derived(hall: Hall, conid: int) -> list[Contract]:
    """What derives from a contract, soonest first."""
    found = [
        contract
        for contract in hall.exchange.contracts.values()
        if contract.underlying == conid and contract.expiry and contract.instrument.sec_type in _DERIVED
    ]
    return sorted(found, key=lambda contract: (contract.expiry, contract.strike, contract.right))


def search(hall: Hall, call: Call) -> Answer:
    """GET or POST /iserver/secdef/search: listings of a symbol, or of a company's name."""
    told: dict[str, Any] = call.body if isinstance(call.body, dict) else {}
    wanted = str(call.first("symbol") or told.get("symbol") or "").strip().upper()
    by_name = str(call.first("name") or told.get("name") or "").lower() == "true"
    kind = str(call.first("secType") or told.get("secType") or "").upper()
    if not wanted:
        return refusal(400, "Bad Request: symbol is missing")
    rows = []
    for contract in hall.exchange.contracts.values():
        instrument = contract.instrument
        symbols = {instrument.symbol.upper(), instrument.symbol.upper().partition(".")[0]}
        hit = wanted in contract.name.upper() if by_name else wanted in symbols
        if not hit or instrument.sec_type not in _SEARCHED or (kind and not _is_kind(hall, contract, kind)):
            continue
        if not by_name:
            hall.memory.searched.add(instrument.conid)
        rows.append(_listing(hall, contract, short=by_name))
    return Answer(body=rows)


def _is_kind(hall: Hall, contract: Contract, kind: str) -> bool:
    own = contract.instrument.sec_type == kind
    return own or any(one.instrument.sec_type == kind for one in derived(hall, contract.instrument.conid))


def _listing(hall: Hall, contract: Contract, *, short: bool) -> dict[str, Any]:
    instrument = contract.instrument
    row: dict[str, Any] = {
        "conid": str(instrument.conid),
        "companyHeader": f"{contract.name} - {contract.listing}",
        "companyName": contract.name,
        "symbol": instrument.symbol,
    }
    if short:
        return row
    row |= {"description": contract.listing, "restricted": None}
    own: dict[str, Any] = {"secType": str(instrument.sec_type)}
    if instrument.sec_type is not SecType.STOCK:
        own["exchange"] = f"{instrument.exchange};"
    sections = [own]
    months: dict[SecType, list[str]] = {}
    for one in derived(hall, instrument.conid):
        months.setdefault(one.instrument.sec_type, []).append(month_of(one))
    for kind, names in months.items():
        text = ";".join(dict.fromkeys(names))
        sections.append({"secType": str(kind), "months": text, "exchange": _EXCHANGES[kind]})
    if instrument.sec_type is SecType.STOCK:
        sections.append({"secType": "BAG"})
    row["sections"] = sections
    if instrument.sec_type is not SecType.STOCK:
        row["secType"] = str(instrument.sec_type)
    return row


def _chain(hall: Hall, call: Call) -> list[Contract] | Answer:
    """The contracts of one underlying, kind and month; an answer instead where something is missing."""
    text = call.first("conid")
    if not text.isdecimal() or len(text) > 18:
        return refusal(400, "Bad Request: conid is missing")
    kind = (call.first("sectype") or call.first("secType")).upper()
    month = call.first("month").upper()
    return [
        one
        for one in derived(hall, int(text))
        if (not kind or one.instrument.sec_type == kind) and (not month or month_of(one) == month)
    ]


def strikes(hall: Hall, call: Call) -> Answer:
    """GET /iserver/secdef/strikes: of all expiries of a month; empty before a search, or for a month not as MMMYY."""
    chain = _chain(hall, call)
    if isinstance(chain, Answer):
        return chain
    known = int(call.first("conid")) in hall.memory.searched and bool(_MONTH.fullmatch(call.first("month").upper()))
    body = {
        name: sorted({float(one.strike) for one in chain if one.right == right}) if known else []
        for name, right in (("call", "C"), ("put", "P"))
    }
    return Answer(body=body)


def info(hall: Hall, call: Call) -> Answer:
    """GET /iserver/secdef/info: the contracts of a month, right and strike, every expiry and trading class."""
    month = call.first("month").upper()
    if month and not _MONTH.fullmatch(month):
        return refusal(400, "Bad Request: month must be as MAR26")
    chain = _chain(hall, call)
    if isinstance(chain, Answer):
        return chain
    strike, right = call.first("strike").strip(), call.first("right").upper()[:1]
    rows = [
        _derivative(one)
        for one in chain
        if (not right or one.right == right) and (strike in ("", "0") or _same_strike(one, strike))
    ]
    own = hall.exchange.contracts.get(int(call.first("conid")))
    if not rows and own is not None and own.instrument.sec_type == (call.first("sectype") or "STK").upper():
        rows = [_derivative(own)]
    return Answer(body=rows)


def _same_strike(contract: Contract, text: str) -> bool:
    try:
        return float(contract.strike) == float(text)
    except ValueError:
        return False


def _derivative(contract: Contract) -> dict[str, Any]:
    instrument = contract.instrument
    when = month_of(contract) if contract.expiry else ""
    words = [when[:3] + " " + when[3:], size_text(contract.strike), {"C": "Call", "P": "Put"}.get(contract.right, "")]
    return {
        "conid": instrument.conid,
        "symbol": instrument.symbol,
        "ticker": instrument.symbol,
        "companyName": contract.name,
        "priceRendering": None,
        "secType": str(instrument.sec_type),
        "exchange": instrument.exchange,
        "listingExchange": contract.listing,
        "right": contract.right or "?",
        "strike": float(contract.strike),
        "currency": instrument.currency,
        "cusip": None,
        "coupon": "No Coupon",
        "desc1": instrument.symbol,
        "desc2": " ".join(word for word in words if word.strip()) if contract.right else when,
        "maturityDate": contract.expiry or None,
        "multiplier": size_text(instrument.multiplier),
        "tradingClass": contract.trading_class,
        "validExchanges": ",".join(dict.fromkeys((instrument.exchange, contract.listing))),
    }


def stocks(hall: Hall, call: Call) -> Answer:
    """GET /trsrv/stocks: shares by symbol (capitals)."""
    body: dict[str, Any] = {}
    for symbol in _symbols(call):
        found = [
            contract
            for contract in hall.exchange.contracts.values()
            if contract.instrument.sec_type is SecType.STOCK and contract.instrument.symbol == symbol
        ]
        body[symbol] = [
            {
                "name": contract.name,
                "chineseName": contract.name.title(),
                "assetClass": "STK",
                "contracts": [
                    {
                        "conid": contract.instrument.conid,
                        "exchange": contract.listing,
                        "isUS": contract.instrument.currency == "USD",
                    }
                ],
            }
            for contract in found
        ]
    return Answer(body=body)


def bond_filters(hall: Hall, call: Call) -> Answer:
    """GET /iserver/secdef/bond-filters: what the bonds of an issuer can be told apart by; no market here has any."""
    del hall
    if call.first("symbol").upper() != "BOND" or not call.first("issuerId"):
        return refusal(400, "Bad Request: symbol must be BOND, and issuerId is needed")
    return Answer(body={"bondFilters": []})


def _symbols(call: Call) -> list[str]:
    return [name.strip() for text in call.query.get("symbols", []) for name in text.split(",") if name.strip()]


def futures(hall: Hall, call: Call) -> Answer:
    """GET /trsrv/futures: the listed contracts of futures symbols; dates are whole numbers."""
    body: dict[str, Any] = {}
    for symbol in _symbols(call):
        found = [
            contract
            for contract in hall.exchange.contracts.values()
            if contract.instrument.sec_type is SecType.FUTURE and contract.instrument.symbol == symbol
        ]
        if found:
            body[symbol] = [_future(contract) for contract in sorted(found, key=lambda one: one.expiry)]
    return Answer(body=body)


def _future(contract: Contract) -> dict[str, Any]:
    last = int(contract.last_trading or contract.expiry or 0)
    return {
        "symbol": contract.instrument.symbol,
        "conid": contract.instrument.conid,
        "underlyingConid": contract.underlying,
        "expirationDate": int(contract.expiry or 0),
        "ltd": last,
        "shortFuturesCutOff": last,
        "longFuturesCutOff": last,
    }


def all_conids(hall: Hall, call: Call) -> Answer:
    """GET /trsrv/all-conids: the shares of an exchange."""
    exchange = call.first("exchange").upper()
    return Answer(
        body=[
            {
                "ticker": contract.instrument.symbol,
                "conid": contract.instrument.conid,
                "exchange": contract.trading_class if contract.trading_class == "NMS" else contract.listing,
            }
            for contract in hall.exchange.contracts.values()
            if contract.instrument.sec_type is SecType.STOCK and exchange in ("", contract.listing.upper())
        ]
    )


def pairs(hall: Hall, call: Call) -> Answer:
    """GET /iserver/currency/pairs: the pairs that a currency is in."""
    currency = call.first("currency").upper()
    if not currency:
        return refusal(400, "Bad Request: currency is missing")
    rows = []
    for contract in hall.exchange.contracts.values():
        ends = contract.instrument.symbol.split(".")
        if contract.instrument.sec_type is SecType.CASH and currency in ends and len(ends) == 2:
            other = ends[1] if ends[0] == currency else ends[0]
            rows.append({"symbol": contract.instrument.symbol, "conid": contract.instrument.conid, "ccyPair": other})
    return Answer(body={currency: rows})


def exchange_rate(hall: Hall, call: Call) -> Answer:
    """GET /iserver/exchangerate: units of the target currency for one of the source."""
    source, target = call.first("source").upper(), call.first("target").upper()
    listed = {end for one in hall.exchange.contracts.values() for end in _ends(one)} | {hall.options.base}
    if source not in listed or target not in listed:
        return refusal(400, "Bad Request: source and target must be currencies that are quoted")
    return Answer(body={"rate": round(float(hall.exchange.rate(source) / hall.exchange.rate(target)), 8)})


def _ends(contract: Contract) -> list[str]:
    return contract.instrument.symbol.split(".") if contract.instrument.sec_type is SecType.CASH else []


def _route(template: str, handler: Any, tier: Tier = Tier.BROKERAGE, methods: tuple[str, ...] = ("GET",)) -> Route:
    return Route(methods=methods, template=template, handler=handler, tier=tier)


ROUTES: Final[tuple[Route, ...]] = (
    _route("/iserver/secdef/search", search, methods=("GET", "POST")),
    _route("/iserver/secdef/strikes", strikes),
    _route("/iserver/secdef/info", info),
    _route("/iserver/secdef/bond-filters", bond_filters),
    _route("/trsrv/stocks", stocks, Tier.OUTER),
    _route("/trsrv/futures", futures, Tier.OUTER),
    _route("/trsrv/all-conids", all_conids, Tier.OUTER),
    _route("/iserver/currency/pairs", pairs),
    _route("/iserver/exchangerate", exchange_rate),
)
