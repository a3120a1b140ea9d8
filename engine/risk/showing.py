"""`engine risk show`: a row for each of R1 to R48 and for each plugin: its limit, how much is used, where it is set.

Used and left are those of the account's limits, where they can be told; of a configuration alone they are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.view import MarketView
from engine.risk.account import ACCOUNT, Account
from engine.risk.catalogue import TABLE, Row, is_set
from engine.risk.gate import Gate
from engine.risk.limits import monitor_limits, with_defaults
from engine.risk.outside import REAL_TIME, Outside
from engine.risk.stakes import shared, stakes
from engine.settings import Limits, RiskSettings

Shown = dict[str, Any]


def table(settings: RiskSettings, *, live: bool, wall: bool = True, plugins: Sequence[Row] = ()) -> list[Shown]:
    """The rows of a configuration, without a daemon; `wall` as monitors take it (`limits.monitor_limits`)."""
    return [_shown(row, settings, live=live, wall=wall) for row in (*TABLE, *plugins)]


def with_usage(rows: list[Shown], used: Mapping[str, tuple[str, str | None]]) -> list[Shown]:
    """The rows with what a daemon says of them."""
    return [{**row, "used": used[row["code"]][0], "left": used[row["code"]][1]} if row["code"] in used else row
            for row in rows]  # fmt: skip


def _shown(row: Row, settings: RiskSettings, *, live: bool, wall: bool) -> Shown:
    account = monitor_limits(settings.account, wall=wall) if live else with_defaults(settings.account)
    limits: list[str] = []
    sources: list[str] = []
    tables: list[tuple[str, Limits]] = [
        *((f"risk.strategy.{name}", one) for name, one in settings.strategy.items()),
        *((f"risk.instrument.{name}", one) for name, one in settings.instrument.items()),
    ]
    for name in row.limits:
        value = getattr(account, name)
        if is_set(name, value):
            limits.append(f"{name} = {_text(value)}")
            sources.append("default" if getattr(settings.account, name) is None else "risk.account")
        for key, table_ in tables:
            own = getattr(table_, name)
            if is_set(name, own):
                limits.append(f"{name} = {_text(own)} ({key})")
                sources.append(key)
    if row.limits and not limits:
        sources = ["off"]
    return {
        "code": row.code,
        "name": row.name,
        "kind": str(row.kind),
        "limit": "; ".join(limits) or None,
        "used": None,
        "left": None,
        "source": ", ".join(dict.fromkeys(sources)) or (row.source if row.source != "engine" else "always on"),
        "sentence": row.sentence,
    }


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def usage(gate: Gate, view: MarketView, now_ns: int) -> dict[str, tuple[str, str | None]]:
    """Used and left of the account's limits by code, of a gate in use."""
    account = gate.account
    limits = with_defaults(gate.settings.account, live=account.outside is not None)
    purse = account.purse(ACCOUNT, now_ns)
    found: dict[str, tuple[str, str | None]] = {}

    def tell(code: str, used: float | Decimal, most: float | Decimal | None) -> None:
        left = None if most is None else format(max(float(most) - float(used), 0.0), ".10g")
        found[code] = format(float(used), ".10g"), left

    sent, opened = gate.tally.in_last(NS_PER_MINUTE, now_ns), gate.tally.open
    tell("R7", sent, limits.orders_per_minute_max)
    tell("R13", opened, limits.open_orders_max)
    tell("R12", opened, None)
    reach = max((max(u.position + u.buys, u.sells - u.position) for u in account.units.values()), default=Decimal(0))
    tell("R10", reach, limits.position_max)
    held = stakes(account, view, {}, None)
    if not isinstance(held, int):
        gross = sum(stake.worst for stake in held.values()) - shared(account, held, held, None)
        tell("R11", gross, limits.gross_max)
    tell("R39", len(account.in_doubt), limits.in_doubt_max)
    if account.counting:
        tell("R8", purse.in_minute(now_ns), limits.messages_per_minute_max)
        tell("R9", purse.in_hour(now_ns), limits.orders_per_hour_max)
        tell("R45", purse.orders, limits.orders_per_day_max)
        if purse.executions:
            tell("R21", purse.messages / purse.executions, limits.order_to_trade_max)
    tell("R19", len(account.held), None)
    if account.outside is not None:
        found |= _outside(account, account.outside, limits, now_ns)
    return found


def _outside(account: Account, outside: Outside, limits: Limits, now_ns: int) -> dict[str, tuple[str, str | None]]:
    """What the venue's word leaves."""
    halted = outside.down or outside.away
    stale = [conid for conid in account.instruments if not outside.availability.get(conid, "").startswith(REAL_TIME)]
    found: dict[str, tuple[str, str | None]] = {
        "R23": (f"{len(outside.borrow)} told", None),
        "R26": (f"{len(stale)} not in real time", None),
        "R28": (halted or "up", None),
        "R36": (outside.account or "unknown", None),
    }
    summary = outside.summary
    if summary is None:
        return found | dict.fromkeys(("R31", "R32"), ("unknown", None))
    age = f"{(now_ns - summary.ts_ns) / NS_PER_S:.0f} s old"
    if summary.excess_liquidity is not None and summary.net_liquidation:
        cushion = summary.net_liquidation * (limits.margin_cushion_pct or 0) / 100
        percent = summary.excess_liquidity / summary.net_liquidation * 100
        found["R31"] = f"{percent:.1f} % free, {age}", _amount(summary.excess_liquidity - cushion)
    if summary.buying_power is not None:
        spent = Decimal(repr(round(account.spent_since(summary.ts_ns), 2)))
        found["R32"] = f"{_amount(spent)} since, {age}", _amount(summary.buying_power - spent)
    if summary.day_trades_left is not None:
        found["R24"] = f"{summary.day_trades_left} day trades left", None
    return found


def _amount(money: Decimal) -> str:
    return f"{max(money, Decimal(0)):.2f}"
