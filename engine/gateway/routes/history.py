"""Historical bars: `/iserver/marketdata/history`, and the same from the separate service of `/hmds`."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime
from typing import Any, Final

from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.records import Contract, HistoryBar
from engine.gateway.rows import price_text, stamp

_MOST_BARS: Final = 1_000
_HOUR_NS: Final = 60 * NS_PER_MINUTE
_PERIOD: Final = re.compile(r"([0-9]{1,4})(min|h|d|w|m|y)")
_BAR: Final = re.compile(r"([0-9]{1,4})(s|min|h|d|w|m)")
_UNITS_NS: Final = {
    "s": NS_PER_S,
    "min": NS_PER_MINUTE,
    "h": _HOUR_NS,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
    "m": 30 * NS_PER_DAY,
    "y": 365 * NS_PER_DAY,
}
_SOURCES: Final = {
    "": "Last", "last": "Last", "trades": "Last", "midpoint": "Midpoint", "bid_ask": "Bid_Ask", "bid": "Bid_Ask",
    "ask": "Bid_Ask",
}  # fmt: skip
_FACTOR: Final = 100  # scales the prices of `high` and `low` only


def history(hall: Hall, call: Call) -> Answer:
    """GET /iserver/marketdata/history: at most 1,000 bars; `t` is a bar's beginning."""
    text = call.first("conid").partition("@")[0]
    conid = int(text) if text.isdecimal() and len(text) < 19 else 0
    contract = hall.exchange.contracts.get(conid)
    if contract is None:
        return Answer(status=500, body={"error": "Chart data unavailable"})
    if contract.instrument.legs:
        return Answer(status=500, body={"error": "Chart data of combos is not available"})
    period = _PERIOD.fullmatch(call.first("period", "1w").strip()) or _PERIOD.fullmatch("1w")  # a wrong one is ignored
    assert period is not None
    bar = _BAR.fullmatch(call.first("bar").strip().lower() or _default_bar(period[2], int(period[1])))
    source = _SOURCES.get(call.first("source").strip().lower())
    reference_ns = _reference(call.first("startTime").strip(), hall.exchange.now_ns)
    if bar is None or not int(bar[1]) or source is None or reference_ns is None or not int(period[1]):
        return Answer(status=500, body={"error": "Invalid bar, source or startTime"})
    outside = call.first("outsideRth").strip().lower() == "true"
    length_ns = int(bar[1]) * _UNITS_NS[bar[2]]
    forward = call.first("direction").strip() == "1" and bool(call.first("startTime").strip())
    span = (reference_ns, _ahead(hall, conid, reference_ns, period)) if forward else (
        _back(hall, conid, reference_ns, period, outside=outside),
        reference_ns,
    )  # fmt: skip
    bars = hall.exchange.bars(conid, *span, length_ns, source=source, outside_rth=outside)
    bars = bars[:_MOST_BARS] if forward else bars[-_MOST_BARS:]
    head = {"timePeriod": period[0], "barLength": length_ns // NS_PER_S, "outsideRth": outside}
    return Answer(body=_body(contract, bars, span[0], head, direction=1 if forward else -1))


def _default_bar(unit: str, count: int) -> str:
    """The finest bar that a period is shown with when none is asked for."""
    if unit in ("min", "h") or (unit == "d" and count == 1):
        return "1min"
    return {"d": "5min" if count <= 7 else "1h", "w": "15min" if count == 1 else "1h", "m": "1h"}.get(unit, "1d")


def _reference(text: str, now_ns: int) -> int | None:
    """`startTime`, UTC; without one it is now."""
    if not text:
        return now_ns
    try:
        moment = datetime.strptime(text, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return min(int(moment.timestamp()) * NS_PER_S, now_ns)


def _back(hall: Hall, conid: int, end_ns: int, period: re.Match[str], *, outside: bool) -> int:
    """Where a period begins that ends at a time: days are trading days, minutes and hours those of trading."""
    count, unit = int(period[1]), period[2]
    sessions = hall.exchange.sessions(conid)
    if sessions.always or unit in ("w", "m", "y"):
        return end_ns - count * _UNITS_NS[unit]
    last = bisect_right(sessions.opens_ns, end_ns - 1) - 1
    if last < 0:
        return end_ns - count * _UNITS_NS[unit]
    extended = hall.exchange.contracts[conid].instrument.outside_hours if outside else (0, 0)
    if unit == "d":
        opens = sessions.opens_ns[max(0, last - count + 1)]
        return opens - extended[0] * NS_PER_MINUTE
    close_ns = sessions.closes_ns[last] + extended[1] * NS_PER_MINUTE
    return min(end_ns, close_ns) - count * _UNITS_NS[unit]


def _ahead(hall: Hall, conid: int, start_ns: int, period: re.Match[str]) -> int:
    """Where a period ends that begins at a time."""
    count, unit = int(period[1]), period[2]
    sessions = hall.exchange.sessions(conid)
    now_ns = hall.exchange.now_ns
    if not sessions.always and unit == "d":
        following = [close for close in sessions.closes_ns if close > start_ns][:count]
        return min(now_ns, following[-1]) if following else now_ns
    return min(now_ns, start_ns + count * _UNITS_NS[unit])


def _body(
    contract: Contract, bars: list[HistoryBar], start_ns: int, head: dict[str, Any], *, direction: int
) -> dict[str, Any]:
    instrument = contract.instrument
    first_ns = bars[0].start_ns if bars else start_ns
    digits = len(price_text(instrument, instrument.price_ticks[0].tick).partition(".")[2])
    return {
        "serverId": "20477",
        "symbol": instrument.symbol,
        "text": contract.name,
        "priceFactor": _FACTOR,
        "startTime": stamp(first_ns, "%Y%m%d-%H:%M:%S"),
        "high": _extreme(max(bars, key=lambda bar: bar.high, default=None), first_ns, top=True),
        "low": _extreme(min(bars, key=lambda bar: bar.low, default=None), first_ns, top=False),
        **head,
        "mdAvailability": "S",
        "mktDataDelay": 0,
        "tradingDayDuration": 390,
        "volumeFactor": 1,
        "priceDisplayRule": 1,
        "priceDisplayValue": str(digits),
        "chartPanStartTime": stamp(first_ns, "%Y%m%d-%H:%M:%S"),
        "direction": direction,
        "negativeCapable": bool(instrument.legs),
        "messageVersion": 2,
        "data": [_row(bar) for bar in bars],
        "points": max(0, len(bars) - 1),  # one less than there are bars, as in the samples
        "travelTime": 48,
    }


def _row(bar: HistoryBar) -> dict[str, Any]:
    """A bar; means of bid and ask are rid of the dust of binary fractions."""
    return {
        "o": round(bar.open, 8),
        "c": round(bar.close, 8),
        "h": round(bar.high, 8),
        "l": round(bar.low, 8),
        "v": bar.volume,
        "t": bar.start_ns // 1_000_000,
    }


def _extreme(bar: HistoryBar | None, first_ns: int, *, top: bool) -> str:
    """Scaled price, volume and minutes from the start, as `high` and `low` say it."""
    if bar is None:
        return "0/0.0/0"
    price = (bar.high if top else bar.low) * _FACTOR
    return f"{price:.0f}/{bar.volume:.1f}/{(bar.start_ns - first_ns) // NS_PER_MINUTE}"


def hmds_init(hall: Hall, call: Call) -> Answer:
    """POST /hmds/auth/init: open the separate service of history and scanners."""
    del call
    hall.memory.primed.add("hmds")
    return Answer(body={"status": "success"})


def hmds_history(hall: Hall, call: Call) -> Answer:
    """GET /hmds/history: as the other history, once the service was opened."""
    if "hmds" not in hall.memory.primed:
        return refusal(404, "Resource not found")
    return history(hall, call)


ROUTES: Final[tuple[Route, ...]] = (
    Route(methods=("GET",), template="/iserver/marketdata/history", handler=history, tier=Tier.BROKERAGE),
    Route(methods=("POST", "GET"), template="/hmds/auth/init", handler=hmds_init, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template="/hmds/history", handler=hmds_history, tier=Tier.BROKERAGE),
)
