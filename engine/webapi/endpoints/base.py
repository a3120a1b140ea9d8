"""What all groups share: building a call, judging its answer, decoding it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Generic, NoReturn, TypeVar
from urllib.parse import quote

import msgspec

from engine.errors import AnswerLost, VenueRefused, VenueUnreachable
from engine.ports import Permit
from engine.webapi.budgets import budget_of
from engine.webapi.calls import Call, Caller, Kind, Reply, Urgency
from engine.webapi.codecs import errors
from engine.webapi.facts.wire import Unreadable

T = TypeVar("T")

REPEATABLE: Final = frozenset({Kind.READ, Kind.IDEMPOTENT})
# The server was busy, restarting or gave up waiting: for a request that may be repeated, as good as no answer.
_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})


class Timed(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A fact, and when it was asked for and heard, in nanoseconds of the session's clock."""

    value: T
    asked_ns: int
    heard_ns: int


def build(
    method: str,
    template: str,
    kind: Kind,
    urgency: Urgency,
    *,
    params: Mapping[str, object] | None = None,
    query: Mapping[str, object] | None = None,
    body: object = None,
    permit: Permit | None = None,
) -> Call:
    """Return a call. `params` fill the template's braces, escaped; entries of `query` that are None are left out."""
    path = template
    for name, value in (params or {}).items():
        path = path.replace("{" + name + "}", _escaped(str(value)))
    pairs = tuple((name, _printed(value)) for name, value in (query or {}).items() if value is not None)
    return Call(
        method=method,
        template=template,
        path=path,
        kind=kind,
        urgency=urgency,
        query=pairs,
        body=body,
        permit=permit,
    )


@lru_cache(maxsize=256)  # an account's id stands in the path of every order
def _escaped(text: str) -> str:
    return quote(text, safe="")


def _printed(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return ",".join(map(_printed, value))
    return str(value)


def stamp(moment_ns: int) -> str:
    """Print a time as the Web API wants it in requests: YYYYMMDD-HH:mm:ss, UTC."""
    return datetime.fromtimestamp(moment_ns // 1_000_000_000, tz=UTC).strftime("%Y%m%d-%H:%M:%S")


class Group:
    """Endpoints of one section."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def _ask(
        self,
        call: Call,
        decode: Callable[[bytes], T | Unreadable],
        *,
        deadline_ns: int | None = None,
        errors_inside: bool = False,
    ) -> T:
        """Make a call and return its fact; `errors_inside` where an `error` key belongs to a good answer."""
        timed = await self._timed(call, decode, deadline_ns=deadline_ns, errors_inside=errors_inside)
        return timed.value

    async def _timed(
        self,
        call: Call,
        decode: Callable[[bytes], T | Unreadable],
        *,
        deadline_ns: int | None = None,
        errors_inside: bool = False,
    ) -> Timed[T]:
        """Make a call and return its fact with its times."""
        reply = await self._caller.call(call, deadline_ns=deadline_ns)
        judge(call, reply)
        said = None if errors_inside else errors.refusal_of(reply.body)
        if said is not None:
            raise VenueRefused(call.name, said, status=reply.status)
        value = decode(reply.body)
        if isinstance(value, Unreadable):
            unanswered(call, value.reason)
        return Timed(value=value, asked_ns=reply.sent_ns, heard_ns=reply.heard_ns)


def judge(call: Call, reply: Reply) -> None:
    """Raise what an HTTP error means for a call that is no order write."""
    status = reply.status
    if status < 300:
        return
    if status < 400:
        unanswered(call, f"it sent us elsewhere ({status})")
    said = errors.said(reply.body, status)
    if status == 429:
        said += _how_often(call)
    if status in _PASSING and (call.kind in REPEATABLE or status != 429):
        unanswered(call, said)
    raise VenueRefused(call.name, said, status=status)


def _how_often(call: Call) -> str:
    """What the venue's own table allows, so that whoever is turned away knows how long to wait."""
    budget = budget_of(call.method, call.template)
    if budget is None:
        return ""
    _, count, window_s = budget
    span = f"{window_s // 60} min" if window_s >= 60 else f"{window_s} s"
    return f" (the venue takes {count} in {span})"


def unanswered(call: Call, problem: str) -> NoReturn:
    """Raise what an answer without a fact means: to be asked again, or lost."""
    if call.kind in REPEATABLE:
        raise VenueUnreachable(call.name, problem)
    raise AnswerLost(call.name, problem)
