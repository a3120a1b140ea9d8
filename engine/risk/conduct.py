"""Checks on what may be done at all, whatever its size: R14, R19, R20, R22, R30, R39."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from engine.domain.messages import Refusal
from engine.domain.moments import END_OF_TIME_NS, NS_PER_S
from engine.domain.ticket import OrderTicket, Side
from engine.risk import legs
from engine.risk.account import Held, Level
from engine.risk.exposure import Exposure, MarketNow, Reserved
from engine.risk.limits import Bounds
from engine.risk.resting import RESTING

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY


def latched(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """LOSS, DRAWDOWN, STREAK, THROTTLE and what else sets a latch: reduce-only, or nothing at all."""
    assert exposure.account is not None
    held = exposure.account.latch_on(ticket.strategy, market.now_ns)
    if held is None or (held.level is Level.REDUCING and exposure.reduces(ticket)):
        return None
    return told(held)


def told(held: Held) -> Refusal:
    """A latch as the refusal it leads to."""
    what = "only what makes positions smaller may be sent" if held.level is Level.REDUCING else "nothing may be sent"
    return Refusal(held.code, held.level.name.lower(), "latched", f"{held.sentence}; {what}")


def in_doubt(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """IN_DOUBT: with more orders in doubt than allowed only what makes positions smaller passes."""
    most = bounds.tightest.in_doubt_max
    assert exposure.account is not None
    count = len(exposure.account.in_doubt)
    if most is None or count <= most or exposure.reduces(ticket):
        return None
    sentence = f"{count} orders are in doubt, above {most}; only what makes positions smaller may be sent"
    return Refusal("IN_DOUBT", str(most), str(count), sentence)


def allow_list(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NOT_ALLOWED: instrument and exchange are on the list of what may be traded."""
    own, instrument = bounds.tightest, exposure.instrument
    for allowed, name, what in (
        (own.allowed, instrument.symbol, "instruments"),
        (own.exchanges, instrument.exchange, "exchanges"),
    ):
        if allowed is not None and name not in allowed:
            sentence = f"{name} is not among the {what} that {exposure.strategy} may trade"
            return Refusal("NOT_ALLOWED", ", ".join(allowed) or "none", name, sentence)
    return None


def no_short(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NO_SHORT: an instrument on the no-short list is not sold beyond what is held, in a combo neither."""
    refusal = legs.first_refusal(no_short, ticket, exposure, market)
    if refusal is not None:
        return refusal
    symbol = exposure.instrument.symbol
    if symbol not in bounds.tightest.no_short:
        return None
    short = exposure.shorts(ticket)
    if short <= _ZERO:
        return None
    return Refusal("NO_SHORT", "0", str(short), f"{symbol} is on the no-short list, and {short} units would be short")


def blackout(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """BLACKOUT: no new risk within a window of time, such as around earnings."""
    for said in bounds.tightest.blackouts:
        first, last = window_ns(said)
        if first <= market.now_ns < last and not exposure.reduces(ticket):
            sentence = f"{exposure.instrument.symbol} may not be traded within {said}"
            return Refusal("BLACKOUT", said, "within it", sentence)
    return legs.first_refusal(blackout, ticket, exposure, market)


def latest_quiet(windows: Sequence[tuple[int, int]], now_ns: int) -> tuple[int, int] | None:
    """The time around now within which none of these windows lies, as (from, until); None within a window."""
    since_ns, until_ns = 0, END_OF_TIME_NS
    for first, last in windows:
        if first <= now_ns < last:
            return None
        if last <= now_ns:
            since_ns = max(since_ns, last)
        else:
            until_ns = min(until_ns, first)
    return since_ns, until_ns


@lru_cache(maxsize=1024)
def window_ns(said: str) -> tuple[int, int]:
    """Read `FROM/TO`, two times in ISO 8601, UTC where they say no offset. Raises: ValueError."""
    first, slash, last = said.partition("/")
    if not slash:
        raise ValueError(f"{said!r} is no window FROM/TO")
    start, end = (_ns(part) for part in (first, last))
    if end <= start:
        raise ValueError(f"{said!r} ends before it begins")
    return start, end


def _ns(text: str) -> int:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S


def self_trade(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """SELF_TRADE: an order of our own, of any strategy, rests on the other side at a price this one would take."""
    account = exposure.account
    if bounds.tightest.self_trade is not False or ticket.stop_price is not None or ticket.trail is not None:
        return None  # what waits for a trigger meets another book than today's
    assert account is not None
    for other in account.beside.get(ticket.conid, ()):
        for entry in other.open.values():
            if entry.ticket.side is not ticket.side and _crosses(ticket, entry):
                sentence = f"it would trade with our own order {entry.ticket.coid}; cancel that one first"
                return Refusal("SELF_TRADE", "no own order across", entry.ticket.coid, sentence)
    return None


def _crosses(ticket: OrderTicket, entry: Reserved) -> bool:
    other = entry.ticket
    if other.order_type not in RESTING or entry.worst() <= _ZERO:
        return False
    if other.parent is not None and other.parent == ticket.coid:
        return False
    if other.oca_group is not None and other.oca_group == ticket.oca_group:
        return False
    prices = [other.limit_price] if entry.wanted is None else [other.limit_price, entry.wanted.limit_price]
    mine = ticket.limit_price
    for price in prices:
        if mine is None or price is None:
            return True
        if (mine >= price) if ticket.side is _BUY else (mine <= price):
            return True
    return False


def terms_allowed(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """TERMS: order type and time in force are on our lists, and on the venue's for this contract where it has told."""
    own = bounds.tightest
    outside = None if exposure.account is None else exposure.account.outside
    contract = None if outside is None else outside.contracts.get(ticket.conid)
    for lists, value, what in (
        ((own.order_types, None if contract is None else contract.order_types), str(ticket.order_type), "order type"),
        ((own.tifs, None if contract is None else contract.tifs), str(ticket.tif), "time in force"),
    ):
        for allowed in lists:
            if allowed is not None and value not in allowed:
                sentence = f"{what} {value} is not allowed for {exposure.instrument.symbol}"
                return Refusal("TERMS", ", ".join(sorted(allowed)) or "none", value, sentence)
    return None
