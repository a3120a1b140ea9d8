"""Order writes: the queue of what is to be written, and the one round under way, from a ticket to the last reply.

An order write goes out once. After silence, or after an answer that proves nothing, its orders are in doubt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import frozen

from engine.domain.brokerage import AllRefused, Answered, Preview, Prompted, Question, Unclear, VenueOrder, WriteAnswer
from engine.domain.facts import (
    Accepted,
    Answer,
    AnswerMissing,
    Cancelled,
    Modified,
    ModifyRefused,
    Pending,
    ProvedAbsent,
    Refused,
)
from engine.domain.messages import BARRED, ModifyRequest, PlaceRequest, ResendRequest
from engine.domain.moments import NS_PER_S
from engine.domain.order import CLOSED, State
from engine.domain.ticket import OrderTicket
from engine.orders.actions import (
    AskOperator,
    AskRisk,
    ReadExecutions,
    ReadOrder,
    ReadOrders,
    SendClosing,
    SendModify,
    SendPlace,
    SendPreview,
    SendReply,
)
from engine.orders.census import Census
from engine.orders.comparing import differences
from engine.orders.doubt import Doubts
from engine.orders.following import DEAD, Follower
from engine.orders.identity import Identity
from engine.orders.replies import ReplyPolicy, Ruling, Stance
from engine.orders.rounds import Round, Stage
from engine.orders.slate import Slate


@frozen(kw_only=True)
class PreviewSettings:
    """`[orders]`: orders worth more than `above`, in base currency, are previewed before they leave (None: never), and
    how many seconds of the venue's clock that may take."""

    above: Decimal | None = None
    limit_s: float = 10.0


@frozen
class Unsent:
    """Nothing of a request left us, and why."""

    why: str


UNSENT: Final = Unsent("the venue could not be reached, and nothing was sent")
HELD_BACK: Final = Unsent("it was held back before it left: a halt or a cancel came first, or it could not be stored")
_OPEN_QUESTION: Final = frozenset({Stage.PERSON, Stage.RISK})
_RISK_LIMIT_NS: Final = NS_PER_S  # our own answer takes microseconds; what takes a second does not come
# How the venue refuses an id that it has seen: the first one did arrive. The end of its sentence is not certain.
_KNOWN_ID: Final = ("local order id", "already registered")


