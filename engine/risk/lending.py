"""What the venue lends for short sales of one stock, as the short way through the gate reads it.

The check is `venueside.short_availability`; that both say the same is a law under test.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from attrs import frozen

from engine.risk.outside import Borrow, Outside

_ZERO: Final = Decimal(0)
_ENDLESS: Final = Decimal("Infinity")


@frozen
class Lending:
    """The limits on short sales: whether shares must be there (`counts`), and the dearest fee in percent a year."""

    conid: int
    counts: bool
    fee_max: Decimal | None

    def told(self, outside: Outside) -> Borrow | None:
        """What the venue said last; None: it is not known."""
        return outside.borrow.get(self.conid)

    def most(self, outside: Outside) -> Decimal:
        """Units that may be short at a time."""
        borrow, fee_max = self.told(outside), self.fee_max
        if borrow is None:
            return _ZERO
        if fee_max is not None and (borrow.fee_pct is None or borrow.fee_pct > fee_max):
            return _ZERO
        return max(borrow.shares, _ZERO) if self.counts else _ENDLESS

    def allows(self, short: Decimal, outside: Outside) -> bool:
        """Whether so many units may be short; 0 or less: none are."""
        return short <= _ZERO or short <= self.most(outside)
