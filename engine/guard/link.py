"""The daemon's side of its guard: signs of life each second, operators' requests answered, a lost guard replaced.

It runs in the loop that trades. If that hangs, no sign leaves, which is the point.
"""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
import trio

from engine.errors import EngineError, InputError
from engine.guard.launch import launch
from engine.guard.mandate import Mandate
from engine.guard.talk import (
    LINE_MAX,
    VERSION,
    Heard,
    Hello,
    Leave,
    NotTaken,
    Replied,
    Sign,
    Taken,
    Wanted,
    from_guard,
    line,
)
from engine.operator.folder import StateFolder
from engine.operator.lines import Lines, LineTooLong, call
from engine.operator.processes import Process, kill
from engine.operator.protocol import NotDone, Request, bad, refused, request, write_problem, write_reply

SIGN_S: Final = 1.0
_COMES_S: Final = 15.0  # a guard's start on a busy machine
_ACTS_S: Final = 120.0  # what a guard is at, it ends before it takes a daemon
_DEAF: Final = 10  # signs without an echo: the guard hangs
_AGAIN_S: Final = 0.1

log = structlog.get_logger()


class GuardLost(EngineError):
    """No guard could be had; the sentence says why."""


class GuardLink:
    """The line to the guard.

    Args:
        venue: `module:attribute` of the way to the gateway, as `launch` takes it.
        mandate: What the guard is told of us, now.
        trading: The trading state, now.
        answer: Carries out an operator's request; returns data or raises NotDone.
        changed: Told whether we are guarded, and if not, why.
        sign_s: Seconds between signs; a quarter of the guard's limit, at most one, if not given.
        launched: A guard that has been started already, and will soon be there.
    """

    def __init__(
        self,
        folder: StateFolder,
        venue: str,
        *,
        mandate: Callable[[], Mandate],
        trading: Callable[[], str],
        answer: Callable[[Request], Awaitable[Any]],
        changed: Callable[[bool, str], None],
        sign_s: float | None = None,
        launched: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self._folder = folder
        self._venue = venue
        self._mandate = mandate
        self._trading = trading
        self._answer = answer
        self._changed = changed
        self._sign_s = sign_s if sign_s is not None else min(SIGN_S, mandate().limit_s / 4)
        self._lines: Lines | None = None
        self._guard: Process | None = None
        self._unheard = 0
        self._leaving = False
        self._child = launched

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be guarded until cancelled. Started once a guard has taken us, and has ended whatever it was at.

        Raises: GuardLost if none can be had at the start; later it is tried again for ever.
        """
        lines = await self._connect()
        task_status.started()
        while True:
            self._changed(True, "")
            await self._stay(lines)
            self._lines = None
            if self._leaving:
                return
            self._changed(False, "the guard is gone; another one is started")
            log.warning("guard_lost")
            while True:
                try:
                    lines = await self._connect()
                    break
                except GuardLost as error:
                    self._changed(False, str(error))
                    await trio.sleep(self._sign_s)

    async def leave(self, *, gateway: bool) -> None:
        """We end in order: the guard has nothing to do for us and ends, with `gateway` the one that we started too."""
        self._leaving = True
        if self._lines is not None:
            with trio.move_on_after(2) as saying:
                saying.shield = True
                await self._lines.send(line(Leave(gateway)))

    # --- the line -----------------------------------------------------------------------------------------------

    async def _connect(self) -> Lines:
        with trio.move_on_after(_COMES_S):
            while True:
                lines = await call(self._folder.guard_socket, LINE_MAX)
                if lines is not None:
                    return await self._greet(lines)
                if self._child is None or self._child.poll() is not None:
                    self._child = launch(self._folder, self._venue)
                await trio.sleep(_AGAIN_S)
        raise GuardLost(f"no guard came within {_COMES_S:g} s; {self._folder.guard_log} says why")

    async def _greet(self, lines: Lines) -> Lines:
        taken = False
        try:
            with trio.CancelScope(deadline=trio.current_time() + _ACTS_S, shield=True):
                await lines.send(line(Hello(VERSION, self._mandate())))
                first = await lines.receive()
                said = None if first is None else from_guard.decode(first)
                if isinstance(said, NotTaken):
                    raise GuardLost(f"the guard does not take us: {said.problem}")
                if isinstance(said, Taken):
                    self._lines, self._guard, self._unheard, taken = lines, said.guard, 0, True
                    return lines
            raise GuardLost("the guard went away before it took us")
        except (msgspec.DecodeError, LineTooLong) as error:
            raise GuardLost(f"the guard is not understood: {error}") from error
        finally:
            if not taken:
                await _hang_up(lines)

    async def _stay(self, lines: Lines) -> None:
        """Give signs and answer, until the guard is gone or has gone deaf."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._signs, lines, nursery.cancel_scope)
                try:
                    async for said in lines:
                        heard = from_guard.decode(said)
                        if isinstance(heard, Heard):
                            self._unheard = 0
                        elif isinstance(heard, Wanted):
                            nursery.start_soon(self._reply, lines, heard)
                except (msgspec.DecodeError, LineTooLong) as error:
                    log.warning("guard_not_understood", problem=str(error))
                nursery.cancel_scope.cancel()
        finally:
            await _hang_up(lines)

    async def _signs(self, lines: Lines, staying: trio.CancelScope) -> None:
        while True:
            sent = False
            with trio.move_on_after(self._sign_s * _DEAF):
                sent = await lines.send(line(Sign(self._trading())))
            self._unheard += 1
            if not sent or self._unheard > _DEAF:
                log.warning("guard_deaf", unheard=self._unheard)
                if self._guard is not None:
                    await trio.to_thread.run_sync(kill, self._guard, 1.0)
                staying.cancel()
                return
            await trio.sleep(self._sign_s)

    async def _reply(self, lines: Lines, wanted: Wanted) -> None:
        try:
            reply = write_reply(await self._answer(request(wanted.verb, wanted.args)))
        except NotDone as problem:
            reply = write_problem(problem)
        except InputError as problem:
            reply = write_problem(bad(str(problem)))
        # An operator's question must not end the process that trades.
        except Exception as error:
            log.exception("request_failed", verb=wanted.verb)
            reply = write_problem(refused(f"a fault of our own: {type(error).__name__}: {error}"))
        await lines.send(line(Replied(wanted.number, msgspec.Raw(reply.rstrip()))))


async def _hang_up(lines: Lines) -> None:
    with trio.move_on_after(1) as ending:
        ending.shield = True
        await lines.aclose()
