"""An account's summary, ledger and profit as the stream tells them (`ssd`, `sld`, `spl`): sparse rows made full.

A row without news has only its key and its time; what it leaves out stays. Values are as they came, for people to look
at: nothing is decided on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.webapi.facts.accounts import PnlRow
from engine.webapi.stream import frames

SUMMARY: Final = "ssd"
LEDGER: Final = "sld"


class AccountPages:
    """The last word on each field of each row, by the row's key (`NetLiquidation`, `LedgerListUSD`)."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.profit: dict[str, PnlRow] = {}
        self._rows: dict[str, dict[str, dict[str, object]]] = {SUMMARY: {}, LEDGER: {}}
        self._told_ns: dict[str, int] = {}

    @property
    def summary(self) -> Mapping[str, Mapping[str, object]]:
        """Rows of the account's summary."""
        return self._rows[SUMMARY]

    @property
    def ledger(self) -> Mapping[str, Mapping[str, object]]:
        """Rows of the account's ledger."""
        return self._rows[LEDGER]

    def age_ns(self, topic: str, now_ns: int) -> int | None:
        """How long ago a topic (`ssd`, `sld`, `spl`) was last told of our account; None if it never was."""
        told_ns = self._told_ns.get(topic)
        return None if told_ns is None else now_ns - told_ns

    def on_frame(self, frame: frames.Said, at_ns: int) -> None:
        """Take what concerns our account."""
        match frame:
            case frames.Summary(topic=topic, account=account, rows=rows) if account == self.account:
                known = self._rows[topic]
                for key, row in rows.items():
                    known[key] = {**known.get(key, {}), **row}
                self._told_ns[topic] = at_ns
            case frames.Pnl(rows=profits):
                ours = {name: row for name, row in profits.items() if name.partition(".")[0] == self.account}
                for name, profit in ours.items():
                    self.profit[name] = _laid_over(self.profit.get(name), profit)
                if ours:
                    self._told_ns["spl"] = at_ns
            case _:
                pass


def _laid_over(known: PnlRow | None, row: PnlRow) -> PnlRow:
    if known is None:
        return row
    told = {name: value for name in row.__struct_fields__ if (value := getattr(row, name)) is not None}
    return msgspec.structs.replace(known, **told)
