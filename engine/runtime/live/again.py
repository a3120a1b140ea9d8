"""The daemon's cores fed again with the inputs of a log: what they tell one another and do has to come out anew.

No task, no channel, no clock. A letter that one core sent another is not taken from the log but from the core that is
fed; the log's copy is what it is compared with, byte for byte. A log may end anywhere.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Final

import trio
from attrs import frozen

from engine.domain.brokerage import Availability
from engine.domain.depth import Depth
from engine.domain.messages import Update
from engine.orders.actions import Action, AskRisk, FeeKnown, Flatten, JudgeAgain
from engine.runtime.live.booking import Booking
from engine.runtime.live.deciding import DecidingCore
from engine.runtime.live.feeding import FeedCore
from engine.runtime.live.inputs import Did, Record, did, encode, is_outside, letter_of, shown
from engine.runtime.live.judging import Judging
from engine.runtime.live.letters import (
    Arrived,
    Asked,
    Became,
    Begin,
    Booked,
    CancelNow,
    Charged,
    Deposited,
    FeedLetter,
    Fresh,
    NotSent,
    Paid,
    Ready,
    Tick,
    TradingNow,
    Wanted,
)
from engine.runtime.live.nursery import Cores
from engine.runtime.live.ordering import Ordering

_URGENT: Final = frozenset({CancelNow.__name__, TradingNow.__name__})
_STOPPED: Final = 0  # no task waits at these channels: nothing is ever sent over them


@frozen(kw_only=True)
class Difference:
    """Where a replay parts from its log; both sides as plain values, None where a side has nothing."""

    number: int
    core: str
    at_ns: int
    kind: str
    recorded: Any
    replayed: Any


class Again:
    """Feeds cores. `decisions` counts what was compared, `taken` the records."""

    def __init__(self, cores: Cores) -> None:
        self.cores = cores
        self.taken = 0
        self.decisions = 0
        self._waiting: dict[str, dict[str, deque[Any]]] = defaultdict(lambda: defaultdict(deque))  # by taker and sender
        # What came of a lot goes out when all of it has been stored: nothing in the log says when that was.
        self._updates: list[Update] = []
        self._actions: list[tuple[Action, int]] = []
        self._lot_ns = 0
        send: Any = trio.open_memory_channel[Any](_STOPPED)[0]
        nothing: Any = None
        self._feed = FeedCore(cores.wishes, cores.sessions)
        self._deciding = DecidingCore(cores.host)
        self._judging = Judging(
            cores.gate,
            nothing,
            conditions=cores.conditions,
            to_orders=send,
            note=_unheard,
            watch=cores.watch,
            holds=cores.holds,
            wall=cores.wall,
        )
        self._booking = Booking(cores.portfolio, nothing, to_strategies=send, to_risk=send, note=_unheard)
        self._ordering = Ordering(
            cores.desk,
            nothing,
            nothing,
            nothing,
            to_portfolio=send,
            to_risk=send,
            flatten=cores.flatten,
            note=_unheard,
        )

    def begin(self, news: Booked) -> None:
        """What risk and strategies hear before all else."""
        for core in ("risk", "strategies"):
            self._waiting[core]["start"].append(news)

    def sign(self) -> object:
        """Something that changes with every call of a strategy, and with every record."""
        return self.taken, *self._deciding.sign()

    def feed(self, records: Iterable[Record]) -> Difference | None:
        """Feed records until they end or something differs."""
        for record in records:
            found = self._take(record)
            if found is not None:
                return found
            self.taken += 1
        return None

    def _take(self, record: Record) -> Difference | None:
        if record.core == "orders" and not self._same_lot(record):
            self._pass_on()
        if record.kind == Did.__name__:
            return self._did(record)
        if record.core == "operator":
            self._waiting["risk"]["operator"].append(letter_of(record))
            return None
        if is_outside(record):
            self._step(record.core, letter_of(record), record.at_ns)
            return None
        self.decisions += 1
        queues = self._waiting[record.core]
        if self._heard(record):
            return None
        self._pass_on()
        if self._heard(record):
            return None
        heads = [queue[0] for queue in queues.values() if queue]
        alike = [one for one in heads if type(one).__name__ == record.kind] or heads
        return _differs(record, encode(alike[0]) if alike else None)

    def _heard(self, record: Record) -> bool:
        for queue in self._waiting[record.core].values():
            if queue and encode(queue[0]) == bytes(record.body):
                self._step(record.core, queue.popleft(), record.at_ns)
                return True
        return False

    def _same_lot(self, record: Record) -> bool:
        """Whether it is of the lot under way: an order that was held back, what held it back, and what came of that."""
        if record.kind in (NotSent.__name__, Did.__name__):
            return True
        return record.kind in _URGENT and record.at_ns == self._lot_ns

    def _pass_on(self) -> None:
        """The lot is stored: portfolio and risk hear of it."""
        if self._updates:
            self._waiting["portfolio"]["orders"].append(Became(tuple(self._updates)))
        for action, at_ns in self._actions:
            self._act(action, at_ns)
        self._updates, self._actions = [], []

    def _did(self, record: Record) -> Difference | None:
        self.decisions += 1
        book = self.cores.desk.book
        rows = list(book.facts)
        book.facts.clear()
        actions, updates = self.cores.desk.take()
        mine = encode(did(rows, actions))
        if mine != bytes(record.body):
            return _differs(record, mine)
        self._updates += updates
        self._actions += [(action, record.at_ns) for action in actions]
        self._lot_ns = record.at_ns
        return None

    def _act(self, action: Action, at_ns: int) -> None:
        to_risk, to_portfolio = self._waiting["risk"]["orders"], self._waiting["portfolio"]["orders"]
        if isinstance(action, AskRisk):
            to_risk.append(Asked(action.number, action.tickets))
        elif isinstance(action, JudgeAgain):
            to_risk.append(Wanted((action.intent,), at_ns))
        elif isinstance(action, Flatten):
            to_risk.append(self.cores.flatten(action, at_ns))
        elif isinstance(action, FeeKnown):
            to_portfolio.append(Charged(action))

    # --- the cores ----------------------------------------------------------------------------------------------

    def _step(self, core: str, letter: Any, at_ns: int) -> None:
        if core == "feed":
            self._fed(letter, at_ns)
        elif core == "strategies":
            self._decided(letter, at_ns)
        elif core == "risk":
            self._waiting["orders"]["risk"].extend(self._judging.decide(letter, at_ns))
        elif core == "orders":
            self._ordering.decide(letter, at_ns)
        else:
            booked = self._booking.decide(letter)
            if booked is not None:
                self._waiting["risk"]["portfolio"].append(booked)
                if not isinstance(booked, Paid | Deposited):  # these are for risk alone
                    self._waiting["strategies"]["portfolio"].append(booked)

    def _fed(self, letter: FeedLetter, at_ns: int) -> None:
        if isinstance(letter, Ready):
            self._feed.done()
        else:
            rows = []
            for event in letter.events if isinstance(letter, Fresh) else ():
                if isinstance(event, Depth):
                    self._feed.deep(event)
                elif not isinstance(event, Availability):
                    rows.append(event)
            built = self._feed.arrived(tuple(rows), at_ns)
            if rows or built:
                self._waiting["risk"]["feed"].append(Arrived(tuple(rows), built))
        lot = self._feed.lot()
        if lot is not None:
            self._waiting["strategies"]["feed"].append(lot)

    def _decided(self, letter: Any, at_ns: int) -> None:
        core = self._deciding
        if isinstance(letter, Begin):
            intents = core.start(at_ns)
        elif isinstance(letter, Tick):
            intents = core.wake(at_ns)
        elif isinstance(letter, Booked):
            intents = core.hear(letter, at_ns)
        else:
            intents = core.rows(letter, at_ns)
        if intents:
            self._waiting["risk"]["strategies"].append(Wanted(intents, at_ns))


def _differs(record: Record, mine: bytes | None) -> Difference:
    return Difference(
        number=record.number,
        core=record.core,
        at_ns=record.at_ns,
        kind=record.kind,
        recorded=shown(bytes(record.body)),
        replayed=None if mine is None else shown(mine),
    )


def _unheard(core: str, now_ns: int, letter: object) -> None:
    del core, now_ns, letter
