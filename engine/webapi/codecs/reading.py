"""From bytes to facts: one JSON parser and one tolerant structurer that follows the declarations of `facts`.

Total: whatever comes in, a fact or `Unreadable` comes out. JSON numbers with a point or an exponent become exact
`Decimal`s. Optional values that can't be read count as not told; a row of a list that lacks what it must have makes the
whole list unreadable, so that no position or order is left out without a word.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from engine.webapi import values
from engine.webapi.facts.wire import Fact, Unreadable, Wire

T = TypeVar("T")
F = TypeVar("F", bound=Fact)

LARGEST_BODY: Final = (
    64 * 1024 * 1024
)  # bytes; the largest real answer (scanner parameters, all conids) has a few million
_EXCERPT: Final = 200


def _number(printed: str) -> Decimal | str:
    """Keep a number exact; one too long or beyond all exponents becomes text that no reader takes for a number."""
    if len(printed) > values.LONGEST_NUMBER:
        return "too long a number"
    try:
        return Decimal(printed)
    except InvalidOperation:
        return "no number"


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)


def parse(body: bytes) -> object | Unreadable:
    """Read JSON into str, int, Decimal, bool, None, list and dict."""
    if len(body) > LARGEST_BODY:
        return Unreadable(reason="the answer is too long", excerpt=excerpt(body))
    try:
        value: object = _DECODER.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):  # msgspec's errors, and Unicode's, are ValueErrors
        return Unreadable(
            reason="the answer is not JSON" if body.strip() else "the answer is empty", excerpt=excerpt(body)
        )
    return value


def excerpt(body: object) -> str:
    """Return how an answer begins, printable."""
    raw = body[: 4 * _EXCERPT] if isinstance(body, bytes) else _printed(body)
    return raw.decode("utf-8", "replace")[:_EXCERPT]


def _printed(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)[: 4 * _EXCERPT]
    except (TypeError, ValueError, RecursionError):
        return b""


class _Field(msgspec.Struct, frozen=True):
    name: str
    keys: tuple[str, ...]
    read: Callable[[object], object]
    required: bool


@cache
def _plan(kind: type[Fact]) -> tuple[_Field, ...]:
    """Work out, once a class, how each field is found and read."""
    hints = get_type_hints(kind, include_extras=True)
    fields = []
    for info in msgspec.structs.fields(kind):
        hint, meta = hints[info.name], None
        if get_origin(hint) is Annotated:
            hint, *rest = get_args(hint)
            meta = next((item for item in rest if isinstance(item, Wire)), None)
        keys = meta.keys if meta is not None and meta.keys else (info.name,)
        read = meta.read if meta is not None and meta.read is not None else _reader(hint)
        fields.append(_Field(info.name, keys, read, info.required))
    return tuple(fields)


_LEAVES: Final[dict[object, Callable[[object], object]]] = {
    Decimal: values.decimal,
    float: values.number,
    int: values.integer,
    str: values.text,
    bool: values.flag,
    values.Money: values.money,
    values.Quoted: values.quoted,
    object: lambda value: value,
}


def _reader(hint: Any) -> Callable[[object], object]:
    """Return the reader of a declared type; an unknown one is our own mistake and fails when the module is tested."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return _reader(inner)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if origin is tuple:
        row = _reader(get_args(hint)[0])
        return lambda value: _items(value, row)
    if origin is dict:
        entry = _reader(get_args(hint)[1])
        return lambda value: _entries(value, entry)
    if isinstance(hint, type) and issubclass(hint, Fact):
        return lambda value: fact(hint, value) if isinstance(value, dict) else None
    raise TypeError(f"no reader for {hint}")


def _items(value: object, row: Callable[[object], object]) -> object:
    """Read a list; null, {} and "" are empty ones, other things are no list."""
    if value is None or value in ({}, ""):
        return ()
    if not isinstance(value, list):
        return None
    found = []
    for item in value:
        got = row(item)
        if isinstance(got, Unreadable):
            return got
        if got is not None:
            found.append(got)
    return tuple(found)


