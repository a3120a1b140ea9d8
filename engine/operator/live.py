"""The operator's desk of a running daemon: verbs onto the nursery, the trading state and the books.

Nothing here goes by way of the strategies' task: a strategy that hangs holds up no halt. Commands are rows of the
journal before they are acted on; a journal that takes no more holds up neither a halt nor a cancel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

import trio
from attrs import define, field

from engine.domain.brokerage import VenuePosition
from engine.domain.messages import Place
from engine.domain.moments import NS_PER_S, iso
from engine.domain.order import State
from engine.domain.view import MarketView
from engine.errors import JournalFull, VenueError
from engine.operator import latches
from engine.operator.drilling import SOURCE as DRILL
from engine.operator.flattening import Flattening
from engine.operator.protocol import refused
from engine.operator.rows import Row, day_rows, pnl_document, position_rows
from engine.operator.suppressing import Suppression
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import Alert, AskOperator
from engine.orders.live import LiveOrders, Waiting
from engine.portfolio.books import Portfolio
from engine.ports import Clock
from engine.risk.catalogue import TABLE
from engine.risk.gate import Gate
from engine.risk.showing import usage
from engine.runtime.live.letters import CancelNow, Closing, OperatorAnswered, TradingNow

STORE_S: Final = 2.0  # a disk that hangs holds up no halt for longer
SWEEP_S: Final = 0.25
FLATTEN_S: Final = 180.0  # of the venue's clock: a person hears of positions that take longer to close
ALERTS: Final = 20
_ANSWERED_MAX: Final = 100
_ASKING: Final = frozenset({State.SENT, State.PENDING_MODIFY})
_DYING: Final = frozenset({State.PENDING_CANCEL})
_BY_OPERATOR: Final = "operator"


class Heard(Protocol):
    """What the daemon has told people, and asked them."""

    @property
    def alerts(self) -> Sequence[tuple[int, Alert]]:
        """When and what, oldest first."""

    def open_questions(self, now_ns: int) -> Sequence[AskOperator]:
        """Questions that can still be answered."""

    def alert(self, alert: Alert, now_ns: int) -> None:
        """A person should know."""


class Latching(Protocol):
    """Sets a latch, stores it, tells risk and orders."""

    async def __call__(self, level: TradingState, source: str, reason: str, *, flatten: bool = False) -> None: ...


@define(kw_only=True, eq=False)
class LiveDesk:
    """Fulfils `desk.OperatorDesk`. `run` must run beside the nursery.

    Args:
        view: The market as risk sees it.
        tell_orders, tell_risk: The nursery's.
        store: Returns when rows are in the journal. Raises: JournalFull.
        positions_there: Reads what the venue holds. Raises: VenueError.
        keep: Takes a row for the journal that nothing follows from.
        latch: Sets a latch, stores it, tells risk and orders.
        lift: Lifts all latches; False if none held.
        loosen: Has limits count that wait for a person; returns which.
        layers: How each layer does.
        about: What the daemon is: name, mode, account, process.
        day_began_ns: When the venue's day began.
        alive: A person has said that somebody looks after this.
        may_resume: What stands against resuming, in a sentence; empty if nothing does.
        monitors: What the rows have used that are not the gate's own to tell, by code.
        refused: How often each code has refused since the start.
        limits: The limits in force by code, as `showing.in_force` tells them.
        unwell: Why only what makes positions smaller is sent, though trading is on; empty if nothing is wrong.
        penalty: What the venue's penalty box holds back and until when; empty if it is not open.
        settle_s: Seconds of the venue's clock after which a write that has not shown up never arrived.
        flatten_after_s: Likewise, that orders may take to die before positions are closed all the same.
    """

    clock: Clock
    account: str
    book: LiveOrders
    portfolio: Portfolio
    gate: Gate
    view: Callable[[], MarketView]
    trading: TradingDesk
    tell_orders: Callable[[CancelNow | OperatorAnswered], None]
    tell_risk: Callable[[TradingNow | Closing], None]
    positions_there: Callable[[], Awaitable[Sequence[VenuePosition]]]
    keep: Callable[[tuple[int, str, str, Any]], None]
    store: Callable[[Sequence[tuple[int, str, str, Any]]], Awaitable[None]]
    latch: Latching
    lift: Callable[[], Awaitable[bool]]
    loosen: Callable[[], Awaitable[Sequence[str]]]
    people: Heard
    layers: Callable[[], Sequence[Mapping[str, Any]]]
    about: Callable[[], Mapping[str, Any]]
    suppression: Suppression
    day_began_ns: Callable[[], int]
    alive: Callable[[], Awaitable[Mapping[str, Any]]]
    may_resume: Callable[[], str]
    stopping: trio.Event
    monitors: Callable[[], Mapping[str, tuple[str, str | None]]] = dict
    refused: Callable[[], Mapping[str, int]] = dict
    limits: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    unwell: Callable[[], str] = str
    penalty: Callable[[], str] = str
    settle_s: float = 45.0
    flatten_after_s: float = 30.0
    _swept: set[str] = field(factory=set, init=False)
    _answered: dict[int, bool] = field(factory=dict, init=False)  # questions that a person has answered last, and how
    _flattening: Flattening | None = field(default=None, init=False)
    _flatten_asked: trio.Event = field(factory=trio.Event, init=False)
    flat_at_venue: bool = field(default=False, init=False)  # the last flattening has ended so

    async def run(self) -> None:
        """See to it that what is halted stays cancelled, and flatten when it is asked for; until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            nursery.start_soon(self._flattener)

    # --- looking ------------------------------------------------------------------------------------------------

    async def status(self) -> Mapping[str, Any]:
        """What the account may trade, why, all latches, and each layer of health."""
        now_ns = self.clock.now_ns()
        orders = self.book.book.values()
        trading, held = self.trading, self.gate.account.held
        return {
            "trading": str(latches.state_of(trading, held, now_ns)),
            "reasons": latches.reasons_of(trading, held, now_ns),
            "latches": latches.rows_of(trading, held, now_ns),
            "unwell": self.unwell(),
            "penalty": self.penalty(),
            **self.about(),
            "time": iso(now_ns),
            "layers": list(self.layers()),
            "orders": {
                "open": sum(order.is_open for order in orders),
                "in_doubt": sum(order.state is State.IN_DOUBT for order in orders),
                "frozen": len(self.book.frozen),
            },
            "positions": sum(1 for held in self.portfolio.holdings.values() if held.quantity),
            "flattening": self._flattening is not None,
            "questions": [_question(one) for one in self._asked(now_ns)]
            + [_let_pass(one) for one in self.book.held.values() if one.person],
            "alerts": [
                {"time": iso(ts_ns), "code": alert.code, "sentence": alert.sentence, "coid": alert.coid or None}
                for ts_ns, alert in list(self.people.alerts)[-ALERTS:]
            ],
            "suppression": self.suppression.shown(),
        }

    async def orders(self, *, only_open: bool) -> Sequence[Row]:
        """The orders of the venue's day."""
        orders = self.book.book.values()
        held = {coid: one for one in self.book.held.values() for coid in one.coids}
        return day_rows(orders, self.day_began_ns(), self.portfolio.instruments, only_open=only_open, held=held)

    async def positions(self) -> Sequence[Row]:
        """What each strategy holds."""
        return position_rows(self.portfolio)

    async def pnl(self) -> Row:
        """Profit, fees and cash."""
        return pnl_document(self.portfolio, self.view())

    async def risk(self) -> Mapping[str, Any]:
        """How much of each limit of the account is used, and what is left of it, by the catalogue's code.

        A row that counts nothing says how often it has refused. Beside it are the limits in force.
        """
        others = self.monitors()
        used = {**usage(self.gate, self.view(), self.clock.now_ns()), **others}
        account, limits = self.gate.account, self.limits()
        holding = len(self.trading.latches) + len(latches.in_force(account.held, self.clock.now_ns()))
        used["R19"] = (str(holding), None)
        refused, told = Counter(self.refused()), {}
        for (_, code), times in account.plugins_refused.items():
            refused[code] -= times  # a plugin may give any code
        own = {row.code for row in self.gate.plugins}
        for row in (*TABLE, *self.gate.plugins):
            if row.code in own:
                times = sum(times for (of, _), times in account.plugins_refused.items() if of == row.code)
            else:
                times = sum(refused[code] for code in row.codes)
            one, left = used.get(row.code, (f"{times} refused", None))
            told[row.code] = {"used": one, "left": left, "refused": times, **limits.get(row.code, {})}
        return told

    # --- commanding ---------------------------------------------------------------------------------------------

    async def halt(self, why: str, *, flatten: bool = False) -> Mapping[str, Any]:
        """Nothing new goes out, and what is open is cancelled, until `resume`; with `flatten` all is closed too."""
        await self._note("halt", {"why": why, "flatten": flatten})
        return await self.kill(_BY_OPERATOR, why or "halted by an operator", flatten=flatten)

    async def kill(self, source: str, why: str, *, flatten: bool) -> Mapping[str, Any]:
        """The kill switch, whoever pulls it: halt, cancel all and, if wanted, flatten."""
        await self.latch(TradingState.HALTED, source, why, flatten=flatten)
        self._sweep_now()
        if flatten:
            self.begin_flattening()
        return {"done": True, "trading": str(self.trading.state), "cancelling": self._open(), "flattening": flatten}

    async def drill(self, *, paper: bool = False) -> Mapping[str, Any]:
        """Practise the kill switch. Raises: NotDone in mode live, in paper unless it is said, where nothing trades."""
        mode = self.about()["mode"]
        if mode == "live" or (mode != "sim" and not (paper and mode == "paper")):
            more = "; --paper drills there all the same" if mode == "paper" else ""
            raise refused(f"a drill closes every position, and the mode is {mode}{more}")
        now_ns, held = self.clock.now_ns(), self.gate.account.held
        state = latches.state_of(self.trading, held, now_ns)
        if state is not TradingState.ON:
            raise refused(f"trading is {state} already: {'; '.join(latches.reasons_of(self.trading, held, now_ns))}")
        in_force = {owner: one for owner, one in held.items() if one.until_ns is None or now_ns < one.until_ns}
        unseen = [f"{owner}: {one.sentence}" for owner, one in sorted(in_force.items())]
        unseen += [f"{conid}: {why}" for conid, why in sorted(self.about().get("instruments_halted", {}).items())]
        if unseen:  # the resume at its end would lift this with what the drill has set
            raise refused(f"a person has to look first, and `engine resume` it: {'; '.join(unseen)}")
        await self._note("drill", {"paper": paper}, must=True)
        return await self.kill(DRILL, "a drill", flatten=True)

    async def resume(self) -> Mapping[str, Any]:
        """Lift all latches; a flattening that is under way ends."""
        against = self.may_resume()
        if against:
            raise refused(against)
        await self._note("resume", {}, must=True)
        self._flattening = None
        lifted = await self.lift()
        self._swept.clear()
        await self.alive()
        return {"done": True, "trading": str(self.trading.state), "lifted": lifted}

    async def say_alive(self) -> Mapping[str, Any]:
        """Somebody looks after this: the dead-man timer begins anew."""
        await self._note("alive", {}, must=True)
        return {"done": True, **await self.alive()}

    async def flatten(self) -> Mapping[str, Any]:
        """Cancel all and close every position; then only what reduces may trade, until `resume`."""
        await self._note("flatten", {})
        await self.latch(TradingState.REDUCING, _BY_OPERATOR, "flattened by an operator", flatten=True)
        self.begin_flattening()
        held = sum(1 for held in self.portfolio.holdings.values() if held.quantity)
        return {"done": True, "trading": str(self.trading.state), "cancelling": self._open(), "closing": held}

    async def cancel_all(self) -> Mapping[str, Any]:
        """Cancel all orders of ours."""
        await self._note("cancel-all", {})
        self.tell_orders(CancelNow(None, "cancelled by an operator"))
        return {"done": True, "trading": str(self.trading.state), "cancelling": self._open()}

    async def suppress(self, ids: Sequence[str] | None, *, reset: bool) -> Mapping[str, Any]:
        """Show the suppression list, give the session a new one, or have all questions asked again."""
        if ids is None and not reset:
            return self.suppression.shown()
        wanted = [] if reset else list(ids or ())
        await self._note("suppress", {"ids": ",".join(wanted), "reset": reset}, must=True)
        await self.suppression.change(wanted)
        return {"done": True, **self.suppression.shown()}

    async def answer(self, question: int, yes: bool) -> Mapping[str, Any]:
        """Answer a question of the venue's, or about an order that is held, once.

        Raises: NotDone if it is no longer open, or somebody has answered it a moment ago.
        """
        if question in self._answered:
            said = "yes" if self._answered[question] else "no"
            raise refused(f"question {question} has been answered already, with {said}")
        held = self.book.held.get(question)
        if (held is None or not held.person) and all(
            one.number != question for one in self._asked(self.clock.now_ns())
        ):
            raise refused(f"question {question} is not open; `engine status` lists those that are")
        self._answered[question] = yes
        while len(self._answered) > _ANSWERED_MAX:
            del self._answered[next(iter(self._answered))]
        self.tell_orders(OperatorAnswered(question, yes))  # the orders task stores it before it acts on it
        return {"done": True, "question": question, "answer": "yes" if yes else "no"}

    def _asked(self, now_ns: int) -> list[AskOperator]:
        """Questions of the venue's that wait: for an order that has ended, is to die or is in doubt there is none."""
        book = self.book.book
        return [
            one
            for one in self.people.open_questions(now_ns)
            if one.number not in self._answered
            and any(coid in book and book[coid].state in _ASKING for coid in one.coids)
        ]

    async def confirm(self) -> Mapping[str, Any]:
        """Let limits that the file has loosened count. Raises: NotDone if none waits, or if it can't be stored."""
        await self._note("confirm", {}, must=True)
        return {"done": True, "loosened": list(await self.loosen())}

    async def stop(self) -> Mapping[str, Any]:
        """End by the policy for stopping."""
        await self._note("stop", {})
        self.stopping.set()
        return {"done": True, "stopping": True}

    async def _note(self, verb: str, args: Mapping[str, Any], *, must: bool = False) -> None:
        """The command into the journal; one that must be there is refused otherwise."""
        stored = False
        problem = f"the journal did not take it within {STORE_S:g} s"
        with trio.move_on_after(STORE_S):
            try:
                await self.store([(self.clock.now_ns(), "operator", _BY_OPERATOR, {"verb": verb, "args": args})])
                stored = True
            except JournalFull as error:
                problem = str(error)
        if must and not stored:
            raise refused(f"{verb}: {problem}")

    # --- seeing to it -------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """While halted every open order is asked to die, those too that risk had approved just before."""
        while True:
            await trio.sleep(SWEEP_S)
            if self.trading.state is TradingState.HALTED or self._flattening is not None:
                self._sweep_now()
            else:
                self._swept.clear()

    def _sweep_now(self) -> None:
        closing, book = self._flattening, self.book.book
        # One whose cancellation was turned down works on, and is asked again.
        self._swept = {coid for coid in self._swept if book[coid].state not in _DYING}
        new = [
            coid
            for coid, order in book.items()
            if order.is_open
            and order.state not in _DYING
            and coid not in self._swept
            and not (closing is not None and closing.mine(coid))
        ]
        if new:
            self._swept.update(new)
            # All that is open, so that policy may have one request for it; what closes a position is to be left alone.
            self.tell_orders(CancelNow(None if closing is None else tuple(new), self.trading.reason))

    def begin_flattening(self) -> None:
        """Cancel what is open, then close what is held; one that is under way goes on."""
        self.tell_orders(CancelNow(None, "flattened"))
        if self._flattening is None:
            self.flat_at_venue = False
            self._flattening = Flattening(
                self.account, self.portfolio, self.gate, self.book.book, self.view, self.settle_s
            )
        self._flatten_asked.set()

    def open_orders(self) -> list[str]:
        """Client order ids of the orders that may still trade."""
        return [coid for coid, order in self.book.book.items() if order.is_open]

    def flat(self) -> bool:
        """Whether no order is open and nothing is held."""
        held = any(held.quantity for held in self.portfolio.holdings.values())
        return not self._open() and (self.flat_at_venue or not held)

    async def _flattener(self) -> None:
        while True:
            await self._flatten_asked.wait()
            self._flatten_asked = trio.Event()
            await self._dead(self.flatten_after_s)
            until_ns = self.clock.now_ns() + round(FLATTEN_S * NS_PER_S)
            while (flattening := self._flattening) is not None:
                held = await self._held_there()
                now_ns = self.clock.now_ns()
                if held is not None:
                    flattening.read(held)
                    if flattening.flat(now_ns):
                        self._flattening, self.flat_at_venue = None, True
                        for row in self.trading.flat(now_ns):
                            self.keep(row)
                        break
                    self._close(flattening.next(now_ns), flattening.held)
                for sentence in flattening.stuck() or _late(now_ns, until_ns):
                    if sentence not in flattening.told:
                        flattening.told.add(sentence)
                        self.people.alert(Alert("NOT_FLAT", sentence), now_ns)
                await self.clock.sleep(1)

    def _close(self, places: Sequence[Place], held: Mapping[int, Decimal]) -> None:
        """Closing orders to the gate that no halt closes."""
        if places:
            self.tell_risk(Closing(tuple(places), tuple(sorted(held.items()))))

    async def _held_there(self) -> dict[int, Decimal] | None:
        """What the venue holds of our instruments; None if it can't be asked now."""
        try:
            rows = await self.positions_there()
        except VenueError:
            return None
        known = self.portfolio.instruments
        return {row.conid: row.quantity for row in rows if row.conid in known}

    async def _dead(self, limit_s: float) -> None:
        """Wait until no order is open, or for so many seconds of the venue's clock."""
        until_ns = self.clock.now_ns() + round(limit_s * NS_PER_S)
        while self._open() and self.clock.now_ns() < until_ns:
            await self.clock.sleep(0.05)

    def _open(self) -> int:
        return sum(order.is_open for order in self.book.book.values())


def _late(now_ns: int, until_ns: int) -> list[str]:
    return [] if now_ns < until_ns else [f"not everything was closed within {FLATTEN_S:g} s; it is tried on"]


def _let_pass(one: Waiting) -> dict[str, Any]:
    return {
        "question": one.number,
        "ids": [one.refusal.code],
        "texts": [f"let it pass? {one.refusal.sentence}"],
        "coids": list(one.coids),
        "until": iso(one.deadline_ns),
    }


def _question(one: AskOperator) -> dict[str, Any]:
    return {
        "question": one.number,
        "ids": list(one.question.message_ids),
        "texts": list(one.question.texts),
        "coids": list(one.coids),
        "until": iso(one.deadline_ns),
    }
