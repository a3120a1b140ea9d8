"""The market of one instrument at the moment of judging; of a combo, worked out from its legs."""

from __future__ import annotations

from math import inf, isfinite

from engine.domain.instrument import Instrument
from engine.domain.market import Trading
from engine.domain.view import MarketView
from engine.risk.exposure import MarketNow


def market_now(instrument: Instrument, view: MarketView, now_ns: int) -> MarketNow:
    """Work out the price that orders in an instrument are judged by; of a combo, from its legs' prices."""
    if instrument.legs:
        return _combo_now(instrument, view, now_ns)
    conid = instrument.conid
    known = view.price(conid)
    if known is None or not instrument.price_floor < known[0] < inf:
        return MarketNow(now_ns, None, 0, _halted(conid, view), view)
    return MarketNow(now_ns, known[0], known[1], _halted(conid, view), view)


def _combo_now(instrument: Instrument, view: MarketView, now_ns: int) -> MarketNow:
    net, oldest, halted = 0.0, now_ns, False
    for leg in instrument.legs:
        known = view.price(leg.conid)
        if known is None or not isfinite(known[0]):
            return MarketNow(now_ns, None, 0, False, view)
        net += leg.ratio * known[0]
        oldest = min(oldest, known[1])
        halted = halted or _halted(leg.conid, view)
    return MarketNow(now_ns, net, oldest, halted, view)


def _halted(conid: int, view: MarketView) -> bool:
    status = view.status(conid)
    return status is not None and status.trading != Trading.OPEN
