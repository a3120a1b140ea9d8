"""The law of the sweep: the gateway's own books and the journal agree, whatever happened in between."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.daemon.config import load
from engine.daemon.recovering import read_books
from engine.journal.durable import DurableJournal
from engine.orders.recovery import KINDS, recover
from engine.portfolio.identity import gaps

LIVE = ("Submitted", "PreSubmitted", "PendingSubmit", "PendingCancel")
# Alerts that would mean that something of ours was not known for ours, or was not where it had to be.
NEVER = ("FOREIGN_ORDER", "FOREIGN_EXECUTION", "GONE", "COID_USED", "CORRECTION", "JOURNAL_FULL")
CENT = Decimal("0.005")


def disagreements(journal_file: Path, config: Path, venue: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Compare the journal with what `/sim/state` said; sentences of what is wrong, and figures."""
    journal = DurableJournal(journal_file)
    try:
        return _compare(journal, config, venue)
    finally:
        journal.close()


def _compare(journal: DurableJournal, config: Path, venue: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    wrong = list(journal.verify())
    known = recover((row.ts_ns, row.kind, row.name, row.body) for row in journal.rows(kinds=KINDS))
    wrong += [f"odd: {one}" for one in known.odd]

    there = {order["cOID"]: order for order in venue["orders"]}
    times = Counter(order["cOID"] for order in venue["orders"])
    wrong += [f"sent twice: {coid}, {count} times" for coid, count in times.items() if count > 1]
    wrong += [f"not in the journal: order {coid}" for coid in there if coid not in known.orders]
    for coid, order in known.orders.items():
        found = there.get(coid)
        if found is None:
            if order.filled or order.is_open:
                wrong.append(f"not at the venue: {coid}, {order.state} with {order.filled} filled")
            continue
        if Decimal(str(found["filled"])) != order.filled:
            wrong.append(f"fills of {coid}: {order.filled} here, {found['filled']} there")
        if (found["status"] in LIVE) != order.is_open:
            wrong.append(f"{coid} is {order.state} here and {found['status']} there")

    executions = {one["execution_id"]: one for one in venue["executions"]}
    wrong += [f"fill lost: {one}" for one in sorted(set(executions) - known.executions)]
    wrong += [f"fill of nobody: {one}" for one in sorted(known.executions - set(executions))]

    wrong += _money(journal, config, venue)
    alerts = Counter(
        str(msgspec.json.decode(row.body)["code"]) for row in journal.rows(kinds=("alert",)) if row.body.startswith("{")
    )
    wrong += [f"alert {code}, {alerts[code]} times" for code in NEVER if alerts[code]]
    figures = {
        "orders": len(known.orders),
        "written": len(journal.sent_coids()),
        "at_venue": len(there),
        "fills": len(executions),
        "states": dict(Counter(str(order.state) for order in known.orders.values())),
        "alerts": dict(alerts),
        "rows": dict(Counter(row.kind for row in journal.rows())),
    }
    return wrong, figures


def _money(journal: DurableJournal, config: Path, venue: dict[str, Any]) -> list[str]:
    """Positions and cash as the journal's own facts make them; what reconciliation took over is none of them."""
    settings = load(config)
    books = read_books(journal, settings.by_conid, {"USD": Decimal(1)})
    ours = {str(conid): units for conid, units in books.portfolio.account.items() if units}
    theirs = {conid: Decimal(str(units)) for conid, units in venue["positions"].items()}
    wrong = [] if ours == theirs else [f"positions: {ours} here, {theirs} there"]
    if gaps(books.portfolio):
        wrong.append(f"the books do not balance: {gaps(books.portfolio)}")
    cash, told = books.portfolio.cash.get("USD", Decimal(0)), Decimal(str(venue["cash"]["USD"]))
    if abs(cash - told) > CENT:
        wrong.append(f"cash: {cash} here, {told} there")
    adopted = [msgspec.json.decode(row.body) for row in journal.rows(kinds=("cash",))][1:]
    moved = sum((Decimal(one.get("USD", 0)) for one in adopted), Decimal(0))
    if abs(moved) > CENT:
        wrong.append(f"{moved} of cash was taken over from the venue, in {len(adopted)} steps, and has no fact of ours")
    taken = [row.body for row in journal.rows(kinds=("taken_over",))]
    wrong += [f"units were taken over from the venue: {one}" for one in taken]
    return wrong


def unexpected(lines: list[str]) -> list[str]:
    """Lines of a daemon's output that tell of an error of its own; what is logged, in braces, it lived through."""
    return [line for line in lines if not line.startswith("{") and re.search(r"Traceback|Error|engine: ", line)]
