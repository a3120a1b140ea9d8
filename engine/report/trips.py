"""Round trips: from flat to flat, for each strategy and instrument, and what they say of a strategy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import define, frozen

from engine.domain.actions import Booked
from engine.domain.facts import Filled
from engine.domain.moments import NS_PER_S
from engine.report.figures import Figure, known, unknown
from engine.runtime.outcome import FillRow

_ZERO: Final = Decimal(0)
_CARRIES: Final = ("merger", "spin-off", "exercise", "assignment")  # what opens a position without a fill
NO_TRIPS: Final = "no round trip was closed"


@frozen(kw_only=True)
class Trip:
    """One closed round trip. `quantity` is the most held, signed (above zero: long); `net` the profit less fees."""

    strategy: str
    conid: int
    opened_ns: int
    closed_ns: int
    quantity: Decimal
    realised: Decimal
    fees: Decimal
    fills: int

    @property
    def net(self) -> Decimal:
        """Profit after the fees of all its fills."""
        return self.realised - self.fees


@define
class _Open:
    opened_ns: int
    held: Decimal = _ZERO
    most: Decimal = _ZERO
    realised: Decimal = _ZERO
    fees: Decimal = _ZERO
    fills: int = 0


Rates = Mapping[str, Decimal]


def fees_of(fill: Filled, rates: Rates) -> Decimal:
    """Sum a fill's fee lines in base currency; `rates` is the price of one unit of each currency in it."""
    return sum((amount * rates[unit] for _, amount, unit in fill.fees), _ZERO)


def round_trips(fills: Iterable[FillRow], rates: Rates, booked: Sequence[Booked] = ()) -> tuple[tuple[Trip, ...], int]:
    """Cut fills into round trips, in the order of their end.

    A trip starts with the fill that leaves flat and ends with the one that comes back to it. A fill that turns long
    into short ends one and starts the next: its profit belongs to the trip it ends, its fees to both by quantity. A
    combo counts as units of the combo. Dividends and cash in lieu count in the profit of the trip that they fall in,
    and a split changes its units.

    Args:
        fills: In order of time.
        rates: Price of one unit of each currency in base currency.
        booked: What corporate actions did, in order of time.

    Returns: The closed trips, and how many are still open.
    """
    closed: list[Trip] = []
    under_way: dict[tuple[str, int], _Open] = {}
    waiting = deque(booked)
    for row in fills:
        fill = row.fill
        while waiting and waiting[0].ts_ns <= fill.ts_ns:
            _adjust(waiting.popleft(), under_way, closed, rates)
        key = (row.strategy, fill.conid)
        fees = fees_of(fill, rates)
        signed = fill.quantity if fill.side == "BUY" else -fill.quantity
        trip = under_way.get(key)
        if trip is None:
            trip = under_way[key] = _Open(fill.ts_ns)
        held = trip.held + signed
        trip.fills += 1
        trip.realised += row.realised
        if held * trip.held >= 0 and held:  # opened, grown or shrunk, not through zero
            trip.held = held
            trip.fees += fees
            if abs(held) > abs(trip.most):
                trip.most = held
            continue
        part = fees * abs(trip.held) / fill.quantity if held else fees
        trip.fees += part
        closed.append(_finish(key, trip, fill.ts_ns))
        del under_way[key]
        if held:
            under_way[key] = _Open(fill.ts_ns, held, held, _ZERO, fees - part, 1)
    for late in waiting:
        _adjust(late, under_way, closed, rates)
    return tuple(closed), len(under_way)


def _adjust(one: Booked, under_way: dict[tuple[str, int], _Open], closed: list[Trip], rates: Rates) -> None:
    """A corporate action in the life of a trip."""
    key = (one.strategy, one.conid)
    trip = under_way.get(key)
    if trip is None:
        if one.kind in _CARRIES and not one.before and one.after:
            under_way[key] = _Open(one.ts_ns, one.after, one.after)
        return  # else held by way of a combo
    profit = one.cash if one.kind == "dividend" else one.realised
    trip.realised += profit * rates[one.currency]
    if one.after != one.before:
        # What a combo's legs brought is in `before`, and not in the trip.
        same = trip.held == one.before
        if one.kind == "split":
            trip.most = trip.most * one.after / one.before
            trip.held = one.after if same else trip.held * one.after / one.before
        else:
            trip.held = one.after if same else trip.held + one.after - one.before
            trip.most = max(trip.most, trip.held, key=abs)
    if not trip.held and one.kind != "split":
        closed.append(_finish(key, trip, one.ts_ns))
        del under_way[key]


def _finish(key: tuple[str, int], trip: _Open, closed_ns: int) -> Trip:
    return Trip(
        strategy=key[0],
        conid=key[1],
        opened_ns=trip.opened_ns,
        closed_ns=closed_ns,
        quantity=trip.most,
        realised=trip.realised,
        fees=trip.fees,
        fills=trip.fills,
    )


def trip_figures(trips: Sequence[Trip]) -> dict[str, Figure]:
    """Say how round trips went, all net of fees, in base currency.

    - `win_rate`: trips that earned / all trips. One that earned exactly nothing is neither a win nor a loss.
    - `average_win`, `average_loss`: mean net of those above, and of those below zero (a negative number).
    - `payoff_ratio`: average win / size of the average loss.
    - `expectancy`: mean net of all trips.
    - `profit_factor`: sum of the wins / size of the sum of the losses.
    - `best_trip`, `worst_trip`: largest and smallest net.
    - `holding_s`: mean time from open to close, in seconds.
    """
    nets = [trip.net for trip in trips]
    wins = [net for net in nets if net > 0]
    losses = [net for net in nets if net < 0]
    no_win = unknown("no round trip won") if trips else unknown(NO_TRIPS)
    no_loss = unknown("no round trip lost") if trips else unknown(NO_TRIPS)
    win = known(float(sum(wins) / len(wins))) if wins else no_win
    loss = known(float(sum(losses) / len(losses))) if losses else no_loss
    nothing = unknown(NO_TRIPS)
    held_ns = sum(trip.closed_ns - trip.opened_ns for trip in trips)
    return {
        "win_rate": known(len(wins) / len(nets)) if nets else nothing,
        "average_win": win,
        "average_loss": loss,
        "payoff_ratio": _ratio(win, loss),
        "expectancy": known(float(sum(nets) / len(nets))) if nets else nothing,
        "profit_factor": known(float(sum(wins, _ZERO) / -sum(losses, _ZERO))) if losses else no_loss,
        "best_trip": known(float(max(nets))) if nets else nothing,
        "worst_trip": known(float(min(nets))) if nets else nothing,
        "holding_s": known(held_ns / len(nets) / NS_PER_S) if nets else nothing,
    }


def _ratio(win: Figure, loss: Figure) -> Figure:
    if win.value is None:
        return win
    return loss if loss.value is None else known(win.value / -loss.value)
