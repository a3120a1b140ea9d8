"""Which market data fields each conid is asked for: the union of all that anybody wants, pure.

The Web API keeps one set of fields a conid, shared by snapshots and the websocket's `smd`; asking for fewer on one side
starves the other. So every request takes its fields from here, and whoever subscribes adds his own first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from engine.webapi.budgets import CONIDS

CONIDS_AT_ONCE: Final = CONIDS["/iserver/marketdata/snapshot"]
FIELDS_AT_ONCE: Final = 50  # a snapshot request; IBKR, market data snapshot


class TooManyFields(ValueError):
    """More fields are wanted of one conid than a request may name; the text is one sentence."""


class FieldUnion:
    """Fields by conid (as written, an exchange may follow: `265598@NASDAQ`), in the order in which they were wanted."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, None]] = {}

    def want(self, conids: Iterable[str], fields: Iterable[str]) -> None:
        """Add fields to conids.

        Raises: TooManyFields, before anything is added.
        """
        wanted = tuple(fields)
        named = tuple(conids)
        for conid in named:
            if len(self._fields.get(conid, {}).keys() | set(wanted)) > FIELDS_AT_ONCE:
                raise TooManyFields(f"more than {FIELDS_AT_ONCE} fields of conid {conid} are wanted")
        for conid in named:
            self._fields.setdefault(conid, {}).update(dict.fromkeys(wanted))

    def of(self, conid: str) -> tuple[str, ...]:
        """Return all fields of a conid."""
        return tuple(self._fields.get(conid, ()))

    def batches(self, conids: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Cut a request into calls of at most 100 conids that share their fields: (conids, fields)."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for conid in dict.fromkeys(conids):
            alike.setdefault(tuple(sorted(self.of(conid), key=_tag)), []).append(conid)
        return [
            (tuple(named[first : first + CONIDS_AT_ONCE]), fields)
            for fields, named in alike.items()
            for first in range(0, len(named), CONIDS_AT_ONCE)
        ]

    def released(self, conid: str) -> None:
        """Forget a conid whose stream was closed."""
        self._fields.pop(conid, None)


def _tag(field: str) -> tuple[int, str]:
    return (int(field) if field.isascii() and field.isdigit() and len(field) < 10 else 0, field)
