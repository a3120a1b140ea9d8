"""Closing what is held, by orders that go through risk like any other, in slices that the limits let pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Final

from attrs import define, field

from engine.domain.messages import Place
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.domain.view import MarketView
from engine.portfolio.books import Portfolio
from engine.risk.gate import Gate

TAG: Final = "flatten"
REFUSALS: Final = 5  # after so many refusals of one position a person is told
_ZERO: Final = Decimal(0)
# Of what a limit lets pass: the market may move between the look and the check.
_SHARE: Final = Decimal("0.9")


@define(eq=False)
class Flattening:
    """One flattening: which orders it has sent, and what comes next. Pure."""

    account: str
    portfolio: Portfolio
    gate: Gate
    book: Mapping[str, Order]
    view: Callable[[], MarketView]
    coids: dict[tuple[str, int], list[str]] = field(factory=dict)

    def next(self, now_ns: int) -> list[Place]:
        """Orders to send now: one a position, where none is under way and not too many were refused."""
        wanted = []
        for (strategy, conid), held in sorted(self.portfolio.holdings.items()):
            sent = self.coids.setdefault((strategy, conid), [])
            if not held.quantity or self._under_way(sent) or len(self._refused(sent)) >= REFUSALS:
                continue
            coid = f"{strategy}-{conid}f{now_ns // 1_000:x}"
            quantity = self._slice(strategy, conid, abs(held.quantity))
            sent.append(coid)
            ticket = OrderTicket(
                coid=coid,
                strategy=strategy,
                account=self.account,
                conid=conid,
                side=Side.SELL if held.quantity > _ZERO else Side.BUY,
                order_type=OrderType.MARKET,
                quantity=quantity,
                tag=TAG,
            )
            wanted.append(Place((ticket,)))
        return wanted

    def flat(self) -> bool:
        """Whether nothing is held."""
        return not any(held.quantity for held in self.portfolio.holdings.values())

    def stuck(self) -> list[str]:
        """Positions that risk or the venue do not let go, each with the last reason."""
        said = []
        for (strategy, conid), sent in sorted(self.coids.items()):
            refused = self._refused(sent)
            held = self.portfolio.holdings.get((strategy, conid))
            if held is not None and held.quantity and len(refused) >= REFUSALS:
                said.append(f"{strategy} still holds {held.quantity} of {conid}: {refused[-1].reason}")
        return said

    def mine(self, coid: str) -> bool:
        """Whether an order is one of these."""
        return any(coid in sent for sent in self.coids.values())

    def _under_way(self, sent: list[str]) -> bool:
        # One that is not in the book yet is on its way through risk.
        return bool(sent) and (sent[-1] not in self.book or self.book[sent[-1]].is_open)

    def _refused(self, sent: list[str]) -> list[Order]:
        return [self.book[coid] for coid in sent if coid in self.book and self.book[coid].state is State.REFUSED]

    def _slice(self, strategy: str, conid: int, units: Decimal) -> Decimal:
        """As much of the units as one order may have."""
        exposure = self.gate.exposure(strategy, conid)
        bounds, instrument = exposure.bounds, exposure.instrument
        most = min(units, bounds.quantity_max)
        known = self.view().price(conid)
        if known is not None and known[0] > 0 and exposure.rate is not None:
            one = Decimal(repr(float(known[0]))) * instrument.multiplier * exposure.rate
            most = min(most, bounds.notional_max * _SHARE / one)
        if most >= units:
            return units
        step = instrument.size_increment
        whole = (most / step).to_integral_value(ROUND_DOWN) * step
        return whole if whole > _ZERO else units  # too small a limit: risk says so itself
