"""One flat look at a plain order in an option or a future: how long it has to run, what covers it, and the Greeks.

Like `screens`, whose part it is, it says "surely allowed" or "can't say"; the checks are those of `derivatives`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
from typing import TYPE_CHECKING, Final

from attrs import define, field

from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY
from engine.domain.ticket import OrderTicket
from engine.risk.meter import Span
from engine.risk.numbers import number
from engine.risk.outside import Contract

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure, Units

Greeks = tuple[Contract, float, float]  # what they were told with; delta and vega of one unit, with its multiplier
_BLUR: Final = 1e-12  # of all that is summed: above what cancels out and leaves its last digits


@define(eq=False)
class Dated:
    """The limits on one option or future as the look reads them.

    `days` of its life are left alone, at a future's end counted from its first notice too. `held` are the account's
    options: units, and the multiplier; `delta` and `vega` the limits on all of them, where `greeks` says so.
    """

    days: int | None = None
    greeks: bool = False
    delta: float = inf
    vega: float = inf
    held: Mapping[int, tuple[Units, float]] = field(factory=dict)
    until_ns: int = 0  # worked out of the contract
    _contract: Contract | None = None
    _own: Greeks | None = None  # of that contract
    _told: dict[int, Greeks] = field(factory=dict)

    def allows(
        self, ticket: OrderTicket, exposure: Exposure, contracts: Mapping[int, Contract], buy: bool, units: float,
        now_ns: int,
    ) -> bool:  # fmt: skip
        """Whether a new order surely passes; `units` is its quantity."""
        contract = contracts.get(ticket.conid)
        if contract is None:
            return False
        if contract is not self._contract:
            self._contract, self.until_ns = contract, self._opens_until_ns(contract)
            self._own = self._greeks_of(ticket.conid, contracts) if self.greeks else None
        if now_ns > self.until_ns:
            return False
        if not buy:
            own = exposure.units[0]
            if own.sells + ticket.quantity > own.position:  # short: what covers it is for the check
                return False
        return not self.greeks or self._within(contracts, units if buy else -units)

    def _opens_until_ns(self, contract: Contract) -> int:
        """The last moment at which it may be traded; below zero where that is not known."""
        if self.days is None:
            return END_OF_TIME_NS
        if contract.expires_ns is None:
            return -1
        ends_ns = contract.expires_ns if contract.notice_ns is None else min(contract.expires_ns, contract.notice_ns)
        return ends_ns - self.days * NS_PER_DAY

    def _within(self, contracts: Mapping[int, Contract], more: float) -> bool:
        """Whether the sums stay within their limits with all that is open and pushes the way of this order."""
        if self._own is None:
            return False
        _, adds_delta, adds_vega = self._own
        adds_delta = delta = more * adds_delta
        adds_vega = vega = more * adds_vega
        size = abs(delta) + abs(vega)
        for of, (units, _) in self.held.items():
            if not (units.position or units.buys or units.sells):
                continue
            known = self._greeks_of(of, contracts)
            if known is None:
                return False
            _, each, other = known
            delta_up, vega_up = each * adds_delta > 0.0, other * adds_vega > 0.0
            up = number(units.position + units.buys) if delta_up or vega_up else 0.0
            down = 0.0 if delta_up and vega_up else number(units.position - units.sells)
            one, two = (up if delta_up else down) * each, (up if vega_up else down) * other
            delta += one
            vega += two
            size += abs(one) + abs(two)
        blur = size * _BLUR
        return abs(delta) + blur <= self.delta and abs(vega) + blur <= self.vega

    def left(self, contracts: Mapping[int, Contract], spans: Mapping[int, Span], values: Mapping[int, float]) -> float:
        """Money that orders in options may come to with neither sum above its limit, whichever way they push.

        Args:
            spans: Prices of each option that orders may be taken in without this look.
            values: Base currency per unit at price 1, by conid.
        """
        sums, size, dearest = [0.0] * 4, 0.0, [0.0, 0.0]  # delta up and down, vega up and down; Greeks a unit of money
        for of, (units, _) in self.held.items():
            counts = bool(units.position or units.buys or units.sells)
            known, span = self._greeks_of(of, contracts), spans.get(of)
            if known is None:
                if counts or span is not None:
                    return -1.0
                continue
            up, down = number(units.position + units.buys), number(units.position - units.sells)
            for at, each in enumerate(known[1:]):
                if counts:
                    sums[2 * at] += (up if each > 0.0 else down) * each
                    sums[2 * at + 1] -= (down if each > 0.0 else up) * each
                    size += max(abs(up), abs(down)) * abs(each)
                if span is not None:
                    dearest[at] = max(dearest[at], abs(each) / (span[1] * values.get(of, nan)))
        blur = size * 1e-9
        return min(
            (most - max(sums[2 * at : 2 * at + 2]) - blur) / dearest[at] if dearest[at] else inf
            for at, most in enumerate((self.delta, self.vega))
        )

    def _greeks_of(self, conid: int, contracts: Mapping[int, Contract]) -> Greeks | None:
        """An option's delta and vega; None where they are not known."""
        contract, known = contracts.get(conid), self._told.get(conid)
        if known is not None and known[0] is contract:
            return known
        if contract is None or contract.delta is None or contract.vega is None:
            return None
        multiplier = self.held[conid][1]
        found = self._told[conid] = contract, number(contract.delta) * multiplier, number(contract.vega) * multiplier
        return found
