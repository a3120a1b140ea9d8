"""Closing what is held, sized by what the venue says is held, in slices, until it says that nothing is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Final

from attrs import define, field

from engine.domain.messages import Place
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType
from engine.domain.view import MarketView
from engine.portfolio.books import Portfolio
from engine.risk.closing import closing_side, under_way
from engine.risk.gate import Gate

TAG: Final = "flatten"
OUTSIDE: Final = "outside"  # who owns what the venue holds and no strategy of ours does
REFUSALS: Final = 5  # after so many refusals of one position a person is told
_WAIT_MAX_S: Final = 60.0
_UNSENT_WAIT_S: Final = 4.0
_UNSENT: Final = frozenset({"DISCONNECTED", "UNSENT"})  # codes of the order desk
_ZERO: Final = Decimal(0)
# Of what a limit lets pass: the market may move between the look and the check.
_SHARE: Final = Decimal("0.9")


@define(eq=False)
class _Way:
    """The orders sent for one strategy's part of a position."""

    coids: list[str] = field(factory=list)
    again_ns: int = 0


@define(eq=False)
class Flattening:
    """One flattening: which orders it has sent, and what comes next.

    Args:
        settle_s: Seconds of the venue's clock after which a position that differs from our books is believed.
    """

    account: str
    portfolio: Portfolio
    gate: Gate
    book: Mapping[str, Order]
    view: Callable[[], MarketView]
    settle_s: float
    held: dict[int, Decimal] = field(factory=dict)  # by conid, as the venue said last; what is missing is flat
    told: set[str] = field(factory=set)  # reasons that a person has heard
    _read: bool = False
    _ways: dict[tuple[str, int], _Way] = field(factory=dict)

    def read(self, held: Mapping[int, Decimal]) -> None:
        """What the venue holds of our instruments, signed units by conid."""
        self.held = {conid: units for conid, units in held.items() if units}
        self._read = True

    def next(self, now_ns: int) -> list[Place]:
        """Orders to send now: one a part of a position, where none is under way and the venue's figure can be true."""
        wanted = []
        for conid, units in sorted(self.held.items()):
            room = abs(units) - under_way(self.gate, conid, units)
            if room <= _ZERO or not self._believed(conid, now_ns):
                continue
            for strategy, part in self._parts(conid, units, room):
                way = self._ways.setdefault((strategy, conid), _Way())
                if self._under_way(way) or now_ns < way.again_ns:
                    continue
                way.again_ns = now_ns + round(_wait_s(self._refused(way)) * NS_PER_S)
                wanted.append(self._order(strategy, conid, units, self._slice(strategy, conid, part), now_ns))
                way.coids.append(wanted[-1].tickets[0].coid)
        return wanted

    def flat(self, now_ns: int) -> bool:
        """Whether the venue says that nothing is held, and can know."""
        return (
            self._read
            and not self.held
            and not any(self._under_way(way) for way in self._ways.values())
            and all(self._believed(conid, now_ns) for conid in self.portfolio.account)
        )

    def stuck(self) -> list[str]:
        """Positions that the venue does not let go, each with the last reason."""
        said = []
        for (strategy, conid), way in sorted(self._ways.items()):
            refused = self._refused(way)
            if conid in self.held and len(refused) >= REFUSALS:
                said.append(f"{self.held[conid]} of {conid} are held still ({strategy}): {refused[-1].reason}")
        return said

    def mine(self, coid: str) -> bool:
        """Whether an order is one of these."""
        return any(coid in way.coids for way in self._ways.values())

    def _believed(self, conid: int, now_ns: int) -> bool:
        """Whether the venue's figure is our books', or so old a difference that it can't be an execution on its way."""
        if self.held.get(conid, _ZERO) == self.portfolio.account.get(conid, _ZERO):
            return True
        last_ns = max((o.updated_ns for o in self.book.values() if o.ticket.conid == conid and o.filled), default=0)
        return now_ns - last_ns >= self.settle_s * NS_PER_S

    def _parts(self, conid: int, units: Decimal, room: Decimal) -> list[tuple[str, Decimal]]:
        """Whose units are closed: those of strategies on the position's side, and the rest is nobody's."""
        parts = []
        for (strategy, of), held in sorted(self.portfolio.holdings.items()):
            part = min(abs(held.quantity), room)
            if of == conid and held.quantity * units > _ZERO and part > _ZERO:
                parts.append((strategy, part))
                room -= part
        return [*parts, (OUTSIDE, room)] if room > _ZERO else parts

    def _order(self, strategy: str, conid: int, units: Decimal, quantity: Decimal, now_ns: int) -> Place:
        ticket = OrderTicket(
            coid=f"{strategy}-{conid}f{now_ns // 1_000:x}",
            strategy=strategy,
            account=self.account,
            conid=conid,
            side=closing_side(units),
            order_type=OrderType.MARKET,
            quantity=quantity,
            tag=TAG,
        )
        return Place((ticket,))

    def _under_way(self, way: _Way) -> bool:
        # One that is not in the book yet is on its way through risk.
        return bool(way.coids) and (way.coids[-1] not in self.book or self.book[way.coids[-1]].is_open)

    def _refused(self, way: _Way) -> Sequence[Order]:
        """The last orders, as many as were refused in a row."""
        found: list[Order] = []
        for coid in reversed(way.coids):
            order = self.book.get(coid)
            if order is None or order.state is not State.REFUSED:
                break
            found.insert(0, order)
        return found

    def _slice(self, strategy: str, conid: int, units: Decimal) -> Decimal:
        """As much of the units as one order may have; a limit of 0 forbids to open, and cuts nothing."""
        exposure = self.gate.exposure(strategy, conid)
        bounds, instrument = exposure.bounds, exposure.instrument
        most = min(units, bounds.quantity_max or units)
        known = self.view().price(conid)
        if known is not None and known[0] > 0 and exposure.rate is not None:
            one = Decimal(repr(float(known[0]))) * instrument.multiplier * exposure.rate
            most = min(most, bounds.notional_max * _SHARE / one or units)
        if most >= units:
            return units
        step = instrument.size_increment
        whole = (most / step).to_integral_value(ROUND_DOWN) * step
        return whole if whole > _ZERO else min(step, units)


def _wait_s(refused: Sequence[Order]) -> float:
    """Seconds until the next try: longer with each refusal, but not where nothing has left us."""
    unsent = bool(refused) and refused[-1].code in _UNSENT
    return min(2.0 ** len(refused), _UNSENT_WAIT_S if unsent else _WAIT_MAX_S)
