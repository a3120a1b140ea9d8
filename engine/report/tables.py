"""Fills, orders and equity as Arrow tables. The same outcome gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from engine.report.execution import Worth
from engine.report.trips import fees_of
from engine.runtime.outcome import Outcome

# Twelve places hold every tick and fee rate exactly; a profit by average cost may have more and is rounded.
MONEY: Final = pa.decimal128(38, 12)
TIME: Final = pa.timestamp("ns", "UTC")
_PLACES: Final = Decimal(1).scaleb(-12)
_WIDE: Final = Context(prec=38, rounding=ROUND_HALF_EVEN)


def _money(values: Iterable[Decimal | None]) -> Any:
    """Make a decimal column, 12 places, half to even."""
    column = list(values)
    try:
        return pa.array(column, MONEY)
    except pa.ArrowInvalid:  # a value has more places, which is rare
        return pa.array([None if v is None else v.quantize(_PLACES, context=_WIDE) for v in column], MONEY)


def _json(values: Iterable[Any]) -> Any:
    """Make a text column of JSON."""
    encode = msgspec.json.encode
    return pa.array([encode(value).decode() for value in values], pa.string())


def _text(values: Iterable[str | None]) -> Any:
    """Make a text column; repeated words are stored once by Parquet's own dictionary."""
    return pa.array(values, pa.string())


def _times(values: Iterable[int | None]) -> Any:
    """Make a time column of ns UTC; 0 means unknown."""
    return pa.array([value or None for value in values], pa.int64()).cast(TIME)


def fills_table(outcome: Outcome) -> Any:
    """Return one row an execution, in the order they came; columns as in `docs/results.md`."""
    rows = outcome.fills
    fills = [row.fill for row in rows]
    rates = Worth.of(outcome).rates
    return pa.table(
        {
            "ts": _times(fill.ts_ns for fill in fills),
            "exec_id": _text([fill.exec_id for fill in fills]),
            "coid": _text([fill.coid for fill in fills]),
            "strategy": _text([row.strategy for row in rows]),
            "conid": pa.array([fill.conid for fill in fills], pa.int64()),
            "symbol": _text([outcome.instruments[fill.conid].symbol for fill in fills]),
            "side": _text([str(fill.side) for fill in fills]),
            "quantity": _money(fill.quantity for fill in fills),
            "price": _money(fill.price for fill in fills),
            "fees": _money(fees_of(fill, rates) for fill in fills),
            "fee_lines": _json(fill.fees for fill in fills),
            "realised": _money(row.realised for row in rows),
            "reference": pa.array([row.reference for row in rows], pa.float64()),
            "liquidity": _text([fill.liquidity for fill in fills]),
            "flags": _text([",".join(fill.flags) for fill in fills]),
            "legs": _json([(leg.conid, leg.quantity, leg.price) for leg in fill.legs] for fill in fills),
        }
    )


def orders_table(outcome: Outcome) -> Any:
    """Return one row an order at its end, in the order of the outcome; columns as in `docs/results.md`."""
    rows = outcome.orders
    orders = [row.order for row in rows]
    tickets = [order.ticket for order in orders]
    return pa.table(
        {
            "created": _times(order.created_ns for order in orders),
            "updated": _times(order.updated_ns for order in orders),
            "coid": _text([ticket.coid for ticket in tickets]),
            "strategy": _text([ticket.strategy for ticket in tickets]),
            "conid": pa.array([ticket.conid for ticket in tickets], pa.int64()),
            "symbol": _text([outcome.instruments[ticket.conid].symbol for ticket in tickets]),
            "side": _text([str(ticket.side) for ticket in tickets]),
            "order_type": _text([str(ticket.order_type) for ticket in tickets]),
            "tif": _text([str(ticket.tif) for ticket in tickets]),
            "quantity": _money(ticket.quantity for ticket in tickets),
            "limit_price": _money(ticket.limit_price for ticket in tickets),
            "stop_price": _money(ticket.stop_price for ticket in tickets),
            "trail": _money(ticket.trail for ticket in tickets),
            "trail_unit": _text([None if t.trail is None else str(t.trail_unit) for t in tickets]),
            "limit_offset": _money(ticket.limit_offset for ticket in tickets),
            "outside_rth": pa.array([ticket.outside_rth for ticket in tickets], pa.bool_()),
            "parent": _text([ticket.parent for ticket in tickets]),
            "oca_group": _text([ticket.oca_group for ticket in tickets]),
            "tag": _text([ticket.tag for ticket in tickets]),
            "state": _text([str(order.state) for order in orders]),
            "filled": _money(order.filled for order in orders),
            "average_price": _money(order.average_price for order in orders),
            "reference": pa.array([row.reference for row in rows], pa.float64()),
            "code": _text([order.code for order in orders]),
            "reason": _text([order.reason for order in orders]),
            "history": _json(row.history for row in rows),
        }
    )


def equity_table(outcome: Outcome) -> Any:
    """Return the equity curve: time, equity, cash, exposure, and `pnl.NAME` for each strategy, all float64."""
    curve = outcome.equity
    columns = {
        "ts": pa.array(curve.ts_ns, pa.int64()).cast(TIME),
        "equity": pa.array(curve.equity, pa.float64()),
        "cash": pa.array(curve.cash, pa.float64()),
        "exposure": pa.array(curve.exposure, pa.float64()),
    }
    for name, values in curve.by_strategy.items():
        columns[f"pnl.{name}"] = pa.array(values, pa.float64())
    return pa.table(columns)


def save(table: Any, path: Path) -> None:
    """Write a table as Parquet, zstd; format settings are fixed so that bytes do not move with defaults."""
    pq.write_table(table, path, compression="zstd", compression_level=3, version="2.6", row_group_size=131_072)
