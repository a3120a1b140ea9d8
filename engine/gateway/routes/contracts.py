"""What is known of a contract: its details, trading rules, algos, security definitions and trading hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from engine.domain.instrument import SecType
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.fields import whole
from engine.gateway.hall import Hall
from engine.gateway.hours import NEW_YORK, day_of
from engine.gateway.records import Contract
from engine.gateway.rows import price_text, size_text
from engine.gateway.tickets import ALGOS
from engine.gateway.touch import touch

_DAYS: Final = 6  # how many days around today a schedule shows
_SHARES: Final = "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ"
_ORDERS: Final = ["limit", "midprice", "market", "stop", "stop_limit", "trailing_stop", "trailing_stop_limit"]
_CLOSING: Final = ["marketonclose", "limitonclose"]
_TIFS: Final = ["IOC/MARKET,LIMIT", "GTC/o,a", "OPG/LIMIT,MARKET,a", "DAY/o,a"]
_ALGO_FIELDS: Final = (
    ("startTime", "Start Time", "Time"), ("endTime", "End Time", "Time"), ("maxPctVol", "Max Percentage", "Double"),
)  # fmt: skip


def _found(hall: Hall, value: object) -> Contract | None:
    conid = whole(value)
    return hall.exchange.contracts.get(conid) if conid is not None else None


def _bad(conid: object) -> Answer:
    return refusal(400, f"Bad Request: no contract found for conid {str(conid)[:20]}")


def _valid(contract: Contract) -> str:
    stock = contract.instrument.sec_type is SecType.STOCK
    return _SHARES if stock else ",".join(dict.fromkeys((contract.instrument.exchange, contract.listing)))


def _details(contract: Contract) -> dict[str, Any]:
    instrument = contract.instrument
    derived = bool(contract.expiry)
    return {
        "cfi_code": "",
        "symbol": instrument.symbol,
        "cusip": None,
        "expiry_full": contract.expiry[:6] or None,
        "con_id": instrument.conid,
        "maturity_date": contract.expiry or None,
        "industry": contract.category or "Others",
        "instrument_type": str(instrument.sec_type),
        "has_related_contracts": instrument.sec_type in (SecType.STOCK, SecType.INDEX),
        "trading_class": contract.trading_class or instrument.symbol,
        "valid_exchanges": _valid(contract),
        "allow_sell_long": False,
        "is_zero_commission_security": False,
        "local_symbol": contract.local_symbol or instrument.symbol,
        "contract_clarification_type": None,
        "classifier": None,
        "currency": instrument.currency,
        "text": None,
        "underlying_con_id": contract.underlying,
        "r_t_h": True,
        "multiplier": size_text(instrument.multiplier) if derived else None,
        "underlying_issuer": None,
        "contract_month": contract.expiry[:6] or None,
        "company_name": contract.name,
        "smart_available": instrument.exchange == "SMART",
        "exchange": instrument.exchange,
        "category": contract.category or "Others",
    }


def _rules(hall: Hall, contract: Contract, *, buy: bool) -> dict[str, Any]:
    instrument = contract.instrument
    market = touch(hall.exchange, instrument.conid).price(buy=buy)
    price = float(market) if market is not None else 0.0
    tick = instrument.tick_at(market) if market is not None else instrument.price_ticks[0].tick
    exponent = tick.normalize().as_tuple().exponent
    stock = instrument.sec_type is SecType.STOCK
    combo = bool(instrument.legs)
    text = price_text(instrument, market) if market is not None else ""
    return {
        "algoEligible": stock,
        "overnightEligible": False,
        "costReport": False,
        "canTradeAcctIds": list(hall.exchange.accounts),
        "error": None,
        "orderTypes": ["limit", "market"] if combo else [*_ORDERS, *_CLOSING],
        "ibAlgoTypes": ["limit"] if stock else [],
        "fraqTypes": [],
        "forceOrderPreview": False,
        "cqtTypes": ["limit", "market", "stop", "mit", "stop_limit"] if stock else [],
        "orderDefaults": {"LMT": {"LP": text}},
        "orderTypesOutside": ["limit", "stop_limit"],
        "defaultSize": 100 if stock else 1,
        "cashSize": 0.0,
        "sizeIncrement": 100 if stock else 1,
        "tifTypes": list(_TIFS),
        "tifDefaults": {"TIF": "DAY", "SIZE": "100.00" if stock else "1.00"},
        "limitPrice": price,
        "stopprice": price,
        "orderOrigination": None,
        "preview": True,
        "displaySize": None,
        "fraqInt": 0,
        "cashCcy": instrument.currency,
        "cashQtyIncr": 500,
        "priceMagnifier": None,
        "negativeCapable": combo,
        "incrementType": 1,
        "incrementRules": [
            {"lowerEdge": float(step.above), "increment": float(step.tick)} for step in instrument.price_ticks
        ],
        "hasSecondary": stock,
        "allOrNoneEligible": False,
        "modTypes": ["limit", "market", "stop", "stop_limit"],
        "increment": float(tick),
        "incrementDigits": max(0, -exponent) if isinstance(exponent, int) else 0,
    }


def info(hall: Hall, call: Call) -> Answer:
    """GET /iserver/contract/{conid}/info: what a contract is."""
    contract = _found(hall, call.params["conid"])
    return _bad(call.params["conid"]) if contract is None else Answer(body=_details(contract))


def info_and_rules(hall: Hall, call: Call) -> Answer:
    """GET /iserver/contract/{conid}/info-and-rules: the same, with its trading rules."""
    contract = _found(hall, call.params["conid"])
    if contract is None:
        return _bad(call.params["conid"])
    buy = call.first("isBuy", "true").lower() == "true"
    return Answer(body=_details(contract) | {"rules": _rules(hall, contract, buy=buy)})


def rules(hall: Hall, call: Call) -> Answer:
    """POST /iserver/contract/rules: trading rules for one side; `modifyOrder` needs an orderId."""
    told = call.body if isinstance(call.body, dict) else {}
    contract = _found(hall, told.get("conid"))
    if contract is None:
        return _bad(told.get("conid"))
    if told.get("modifyOrder") and whole(told.get("orderId")) is None:
        return refusal(400, "Bad Request: orderId is missing")
    return Answer(body=_rules(hall, contract, buy=bool(told.get("isBuy", True))))


def algos(hall: Hall, call: Call) -> Answer:
    """GET /iserver/contract/{conid}/algos: empty the first time a contract is asked for; parameters on request."""
    conid = call.params["conid"]
    contract = _found(hall, conid)
    if contract is None:
        return refusal(503, "Service Unavailable")
    key = f"algos:{conid}"
    if key not in hall.memory.primed and hall.options.observed:
        hall.memory.primed.add(key)
        return Answer(body={"algos": []})
    wanted = [name for text in call.query.get("algos", []) for name in text.replace(",", ";").split(";") if name][:8]
    rows = []
    for name in sorted(ALGOS) if contract.instrument.sec_type is SecType.STOCK else []:
        if wanted and name not in wanted:
            continue
        row: dict[str, Any] = {"name": name, "id": name}
        if call.first("addDescription") == "1":
            row["description"] = f"{name} works an order in parts; this market executes it as its plain order type"
        if call.first("addParams") == "1":
            row["parameters"] = _parameters(name)
        rows.append(row)
    return Answer(body={"algos": rows})


def _parameters(name: str) -> list[dict[str, Any]]:
    if name == "Adaptive":
        levels = ["Urgent", "Normal", "Patient"]
        return [
            {
                "guiRank": 1,
                "defaultValue": "Normal",
                "name": "Adaptive order priority/urgency",
                "id": "adaptivePriority",
                "legalStrings": levels,
                "required": "true",
                "valueClassName": "String",
            }
        ]
    return [
        {"guiRank": rank, "defaultValue": False, "name": title, "id": field, "valueClassName": kind}
        for rank, (field, title, kind) in enumerate(_ALGO_FIELDS, start=1)
    ]


def security_definitions(hall: Hall, call: Call) -> Answer:
    """GET or POST /trsrv/secdef: definitions of up to 200 conids; no brokerage session is needed."""
    listed = call.body.get("conids") if isinstance(call.body, dict) else None
    texts = listed if isinstance(listed, list) else [t for v in call.query.get("conids", []) for t in v.split(",") if t]
    if not texts:
        return refusal(400, "Bad Request: conids is missing")
    found = [contract for text in texts if (contract := _found(hall, text)) is not None]
    return Answer(body={"secdef": [_definition(contract) for contract in found]})


def _definition(contract: Contract) -> dict[str, Any]:
    instrument = contract.instrument
    stock = instrument.sec_type is SecType.STOCK
    steps = [{"lowerEdge": float(step.above), "increment": float(step.tick)} for step in instrument.price_ticks]
    exponent = instrument.price_ticks[0].tick.normalize().as_tuple().exponent
    digits = max(0, -exponent) if isinstance(exponent, int) else 0
    return {
        "conid": instrument.conid,
        "currency": instrument.currency,
        "time": 43,
        "chineseName": contract.name.title(),
        "allExchanges": _valid(contract),
        "listingExchange": contract.listing,
        "countryCode": "US",
        "name": contract.name,
        "assetClass": str(instrument.sec_type),
        "expiry": contract.expiry or None,
        "lastTradingDay": contract.last_trading or None,
        "group": contract.category or None,
        "putOrCall": contract.right or None,
        "sector": contract.sector or None,
        "sectorGroup": contract.category or None,
        "strike": size_text(contract.strike),
        "ticker": instrument.symbol,
        "undConid": contract.underlying,
        "multiplier": float(instrument.multiplier) if contract.expiry else 0.0,
        "type": "COMMON" if stock else "",
        "hasOptions": stock,
        "fullName": contract.local_symbol or instrument.symbol,
        "isUS": instrument.currency == "USD",
        "isEventContract": False,
        "incrementRules": steps,
        "displayRule": {
            "magnification": 0,
            "displayRuleStep": [{"decimalDigits": digits, "lowerEdge": 0.0, "wholeDigits": 4}],
        },
        "pageSize": 100,
    }


def _sessions(hall: Hall, contract: Contract) -> dict[str, list[tuple[int, int]]]:
    """Regular sessions of the days around today, by date; a market that never closes is open all day."""
    now_ns = hall.exchange.now_ns
    sessions = hall.exchange.sessions(contract.instrument.conid)
    days = [day_of(now_ns + number * NS_PER_DAY) for number in range(-1, _DAYS - 1)]
    if sessions.always:
        starts = [datetime(day.year, day.month, day.day, tzinfo=NEW_YORK) for day in days]
        return {
            f"{start:%Y%m%d}": [
                (int(start.timestamp()) * NS_PER_S, int((start + timedelta(days=1)).timestamp()) * NS_PER_S)
            ]
            for start in starts
        }
    found: dict[str, list[tuple[int, int]]] = {}
    for opens, closes in zip(sessions.opens_ns, sessions.closes_ns, strict=True):
        day = day_of(closes - 1)  # a session that begins the evening before counts to the day it ends on
        if day in days:
            found.setdefault(f"{day:%Y%m%d}", []).append((opens, closes))
    return found


def trading_schedule(hall: Hall, call: Call) -> Answer:
    """GET /contract/trading-schedule: sessions in epoch seconds, by date."""
    contract = _found(hall, call.first("conid"))
    if contract is None:
        return _bad(call.first("conid"))
    before, after = (minutes * NS_PER_MINUTE for minutes in contract.instrument.outside_hours)
    schedules = {
        day: {
            "liquid_hours": [{"opening": opens // NS_PER_S, "closing": closes // NS_PER_S} for opens, closes in times],
            "extended_hours": [
                {
                    "opening": (opens - before) // NS_PER_S,
                    "closing": (closes + after) // NS_PER_S,
                    "cancel_daily_orders": True,
                }
                for opens, closes in times
            ],
        }
        for day, times in _sessions(hall, contract).items()
    }
    return Answer(body={"exchange_time_zone": "US/Eastern", "schedules": schedules})


def old_schedule(hall: Hall, call: Call) -> Answer:
    """GET /trsrv/secdef/schedule: the older form, with local times of day as texts."""
    contract = _found(hall, call.first("conid")) if call.first("conid") else None
    if contract is None:
        named = (one for one in hall.exchange.contracts.values() if one.instrument.symbol == call.first("symbol"))
        kind = call.first("assetClass")
        contract = next((one for one in named if one.instrument.sec_type == kind), None)
    if contract is None:
        return refusal(400, "Bad Request: no contract found")
    before, after = (minutes * NS_PER_MINUTE for minutes in contract.instrument.outside_hours)
    schedules = [
        {
            "clearingCycleEndTime": "0000",
            "tradingScheduleDate": day,
            "sessions": [
                {"openingTime": _clock(opens), "closingTime": _clock(closes), "prop": "LIQUID"}
                for opens, closes in times
            ],
            "tradingtimes": [
                {"openingTime": _clock(opens - before), "closingTime": _clock(closes + after), "cancelDayOrders": "Y"}
                for opens, closes in times
            ],
        }
        for day, times in _sessions(hall, contract).items()
    ]
    row = {
        "id": f"p{contract.instrument.conid % 100_000}",
        "tradeVenueId": f"v{contract.instrument.conid % 1_000}",
        "timezone": "America/New_York",
        "schedules": schedules,
    }
    return Answer(body=[row])


def _clock(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // NS_PER_S, NEW_YORK).strftime("%H%M")


def _route(template: str, handler: Any, tier: Tier = Tier.BROKERAGE, methods: tuple[str, ...] = ("GET",)) -> Route:
    return Route(methods=methods, template=template, handler=handler, tier=tier)


_CONTRACT: Final = "/iserver/contract/{conid}"

ROUTES: Final[tuple[Route, ...]] = (
    _route(f"{_CONTRACT}/info", info),
    _route(f"{_CONTRACT}/info-and-rules", info_and_rules),
    _route(f"{_CONTRACT}/algos", algos),
    _route("/iserver/contract/rules", rules, methods=("POST",)),
    _route("/trsrv/secdef", security_definitions, Tier.OUTER, ("GET", "POST")),
    _route("/trsrv/secdef/schedule", old_schedule, Tier.OUTER),
    _route("/contract/trading-schedule", trading_schedule, Tier.OUTER),
)
