"""The sequence of every input each core took, numbered and timed, as bytes; and back.

Letters that the cores send one another are kept as they are, to be compared with what the cores say when they are fed
again. Letters from outside (the venue, the session, people, time) are kept so that they can be read back. MessagePack,
because JSON has no NaN, and a price that is absent is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from engine.domain.brokerage import (
    AllRefused,
    Answered,
    Asked,
    Availability,
    CancelTaken,
    CancelTurnedDown,
    ExecutionsKnown,
    NotYetKnown,
    OrdersKnown,
    Prompted,
    SessionNow,
    Unclear,
    VenueExecution,
    VenueOrder,
)
from engine.domain.depth import Depth
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.messages import Cancel, Modify, Place
from engine.errors import InputError
from engine.runtime.live import letters

# What stands inside letters from outside where one of several kinds may stand; a name says which it is.
_INSIDE: Final[Mapping[str, type[Any]]] = {
    one.__name__: one
    for one in (
        AllRefused,
        Answered,
        Asked,
        Availability,
        Bar,
        Cancel,
        CancelTaken,
        CancelTurnedDown,
        Depth,
        ExecutionsKnown,
        Modify,
        NotYetKnown,
        OrdersKnown,
        Place,
        Prompted,
        Quote,
        SessionNow,
        Status,
        Trade,
        Unclear,
        VenueExecution,
        VenueOrder,
    )
}
_LETTERS: Final[Mapping[str, type[Any]]] = {
    name: one
    for name, one in vars(letters).items()
    if isinstance(one, type) and issubclass(one, letters.Letter) and one is not letters.Letter
}
_ENCODER: Final = msgspec.msgpack.Encoder(decimal_format="string", order="deterministic")
encode: Final = _ENCODER.encode


class Record(Struct, frozen=True, array_like=True):
    """One line of the log: the how-manieth input, of which core (or who said it), when, what kind, and its bytes."""

    number: int
    core: str
    at_ns: int
    kind: str
    body: msgspec.Raw


_RECORD: Final = msgspec.msgpack.Decoder(Record)
_PACKED: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])
_NAMED: Final = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_EMPTY: Final = {msgspec.msgpack.encode(None): None, msgspec.msgpack.encode(()): ()}
_MANY: Final = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]])

_OF_RISK: Final = {
    letters.Judged,
    letters.ClosingJudged,
    letters.Explained,
    letters.RiskSays,
    letters.Latched,
    letters.LossesStand,
}
# Who may send a core what, beside the other cores. `operator` and `start` are no cores: what they said is kept under
# their names, and the cores' own records show when it was taken.
OUTSIDE: Final[Mapping[str, frozenset[type[Any]]]] = {
    "feed": frozenset(get_args(letters.FeedLetter)),
    "strategies": frozenset({letters.Tick, letters.Begin}),
    "risk": frozenset(
        {
            letters.TradingNow,
            letters.InstrumentNow,
            letters.LimitsNow,
            letters.Closing,
            letters.VenueSays,
            letters.HealthNow,
            letters.Forget,
            letters.Tick,
        }
    ),
    "orders": frozenset(set(get_args(letters.OrdersLetter)) - _OF_RISK),
    "portfolio": frozenset({letters.TakenOver, letters.CashTold, letters.Forget}),
    "operator": frozenset({letters.Wanted}),
}


class Did(Struct, frozen=True):
    """What the orders core led to: rows for the journal, and what is to be done, as names and values."""

    rows: Sequence[Any]
    actions: Sequence[Any]


def did(rows: Sequence[Any], actions: Sequence[Any]) -> Did:
    """As it is compared."""
    return Did(tuple(rows), tuple((type(one).__name__, one) for one in actions))


def write(number: int, core: str, at_ns: int, letter: Any) -> bytes:
    """One line."""
    kind = type(letter).__name__
    outside = type(letter) in OUTSIDE.get(core, ())
    body = _pack(letter) if outside else encode(letter)
    return encode((number, core, at_ns, kind, msgspec.Raw(body)))


def read(line: bytes) -> Record:
    """One line back. Raises: msgspec.DecodeError."""
    return _RECORD.decode(line)


def is_outside(record: Record) -> bool:
    """Whether it came from outside, so that its letter can be had back."""
    kind = _LETTERS.get(record.kind)
    return kind in OUTSIDE.get(record.core, ())


def letter_of(record: Record) -> Any:
    """A letter from outside. Raises: InputError if this version does not know it in that form."""
    kind = _LETTERS[record.kind]
    try:
        values = _PACKED.decode(record.body)
        found = {one.encode_name: _unpack(raw, one.type) for one, raw in zip(fields(kind), values, strict=True)}
        return kind(**found)
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        problem = f"input {record.number} ({record.kind} to {record.core}) was written by another version of the engine"
        raise InputError(problem) from error


def _pack(letter: Any) -> bytes:
    return encode([_packed(getattr(letter, one.name)) for one in fields(letter)])


def _packed(value: Any) -> Any:
    if isinstance(value, Struct) and type(value).__name__ in _INSIDE:
        return ("s", (type(value).__name__, value))
    if isinstance(value, tuple) and value and isinstance(value[0], Struct):
        return ("m", [(type(one).__name__, one) for one in value])
    return ("v", value)


def _unpack(raw: msgspec.Raw, annotation: Any) -> Any:
    form, body = _NAMED.decode(raw)
    if form == "s":
        name, inner = _NAMED.decode(body)
        return msgspec.msgpack.decode(inner, type=_INSIDE[name])
    if form == "m":
        return tuple(msgspec.msgpack.decode(inner, type=_INSIDE[name]) for name, inner in _MANY.decode(body))
    plain = bytes(body)
    if plain in _EMPTY:  # by an annotation with several kinds of struct nothing can be decoded, not even nothing
        return _EMPTY[plain]
    return msgspec.msgpack.decode(body, type=annotation)


def shown(body: bytes) -> Any:
    """A record's body as plain values, for a person to read."""
    return msgspec.msgpack.decode(body)
