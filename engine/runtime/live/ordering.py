"""The orders task: it owns the desk. Decide, store, then act: nothing leaves before the journal has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol, assert_never

import trio

from engine.errors import CoidUsed, JournalFull
from engine.orders.actions import (
    Action,
    Alert,
    AskOperator,
    AskRisk,
    FeeKnown,
    Flatten,
    JudgeAgain,
    ReadExecutions,
    ReadOrder,
    ReadOrders,
    SendCancel,
    SendCancelAll,
    SendModify,
    SendPlace,
    SendPreview,
    SendReply,
)
from engine.orders.desk import Desk
from engine.orders.outcomes import HELD_BACK, UNSENT
from engine.ports import Clock
from engine.runtime.live.carrying import Carrier
from engine.runtime.live.inputs import Did, did
from engine.runtime.live.lanes import Lane, Outbox
from engine.runtime.live.letters import (
    Asked,
    Became,
    CancelAllAnswered,
    CancelAnswered,
    CancelNow,
    Charged,
    ClosingJudged,
    ExecutionsHeard,
    ExecutionsRead,
    Explained,
    Forget,
    Judged,
    Latched,
    LossesStand,
    NotSent,
    OperatorAnswered,
    OrderRead,
    OrdersLetter,
    OrdersRead,
    PortfolioLetter,
    Previewed,
    RiskSays,
    RowsHeard,
    SessionHeard,
    Tick,
    TradingNow,
    Wanted,
    WriteAnswered,
)
from engine.runtime.live.permits import StorePermit
from engine.runtime.live.storing import Ledger, Lot, OrderWrite, writes_in

_TOGETHER = 256  # letters decided on before one commit
_Inward = AskRisk | JudgeAgain | FeeKnown | Flatten  # what other actors hear of; all else is for the venue and people
_HEAD_START = 2  # turns of the loop: a write is on the wire before anybody has to look at its news


class People(Protocol):
    """Whoever tells a person, and asks one."""

    def alert(self, alert: Alert, now_ns: int) -> None:
        """A person should know."""

    def ask(self, question: AskOperator, now_ns: int) -> None:
        """A person is to answer yes or no before the deadline."""


class Ordering:
    """The orders task.

    Args:
        flatten: Called where a position has lost its protection; makes the intents that close it.
        note: Told of each letter before it is decided on, for the log that a replay reads.
    """

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        clock: Clock,
        people: People,
        *,
        to_portfolio: Outbox[PortfolioLetter],
        to_risk: Outbox[Wanted | Asked | Tick],
        flatten: Callable[[Flatten, int], Wanted],
        note: Callable[[str, int, OrdersLetter | Did], None],
    ) -> None:
        self._desk = desk
        self._ledger = ledger
        self._clock = clock
        self._people = people
        self._to_portfolio = to_portfolio
        self._to_risk = to_risk
        self._flatten = flatten
        self._note = note
        self._in_section = False
        self._lot: Lot | None = None  # under way to the journal
        self.at_work = False  # what it has been told is not stored and passed on yet
        self.urgent: deque[OrdersLetter] = deque()  # what cancels: a full channel holds up none
        self._unexplained = False  # risk has not told yet what the checks compared of the last order
        self.full = False  # the journal takes no more: cancels go out all the same, nothing else does

    async def run(self, inbox: trio.MemoryReceiveChannel[OrdersLetter] | Lane[OrdersLetter], carrier: Carrier) -> None:
        """Decide on letters as they come, until the channel is closed."""
        lane = inbox if isinstance(inbox, Lane) else None
        if lane is not None:
            lane.open(partial(self._take, lane, carrier))
        try:
            async for letter in inbox:
                self.at_work = True
                if self._lot is not None:
                    await self._finish(self._lot, carrier)
                now_ns = self._clock.now_ns()
                self._urgently(now_ns)
                self.decide(letter, now_ns)
                for _ in range(_TOGETHER):
                    try:
                        more = inbox.receive_nowait()
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                    self.decide(more, now_ns)
                await self._finish(self._decided(carrier, now_ns), carrier)
                self.at_work = False
        finally:
            if lane is not None:
                lane.close()

    def _take(self, lane: Lane[OrdersLetter], carrier: Carrier, letter: OrdersLetter) -> None:
        """Decide on one letter at once and have what comes of it stored; the task, woken by a tick, does the rest."""
        self.at_work = True
        now_ns = self._clock.now_ns()
        self._urgently(now_ns)
        self.decide(letter, now_ns)
        self._lot = self._decided(carrier, now_ns)
        lane.send_nowait(Tick())

    def _decided(self, carrier: Carrier, now_ns: int) -> Lot:
        actions, updates = self._desk.take()
        lot = self._begin(carrier, now_ns, actions)
        lot.updates += updates
        return lot

    def urge(self, letter: CancelNow | TradingNow) -> None:
        """This goes before all letters, and before a write that waits for the journal, if it concerns that one."""
        self.urgent.append(letter)
        if self._lot is not None:
            self._lot.heed(letter)

    def _urgently(self, now_ns: int) -> None:
        while self.urgent:
            self.decide(self.urgent.popleft(), now_ns)

    def decide(self, letter: OrdersLetter, now_ns: int) -> None:
        """Hand one letter to the desk."""
        desk = self._desk
        if not isinstance(letter, Tick):
            self._note("orders", now_ns, letter)
        match letter:
            case Judged(verdicts=verdicts, findings=findings, worth=worth):
                desk.book.facts += [(now_ns, "judged", coid, found) for coid, found in findings]
                desk.book.facts += [(now_ns, "worth", coid, money) for coid, money in worth]
                self._unexplained = self._unexplained or bool(worth)
                requests, updates = desk.book.act(verdicts, now_ns, closing=isinstance(letter, ClosingJudged))
                desk.pass_on(updates)
                desk.submit(requests, now_ns)
            case Explained(findings=findings):
                desk.book.facts += [(now_ns, "judged", coid, found) for coid, found in findings]
            case RiskSays(number=number, holds=holds):
                desk.judged(number, holds, now_ns)
            case WriteAnswered(number=number, answer=answer):
                desk.answered(number, UNSENT if answer is None else answer, now_ns)
            case NotSent(number=number):
                desk.answered(number, HELD_BACK, now_ns)
            case Previewed(number=number, preview=preview):
                desk.previewed(number, preview, now_ns)
            case CancelAnswered(coid=coid, answer=answer):
                desk.cancel_answered(coid, answer, now_ns)
            case OrdersRead(view=view):
                desk.orders_read(view, now_ns)
            case ExecutionsRead(view=executions):
                desk.executions_read(executions, now_ns)
            case OrderRead(order_id=order_id, copy=copy):
                desk.order_read(copy, order_id, now_ns)
            case RowsHeard(rows=rows):
                desk.rows(rows, now_ns)
            case ExecutionsHeard(rows=heard):
                desk.executions(heard, now_ns)
            case SessionHeard(now=session):
                desk.session(session.up, now_ns, layer=session.layer)
            case OperatorAnswered(number=number, yes=yes):
                desk.answer_question(number, yes, now_ns)
            case CancelNow(coids=coids, why=why):
                wanted = coids if coids is not None else [c for c, o in desk.book.book.items() if o.is_open]
                desk.cancel_now(wanted, now_ns, why, everything=coids is None)
            case TradingNow(state=state):
                desk.trading(state)
            case CancelAllAnswered(answer=answer):
                desk.cancel_all_answered(answer, now_ns)
            case LossesStand(standings=standings):
                desk.book.facts += [(now_ns, "risk_day", owner, standing) for owner, standing in standings]
            case Latched(owner=owner, held=held, coids=coids):
                desk.book.facts.append((now_ns, "risk_latched", owner, held))
                desk.cancel_now(coids, now_ns, held.sentence)
            case Forget(before_ns=before_ns):
                desk.forget(before_ns)
            case Tick():
                if now_ns >= desk.next_ns():
                    self._note("orders", now_ns, letter)
                    desk.tick(now_ns)
            case _:
                assert_never(letter)

    def _begin(self, carrier: Carrier, now_ns: int, fresh: list[Action], kept: Lot | None = None) -> Lot:
        """Have what was decided stored, and its order writes made ready meanwhile.

        Args:
            fresh: Actions that were decided on since the last lot.
            kept: What is left of that lot, where its writes did not leave.
        """
        updates = [] if kept is None else kept.updates
        rows = list(self._desk.book.facts)
        self._desk.book.facts.clear()
        actions = fresh if kept is None else [*kept.actions, *fresh]
        writes = writes_in(actions)
        outward = [action for action in actions if not isinstance(action, _Inward)]
        # Where something else goes out as well, all goes in its order once the rows are there.
        permit = StorePermit() if writes and len(writes) == len(outward) else None
        coids = [mark for action in writes if isinstance(action, SendPlace) for mark in action.marks]
        then = None if permit is None else permit.grant
        stored = self._ledger.begin(rows, coids=coids, essential=not writes, then=then)
        if rows or fresh:
            self._note("orders", now_ns, did(rows, fresh))
        lot = Lot(now_ns, actions, updates, rows, stored, permit)
        if permit is not None:
            for write in writes:
                self._write(write, carrier, permit)
            permit.give_way()
        return lot

    async def _finish(self, lot: Lot, carrier: Carrier) -> None:
        """Wait until a lot is stored, then do the rest of it."""
        while True:
            self._lot = lot
            try:
                left = await self._is_stored(lot) and (lot.permit is None or not lot.permit.refused)
            finally:
                if lot.permit is not None:
                    lot.permit.refuse()  # no more than a word where it was granted
                self._lot = None
            if left:
                break
            # What has not left never does, and the desk hears so; first of what held it back, if that was a halt.
            writes = lot.writes
            lot.actions = [action for action in lot.actions if not isinstance(action, SendPlace | SendModify)]
            if lot.permit is not None:
                carrier.take_back(lot.permit)
                self._urgently(lot.now_ns)
            for write in writes:
                self.decide(NotSent(write.number), lot.now_ns)
            fresh, told = self._desk.take()
            lot.updates += told
            if not writes:
                lot.actions += fresh
                break
            lot = self._begin(carrier, lot.now_ns, fresh, lot)
        now_ns = lot.now_ns
        outward = [action for action in lot.actions if not isinstance(action, _Inward)]
        if lot.permit is None:
            self._act(outward, carrier, now_ns)
        if any(isinstance(action, SendPlace | SendModify | SendReply) for action in outward):
            for _ in range(_HEAD_START):
                await trio.lowlevel.cancel_shielded_checkpoint()
        if self._unexplained:
            self._unexplained = False
            with suppress(trio.WouldBlock):  # then it tells with what waits there
                self._to_risk.send_nowait(Tick())
        if lot.updates:
            self._to_portfolio.send_nowait(Became(tuple(lot.updates)))
        self._act([action for action in lot.actions if isinstance(action, _Inward)], carrier, now_ns)
        if self._in_section and not self._desk.busy:
            self._in_section = False
            carrier.end_round()

    async def _is_stored(self, lot: Lot) -> bool:
        """Whether a lot has been stored; False if the order writes in it must not leave."""
        writes = lot.writes
        try:
            await lot.stored.wait()
        except CoidUsed as error:
            places = (write for write in writes if isinstance(write, SendPlace))
            self._people.alert(Alert("COID_USED", str(error), next(places).marks[0]), self._clock.now_ns())
        except JournalFull as error:
            if not self.full:
                self.full = True
                self._people.alert(Alert("JOURNAL_FULL", f"{error}: only cancels go out"), self._clock.now_ns())
            if not writes:
                return False
        else:
            self.full = self.full and not writes
            return True
        # The rows are facts all the same, the write is not to be: they are stored without it.
        if lot.permit is not None:
            lot.permit.refuse()
        with suppress(JournalFull):
            await self._ledger.begin(lot.rows, coids=(), essential=True).wait()
        return False

    def _write(self, action: OrderWrite, carrier: Carrier, permit: StorePermit | None = None) -> None:
        if self._in_section:
            carrier.end_round()
        self._in_section = True
        carrier.write(action, permit)

    def _act(self, actions: Sequence[Action], carrier: Carrier, now_ns: int) -> None:
        for action in actions:
            match action:
                case SendPlace() | SendModify():
                    self._write(action, carrier)
                case SendPreview():
                    carrier.preview(action)
                case SendReply():
                    carrier.write(action)
                case SendCancel():
                    carrier.cancel(action)
                case SendCancelAll():
                    carrier.cancel_all()
                case ReadOrders():
                    carrier.read_orders()
                case ReadExecutions():
                    carrier.read_executions()
                case ReadOrder(order_id=order_id):
                    carrier.read_order(order_id)
                case Alert():
                    self._people.alert(action, now_ns)
                case AskOperator():
                    self._people.ask(action, now_ns)
                case AskRisk(number=number, tickets=tickets):
                    self._to_risk.send_nowait(Asked(number, tickets))
                case JudgeAgain(intent=intent):
                    self._to_risk.send_nowait(Wanted((intent,), now_ns))
                case FeeKnown():
                    self._to_portfolio.send_nowait(Charged(action))
                case Flatten():
                    self._to_risk.send_nowait(self._flatten(action, now_ns))
                case _:
                    assert_never(action)
