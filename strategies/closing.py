"""Getting out: cancel what is open in an instrument, wait until it is dead, then close the position at market."""

from __future__ import annotations

from engine.strategy.api import Context


class GoFlat:
    """The way to a flat position; a fill that comes in before a cancel takes hold is closed as well.

    Call `start` once, and `go_on` from `on_order`: the closing order goes out when no order of the instrument is open
    any more. It is sent once: if it is refused, the position stays and the next `start` tries again.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._leaving: dict[int, str] = {}

    def start(self, conid: int, tag: str = "flat") -> None:
        """Begin to leave an instrument; `tag` marks the closing order."""
        self._leaving[conid] = tag
        if self._ctx.cancel_all(conid) == 0:
            self.go_on(conid)

    def go_on(self, conid: int) -> None:
        """Close the position if everything else has ended; nothing to do for an instrument that is not being left."""
        if conid not in self._leaving or self._ctx.orders(conid):
            return
        tag = self._leaving.pop(conid)
        held = self._ctx.position(conid).quantity
        if held > 0:
            self._ctx.sell(conid, held, tag=tag)
        elif held < 0:
            self._ctx.buy(conid, -held, tag=tag)

    def under_way(self, conid: int) -> bool:
        """Whether the instrument is being left, its closing order not yet sent."""
        return conid in self._leaving
