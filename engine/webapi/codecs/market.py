"""Snapshot rows and `smd` frames, history, the ends of streams."""

from __future__ import annotations

from functools import lru_cache

from engine.webapi import values
from engine.webapi.codecs import reading
from engine.webapi.facts.market import WORDS, DepthRow, History, SnapshotRow, Unsubscribed
from engine.webapi.facts.wire import Unreadable

_RAW = "_raw"


def snapshot_row(value: object) -> SnapshotRow | Unreadable:
    """Read one row from parsed JSON. The conid may stand only in `conidEx` or, in a frame, in the topic."""
    if not isinstance(value, dict):
        return Unreadable(reason="SnapshotRow: not an object", excerpt=reading.excerpt(value))
    conidex = values.identifier(value.get("conidEx")) or ""
    conid = values.integer(value.get("conid"))
    if conid is None:
        for named in (conidex, _topic(value.get("topic"))):
            if conid is None:
                conid = values.integer(named.partition("@")[0].partition(";")[0])
    if conid is None:
        return Unreadable(reason="SnapshotRow: no conid", excerpt=reading.excerpt(value))
    fields: dict[str, str] = {}
    numbers: dict[str, float] = {}
    marks: dict[str, str] = {}
    for tag, printed in value.items():
        # Names begin with a letter; the rest is asked once for each tag there is. Each quote comes through here.
        if not "0" <= tag[:1] <= "9" or not _is_tag(tag):
            continue
        fields[tag] = printed if printed.__class__ is str else values.text(printed) or ""
        if tag in WORDS:
            continue
        raw = values.number(value[tag + _RAW]) if tag + _RAW in value else None
        read = values.quoted(printed)
        if read.mark:
            marks[tag] = read.mark
        if raw is not None or read.number is not None:
            numbers[tag] = raw if raw is not None else read.number  # type: ignore[assignment]
    return SnapshotRow(
        conid=conid,
        conidex=conidex,
        updated_ns=values.ms_ns(value.get("_updated")),
        server_id=values.identifier(value.get("server_id")) or "",
        fields=fields,
        numbers=numbers,
        marks=marks,
    )


@lru_cache(maxsize=1_024)
def _is_tag(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _topic(value: object) -> str:
    """Return the second part of a topic such as `smd+265598`."""
    return value.split("+", 2)[1] if isinstance(value, str) and "+" in value else ""


def snapshot(body: bytes) -> tuple[SnapshotRow, ...] | Unreadable:
    """GET /iserver/marketdata/snapshot. Rows that name no conid are left out: they tell nothing of anything."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if isinstance(value, dict) and ("conid" in value or "conidEx" in value):
        value = [value]
    if not isinstance(value, list):
        if value in (None, {}, ""):
            return ()
        return Unreadable(reason="SnapshotRow: not a list", excerpt=reading.excerpt(body))
    read = (snapshot_row(item) for item in value)
    return tuple(row for row in read if isinstance(row, SnapshotRow))


history = reading.one(History)
unsubscribed = reading.one(Unsubscribed)


def history_of(value: object) -> History | Unreadable:
    """Read bars from parsed JSON (an `smh` frame)."""
    return reading.fact(History, value)


def depth_of(value: object) -> tuple[DepthRow, ...] | Unreadable:
    """Read the rows of an `sbd` frame's `data`."""
    return reading.rows(DepthRow, value)
