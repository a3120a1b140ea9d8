"""Samples of every letter that a core can get, made of its fields' types, so that none is forgotten."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct, structs

from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.settings import RiskSettings

_PLAIN: Final[Mapping[Any, Any]] = {
    None: None,
    type(None): None,
    Any: "x",
    bool: True,
    int: 7,
    str: "x",
    float: 1.5,
    Decimal: Decimal("2.50"),
    OrderTicket: OrderTicket(
        coid="s-000001",
        strategy="s",
        account="DU1",
        conid=7,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal("1.5"),
    ),
    RiskSettings: RiskSettings(),
}


def letters_of(kind: type[Struct], depth: int = 0) -> Iterator[Any]:
    """Letters of a kind: each field in turn with each sort of value that its type allows, nothing and something."""
    hints = get_type_hints(kind)
    every = {one.name: list(_values(hints[one.name], depth)) for one in structs.fields(kind)}
    yield kind(**{name: values[0] for name, values in every.items()})
    if depth > 1:
        return
    for name, values in every.items():
        for value in values[1:]:
            yield kind(**{**{other: some[0] for other, some in every.items()}, name: value})


def _values(annotation: Any, depth: int) -> Iterator[Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        yield _PLAIN[annotation]
    elif origin in (Union, types.UnionType):
        for one in args:
            yield from _values(one, depth)
    elif origin is Literal:
        yield from args
    elif origin is tuple and args[-1] is Ellipsis:
        yield ()
        for value in _values(args[0], depth + 1):
            yield (value,)
    elif origin is tuple:
        yield tuple(next(_values(one, depth + 1)) for one in args)
    elif origin is frozenset:
        yield frozenset()
        yield frozenset({next(_values(args[0], depth + 1))})
    elif origin in (Mapping, dict):
        yield {}
        yield {next(_values(args[0], depth + 1)): next(_values(args[1], depth + 1))}
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield next(iter(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, Struct):
        yield from letters_of(annotation, depth + 1)
    else:
        raise TypeError(f"no sample for {annotation}")
