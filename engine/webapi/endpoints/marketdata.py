"""Snapshots with their pre-flight hidden, history, and the ends of streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.errors import VenueRefused
from engine.ports import Clock
from engine.webapi.calls import Caller, Kind, Urgency
from engine.webapi.codecs import market as codec
from engine.webapi.endpoints.base import Group, build, stamp
from engine.webapi.facts.market import History, SnapshotRow, Unsubscribed
from engine.webapi.fields import FieldUnion

_WAIT_S: Final = 0.5  # the venue refreshes a snapshot at most this often
_TRIES: Final = 8


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by conid as asked for, merged over the polls, and the conids that stayed silent: lines may be used up."""

    rows: dict[str, SnapshotRow]
    silent: tuple[str, ...] = ()


def merged(earlier: SnapshotRow | None, later: SnapshotRow) -> SnapshotRow:
    """Fold a later row into an earlier one: what it carries replaces, what it leaves out stays."""
    if earlier is None:
        return later
    gone = later.fields.keys()
    return SnapshotRow(
        conid=later.conid,
        conidex=later.conidex or earlier.conidex,
        updated_ns=later.updated_ns if later.updated_ns is not None else earlier.updated_ns,
        server_id=later.server_id or earlier.server_id,
        fields={**earlier.fields, **later.fields},
        numbers={**{tag: value for tag, value in earlier.numbers.items() if tag not in gone}, **later.numbers},
        marks={**{tag: mark for tag, mark in earlier.marks.items() if tag not in gone}, **later.marks},
    )


class MarketData(Group):
    """Market data over REST. `fields` is shared with whoever subscribes over the websocket."""

    def __init__(self, caller: Caller, clock: Clock, fields: FieldUnion | None = None) -> None:
        super().__init__(caller)
        self._clock = clock
        self.fields = FieldUnion() if fields is None else fields

    async def snapshot(
        self,
        conids: Sequence[int | str],
        fields: Sequence[str],
        *,
        need: Sequence[str] = (),
        tries: int = _TRIES,
        wait_s: float = _WAIT_S,
    ) -> Snapshot:
        """Read the top of the book of conids.

        The first request of a conid only opens its stream; it is asked again until each row has all of `need` (or
        anything at all, if nothing is needed), at most `tries` times, `wait_s` seconds apart.

        Raises: TooManyFields; and as every call.
        """
        named = tuple(dict.fromkeys(map(str, conids)))
        self.fields.want(named, (*fields, *need))
        rows: dict[str, SnapshotRow] = {}
        waiting = named
        for attempt in range(max(1, tries)):
            if attempt:
                await self._clock.sleep(wait_s)
            for part, tags in self.fields.batches(waiting):
                for row in await self._once(part, tags):
                    name = _name(row, part)
                    if name is not None:
                        rows[name] = merged(rows.get(name), row)
            waiting = tuple(name for name in waiting if not _complete(rows.get(name), need))
            if not waiting:
                break
        return Snapshot(
            rows={name: rows[name] for name in named if name in rows and not rows[name].cold},
            silent=tuple(name for name in named if name not in rows or rows[name].cold),
        )

    async def _once(self, conids: tuple[str, ...], fields: tuple[str, ...]) -> tuple[SnapshotRow, ...]:
        query: dict[str, object] = {"conids": conids, "fields": fields or None}
        call = build("GET", "/iserver/marketdata/snapshot", Kind.READ, Urgency.SNAPSHOT, query=query)
        return await self._ask(call, codec.snapshot)

    async def history(
        self,
        conid: int,
        *,
        period: str,
        bar: str,
        exchange: str | None = None,
        start_ns: int | None = None,
        outside_rth: bool | None = None,
        source: str | None = None,
        direction: int | None = None,
    ) -> History:
        """Read past bars, at most 1000.

        Args:
            period: Such as `1d`, `2w`, `30min`; `m` is a month.
            bar: Such as `1min`, `1h`, `1d`.
            start_ns: The end of the period, or its start where `direction` is 1; None for now.
            source: `Midpoint` or `Bid_Ask`; None for trades, whose name IBKR's texts disagree on.
        """
        query: dict[str, object] = {
            "conid": conid,
            "exchange": exchange,
            "period": period,
            "bar": bar,
            "startTime": None if start_ns is None else stamp(start_ns),
            "outsideRth": outside_rth,
            "source": source,
            "direction": direction,
        }
        call = build("GET", "/iserver/marketdata/history", Kind.READ, Urgency.HISTORY, query=query)
        return await self._ask(call, codec.history)

    async def unsubscribe(self, conid: int) -> Unsubscribed:
        """Close one stream. One that isn't open is as good as closed, though the venue answers with an error."""
        body = {"conid": conid}
        call = build("POST", "/iserver/marketdata/unsubscribe", Kind.IDEMPOTENT, Urgency.SNAPSHOT, body=body)
        try:
            answer = await self._ask(call, codec.unsubscribed)
        except VenueRefused as refused:
            if refused.status != 500:
                raise
            answer = Unsubscribed(done=True)
        self.fields.released(str(conid))
        return answer

    async def unsubscribe_all(self) -> Unsubscribed:
        """Close all streams; what was wanted stays in `fields` and is opened again by the next snapshot."""
        call = build("GET", "/iserver/marketdata/unsubscribeall", Kind.IDEMPOTENT, Urgency.SNAPSHOT)
        return await self._ask(call, codec.unsubscribed)


def _name(row: SnapshotRow, asked: tuple[str, ...]) -> str | None:
    """Return under which name a row was asked for."""
    if row.conidex in asked:
        return row.conidex
    bare = str(row.conid)
    return bare if bare in asked else next((name for name in asked if name.partition("@")[0] == bare), None)


def _complete(row: SnapshotRow | None, need: Sequence[str]) -> bool:
    return row is not None and not row.cold and all(tag in row.fields for tag in need)
