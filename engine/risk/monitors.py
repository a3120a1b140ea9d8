"""Rows that watch and tell: R21, R40, R41, R46, R47. They refuse no order; what they find is an alert, and may latch.

Pure: readings come in, findings go out. Whoever runs them tells a person and sets the latch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import define, field
from msgspec import Struct

from engine.domain.facts import Filled
from engine.domain.messages import Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import CLOSED, Order
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.account import Level, Purse
from engine.settings import Limits

_WARNED: Final = 2  # times a limit above which health halts


class Finding(Struct, frozen=True):
    """What a monitor has found. `level` None: a person is told, nothing is forbidden; `conid` where it is of one."""

    code: str
    sentence: str
    level: Level | None = None
    conid: int | None = None


class Health(Struct, frozen=True, kw_only=True):
    """How the process does; None where it was not measured, which is never a reason to trade on blindly."""

    clock_skew_ms: float | None = None
    loop_lag_ms: float | None = None
    queued: int | None = None
    memory_mb: float | None = None


def health(now: Health, limits: Limits) -> list[Finding]:
    """R41: above a limit only what makes positions smaller passes; above twice the limit nothing does."""
    found = []
    for what, value, most, unit in (
        ("the clock is off by", now.clock_skew_ms, limits.clock_skew_max_ms, " ms"),
        ("the event loop is late by", now.loop_lag_ms, limits.loop_lag_max_ms, " ms"),
        ("waiting messages:", now.queued, limits.queue_max, ""),
        ("memory in use:", now.memory_mb, limits.memory_max_mb, " MB"),
    ):
        if most is None:
            continue
        if value is None:
            found.append(Finding("HEALTH", f"{what} unknown", Level.REDUCING))
        elif abs(value) > most:
            level = Level.HALTED if abs(value) > most * _WARNED else Level.REDUCING
            found.append(Finding("HEALTH", f"{what} {abs(value):g}{unit}, above {most}", level))
    return found


def order_to_trade(owner: str, purse: Purse, limits: Limits) -> Finding | None:
    """R21: messages of the day for each execution. IBKR asks for few messages a trade."""
    most = limits.order_to_trade_max
    if most is None or purse.messages <= float(most) * max(purse.executions, 1):
        return None
    ratio = purse.messages / max(purse.executions, 1)
    who = owner or "the account"
    return Finding("ORDER_TO_TRADE", f"{who} has sent {ratio:.1f} messages for each execution today, above {most}")


def drift(conid: int, ours: Decimal, venue: Decimal, limits: Limits) -> Finding | None:
    """R40: units that our books and the venue's differ by; above the limit the instrument is halted."""
    most = limits.reconcile_drift_max
    if most is None or abs(ours - venue) <= most:
        return None
    sentence = f"our books have {ours} of {conid} and the venue's {venue}, more than {most} apart"
    return Finding("DRIFTED", sentence, Level.HALTED, conid)


@define(eq=False)
class PostTrade:
    """R46: executions held against the orders that they are of.

    Args:
        references: The market's price when an order was approved, by coid.
    """

    limits: Limits
    references: Mapping[str, float]
    _ended: set[str] = field(factory=set, init=False)
    _had: dict[str, list[OrderTicket]] = field(factory=dict, init=False)  # by coid, the tickets of what was modified

    def asked(self, before: OrderTicket, after: OrderTicket) -> None:
        """A modification is on its way: a fill may be of either ticket, and be told late."""
        had = self._had.setdefault(before.coid, [])
        had += (ticket for ticket in (before, after) if ticket not in had)

    @property
    def remembered(self) -> Iterable[str]:
        """Orders that something is remembered of."""
        return (*self._ended, *self._had)

    def forget(self, coids: Iterable[str]) -> None:
        """These have been over for long."""
        for coid in coids:
            self._ended.discard(coid)
            self._had.pop(coid, None)

    def hear(self, updates: Sequence[Update]) -> list[Finding]:
        """What became of orders, oldest first."""
        found: list[Finding] = []
        for update in updates:
            event, order = update.event, update.order
            if isinstance(event, Filled):
                found += self._fill(order, event)
            if order.state in CLOSED and not isinstance(event, Filled):
                self._ended.add(order.coid)
        return found

    def unknown(self, fill: Filled) -> Finding:
        """An execution that is of no order of ours."""
        sentence = f"an execution of {fill.quantity} of {fill.conid} at {fill.price} is of no order of ours"
        return Finding("UNKNOWN_FILL", sentence, Level.HALTED, fill.conid)

    def _fill(self, order: Order, fill: Filled) -> list[Finding]:
        ticket, found = order.ticket, []
        had = (*self._had.get(order.coid, ()), ticket)
        due = max(one.quantity for one in had)
        if order.filled > due:
            sentence = f"order {order.coid} has filled {order.filled} of {due}"
            found.append(Finding("OVER_FILL", sentence, Level.HALTED, fill.conid))
        if order.coid in self._ended:
            sentence = f"order {order.coid} has filled {fill.quantity} after it had ended"
            found.append(Finding("LATE_FILL", sentence, None, fill.conid))
        limits = [one.limit_price for one in had if one.limit_price is not None]
        if limits:  # of whatever type: what trails names none
            limit = max(limits) if ticket.side is Side.BUY else min(limits)
            worse = fill.price > limit if ticket.side is Side.BUY else fill.price < limit
            if worse:
                sentence = f"order {order.coid} has filled at {fill.price}, beyond its limit {limit}"
                found.append(Finding("FILL_COLLAR", sentence, Level.HALTED, fill.conid))
                return found
        most, reference = self.limits.fill_collar_pct, self.references.get(order.coid)
        if most is None or ticket.order_type is not OrderType.MARKET:
            return found
        if reference is None or not reference:
            found.append(Finding("FILL_COLLAR", f"no price is known to hold the fill of {order.coid} against"))
            return found
        percent = (float(fill.price) - reference) * ticket.side.sign / abs(reference) * 100.0
        if percent > float(most) * (1.0 + 1e-9):
            sentence = f"order {order.coid} has filled {percent:.2f} % worse than the market was, above {most} %"
            found.append(Finding("FILL_COLLAR", sentence, Level.REDUCING, fill.conid))
        return found


@define(eq=False)
class AlertLatency:
    """R47: from what happened to the moment a person was told of it."""

    limits: Limits
    worst_s: float = field(default=0.0, init=False)

    def told(self, happened_ns: int, told_ns: int) -> Finding | None:
        """An alert has gone out."""
        took_s = (told_ns - happened_ns) / NS_PER_S
        self.worst_s = max(self.worst_s, took_s)
        most = self.limits.alert_latency_max_s
        if most is None or took_s <= float(most):
            return None
        return Finding("ALERT_LATE", f"an alert took {took_s:.1f} s to reach a person, above {most} s")


def waiting_too_long(asked_ns: Mapping[int, int], now_ns: int, limits: Limits) -> list[int]:
    """Numbers of the alerts that have not gone out within the limit. `asked_ns` is when each happened."""
    most = limits.alert_latency_max_s
    if most is None:
        return []
    return [number for number, since in asked_ns.items() if now_ns - since > float(most) * NS_PER_S]
