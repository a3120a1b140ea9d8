"""What is truly known of an account's orders and executions, from answers that are often cold, late or partial. Pure.

An empty list proves nothing by itself: the first orders list of a session is empty with `snapshot` false, the first
list of trades is empty, a forced read is blank, and empty lists turn up in the middle of healthy sessions (only two
in a row count, and none while orders are known). So whoever asks gets `Known` rows as of a moment, or `NotYetKnown`
with the reason and the moment to ask again.

How sources are merged: a row changes only what it carries; a REST answer that was asked for before the last websocket
update fills gaps and overwrites nothing; what is filled never shrinks; a filled order stays filled, and one that has
ended comes to life again only by a REST answer asked for afterwards (a refused modification can look like a
cancel). Executions are kept by id; a commission that has been told stays. One that a list lacks and that is too old for
it is let go: a process of weeks holds no more than its lists do.

The client never filters its reads, as that silences `sor`. Should somebody else on the session have done so,
`sor_silent` says it: a forced read and a plain one after it cure it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import msgspec

from engine.webapi.facts.orders import Execution, Executions, OrderRow, OrdersPage, OrderStatus, plain, shared

T = TypeVar("T")

EVERY_NS: Final = 5_000_000_000  # orders and trades may be read once in 5 seconds
DAY_NS: Final = 86_400_000_000_000
LIST_LIMIT: Final = 1_000  # rows of a live orders list; a full one may have left some out
_ENDED: Final = frozenset({"filled", "cancelled", "rejected", "failed"})
_COUNTS: Final = frozenset({"filled", "remaining", "average_price"})


class Known(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Complete as of `as_of_ns`, when the read that proves it was asked for; later news is in the rows already.

    `missing`: order ids that were seen earlier and stood not in that read. `full`: that read held as many rows as it
    can, so it may lack others.
    """

    rows: tuple[T, ...]
    as_of_ns: int
    missing: tuple[int, ...] = ()
    full: bool = False


