"""From a TOML table to a typed attrs class, strictly: what is unknown, missing or of another type is an error.

The one way in for both the run's settings and the parameters of a strategy, so that both say their errors alike: file,
dotted key, and a sentence that names the value.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
    StructureHandlerNotFoundError,
)
from cattrs.gen import make_dict_structure_fn

from engine.errors import ConfigError

T = TypeVar("T")

# Numbers beyond these are slips of the hand, and sums of such would not be exact in Decimal's 28 digits.
LARGEST: Final = 10**15
LARGEST_WHOLE: Final = 2**63 - 1  # nanoseconds since 1970 must find room
_DIGITS: Final = 28
_DECIMALS: Final = 18


class NotAllowed(ValueError):
    """A value that its key does not take; `str()` is the sentence."""


def toml(text: str, parse_float: Callable[[str], Any] = Decimal) -> dict[str, Any]:
    """Read TOML.

    Raises: ValueError with a sentence, also where `tomllib` itself knows none.
    """
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("lists or tables lie too deep in one another") from None
    except (ValueError, InvalidOperation):  # a number of thousands of digits, an exponent of dozens
        raise ValueError("there is a number that is far too long") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the name nearest to `word`, or the known names if none is near."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(names)}" if names else ""


def shown(value: object) -> str:
    """Write a value as its TOML would, cut to a readable length."""
    match value:
        case bool():
            text = "true" if value else "false"
        case int() if value.bit_length() > 1_000:  # Python itself refuses to write the longest
            text = "a number of hundreds of digits"
        case Decimal() | date() | time():
            text = str(value)
        case Mapping():
            text = "a table"
        case list():
            text = "[" + ", ".join(map(shown, value)) + "]"
        case _:
            text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def structure(table: object, target: type[T], *, file: Path | str, key: str, folder: Path) -> T:
    """Build `target`, an attrs class, from a table that `tomllib` read with `parse_float=Decimal`.

    Args:
        file: Named in errors.
        key: Dotted key of the table, named in errors.
        folder: What relative paths start from.

    Raises: ConfigError, for the first thing that is wrong.
    """
    try:
        if not isinstance(table, Mapping):
            raise NotAllowed(f"must be a table, not {shown(table)}")
        return _converter(folder).structure(table, target)
    except StructureHandlerNotFoundError as exc:
        raise ConfigError(f"a field of type {exc.type_} can't be read from TOML", place=f"{file}: {key}") from exc
    except (ClassValidationError, NotAllowed) as exc:
        path, sentence = _first(exc, (), target)
        raise ConfigError(sentence, place=f"{file}: {'.'.join((key, *path))}") from exc


def _first(exc: BaseException, path: tuple[str, ...], target: Any) -> tuple[tuple[str, ...], str]:
    """Find the innermost first error of a tree that cattrs raised: its key and its sentence."""
    match exc:
        case ClassValidationError(exceptions=causes):
            # A misspelt key is also a missing one; the misspelling is what helps.
            unknown = [cause for cause in causes if isinstance(cause, ForbiddenExtraKeysError)]
            cause = unknown[0] if unknown else causes[0]
            return _first(cause, (*path, *_step(cause)), exc.cl)
        case IterableValidationError(exceptions=causes):
            return _first(causes[0], (*path, *_step(causes[0])), target)
        case ForbiddenExtraKeysError():
            extra = min(exc.extra_fields)
            return (*path, extra), f"unknown key{nearest(extra, _keys(exc.cl))}"
        case KeyError():
            return path, "missing; it is required"
        case NotAllowed():
            return path, str(exc)
        case _:  # an author's own validator or converter
            said = exc.args[0] if exc.args and isinstance(exc.args[0], str) else f"{type(exc).__name__} {exc}".strip()
            subject = re.match(r"'?(\w+)", said)
            named = subject is not None and attrs.has(target) and subject[1] in _keys(target)
            if subject is not None and named and path[-1:] != (subject[1],):
                path = (*path, subject[1])
            return path, said


def _step(exc: BaseException) -> tuple[str, ...]:
    for note in getattr(exc, "__notes__", ()):
        match note:
            case AttributeValidationNote(name=name):
                return (name,)
            case IterableValidationNote(index=index):
                return (str(index),)
    return ()


def _keys(target: Any) -> list[str]:
    return [attribute.alias for attribute in attrs.fields(target) if attribute.init]


def _converter(folder: Path) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)

    def path(value: object, _: type) -> Path:
        return folder / _text(value, str)

    leaves: dict[type, Callable[[Any, Any], Any]] = {
        str: _text,
        bool: _flag,
        int: _whole,
        float: _number,
        Decimal: _money,
        Path: path,
        datetime: _plain(datetime, "a date and time"),
        date: _plain(date, "a date"),
        time: _plain(time, "a time of day"),
    }
    for leaf, hook in leaves.items():
        converter.register_structure_hook(leaf, _or_enum(hook))
    converter.register_structure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _enum)
    converter.register_structure_hook_func(_is_literal, _literal)
    converter.register_structure_hook_factory(_is_sequence, lambda kind: _list(converter, kind))
    converter.register_structure_hook_factory(_is_mapping, lambda kind: _mapping(converter, kind))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table(converter, kind))
    return converter


def _table(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    build = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, _cattrs_use_alias=True
    )

    def hook(value: Any, target: Any) -> Any:
        if not isinstance(value, Mapping):
            raise NotAllowed(f"must be a table, not {shown(value)}")
        return build(value, target)

    return hook


def _is_literal(kind: Any) -> bool:
    return bool(get_origin(kind) == Literal)


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list)


def _list(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    """Lists and tuples of one element type; cattrs' own take a string for a list of letters."""
    args = get_args(kind)
    whole = get_origin(kind)
    if whole is tuple and (len(args) != 2 or args[1] is not Ellipsis):
        return _fixed(converter, args)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise NotAllowed(f"must be a list, not {shown(value)}")
        return whole(_each(converter, ((str(at), one, args[0]) for at, one in enumerate(value)), kind))

    return hook


