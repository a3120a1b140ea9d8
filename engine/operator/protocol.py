"""What goes over the operator's socket: one JSON line a request, one a reply, versioned and bounded.

Request `{"v":1,"verb":"orders","args":{"open":true}}`, reply `{"v":1,"ok":true,"data":...}` or
`{"v":1,"ok":false,"code":"refused","problem":"one sentence"}`. Amounts are decimal strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.errors import EngineError

VERSION: Final = 1
REQUEST_MAX: Final = 64 << 10
REPLY_MAX: Final = 32 << 20  # an order is some 400 bytes: enough for tens of thousands
WHY_MAX: Final = 500  # characters of a reason that a person gives


class Code(StrEnum):
    """Why a request was not answered; each is an exit code of the command line's."""

    REFUSED = "refused"
    BAD = "bad"
    NO_DAEMON = "no_daemon"


EXIT: Final[Mapping[Code, int]] = {Code.REFUSED: 1, Code.BAD: 2, Code.NO_DAEMON: 3}


class NotDone(EngineError):
    """A request was not carried out; the sentence says why."""

    def __init__(self, code: Code, problem: str) -> None:
        super().__init__(code, problem)
        self.code = code
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


def refused(problem: str) -> NotDone:
    """The daemon understands and says no."""
    return NotDone(Code.REFUSED, problem)


def bad(problem: str) -> NotDone:
    """The request can't be used."""
    return NotDone(Code.BAD, problem)


def no_daemon(problem: str) -> NotDone:
    """Nobody is there who could."""
    return NotDone(Code.NO_DAEMON, problem)


class Request(msgspec.Struct, frozen=True):
    """A verb with its arguments, checked."""

    verb: str
    args: Mapping[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer: `data` if `ok`, else a code and a sentence."""

    v: int
    ok: bool
    data: Any = None
    code: str = ""
    problem: str = ""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    verb: str
    args: dict[str, Any] = {}


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Orders(msgspec.Struct, forbid_unknown_fields=True):
    open: bool = False


class _Why(msgspec.Struct, forbid_unknown_fields=True):
    order: str


class _Halt(msgspec.Struct, forbid_unknown_fields=True):
    why: str = ""
    flatten: bool = False


class _Drill(msgspec.Struct, forbid_unknown_fields=True):
    paper: bool = False


class _Suppress(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[str] | None = None
    reset: bool = False


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    question: int
    yes: bool


# Every verb, and what it takes.
VERBS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "status": _Nothing,
    "orders": _Orders,
    "positions": _Nothing,
    "pnl": _Nothing,
    "risk": _Nothing,
    "why": _Why,
    "halt": _Halt,
    "resume": _Nothing,
    "flatten": _Nothing,
    "cancel-all": _Nothing,
    "suppress": _Suppress,
    "answer": _Answer,
    "confirm": _Nothing,
    "alive": _Nothing,
    "drill": _Drill,
    "stop": _Nothing,
}
# What only looks; everything else is a command, stored before it is acted on.
QUERIES: Final = frozenset({"status", "orders", "positions", "pnl", "risk", "why"})

_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
_LINE: Final = msgspec.json.Decoder(_Line)
_REPLY: Final = msgspec.json.Decoder(Reply)


def request(verb: str, args: Mapping[str, Any]) -> Request:
    """Check a verb and its arguments. Raises: NotDone, bad."""
    kind = VERBS.get(verb)
    if kind is None:
        raise bad(f"there is no verb {verb[:40]!r}")
    try:
        taken = msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        raise bad(f"{verb}: {error}") from error
    checked = msgspec.structs.asdict(taken)
    if len(checked.get("why", "")) > WHY_MAX:
        raise bad(f"halt: a reason may have {WHY_MAX} characters")
    return Request(verb, checked)


def read_request(line: bytes) -> Request:
    """Read a line from an operator. Raises: NotDone, bad."""
    try:
        said = _LINE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad(f"this is no request: {error}") from error
    if said.v != VERSION:
        raise bad(f"the request speaks version {said.v} of the protocol, this is version {VERSION}")
    return request(said.verb, said.args)


def write_request(wanted: Request) -> bytes:
    """The line of a request."""
    return _ENCODER.encode({"v": VERSION, "verb": wanted.verb, "args": wanted.args}) + b"\n"


def write_reply(data: Any) -> bytes:
    """The line of an answer; one that is too long for a line is refused."""
    line = _ENCODER.encode(Reply(VERSION, True, data))
    if len(line) >= REPLY_MAX:
        return write_problem(refused("the answer is too long; narrow the question"))
    return line + b"\n"


def write_problem(problem: NotDone) -> bytes:
    """The line of a refusal."""
    return _ENCODER.encode(Reply(VERSION, False, None, problem.code, problem.problem)) + b"\n"


def read_reply(line: bytes) -> Any:
    """The data of a reply. Raises: NotDone, with the other side's code and sentence."""
    try:
        said = _REPLY.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refused(f"the answer can't be read: {error}") from error
    if said.v != VERSION:
        raise refused(f"the answer speaks version {said.v} of the protocol, this is version {VERSION}")
    if said.ok:
        return said.data
    try:
        code = Code(said.code)
    except ValueError:
        code = Code.REFUSED
    raise NotDone(code, said.problem)
