"""One flat look at a plain order in an option or a future: how long it has to run, what covers it, and the Greeks.

Like `screens`, whose part it is, it says "surely allowed" or "can't say"; the checks are those of `derivatives`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Final

from attrs import define, field

from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY
from engine.domain.ticket import OrderTicket
from engine.risk.numbers import number
from engine.risk.outside import Contract

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure, Units

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
    _contract: Contract | None = None  # the one that the next is worked out of
    _until_ns: int = 0

    def allows(
        self, ticket: OrderTicket, exposure: Exposure, contracts: Mapping[int, Contract], units: float, now_ns: int,
        *, buy: bool,
    ) -> bool:  # fmt: skip
        """Whether a new order surely passes; `units` is its quantity."""
        contract = contracts.get(ticket.conid)
        if contract is None:
            return False
        if contract is not self._contract:
            self._contract, self._until_ns = contract, self._opens_until_ns(contract)
        if now_ns > self._until_ns:
            return False
        if not buy:
            own = exposure.units[0]
            if own.sells + ticket.quantity > own.position:  # short: what covers it is for the check
                return False
        return not self.greeks or self._within(ticket.conid, contracts, units if buy else -units)

    def _opens_until_ns(self, contract: Contract) -> int:
        """The last moment at which it may be traded; below zero where that is not known."""
        if self.days is None:
            return END_OF_TIME_NS
        if contract.expires_ns is None:
            return -1
        ends_ns = contract.expires_ns if contract.notice_ns is None else min(contract.expires_ns, contract.notice_ns)
        return ends_ns - self.days * NS_PER_DAY

    def _within(self, conid: int, contracts: Mapping[int, Contract], more: float) -> bool:
        """Whether the sums stay within their limits with all that is open and pushes the way of this order."""
        mine = contracts.get(conid)
        if mine is None or mine.delta is None or mine.vega is None:
            return False
        multiplier = self.held[conid][1]
        adds_delta = delta = more * multiplier * number(mine.delta)
        adds_vega = vega = more * multiplier * number(mine.vega)
        size = abs(delta) + abs(vega)
        for of, (units, multiplier) in self.held.items():
            if not (units.position or units.buys or units.sells):
                continue
            contract = contracts.get(of)
            if contract is None or contract.delta is None or contract.vega is None:
                return False
            up, down = (
                number(units.position + units.buys) * multiplier,
                number(units.position - units.sells) * multiplier,
            )
            each, other = number(contract.delta), number(contract.vega)
            one = (up if each * adds_delta > 0.0 else down) * each
            two = (up if other * adds_vega > 0.0 else down) * other
            delta += one
            vega += two
            size += abs(one) + abs(two)
        blur = size * _BLUR
        return abs(delta) + blur <= self.delta and abs(vega) + blur <= self.vega
