"""The risk task: the gate, fed with market data, updates and intents, in the order in which they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final, Protocol

import trio

from engine.domain.messages import (
    BARRED,
    Approved,
    Cancel,
    Denied,
    Intent,
    Modify,
    OnHold,
    Place,
    Refusal,
    Release,
    Resend,
    Verdict,
)
from engine.domain.ticket import BadTicket, OrderTicket, Side, amend
from engine.domain.view import MarketView
from engine.ports import Clock
from engine.risk.account import ACCOUNT, Held, Level
from engine.risk.catalogue import HELD_FOR_A_PERSON, WHAT_IF
from engine.risk.closing import judge_closing
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.runtime.live.explaining import Explaining
from engine.runtime.live.lanes import Lane
from engine.runtime.live.latest import LatestView
from engine.runtime.live.letters import (
    Arrived,
    Asked,
    Booked,
    Closing,
    ClosingJudged,
    Deposited,
    Explained,
    Forget,
    HealthNow,
    InstrumentNow,
    Judged,
    Latched,
    LimitsNow,
    LossesStand,
    OrdersLetter,
    Paid,
    RiskLetter,
    RiskSays,
    Tick,
    TradingNow,
    VenueSays,
    Wake,
    Wanted,
)
from engine.runtime.live.monitoring import Monitors, Told

ON: Final = "on"
REDUCING: Final = "reducing"


class Conditions(Protocol):
    """Says what holds for tickets whose question is open."""

    def __call__(self, tickets: Sequence[OrderTicket], view: MarketView, now_ns: int) -> Mapping[str, bool]:
        """By the names of `orders.questions.CONDITIONS`; what is missing does not hold."""


class Judging:
    """The risk task.

    Args:
        lane: Where letters come from; None where nobody runs it.
        note: Told of each letter before it is decided on.
        watch: Latches on losses; None where no limit asks for them.
        on_latch: Told of every latch that risk sets: whose it is (empty: the account's), and why.
        explains: Whether what every check said of an order goes along with its verdict, for `engine risk explain`.
        holds: Whether a person is asked about what one may let pass; else it is refused.
        wall: Whether the session lives by the wall's clock; see `Monitors`.
        on_finding: Told of what monitors find.
    """

    def __init__(
        self,
        gate: Gate,
        clock: Clock,
        *,
        conditions: Conditions,
        to_orders: Lane[OrdersLetter],
        lane: Lane[RiskLetter] | None = None,
        note: Callable[[str, int, RiskLetter], None],
        watch: LossWatch | None = None,
        on_latch: Callable[[str, Held], None] | None = None,
        explains: bool = True,
        holds: bool = True,
        wall: bool = True,
        on_finding: Told | None = None,
    ) -> None:
        self.gate = gate
        self.watch = watch
        self._on_latch = on_latch
        self._explains = explains
        self._holds = holds
        self.view = LatestView()
        self.explaining = Explaining(gate)
        self.urgent: deque[RiskLetter] = deque()  # the trading state: a full channel holds up no halt
        self._clock = clock
        self._conditions = conditions
        self._to_orders = to_orders
        self._lane = lane
        self._unsent: deque[OrdersLetter] = deque()  # what orders had no room for
        self._note = note
        self.monitors = Monitors(gate, wall=wall, told=on_finding)
        self._halted: dict[int, str] = {}
        self._trading = TradingNow("starting", "the venue's books are being read")

    async def run(self) -> None:
        """Judge as letters come, until cancelled; what is urgent goes before all that wait."""
        lane = self._lane
        assert lane is not None
        lane.open(self.take)
        try:
            async for letter in lane:
                self._unsent += self._answers(letter)
                while self._unsent:
                    await self._to_orders.send(self._unsent.popleft())
        finally:
            lane.close()

    def take(self, letter: RiskLetter) -> None:
        """Judge one letter at once; where orders have no room for what comes of it, the task waits for that."""
        waits = bool(self._unsent)
        self._unsent += self._answers(letter)
        if waits:
            return
        try:
            while self._unsent:
                self._to_orders.hand(self._unsent[0])
                self._unsent.popleft()
        except trio.WouldBlock:
            assert self._lane is not None
            self._lane.send_nowait(Wake())

    def _answers(self, letter: RiskLetter) -> Iterator[OrdersLetter]:
        while self.urgent:
            yield from self._take(self.urgent.popleft())
        if not isinstance(letter, Wake):
            yield from self._take(letter)

    def _take(self, letter: RiskLetter) -> list[OrdersLetter]:
        now_ns = self._clock.now_ns()
        self._note("risk", now_ns, letter)
        return self.decide(letter, now_ns)

    def decide(self, letter: RiskLetter, now_ns: int) -> list[OrdersLetter]:
        """One letter, and what orders hear of it; what is open of whoever has been halted by it is cancelled."""
        late = self.explaining.late()
        if self.monitors.passed:
            self.monitors.measure()
        answers = self._decide(letter, now_ns)
        if late:
            answers.insert(0, Explained(late))
        for owner, held in self.gate.latched:
            if self._on_latch is not None:
                self._on_latch(owner, held)
            coids = tuple(coid for coid, _ in self.gate.open_of(owner)) if held.level is Level.HALTED else ()
            answers.append(Latched(owner, held, coids))
        self.gate.latched.clear()
        if self.watch is not None:
            standings = self.watch.news(now_ns)
            if standings:
                answers.append(LossesStand(tuple(standings)))
        return answers

    def _decide(self, letter: RiskLetter, now_ns: int) -> list[OrdersLetter]:
        match letter:
            case Arrived(events=events):
                self.view.hear(events)
                if self.watch is not None:
                    self.watch.mark(self.view.price, now_ns)
                    self.monitors.jumped(self.watch.jumped, now_ns)
            case Booked(updates=updates, positions=positions, deposited=deposited):
                self.gate.hear(updates, positions)
                self.monitors.heard(updates, now_ns)
                if self.watch is not None:
                    if deposited:
                        self.watch.deposited(float(deposited))
                    self.watch.hear(updates, positions, self.view.price, now_ns)
            case Paid(strategy=strategy, fee=fee):
                if self.watch is not None:
                    self.watch.charge(strategy, float(fee))
                    self.watch.mark(self.view.price, now_ns)
            case Deposited(money=money, earned=earned):
                if self.watch is not None:
                    self.watch.deposited(float(money))
                    self.watch.paid(ACCOUNT, float(earned))
                    self.watch.mark(self.view.price, now_ns)
            case Asked(number=number, tickets=tickets):
                self.monitors.asked += 1
                holds = self._conditions(tickets, self.view, now_ns)
                return [RiskSays(number, {**holds, BARRED: True} if self._bars_reply(tickets) else holds)]
            case Wanted(intents=intents, holds=holds):
                verdicts = tuple([self._verdict(intent, now_ns, holds=holds) for intent in intents])
                said = self.explaining
                return [Judged(verdicts, said.told(), said.worth)] if verdicts else []
            case Tick():
                pass  # what is to be told has been told
            case TradingNow():
                self._trading = letter
                if letter.lifts:
                    self.gate.account.lift()
                    if self.watch is not None:
                        self.watch.lift()
            case LimitsNow(settings=settings):
                self.gate.reload(settings)
                self.monitors.reload(settings)
                if self.watch is not None:
                    self.watch.reload(settings)
            case Closing(intents=intents):
                held = dict(letter.held)
                closed = tuple(judge_closing(self.gate, one, held, self._look, now_ns) for one in intents)
                return [ClosingJudged(closed)] if closed else []
            case HealthNow(health=health):
                self.monitors.look(health, now_ns)
            case Forget():
                self.monitors.forget()
            case VenueSays():
                self._venue_says(letter)
            case InstrumentNow(conid=conid, halted=halted, reason=reason):
                self._halted.pop(conid, None)
                if halted:
                    self._halted[conid] = reason
        return []

    def _venue_says(self, told: VenueSays) -> None:
        """Fold what the venue says into what the checks read."""
        account = self.gate.account
        outside = account.outside
        if outside is None:
            return
        for name in ("down", "away", "account", "summary"):
            value = getattr(told, name)
            if value is not None:
                setattr(outside, name, value)
        if told.summary is not None:
            account.spent_since(told.summary.ts_ns)  # what it counts already nobody has to add up any more
        if told.availability:
            outside.availability = {**outside.availability, **dict(told.availability)}
        if told.contracts:
            outside.contracts = {**outside.contracts, **dict(told.contracts)}
        for conid, borrow in told.borrow:
            outside.borrow.pop(conid, None)
            if borrow is not None:
                outside.borrow[conid] = borrow
        if told.summary is not None and told.summary.net_liquidation is not None and self.watch is None:
            account.equity = float(told.summary.net_liquidation)  # nobody else follows what the account is worth

    def _open_ticket(self, intent: Modify) -> OrderTicket | None:
        """The ticket in force of an order that is to be modified."""
        for (strategy, _), exposure in self.gate.account.exposures.items():
            if strategy == intent.strategy and intent.coid in exposure.open:
                return exposure.open[intent.coid].ticket
        return None

    def _verdict(self, intent: Intent, now_ns: int, *, holds: bool) -> Verdict:
        """Judge one intent, and have every check say what it compared."""
        before = self._open_ticket(intent) if isinstance(intent, Modify) else None
        verdict: Verdict | None = self._taken(intent, now_ns)
        if verdict is None:
            if self._explains:
                self._explain(intent, before, now_ns)  # before it is counted itself
            verdict = self._judge(intent, now_ns, holds=holds)
            whole = isinstance(verdict, Approved) and verdict.because is None
            if self._explains and whole and isinstance(intent, Place) and len(intent.tickets) == 1:
                self.explaining.put_off(intent.tickets[0], self.view, now_ns)
        if before is not None and isinstance(intent, Modify) and isinstance(verdict, Approved):
            self.monitors.modified(before, amend(before, intent.changes))
        self.monitors.judged(verdict)
        return verdict

    def _explain(self, intent: Intent, before: OrderTicket | None, now_ns: int) -> None:
        """What every check says of the tickets, each alone; of a modification, as the full ticket it becomes."""
        tickets: Sequence[OrderTicket] = ()
        if isinstance(intent, Place | Release):
            tickets = intent.tickets
        elif isinstance(intent, Modify) and before is not None:
            with suppress(BadTicket):  # the gate says so
                tickets = (amend(before, intent.changes),)
        stands = self._barred(Place(tuple(tickets)) if isinstance(intent, Release) else intent) if tickets else None
        refusal = None if stands is None else stands.refusal
        self.explaining.explain(tickets, self.view, now_ns, changes=before is not None, before=refusal)

    def _taken(self, intent: Intent, now_ns: int) -> Approved | None:
        """A plain order that nothing stands in the way of; None of any other."""
        if not isinstance(intent, Place) or len(intent.tickets) != 1:
            return None
        if not self._explains or self._barred(intent) is not None:
            return None
        return self.explaining.take(intent, self.view, now_ns)

    def _judge(self, intent: Intent, now_ns: int, *, holds: bool) -> Verdict:
        placing = Place(intent.tickets) if isinstance(intent, Release) else intent
        verdict: Verdict | None = self._barred(placing)
        if verdict is None and isinstance(intent, Release):
            assert isinstance(placing, Place)
            verdict = self._release(placing, intent, now_ns)
        elif verdict is None:
            verdict = self.gate.judge(intent, self._look, now_ns)
        if isinstance(verdict, Denied) and isinstance(verdict.intent, Place):
            code = verdict.refusal.code
            if code == WHAT_IF or (holds and self._holds and code in HELD_FOR_A_PERSON):
                return OnHold(verdict.intent, verdict.refusal)
        return verdict

    def _release(self, placing: Place, wanted: Release, now_ns: int) -> Verdict:
        """What was held goes through the gate again, with what has been learned meanwhile."""
        outside = self.gate.account.outside
        if wanted.margin is not None and outside is not None:
            first, *rest = (ticket.coid for ticket in placing.tickets)
            outside.what_if |= {first: wanted.margin, **dict.fromkeys(rest, Decimal(0))}  # a preview is of the group
        waived = HELD_FOR_A_PERSON if wanted.person else frozenset()
        return self.gate.release(placing, self._look, now_ns, waived)

    def _bars_reply(self, tickets: Sequence[OrderTicket]) -> bool:
        """Whether the trading state, an instrument's halt or our health forbids an order that counts already."""
        closes = all(self._closes(ticket) for ticket in tickets)
        state = self._trading.state
        if state != ON and not (state == REDUCING and closes):
            return True
        if any(self._halt_of(ticket) is not None for ticket in tickets):
            return True
        return not closes and self.monitors.bars() is not None

    def _closes(self, ticket: OrderTicket) -> bool:
        try:
            return self.gate.exposure(ticket.strategy, ticket.conid).reduces(ticket)
        except KeyError:
            return False

    def _barred(self, intent: Intent) -> Denied | None:
        """What the trading state or an instrument's halt forbids."""
        now = self._trading
        if now.state != ON and not isinstance(intent, Cancel) and not (now.state == REDUCING and self._reduces(intent)):
            sentence = f"trading is {now.state}: {now.reason}" if now.reason else f"trading is {now.state}"
            return Denied(intent, Refusal("TRADING", ON, now.state, sentence))
        if self._halted:
            for ticket in self._tickets(intent):
                reason = self._halt_of(ticket)
                if reason is not None:
                    return Denied(intent, Refusal("INSTRUMENT", "not halted", "halted", reason))
        unwell = None if isinstance(intent, Cancel) else self.monitors.bars()
        return None if unwell is None or self._reduces(intent) else Denied(intent, unwell)

    def _halt_of(self, ticket: OrderTicket) -> str | None:
        """Why the instrument of an order, or a leg of it, is halted."""
        instrument = self.gate.account.instruments.get(ticket.conid)
        legs = () if instrument is None else instrument.legs
        conids = (ticket.conid, *(leg.conid for leg in legs))
        return next((self._halted[conid] for conid in conids if conid in self._halted), None)

    def _tickets(self, intent: Intent) -> tuple[OrderTicket, ...]:
        """The orders that an intent would send or change; none of a cancel."""
        if isinstance(intent, Modify):
            ticket = self._open_ticket(intent)
            return () if ticket is None else (ticket,)
        if isinstance(intent, Resend):
            return (intent.ticket,)
        return intent.tickets if isinstance(intent, Place) else ()

    def _reduces(self, intent: Intent) -> bool:
        """Whether orders make a strategy's position smaller and, with open ones of their side, don't turn it."""
        if not isinstance(intent, Place):
            return False
        more: dict[tuple[str, int, Side], Decimal] = {}
        for ticket in intent.tickets:
            key = ticket.strategy, ticket.conid, ticket.side
            more[key] = more.get(key, Decimal(0)) + ticket.quantity
        for (strategy, conid, side), units in more.items():
            try:
                held = self.gate.exposure(strategy, conid).units[1]
            except KeyError:  # an instrument that risk does not know is not held
                return False
            signed = held.position * side.sign
            under_way = held.buys if side is Side.BUY else held.sells
            if signed + under_way + units > 0 or signed >= 0:
                return False
        return bool(more)

    def _look(self) -> MarketView:
        return self.view
