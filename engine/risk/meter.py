"""What orders have used up of the account's room since it was measured: the figures that every `Room` is read against.

One reading serves all limits on sums. An order counts with its money at a price that its instrument surely stays below
(`spans`), and with one message. What one limit has left when it is measured is added to the reading of that moment; as
long as the reading stays below the least of these, no limit can be reached. What one strategy uses up counts for all,
which is never too little.

Whatever can lift a sum in another way than by an order that is read here begins another epoch (`void`), and with it
every room is measured anew. What can only lower sums, such as a cancel or a fill, does not.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

Span = tuple[float, float]  # prices of an instrument, from and to, that sums are worked out for

SURELY: Final = 0.999  # of what is left: far more than float arithmetic loses
SMALL: Final = 1e-6  # of a reading: what is left is too little beside it to be told apart surely
LONG: Final = 4_096  # messages after which a reading begins at zero again
_WIDTH: Final = 1.0 / 16.0  # how far a price may go before everything is measured anew


@define(eq=False)
class Meter:
    """The account's reading. `money` is in base currency; `measured` counts how often a room was measured."""

    epoch: int = 0
    messages: int = 0
    money: float = 0.0
    measured: int = 0
    spans: dict[int, Span] = field(factory=dict)  # by conid

    def void(self) -> None:
        """No room holds any more."""
        self.epoch += 1
        self.messages = 0
        self.money = 0.0

    def span(self, conid: int, price: float, top: float) -> Span:
        """The prices that an instrument's sums are worked out for; with another span no room holds any more.

        Args:
            price: The market's, above zero.
            top: The dearest that open orders count at; 0 where there are none.
        """
        dear = max(price, top)
        known = self.spans.get(conid)
        if known is None or not (known[0] <= price and dear <= known[1]):
            known = self.spans[conid] = price * (1.0 - _WIDTH), dear * (1.0 + _WIDTH)
            self.void()
        return known

    def drop(self, conid: int) -> None:
        """Prices have left an instrument's span, and nothing is at stake there."""
        del self.spans[conid]
        self.void()

    def charge(self, conid: int, worst: float, units: float, unit_value: float, least: float = 0.0) -> None:
        """An order or a modification counts that no room has counted.

        Args:
            worst: The dearest of its price and the market's.
            units: That it adds.
            least: Money that it surely adds to some sum.
        """
        known = self.spans.get(conid)
        if known is None or not worst <= known[1]:
            self.void()
        else:
            self.messages += 1
            self.money += max(units * known[1] * unit_value, least)
