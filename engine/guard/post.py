"""The guard at its post: it owns the operator's socket, hears the daemon's signs, and acts when there are none.

Requests go on to the daemon. Where it does not answer, the guard answers what it can by itself: what the journal says,
and `halt`, which a silent daemon does not survive.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec
import structlog
import trio

from engine.guard.acting import Acting
from engine.guard.early import answer_early
from engine.guard.forwarding import ANSWER_S, Forwarding
from engine.guard.known import known_orders
from engine.guard.mandate import TOOK, Mandate, OpenVenue
from engine.guard.notes import GuardNotes
from engine.guard.seen import as_seen
from engine.guard.talk import (
    HALTING,
    LINE_MAX,
    VERSION,
    Heard,
    Hello,
    Leave,
    NotTaken,
    Replied,
    Sign,
    Taken,
    from_daemon,
    line,
)
from engine.guard.watch import Presence, Todo, Watch
from engine.operator.folder import StateFolder
from engine.operator.lines import Lines, LineTooLong, listen
from engine.operator.processes import Process, alive, end, this_process
from engine.operator.protocol import Request, no_daemon, read_reply, refused
from engine.operator.server import serve
from engine.operator.story import orders_of_day, story
from engine.operator.trading import TradingState

ALONE_S: Final = 30.0
_HELLO_S: Final = 5.0
_STOP_S: Final = 90.0  # longer than the daemon's own deadline
_PROBE_S: Final = 5.0
_COMES_S: Final = 2.0  # a daemon whose guard was killed has come to the new one by then
_LOOK_S: Final = 0.02
HALTED: Final = str(TradingState.HALTED)
_log: Final = structlog.get_logger()


class Post:
    """One guard. Make it while the folder is held, and `run` it."""

    def __init__(self, folder: StateFolder, open_venue: OpenVenue, *, alone_s: float = ALONE_S) -> None:
        self._folder = folder
        self._open = open_venue
        self._alone_s = alone_s
        self._notes = GuardNotes(folder)
        self._mandate: Mandate | None = None
        self._line: Lines | None = None
        self._acting: Acting | None = None
        self._trading = "starting"
        self._probed = False
        self._stopping = False
        self._halting_s: float | None = None  # since when the daemon has been at a halt that it can't confirm
        self._file_s: float | None = None  # since when the file that halts has been there, and trading is not halted
        self._ended = trio.Event()  # a daemon's line has closed

    async def run(self) -> None:
        """Guard until there is nothing to guard."""
        self._watch = Watch(limit_s=_HELLO_S * 2, alone_s=self._alone_s, now_s=trio.current_time())
        self._forwarding = Forwarding(self._watch)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                daemons = listen(self._folder.guard_socket)
                operators = listen(self._folder.operator_socket)
                nursery.start_soon(trio.serve_listeners, self._daemon, [daemons])
                nursery.start_soon(serve, operators, self.answer)
                nursery.start_soon(self._probe)
                nursery.start_soon(self._ticks)
                _log.info("guard_started", pid=this_process().pid)
        finally:
            for socket in (self._folder.guard_socket, self._folder.operator_socket):
                socket.unlink(missing_ok=True)
            self._notes.close()
            _log.info("guard_ended")

    # --- the daemon ---------------------------------------------------------------------------------------------

    async def _daemon(self, stream: trio.SocketStream) -> None:
        lines = Lines(stream, LINE_MAX)
        try:
            with trio.move_on_after(_HELLO_S):
                first = await lines.receive()
                hello = None if first is None else from_daemon.decode(first)
                if isinstance(hello, Hello):
                    await self._take(lines, hello)
            if self._line is not lines:
                return
            async for said in lines:
                self._hear(from_daemon.decode(said), lines)
        except (msgspec.DecodeError, LineTooLong) as error:
            _log.warning("daemon_not_understood", problem=str(error))
        finally:
            if self._line is lines:
                self._lost()
            with trio.move_on_after(1) as ending:
                ending.shield = True
                await lines.aclose()

    async def _take(self, lines: Lines, hello: Hello) -> None:
        old = self._mandate
        if hello.v != VERSION:
            await lines.send(line(NotTaken(f"this guard speaks version {VERSION}, the daemon version {hello.v}")))
            return
        if self._line is not None and old is not None and old.daemon != hello.mandate.daemon and alive(old.daemon):
            await lines.send(line(NotTaken(f"process {old.daemon.pid} is guarded here, and it lives")))
            return
        if self._acting is not None:
            with trio.CancelScope(shield=True):  # longer than a hello may take: a process is being killed
                self._acting.watching.cancel()
                await self._acting.done.wait()
                # The newcomer will read the same list at once, in the same session.
                await trio.sleep_until(self._acting.free_s())
        self._notes.note(TOOK, "daemon", {"pid": hello.mandate.daemon.pid, "config": hello.mandate.config})
        self._mandate, self._line, self._acting = hello.mandate, lines, None
        self._trading = hello.mandate.trading
        self._halting_s = self._file_s = None
        self._ended = trio.Event()
        self._watch.hello(trio.current_time(), hello.mandate.limit_s)
        self._probed = hello.mandate.probe is not None
        _log.info("daemon_taken", pid=hello.mandate.daemon.pid, limit_s=hello.mandate.limit_s)
        await lines.send(line(Taken(this_process())))

    def _hear(self, said: Hello | Sign | Replied | Leave, lines: Lines) -> None:
        match said:
            case Sign(trading=trading):
                self._watch.sign(trio.current_time())
                self._trading = trading
                if trading != HALTING:
                    self._halting_s = None
                elif self._halting_s is None:
                    self._halting_s = trio.current_time()
                self._nursery.start_soon(lines.send, line(Heard()))
            case Replied():
                self._forwarding.replied(said)
            case Leave(gateway=gateway):
                self._watch.leave()
                _log.info("daemon_left", gateway=gateway)
                if gateway and not self._stopping:
                    self._nursery.start_soon(self._end_gateway)
            case Hello():
                _log.warning("second_hello")

    def _lost(self) -> None:
        self._line = None
        self._watch.line_lost()
        self._ended.set()
        self._forwarding.lost()

    # --- time ---------------------------------------------------------------------------------------------------

    async def _ticks(self) -> None:
        while True:
            every_s = min(0.25, self._watch.limit_s / 10)
            await trio.sleep(every_s)
            now_s = trio.current_time()
            todo = self._watch.tick(now_s, gateway=self._gateway_there(), every_s=every_s)
            if todo is Todo.ACT:
                self._act(f"the daemon gave no sign for {self._watch.limit_s:g} s", None)
            elif todo is Todo.END and not self._stopping:
                self._nursery.cancel_scope.cancel()
            elif not self._watch.acted:
                why = self._unheeded(now_s)
                if why:
                    self._act(why, None)

    def _unheeded(self, now_s: float) -> str:
        """Why the daemon is not to be waited for, although it gives signs; empty if it is."""
        presence, limit_s = self._watch.presence(now_s), self._watch.limit_s
        if self._mandate is None or presence is Presence.NONE:
            return ""
        if self._halting_s is not None and now_s - self._halting_s >= limit_s:
            return f"the daemon could not confirm a halt within {limit_s:g} s"
        if self._trading == HALTED or not self._folder.halt_file.exists():
            self._file_s = None
            return ""
        if self._file_s is None:
            self._file_s = now_s
        if presence is not Presence.HERE or now_s - self._file_s >= limit_s:
            return "the file that halts is in the state folder, and the daemon does not heed it"
        return ""

    def _gateway_there(self) -> bool:
        mandate, acting = self._mandate, self._acting
        if mandate is None:
            return False
        if mandate.gateway is not None:
            return alive(self._gateway(mandate.gateway))
        return self._probed or (acting is not None and not acting.done.is_set() and acting.reaches)

    def _gateway(self, told: Process) -> Process:
        """The one that the daemon has told of, or the one that it has started in its place since."""
        return self._folder.process("gateway") or told

    async def _probe(self) -> None:
        """Look whether an outside gateway listens; no request is made."""
        while True:
            await trio.sleep(_PROBE_S)
            mandate = self._mandate
            if mandate is None or mandate.probe is None or self._line is not None:
                continue
            there = False
            with trio.move_on_after(_PROBE_S):
                try:
                    stream = await trio.open_tcp_stream(*mandate.probe)
                except OSError:
                    there = False
                else:
                    there = True
                    await stream.aclose()
            self._probed = there

    def _act(self, why: str, flatten: bool | None, *, latch: bool = True) -> Acting:
        """Act in the daemon's place; what is under way already is not begun again, unless more is wanted."""
        assert self._mandate is not None
        self._watch.acted = True
        wanted = self._mandate.flatten if flatten is None else flatten
        running = self._acting
        if running is not None and not running.done.is_set() and not (wanted and not running.flattens):
            return running
        if running is not None:
            running.watching.cancel()
        _log.warning("guard_acts", why=why, flatten=wanted)
        acting = Acting(
            self._mandate,
            self._notes,
            self._open,
            partial(trio.to_thread.run_sync, known_orders, self._folder),
            why=why,
            flatten=wanted,
            latch=latch,
            silence_s=self._watch.silence_s(trio.current_time()),
        )
        self._acting = acting
        self._nursery.start_soon(acting.run)
        return acting

    # --- operators ----------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Any:
        """Answer an operator. Raises: NotDone."""
        if request.verb == "why":
            return await trio.to_thread.run_sync(story, self._folder, request.args["order"])
        if request.verb == "stop":
            return await self._stop(request)
        if self._line is not None and not self._watch.acted:
            reply = await self._forwarding.ask(self._line, request)
            if reply is not None:
                return read_reply(reply)
        if self._mandate is None and (coming := self._folder.process("daemon")) is not None:
            if await self._comes(coming):
                return await self.answer(request)
            if alive(coming):
                return answer_early(request, coming, self._notes)
        return await self._by_ourselves(request)

    async def _comes(self, daemon: Process) -> bool:
        with trio.move_on_after(_COMES_S):
            while self._mandate is None and alive(daemon):
                await trio.sleep(_LOOK_S)
        return self._mandate is not None

    async def _by_ourselves(self, request: Request) -> Any:
        """What can be said and done without a daemon."""
        mandate = self._mandate
        now_s = trio.current_time()
        gone = mandate is None or not alive(mandate.daemon)
        how = "is gone" if gone else f"has given no sign for {self._watch.silence_s(now_s):.0f} s"
        match request.verb:
            case "status":
                return self._status(now_s)
            case "orders":
                rows = await trio.to_thread.run_sync(orders_of_day, self._folder)
                told = as_seen(rows, () if self._acting is None else self._acting.seen.values())
                return [row for row in told if not request.args["open"] or row["open"]]
            case "halt" if mandate is not None:
                await self._let_end(mandate.daemon)
                why = request.args["why"] or "an operator halted while the daemon did not answer"
                return await self._halted(self._act(why, True if request.args["flatten"] else None))
            case "flatten" if mandate is not None and gone:
                return await self._halted(self._act("an operator flattened while there was no daemon", True))
            case "cancel-all" if mandate is not None and gone:
                return await self._halted(self._act("an operator cancelled all", False, latch=False))
            case "flatten" | "cancel-all" if mandate is not None:
                raise refused(f"the daemon {how}; `engine halt` kills it and cancels its orders")
        raise no_daemon(f"the daemon {how}, and the guard can't answer {request.verb} in its place")

    async def _let_end(self, daemon: Process) -> None:
        """One that has taken its leave sends nothing any more; to kill it would tear what it is closing."""
        if self._watch.left:
            with trio.move_on_after(self._watch.limit_s):
                while alive(daemon):
                    await trio.sleep(_LOOK_S)

    async def _halted(self, acting: Acting) -> dict[str, Any]:
        with trio.move_on_after(ANSWER_S):
            await acting.first_pass.wait()
        return {"done": True, "by": "guard", **_said(acting)}

    def _status(self, now_s: float) -> dict[str, Any]:
        mandate, acting = self._mandate, self._acting
        presence = self._watch.presence(now_s)
        if mandate is None:
            raise no_daemon("no daemon runs on this state folder")
        silent_s = round(self._watch.silence_s(now_s), 1)
        reasons = [f"no sign of the daemon for {silent_s:g} s"]
        if acting is not None:
            reasons.append(f"the guard acts: {acting.why}")
        elif self._watch.left:
            reasons = ["the daemon has ended in order"]
        else:
            reasons.append(f"the guard acts after {self._watch.limit_s:g} s")
        dead = presence is not Presence.SILENT or acting is not None
        return {
            "trading": "halted" if dead else self._trading,
            "reasons": reasons,
            "daemon": {"state": presence.name.lower(), "pid": mandate.daemon.pid, "silent_s": silent_s},
            "layers": [
                {"layer": "daemon", "up": False, "reason": reasons[0]},
                {"layer": "guard", "up": True, "reason": ""},
                {"layer": "gateway", "up": self._gateway_there(), "reason": ""},
            ],
            **({"guard": _said(acting)} if acting is not None else {}),
        }

    async def _stop(self, request: Request) -> Any:
        """End the daemon, the gateway it started, and ourselves."""
        self._stopping = True
        ended: dict[str, Any] = {"done": True, "daemon": "none", "gateway": "none", "guard": "ends"}
        try:
            if self._line is not None and not self._watch.acted:
                reply = await self._forwarding.ask(self._line, request)
                if reply is not None:
                    ended.update(read_reply(reply) or {})
                    ended["daemon"] = await self._gone()
            if self._mandate is not None and alive(self._mandate.daemon):
                acting = self._act("an operator stopped a daemon that did not answer", False)
                await self._halted(acting)
                ended["daemon"] = "killed" if acting.fenced else "lives although it was killed"
            ended["gateway"] = await self._end_gateway()
        except BaseException:
            self._stopping = False
            raise
        self._nursery.start_soon(self._go)
        return ended

    async def _gone(self) -> str:
        mandate = self._mandate
        assert mandate is not None
        with trio.move_on_after(_STOP_S):
            await self._ended.wait()
            while alive(mandate.daemon):
                await trio.sleep(0.02)
            return "ended"
        return "has not ended in time"

    async def _go(self) -> None:
        await trio.sleep(0.3)  # the answer has to get through
        self._nursery.cancel_scope.cancel()

    async def _end_gateway(self) -> str:
        gateway = self._mandate.gateway if self._mandate is not None else None
        if gateway is None:
            return "none"
        ended = await trio.to_thread.run_sync(end, self._gateway(gateway), 10.0)
        self._folder.drop_process("gateway")
        return "ended" if ended else "lives although it was killed"


def _said(acting: Acting) -> dict[str, Any]:
    return {
        "stage": acting.stage,
        "why": acting.why,
        "cancelled": len(acting.cancelled),
        "still_open": len(acting.alive),
        "trouble": acting.trouble,
    }
