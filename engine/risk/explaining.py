"""What every check says of one ticket, with its figures: for `engine risk explain`, never on an order's way."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec import Struct

from engine.domain.messages import Refusal
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import OrderTicket
from engine.domain.view import MarketView
from engine.risk import checks
from engine.risk.catalogue import row_of
from engine.risk.checks import NEW_ORDER, Check
from engine.risk.conduct import latched
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.gate import Gate
from engine.risk.limits import Bounds
from engine.risk.market import market_now
from engine.risk.sums import worst_money

Figures = Callable[[OrderTicket, Exposure, MarketNow, Bounds], tuple[str, str]]
_ZERO: Final = Decimal(0)


class Finding(Struct, frozen=True):
    """One check: its row, whether it allows, the limit and the value it compared, and a sentence."""

    code: str
    check: str
    allows: bool
    limit: str
    value: str
    sentence: str


_Cleared = tuple[tuple[Finding, ...], tuple[tuple[int, str, Check, Figures], ...]]
_CLEARED: Final[dict[tuple[Check, ...], _Cleared]] = {}  # one for each set of limits


def explain(gate: Gate, ticket: OrderTicket, view: MarketView, now_ns: int) -> list[Finding]:
    """Ask every check that this ticket meets; the ticket's own reservation, if it has one, is not taken off.

    Raises: KeyError for an instrument that is not known.
    """
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    market = market_now(exposure.instrument, view, now_ns)
    bounds = exposure.bounds
    found = []
    if gate.account.held:
        found.append(_finding("R19", "latched", latched(ticket, exposure, market, bounds), ("none", "none")))
    instrument = exposure.instrument
    instrument.units(ticket.quantity)
    if ticket.limit_price is not None:
        instrument.level(ticket.limit_price)
    asked = (*NEW_ORDER, *exposure.armed)
    if gate.clears(ticket, view, now_ns):  # then every check allows: only figures are asked for
        plain, figured = _cleared(asked, gate)
        found += plain
        for place, code, check, figures in figured:
            found[place - len(plain)] = _finding(code, check.__name__, None, figures(ticket, exposure, market, bounds))
        return found
    for check in asked:
        figures_of = _FIGURES.get(check)
        shown = ("", "") if figures_of is None else figures_of(ticket, exposure, market, bounds)
        refusal = check(ticket, exposure, market, bounds)
        found.append(_finding(row_of(check, gate.plugins).code, check.__name__, refusal, shown))
    return found


def _cleared(asked: tuple[Check, ...], gate: Gate) -> _Cleared:
    """What checks say when all allow: findings without figures, and at which places figures are to be put in."""
    known = _CLEARED.get(asked)
    if known is None:
        codes = [row_of(check, gate.plugins).code for check in asked]
        pairs = list(zip(codes, asked, strict=True))
        plain = tuple(_finding(code, check.__name__, None, ("", "")) for code, check in pairs)
        figured = tuple((n, c, check, _FIGURES[check]) for n, (c, check) in enumerate(pairs) if check in _FIGURES)
        known = _CLEARED[asked] = plain, figured
    return known


def _finding(code: str, check: str, refusal: Refusal | None, figures: tuple[str, str]) -> Finding:
    if refusal is not None:
        return Finding(code, check, False, refusal.limit, refusal.value, f"{refusal.code}: {refusal.sentence}")
    return Finding(code, check, True, *figures, "allows")


def _age(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> tuple[str, str]:
    age_s = (market.now_ns - market.since_ns) / NS_PER_S
    return f"{bounds.quote_age_max_ns / NS_PER_S:g} s", f"{age_s:.3f} s"


def _collar(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> tuple[str, str]:
    limit = f"{bounds.collar * 100:g} %"
    if ticket.limit_price is None or not market.price:
        return limit, "no limit price"
    worse = (float(ticket.limit_price) - market.price) * ticket.side.sign / abs(market.price) * 100
    return limit, f"{worse:.2f} %"


def _position(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> tuple[str, str]:
    limit = min((most for most in bounds.position_max if most is not None), default=None)
    more = max(exposure.more(ticket), _ZERO)
    return str(limit), str(exposure.units[0].reach(ticket.side, more))


def _levels(count: Callable[[Exposure, MarketNow], tuple[tuple[int, int], ...]]) -> Figures:
    def figures(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> tuple[str, str]:
        pairs = count(exposure, market)
        if not pairs:
            return "none", ""
        used, most = min(pairs, key=lambda pair: pair[1] - pair[0])
        return str(most), str(used + 1)

    return figures


_FIGURES: Final[dict[Check, Figures]] = {
    checks.order_quantity: lambda t, e, m, b: (str(b.quantity_max), str(t.quantity)),
    checks.order_notional: lambda t, e, m, b: (str(b.notional_max), f"{worst_money(t, e, m):.2f}"),
    checks.price_collar: _collar,
    checks.stale_quote: _age,
    checks.position: _position,
    checks.tick_and_lot: lambda t, e, m, b: (f"{e.instrument.price_ticks[0].tick}", str(t.limit_price or "")),
    checks.open_orders: _levels(lambda e, m: tuple((tally.open, most) for tally, most, _ in e.open_levels)),
    checks.order_rate: _levels(
        lambda e, m: tuple((tally.in_last(NS_PER_MINUTE, m.now_ns), most) for tally, most, _ in e.rate_levels)
    ),
    checks.duplicate: lambda t, e, m, b: (f"{b.duplicate_window_ns / NS_PER_S:g} s", "none like it"),
}
