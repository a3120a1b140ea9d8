"""How a fact's fields are named on the wire, and what stands in place of a fact that could not be read.

A field is declared as `quantity: Annotated[Decimal | None, wire("position")] = None`: the keys it may stand under, the
first one present wins, and where the type alone does not say it, how to read the value. A field without a default is
required: a fact without it can't be told. `codecs.reading` turns declarations into decoders.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Wire(msgspec.Struct, frozen=True):
    """Names of a field on the wire, and its reader (None: by its type)."""

    keys: tuple[str, ...]
    read: Callable[[object], object] | None = None


def wire(*keys: str, read: Callable[[object], object] | None = None) -> Wire:
    """Return what `Annotated` carries for one field."""
    return Wire(keys, read)


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something an answer told."""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, or a part of one, that can't be taken for what it should be.

    `reason` is one sentence without any of the answer's own words, fit for logs and errors; `excerpt` is how the answer
    begins, at most 200 characters, and may hold account data: it belongs into the journal and the wire log only.
    """

    reason: str
    excerpt: str = ""
