"""The law of the replay ring: where windows and chunks are cut, and where strategies stop, changes no answer."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import MarketEvent, Status
from engine.domain.messages import Request
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderType, Tif, TrailUnit
from tests.venue.driving import X, bar, cancel, in_order, modify, place, play, quote, ticket, trade, venue_of

Y = Instrument(conid=2, symbol="Y", calendar="day")
Z = Instrument(conid=3, symbol="X-Y", sec_type=SecType.COMBO, calendar="24/7", legs=(Leg(1, 1), Leg(2, -1)))
# Two short sessions, so that orders expire, wait and come back; times below run to some 400 ns.
MINUTE = 60_000_000_000
DAY = Sessions(opens_ns=(20 * MINUTE, 200 * MINUTE), closes_ns=(140 * MINUTE, 330 * MINUTE))
SESSIONS = {"24/7": Sessions.round_the_clock(), "day": DAY}


def price(cents: int) -> float:
    return cents / 100


def market(random: Random, size: int) -> list[MarketEvent]:
    """A small market with many ties, in minutes: quotes, prints, bars, halts, absent sizes and sides."""
    rows: list[MarketEvent] = []
    ts, mid = 0, 10_000
    kinds = random.choice(("q", "qt", "t", "b", "qtb", "qtbs"))
    for _ in range(size):
        ts += random.choice((0, 0, 1, 5)) * MINUTE
        mid += random.choice((-2, -1, 0, 0, 1, 2))
        conid = random.choice((1, 1, 2))
        sizes = [random.choice((float("nan"), 0.0, 100.0, 100.0, 300.0)) for _ in range(2)]
        kind = random.choice(kinds)
        if kind == "q":
            bid = float("nan") if random.random() < 0.05 else price(mid - random.randint(0, 1))
            rows.append(quote(ts, bid, price(mid + random.randint(1, 2)), sizes[0], sizes[1], conid))
        elif kind == "t":
            rows.append(trade(ts, price(mid + random.choice((-1, 0, 1))), sizes[0], conid=conid))
        elif kind == "b":
            high, low = mid + random.randint(0, 3), mid - random.randint(0, 3)
            opened, close = random.randint(low, high), random.randint(low, high)
            span = random.choice((1, 5)) * MINUTE
            money = [price(one) for one in (opened, high, low, close)]
            rows.append(bar(ts, money[0], money[1], money[2], money[3], sizes[0] * 4, span, conid))
        else:
            rows.append(Status(ts, conid, random.choice(("halted", "open", "open"))))
    return in_order(rows)


def commands(random: Random, rows: int) -> dict[int, list[Request]]:
    """Orders of every type with cancels and changes, some of them wrong."""
    actions: dict[int, list[Request]] = {}
    known: list[Any] = []
    for number in range(random.randint(1, 12)):
        what = random.random()
        request: Request
        if known and what < 0.2:
            request = cancel(random.choice(known).coid)
        elif known and what < 0.4:
            old = random.choice(known)
            limit = (
                None if old.limit_price is None else str(old.limit_price + random.choice((0, 0, 1)) * Decimal("0.01"))
            )
            request = modify(_again(old, limit, random.choice((50, 100, 300))))
        else:
            one = _ticket(random, f"o{number}")
            known.append(one)
            children = []
            if random.random() < 0.3 and one.conid != 3:
                children = [_ticket(random, f"o{number}{leg}", parent=one.coid, conid=one.conid) for leg in range(2)]
                known += children
            request = place(one, *children)
        actions.setdefault(random.randrange(rows), []).append(request)
    return actions


def _again(old: Any, limit: str | None, quantity: int) -> Any:
    more = {
        name: value
        for name in ("order_type", "stop_price", "trail", "trail_unit", "limit_offset", "tif", "parent", "oca_group")
        if (value := getattr(old, name)) is not None
    }
    return ticket(old.coid, old.side, quantity, limit, conid=old.conid, outside_rth=old.outside_rth, **more)


def _ticket(random: Random, coid: str, **more: Any) -> Any:
    conid = more.pop("conid", random.choice((1, 1, 2, 2, 3)))
    level = f"{random.randint(9990, 10010) / 100:.2f}"
    kind = random.choice([OrderType.MARKET] + [OrderType.LIMIT] * 4 + list(OrderType))
    if conid == 3:
        kind, level = random.choice((OrderType.MARKET, OrderType.LIMIT)), f"{random.randint(-5, 5) / 100:.2f}"
    more["order_type"] = kind
    more["tif"] = random.choice(
        (Tif.GTC, Tif.DAY, Tif.IOC, Tif.OPG) if kind in (OrderType.MARKET, OrderType.LIMIT) else (Tif.GTC, Tif.DAY)
    )
    if kind in (OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE):
        more["tif"] = Tif.DAY
    if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
        more["stop_price"] = f"{random.randint(9990, 10010) / 100:.2f}"
    if kind in (OrderType.TRAIL, OrderType.TRAIL_LIMIT):
        more["trail_unit"] = random.choice(list(TrailUnit))
        more["trail"] = "0.02"
        if random.random() < 0.3:
            more["stop_price"] = level
    if kind is OrderType.TRAIL_LIMIT:
        more["limit_offset"] = "0.01"
    limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_ON_CLOSE)
    limited = limited or (kind is OrderType.MIDPRICE and random.random() < 0.5)
    if random.random() < 0.2:
        more["oca_group"] = random.choice("ab")
    side, quantity = random.choice(("BUY", "SELL")), random.choice((50, 100, 100, 300))
    return ticket(coid, side, quantity, level if limited else None, conid=conid, **more)


@pytest.mark.parametrize("rule", ["conservative", "touch", "same_event", "next_event", "next_open"])
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_cuts_change_nothing(rule: str, seed: int, cut: int) -> None:
    random = Random(seed)
    rows = market(random, random.randint(2, 60))
    actions = commands(random, len(rows))
    more: dict[str, Any] = {
        "fills": rule,
        "latency": random.choice((0, 30_000, 90_000)),
        "report": random.choice((0, 0, 60_000)),
        "part": random.choice(((1.0, 1.0, 1.0), (0.5, 0.5, 0.1))),
        "stop_trigger": random.choice(("default", "last", "bid_ask")),
        "resting_price": random.choice(("limit", "touch")),
    }
    whole, cuts = (venue_of((X, Y, Z), SESSIONS, **more) for _ in range(2))
    expected = play(whole, rows, actions)
    assert play(cuts, rows, actions, cuts=Random(cut)) == expected
    assert cuts.counts == whole.counts
