"""What a price is measured against: the touch of a contract, in money."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.gateway.records import Exchange


class Touch(msgspec.Struct, frozen=True):
    """Bid, ask and last as money; None where there is none. `open_market`: regular hours are on."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    open_market: bool = True

    @property
    def known(self) -> bool:
        """Whether there is any data."""
        return not (self.bid is None and self.ask is None and self.last is None)

    @property
    def middle(self) -> Decimal | None:
        """The middle of the quote; without one, the last trade, or the one side there is."""
        if self.bid is not None and self.ask is not None:
            return (self.bid + self.ask) / 2
        return next((price for price in (self.last, self.bid, self.ask) if price is not None), None)

    def price(self, *, buy: bool) -> Decimal | None:
        """What a market order would get about now."""
        for price in (self.ask if buy else self.bid, self.last, self.middle):
            if price is not None:
                return price
        return None


def touch(exchange: Exchange, conid: int) -> Touch:
    """The touch of a contract as of now."""
    contract = exchange.contracts.get(conid)
    if contract is None:
        return Touch()
    instrument = contract.instrument
    top = exchange.top(conid)
    if top is None:
        return Touch()
    bid, ask, last = (None if price != price else instrument.price(price) for price in (top.bid, top.ask, top.last))
    return Touch(bid, ask, last, top.open_market)
