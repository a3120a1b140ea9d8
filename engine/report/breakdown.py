"""The result by strategy and by instrument."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from attrs import define, field

from engine.report.drawdowns import largest_fall
from engine.report.execution import Worth, notional, slippage, was_sent
from engine.report.figures import cents
from engine.report.trips import Trip, fees_of, trip_figures
from engine.runtime.outcome import FillRow, Outcome

_ZERO: Final = Decimal(0)


@define
class _Part:
    """What belongs to one strategy, or one instrument."""

    orders: int = 0
    sent: int = 0
    refused: int = 0
    realised: Decimal = _ZERO
    unrealised: Decimal | None = _ZERO
    fees: Decimal = _ZERO
    traded: Decimal = _ZERO
    held: Decimal = _ZERO
    fills: list[FillRow] = field(factory=list)
    trips: list[Trip] = field(factory=list)

    def row(self, worth: Worth) -> dict[str, Any]:
        """Make the row both tables share; a figure that can't be computed is None."""
        cost = slippage(self.fills, worth)
        trips = trip_figures(self.trips)
        profit = None if self.unrealised is None else self.realised + self.unrealised - self.fees
        return {
            "pnl": None if profit is None else cents(profit),
            "realised": cents(self.realised),
            "unrealised": None if self.unrealised is None else cents(self.unrealised),
            "fees": cents(self.fees),
            "orders": self.orders,
            "sent": self.sent,
            "fills": len(self.fills),
            "refused": self.refused,
            "traded": cents(self.traded),
            "slippage": cost.figure.value,
            "slippage_bp": cost.basis_points.value,
            "round_trips": len(self.trips),
            "win_rate": trips["win_rate"].value,
            "profit_factor": trips["profit_factor"].value,
            "expectancy": trips["expectancy"].value,
        }


def _collect(outcome: Outcome, trips: Sequence[Trip], key: Callable[[str, int], Any]) -> dict[Any, _Part]:
    """Sort all of a run into parts; `key` names the part by strategy and conid."""
    parts: dict[Any, _Part] = defaultdict(_Part)
    worth = Worth.of(outcome)
    owner: dict[str, Any] = {}
    for order_row in outcome.orders:
        ticket = order_row.order.ticket
        mine = owner[ticket.coid] = key(ticket.strategy, ticket.conid)
        parts[mine].orders += 1
        parts[mine].sent += was_sent(order_row)
    for fill_row in outcome.fills:
        part = parts[key(fill_row.strategy, fill_row.fill.conid)]
        part.fills.append(fill_row)
        part.realised += fill_row.realised
        part.fees += fees_of(fill_row.fill, worth.rates)
        part.traded += notional(fill_row, worth)
    for position in outcome.positions:
        part = parts[key(position.strategy, position.conid)]
        part.held += position.quantity
        if position.mark is None and position.quantity:
            part.unrealised = None
        elif position.mark is not None and part.unrealised is not None:
            value = position.quantity * position.mark * worth.unit(position.conid)
            rate = worth.rates[outcome.instruments[position.conid].currency]
            part.unrealised += value - position.cost * rate
    for refusal in outcome.refusals:
        if refusal.coid in owner:
            parts[owner[refusal.coid]].refused += 1
    for trip in trips:
        parts[key(trip.strategy, trip.conid)].trips.append(trip)
    return parts


def by_strategy(outcome: Outcome, trips: Sequence[Trip]) -> dict[str, dict[str, Any]]:
    """Return one row a strategy, in config order.

    `pnl` is the end of its profit curve (fees taken off), `max_drawdown` that curve's largest fall in money.
    """
    parts = _collect(outcome, trips, lambda strategy, _: strategy)
    for name in (strategy.name for strategy in outcome.settings.strategies):
        parts[name].refused = sum(1 for refusal in outcome.refusals if refusal.strategy == name)
    names = [strategy.name for strategy in outcome.settings.strategies]
    rows: dict[str, dict[str, Any]] = {}
    for name in (*names, *sorted(set(parts) - set(names))):
        row = parts[name].row(Worth.of(outcome))
        curve = outcome.equity.by_strategy.get(name)
        if curve is not None and len(curve):
            row["pnl"] = round(float(curve[-1]), 2)
            row["max_drawdown"] = round(largest_fall(curve), 2)
        else:
            row["max_drawdown"] = None
        row["off"] = outcome.off.get(name)
        rows[name] = row
    return rows


def by_instrument(outcome: Outcome, trips: Sequence[Trip]) -> dict[str, dict[str, Any]]:
    """Return one row an instrument that was ordered, traded or held, by symbol; one that occurs twice gets its conid.

    `quantity` is what is held at the end, all strategies together.
    """
    parts = _collect(outcome, trips, lambda _, conid: conid)
    symbols = [outcome.instruments[conid].symbol for conid in parts]
    rows: dict[str, dict[str, Any]] = {}
    for conid in sorted(parts, key=lambda conid: (outcome.instruments[conid].symbol, conid)):
        symbol = outcome.instruments[conid].symbol
        name = symbol if symbols.count(symbol) == 1 else f"{symbol} ({conid})"
        rows[name] = {"conid": conid, **parts[conid].row(Worth.of(outcome)), "quantity": float(parts[conid].held)}
    return rows
