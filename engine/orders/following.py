"""What the venue's rows mean for our orders: the facts that follow from them, each once.

Status comes from rows, quantity from executions; where they disagree we read until they don't. A row tells how things
stand, not what happened, so facts are only made where our order is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from engine.domain.brokerage import ExecutionsKnown, NotYetKnown, OrdersKnown, VenueOrder
from engine.domain.facts import (
    Accepted,
    Answer,
    Cancelled,
    Modified,
    ModifyRefused,
    Pending,
    Refused,
)
from engine.domain.moments import END_OF_TIME_NS, NS_PER_S
from engine.domain.order import CLOSED, UNSEEN, Order, State
from engine.orders.actions import Action, Alert, ReadExecutions, ReadOrder, ReadOrders
from engine.orders.combos import Combos
from engine.orders.comparing import differences
from engine.orders.doubt import Doubts
from engine.orders.executions import Bookings
from engine.orders.identity import Identity
from engine.orders.live import LiveOrders
from engine.orders.reaching import hidden

WORKING: Final = frozenset({"submitted", "partiallyfilled"})
HELD: Final = frozenset({"presubmitted", "pendingsubmit", "warnstate"})
DEAD: Final = frozenset({"cancelled", "apicancelled", "expired"})
TURNED_DOWN: Final = frozenset({"rejected", "failed"})
_NO_ECHO: Final = "its modification was acknowledged and does not show"
_DRIFT: Final = "the venue's copy is another order than ours"
_STEADY: Final = frozenset({State.WORKING, State.PENDING_SUBMIT})
_ACKNOWLEDGED: Final = _STEADY | {State.PENDING_CANCEL}  # no modification is under way


@frozen(kw_only=True)
class FollowSettings:
    """`[orders.follow]`, seconds of the venue's clock: how long an order may read inactive before it counts as refused,
    how long fills that a row tells of may lack their executions, and how long a modification may lack its echo."""

    inactive_s: float = 8.0
    executions_s: float = 2.0
    echo_s: float = 10.0


class Follower:
    """Turns the venue's word into facts. `asking` names orders whose question is open: inactive is no refusal there.

    `declining` names those to whose question a no is on its way: their death is its answer's to tell, with our reason.
    """

    def __init__(
        self, book: LiveOrders, identity: Identity, doubts: Doubts, combos: Combos, settings: FollowSettings
    ) -> None:
        self._book = book
        self._identity = identity
        self._doubts = doubts
        self._settings = settings
        self.asking: frozenset[str] = frozenset()
        self.declining: frozenset[str] = frozenset()
        self.adopted: list[str] = []  # proved absent, and here after all: to be cancelled
        self.seen_dead_end: dict[str, int] = {}  # asked to cancel, turned down, and when: a later reading decides
        self.lost_modifies: set[str] = set()  # a modification of theirs was given up, and may yet arrive
        self.zombies: set[str] = set()  # live at the venue in a form that is not ours: to be cancelled
        self._inactive: dict[str, int] = {}
        self._short: dict[str, int] = {}  # fills told of without executions, and when to read
        self._echoes: dict[str, int] = {}  # acknowledged modifications that do not show yet, and when to look
        self._looked: dict[str, int] = {}  # of these the ones we have asked for, and when
        self._suspects: set[str] = set()  # the stream shows them as they can't be: a reading is on its way
        self._strangers: set[str] = set()
        self._unnamed: dict[str, tuple[int, VenueOrder]] = {}  # rows that do not say whose they are, and until when
        self.bookings = Bookings(book, identity, doubts, combos, self.adopted)

    def forget(self, coids: Iterable[str], before_ns: int) -> None:
        """These orders ended days ago; of strangers those are let go that identity has let go."""
        self._strangers.intersection_update(self._identity.copies)
        self.bookings.forget(before_ns)
        for coid in coids:
            self._suspects.discard(coid)
            self.lost_modifies.discard(coid)
            self.zombies.discard(coid)
            for known in (self.seen_dead_end, self._inactive, self._short, self._echoes, self._looked):
                known.pop(coid, None)

    # --- rows ---------------------------------------------------------------------------------------------------

    def rows(self, rows: Iterable[VenueOrder], now_ns: int) -> tuple[list[Answer], list[Action]]:
        """Read order rows, of the stream or of a list."""
        facts: list[Answer] = []
        actions: list[Action] = []
        for row in rows:
            coid = self._identity.see(row)
            if coid is None:
                if row.from_stream and row.coid is None:
                    self._nameless(row, now_ns, actions)
                else:
                    self._stranger(row, now_ns, actions)
                continue
            self._unnamed.pop(row.order_id, None)
            copy = self._identity.copies[row.order_id]
            self._one(coid, copy, now_ns, facts, actions)
        return facts, actions

    def _one(self, coid: str, copy: VenueOrder, now_ns: int, facts: list[Answer], actions: list[Action]) -> None:
        order = self._book.book[coid]
        status = _plain(copy.status)
        case = self._doubts.cases.get(coid)
        modified = case is not None and case.modify
        if status and not modified and self._doubts.found(coid):
            self._book.facts.append((now_ns, "found", coid, copy))
        if status and self._doubts.late(coid):
            self.adopted.append(coid)
            actions.append(
                Alert("LATE_ORDER", "an order that had been proved absent has turned up: it is cancelled", coid)
            )
        if status != "inactive":
            self._inactive.pop(coid, None)
        if status in WORKING or (status in HELD and order.state is State.LOST):
            if order.state in UNSEEN or order.state is State.PENDING_SUBMIT:
                facts.append(Accepted(coid=coid, ts_ns=now_ns, venue_id=copy.order_id))
        elif status in HELD:
            if order.state in UNSEEN and not modified:
                facts.append(Pending(coid=coid, ts_ns=now_ns, venue_id=copy.order_id))
        elif status == "filled":
            if order.state in UNSEEN and not modified:  # its fills come by executions; that it is there comes first
                facts.append(Accepted(coid=coid, ts_ns=now_ns, venue_id=copy.order_id))
            elif not modified and _overtaken(order, copy):
                reason = f"it had filled as {copy.filled} at the venue before its change came"
                facts.append(Cancelled(coid=coid, ts_ns=now_ns, reason=reason))
        elif status in DEAD:
            declined = coid in self.declining and order.state is State.SENT
            if order.state not in CLOSED and not declined:
                facts.append(Cancelled(coid=coid, ts_ns=now_ns, reason=copy.reason or "cancelled"))
        elif status in TURNED_DOWN:
            if order.state not in CLOSED:
                facts.append(Refused(coid=coid, ts_ns=now_ns, code="VENUE", reason=copy.reason or "rejected"))
        elif status == "inactive" and order.state not in CLOSED and coid not in self.asking:
            self._inactive.setdefault(coid, now_ns + round(self._settings.inactive_s * NS_PER_S))
        if copy.filled is not None and copy.filled > order.filled:
            self._short.setdefault(coid, now_ns + round(self._settings.executions_s * NS_PER_S))
        else:
            self._short.pop(coid, None)
        if modified and (status in WORKING or status in HELD or status == "filled"):
            self._which_ticket(order, copy, now_ns, facts)
        self._echo(order, copy)
        self._drift(order, copy, actions)

    def _drift(self, order: Order, copy: VenueOrder, actions: list[Action]) -> None:
        """The copy goes on being another order than ours: a modification arrived after we gave it up, or a person's.

        A row of the stream may be an old one that came late, so only a reading that began later than our news tells.
        """
        coid = order.coid
        if not copy.from_stream:
            self._suspects.discard(coid)
        if _plain(copy.status) not in WORKING | HELD or coid in self._doubts.cases or coid in self.asking:
            return
        differs = order.state is not State.LOST and (
            order.state in CLOSED
            or (order.state in _STEADY and copy.total is not None and copy.total != order.ticket.quantity)
        )
        if not differs or copy.seen_ns < order.updated_ns + round(self._settings.echo_s * NS_PER_S):
            return
        if copy.from_stream:
            if coid not in self._suspects:
                self._suspects.add(coid)
                actions.append(ReadOrder(copy.order_id, _DRIFT))
            return
        if coid not in self.zombies and self._book.frozen.get(coid) != _DRIFT:
            actions.append(Alert("DRIFT", _DRIFT, coid))
            self._book.frozen.setdefault(coid, _DRIFT)
        if order.state in CLOSED or coid in self.lost_modifies:
            self.zombies.add(coid)

    def _which_ticket(self, order: Order, copy: VenueOrder, now_ns: int, facts: list[Answer]) -> None:
        """A modification whose answer was lost: the copy tells which ticket is in force."""
        case = self._doubts.cases[order.coid]
        if copy.seen_ns <= case.since_ns:
            return
        parent = self._identity.parent_id(order)
        if order.wanted is not None and not differences(order, order.wanted, copy, parent_id=parent):
            facts.append(Modified(coid=order.coid, ts_ns=now_ns))
        elif not self._doubts.settled(case, copy.seen_ns) and _plain(copy.status) != "filled":
            return  # it may still be on its way
        elif not differences(order, order.ticket, copy, parent_id=parent):
            reason = "its answer was lost, and the order is as it was"
            facts.append(ModifyRefused(coid=order.coid, ts_ns=now_ns, code="NOT_DONE", reason=reason))
        else:
            return
        self._doubts.found(order.coid)

    # --- modifications, afterwards ------------------------------------------------------------------------------

    def expect_echo(self, coid: str, now_ns: int) -> None:
        """A modification was acknowledged: the venue's copy must come to read like our ticket."""
        self._echoes[coid] = now_ns + round(self._settings.echo_s * NS_PER_S)
        self._looked.pop(coid, None)

    def _echo(self, order: Order, copy: VenueOrder) -> None:
        if order.coid in self._echoes and (
            order.state in CLOSED
            or not differences(order, order.ticket, copy, parent_id=self._identity.parent_id(order))
        ):
            del self._echoes[order.coid]
            self._looked.pop(order.coid, None)
            if self._book.frozen.get(order.coid) == _NO_ECHO:
                del self._book.frozen[order.coid]

    def round_over(self, now_ns: int) -> None:
        """No question is open any more: what was inactive for one has its time to show otherwise from now on."""
        for coid in self.asking & self._inactive.keys():
            self._inactive[coid] = now_ns + round(self._settings.inactive_s * NS_PER_S)
        self.asking = self.declining = frozenset()

    def distrust(self, coid: str, now_ns: int) -> None:
        """A cancellation was turned down: the next reading decides whether the order lives."""
        self.seen_dead_end[coid] = now_ns
        self._short.setdefault(coid, now_ns)

    # --- readings -----------------------------------------------------------------------------------------------

    def orders_read(self, view: OrdersKnown | NotYetKnown, now_ns: int) -> tuple[list[Answer], list[Action]]:
        """Take in a list of orders; only a primed one proves absence."""
        facts, actions = self.rows(view.orders, now_ns)
        if isinstance(view, OrdersKnown):
            present = self._identity.present(view.orders)
            left_out = self.hidden(view, present)
            self._doubts.orders_read(present | left_out, view.as_of_ns)
            for coid in sorted(left_out & self._doubts.cases.keys() & self._identity.id_of.keys()):
                actions.append(ReadOrder(self._identity.id_of[coid], "an order in doubt that a full list may lack"))
        return facts, actions

    def hidden(self, view: OrdersKnown, present: set[str]) -> set[str]:
        """Our open orders that this reading may have left out."""
        return hidden(view, self._book.book, self._identity.id_of, present, self._doubts.settle_ns)

    def executions_read(self, view: ExecutionsKnown | NotYetKnown, now_ns: int) -> tuple[list[Answer], list[Action]]:
        """Take in a list of executions; only a primed one proves absence."""
        facts, actions = self.bookings.hear(view.executions, now_ns)
        if isinstance(view, ExecutionsKnown):
            present = {c for e in view.executions if (c := self._identity.whose(e.order_id, e.coid)) is not None}
            self._doubts.executions_read(present, view.as_of_ns)
        return facts, actions

    # --- time ---------------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> tuple[list[Answer], list[Action]]:
        """What has waited long enough."""
        facts: list[Answer] = []
        actions: list[Action] = []
        for coid in [coid for coid, at in self._inactive.items() if now_ns >= at]:
            del self._inactive[coid]
            order, copy = self._book.book[coid], self._identity.copy(coid)
            if order.state not in CLOSED and coid not in self.asking:
                self._doubts.found(coid)
                reason = (copy.reason if copy else None) or "the venue lists it as inactive"
                facts.append(Refused(coid=coid, ts_ns=now_ns, code="INACTIVE", reason=reason))
        for order_id in [one for one, (at, _) in self._unnamed.items() if now_ns >= at]:
            _, row = self._unnamed.pop(order_id)
            copy = self._identity.copies.get(order_id)
            if self._identity.whose(order_id, None) is None and copy is not None and (alive(copy) or copy.filled):
                # Of one that nobody says more of, or that has died unfilled (a ticket whose answer was lost, and which
                # nobody confirmed), there is nothing to fear.
                self._stranger(row, now_ns, actions)
        if any(now_ns >= at for at in self._short.values()):
            again = now_ns + 3 * round(self._settings.executions_s * NS_PER_S)
            self._short = {c: max(at, again) for c, at in self._short.items() if self._is_short(c)}
            if self._short:
                actions.append(ReadExecutions("a row tells of fills without executions"))
                actions.append(ReadOrders("a row tells of fills without executions"))
        for coid in [coid for coid, at in self._echoes.items() if now_ns >= at]:
            self._echoes[coid] = now_ns + round(self._settings.echo_s * NS_PER_S)
            copy = self._identity.copy(coid)
            asked_ns = self._looked.setdefault(coid, now_ns)
            if (
                copy is not None
                and copy.seen_ns > asked_ns
                and self._book.frozen.setdefault(coid, _NO_ECHO) == _NO_ECHO
            ):
                self._looked[coid] = now_ns
                actions.append(Alert("NO_ECHO", "a modification was acknowledged, and the venue's copy differs", coid))
            actions.append(ReadOrder(self._identity.id_of[coid], "an acknowledged modification does not show"))
        return facts, actions

    def _is_short(self, coid: str) -> bool:
        copy = self._identity.copy(coid)
        if coid in self.seen_dead_end:
            return self._book.book[coid].state not in CLOSED
        return copy is not None and copy.filled is not None and copy.filled > self._book.book[coid].filled

    def next_ns(self) -> int:
        """When something is due."""
        unnamed = (at for at, _ in self._unnamed.values())
        times = (*self._inactive.values(), *self._short.values(), *self._echoes.values(), *unnamed)
        return min(times, default=END_OF_TIME_NS)

    def _nameless(self, row: VenueOrder, now_ns: int, actions: list[Action]) -> None:
        """The stream may tell of an order before its full row, or before its answer: a list says whose it is."""
        if row.order_id in self._strangers or row.order_id in self._unnamed:
            return
        self._unnamed[row.order_id] = now_ns + round(self._settings.echo_s * NS_PER_S), row
        actions.append(ReadOrders("a row that does not say whose it is"))

    def _stranger(self, row: VenueOrder, now_ns: int, actions: list[Action]) -> None:
        if row.order_id not in self._strangers:
            self._strangers.add(row.order_id)
            self._book.facts.append((now_ns, "foreign_order", row.order_id, row))
            actions.append(Alert("FOREIGN_ORDER", f"order {row.order_id} is not ours"))


def alive(copy: VenueOrder | None) -> bool:
    """Whether the venue's copy of an order may still trade."""
    return copy is not None and _plain(copy.status) in WORKING | HELD


def _overtaken(order: Order, copy: VenueOrder) -> bool:
    """Whether a fill came before a change that the venue acknowledged: complete there, and booked, below our quantity.

    Told by a reading that began after our last news; executions that come later still count as money.
    """
    return (
        not copy.from_stream
        and order.state in _ACKNOWLEDGED
        and order.wanted is None
        and copy.filled is not None
        and 0 < copy.filled == order.filled < order.ticket.quantity
        and copy.seen_ns >= order.updated_ns
    )


def _plain(status: str | None) -> str:
    """A status word without case and blanks; spelling differs by surface."""
    return "" if status is None else status.replace(" ", "").lower()
