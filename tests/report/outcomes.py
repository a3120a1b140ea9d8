"""Outcomes made by hand: small ones whose figures can be worked out on paper, and one of any size for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from attrs import evolve

from engine.domain.facts import Filled
from engine.domain.instrument import Instrument
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.report.days import Floats, Ints
from engine.runtime.outcome import (
    EquityCurve,
    FillRow,
    IndicatorSeries,
    OrderRow,
    Outcome,
    Position,
    PriceSeries,
    RefusalRow,
)
from engine.settings import RecordingSettings, Settings, StrategySettings

NEW_YORK = ZoneInfo("America/New_York")
AAPL = Instrument(conid=1, symbol="AAPL")
FUTURE = Instrument(conid=2, symbol="ES", multiplier=Decimal(50))


def at(text: str) -> int:
    """Turn New York local time into ns UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 1_000_000_000


def settings(names: Sequence[str] = ("one",), **other: Any) -> Settings:
    strategies = tuple(StrategySettings(use="x:X", name=name, instruments=("AAPL",)) for name in names)
    recording = RecordingSettings(path=Path("data"))
    return Settings(
        **{"name": "paper", "source": Path("paper.toml"), "recording": recording, "strategies": strategies, **other}
    )


def fill(
    side: str,
    quantity: int | str,
    price: str,
    *,
    ts_ns: int = 0,
    fee: str = "1",
    realised: str = "0",
    reference: float | None = None,
    strategy: str = "one",
    conid: int = 1,
    number: int = 0,
) -> FillRow:
    """Make one execution with one fee line."""
    coid = f"{strategy}-{number}"
    fact = Filled(
        coid=coid,
        ts_ns=ts_ns,
        exec_id=f"{coid}-{ts_ns}",
        conid=conid,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fees=(("commission", Decimal(fee), "USD"),),
    )
    return FillRow(fill=fact, strategy=strategy, realised=Decimal(realised), reference=reference)


def order(
    coid: str,
    state: State,
    *,
    quantity: int = 100,
    filled: int = 0,
    history: Sequence[tuple[int, str, str]] = (),
    strategy: str = "one",
    conid: int = 1,
    side: Side = Side.BUY,
    code: str = "",
) -> OrderRow:
    """Make one order at its end."""
    ticket = OrderTicket(
        coid=coid,
        strategy=strategy,
        account="DU1",
        conid=conid,
        side=side,
        order_type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        limit_price=Decimal("10.05"),
    )
    start, end = (history[0][0], history[-1][0]) if history else (0, 0)
    made = Order(ticket=ticket, state=state, filled=Decimal(filled), code=code, created_ns=start, updated_ns=end)
    return OrderRow(order=made, reference=10.0, history=tuple(history))


def curve(
    points: Sequence[tuple[int, float]],
    exposure: Sequence[float] | Floats | None = None,
    by_strategy: Mapping[str, Sequence[float] | Floats] | None = None,
) -> EquityCurve:
    """Make an equity curve of (time, equity); cash is what exposure leaves."""
    times = np.array([ts_ns for ts_ns, _ in points], np.int64)
    equity = np.array([value for _, value in points], np.float64)
    held = np.zeros(len(points)) if exposure is None else np.array(exposure, np.float64)
    curves = {name: np.array(values, np.float64) for name, values in (by_strategy or {}).items()}
    return EquityCurve(ts_ns=times, equity=equity, cash=equity - held, exposure=held, by_strategy=curves)


def outcome(points: Sequence[tuple[int, float]] = (), *, deposit: str = "1000", **other: Any) -> Outcome:
    """Make an outcome around an equity curve; whatever is not given is empty."""
    final = Decimal(str(points[-1][1])) if points else Decimal(deposit)
    plain: dict[str, Any] = {
        "settings": settings(),
        "instruments": {1: AAPL, 2: FUTURE},
        "start_ns": points[0][0] if points else at("2024-03-04 09:30"),
        "end_ns": points[-1][0] if points else at("2024-03-04 16:00"),
        "events": 10,
        "events_by_kind": {"quotes": 10},
        "run_s": 0.5,
        "total_s": 0.75,
        "deposit": Decimal(deposit),
        "final_equity": final,
        "fees": Decimal(0),
        "fees_by_line": {},
        "orders": (),
        "fills": (),
        "refusals": (),
        "positions": (),
        "equity": curve(points),
        "prices": (),
        "indicators": (),
        "counts": {},
        "off": {},
        "assumptions": (),
        "hash": "ab" * 32,
    }
    return Outcome(**{**plain, **other})


def market_day(day: str) -> Ints:
    """Return each minute's close of one New York session, ns UTC."""
    return at(f"{day} 09:31") + np.arange(390, dtype=np.int64) * 60_000_000_000


