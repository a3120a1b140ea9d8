"""Performance and transactions of accounts.

The exchange keeps no past valuations: before its start an account is worth its deposits, yesterday what it was at the
day's beginning, and days in between are taken as yesterday's. Transactions are those of the executions it keeps.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from engine.domain.moments import NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.fields import whole
from engine.gateway.hall import Hall
from engine.gateway.hours import NEW_YORK, day_of
from engine.gateway.records import Execution
from engine.gateway.rows import contract_of

_PERIODS: Final = ("1D", "7D", "MTD", "1M", "YTD", "1Y")
_KEPT_DAYS: Final = 7


def _accounts(hall: Hall, told: dict[str, Any]) -> list[str] | Answer:
    wanted = told.get("acctIds")
    if not isinstance(wanted, list) or not wanted:
        return refusal(400, "Bad Request: acctIds are needed")
    if any(account not in hall.exchange.accounts for account in wanted):
        return refusal(500, "Internal Server Error: there is no such account")
    return [str(account) for account in wanted]


def _days(hall: Hall, period: str) -> list[date]:
    """The weekdays of a period, today the last."""
    today = day_of(hall.exchange.now_ns)
    first = {
        "1D": today,
        "7D": today - timedelta(days=7),
        "MTD": today.replace(day=1),
        "1M": today - timedelta(days=30),
        "YTD": today.replace(month=1, day=1),
        "1Y": today - timedelta(days=365),
    }[period]
    days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
    return [day for day in days if day.weekday() < 5 or day == today]


def _worth(hall: Hall, account: str, day: date) -> float:
    """Net liquidation at the end of a day, as far as it is known."""
    funds = hall.exchange.funds(account)
    if day == day_of(hall.exchange.now_ns):
        return float(funds.net_liquidation)
    if day >= day_of(hall.exchange.start_ns):
        return float(funds.net_liquidation - funds.daily)
    options = hall.options
    return float(sum((amount * hall.exchange.rate(name) for name, amount in options.cash.items()), Decimal(0)))


def _series(hall: Hall, account: str, days: list[date]) -> tuple[float, list[float], list[float]]:
    """Worth before the days, worth at the end of each, and the return since the beginning."""
    before = _worth(hall, account, days[0] - timedelta(days=1))
    worth = [_worth(hall, account, day) for day in days]
    return before, worth, [round(value / before - 1, 8) if before else 0.0 for value in worth]


def performance(hall: Hall, call: Call) -> Answer:
    """POST /pa/performance: worth and returns by day over a period."""
    told = call.body if isinstance(call.body, dict) else {}
    accounts, period = _accounts(hall, told), told.get("period", "1M")
    if isinstance(accounts, Answer):
        return accounts
    if period not in _PERIODS:
        return refusal(400, f"Bad Request: period must be one of {', '.join(_PERIODS)}")
    days = _days(hall, period)
    dates = [f"{day:%Y%m%d}" for day in days]
    navs, returns, monthly = [], [], []
    for account in accounts:
        before, worth, since = _series(hall, account, days)
        head = {"id": account, "idType": "acctid", "start": dates[0], "end": dates[-1]}
        begin = {"date": f"{days[0] - timedelta(days=1):%Y%m%d}", "val": before}
        base = {"baseCurrency": hall.options.base}
        navs.append({**head, "startNAV": begin, "navs": worth, **base})
        returns.append({**head, "returns": since, **base})
        monthly.append({**head, "returns": [since[-1]], **base})
    return Answer(
        body={
            "currencyType": "base",
            "rc": 0,
            "pm": "TWR",
            "nd": len(days),
            "id": "getPerformanceData",
            "included": accounts,
            "nav": {"freq": "D", "dates": dates, "data": navs},
            "cps": {"freq": "D", "dates": dates, "data": returns},
            "tpps": {"freq": "M", "dates": [dates[-1][:6]], "data": monthly},
        }
    )


def all_periods(hall: Hall, call: Call) -> Answer:
    """POST /pa/allperiods: the same for every period at once, by account."""
    accounts = _accounts(hall, call.body if isinstance(call.body, dict) else {})
    if isinstance(accounts, Answer):
        return accounts
    body: dict[str, Any] = {
        "currencyType": "base",
        "rc": 0,
        "pm": "TWR",
        "nd": len(_days(hall, "1Y")),
        "id": "getPerformanceAllPeriods",
        "view": accounts,
        "included": accounts,
    }
    now_ns = hall.exchange.now_ns
    for account in accounts:
        mine: dict[str, Any] = {
            "baseCurrency": hall.options.base,
            "start": f"{_days(hall, '1Y')[0]:%Y%m%d}",
            "end": f"{day_of(now_ns):%Y%m%d}",
            "periods": list(_PERIODS),
            "lastSuccessfulUpdate": datetime.fromtimestamp(now_ns // NS_PER_S, NEW_YORK).strftime("%Y-%m-%d %H:%M:%S"),
        }
        for period in _PERIODS:
            days = _days(hall, period)
            before, worth, since = _series(hall, account, days)
            mine[period] = {
                "freq": "D",
                "startNAV": {"date": f"{days[0] - timedelta(days=1):%Y%m%d}", "val": before},
                "dates": [f"{day:%Y%m%d}" for day in days],
                "nav": worth,
                "cps": since,
            }
        body[account] = mine
    return Answer(body=body)


def transactions(hall: Hall, call: Call) -> Answer:
    """POST /pa/transactions: executions of one conid, and what they realised at average cost."""
    told = call.body if isinstance(call.body, dict) else {}
    accounts, conids = _accounts(hall, told), told.get("conids")
    if isinstance(accounts, Answer):
        return accounts
    conid = whole(conids[0]) if isinstance(conids, list) and len(conids) == 1 else None
    if conid is None:
        return refusal(400, "Bad Request: exactly one conid is needed")
    days = whole(told.get("days", 90)) or 90
    rows: list[dict[str, Any]] = []
    gains: dict[tuple[str, str], Decimal] = {}
    for account in accounts:
        mine = [f for f in hall.exchange.executions(account, min(max(days, 1), _KEPT_DAYS)) if f.conid == conid]
        for fill, gain in _realised(mine):
            rows.append(_row(hall, fill))
            if gain:
                key = (account, f"{day_of(fill.ts_ns):%Y%m%d}")
                gains[key] = gains.get(key, Decimal(0)) + gain * contract_of(hall, conid).instrument.multiplier
    currency = contract_of(hall, conid).instrument.currency
    data = [
        {
            "date": day,
            "cur": currency,
            "fxRate": 1,
            "side": "G" if gain > 0 else "L",
            "acctid": account,
            "amt": f"{gain:.4f}",
            "conid": str(conid),
        }
        for (account, day), gain in gains.items()
    ]
    now_ms = hall.exchange.now_ns // 1_000_000
    return Answer(
        body={
            "rc": 0,
            "nd": days,
            "rpnl": {"data": data, "amt": f"{sum(gains.values(), Decimal(0)):.4f}"},
            "currency": str(told.get("currency") or hall.options.base),
            "from": now_ms - days * 86_400_000,
            "id": "getTransactions",
            "to": now_ms,
            "includesRealTime": True,
            "transactions": rows,
        }
    )


def _realised(fills: list[Execution]) -> list[tuple[Execution, Decimal]]:
    """Each execution with what it realised per unit of multiplier, the average cost of what was held before it."""
    held = cost = Decimal(0)
    found = []
    for fill in fills:
        units = fill.size if fill.side.upper().startswith("B") else -fill.size
        closed = min(abs(units), abs(held)) if held * units < 0 else Decimal(0)
        gain = Decimal(0)
        if closed:
            average = cost / held
            gain = (fill.price - average) * closed * (1 if held > 0 else -1)
            cost -= average * closed * (1 if held > 0 else -1)
        rest = abs(units) - closed
        cost += fill.price * rest * (1 if units > 0 else -1)
        held += units
        found.append((fill, gain))
    return found


def _row(hall: Hall, fill: Execution) -> dict[str, Any]:
    instrument = contract_of(hall, fill.conid).instrument
    buy = fill.side.upper().startswith("B")
    money = fill.size * fill.price * instrument.multiplier
    moment = datetime.fromtimestamp(fill.ts_ns // NS_PER_S, NEW_YORK)
    return {
        "date": f"{moment:%a %b %d} 00:00:00 {moment:%Z} {moment:%Y}",
        "rawDate": f"{moment:%Y%m%d}",
        "cur": instrument.currency,
        "fxRate": 1,
        "pr": float(fill.price),
        "qty": float(fill.size if buy else -fill.size),
        "acctid": fill.account,
        "amt": float(-money if buy else money),
        "conid": fill.conid,
        "type": "Buy" if buy else "Sell",
        "desc": contract_of(hall, fill.conid).name,
    }


def _route(template: str, handler: Any) -> Route:
    return Route(methods=("POST",), template=template, handler=handler, tier=Tier.OUTER)


ROUTES: Final[tuple[Route, ...]] = (
    _route("/pa/performance", performance),
    _route("/pa/summary", performance),
    _route("/pa/allperiods", all_periods),
    _route("/pa/transactions", transactions),
)
