"""The order desk: what becomes of a ticket from its arrival until the venue has it.

At most one request waits for answers at a time. Another placement or modification discards it, as IBKR's text says, and
so do its expiry, the end of the session, and a cancel of everything. An order is released to the venue once, when its
last question is confirmed; a reply that ends in 503 may be played so that its order goes live later.
"""

from __future__ import annotations

import uuid
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.domain.moments import END_OF_TIME_NS, NS_PER_S
from engine.gateway import acks
from engine.gateway.bundles import Bundle, Part, read_bundle, tickets_of
from engine.gateway.calls import Answer, refusal
from engine.gateway.client_ids import DECLINED, REPLACED, UNANSWERED, ClientIds
from engine.gateway.funds import against_change, against_funds
from engine.gateway.groups import members, shares
from engine.gateway.modification import modified
from engine.gateway.questions import Asked, Stage, stages, wants_prompt
from engine.gateway.records import LiveOrder, NewOrder
from engine.gateway.tickets import Draft, Problem
from engine.gateway.touch import touch

if TYPE_CHECKING:
    from engine.gateway.hall import Hall, Memory

_LATE_NS: Final = 5 * NS_PER_S  # how much later an order goes live whose reply failed
_MOST_PROMPTS: Final = 64


class _Pending(msgspec.Struct, kw_only=True):
    """A request that waits for answers. `ids` are the open questions; `change` the order a modification is for."""

    bundle: Bundle
    ids: dict[str, Part]
    since_ns: int
    expiry_s: float
    memory: Memory
    change: LiveOrder | None = None


