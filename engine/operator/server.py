"""The operator's socket: whoever holds the state folder answers here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
import trio

from engine.errors import InputError
from engine.operator.lines import Lines, LineTooLong
from engine.operator.protocol import (
    REQUEST_MAX,
    NotDone,
    Request,
    bad,
    read_request,
    refused,
    write_problem,
    write_reply,
)

AT_ONCE: Final = 16
IDLE_S: Final = 60.0  # how long a caller may keep the line without a word
SEND_S: Final = 10.0
_log: Final = structlog.get_logger()
Answering = Callable[[Request], Awaitable[Any]]


async def serve(listener: trio.SocketListener, answer: Answering) -> None:
    """Answer callers until cancelled. `answer` returns data or raises NotDone."""
    calls = 0

    async def one(stream: trio.SocketStream) -> None:
        nonlocal calls
        lines = Lines(stream, REQUEST_MAX)
        calls += 1
        try:
            if calls > AT_ONCE:
                await _send(lines, write_problem(refused(f"more than {AT_ONCE} callers at once")))
            else:
                await _talk(lines, answer)
        finally:
            calls -= 1
            with trio.move_on_after(1) as ending:
                ending.shield = True
                await lines.aclose()

    await trio.serve_listeners(one, [listener])


async def _talk(lines: Lines, answer: Answering) -> None:
    while True:
        line: bytes | None = None
        try:
            with trio.move_on_after(IDLE_S):
                line = await lines.receive()
        except LineTooLong:
            await _send(lines, write_problem(bad(f"a request may have {REQUEST_MAX} bytes")))
            return
        if line is None:
            return
        try:
            reply = write_reply(await answer(read_request(line)))
        except NotDone as problem:
            reply = write_problem(problem)
        except InputError as problem:
            reply = write_problem(bad(str(problem)))
        # One caller's fault of ours must not end the process that guards everything.
        except Exception as error:  # noqa: BLE001
            _log.exception("request_failed")
            reply = write_problem(refused(f"a fault of our own: {type(error).__name__}: {error}"))
        if not await _send(lines, reply):
            return


async def _send(lines: Lines, line: bytes) -> bool:
    """Send a reply; a caller who does not take it is left."""
    with trio.move_on_after(SEND_S):
        return await lines.send(line)
    return False
