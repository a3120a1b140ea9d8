"""Market scanners over this market's shares and futures: its parameters, a run, and the older form below /hmds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.domain.instrument import SecType
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.fields import number
from engine.gateway.hall import Hall
from engine.gateway.records import Contract, Top
from engine.gateway.rows import listing, stamp

_MOST: Final = 50
_MOST_OLD: Final = 250
_KINDS: Final = {"STK": SecType.STOCK, "ETF.EQ.US": SecType.STOCK, "FUT.US": SecType.FUTURE}
_FUNDS: Final = frozenset({"ARCA", "BATS"})  # where this market's funds are listed


def _change(top: Top) -> float:
    return (top.last / top.prior_close - 1) * 100 if top.prior_close else float("nan")


# By code: name, column, what is measured, whether the most comes first.
_SCANS: Final[dict[str, tuple[str, str, Callable[[Top], float], bool]]] = {
    "TOP_PERC_GAIN": ("Top % Gainers", "Chg%", _change, True),
    "TOP_PERC_LOSE": ("Top % Losers", "Chg%", _change, False),
    "MOST_ACTIVE": ("Most Active", "Volume", lambda top: top.volume, True),
    "MOST_ACTIVE_USD": ("Most Active ($)", "$ Volume", lambda top: top.volume * top.last, True),
    "TOP_TRADE_COUNT": ("Top Trade Count", "Trades", lambda top: top.volume / 100, True),
    "HIGH_PRICE": ("Highest Price", "Price", lambda top: top.last, True),
    "LOW_PRICE": ("Lowest Price", "Price", lambda top: top.last, False),
}
# By code: name, what is measured, whether it is a lower bound.
_FILTERS: Final[dict[str, tuple[str, Callable[[Top], float], bool]]] = {
    "priceAbove": ("Price Greater Than", lambda top: top.last, True),
    "priceBelow": ("Price Less Than", lambda top: top.last, False),
    "changePercAbove": ("Change % Greater Than", _change, True),
    "changePercBelow": ("Change % Less Than", _change, False),
    "volumeAbove": ("Volume Greater Than", lambda top: top.volume, True),
}
_PLACES: Final = {
    "STK": ("US Stocks", "STK.US", ("STK.US.MAJOR", "STK.US.MINOR", "STK.US")),
    "ETF.EQ.US": ("US Equity ETFs", "ETF.EQ.US", ("ETF.EQ.US.MAJOR", "ETF.EQ.US")),
    "FUT.US": ("US Futures", "FUT.US", ("FUT.US.CME", "FUT.US")),
}


def parameters(hall: Hall, call: Call) -> Answer:
    """GET /iserver/scanner/params: what can be scanned, where, by what."""
    del hall, call
    instruments = list(_KINDS)
    return Answer(
        body={
            "scan_type_list": [
                {"display_name": scan[0], "code": code, "instruments": instruments} for code, scan in _SCANS.items()
            ],
            "instrument_list": [
                {"display_name": place[0], "type": kind, "filters": list(_FILTERS)} for kind, place in _PLACES.items()
            ],
            "filter_list": [
                {"group": code, "display_name": one[0], "code": code, "type": "non-range"}
                for code, one in _FILTERS.items()
            ],
            "location_tree": [
                {
                    "display_name": name,
                    "type": kind,
                    "locations": [{"display_name": place, "type": place, "locations": []} for place in places],
                }
                for name, kind, places in _PLACES.values()
            ],
        }
    )


def _scan(hall: Hall, *, kind: str, code: str, filters: object) -> list[tuple[Contract, float]] | str:
    """The contracts that pass, best first, each with its figure; or what is wrong."""
    scan, wanted = _SCANS.get(code), _KINDS.get(kind)
    if scan is None or wanted is None:
        return f"Invalid scanner {str(code or kind)[:40]}"
    bounds = []
    for row in filters if isinstance(filters, list) else []:
        one = _FILTERS.get(str(row.get("code"))) if isinstance(row, dict) else None
        limit = number(row.get("value")) if isinstance(row, dict) else None
        if isinstance(row, dict) and not row:
            continue  # the samples have an empty filter
        if one is None or limit is None:
            return "Invalid scanner filter"
        bounds.append((one, float(limit)))
    found = []
    for contract in hall.exchange.contracts.values():
        if contract.instrument.sec_type is not wanted or (kind == "ETF.EQ.US") != (_fund(contract)):
            continue
        top = hall.exchange.top(contract.instrument.conid)
        figure = scan[2](top) if top is not None else float("nan")
        if top is None or figure != figure:
            continue
        if all(one[1](top) > limit if one[2] else one[1](top) < limit for one, limit in bounds):
            found.append((contract, figure))
    return sorted(found, key=lambda row: (-row[1] if scan[3] else row[1], row[0].instrument.conid))


def _fund(contract: Contract) -> bool:
    return contract.instrument.sec_type is SecType.STOCK and contract.listing in _FUNDS


def run(hall: Hall, call: Call) -> Answer:
    """POST /iserver/scanner/run: at most 50 rows; the first names the column."""
    told = call.body if isinstance(call.body, dict) else {}
    code, kind = str(told.get("type")), str(told.get("instrument"))
    found = _scan(hall, kind=kind, code=code, filters=told.get("filter"))
    if isinstance(found, str):
        return refusal(500, found)
    column = _SCANS[code][1]
    rows: list[dict[str, Any]] = []
    for at, (contract, figure) in enumerate(found[:_MOST]):
        instrument = contract.instrument
        row = {
            "server_id": str(at),
            "symbol": instrument.symbol,
            "conidex": str(instrument.conid),
            "con_id": instrument.conid,
            "available_chart_periods": "#R|1",
            "company_name": contract.name,
            "scan_data": f"{figure:+.2f}%" if column == "Chg%" else f"{figure:,.2f}",
            "contract_description_1": contract.local_symbol or instrument.symbol,
            "listing_exchange": listing(contract),
            "sec_type": str(instrument.sec_type),
        }
        rows.append({"column_name": column} | row if at == 0 else row)
    return Answer(body={"contracts": rows, "scan_data_column_name": column})


def old_run(hall: Hall, call: Call) -> Answer:
    """POST /hmds/scanner: only conids and when they were found; the service has to be opened first."""
    if "hmds" not in hall.memory.primed:
        return refusal(404, "Resource not found")
    told = call.body if isinstance(call.body, dict) else {}
    found = _scan(hall, kind=str(told.get("instrument")), code=str(told.get("scanCode")), filters=told.get("filters"))
    if isinstance(found, str):
        return refusal(500, found)
    most = number(told.get("maxItems"))
    kept = found[: min(_MOST_OLD, max(0, int(most)) if most is not None else _MOST_OLD)]
    moment = stamp(hall.exchange.now_ns, "%Y%m%d-%H:%M:%S")
    rows = [{"inScanTime": moment, "contractID": str(contract.instrument.conid)} for contract, _ in kept]
    return Answer(
        body={
            "total": str(len(found)),
            "size": str(len(rows)),
            "offset": "0",
            "scanTime": moment,
            "id": "scanner1",
            "Contracts": {"Contract": rows},
        }
    )


ROUTES: Final[tuple[Route, ...]] = (
    Route(methods=("GET",), template="/iserver/scanner/params", handler=parameters, tier=Tier.BROKERAGE),
    Route(methods=("POST",), template="/iserver/scanner/run", handler=run, tier=Tier.BROKERAGE),
    Route(methods=("POST",), template="/hmds/scanner", handler=old_run, tier=Tier.BROKERAGE),
)