class Writer:
    """Writes orders one at a time. `cancels_wait` says whether something risk-reducing waits for the round."""

    def __init__(
        self,
        slate: Slate,
        identity: Identity,
        doubts: Doubts,
        follower: Follower,
        census: Census,
        policy: ReplyPolicy,
        *,
        name_s: float,
        previews: PreviewSettings,
        cancels_wait: Callable[[], bool],
    ) -> None:
        self.round: Round | None = None
        self.up = False
        self.answers = False  # up, or only the stream is missing: cancels and what closes positions may go
        self.stream_since_ns: int | None = None
        self._slate = slate
        self._identity = identity
        self._doubts = doubts
        self._follower = follower
        self._census = census
        self._policy = policy
        self._name_ns = round(name_s * NS_PER_S)
        self._previews = previews
        self._cancels_wait = cancels_wait
        self._queue: deque[PlaceRequest | ModifyRequest | ResendRequest] = deque()
        self._reading: dict[str, ModifyRequest] = {}  # modifications that wait for the venue's copy, by order id
        self._unnamed: dict[str, int] = {}  # taken, but under which id is not known; in doubt from then on

    def push(self, request: PlaceRequest | ModifyRequest | ResendRequest) -> None:
        """An approved request waits for its turn."""
        self._queue.append(request)

    def go_on(self, now_ns: int) -> None:
        """Write the next order, if nothing is under way."""
        while self.round is None and self._queue:
            request = self._queue.popleft()
            if isinstance(request, PlaceRequest):
                self._start_place(request, now_ns)
            elif isinstance(request, ResendRequest):
                self._start_again(request.ticket, now_ns)
            else:
                self._start_modify(request, now_ns)

    def tick(self, now_ns: int) -> None:
        """An operator's time is up; rows have not named their order in time."""
        current = self.round
        if current is not None and current.stage in _OPEN_QUESTION and now_ns >= current.deadline_ns:
            who = "operator" if current.stage is Stage.PERSON else "risk checker"
            self._reply(current, False, f"no {who} answered in time", now_ns)
        elif current is not None and current.stage is Stage.SIZE and now_ns >= current.deadline_ns:
            self._preview(current, now_ns)
        elif current is not None and current.stage is Stage.PREVIEW and now_ns >= current.deadline_ns:
            self.previewed(current.number, None, now_ns)
        for coid in [coid for coid, at in self._unnamed.items() if now_ns >= at or coid in self._identity.id_of]:
            del self._unnamed[coid]
            if coid not in self._identity.id_of and self._slate.book.book[coid].state is State.SENT:
                self._doubt([coid], "no row tells which order it became", now_ns)

    def times(self) -> list[int]:
        """When `tick` is wanted."""
        times = list(self._unnamed.values())
        if self.round is not None and (self.round.stage in _OPEN_QUESTION or self.round.unsent):
            times.append(self.round.deadline_ns)
        return times

    def decline(self, why: str, now_ns: int) -> bool:
        """Say no to the question that waits for a person; False if none does."""
        if self.round is None or self.round.stage is not Stage.PERSON:
            return False
        self._reply(self.round, False, why, now_ns)
        return True

    def copy_read(self, order_id: str, copy: VenueOrder | None, now_ns: int) -> None:
        """The copy that a modification has waited for was read, or could not be."""
        waiting = self._reading.pop(order_id, None)
        if waiting is not None and copy is None:
            self._not_modified(waiting.ticket.coid, "UNREAD", "the venue's copy can't be read", now_ns)
        elif waiting is not None:
            self._queue.appendleft(waiting)

    # --- answers ---------------------------------------------------------------------------------------------------

    def answer_question(self, number: int, yes: bool, now_ns: int) -> bool:
        """An operator has answered; False if the question is no longer open."""
        asked = self.round
        if asked is None or asked.number != number or asked.stage is not Stage.PERSON:
            return False
        self._slate.note(now_ns, "operator", next(iter(asked.open)), {"question": number, "yes": yes})
        self._reply(asked, yes, "an operator's answer", now_ns)
        return True

    def answered(self, number: int, answer: WriteAnswer | Unsent, now_ns: int) -> None:
        """The round's write or reply has come to this; `Unclear` stands for silence too."""
        current = self.round
        if current is None or current.number != number:
            self._slate.note(now_ns, "stale_answer", str(number), answer)
            return
        self._slate.note(now_ns, "answer_to_write", next(iter(current.open), ""), _told(answer))
        no = _no_to_second(current, answer)
        if no is not None:
            self._second_refused(current, no, now_ns)
        elif isinstance(answer, Unsent):
            self._unsent(current, answer.why, now_ns)
        elif isinstance(answer, Unclear):
            self._in_doubt(current, answer.reason, now_ns)
        elif isinstance(answer, AllRefused):
            self._all_refused(current, answer.reason, now_ns)
        elif isinstance(answer, Prompted):
            self._slate.alert("PROMPT", answer.text, next(iter(current.open), ""))
            self._all_refused(current, answer.text, now_ns)
        else:
            if isinstance(answer, Answered):
                self._rows(current, answer, now_ns)
            current.questions = current.questions[1:] + list(answer.questions)
            if current.questions:
                self._decide(current, now_ns)
            else:
                self._end(current, now_ns)

    # --- writing ---------------------------------------------------------------------------------------------------

    def _start_place(self, request: PlaceRequest, now_ns: int) -> None:
        tickets, closing = request.tickets, request.closing
        if not self._wanted(tickets, now_ns, closing=closing):
            return
        self.round = Round(self._slate.next_number(), tickets, None, closing=closing)
        if closing or self._previews.above is None:
            self._send(self.round, now_ns)
        else:
            self.round.stage = Stage.SIZE
            self.round.deadline_ns = now_ns + _RISK_LIMIT_NS
            self._slate.actions.append(AskRisk(self.round.number, tickets))

    def _start_again(self, ticket: OrderTicket, now_ns: int) -> None:
        """Send a ticket that was proved absent once more, unless it is not wanted any more."""
        coid = ticket.coid
        if self._slate.book.book[coid].state is not State.IN_DOUBT or coid in self._doubts.cases:
            return  # it has turned up, or is asked about anew
        if not self.up:
            self.give_up(coid, now_ns)
            return
        self.round = Round(self._slate.next_number(), (ticket,), None, again=True)
        self._send(self.round, now_ns)

    def give_up(self, coid: str, now_ns: int) -> None:
        """An order that was proved absent is lost; should it turn up all the same, it is cancelled."""
        if self._slate.book.book[coid].state in (State.IN_DOUBT, State.PENDING_CANCEL):
            self._slate.alert("LOST", "an order whose answer was lost never reached the venue", coid)
            self._doubts.watch(coid, now_ns)
            self._slate.say([ProvedAbsent(coid=coid, ts_ns=now_ns)])

    def _send(self, current: Round, now_ns: int) -> None:
        """The tickets of a round leave."""
        tickets = current.tickets
        current.stage = Stage.WRITE
        self._census.sent(tickets)
        self._slate.updates += self._slate.book.sent([ticket.coid for ticket in tickets], now_ns)
        self._slate.note(now_ns, "write", tickets[0].coid, tickets)
        kind = SendClosing if current.closing else SendPlace
        self._slate.actions.append(kind(current.number, tickets, current.again))

    def _wanted(self, tickets: Sequence[OrderTicket], now_ns: int, *, closing: bool = False) -> bool:
        """Whether a group can leave; if not, what is left of it is told so."""
        states = [self._slate.book.book[ticket.coid].state for ticket in tickets]
        if any(state is not State.CREATED for state in states):  # a group goes whole or not at all
            self._slate.say(
                Cancelled(coid=ticket.coid, ts_ns=now_ns, reason="withdrawn")
                for ticket, state in zip(tickets, states, strict=True)
                if state is State.CREATED
            )
            return False
        if not (self.up or (closing and self.answers)):
            reason = "the session with the venue is down"
            self._slate.say(Refused(coid=t.coid, ts_ns=now_ns, code="DISCONNECTED", reason=reason) for t in tickets)
            return False
        return True

    def _start_modify(self, request: ModifyRequest, now_ns: int) -> None:
        ticket = request.ticket
        coid = ticket.coid
        order = self._slate.book.book[coid]
        if order.state is not State.PENDING_MODIFY:
            if order.state not in CLOSED:
                self._not_modified(coid, "STATE", f"the order is {order.state} by now", now_ns)
            return
        if not self.up:
            self._not_modified(coid, "DISCONNECTED", "the session with the venue is down", now_ns)
            return
        order_id = self._identity.id_of[coid]
        copy = self._identity.copies.get(order_id)
        if copy is None or not self._fresh(copy):
            if order_id not in self._reading:
                self._reading[order_id] = request
                self._slate.actions.append(ReadOrder(order_id, "its full ticket is wanted before it is modified"))
            return
        found = differences(order, order.ticket, copy, parent_id=self._identity.parent_id(order))
        if found:
            self._not_modified(coid, "DIFFERS", "; ".join(str(one) for one in found), now_ns)
            return
        self.round = Round(self._slate.next_number(), (ticket,), order_id)
        self._slate.note(now_ns, "write", coid, ticket)
        self._slate.actions.append(SendModify(self.round.number, order_id, ticket))

    def _fresh(self, copy: VenueOrder) -> bool:
        """Whether the stream has stood since the copy was told, so that any change would have been told too."""
        return self.stream_since_ns is not None and copy.seen_ns >= self.stream_since_ns

    # --- previews --------------------------------------------------------------------------------------------------

    def _preview(self, current: Round, now_ns: int) -> None:
        current.stage = Stage.PREVIEW
        current.deadline_ns = now_ns + round(self._previews.limit_s * NS_PER_S)
        self._slate.actions.append(SendPreview(current.number, current.tickets))

    def previewed(self, number: int, preview: Preview | None, now_ns: int) -> None:
        """What the venue says that the tickets would do; None where it can't be known, and then they don't leave."""
        current = self.round
        if current is None or current.number != number or current.stage is not Stage.PREVIEW:
            return
        self._slate.note(now_ns, "preview", current.tickets[0].coid, preview)
        problem = "what it would do could not be asked" if preview is None else preview.error
        if problem:
            self.round = None
            self._slate.say(
                Refused(coid=ticket.coid, ts_ns=now_ns, code="PREVIEW", reason=problem)
                for ticket in current.tickets
                if self._slate.book.book[ticket.coid].state is State.CREATED
            )
            self._slate.follow_up(now_ns)
        else:
            self._leave(current, now_ns)

    def _leave(self, current: Round, now_ns: int) -> None:
        """Nothing speaks against a round that has waited: it leaves, unless it is not wanted any more."""
        self.round = None
        if self._wanted(current.tickets, now_ns):
            self.round = current
            self._send(current, now_ns)

    # --- answers, row by row ------------------------------------------------------------------------------------------

    def _rows(self, current: Round, answer: Answered, now_ns: int) -> None:
        facts: list[Answer] = []
        # Rows that name their ticket first: a child without a name is told by what is left.
        for leg in sorted(answer.taken, key=lambda leg: (leg.coid is None, leg.parent_id is not None)):
            coid = current.whose(leg, self._identity.id_of)
            if coid is None:
                current.unnamed.add(leg.order_id)
                self._slate.note(now_ns, "row_unknown", leg.order_id, leg)
                continue
            del current.open[coid]
            self._identity.bind(coid, leg.order_id)
            status = leg.status.replace(" ", "").lower()
            if current.modifies:
                facts.append(Modified(coid=coid, ts_ns=now_ns))
                self._follower.expect_echo(coid, now_ns)
            elif status in DEAD:
                facts.append(Cancelled(coid=coid, ts_ns=now_ns, reason=leg.text or "cancelled"))
            elif status in ("submitted", "filled"):
                facts.append(Accepted(coid=coid, ts_ns=now_ns, venue_id=leg.order_id))
            else:
                facts.append(Pending(coid=coid, ts_ns=now_ns, venue_id=leg.order_id))
            if current.declined:
                self._slate.alert("DECLINED_LIVE", "an order we declined was taken: it is cancelled", coid)
                self._follower.adopted.append(coid)
        for refused in answer.refused:
            coid = current.refused(refused)
            if coid is not None:
                del current.open[coid]
                facts.append(self._no(current, coid, refused.reason, now_ns))
        self._slate.say(facts)
        for leg in answer.taken:
            self._slate.say(
                self._follower.rows(self._identity.children_of(leg.order_id), now_ns)[0]
            )  # the stream was faster than the answer

    def _no(self, current: Round, coid: str, reason: str, now_ns: int) -> Answer:
        code = "DECLINED" if current.declined else "VENUE"
        reason = current.declined or reason
        if not current.modifies:
            return Refused(coid=coid, ts_ns=now_ns, code=code, reason=reason)
        if current.order_id is not None:
            self._slate.actions.append(ReadOrder(current.order_id, "a modification was refused"))
        return ModifyRefused(coid=coid, ts_ns=now_ns, code=code, reason=reason)

    def _all_refused(self, current: Round, reason: str, now_ns: int) -> None:
        facts = [self._no(current, coid, reason, now_ns) for coid in current.open]
        current.open.clear()
        self._slate.say(facts)
        self._end(current, now_ns)

    def _second_refused(self, current: Round, reason: str, now_ns: int) -> None:
        """A second sending came to nothing: because the first did arrive, or else the first may yet arrive."""
        coid = current.tickets[0].coid
        self._slate.note(now_ns, "doubt", coid, reason)
        self.round = None
        self._follower.round_over(now_ns)
        if any(phrase in reason.lower() for phrase in _KNOWN_ID):
            self._doubt([coid], reason, now_ns, present=True)  # it is there, and a list will show it
        else:
            self._slate.say([AnswerMissing(coid=coid, ts_ns=now_ns)])
            self.give_up(coid, now_ns)
        self._slate.follow_up(now_ns)

    def _unsent(self, current: Round, why: str, now_ns: int) -> None:
        if current.stage is Stage.WRITE:
            facts: list[Answer] = []
            for coid in current.open:
                if current.modifies:
                    facts.append(ModifyRefused(coid=coid, ts_ns=now_ns, code="UNSENT", reason=why))
                else:
                    facts.append(Refused(coid=coid, ts_ns=now_ns, code="UNSENT", reason=why))
            current.open.clear()
            self._slate.say(facts)
            self._end(current, now_ns)
        else:
            self._in_doubt(current, "the reply could not be sent", now_ns)

    def _in_doubt(self, current: Round, why: str, now_ns: int) -> None:
        self._slate.note(now_ns, "doubt", next(iter(current.open), ""), why)
        self._end(current, now_ns, why=why)

    def _end(self, current: Round, now_ns: int, *, why: str = "the answer does not speak of it") -> None:
        """The round is over; tickets that nothing was said of are in doubt."""
        self.round = None
        self._follower.round_over(now_ns)
        if current.open and len(current.unnamed) == len(current.open):
            # All are there; which is which the order rows tell.
            for coid in current.open:
                self._unnamed[coid] = now_ns + self._name_ns
            self._slate.actions.append(ReadOrders("rows that do not name their order"))
        elif current.open:
            self._doubt(list(current.open), why, now_ns, modify=current.modifies)
        self._slate.follow_up(now_ns)

    def _doubt(
        self, coids: Sequence[str], why: str, now_ns: int, *, modify: bool = False, present: bool = False
    ) -> None:
        self._slate.alert("IN_DOUBT", why, coids[0])
        for coid in coids:
            self._doubts.begin(coid, now_ns, modify=modify, present=present)
        if modify:
            self._follower.lost_modifies.update(coids)
        self._slate.say(AnswerMissing(coid=coid, ts_ns=now_ns) for coid in coids)
        if self.up:
            self._slate.actions += [ReadOrders("orders in doubt"), ReadExecutions("orders in doubt")]
            self._doubts.due(now_ns)

    # --- questions -------------------------------------------------------------------------------------------------

    def _decide(self, current: Round, now_ns: int) -> None:
        question = current.questions[0]
        coid = next(iter(current.open), current.tickets[0].coid)
        self._slate.note(now_ns, "question", coid, question)
        if current.broken:
            self._in_doubt(current, "a cancel or a halt went first, so its question was never answered", now_ns)
            return
        if current.replies >= self._policy.rounds_max:
            self._slate.alert("CHAIN", "the venue goes on asking", coid)
            self._reply(current, False, f"more than {self._policy.rounds_max} questions", now_ns)
            return
        current.stage = Stage.RISK
        current.deadline_ns = now_ns + _RISK_LIMIT_NS
        self._follower.asking = frozenset(current.open)
        self._slate.actions.append(AskRisk(current.number, current.tickets))

    def judged(self, number: int, holds: Mapping[str, bool], now_ns: int) -> None:
        """Risk says what holds for every ticket of the round (`questions.CONDITIONS`); the question is ruled on."""
        current = self.round
        if current is not None and current.number == number and current.stage is Stage.SIZE:
            if holds.get("small", False):
                self._leave(current, now_ns)
            else:
                self._preview(current, now_ns)
            return
        if current is None or current.number != number or current.stage is not Stage.RISK:
            return
        question = current.questions[0]
        coid = next(iter(current.open), current.tickets[0].coid)
        ruling = self._policy.rule_on(question, holds)
        if holds.get(BARRED, False) and not current.closing:  # what closes a position for a halt passes none of them
            ruling = Ruling(stance=Stance.DECLINE, rule="risk", reason="our own checks do not allow the order any more")
        self._slate.note(now_ns, "rule", coid, {"stance": ruling.stance, "rule": ruling.rule, "reason": ruling.reason})
        if ruling.unexpected:
            self._slate.alert("QUESTION", f"{ruling.reason}: {_text(question)}", coid)
        if ruling.stance is Stance.ASK and not self._cancels_wait() and not current.declined:
            current.stage = Stage.PERSON
            current.deadline_ns = now_ns + round(self._policy.ask_s * NS_PER_S)
            self._slate.actions.append(AskOperator(current.number, question, tuple(current.open), current.deadline_ns))
            return
        confirmed = ruling.stance is Stance.CONFIRM and not current.declined
        self._reply(current, confirmed, ruling.reason, now_ns)

    def _reply(self, current: Round, confirmed: bool, reason: str, now_ns: int) -> None:
        question = current.questions[0]
        current.stage = Stage.REPLY
        current.replies += 1
        if not confirmed and not current.declined:
            current.declined = f"declined ({reason}): {_text(question)}"
        self._follower.asking = frozenset(current.open)
        self._follower.declining = frozenset(current.open if current.declined else ())
        self._slate.note(now_ns, "reply", question.reply_id, {"confirmed": confirmed, "reason": reason})
        self._slate.actions.append(SendReply(current.number, question.reply_id, confirmed))

    def break_off(self, now_ns: int) -> None:
        """Something goes out in between: an open question is void, and its order may or may not live."""
        current = self.round
        if current is None or current.unsent:
            return
        current.broken = True
        if current.stage in _OPEN_QUESTION:
            self._in_doubt(current, "a cancel or a halt went first, so its question was never answered", now_ns)

    def _not_modified(self, coid: str, code: str, reason: str, now_ns: int) -> None:
        self._slate.say([ModifyRefused(coid=coid, ts_ns=now_ns, code=code, reason=reason)])


def _no_to_second(current: Round, answer: WriteAnswer | Unsent) -> str | None:
    """Why a second sending was not taken; None if it was, if that can't be told, or if it is a first one."""
    if not current.again:
        return None
    match answer:
        case Unsent(why=why) if current.stage is Stage.WRITE:
            return why
        case AllRefused(reason=reason) | Prompted(text=reason):
            return current.declined or reason
        case Answered(taken=(), refused=(refused,), questions=()):
            return current.declined or refused.reason
    return None


def _text(question: Question) -> str:
    return " / ".join(question.texts) or "(no text)"


def _told(answer: WriteAnswer | Unsent) -> object:
    return "unsent" if isinstance(answer, Unsent) else answer
