"""What a price is measured against: the touch of a contract, that of a combo worked out from its legs."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from engine.gateway.records import Exchange, Top

_NAN: Final = float("nan")


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
    if top is None and instrument.legs:
        top = _net(exchange, conid)
    if top is None:
        return Touch()
    bid, ask, last = (None if price != price else instrument.price(price) for price in (top.bid, top.ask, top.last))
    return Touch(bid, ask, last, top.open_market)


def _net(exchange: Exchange, conid: int) -> Top | None:
    """A combo's quote: a buyer pays the asks of the legs he buys and gets the bids of those he sells."""
    bid = ask = 0.0
    open_market = True
    ts_ns = 0
    for leg in exchange.contracts[conid].instrument.legs:
        top = exchange.top(leg.conid)
        if top is None:
            return None
        bid += leg.ratio * (top.bid if leg.ratio > 0 else top.ask)
        ask += leg.ratio * (top.ask if leg.ratio > 0 else top.bid)
        open_market = open_market and top.open_market
        ts_ns = max(ts_ns, top.ts_ns)
    return Top(
        conid=conid,
        ts_ns=ts_ns,
        bid=bid,
        ask=ask,
        bid_size=_NAN,
        ask_size=_NAN,
        last=_NAN,
        last_size=_NAN,
        volume=_NAN,
        open=_NAN,
        high=_NAN,
        low=_NAN,
        prior_close=_NAN,
        open_market=open_market,
    )
