"""What a daemon answers to operators: one method a verb, and the way from a request to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, assert_never, cast

from engine.operator.protocol import Request


class OperatorDesk(Protocol):
    """The verbs. Each returns data for JSON, or raises `protocol.NotDone` with a sentence.

    A command is in the journal before it is acted on. None of them waits for a strategy.
    """

    async def status(self) -> Mapping[str, Any]:
        """The trading state, why, and each layer of health."""

    async def orders(self, *, only_open: bool) -> Sequence[Mapping[str, Any]]:
        """The orders of the venue's day."""

    async def positions(self) -> Sequence[Mapping[str, Any]]:
        """What each strategy holds."""

    async def pnl(self) -> Mapping[str, Any]:
        """Profit, fees and cash."""

    async def risk(self) -> Mapping[str, Any]:
        """How much of each limit of the account is used, and what is left of it, by the catalogue's code."""

    async def halt(self, why: str, *, flatten: bool = False) -> Mapping[str, Any]:
        """Nothing new goes out, and what is open is cancelled, until `resume`; with `flatten` all is closed too."""

    async def drill(self, *, paper: bool = False) -> Mapping[str, Any]:
        """Practise the kill switch, where the market is simulated; with `paper` in mode paper too."""

    async def say_alive(self) -> Mapping[str, Any]:
        """Somebody looks after this: the dead-man timer begins anew."""

    async def resume(self) -> Mapping[str, Any]:
        """Lift all latches."""

    async def flatten(self) -> Mapping[str, Any]:
        """Cancel all and close every position; then only what reduces may trade, until `resume`."""

    async def cancel_all(self) -> Mapping[str, Any]:
        """Cancel all orders of ours."""

    async def suppress(self, ids: Sequence[str] | None, *, reset: bool) -> Mapping[str, Any]:
        """Show the suppression list, give the session a new one, or have all questions asked again."""

    async def answer(self, question: int, yes: bool) -> Mapping[str, Any]:
        """Answer a question of the venue's."""

    async def confirm(self) -> Mapping[str, Any]:
        """Let limits that the file has loosened count."""

    async def stop(self) -> Mapping[str, Any]:
        """End by the policy for stopping."""


async def carry_out(desk: OperatorDesk, request: Request) -> Any:
    """Do what an operator asks. Raises: NotDone.

    `why` is not here: the guard answers it from the journal's file.
    """
    args = request.args
    match request.verb:
        case "status":
            return await desk.status()
        case "orders":
            return await desk.orders(only_open=args["open"])
        case "positions":
            return await desk.positions()
        case "pnl":
            return await desk.pnl()
        case "risk":
            return await desk.risk()
        case "halt":
            return await desk.halt(args["why"], flatten=args["flatten"])
        case "drill":
            return await desk.drill(paper=args["paper"])
        case "alive":
            return await desk.say_alive()
        case "resume":
            return await desk.resume()
        case "flatten":
            return await desk.flatten()
        case "cancel-all":
            return await desk.cancel_all()
        case "suppress":
            return await desk.suppress(args["ids"], reset=args["reset"])
        case "answer":
            return await desk.answer(args["question"], args["yes"])
        case "confirm":
            return await desk.confirm()
        case "stop":
            return await desk.stop()
    assert_never(cast("Any", request.verb))  # a checked request has a verb of the list
