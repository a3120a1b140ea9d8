"""Our books against the venue's: what differs, of which class it is, and what is done about it.

Pure: it is handed both sides and returns differences. Executions are told apart by id, so that nothing counts twice;
what a class of difference leads to is policy. Quantities in units of the instrument, money in the currency named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from engine.domain.brokerage import Balance, VenueExecution, VenuePosition

_ZERO: Final = Decimal(0)
# Ratios at which shares are split or joined; any other change of a position needs another explanation.
_SPLITS: Final = frozenset(
    ratio
    for up in (
        *(Fraction(n) for n in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50)),
        Fraction(3, 2),
        Fraction(5, 4),
    )
    for ratio in (up, 1 / up)
)
_CENT: Final = Decimal("0.01")  # the venue's ledger is rounded
_COST_DRIFT: Final = Decimal("0.005")  # a split leaves what a position cost as it was, but for rounding


class Class(StrEnum):
    """What a difference is."""

    OWN_LATE_FILL = "own late fill"
    MANUAL_TRADE = "manual trade"
    LIQUIDATION = "liquidation"
    SPLIT = "split"
    FEE = "fee"
    INTEREST = "interest"
    DIVIDEND = "dividend"
    UNKNOWN = "unknown"


class Remedy(StrEnum):
    """What is done about one."""

    ADOPT = "adopt"  # the venue's books are right: ours follow
    IGNORE = "ignore"  # a person knows; nothing follows
    HALT_INSTRUMENT = "halt instrument"  # no new order in it until a person has looked


@frozen(kw_only=True)
class ReconcilePolicy:
    """`[orders.reconcile]`. `cash_tolerance` is the money per currency that fees not yet told may explain."""

    manual_trade: Remedy = Remedy.HALT_INSTRUMENT
    liquidation: Remedy = Remedy.HALT_INSTRUMENT
    split: Remedy = Remedy.HALT_INSTRUMENT
    unknown: Remedy = Remedy.HALT_INSTRUMENT
    cash_tolerance: Decimal = Decimal(5)

    def remedy(self, found: Class) -> Remedy:
        """What a class leads to; our own fills and what is money are always taken over."""
        if found in (Class.OWN_LATE_FILL, Class.FEE, Class.INTEREST, Class.DIVIDEND):
            return Remedy.ADOPT
        of = {
            Class.MANUAL_TRADE: self.manual_trade,
            Class.LIQUIDATION: self.liquidation,
            Class.SPLIT: self.split,
        }
        return of.get(found, self.unknown)


@frozen(kw_only=True)
class Held:
    """A position in our books; `cost` is what it cost in all, signed like the quantity."""

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO


@frozen(kw_only=True)
class Difference:
    """One difference. `conid` None where it is one of cash, which `currency` then names. `executions` explain it."""

    found: Class
    remedy: Remedy
    ours: Decimal
    venue: Decimal
    conid: int | None = None
    currency: str | None = None
    executions: tuple[str, ...] = field(factory=tuple)

    def __str__(self) -> str:
        what = f"conid {self.conid}" if self.conid is not None else f"cash in {self.currency}"
        return f"{what}: {self.ours} in our books, {self.venue} in the venue's ({self.found}: {self.remedy})"


def compare_positions(
    ours: Mapping[int, Held],
    venue: Iterable[VenuePosition],
    executions: Sequence[VenueExecution],
    *,
    own: Mapping[str, bool],
    policy: ReconcilePolicy,
) -> list[Difference]:
    """Compare positions, conid by conid.

    Args:
        executions: The venue's executions that our books do not have yet.
        own: For each of them, by execution id, whether its order is ours.

    Returns: Differences, lowest conid first. Executions that explain one are named in it.
    """
    there = {position.conid: position for position in venue}
    found = []
    for conid in sorted({*ours, *there}):
        held = ours.get(conid, Held())
        position = there.get(conid, VenuePosition(conid=conid, quantity=_ZERO))
        gap = position.quantity - held.quantity
        if gap:
            missing = [one for one in executions if one.conid == conid]
            kind, explained = _class_of(gap, held, position, missing, own)
            found.append(
                Difference(
                    found=kind,
                    remedy=policy.remedy(kind),
                    conid=conid,
                    ours=held.quantity,
                    venue=position.quantity,
                    executions=tuple(one.execution_id for one in explained),
                )
            )
    return found


def _class_of(
    gap: Decimal, held: Held, position: VenuePosition, missing: Sequence[VenueExecution], own: Mapping[str, bool]
) -> tuple[Class, Sequence[VenueExecution]]:
    ours = [one for one in missing if own.get(one.execution_id, False)]
    forced = [one for one in missing if one.liquidation]
    foreign = [one for one in missing if not own.get(one.execution_id, False) and not one.liquidation]
    for kind, rows in (
        (Class.OWN_LATE_FILL, ours),
        (Class.LIQUIDATION, [*ours, *forced]),
        (Class.MANUAL_TRADE, [*ours, *foreign]),
        (Class.LIQUIDATION, missing),  # a person's trades and the broker's: the graver word
    ):
        if rows and _units(rows) == gap:
            return kind, rows
    if not missing and _is_split(held, position):
        return Class.SPLIT, ()
    return Class.UNKNOWN, ()


def _units(rows: Iterable[VenueExecution]) -> Decimal:
    return sum((one.size if one.side == "BUY" else -one.size for one in rows), _ZERO)


def _is_split(held: Held, position: VenuePosition) -> bool:
    if not held.quantity or not position.quantity or position.average_cost is None:
        return False
    if Fraction(position.quantity) / Fraction(held.quantity) not in _SPLITS:
        return False
    cost = position.average_cost * position.quantity
    return abs(cost - held.cost) <= abs(held.cost) * _COST_DRIFT


def compare_cash(
    ours: Mapping[str, Decimal],
    venue: Mapping[str, Balance],
    *,
    policy: ReconcilePolicy,
    before: Mapping[str, Balance] = MappingProxyType({}),
    estimated: Mapping[str, Decimal] = MappingProxyType({}),
) -> list[Difference]:
    """Compare cash by currency, and say of which class each gap is.

    What the venue owed of interest or dividends at the last reading and owes no longer, it has paid. What is left is
    fees if it is small, else unknown. Cash never halts an instrument: an unknown gap is for a person, and the venue's
    figure is what there is.

    Args:
        before: The venue's ledger when the books were compared last; a currency that is not there explains nothing.
        estimated: Fees that our books hold by estimate: a gap within them waits for the commissions, and is left alone.
    """
    found = []
    for currency in sorted({*ours, *venue}):
        here = ours.get(currency, _ZERO)
        balance = venue.get(currency, Balance(cash=_ZERO))
        gap = balance.cash - here
        if not gap:
            continue
        waiting = abs(estimated.get(currency, _ZERO))
        last = before.get(currency)
        for kind, part in () if last is None else _explained(gap, last, balance, policy.cash_tolerance + waiting):
            found.append(_cash(kind, currency, here, here + part))
            here += part
            gap -= part
        if not gap:
            continue
        if waiting and abs(gap) <= waiting + policy.cash_tolerance:
            found.append(_cash(Class.FEE, currency, here, balance.cash, Remedy.IGNORE))
        else:
            kind = Class.FEE if abs(gap) <= policy.cash_tolerance else Class.UNKNOWN
            found.append(_cash(kind, currency, here, balance.cash))
    return found


def _cash(kind: Class, currency: str, ours: Decimal, venue: Decimal, remedy: Remedy = Remedy.ADOPT) -> Difference:
    return Difference(found=kind, remedy=remedy, currency=currency, ours=ours, venue=venue)


def _explained(gap: Decimal, last: Balance, now: Balance, slack: Decimal) -> list[tuple[Class, Decimal]]:
    """What was owed and has been paid, if that is what the gap is: to the cent first, then within what fees may be."""
    parts = [
        (kind, was - owed)
        for kind, was, owed in (
            (Class.DIVIDEND, last.dividends, now.dividends),
            (Class.INTEREST, last.interest, now.interest),
        )
        if was is not None and owed is not None and was != owed
    ]
    for within in (_CENT, slack):
        for chosen in ([one] for one in parts):
            if abs(gap - chosen[0][1]) <= within < abs(gap):
                return chosen
        if len(parts) > 1 and abs(gap - sum((part for _, part in parts), _ZERO)) <= within < abs(gap):
            return parts
    return []
