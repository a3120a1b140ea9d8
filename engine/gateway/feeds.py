"""One subscription of one websocket client: what it was told, and what it is to be told next.

Pure: a feed is asked at moments it names (`due_ns`) or when news come, and returns frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from engine.gateway import frames
from engine.gateway.hall import Hall
from engine.gateway.records import ExecutionNews, OrderNews
from engine.gateway.rows import order_delta, order_identity, order_row, trade_row

_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_DEPTH: Final = 10
_AVAILABILITY: Final = "6509"  # in the first frame whether it was asked for or not

Frame = dict[str, Any]
Fetch = Callable[[str], Any]  # a path of the read-only REST surface -> its body


class Snapshot(Protocol):
    """Market data fields of a conid as the Web API prints them, by tag."""

    def __call__(self, hall: Hall, conid: int, fields: list[str]) -> dict[str, Any]: ...


class Feed:
    """A subscription; `topic` is what its frames carry. Subclasses override what they need."""

    due_ns: int | None = None  # when `tell` is to be called; None: not by time
    queued = False  # whether the registry has a reminder for it
    dead = False

    def __init__(self, hall: Hall, topic: str) -> None:
        self.hall = hall
        self.topic = topic

    def tell(self, now_ns: int) -> list[Frame]:  # noqa: ARG002  # for those who need it
        """What is due now; sets the next `due_ns`."""
        self.due_ns = None
        return []


class QuoteFeed(Feed):
    """`smd`: changed fields, one frame a conflation time at most, silently over after a while."""

    def __init__(self, hall: Hall, key: str, conid: int, snapshot: Snapshot, now_ns: int) -> None:
        super().__init__(hall, f"smd+{key}")
        self.conid = conid
        self._key = key
        self._snapshot = snapshot
        self._sent: dict[str, Any] = {}
        self._last_ns: int | None = None
        self._ends_ns = now_ns + int(hall.options.session.stream_s * _S)
        self._gap_ns = int(hall.options.streams.conflation_s * _S)
        self.due_ns = now_ns

    def disturb(self, now_ns: int) -> None:
        """The quote changed: say so, not before the conflation time is over."""
        if self.due_ns is None:
            self.due_ns = now_ns if self._last_ns is None else max(now_ns, self._last_ns + self._gap_ns)

    def tell(self, now_ns: int) -> list[Frame]:
        """The fields that changed; the first time all."""
        self.due_ns = None
        if now_ns >= self._ends_ns:
            self.dead = True
            return []
        fields = self.hall.memory.fields.get(self._key) or {}
        values = self._snapshot(self.hall, self.conid, [*fields, _AVAILABILITY])
        sent = self._sent
        news = {tag: value for tag, value in values.items() if sent.get(tag) != value}
        if not news and self._last_ns is not None:
            return []
        self._sent = values
        self._last_ns = now_ns
        return [
            {
                **news,
                "topic": self.topic,
                "server_id": "q1",
                "conidEx": self._key,
                "conid": self.conid,
                "_updated": now_ns // _MS,
                "6119": "q1",
            }
        ]


class DepthFeed(Feed):
    """`sbd`: the levels of a book, whole, when they changed."""

    def __init__(self, hall: Hall, topic: str, conid: int, now_ns: int) -> None:
        super().__init__(hall, topic)
        self.conid = conid
        self._sent: list[Any] | None = None
        self._last_ns = now_ns
        self._gap_ns = int(hall.options.streams.conflation_s * _S)
        self.due_ns = now_ns

    def disturb(self, now_ns: int) -> None:
        """The quote changed."""
        if self.due_ns is None:
            self.due_ns = max(now_ns, self._last_ns + self._gap_ns)

    def tell(self, now_ns: int) -> list[Frame]:
        """The levels, if any changed."""
        self.due_ns = None
        rows = frames.depth_rows(self.hall.exchange.depth(self.conid, _DEPTH))
        if rows == self._sent:
            return []
        self._sent, self._last_ns = rows, now_ns
        return [{"topic": self.topic, "data": rows}]


class ProfitFeed(Feed):
    """`spl`: profit and loss, once a second at most, when it changed."""

    def __init__(self, hall: Hall, now_ns: int) -> None:
        super().__init__(hall, "spl")
        self._sent: Any = None
        self.due_ns = now_ns

    def tell(self, now_ns: int) -> list[Frame]:
        """The figures, if any changed."""
        self.due_ns = now_ns + _S
        rows = frames.profit(self.hall)
        if rows == self._sent:
            return []
        self._sent = rows
        return [{"topic": "spl", "args": rows}]


class AccountFeed(Feed):
    """`ssd` and `sld`: rows of summary or ledger at an interval."""

    def __init__(self, hall: Hall, topic: str, account: str, fetch: Fetch, wanted: Frame, now_ns: int) -> None:
        super().__init__(hall, f"{topic}+{account}")
        self._account = account
        self._ledger = topic == "sld"
        self._fetch = fetch
        self._keys = texts(wanted.get("keys"))
        self._fields = texts(wanted.get("fields"))
        self._told: dict[str, Any] = {}
        self._gap_ns = int(hall.options.streams.account_s * _S)
        self.due_ns = now_ns

    def tell(self, now_ns: int) -> list[Frame]:
        """All rows, those without news bare."""
        self.due_ns = now_ns + self._gap_ns
        if self._ledger:
            rows = frames.ledger_rows(self._fetch(f"/portfolio/{self._account}/ledger"), self._account, now_ns)
        else:
            rows = frames.summary_rows(self._fetch(f"/portfolio/{self._account}/summary"), self._account, now_ns)
        told = frames.changed_rows(rows, self._told, self._keys, self._fields)
        return [{"topic": self.topic, "result": told}] if told else []


class OrderFeed(Feed):
    """`sor`: a full row the first time an order is heard of, then only what changed."""

    def __init__(self, hall: Hall, filters: list[str], now_ns: int) -> None:
        super().__init__(hall, "sor")
        self._filters = {text.lower().replace("_", "").replace(" ", "") for text in filters}
        self._told: dict[int, tuple[str, Any]] = {}
        self.due_ns = now_ns

    def tell(self, now_ns: int) -> list[Frame]:  # noqa: ARG002
        """At the start: the wire names the orders there are, the samples show them whole."""
        self.due_ns = None
        rows = []
        for account in self.hall.exchange.accounts:
            for order in self.hall.exchange.orders(account):
                if self.hall.options.observed:
                    rows.append(order_identity(self.hall, order))
                else:
                    rows.append(order_row(self.hall, order))
                    self._told[order.order_id] = (order.status, order.filled)
        return [{"topic": "sor", "args": rows}] if rows else []

    def hear(self, news: list[OrderNews]) -> list[Frame]:
        """Rows for the steps that orders took, in one frame; none while a filtered read keeps the topic silent."""
        rows: list[Frame] = []
        if self.hall.memory.silent:
            return rows
        for step in news:
            order = self.hall.exchange.order(step.order_id)
            if order is None:
                continue
            old = self._told.get(step.order_id)
            self._told[step.order_id] = (step.status, step.filled)
            if self._filters and step.status.lower() not in self._filters:
                continue
            if old is None:
                rows.append(order_row(self.hall, order, status=step.status, filled=step.filled))
                if self.hall.options.observed:
                    rows.append(order_identity(self.hall, order))
            elif old != (step.status, step.filled):
                rows.append(
                    order_delta(self.hall, order, step.status, step.filled, old_status=old[0], old_filled=old[1])
                )
            else:  # a modification: nothing of the state changed, but the ticket did
                rows.append(order_row(self.hall, order, status=step.status, filled=step.filled))
        return [{"topic": "sor", "args": rows}] if rows else []


class TradeFeed(Feed):
    """`str`: past executions at the start, then each as it comes, and again with its commission."""

    def __init__(self, hall: Hall, days: int, *, replay: bool, now_ns: int) -> None:
        super().__init__(hall, "str")
        self._days = days
        self.due_ns = now_ns if replay else None

    def tell(self, now_ns: int) -> list[Frame]:
        """At the start: executions of the last days."""
        self.due_ns = None
        rows = []
        for account in self.hall.exchange.accounts:
            for execution in self.hall.exchange.executions(account, self._days):
                known = execution.told_ns is None or execution.told_ns <= now_ns
                rows.append(trade_row(self.hall, execution, with_commission=known))
        rows.sort(key=lambda row: int(row["trade_time_r"]))
        return [{"topic": "str", "args": rows}]

    def hear(self, news: list[ExecutionNews]) -> list[Frame]:
        """One frame an execution, first without its commission."""
        return [
            {"topic": "str", "args": [trade_row(self.hall, step.execution, with_commission=step.commission_known)]}
            for step in news
        ]


def texts(value: Any) -> list[str]:
    """The items of a list as texts; none of what is no list."""
    return [str(item) for item in value] if isinstance(value, list) else []