class Desk:
    """Placement, questions, modification and the answer to prompts, over one exchange and one session."""

    def __init__(self) -> None:
        self._pending: _Pending | None = None
        self._killed: deque[str] = deque(maxlen=64)  # ids of questions that another request did away with
        self._late: list[tuple[int, Bundle, LiveOrder | None]] = []
        self._prompts: dict[str, tuple[Part, int]] = {}
        self._coids = ClientIds()
        self._asleep = True

    # What time does

    def next_due_ns(self) -> int:
        """When `settle` next has something to do by itself."""
        due = [late[0] for late in self._late]
        if self._pending is not None:
            due.append(self._expiry_ns(self._pending))
        return min(due, default=END_OF_TIME_NS)

    def _expiry_ns(self, pending: _Pending) -> int:
        return pending.since_ns + int(pending.expiry_s * NS_PER_S)

    def _wake(self, hall: Hall) -> None:
        """Take over the books of an earlier desk: what waited for an answer there can't be answered any more."""
        for account in hall.exchange.accounts:
            for order in hall.exchange.orders(account):
                if order.parked and not order.deactivated:
                    hall.exchange.discard(order.order_id, REPLACED)

    def settle(self, hall: Hall) -> bool:
        """Let questions expire and late orders go live; to be called whenever the gateway's clock has moved.

        Returns: whether that changed an order, so that the exchange has news.
        """
        before = self._asleep, self._pending is None, len(self._late)
        if self._asleep:
            self._asleep = False
            self._wake(hall)
        now_ns = hall.exchange.now_ns
        pending = self._pending
        if pending is not None:
            if pending.memory is not hall.memory:
                self.kill(hall, REPLACED)
            elif now_ns >= self._expiry_ns(pending):
                self.kill(hall, UNANSWERED)
                self._killed.clear()  # what has expired is not found, in either profile
        due = [late for late in self._late if late[0] <= now_ns]
        self._late = [late for late in self._late if late[0] > now_ns]
        for _, bundle, change in due:
            self._finish(hall, bundle, change)
        return before != (self._asleep, self._pending is None, len(self._late))

    def kill(self, hall: Hall, reason: str = REPLACED) -> None:
        """Discard the request that waits for answers, if there is one."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        self._killed.extend(pending.ids)
        if pending.change is None:
            self._discard(hall, pending.bundle, reason)

    def drop(self, hall: Hall, account: str) -> None:
        """Everything of an account is to be cancelled: what waits for an answer, or to go live late, goes first."""
        pending = self._pending
        if pending is not None and any(part.account == account for part in pending.bundle.parts):
            self.kill(hall)
        for _, bundle, change in self._late:
            if change is None and bundle.parts[0].account == account:
                self._discard(hall, bundle, REPLACED)
        self._late = [late for late in self._late if late[1].parts[0].account != account]

    def _discard(self, hall: Hall, bundle: Bundle, reason: str) -> None:
        for part in bundle.parts:
            if part.order is not None and part.order.parked:
                hall.exchange.discard(part.order.order_id, reason)
                self._coids.free(hall, part.order.client_id)

    # Placing

    def place(self, hall: Hall, account: str, body: object) -> Answer:
        """Take a placement request for an account or an account group."""
        self.settle(hall)
        raws = tickets_of(body)
        if raws is None:
            return refusal(400, "Missing order parameters")
        accounts = [account] if account in hall.exchange.accounts else members(hall, account)
        if not accounts:
            return refusal(400, f"Bad Request: accountId is not valid: {account}")
        self.kill(hall)
        bundle = shares(hall, account, accounts, raws) if accounts != [account] else read_bundle(hall, account, raws)
        if isinstance(bundle, Problem):
            return acks.refused(bundle)
        problem = self._coids.duplicate(hall, bundle) or against_funds(hall, bundle)
        if problem is not None:
            return acks.refused(problem)
        self._register(hall, bundle)
        if bundle.stillborn:
            answer = acks.rows(hall, self._rows(hall, bundle))  # before: the wire calls the dead entry Inactive
            self._discard(hall, bundle, "Order rejected - reason: another order of its group is not valid")
            return answer
        for part in bundle.parts[:1] if bundle.spread else bundle.parts:
            if part.order is not None and not part.barred and not part.order.deactivated:
                part.stages = self._stages(hall, part, group=bundle.spread)
        return self._ask_or_finish(hall, bundle, None)

    def _register(self, hall: Hall, bundle: Bundle) -> None:
        """Have the exchange list every part that is an order, entries first."""
        group = f"oca-{hall.chance.getrandbits(64):016x}" if bundle.oca else None
        for part in bundle.parts:
            draft = part.draft
            if draft is None or part.failed:
                continue
            if part.entry is not None and part.entry.order is not None:
                part.parent_id = part.entry.order.order_id
                draft.deactivated = draft.deactivated or part.entry.order.deactivated
            part.order = hall.exchange.register(new_order(part, group))
            if draft.client_id is not None:
                self._coids.use(hall, draft.client_id)

    def _stages(self, hall: Hall, part: Part, *, group: bool = False, old: LiveOrder | None = None) -> list[Stage]:
        return stages(asked_of(hall, part, group=group, old=old), hall.memory.suppressed)

    # Questions

    def _ask_or_finish(self, hall: Hall, bundle: Bundle, change: LiveOrder | None) -> Answer:
        ids = {self._new_id(hall): part for part in bundle.parts if part.stages}
        if not ids:
            return self._finish(hall, bundle, change)
        self._pending = _Pending(
            bundle=bundle,
            ids=ids,
            since_ns=hall.exchange.now_ns,
            expiry_s=hall.options.questions.expiry_s,
            memory=hall.memory,
            change=change,
        )
        return self._ask(hall, self._pending)

    def _ask(self, hall: Hall, pending: _Pending) -> Answer:
        pending.since_ns = hall.exchange.now_ns
        return Answer(body=[acks.question(hall, name, part.stages[0]) for name, part in pending.ids.items()])

    def _new_id(self, hall: Hall) -> str:
        return str(uuid.UUID(int=hall.chance.getrandbits(128), version=4))

    def reply(self, hall: Hall, reply_id: str, body: object) -> Answer:
        """Take the answer to a question."""
        self.settle(hall)
        confirmed = body.get("confirmed") if isinstance(body, dict) else None
        if not isinstance(confirmed, bool):
            return refusal(500, "Internal Server Error: confirmed must be a JSON boolean")
        pending = self._pending
        if pending is None or reply_id not in pending.ids:
            if reply_id in self._killed and not hall.options.observed:
                return refusal(503, "Service Unavailable")
            return Answer(status=400, body={"error": f"reply id not found: '{reply_id}'"})
        if not confirmed:
            self.kill(hall, DECLINED)
            self._killed.clear()
            if hall.options.observed:
                return Answer(status=400, body={"error": DECLINED})
            return Answer(body={"error": f"{DECLINED} "})  # the sample ends in a blank
        part = pending.ids.pop(reply_id)
        part.stages.pop(0)
        if part.stages:
            pending.ids[self._new_id(hall)] = part
        if pending.ids:
            return self._ask(hall, pending)
        self._pending = None
        if "late-live" in hall.asked or self._turns_late(hall):
            self._late.append((hall.exchange.now_ns + _LATE_NS, pending.bundle, pending.change))
            return refusal(503, "Service Unavailable")
        return self._finish(hall, pending.bundle, pending.change)

    def _turns_late(self, hall: Hall) -> bool:
        chance = hall.options.questions.late_live
        return chance > 0 and hall.chance.random() < chance

    # Going live

    def _finish(self, hall: Hall, bundle: Bundle, change: LiveOrder | None) -> Answer:
        """Carry out what was asked for, now that nothing more is in question."""
        if change is not None:
            return self._change(hall, bundle.parts[0], change)
        single = bundle.parts[0].order if len(bundle.parts) == 1 else None
        if single is not None and self._prompted(hall, bundle.parts[0], single):
            return self._prompt(hall, bundle.parts[0], single)
        live = [
            part.order.order_id
            for part in bundle.parts
            if part.order is not None and part.order.parked and not part.barred and not part.order.deactivated
        ]
        if bundle.spread:
            for order_id in live:
                hall.exchange.release([order_id])
        elif live:
            hall.exchange.release(live)
        for part in bundle.parts:
            if part.barred and part.order is not None and part.order.parked:
                hall.exchange.discard(part.order.order_id, part.barred)
        if single is not None and not single.open and single.reason and not single.filled:
            return Answer(body={"error": single.reason})
        return acks.rows(hall, self._rows(hall, bundle))

    def _rows(self, hall: Hall, bundle: Bundle) -> list[dict[str, Any]]:
        return [
            acks.failed(part.failed) if part.order is None else acks.acknowledged(hall, part.order)
            for part in bundle.parts
        ]

    # Prompts

    def _prompted(self, hall: Hall, part: Part, order: LiveOrder) -> bool:
        plain = order.parked and not order.deactivated and not part.barred
        return plain and wants_prompt(asked_of(hall, part), hall.memory.suppressed)

    def _prompt(self, hall: Hall, part: Part, order: LiveOrder) -> Answer:
        hall.exchange.discard(order.order_id, "Order rejected - reason: the limit price is too far from the market")
        request_id = str(hall.chance.randrange(10_000, 99_999))
        self._prompts[request_id] = (part, order.order_id)
        if len(self._prompts) > _MOST_PROMPTS:
            del self._prompts[next(iter(self._prompts))]
        return Answer(body=acks.prompt(order.order_id, request_id))

    def answer_prompt(self, hall: Hall, body: object) -> Answer:
        """Take the option chosen for a prompt; the algo's order is a new one, the old one stays refused."""
        self.settle(hall)
        if not isinstance(body, dict):
            return refusal(400, "Bad Request: orderId, reqId and text are needed")
        found = self._prompts.get(str(body.get("reqId")))
        if found is None or str(body.get("orderId")) != str(found[1]):
            return refusal(400, f"Bad Request: there is no prompt {str(body.get('reqId'))[:20]}")
        if body.get("text") not in acks.OPTIONS:
            return refusal(400, "Bad Request: text must be one of the prompt's options")
        del self._prompts[str(body["reqId"])]
        part, _ = found
        if body["text"] != "Do not use" and part.draft is not None:
            if body["text"] == "Always use":
                hall.memory.suppressed.add("p12")
            part.draft.wire["useAdaptive"] = True
            again = Bundle(parts=[Part(draft=part.draft, account=part.account, parent_id=part.parent_id)])
            if against_funds(hall, again) is None:
                self._register(hall, again)
                self._finish(hall, again, None)
        return Answer(body="Request was submitted")

    # Modification

    def modify(self, hall: Hall, account: str, order_id: str, body: object) -> Answer:
        """Take a modification by full ticket."""
        self.settle(hall)
        order = hall.exchange.order(int(order_id)) if order_id.isdecimal() and len(order_id) < 19 else None
        if order is None or order.account != account:
            status = 400 if hall.options.observed else 200
            return Answer(status=status, body={"error": f"OrderID {order_id} doesn't exist"})
        if order.parked and not order.deactivated:
            return Answer(status=400, body={"error": "Order is inactive"})
        self.kill(hall)
        if not order.open or order.status in ("PendingCancel", "PreCancelled"):
            return Answer(status=400, body={"error": f"OrderID {order_id} is {order.status} and can't be modified"})
        draft = modified(hall, order, body)
        if isinstance(draft, Problem):
            return acks.refused(draft)
        problem = against_change(hall, order, draft)
        if problem is not None:
            return acks.refused(problem)
        part = Part(draft=draft, account=account, order=order)
        part.stages = self._stages(hall, part, old=None if order.deactivated else order)
        return self._ask_or_finish(hall, Bundle(parts=[part]), order)

    def _change(self, hall: Hall, part: Part, order: LiveOrder) -> Answer:
        """Hand a modification to the venue, unless the order has ended while its question was open."""
        draft = part.draft
        assert draft is not None
        if not order.open or draft.ticket.quantity < order.filled:
            error = f"OrderID {order.order_id} is {order.status} and can't be modified"
            return Answer(status=400, body={"error": error})
        hall.exchange.modify(order.order_id, draft.ticket, draft.wire)
        if order.deactivated and not draft.deactivated:
            hall.exchange.release([order.order_id])
        return acks.rows(hall, [acks.acknowledged(hall, order)])


def new_order(part: Part, group: str | None = None) -> NewOrder:
    """The order as the exchange takes it; the ticket carries the names of its parent and its group."""
    draft = part.draft
    assert draft is not None
    parent = None if part.parent_id is None else str(part.parent_id)
    return NewOrder(
        account=part.account,
        ticket=msgspec.structs.replace(draft.ticket, account=part.account, parent=parent, oca_group=group),
        wire=draft.wire,
        client_id=draft.client_id,
        parent_id=part.parent_id,
        oca_group=group,
        deactivated=draft.deactivated,
    )


def asked_of(hall: Hall, part: Part, *, group: bool = False, old: LiveOrder | None = None) -> Asked:
    """What the triggers of questions look at, as of now."""
    draft: Draft | None = part.draft
    assert draft is not None
    conid = draft.ticket.conid
    held = sum((p.quantity for p in hall.exchange.positions(part.account) if p.conid == conid), Decimal(0))
    chance = hall.options.questions.blind
    return Asked(
        draft=draft,
        touch=touch(hall.exchange, conid),
        held=held,
        rules=hall.options.questions,
        old=old.ticket if old is not None else None,
        group=group,
        blind=chance > 0 and old is None and hall.chance.random() < chance,
    )