def big(days: Sequence[str], symbols: Sequence[str], orders: int, *, seed: int = 3, **other: Any) -> Outcome:
    """Make a run of random walks with the shape of a real one."""
    chance = np.random.default_rng(seed)
    minutes = np.concatenate([market_day(day) for day in days])
    names = ("ema-aapl", "maker", "pairs-one")
    count = len(minutes)
    instruments = {at + 1: Instrument(conid=at + 1, symbol=symbol) for at, symbol in enumerate(symbols)}
    prices, indicators = [], []
    for conid in instruments:
        walk = 100 + 20 * conid + np.cumsum(chance.normal(0, 0.05, count * 8))
        times = np.sort(np.repeat(minutes, 8) - chance.integers(0, 60_000_000_000, count * 8))
        prices.append(PriceSeries(conid=conid, ts_ns=times, price=np.round(walk, 2)))
        for span, name in ((40, "fast"), (160, "slow")):
            mean = np.convolve(walk, np.ones(span) / span, "same")[span:-span]
            indicators.append(
                IndicatorSeries(strategy=names[0], conid=conid, name=name, ts_ns=times[span:-span], value=mean)
            )
    noise = chance.normal(0, 1, count * 8)
    indicators.append(IndicatorSeries(strategy=names[2], conid=1, name="z", ts_ns=times, value=noise))
    order_rows, fill_rows, refusals = [], [], []
    places = np.sort(chance.integers(0, len(times), orders)).tolist()
    for number, place in enumerate(places):
        conid = int(chance.integers(1, len(symbols) + 1))
        line = prices[conid - 1]
        start, price = int(line.ts_ns[place]), Decimal(str(line.price[place]))
        name = names[number % 3]
        coid = f"{name}-{number:06d}"
        side = Side.BUY if number % 2 else Side.SELL
        kind = number % 10
        wait = int(chance.integers(1, 600)) * 1_000_000_000
        history = [(start, "created", ""), (start, "sent", "sent"), (start + 40_000_000, "working", "accepted")]
        if kind == 9:
            history = [(start, "created", ""), (start, "refused", "price_collar")]
            refusals.append(RefusalRow(ts_ns=start, strategy=name, coid=coid, code="price_collar", sentence="Too far."))
            state, filled = State.REFUSED, 0
        elif kind >= 6:
            history += [(start + wait, "pending_cancel", ""), (start + wait + 40_000_000, "cancelled", "on request")]
            state, filled = State.CANCELLED, 0
        else:
            history.append((start + wait, "filled", "filled 100"))
            state, filled = State.FILLED, 100
            fill_rows.append(
                fill(
                    side.value,
                    100,
                    str(price),
                    ts_ns=start + wait,
                    strategy=name,
                    conid=conid,
                    number=number,
                    realised=str(round(Decimal(float(chance.normal(1, 20))), 2)),
                    reference=float(price) - 0.01,
                )
            )
        order_rows.append(
            order(coid, state, filled=filled, history=history, strategy=name, conid=conid, side=side, code="")
        )
    fill_rows.sort(key=lambda row: row.fill.ts_ns)
    equity = 1_000_000 + np.cumsum(chance.normal(1, 60, count))
    made = outcome(
        list(zip(minutes.tolist(), equity.tolist(), strict=True)),
        deposit="1000000",
        settings=settings(names, name="demo"),
        instruments=instruments,
        equity=curve(
            list(zip(minutes.tolist(), equity.tolist(), strict=True)),
            np.abs(chance.normal(20_000, 8_000, count)) * (chance.random(count) > 0.3),
            {name: np.cumsum(chance.normal(0.3, 20, count)) for name in names},
        ),
        events=1_000_000,
        events_by_kind={"quotes": 900_000, "trades": 100_000},
        fees=Decimal(len(fill_rows)),
        fees_by_line={"commission": Decimal(len(fill_rows)) * Decimal("0.8"), "exchange": Decimal(len(fill_rows)) / 5},
        orders=tuple(order_rows),
        fills=tuple(fill_rows),
        refusals=tuple(refusals),
        positions=(
            Position(
                strategy=names[0],
                conid=1,
                quantity=Decimal(100),
                cost=Decimal(11_900),
                realised=Decimal(12),
                mark=Decimal("120.10"),
            ),
        ),
        prices=tuple(prices),
        indicators=tuple(indicators),
        counts={"ambiguous_bars": 3, "capped_fills": 41, "unsized_fills": 0},
        assumptions=(
            ("fills", "conservative"),
            ("latency", "place 40 ms, modify 40 ms, cancel 40 ms"),
            ("fees", "ibkr-us-fixed-2026"),
            ("slippage", "none"),
        ),
        quality={"rows": 1_000_000, "gaps": 2, "findings": ["AAPL quotes: 2 gaps longer than 60 s"]},
        manifest={"config": {"path": "demo.toml", "sha256": "12" * 32}, "python": "3.11.9", "seed": 7},
    )
    return evolve(made, **other)