def _entries(value: object, entry: Callable[[object], object]) -> object:
    """Read an object whose keys are names; one in which nothing is of the kind that is looked for is another object."""
    if not isinstance(value, dict):
        return {} if value is None or value in ([], "") else None
    found = {}
    for name, item in value.items():
        got = entry(item)
        if isinstance(got, Unreadable):
            return got
        if got is not None:
            found[name] = got
    return found if found or not value else None


def fact(kind: type[F], value: object) -> F | Unreadable:
    """Read one fact from a JSON object."""
    if not isinstance(value, dict):
        return Unreadable(reason=f"{kind.__name__}: not an object", excerpt=excerpt(value))
    found: dict[str, object] = {}
    for field in _plan(kind):
        for key in field.keys:
            if key not in value:
                continue
            got = field.read(value[key])
            if isinstance(got, Unreadable):
                return got
            if got is not None:
                found[field.name] = got
                break
        else:
            if field.required:
                return Unreadable(reason=f"{kind.__name__}: no {field.keys[0]}", excerpt=excerpt(value))
    return kind(**found)


def told(kind: type[Fact], value: dict[str, object]) -> frozenset[str]:
    """Return which fields of a fact a row carries, be it as null or "": a delta overwrites only these."""
    return frozenset(field.name for field in _plan(kind) if any(key in value for key in field.keys))


def rows(kind: type[F], value: object) -> tuple[F, ...] | Unreadable:
    """Read a list of facts: an empty list may be written [], {}, "" or null."""
    got = _items(value, lambda item: fact(kind, item))
    if isinstance(got, Unreadable):
        return got
    if got is None:
        return Unreadable(reason=f"{kind.__name__}: not a list", excerpt=excerpt(value))
    return got  # type: ignore[return-value]


def one(kind: type[F]) -> Callable[[bytes], F | Unreadable]:
    """Return the decoder of an answer that is one object; one that has none of the fact's fields is something else."""

    def decode(body: bytes) -> F | Unreadable:
        value = parse(body)
        if isinstance(value, dict) and not told(kind, value):
            return Unreadable(reason=f"{kind.__name__}: none of its fields", excerpt=excerpt(body))
        return value if isinstance(value, Unreadable) else fact(kind, value)

    return decode


def many(kind: type[F], *path: str) -> Callable[[bytes], tuple[F, ...] | Unreadable]:
    """Return the decoder of an answer that is a list of objects, or holds it under the keys of `path`."""

    def decode(body: bytes) -> tuple[F, ...] | Unreadable:
        value = parse(body)
        for key in path:
            if isinstance(value, Unreadable):
                return value
            if value is None:
                break
            if not isinstance(value, dict) or (value and key not in value):
                return Unreadable(reason=f"{kind.__name__}: no {key}", excerpt=excerpt(body))
            value = value.get(key)
        return value if isinstance(value, Unreadable) else rows(kind, value)

    return decode


def named(kind: type[F]) -> Callable[[bytes], dict[str, F] | Unreadable]:
    """Return the decoder of an object that holds one fact a key; other entries are passed over."""

    def decode(body: bytes) -> dict[str, F] | Unreadable:
        value = parse(body)
        if isinstance(value, Unreadable):
            return value
        got = _entries(value, lambda item: fact(kind, item) if isinstance(item, dict) and told(kind, item) else None)
        return Unreadable(reason=f"{kind.__name__}: not an object", excerpt=excerpt(body)) if got is None else got  # type: ignore[return-value]

    return decode


def listed(kind: type[F]) -> Callable[[bytes], dict[str, tuple[F, ...]] | Unreadable]:
    """Return the decoder of an object that holds a list of facts a key."""

    def decode(body: bytes) -> dict[str, tuple[F, ...]] | Unreadable:
        value = parse(body)
        if isinstance(value, Unreadable):
            return value
        got = _entries(value, lambda item: _items(item, lambda row: fact(kind, row)))
        return Unreadable(reason=f"{kind.__name__}: not an object", excerpt=excerpt(body)) if got is None else got  # type: ignore[return-value]

    return decode
