"""`engine risk show`: a row for each of R1 to R48 and for each plugin: its limit, how much is used, where it is set.

Used and left are those of the account's limits, where they can be told; of a configuration alone they are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from math import inf
from operator import itemgetter
from typing import Any, Final

from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import Side
from engine.domain.view import MarketView
from engine.risk.account import ACCOUNT, Account, Level
from engine.risk.catalogue import TABLE, Row, is_set, row
from engine.risk.gate import Gate
from engine.risk.limits import monitor_limits, with_defaults
from engine.risk.losses import LossWatch
from engine.risk.outside import REAL_TIME, Outside
from engine.risk.stakes import Stake, shared, stakes
from engine.settings import Limits, RiskSettings

Shown = dict[str, Any]


def table(settings: RiskSettings, *, live: bool, wall: bool = True, plugins: Sequence[Row] = ()) -> list[Shown]:
    """The rows of a configuration, without a daemon; `wall` as monitors take it (`limits.monitor_limits`)."""
    return [_shown(row, settings, live=live, wall=wall) for row in (*TABLE, *plugins)]


def in_force(now: RiskSettings, wanted: RiskSettings | None, *, wall: bool, plugins: Sequence[Row]) -> dict[str, Shown]:
    """Limit and source of each row in a session, by code; `waits` is the limit that a person has yet to confirm.

    Args:
        wanted: What the file said when it was read last, where some of it waits.
    """
    later = {} if wanted is None else {one["code"]: one for one in table(wanted, live=True, wall=wall, plugins=plugins)}
    found = {}
    for one in table(now, live=True, wall=wall, plugins=plugins):
        limit, code = one["limit"], one["code"]
        waits = later[code]["limit"] if later else limit
        found[code] = {"limit": limit, "source": one["source"], "waits": None if waits == limit else waits or _NO_LIMIT}
    return found


def with_daemon(rows: list[Shown], told: Mapping[str, Mapping[str, Any]]) -> list[Shown]:
    """The rows of a configuration with what a daemon says of them: its own limits, and what is used of those.

    `note` is a sentence where the configuration has other limits than are in force, else None.
    """
    return [_with(row, told.get(row["code"])) for row in rows]


def _with(row: Shown, told: Mapping[str, Any] | None) -> Shown:
    if told is None:
        return {**row, "note": None}
    found = {**row, **{name: told[name] for name in ("limit", "source", "used", "left") if name in told}, "note": None}
    file, waits = row["limit"] or _NO_LIMIT, told.get("waits")
    if file == waits:
        found["note"] = f"the file says {file}: waits for `engine confirm`"
    elif row["limit"] != found["limit"]:
        found["note"] = f"the file says {file}: not read yet"
    return found


_NO_LIMIT: Final = "no limit"


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
        sums = _at_stake(account, held, limits)
        found["R11"] = _nearest(sums) or (format(sums[0][1], ".10g"), None)
    tell("R39", len(account.in_doubt), limits.in_doubt_max)
    if account.counting:
        tell("R8", purse.in_minute(now_ns), limits.messages_per_minute_max)
        tell("R9", purse.in_hour(now_ns), limits.orders_per_hour_max)
        day: list[_Sum] = [
            ("orders_per_day_max", purse.orders, limits.orders_per_day_max),
            ("messages_per_day_max", purse.messages, limits.messages_per_day_max),
            ("notional_per_day_max", purse.notional, limits.notional_per_day_max),
        ]
        found["R45"] = _nearest(day) or (str(purse.orders), None)
        if purse.executions:
            tell("R21", purse.messages / purse.executions, limits.order_to_trade_max)
    tell("R19", sum(one.until_ns is None or now_ns < one.until_ns for one in account.held.values()), None)
    if account.outside is not None:
        found |= _outside(account, account.outside, limits, now_ns)
    return found


def losses(watch: LossWatch) -> dict[str, tuple[str, str | None]]:
    """Used and left of the account's limits on what was lost: R15, R16, R17. A step that has latched is past.

    Money in base currency, percent of the highest worth, trades. A profit is a loss below zero.
    """
    owner = watch.whole
    limits, fired = owner.limits, owner.fired
    if owner.unmarked:  # since the start no price of what is held is known
        return {code: ("unknown", None) for code in ("R15", "R16")
                if any(getattr(limits, name) is not None for name in row(code).limits)}  # fmt: skip
    lost = owner.day_worth - owner.worth
    realised = owner.day_realised - (owner.realised - owner.fees)
    fallen = (owner.peak - owner.worth) * 100.0 / abs(owner.peak) if owner.peak else 0.0
    sums: dict[str, list[tuple[str, _Sum]]] = {
        "R15": [
            ("LOSS_REDUCED", ("daily_loss_reduce", lost, limits.daily_loss_reduce)),
            ("LOSS", ("daily_loss_max", lost, limits.daily_loss_max)),
            ("LOSS_REDUCED", ("daily_realised_loss_reduce", realised, limits.daily_realised_loss_reduce)),
            ("LOSS", ("daily_realised_loss_max", realised, limits.daily_realised_loss_max)),
        ],
        "R16": [
            (Level.REDUCING.name, ("drawdown_reduce_pct", fallen, limits.drawdown_reduce_pct)),
            (Level.HALTED.name, ("drawdown_halt_pct", fallen, limits.drawdown_halt_pct)),
        ],
        "R17": [
            ("", ("loss_streak_max", owner.streak, limits.loss_streak_max)),
            ("", ("loss_streak_halt", owner.losses, limits.loss_streak_halt)),
        ],
    }
    found = {}
    for code, steps in sums.items():
        ahead = [one for step, one in steps if step not in fired and one[2] is not None]
        told = _nearest(ahead or [one for _, one in steps])
        if told is not None:
            found[code] = told
    return found


_Sum = tuple[str, float, float | Decimal | None]  # a limit's name, what is used of it, and the limit


def _nearest(sums: Sequence[_Sum]) -> tuple[str, str | None] | None:
    """Used and left of the limit that is nearest; it is named where several are set. None where none is."""
    limited = [(used / float(most) if most else inf, name, used, float(most))
               for name, used, most in sums if most is not None]  # fmt: skip
    if not limited:
        return None
    _, name, used, most = max(limited, key=itemgetter(0))
    shown = format(round(float(used), 4) + 0.0, ".10g")
    left = format(round(max(most - used, 0.0), 4), ".10g")
    return f"{shown} ({name})" if len(limited) > 1 else shown, left


def _at_stake(account: Account, held: Mapping[int, Stake], limits: Limits) -> list[_Sum]:
    """The account's sums of money at stake; leverage as a ratio, where it is known what the account is worth."""

    def total(conids: Iterable[int], side: Side | None = None) -> float:
        of = list(conids)
        return sum(held[c].worst if side is None else held[c].side(side) for c in of) - shared(
            account, held, of, None, side
        )

    def largest(label: Callable[[Instrument], str | None]) -> float:
        parts: dict[str | None, list[int]] = {}
        for conid in held:
            parts.setdefault(label(account.instruments[conid]), []).append(conid)
        return max(map(total, parts.values()), default=0.0)

    gross = total(held)
    sums: list[_Sum] = [("gross_max", gross, limits.gross_max)]
    if limits.net_max is not None:
        sums.append(("net_max", max(total(held, Side.BUY), total(held, Side.SELL)), limits.net_max))
    if limits.sector_max is not None:
        sums.append(("sector_max", largest(lambda one: account.sectors.get(one.symbol)), limits.sector_max))
    if limits.currency_max is not None:
        sums.append(("currency_max", largest(lambda one: one.currency), limits.currency_max))
    if account.equity is not None and account.equity > 0.0:
        sums.append(("leverage_max", gross / account.equity, limits.leverage_max))
    return sums


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
