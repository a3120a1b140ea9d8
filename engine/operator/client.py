"""The operator's side: one request to whoever answers on a state folder."""

from __future__ import annotations

from typing import Any, Final

import trio

from engine.errors import InputError
from engine.operator.folder import StateFolder
from engine.operator.lines import LineTooLong, call
from engine.operator.protocol import REPLY_MAX, Request, no_daemon, read_reply, refused, write_request

ANSWER_S: Final = 30.0
_AGAIN_S: Final = 0.1
_RETURNS_S: Final = 5.0  # a guard that was killed is replaced by its daemon within this


async def ask(folder: StateFolder, wanted: Request, *, limit_s: float = ANSWER_S) -> Any:
    """Ask, and return the answer's data.

    Args:
        limit_s: Seconds of the wall until we give up.

    Raises: NotDone (refused, bad, no daemon), InputError for a folder that can't be used.
    """
    if folder.path.exists() and not folder.path.is_dir():
        raise InputError("this is a file, not a state folder", place=str(folder.path))
    lines = await call(folder.operator_socket, REPLY_MAX)
    if lines is None:
        with trio.move_on_after(_RETURNS_S):
            while lines is None and folder.process("daemon") is not None:
                await trio.sleep(_AGAIN_S)
                lines = await call(folder.operator_socket, REPLY_MAX)
    if lines is None:
        starting = folder.process("daemon")
        if starting is not None:
            raise no_daemon(f"the daemon, process {starting.pid}, does not answer yet; ask again in a moment")
        there = "" if folder.path.exists() else ": there is no such folder"
        raise no_daemon(f"no daemon runs on the state folder {folder.path}{there}")
    try:
        line: bytes | None = None
        with trio.move_on_after(limit_s) as waiting:
            if await lines.send(write_request(wanted)):
                line = await lines.receive()
        if waiting.cancelled_caught:
            raise refused(f"no answer within {limit_s:g} s; what was asked may still be done, `engine status` tells")
        if line is None:
            raise no_daemon("the daemon went away before it answered; `engine status` tells what became of it")
        return read_reply(line)
    except LineTooLong:
        raise refused("the answer is longer than an answer may be") from None
    finally:
        with trio.move_on_after(1) as ending:
            ending.shield = True
            await lines.aclose()
