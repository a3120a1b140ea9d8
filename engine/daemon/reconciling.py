"""Our books against the venue's: at the start, after every return of the session, and every so often.

A difference counts only when two readings in a row show it: a fill on its way is none. What it is, is for
`orders.reconcile`; what follows goes to the actors by letter, and into the journal first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import structlog

from engine.daemon.halting import InstrumentHalts
from engine.daemon.recovering import OUTSIDE
from engine.domain.brokerage import Balance, ExecutionsKnown, OrdersKnown, VenueExecution, VenuePosition
from engine.domain.instrument import Instrument
from engine.errors import VenueError
from engine.orders.actions import Alert
from engine.orders.desk import Desk
from engine.orders.reconcile import Class, Difference, Held, ReconcilePolicy, Remedy, compare_cash, compare_positions
from engine.portfolio.books import Portfolio
from engine.portfolio.commissions import open_estimates
from engine.portfolio.money import told_cash
from engine.ports import Broker, Clock
from engine.risk.monitors import drift
from engine.runtime.live.letters import CashTold, ExecutionsRead, InstrumentNow, OrdersRead, TakenOver
from engine.runtime.live.nursery import Nursery
from engine.settings import Limits

Row = tuple[int, str, str, Any]
TRIES: Final = 8
LEDGER: Final = "ledger"  # rows of what the venue owed when the books were compared
AGAIN_S: Final = 2.0
SETTLE_S: Final = 1.0  # for letters on their way through the actors

log = structlog.get_logger()


class Reconciler:
    """Compares, and has done what follows. `store` returns when rows are on the disk.

    `venue_positions` are those read last, by conid. `limits` are the account's in force: a drift above its limit halts
    the instrument whatever else is done about it. `drift` is the largest found.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        nursery: Nursery,
        desk: Desk,
        portfolio: Portfolio,
        instruments: Mapping[int, Instrument],
        policy: ReconcilePolicy,
        *,
        store: Callable[[Sequence[Row]], Awaitable[None]],
        alert: Callable[[Alert, int], None],
        halts: InstrumentHalts,
        last_cash: Mapping[str, Decimal],
        last_ledger: Mapping[str, Balance],
        limits: Callable[[], Limits] = Limits,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._nursery = nursery
        self._desk = desk
        self._portfolio = portfolio
        self._instruments = instruments
        self._policy = policy
        self._store = store
        self._alert = alert
        self._told: set[tuple[int | None, str | None, Decimal, Decimal]] = set()
        self._halts = halts
        self._limits = limits
        self._known_cash = bool(last_cash)
        self._ledger = last_ledger  # as it was when the books were compared last
        self._read: Mapping[str, Balance] = {}
        self.venue_positions: dict[int, VenuePosition] = {}
        self.done_ns = 0
        self.drift = Decimal(0)

    async def run_once(self, *, first: bool) -> bool:
        """Compare and act; False if the venue's lists could not be known.

        Args:
            first: The journal is new: what the venue holds is where we begin.
        """
        if not await self._lists():
            return False
        if first:
            return await self._begin()
        before: list[Difference] | None = None
        for _ in range(TRIES):
            try:
                found = await self._differences()
            except VenueError as error:
                log.warning("reconciliation_failed", problem=str(error))
                return False
            if not found or found == before:
                for one in found:
                    await self._act(one)
                self.done_ns = self._clock.now_ns()
                rows: list[Row] = [(self.done_ns, "reconciled", "", [str(one) for one in found])]
                if self._ledger != self._read:
                    rows.append((self.done_ns, LEDGER, "", self._read))
                    self._ledger = self._read
                await self._store(rows)
                return True
            before = found
            read_ns = self._clock.now_ns()
            await self._clock.sleep(AGAIN_S)
            # Of fills that positions hold already, a list from before may know nothing: that proves no difference.
            if not await self._lists(after_ns=read_ns):
                return False
        log.warning("reconciliation_unsettled", differences=[str(one) for one in before or []])
        return True  # the books are in motion; the next one compares again

    async def _lists(self, after_ns: int = 0) -> bool:
        """Read orders and executions until both are known as of later than `after_ns`, and the books have them."""
        for _ in range(TRIES):
            try:
                orders = await self._broker.orders()
                executions = await self._broker.executions()
            except VenueError as error:
                log.warning("reconciliation_failed", problem=str(error))
                return False
            self._nursery.tell_orders(OrdersRead(orders))
            self._nursery.tell_orders(ExecutionsRead(executions))
            if (
                isinstance(orders, OrdersKnown)
                and isinstance(executions, ExecutionsKnown)
                and executions.as_of_ns >= after_ns
            ):
                self._executions = executions.executions
                await self._clock.sleep(SETTLE_S)
                await self._nursery.digested()
                return True
            await self._clock.sleep(AGAIN_S)
        return False

    async def _begin(self) -> bool:
        try:
            positions, ledger = await self._broker.positions(), await self._broker.ledger()
        except VenueError as error:
            log.warning("reconciliation_failed", problem=str(error))
            return False
        now_ns = self._clock.now_ns()
        cash = {currency: balance.cash for currency, balance in ledger.items()}
        rows: list[Row] = [(now_ns, "cash", "", cash), (now_ns, LEDGER, "", ledger)]
        rows += self._halts.settle((one.execution_id for one in self._executions), now_ns)
        for position in positions:
            self.venue_positions[position.conid] = position
            if position.quantity and position.conid in self._instruments:
                cost = (position.average_cost or Decimal(0)) * position.quantity
                rows += await self._take_over(position.conid, position.quantity, cost, now_ns)
        await self._store(rows)
        self._ledger = ledger
        for currency, amount in cash.items():
            self._nursery.tell_portfolio(CashTold(currency, amount))
        self.done_ns = now_ns
        return True

    async def _differences(self) -> list[Difference]:
        positions, self._read = await self._broker.positions(), await self._broker.ledger()
        self.venue_positions = {position.conid: position for position in positions}
        ours: dict[int, Held] = {}
        for (_, conid), held in self._portfolio.holdings.items():
            known = ours.get(conid, Held())
            ours[conid] = Held(quantity=known.quantity + held.quantity, cost=known.cost + held.cost)
        missing = [
            one
            for one in self._executions
            if not self._desk.book.heard(one.execution_id) and one.execution_id not in self._halts.settled
        ]
        own = {one.execution_id: self._is_ours(one) for one in missing}
        mine = [position for position in positions if position.conid in self._instruments or position.conid in ours]
        found = compare_positions(ours, mine, missing, own=own, policy=self._policy)
        return found + compare_cash(
            told_cash(self._portfolio),
            self._read,
            policy=self._policy,
            before=self._ledger,
            estimated=open_estimates(self._portfolio),
        )

    def _is_ours(self, execution: VenueExecution) -> bool:
        return self._desk.identity.whose(execution.order_id, execution.coid) is not None

    async def _act(self, one: Difference) -> None:
        now_ns = self._clock.now_ns()
        if one.currency is not None and one.remedy is Remedy.IGNORE:
            return  # commissions are on their way
        if one.currency is not None:
            # The venue's cash is right; ours follows it, with a row that says by how much.
            await self._store([(now_ns, "cash", one.found, {one.currency: one.venue - one.ours})])
            self._nursery.tell_portfolio(CashTold(one.currency, one.venue - one.ours, str(one.found)))
            if one.found is Class.UNKNOWN:
                self._alert(Alert("RECONCILE", str(one)), now_ns)
            return
        assert one.conid is not None
        if one.found is Class.OWN_LATE_FILL:
            return  # the desk has heard of it by now
        key = one.conid, one.currency, one.ours, one.venue
        if key not in self._told:
            self._told.add(key)
            self._alert(Alert("RECONCILE", str(one)), now_ns)
        self.drift = max(self.drift, abs(one.venue - one.ours))
        drifted = drift(one.conid, one.ours, one.venue, self._limits())
        if drifted is not None:  # whatever the remedy of its class
            self._alert(Alert(drifted.code, drifted.sentence), now_ns)
        for execution in self._executions:
            if execution.execution_id in one.executions and not self._is_ours(execution):
                sentence = f"{execution.side} {execution.size} of conid {one.conid} at {execution.price}"
                self._alert(Alert("UNKNOWN_FILL", f"{sentence} is of no order of ours ({one.found})"), now_ns)
        if one.remedy is Remedy.HALT_INSTRUMENT or drifted is not None:
            sentence = f"halted by reconciliation: {one}"
            await self._store(self._halts.halt(one.conid, sentence, now_ns))
            self._nursery.tell_risk(InstrumentNow(one.conid, True, sentence))
        # Whatever a person decides, the venue's books are right: what came by no order of ours is booked apart.
        position = self.venue_positions.get(one.conid)
        cost = Decimal(0)
        if position is not None and position.average_cost is not None:
            ours = sum((h.cost for (_, conid), h in self._portfolio.holdings.items() if conid == one.conid), Decimal(0))
            cost = position.average_cost * position.quantity - ours
        rows = self._halts.settle(one.executions, now_ns)
        if one.conid in self._instruments:
            rows += await self._take_over(one.conid, one.venue - one.ours, cost, now_ns)
        await self._store(rows)

    async def _take_over(self, conid: int, quantity: Decimal, cost: Decimal, now_ns: int) -> list[Row]:
        letter = TakenOver(OUTSIDE, conid, quantity, cost)
        self._nursery.tell_portfolio(letter)
        return [(now_ns, "taken_over", str(conid), letter)]
