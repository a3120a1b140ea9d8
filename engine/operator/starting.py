"""The operator's desk of a daemon that starts: it can be looked at, halted and stopped before it has a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio
from attrs import define

from engine.errors import JournalFull
from engine.operator import latches
from engine.operator.protocol import NotDone, Request, refused
from engine.operator.trading import Row, TradingDesk, TradingState
from engine.risk.account import Held


@define(kw_only=True, eq=False)
class StartingDesk:
    """Answers until the `LiveDesk` is there; a halt given here is a latch that the start finds.

    Args:
        now_ns: The clock that rows of the journal are stamped with.
        store: Returns when rows are in the journal. Raises: JournalFull.
        layers, about: As for the `LiveDesk`.
        held: What risk has latched in an earlier life, by owner.
    """

    trading: TradingDesk
    now_ns: Callable[[], int]
    store: Callable[[Sequence[Row]], Awaitable[None]]
    layers: Callable[[], Sequence[Mapping[str, Any]]]
    about: Callable[[], Mapping[str, Any]]
    stopping: trio.Event
    held: Callable[[], Mapping[str, Held]] = dict

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Answer an operator. Raises: NotDone for what needs the venue's books."""
        match request.verb:
            case "status":
                return self._status()
            case "halt":
                why = request.args["why"] or "halted by an operator"
                rows = self.trading.latch(
                    TradingState.HALTED, "operator", why, self.now_ns(), flatten=request.args.get("flatten", False)
                )
                await self._keep(request, rows)
                return {"done": True, "trading": str(self.trading.state), "cancelling": 0}
            case "resume":
                if not self.trading.latches and latches.in_force(self.held(), self.now_ns()):
                    raise self._not_yet(request)  # what risk has latched is lifted by risk, which does not run yet
                await self._keep(request, [])  # what can't be written down is not lifted
                lifted = self.trading.resume(self.now_ns())
                await self.store(lifted)
                return {"done": True, "trading": self._state(), "lifted": bool(lifted)}
            case "stop":
                await self._keep(request, [])
                self.stopping.set()
                return {"done": True, "stopping": True}
        raise self._not_yet(request)

    def _status(self) -> Mapping[str, Any]:
        trading, held, now_ns = self.trading, self.held(), self.now_ns()
        return {
            "trading": self._state(),
            "reasons": latches.reasons_of(trading, held, now_ns),
            "latches": latches.rows_of(trading, held, now_ns),
            **self.about(),
            "layers": list(self.layers()),
        }

    def _state(self) -> str:
        return str(latches.state_of(self.trading, self.held(), self.now_ns()))

    def _not_yet(self, request: Request) -> NotDone:
        return refused(f"the daemon starts: {request.verb} is for when the venue's books have been read")

    async def _keep(self, request: Request, rows: Sequence[Row]) -> None:
        """The command and what follows from it; a journal that is full holds up no halt."""
        args = {name: value for name, value in request.args.items() if value}
        command = (self.now_ns(), "operator", "operator", {"verb": request.verb, "args": args})
        try:
            await self.store([command, *rows])
        except JournalFull as error:
            if request.verb == "resume":
                raise refused(f"resume: {error}") from error