def _fixed(converter: cattrs.Converter, args: tuple[Any, ...]) -> Callable[[Any, Any], Any]:
    def hook(value: Any, kind: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(args):
            raise NotAllowed(f"must be a list of {len(args)}, not {shown(value)}")
        pairs = zip(value, args, strict=True)
        return tuple(_each(converter, ((str(at), *pair) for at, pair in enumerate(pairs)), kind))

    return hook


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _mapping(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    inner = get_args(kind)[1]

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise NotAllowed(f"must be a table, not {shown(value)}")
        return dict(zip(value, _each(converter, ((at, one, inner) for at, one in value.items()), kind), strict=True))

    return hook


def _each(converter: cattrs.Converter, parts: Iterable[tuple[str, Any, Any]], kind: Any) -> list[Any]:
    built = []
    for at, value, inner in parts:
        try:
            built.append(converter.structure(value, inner))
        except (NotAllowed, ClassValidationError, IterableValidationError) as exc:
            exc.add_note(IterableValidationNote(f"at {at}", at, inner))
            raise IterableValidationError(f"in {kind}", [exc], kind) from exc
    return built


def _text(value: object, _: type) -> str:
    if not isinstance(value, str):
        raise NotAllowed(f"must be a text in quotes, not {shown(value)}")
    return value


def _flag(value: object, _: type) -> bool:
    if not isinstance(value, bool):
        raise NotAllowed(f"must be true or false, not {shown(value)}")
    return value


def _whole(value: object, _: type) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotAllowed(f"must be a whole number, not {shown(value)}")
    if abs(value) > LARGEST_WHOLE:
        raise NotAllowed(f"is too large a number: {shown(value)}")
    return value


def _exact(value: object, _: type) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NotAllowed(f"must be a number, not {shown(value)}")
    exact = Decimal(value)
    if not exact.is_finite():
        raise NotAllowed(f"must be a finite number, not {shown(value)}")
    if abs(exact) >= LARGEST:
        raise NotAllowed(f"is too large a number: {shown(value)}")
    return exact


def _money(value: object, _: type) -> Decimal:
    exact = _exact(value, Decimal)
    parts = exact.as_tuple()
    if int(parts.exponent) < -_DECIMALS or len(parts.digits) > _DIGITS:
        raise NotAllowed(f"has more decimals than can be added exactly: {shown(value)}")
    return exact


def _number(value: object, _: type) -> float:
    return float(_exact(value, Decimal))


def _plain(kind: type[Any], what: str) -> Callable[[Any, Any], Any]:
    def hook(value: object, _: Any) -> Any:
        if type(value) is not kind:  # a datetime is also a date
            raise NotAllowed(f"must be {what} without quotes, not {shown(value)}")
        return value

    return hook


def _enum(value: object, kind: type[Enum]) -> Enum:
    for member in kind:
        if type(member.value) is not bool and member.value == value:
            return member
    raise NotAllowed(f"must be one of {', '.join(str(member.value) for member in kind)}, not {shown(value)}")


def _or_enum(hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """cattrs gives the hook of `str` a StrEnum, too: it dispatches by class before it asks any predicate."""

    def either(value: object, kind: type[Any]) -> Any:
        return _enum(value, kind) if issubclass(kind, Enum) else hook(value, kind)

    return either


def _literal(value: object, kind: Any) -> object:
    for choice in get_args(kind):
        if type(choice) is type(value) and choice == value:
            return choice
    raise NotAllowed(f"must be one of {', '.join(map(str, get_args(kind)))}, not {shown(value)}")


def type_name(kind: Any) -> str:
    """Name a parameter's type as a person writes it: `int`, `float | None`, `tuple[str, ...]`."""
    if kind is type(None):
        return "None"
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(map(type_name, get_args(kind)))
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
