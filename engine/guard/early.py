"""What a guard answers while a daemon is starting that has not come to it yet: a halt is written down all the same."""

from __future__ import annotations

from typing import Any

from engine.guard.mandate import LATCH, Notes
from engine.operator.processes import Process
from engine.operator.protocol import Request, refused


def answer_early(request: Request, daemon: Process, notes: Notes) -> dict[str, Any]:
    """Answer an operator. Raises: NotDone, refused, for what only the daemon can do."""
    starting = f"the daemon, process {daemon.pid}, is starting"
    match request.verb:
        case "status":
            return {
                "trading": "starting",
                "reasons": [starting],
                "daemon": {"state": "starting", "pid": daemon.pid},
                "layers": [
                    {"layer": "daemon", "up": False, "reason": "is starting"},
                    {"layer": "guard", "up": True, "reason": ""},
                ],
            }
        case "halt":
            if not notes.note(
                LATCH, "guard", request.args["why"] or "an operator halted while the daemon was starting"
            ):
                raise refused("the guard's journal takes no more: make the file `halt` in the state folder")
            trouble = "positions are not closed: say `engine flatten` once it has started"
            return {
                "done": True,
                "by": "guard",
                "trading": "halted",
                "stage": "starting",
                "cancelled": 0,
                "still_open": 0,
                "trouble": trouble if request.args["flatten"] else "",
            }
    raise refused(f"{starting}; ask again in a moment")
