"""Getting out: cancel what is open in an instrument, wait until it is dead, then close the position at market."""

from __future__ import annotations

from typing import Final

from engine.strategy.api import Context, Order

_AGAIN_NS: Final = 60_000_000_000


class GoFlat:
    """The way to a flat position; a fill that comes in before a cancel takes hold is closed as well.

    Call `start` once, and `hear` from `on_order`: the closing order goes out when no order of the instrument is open.
    If it is refused (the last price is too old, say) or dies with a rest, that rest is `owed`: call `retry` with the
    instrument's next market data, which sends it again, a minute after the last try at the earliest.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._leaving: dict[int, str] = {}
        self._closing: dict[int, tuple[str, int]] = {}  # client order id of the closing order, and when it was sent
        self.owed: dict[int, str] = {}

    def start(self, conid: int, tag: str = "flat") -> None:
        """Begin to leave an instrument; `tag` marks the closing order."""
        self._leaving[conid] = tag
        if self._ctx.cancel_all(conid) == 0:
            self._go_on(conid)

    def hear(self, order: Order) -> None:
        """Take the next step if this order's end was what we waited for."""
        conid = order.ticket.conid
        coid, _ = self._closing.get(conid, ("", 0))
        if order.coid == coid and not order.is_open and order.remaining:
            self.owed[conid] = order.ticket.tag
        self._go_on(conid)

    def retry(self, conid: int) -> None:
        """Send a closing order that failed once more, if the market is open and the last try was a minute ago."""
        tag = self.owed.get(conid)
        _, sent_ns = self._closing.get(conid, ("", 0))
        if tag is not None and self._ctx.now_ns >= sent_ns + _AGAIN_NS and self._ctx.is_open(conid):
            del self.owed[conid]
            self.start(conid, tag)

    def _go_on(self, conid: int) -> None:
        if conid not in self._leaving or self._ctx.orders(conid):
            return
        tag = self._leaving.pop(conid)
        held = self._ctx.position(conid).quantity
        if held:
            ask_for = self._ctx.sell if held > 0 else self._ctx.buy
            self._closing[conid] = (ask_for(conid, abs(held), tag=tag), self._ctx.now_ns)
