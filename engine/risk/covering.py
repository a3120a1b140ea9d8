"""What covers short options (R33), at the worst case of the account: all that may be sold is, and nothing is bought.

A short call is covered by units of its underlying and by long calls, a short put by long puts, of no earlier expiry.
Everything is counted in units of the underlying. What is not known of an option counts as the worst that it may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.domain.instrument import SecType
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.ticket import OrderTicket
from engine.risk.outside import Contract

if TYPE_CHECKING:
    from engine.risk.account import Account
    from engine.risk.exposure import Exposure

_ZERO: Final = Decimal(0)
OPTIONS: Final = frozenset({SecType.OPTION, SecType.FUTURE_OPTION})
_UNKNOWN: Final = Contract()


class Bared(Struct, frozen=True):
    """Short options that an order leaves without cover: units of the underlying in all, those by the order, whose."""

    units: Decimal
    more: Decimal
    names: str


def identified(contract: Contract | None) -> bool:
    """Whether it is known what an option is on, and until when."""
    return contract is not None and None not in (contract.right, contract.underlying, contract.expires_ns)


def bared(ticket: OrderTicket, exposure: Exposure) -> Bared | None:
    """What more an order would leave without cover than there is without it; None: nothing.

    The legs of a combo trade together, so what it buys covers what it sells.
    """
    account = exposure.account
    if account is None or not account.options:
        return None
    without, with_it = _changes(ticket, exposure)
    for underlying, right in _touched(account, without):
        before, _ = _uncovered(account, underlying, right, without)
        after, names = _uncovered(account, underlying, right, with_it)
        if after > before:
            return Bared(after, after - before, ", ".join(names))
    return None


def _changes(ticket: OrderTicket, exposure: Exposure) -> tuple[dict[int, Decimal], dict[int, Decimal]]:
    """Units by conid to add to the worst case as it is counted now: without this order, and with it as it would be."""
    known, more = exposure.open.get(ticket.coid), exposure.more(ticket)
    own = _ZERO if known is None else known.counted if known.shared is None else known.shared.counted
    without: dict[int, Decimal] = {}
    with_it: dict[int, Decimal] = {}
    legs = [(ratio, leg.instrument.conid) for ratio, leg in exposure.legs] or [(1, exposure.instrument.conid)]
    for ratio, conid in legs:
        if ratio * ticket.side.sign < 0:
            without[conid], with_it[conid] = own * abs(ratio), -more * abs(ratio)
        else:
            with_it[conid] = (own + more) * abs(ratio)
    return without, with_it


def _touched(account: Account, sold: Mapping[int, Decimal]) -> Iterator[tuple[int, str]]:
    """Underlying and right of what is sold, or of what it may cover."""
    assert account.outside is not None
    for conid in sold:
        if conid not in account.options:
            yield conid, "C"
            continue
        contract = account.outside.contracts.get(conid)
        if contract is not None and contract.underlying is not None and contract.right is not None:
            yield contract.underlying, contract.right


def _uncovered(
    account: Account, underlying: int, right: str, changes: Mapping[int, Decimal]
) -> tuple[Decimal, list[str]]:
    """Units of an underlying that short options of one right are on and nothing covers; and the symbols of the options.

    What expires later covers what expires sooner. So the least that stays uncovered is the most by which, from some
    expiry on, the short exceed the long with the shares.
    """
    assert account.outside is not None
    contracts, instruments = account.outside.contracts, account.instruments
    cover = _ZERO
    shares = account.units.get(underlying)
    if right == "C" and shares is not None:
        low = shares.position - shares.sells + changes.get(underlying, _ZERO)
        cover = max(low, _ZERO) * instruments[underlying].multiplier
    dated: list[tuple[int, Decimal]] = []  # expiry, units: above zero short
    names: list[str] = []
    for conid, (units, _) in account.options.items():
        low = (units.position - units.sells + changes.get(conid, _ZERO)) * instruments[conid].multiplier
        contract = contracts.get(conid, _UNKNOWN)
        expires_ns = contract.expires_ns
        if contract.right not in (None, right) or contract.underlying not in (None, underlying):
            continue
        if low < _ZERO:
            dated.append((END_OF_TIME_NS if expires_ns is None else expires_ns, -low))
            unsure = "" if identified(contract) else ", of which too little is known"
            names.append(f"{instruments[conid].symbol}{unsure}")
        elif low and identified(contract) and expires_ns is not None:
            dated.append((expires_ns, -low))
    most = total = _ZERO
    dated.sort(reverse=True)
    for place, (expires_ns, low) in enumerate(dated):
        total += low
        if place + 1 == len(dated) or dated[place + 1][0] != expires_ns:
            most = max(most, total - cover)
    return most, names
