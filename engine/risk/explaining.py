"""What every check says of one ticket, with its figures: for `engine risk explain`."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.messages import Approved, Place, Refusal
from engine.domain.ticket import OrderTicket
from engine.domain.view import MarketView
from engine.risk import pricing
from engine.risk.catalogue import row_of, row_of_code
from engine.risk.checks import MODIFICATION, NEW_ORDER
from engine.risk.conduct import latched
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.figures import (
    BEFORE,
    FIGURES,
    OF_VENUE,
    STEADY,
    TAKEN,
    WITHOUT_VENUE,
    Figures,
    OfVenue,
    Pair,
    own_range,
)
from engine.risk.gate import Gate
from engine.risk.limits import Bounds
from engine.risk.market import market_now
from engine.risk.numbers import number
from engine.risk.sums import dearest


class Finding(Struct, frozen=True):
    """One check: its row, whether it allows, the limit and the value it compared, and a sentence."""

    code: str
    check: str
    allows: bool
    limit: str
    value: str
    sentence: str


_ALLOWS: Final = "allows"


class Outline(Struct, frozen=True):
    """What checks say when all allow, whatever the order: `findings`, and at which places figures are to be put in.

    It holds for these bounds alone, which others take the place of when limits are reloaded. `taken` is `figured` where
    the order counts already; None if it has to be explained before. `lately` is the place of R38, if it is asked.
    """

    bounds: Bounds
    findings: tuple[Finding, ...]
    figured: tuple[tuple[int, str, str, Figures], ...]
    taken: tuple[tuple[int, str, str, Figures], ...] | None
    lately: int | None
    of_venue: tuple[tuple[int, str, str, OfVenue], ...]


def explain(gate: Gate, ticket: OrderTicket, view: MarketView, now_ns: int, *, changes: bool = False) -> list[Finding]:
    """Ask every check that this ticket meets; `changes`: as the ticket that an open order is to become.

    Raises: KeyError for an instrument that is not known.
    """
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    market = market_now(exposure.instrument, view, now_ns)
    bounds = exposure.bounds
    if not changes and gate.clears(ticket, view, now_ns):  # then every check allows: only figures are asked for
        outline = exposure.outline
        if outline is None or outline.bounds is not bounds:
            outline = exposure.outline = _outline(gate, ticket, exposure, market)
        return _cleared(gate, ticket, exposure, market, outline, outline.figured)
    found = []
    if gate.account.held:
        found.append(_finding("R19", "latched", latched(ticket, exposure, market, bounds), ("none", "none")))
    for check in (*MODIFICATION, *exposure.armed_changes) if changes else (*NEW_ORDER, *exposure.armed):
        refusal = check(ticket, exposure, market, bounds)
        figures_of = None if refusal is not None else FIGURES.get(check)
        shown = ("", "") if figures_of is None else figures_of(ticket, exposure, market, bounds)
        found.append(_finding(row_of(check, gate.plugins).code, check.__name__, refusal, shown))
    return found


def barred(refusal: Refusal) -> Finding:
    """What stands before all checks: the trading state, an instrument's halt, or the daemon's health."""
    row = row_of_code(refusal.code)
    return _finding("R40" if row is None else row.code, refusal.code.lower(), refusal, ("", ""))


class Untold(Struct, frozen=True):
    """An order that was taken, and of which nobody has said yet what the checks compared; its money in base currency.

    `tell` says it as long as risk has heard of nothing else: an order that is in a hurry need not wait for that.
    """

    gate: Gate
    ticket: OrderTicket
    exposure: Exposure
    view: MarketView
    now_ns: int
    outline: Outline
    figured: tuple[tuple[int, str, str, Figures], ...]
    lately: Pair | None

    @property
    def money(self) -> float:
        """At the worse of its own price and the market's, as the check of R2 has it; NaN where unknown."""
        price = self.gate.references[self.ticket.coid]
        return number(self.ticket.quantity) * dearest(self.ticket, abs(price)) * self.exposure.unit_value

    def tell(self) -> list[Finding]:
        """What `explain` would have said before the order counted."""
        market = market_now(self.exposure.instrument, self.view, self.now_ns)
        found = _cleared(self.gate, self.ticket, self.exposure, market, self.outline, self.figured)
        place = self.outline.lately
        if place is not None and self.lately is not None:
            limit, value = self.lately
            found[place] = replace(found[place], limit=limit, value=value)
        return found


def take(gate: Gate, intent: Place, view: MarketView, now_ns: int) -> tuple[Approved, Untold] | None:
    """Have the short way take one order alone; what the checks compared can be told later.

    Asked the other way round, the short way is gone twice.

    Returns: None if nothing has been taken, and the order is to be explained and judged.
    """
    ticket = intent.tickets[0]
    exposure = gate.account.exposures.get((ticket.strategy, ticket.conid))
    outline = None if exposure is None else exposure.outline
    if exposure is None or outline is None or outline.bounds is not exposure.bounds or outline.taken is None:
        return None
    lately = None if outline.lately is None else own_range(ticket, exposure, exposure.bounds)
    approved = gate.takes(intent, view, now_ns)
    if approved is None:
        return None
    return approved, Untold(gate, ticket, exposure, view, now_ns, outline, outline.taken, lately)


def _cleared(
    gate: Gate,
    ticket: OrderTicket,
    exposure: Exposure,
    market: MarketNow,
    outline: Outline,
    figured: tuple[tuple[int, str, str, Figures], ...],
) -> list[Finding]:
    bounds, found = exposure.bounds, list(outline.findings)
    for place, code, name, figures in figured:
        limit, value = figures(ticket, exposure, market, bounds)
        found[place] = Finding(code, name, True, limit, value, _ALLOWS)
    outside = gate.account.outside
    for place, code, name, of_venue in outline.of_venue:
        limit, value = WITHOUT_VENUE if outside is None else of_venue(ticket, exposure, market, bounds, outside)
        found[place] = Finding(code, name, True, limit, value, _ALLOWS)
    return found


def _outline(gate: Gate, ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> Outline:
    bounds, findings, figured, taken, of_venue = exposure.bounds, [], [], [], []
    lately, asked = None, (*NEW_ORDER, *exposure.armed)
    for place, check in enumerate(asked):
        code, name, steady = row_of(check, gate.plugins).code, check.__name__, STEADY.get(check)
        pair = ("", "") if steady is None else steady(ticket, exposure, market, bounds)
        findings.append(_finding(code, name, None, pair))
        if check in OF_VENUE:
            of_venue.append((place, code, name, OF_VENUE[check]))
        elif steady is None and check in FIGURES:
            figured.append((place, code, name, FIGURES[check]))
            if check is pricing.own_range:
                lately = place
            else:
                taken.append((place, code, name, TAKEN.get(check, FIGURES[check])))
    # What was sent lately is a sum only where there is a register of it.
    registered = exposure.plan is not None and exposure.plan.register is not None
    tells = BEFORE.isdisjoint(asked) and (registered or not of_venue)
    return Outline(bounds, tuple(findings), tuple(figured), tuple(taken) if tells else None, lately, tuple(of_venue))


def _finding(code: str, check: str, refusal: Refusal | None, figures: tuple[str, str]) -> Finding:
    if refusal is not None:
        return Finding(code, check, False, refusal.limit, refusal.value, f"{refusal.code}: {refusal.sentence}")
    return Finding(code, check, True, *figures, _ALLOWS)
