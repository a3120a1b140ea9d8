"""What the stream tells of orders, executions and to people: into the order view first, and from there on as news.

Rows of other accounts' orders are left out. One that can't be read may have been ours: the stream is doubtful then.
"""

from __future__ import annotations

from typing import Final

import structlog

from engine.domain import brokerage as b
from engine.webapi import venue
from engine.webapi.facts.orders import OrderRow
from engine.webapi.news import News
from engine.webapi.orderview import OrderView
from engine.webapi.stream import frames

FOREIGN_MAX: Final = 10_000  # order ids of other accounts

log = structlog.get_logger()


class OrderStream:
    """One account's part of the stream. `doubtful`: it has told what can't be read; whoever reads the lists takes it
    back."""

    def __init__(self, view: OrderView, news: News) -> None:
        self.doubtful = False
        self._view = view
        self._news = news
        self._foreign: dict[int, None] = {}

    def on_frame(self, frame: frames.Said, at_ns: int) -> None:
        """Take what concerns orders, executions and people."""
        match frame:
            case frames.Orders(rows=rows, unreadable=lost):
                self.doubtful = self.doubtful or lost > 0
                for row in rows:
                    self._order(row, at_ns)
            case frames.Trades(rows=executions, unreadable=lost):
                self.doubtful = self.doubtful or lost > 0
                for execution in self._view.heard_executions(executions):
                    self._news.push(venue.execution(execution, heard_ns=at_ns))
            case frames.Notification():
                offer = None if frame.prompt is None else venue.prompt(frame.prompt)
                self._notice("notification", frame.notice_id, frame.title, frame.text, at_ns, offer)
            case frames.Bulletin():
                self._notice("bulletin", frame.bulletin_id, "", frame.text, at_ns, None)
            case frames.Trouble():
                log.warning("stream_trouble", text=frame.text, topic=frame.topic, code=frame.code)
            case _:
                pass

    def _order(self, row: OrderRow, at_ns: int) -> None:
        """One row of the stream. A later delta of another account's order does not say whose it is."""
        if row.account not in (None, "", self._view.account):
            self._foreign[row.order_id] = None
            if len(self._foreign) > FOREIGN_MAX:
                del self._foreign[next(iter(self._foreign))]
        elif row.account or row.order_id not in self._foreign:
            self._view.heard_stream((row,), heard_ns=at_ns)
            whole = self._view.order(row.order_id)
            self._news.push(venue.order(row, seen_ns=at_ns, from_stream=True, whole=whole))

    def _notice(self, kind: str, notice_id: str, title: str, text: str, at_ns: int, offer: b.Prompted | None) -> None:
        self._news.notice(b.Notice(ts_ns=at_ns, kind=kind, title=title, text=text, notice_id=notice_id, prompt=offer))