class NotYetKnown(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing may be concluded from what is not there. Ask the venue, not before `ask_again_ns`."""

    reason: str
    ask_again_ns: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The venue has the order; `row` is None where only executions tell of it."""

    row: OrderRow | None
    executions: tuple[Execution, ...]


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """Neither the orders nor the executions asked for at or after `as_of_ns` show it."""

    as_of_ns: int


class _Held(msgspec.Struct):
    row: OrderRow
    stream_ns: int = -1  # when the websocket last told of it
    asked_ns: int = -1  # when the newest REST answer that told of it was asked for
    unheard_ns: int | None = None  # since when REST knows news that `sor` has not told


class OrderView:
    """Orders and executions of one account. Times are of the session's clock."""

    def __init__(self, account: str, *, every_ns: int = EVERY_NS) -> None:
        self.account = account
        self._every_ns = every_ns
        self._orders: dict[int, _Held] = {}
        self._executions: dict[str, Execution] = {}
        self._bound: dict[int, str] = {}
        self._stream_from_ns: int | None = None
        self.cooled()

    def cooled(self) -> None:
        """A new brokerage session: caches are cold again and absence is unknown; rows live on at the venue."""
        self._listed_ns: int | None = None
        self._listed: frozenset[int] = frozenset()
        self._full = False
        self._why_not = "the orders were not read in this session"
        self._orders_asked_ns: int | None = None
        self._empty_ns: int | None = None
        self._traded_ns: int | None = None
        self._why_no_trades = "the executions were not read in this session"
        self._trades_asked_ns: int | None = None
        self._first_empty_ns: int | None = None
        self._stream_from_ns = None

    def new_day(self) -> None:
        """A new trading day: the venue's list begins anew, so orders of yesterday are no longer missing from it."""
        self._orders.clear()
        self._bound.clear()
        self.cooled()

    def streaming(self, since_ns: int | None) -> None:
        """`sor` is subscribed since then; None: it is not."""
        self._stream_from_ns = since_ns

    def bind(self, order_id: int, coid: str) -> None:
        """Note our client order id of a venue's id, from a placement's answer: deltas do not carry it."""
        self._bound[order_id] = coid
        held = self._orders.get(order_id)
        if held is not None and held.row.order_ref is None:
            held.row = msgspec.structs.replace(held.row, order_ref=coid)

    # What was heard

    def heard_orders(self, page: OrdersPage, *, asked_ns: int, heard_ns: int, forced: bool = False) -> None:
        """Take a list of live orders. Its rows always count; whether it proves absence is another matter."""
        self._orders_asked_ns = max(asked_ns, self._orders_asked_ns or asked_ns)
        ours = [row for row in page.rows if self._ours(row)]
        for row in ours:
            self._told_by_rest(row, asked_ns, heard_ns)
        why, as_of_ns = self._proves_nothing(page, forced=forced), asked_ns
        if not why and not page.rows:
            why, as_of_ns = self._empty_again(asked_ns)
        elif not why:
            self._empty_ns = None
        if why:
            self._why_not = why
        elif self._listed_ns is None or as_of_ns > self._listed_ns:
            self._listed_ns, self._listed, self._why_not = as_of_ns, frozenset(row.order_id for row in ours), ""
            self._full = len(page.rows) >= LIST_LIMIT

    def _empty_again(self, asked_ns: int) -> tuple[str, int]:
        """Say what is missing for an empty list to count, or as of when it does: that of the earlier of two."""
        earlier = self._empty_ns
        self._empty_ns = asked_ns if earlier is None else max(earlier, asked_ns)
        if earlier is None or earlier == asked_ns:
            return "the list is empty, and a second one has to say the same", asked_ns
        return "", min(earlier, asked_ns)

    def _proves_nothing(self, page: OrdersPage, *, forced: bool) -> str:
        if forced:
            return "the list was read by force, which blanks it"
        if not page.snapshot:
            return "the list of orders is not primed (snapshot false)"
        if page.unreadable:
            return f"{len(page.unreadable)} rows of the list can't be read"
        if not page.rows and self._orders:
            return "the list is empty though orders are known"
        if page.rows and not any(self._ours(row) for row in page.rows):
            return "the list is that of another account"
        return ""

    def heard_status(self, status: OrderStatus, *, asked_ns: int, heard_ns: int) -> None:
        """Take one order's status."""
        carried = {"order_id", "status", "total", "filled", "remaining", "average_price", "conid"}
        row = OrderRow(
            order_id=status.order_id,
            status=status.status or None,
            total=status.total,
            filled=status.filled,
            remaining=status.remaining,
            average_price=status.average_price,
            conid=status.conid,
        )
        told = frozenset(name for name in carried if getattr(row, name) is not None)
        self._told_by_rest(msgspec.structs.replace(row, carried=told), asked_ns, heard_ns)

    def heard_stream(self, rows: Iterable[OrderRow], *, heard_ns: int) -> None:
        """Take the rows of a `sor` frame, in their order."""
        for row in rows:
            if not self._ours(row):
                continue
            held = self._orders.get(row.order_id)
            if held is None:
                held = self._orders[row.order_id] = _Held(self._named(row))
            else:
                held.row = self._named(_fold(held.row, row, may_revive=False))
            held.stream_ns, held.unheard_ns = max(held.stream_ns, heard_ns), None

    def _told_by_rest(self, row: OrderRow, asked_ns: int, heard_ns: int) -> None:
        held = self._orders.get(row.order_id)
        if held is None:
            self._orders[row.order_id] = _Held(self._named(row), asked_ns=asked_ns)
            return
        if asked_ns <= held.stream_ns or asked_ns < held.asked_ns:
            held.row = self._named(_fill_gaps(held.row, row))
            return
        before = held.row
        held.row, held.asked_ns = self._named(_fold(before, row, may_revive=True)), asked_ns
        news = plain(before.status) != plain(held.row.status) or before.filled != held.row.filled
        if news and self._stream_from_ns is not None and asked_ns > self._stream_from_ns and held.unheard_ns is None:
            held.unheard_ns = heard_ns

    def heard_trades(self, page: Executions, *, asked_ns: int, days: int) -> None:
        """Take an answer of trades of so many trading days; the first empty one of a session proves nothing, a second
        one does."""
        since_ns = asked_ns - (days - 1) * DAY_NS  # today has only begun; what is younger has to be listed
        self._trades_asked_ns = max(asked_ns, self._trades_asked_ns or asked_ns)
        self.heard_executions(page.rows)
        if page.unreadable:
            self._why_no_trades = f"{len(page.unreadable)} executions can't be read"
        elif page.rows and not any(self._ours_execution(row) for row in page.rows):
            self._why_no_trades = "the list of executions is that of another account"
        elif not page.rows and (self._first_empty_ns is None or asked_ns <= self._first_empty_ns):
            self._first_empty_ns = asked_ns if self._first_empty_ns is None else self._first_empty_ns
            if self._traded_ns is None:
                self._why_no_trades = "the first list of executions is empty, as it always is"
        elif not page.rows and any(_listed(row, since_ns) for row in self._executions.values()):
            self._why_no_trades = "the list of executions is empty though some are known"
        elif self._traded_ns is None or asked_ns > self._traded_ns:
            self._traded_ns, self._why_no_trades = asked_ns, ""
            self._first_empty_ns = asked_ns if self._first_empty_ns is None else self._first_empty_ns
            self._let_go(page, since_ns)

    def _let_go(self, page: Executions, since_ns: int) -> None:
        """Drop executions that this list lacks because they are too old for it."""
        listed = {row.execution_id for row in page.rows}
        old = [name for name, row in self._executions.items() if name not in listed and not _listed(row, since_ns)]
        for name in old:
            del self._executions[name]

    def heard_executions(self, rows: Iterable[Execution]) -> tuple[Execution, ...]:
        """Take executions (also those of `str`); return those that are new, or whose commission is."""
        news = []
        for row in rows:
            if not self._ours_execution(row):
                continue
            known = self._executions.get(row.execution_id)
            if known is not None and (row.commission is None or row.commission == known.commission):
                continue
            merged = row if known is None else msgspec.structs.replace(known, commission=row.commission)
            self._executions[row.execution_id] = merged
            news.append(merged)
        return tuple(news)

    # What is known

    def orders(self, now_ns: int) -> Known[OrderRow] | NotYetKnown:
        """Return every order of the day (of a full list, those it holds), or why that can't be told."""
        if self._why_not or self._listed_ns is None:
            return NotYetKnown(reason=self._why_not, ask_again_ns=self._again(self._orders_asked_ns, now_ns))
        known = self._orders.items()
        last = self._listed_ns
        missing = (
            name for name, held in known if name not in self._listed and max(held.stream_ns, held.asked_ns) <= last
        )
        return Known(rows=self.rows(), as_of_ns=last, missing=tuple(sorted(missing)), full=self._full)

    def unpaid_ns(self) -> int | None:
        """When the oldest execution was whose commission nobody has told; None if there is none."""
        return min((row.moment_ns or 0 for row in self._executions.values() if row.commission is None), default=None)

    def executions(self, now_ns: int) -> Known[Execution] | NotYetKnown:
        """Return every execution of the days read, in order of time and id, or why that can't be told."""
        if self._why_no_trades or self._traded_ns is None:
            return NotYetKnown(reason=self._why_no_trades, ask_again_ns=self._again(self._trades_asked_ns, now_ns))
        rows = sorted(self._executions.values(), key=lambda row: (row.moment_ns or 0, row.execution_id))
        return Known(rows=tuple(rows), as_of_ns=self._traded_ns)

    def rows(self) -> tuple[OrderRow, ...]:
        """Return whatever rows there are, by order id; that one is not among them proves nothing."""
        return tuple(self._orders[name].row for name in sorted(self._orders))

    def order(self, order_id: int) -> OrderRow | None:
        """Return one order's row, if any is known."""
        held = self._orders.get(order_id)
        return None if held is None else held.row

    def find(self, coid: str, *, after_ns: int, now_ns: int) -> Found | Absent | NotYetKnown:
        """Say whether the venue has the order of a client order id; `after_ns` is when it may have been sent last.

        Absence needs a primed list and executions that were both asked for after that moment; how long after is for
        the caller's settle time to say.
        """
        row = next((held.row for held in self._orders.values() if held.row.order_ref == coid), None)
        filled = tuple(
            each
            for each in self._executions.values()
            if each.order_ref == coid or (row is not None and each.order_id == row.order_id)
        )
        if row is not None or filled:
            return Found(row=row, executions=filled)
        orders, executions = self.orders(now_ns), self.executions(now_ns)
        if isinstance(orders, NotYetKnown):
            return orders
        if orders.full:
            again = self._again(self._orders_asked_ns, now_ns)
            return NotYetKnown(reason="the list of orders is full, so it may not be all", ask_again_ns=again)
        if isinstance(executions, NotYetKnown):
            return executions
        if orders.as_of_ns <= after_ns:
            again = self._again(self._orders_asked_ns, now_ns)
            return NotYetKnown(reason="the orders were read before it can have arrived", ask_again_ns=again)
        if executions.as_of_ns <= after_ns:
            again = self._again(self._trades_asked_ns, now_ns)
            return NotYetKnown(reason="the executions were read before it can have arrived", ask_again_ns=again)
        return Absent(as_of_ns=min(orders.as_of_ns, executions.as_of_ns))

    def sor_silent(self, now_ns: int, *, limit_ns: int = EVERY_NS) -> bool:
        """Whether REST has told news of an order that the subscribed `sor` has kept to itself for longer than that."""
        unheard = (held.unheard_ns for held in self._orders.values())
        return self._stream_from_ns is not None and any(at is not None and now_ns - at > limit_ns for at in unheard)

    def corrections(self) -> tuple[tuple[str, ...], ...]:
        """Return ids of executions that differ in their last part only: by IB's convention the last one corrects."""
        stems: dict[str, list[str]] = {}
        for name in sorted(self._executions):
            stems.setdefault(name.rpartition(".")[0] or name, []).append(name)
        return tuple(tuple(names) for names in stems.values() if len(names) > 1)

    def _again(self, asked_ns: int | None, now_ns: int) -> int:
        return now_ns if asked_ns is None else max(now_ns, asked_ns + self._every_ns)

    def _ours(self, row: OrderRow) -> bool:
        return row.account in (None, "", self.account)

    def _ours_execution(self, row: Execution) -> bool:
        return row.account in ("", self.account)

    def _named(self, row: OrderRow) -> OrderRow:
        coid = self._bound.get(row.order_id)
        return row if coid is None or row.order_ref is not None else msgspec.structs.replace(row, order_ref=coid)


def _listed(row: Execution, since_ns: int) -> bool:
    """Whether a list since some moment must hold an execution; of one without a time nobody knows better."""
    return row.moment_ns is None or row.moment_ns >= since_ns


def _fill_gaps(held: OrderRow, row: OrderRow) -> OrderRow:
    gaps = {name: getattr(row, name) for name in row.carried if getattr(held, name) is None}
    return msgspec.structs.replace(held, **gaps, carried=shared(held.carried | row.carried)) if gaps else held


def _fold(held: OrderRow, row: OrderRow, *, may_revive: bool) -> OrderRow:
    """Lay what `row` carries over `held`."""
    changes = {name: getattr(row, name) for name in row.carried}
    was, new = plain(held.status), plain(row.status)
    if held.filled is not None and row.filled is not None and row.filled < held.filled:
        changes = {name: value for name, value in changes.items() if name not in _COUNTS}
        may_revive = False  # it is older than what we know
    if was in _ENDED and new != was and new not in ("", "filled") and (was == "filled" or not may_revive):
        changes.pop("status", None)
        changes.pop("ccp_status", None)
    return msgspec.structs.replace(held, **changes, carried=shared(held.carried | row.carried))
