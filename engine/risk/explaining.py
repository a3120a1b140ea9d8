"""What every check says of one ticket, with its figures: for `engine risk explain`."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket
from engine.domain.view import MarketView
from engine.risk.catalogue import row_of, row_of_code
from engine.risk.checks import MODIFICATION, NEW_ORDER, Check
from engine.risk.conduct import latched
from engine.risk.figures import FIGURES, Figures
from engine.risk.gate import Gate
from engine.risk.market import market_now


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


def explain(gate: Gate, ticket: OrderTicket, view: MarketView, now_ns: int, *, changes: bool = False) -> list[Finding]:
    """Ask every check that this ticket meets; `changes`: as the ticket that an open order is to become.

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
    asked = (*MODIFICATION, *exposure.armed_changes) if changes else (*NEW_ORDER, *exposure.armed)
    if not changes and gate.clears(ticket, view, now_ns):  # then every check allows: only figures are asked for
        plain, figured = _cleared(asked, gate)
        found += plain
        for place, code, check, figures in figured:
            found[place - len(plain)] = _finding(code, check.__name__, None, figures(ticket, exposure, market, bounds))
        return found
    for check in asked:
        refusal = check(ticket, exposure, market, bounds)
        figures_of = None if refusal is not None else FIGURES.get(check)
        shown = ("", "") if figures_of is None else figures_of(ticket, exposure, market, bounds)
        found.append(_finding(row_of(check, gate.plugins).code, check.__name__, refusal, shown))
    return found


def barred(refusal: Refusal) -> Finding:
    """What stands before all checks: the trading state, an instrument's halt, or the daemon's health."""
    row = row_of_code(refusal.code)
    return _finding("R40" if row is None else row.code, refusal.code.lower(), refusal, ("", ""))


def _cleared(asked: tuple[Check, ...], gate: Gate) -> _Cleared:
    """What checks say when all allow: findings without figures, and at which places figures are to be put in."""
    known = _CLEARED.get(asked)
    if known is None:
        codes = [row_of(check, gate.plugins).code for check in asked]
        pairs = list(zip(codes, asked, strict=True))
        plain = tuple(_finding(code, check.__name__, None, ("", "")) for code, check in pairs)
        figured = tuple((n, c, check, FIGURES[check]) for n, (c, check) in enumerate(pairs) if check in FIGURES)
        known = _CLEARED[asked] = plain, figured
    return known


def _finding(code: str, check: str, refusal: Refusal | None, figures: tuple[str, str]) -> Finding:
    if refusal is not None:
        return Finding(code, check, False, refusal.limit, refusal.value, f"{refusal.code}: {refusal.sentence}")
    return Finding(code, check, True, *figures, "allows")
