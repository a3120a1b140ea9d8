"""The result by strategy and by instrument."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from attrs import define, field

from engine.portfolio.money import BORROW
from engine.report.drawdowns import largest_fall
from engine.report.execution import Worth, notional, slippage, was_sent
from engine.report.figures import cents
from engine.report.trips import Trip, fees_of, trip_figures
from engine.runtime.outcome import FillRow, Outcome, Position

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
    dividends: Decimal = _ZERO
    borrow: Decimal = _ZERO
    traded: Decimal = _ZERO
    held: Decimal = _ZERO
    fills: list[FillRow] = field(factory=list)
    trips: list[Trip] = field(factory=list)

    @property
    def profit(self) -> Decimal | None:
        """What it earned after fees; None where a position was never priced."""
        if self.unrealised is None:
            return None
        return self.realised + self.unrealised - self.fees + self.dividends - self.borrow

    def row(self, worth: Worth) -> dict[str, Any]:
        """Make the row both tables share; a figure that can't be computed is None."""
        cost = slippage(self.fills, worth)
        trips = trip_figures(self.trips)
        profit = self.profit
        return {
            "pnl": None if profit is None else cents(profit),
            "realised": cents(self.realised),
            "unrealised": None if self.unrealised is None else cents(self.unrealised),
            "fees": cents(self.fees),
            "dividends": cents(self.dividends),
            "borrow": cents(self.borrow),
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


@define
class Parts:
    """A run sorted into parts by strategy name and by conid, in one pass."""

    worth: Worth
    by_strategy: dict[str, _Part] = field(factory=lambda: defaultdict(_Part))
    by_conid: dict[int, _Part] = field(factory=lambda: defaultdict(_Part))

    @classmethod
    def of(cls, outcome: Outcome, trips: Sequence[Trip]) -> Parts:
        """Sort a run and its closed round trips."""
        parts = cls(Worth.of(outcome))
        conids: dict[str, int] = {}
        for order_row in outcome.orders:
            ticket = order_row.order.ticket
            conids[ticket.coid] = ticket.conid
            sent = was_sent(order_row)
            for part in parts.both(ticket.strategy, ticket.conid):
                part.orders += 1
                part.sent += sent
        for fill_row in outcome.fills:
            parts.add_fill(fill_row)
        for one in outcome.booked:
            rate = parts.worth.rates[one.currency]
            for part in parts.both(one.strategy, one.conid):
                part.realised += one.realised * rate
                if one.kind == "dividend":
                    part.dividends += one.cash * rate
        for posting in outcome.postings:
            money = (posting.cash + posting.accrued) * parts.worth.rates[posting.currency]
            if not posting.owner or not money:
                continue  # the account's own, or what was owed and is paid
            for part in parts.both(posting.owner, posting.conid):
                if posting.kind == BORROW:
                    part.borrow -= money
                else:
                    part.dividends += money
        for position in outcome.positions:
            parts.add_position(position, outcome.instruments[position.conid].currency)
        for refusal in outcome.refusals:
            parts.by_strategy[refusal.strategy].refused += 1
            if refusal.coid in conids:
                parts.by_conid[conids[refusal.coid]].refused += 1
        for trip in trips:
            for part in parts.both(trip.strategy, trip.conid):
                part.trips.append(trip)
        return parts

    def both(self, strategy: str, conid: int) -> tuple[_Part, _Part]:
        """Return the two parts that something belongs to."""
        return self.by_strategy[strategy], self.by_conid[conid]

    def add_fill(self, row: FillRow) -> None:
        """Book one execution."""
        fees, traded = fees_of(row.fill, self.worth.rates), notional(row, self.worth)
        for part in self.both(row.strategy, row.fill.conid):
            part.fills.append(row)
            part.realised += row.realised
            part.fees += fees
            part.traded += traded

    def add_position(self, position: Position, currency: str) -> None:
        """Book what is held at the end; without a mark its profit is unknown."""
        gain: Decimal | None = _ZERO
        if position.mark is not None:
            value = position.quantity * position.mark * self.worth.unit(position.conid)
            gain = value - position.cost * self.worth.rates[currency]
        elif position.quantity:
            gain = None
        for part in self.both(position.strategy, position.conid):
            part.held += position.quantity
            part.unrealised = None if gain is None or part.unrealised is None else part.unrealised + gain


def by_strategy(outcome: Outcome, parts: Parts) -> dict[str, dict[str, Any]]:
    """Return one row a strategy, in config order.

    `pnl` is the end of its profit curve (fees taken off), `max_drawdown` that curve's largest fall in money.
    """
    names = [strategy.name for strategy in outcome.settings.strategies]
    rows: dict[str, dict[str, Any]] = {}
    for name in (*names, *sorted(set(parts.by_strategy) - set(names))):
        row = parts.by_strategy[name].row(parts.worth)
        curve = outcome.equity.by_strategy.get(name)
        if curve is not None and len(curve):
            row["pnl"] = round(float(curve[-1]), 2)
            if outcome.rated:  # what moving rates made of money that was earned before
                known = parts.by_strategy[name].profit
                row["currency_effect"] = None if known is None else round(float(curve[-1]) - float(known), 2)
            row["max_drawdown"] = round(largest_fall(curve), 2)
        else:
            row["max_drawdown"] = None
        row["off"] = outcome.off.get(name)
        rows[name] = row
    return rows


def by_instrument(outcome: Outcome, parts: Parts) -> dict[str, dict[str, Any]]:
    """Return one row an instrument that was ordered, traded or held, by symbol; one that occurs twice gets its conid.

    `quantity` is what is held at the end, all strategies together.
    """
    found = parts.by_conid
    symbols = [outcome.instruments[conid].symbol for conid in found]
    rows: dict[str, dict[str, Any]] = {}
    for conid in sorted(found, key=lambda conid: (outcome.instruments[conid].symbol, conid)):
        symbol = outcome.instruments[conid].symbol
        name = symbol if symbols.count(symbol) == 1 else f"{symbol} ({conid})"
        rows[name] = {"conid": conid, **found[conid].row(parts.worth), "quantity": float(found[conid].held)}
    return rows
