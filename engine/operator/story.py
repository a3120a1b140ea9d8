"""`engine why`: everything the journal knows of one order, read from the file, whether a daemon runs or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.domain.moments import NS_PER_DAY, iso
from engine.errors import InputError
from engine.journal.durable import StoredRow
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder
from engine.operator.rows import Row, day_rows, order_row
from engine.operator.telling import rule_of, tell
from engine.orders.recovery import KINDS, Recovered, recover

# Rows about a whole round stand under the name of the first order of its group.
_OF_THE_ROUND: Final = ("approved", "denied", "write", "question", "rule", "doubt", "answer_to_write", "stale_answer")


def story(folder: StateFolder, wanted: str) -> dict[str, Any]:
    """Return the order as it stands and every row about it, oldest first.

    Args:
        wanted: Our client order id, or the venue's order id.

    Raises: InputError if the journal can't be read or knows no such order.
    """
    unknown: InputError | None = None
    for path in folder.journals():
        try:
            return _story(path, wanted, folder.symbols())
        except _NotThere as error:
            unknown = unknown or error
    assert unknown is not None, "there is a journal to look into"
    raise unknown


class _NotThere(InputError):
    """A journal knows no such order; one that was put away may."""


def _story(path: Path, wanted: str, symbols: Mapping[str, str]) -> dict[str, Any]:
    reader = JournalReader(path)
    try:
        coid = _coid(reader, wanted)
        rows = {row.seq: row for row in reader.rows(name=coid)}
        group = _group(reader, coid, rows)
        for leader in group:
            for row in reader.rows(name=leader, kinds=_OF_THE_ROUND):
                rows[row.seq] = row
        for reply_id in _reply_ids(rows.values()):
            for row in reader.rows(name=reply_id, kinds=("reply",)):
                rows[row.seq] = row
    finally:
        reader.close()
    told = [rows[seq] for seq in sorted(rows)]
    found = recover((row.ts_ns, row.kind, row.name, row.body) for row in told).orders.get(coid)
    return {
        "coid": coid,
        "order_id": None if found is None else found.venue_id or None,
        "order": None if found is None else _named(order_row(found, {}), symbols),
        "rows": [
            {
                "seq": row.seq,
                "ts_ns": row.ts_ns,
                "time": iso(row.ts_ns),
                "kind": row.kind,
                "name": row.name,
                "says": tell(row, symbols),
                "rule": rule_of(row),
                "body": msgspec.json.decode(row.body),
            }
            for row in told
        ],
    }


def orders_of_day(folder: StateFolder) -> list[Row]:
    """The orders that the journal shows open, or in which anything happened within a day of its last row.

    Raises: InputError if the journal can't be read.
    """
    reader = JournalReader(folder.journal)
    try:
        last = reader.last(1)
        found = _recovered(reader)
    finally:
        reader.close()
    rows = day_rows(found.orders.values(), last[0].ts_ns - NS_PER_DAY if last else 0, {})
    symbols = folder.symbols()
    return [_named(row, symbols) for row in rows]


def _named(row: Row, symbols: Mapping[str, str]) -> Row:
    """With the instrument's symbol, where the folder knows it."""
    return {**row, "symbol": symbols.get(str(row["conid"]))}


def _recovered(reader: JournalReader) -> Recovered:
    return recover((row.ts_ns, row.kind, row.name, row.body) for row in reader.rows(kinds=KINDS))


def _coid(reader: JournalReader, wanted: str) -> str:
    """Our name of the order."""
    if reader.select("name = ? AND kind IN ('approved', 'denied', 'write', 'answer')", (wanted,)):
        return wanted
    by_id = reader.select("kind = 'answer' AND json_extract(body, '$.venue_id') = ?", (wanted,))
    if by_id:
        return by_id[-1].name  # numbers may come again after days: the last order that had it
    if _grouped(reader, wanted):
        return wanted
    raise _NotThere(f"the journal knows no order {wanted}", place=str(reader.path))


def _grouped(reader: JournalReader, coid: str) -> list[StoredRow]:
    """Rows of groups that name an order which is not the group's first."""
    return reader.select(
        "kind IN ('approved', 'write') AND instr(body, ?) > 0", (msgspec.json.encode({"coid": coid}).decode()[1:-1],)
    )


def _group(reader: JournalReader, coid: str, rows: dict[int, StoredRow]) -> list[str]:
    """The first order of the group that this one was placed in, if it is not itself."""
    if any(row.kind in ("approved", "denied") for row in rows.values()):
        return []
    return list(dict.fromkeys(row.name for row in _grouped(reader, coid)))


def _reply_ids(rows: Any) -> list[str]:
    return [msgspec.json.decode(row.body)["reply_id"] for row in rows if row.kind == "question"]
