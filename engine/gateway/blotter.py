"""The day's orders and executions: ids, statuses as section 5 of the protocol has them, and the news of both.

The blotter hears what the venue answers and books what was executed; it drives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any, Final

import msgspec

from engine.domain.facts import (
    Accepted,
    Answer,
    Cancelled,
    CancelRefused,
    Filled,
    Modified,
    ModifyRefused,
    Refused,
)
from engine.domain.instrument import SecType
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.gateway.accounts import ZERO, Account
from engine.gateway.records import Contract, Execution, ExecutionNews, LiveOrder, NewOrder, News, OrderNews

FIRST_ORDER: Final = 1_370_093_239
HELD_TYPES: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL, OrderType.TRAIL_LIMIT})
DONE: Final = frozenset({"Filled", "Cancelled", "Rejected"})
_CENT: Final = Decimal("0.0001")
# Why the venue took an order off by itself, in the words that a client reads as the system's reason.
REASONS: Final = {
    "request": "",
    "day": "Day order expired at the end of the session",
    "ioc": "Immediate-or-cancel order could not be filled at once",
    "opg": "Order was not filled in the opening auction",
    "loc": "Order was not filled in the closing auction",
    "oca": "Cancelled by its one-cancels-all group",
    "parent": "Cancelled with its parent order",
    "halted": "Trading is halted",
    "no_price": "There was no price in the closing auction",
    "cutoff": "It was too late for the closing auction",
}
Triggered = Callable[[str], tuple[bool, Decimal | None]]


class Standing(msgspec.Struct, kw_only=True):
    """An order with what only the exchange knows of it.

    `pending` are modifications on their way to the venue, oldest first. `before` is the status that a cancel on its way
    replaced, `why` the system's reason for that cancel. `heard`: the venue has said something of it. `live_ns` is when
    it first worked, `limit` what a triggered stop's limit is.
    """

    order: LiveOrder
    pending: list[tuple[OrderTicket, dict[str, Any]]] = []
    before: str = ""
    why: str = ""
    heard: bool = False
    live_ns: int = 0
    triggered: bool = False
    limit: Decimal | None = None


class Blotter:
    """Orders by id, executions of the last days, and the books they are entered in.

    `changed` are ids of orders, executions and names of accounts that differ from what was saved last.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        contracts: Mapping[int, Contract],
        *,
        delay_ns: int,
        first_execution: int,
    ) -> None:
        self.accounts = accounts
        self.orders: dict[int, Standing] = {}
        self.executions: dict[str, Execution] = {}
        self.news: list[News] = []
        self.triggered: Triggered = _never
        self.next_order = FIRST_ORDER
        self.next_execution = first_execution
        self.changed_orders: set[int] = set()
        self.changed_executions: set[str] = set()
        self.changed_accounts: set[str] = set()
        self._contracts = contracts
        self._delay_ns = delay_ns
        self._untold: list[tuple[int, str]] = []
        self._working: dict[int, Standing] = {}  # with the venue or on the way to it
        self._touched: dict[str, dict[int, None]] = {name: {} for name in accounts}
        self._of: dict[str, dict[int, LiveOrder]] = {name: {} for name in accounts}
        self._fills_of: dict[str, dict[str, Execution]] = {name: {} for name in accounts}

    # From the desk

    def register(self, new: NewOrder, now_ns: int) -> LiveOrder:
        """Give an order an id, and list it as parked."""
        order = LiveOrder(
            order_id=self.next_order,
            account=new.account,
            ticket=msgspec.structs.replace(new.ticket, coid=str(self.next_order)),
            wire=new.wire,
            client_id=new.client_id,
            parent_id=new.parent_id,
            oca_group=new.oca_group,
            status="Inactive",
            ccp_status="" if new.deactivated else "Pending Submit",
            created_ns=now_ns,
            parked=True,
            deactivated=new.deactivated,
        )
        self.next_order += 1
        standing = Standing(order=order)
        self._list(standing)
        self._tell(standing, now_ns)
        return order

    def take_back(self, standing: Standing) -> None:
        """List an order of an earlier run again, the oldest first."""
        self._list(standing)
        if standing.order.open and not standing.order.parked:
            self._working[standing.order.order_id] = standing
            self._touch(standing.order)

    def _list(self, standing: Standing) -> None:
        order = standing.order
        self.orders[order.order_id] = standing
        self._of.setdefault(order.account, {})[order.order_id] = order

    def send(self, order_id: int, now_ns: int) -> OrderTicket | None:
        """A parked order leaves for the venue; None if it is not parked."""
        standing = self.orders.get(order_id)
        if standing is None or not standing.order.parked:
            return None
        standing.order.parked = standing.order.deactivated = False
        self._working[order_id] = standing
        for status in ("PendingSubmit", "PreSubmitted"):
            self._step(standing, status, now_ns)
        return standing.order.ticket

    def discard(self, order_id: int, reason: str, now_ns: int) -> None:
        """End a parked order; one that is not parked is left as it is."""
        standing = self.orders.get(order_id)
        if standing is not None and standing.order.parked:
            standing.order.parked = standing.order.deactivated = False
            standing.order.reason = reason
            self._step(standing, "Cancelled", now_ns)

    def modify(self, order_id: int, ticket: OrderTicket, wire: dict[str, Any], now_ns: int) -> OrderTicket | None:
        """Replace a parked order's ticket at once, or return the ticket that is to go to the venue."""
        standing = self.orders.get(order_id)
        if standing is None or not standing.order.open:
            return None
        order = standing.order
        ticket = msgspec.structs.replace(ticket, coid=str(order_id))
        if order.parked:
            order.ticket, order.wire = ticket, wire
            self._tell(standing, now_ns)
            return None
        standing.pending = [*standing.pending, (ticket, wire)]
        self.changed_orders.add(order_id)
        return ticket

    def cancel(self, order_id: int, now_ns: int) -> bool:
        """Ask for an order's end; True if the venue has to be asked too."""
        standing = self.orders.get(order_id)
        if standing is None or not standing.order.open or standing.order.status == "PendingCancel":
            return False
        if standing.order.parked:
            self.discard(order_id, "", now_ns)
            return False
        standing.before = standing.order.status
        self._step(standing, "PendingCancel", now_ns)
        return True

    # From the venue

    def hear(self, answers: list[Answer]) -> None:
        """Enter what the venue says, in its order."""
        for answer in answers:
            standing = self.orders.get(int(answer.coid))
            if standing is None:
                continue  # a late no to the cancel of an order that the day's end has purged
            standing.heard = True
            match answer:
                case Accepted():
                    self._accept(standing, answer.ts_ns)
                case Filled():
                    self._fill(standing, answer)
                case Cancelled(reason=reason):
                    self._end(standing, "Cancelled", REASONS.get(reason, reason) or standing.why, answer.ts_ns)
                case Refused(reason=reason):
                    self._end(standing, "Inactive", reason, answer.ts_ns)
                case Modified():
                    self._modified(standing, answer.ts_ns)
                case ModifyRefused(reason=reason):
                    if standing.pending:  # else it has ended on the way, and that was told
                        standing.pending = standing.pending[1:]
                        standing.order.reason = reason
                        self._tell(standing, answer.ts_ns)
                case CancelRefused():
                    if standing.order.status == "PendingCancel":
                        self._step(standing, standing.before, answer.ts_ns)
                case _:
                    self.changed_orders.add(standing.order.order_id)  # it is there and waits: PreSubmitted, as it was

    def _accept(self, standing: Standing, ts_ns: int) -> None:
        order = standing.order
        standing.live_ns = standing.live_ns or ts_ns
        status = "Submitted"
        if order.ticket.order_type in HELD_TYPES and not standing.triggered:
            standing.triggered, standing.limit = self.triggered(order.ticket.coid)
            if not standing.triggered:
                status = "PreSubmitted"
        if order.status == "PendingCancel":
            standing.before = status
            self.changed_orders.add(order.order_id)
        elif order.status != status:
            self._step(standing, status, ts_ns)

    def _end(self, standing: Standing, status: str, reason: str, ts_ns: int) -> None:
        standing.order.reason = reason
        standing.pending = []
        self._step(standing, status, ts_ns)

    def _modified(self, standing: Standing, ts_ns: int) -> None:
        order = standing.order
        order.ticket, order.wire = standing.pending[0]
        standing.pending = standing.pending[1:]
        if order.filled >= order.ticket.quantity:  # made as small as what has filled
            self._step(standing, "Filled", ts_ns)
        else:
            self._tell(standing, ts_ns)

    def _fill(self, standing: Standing, fill: Filled) -> None:
        order = standing.order
        order.filled += fill.quantity
        order.value += fill.price * fill.quantity
        order.last_execution_ns = fill.ts_ns
        self._enter(order, fill)
        if order.filled >= order.ticket.quantity:
            standing.pending = []
            self._step(standing, "Filled", fill.ts_ns)
        elif order.status != "PendingCancel":
            self._step(standing, "Submitted", fill.ts_ns)
        else:
            self._tell(standing, fill.ts_ns)

    def _enter(self, order: LiveOrder, fill: Filled) -> None:
        """Book an execution, a combo's leg by leg, and number it."""
        account = self.accounts[order.account]
        self.changed_accounts.add(order.account)
        sign = 1 if fill.side == Side.BUY else -1
        parts = [(leg.conid, leg.quantity, leg.price) for leg in fill.legs]
        parts = parts or [(fill.conid, sign * fill.quantity, fill.price)]
        for _, amount, currency in fill.fees:
            account.charge(amount, currency)
        whole = sum((amount for _, amount, _ in fill.fees), ZERO)
        shares = _split(whole, [abs(units) for _, units, _ in parts])
        number = f"0000e0d5.{self.next_execution:08x}"
        self.next_execution += 1
        for at, ((conid, units, price), commission) in enumerate(zip(parts, shares, strict=True)):
            contract = self._contracts[conid]
            account.fill(contract.instrument, units, price)
            told = fill.ts_ns + self._delay_ns if self._delay_ns else None
            execution = Execution(
                execution_id=f"{number}.{at + 1:02d}.01",
                order_id=order.order_id,
                account=order.account,
                conid=conid,
                side="BUY" if units > 0 else "SELL",
                size=abs(units),
                price=price,
                ts_ns=fill.ts_ns,
                client_id=order.client_id,
                exchange=traded_at(contract),
                commission=commission,
                told_ns=told,
            )
            self._enlist(execution)
            self.changed_executions.add(execution.execution_id)
            self.news.append(ExecutionNews(ts_ns=fill.ts_ns, execution=execution, commission_known=told is None))
            if told is not None:
                heappush(self._untold, (told, execution.execution_id))

    # As time goes on

    def await_commission(self, execution: Execution, now_ns: int) -> None:
        """Take back an execution of an earlier run whose commission may still have to be told."""
        self._enlist(execution)
        if execution.told_ns is not None and execution.told_ns > now_ns:
            heappush(self._untold, (execution.told_ns, execution.execution_id))

    def _enlist(self, execution: Execution) -> None:
        self.executions[execution.execution_id] = execution
        self._fills_of.setdefault(execution.account, {})[execution.execution_id] = execution

    def next_ns(self) -> int:
        """When the next commission becomes known."""
        return self._untold[0][0] if self._untold else END_OF_TIME_NS

    def tell_commissions(self, now_ns: int) -> None:
        """Tell the commissions that have become known."""
        while self._untold and self._untold[0][0] <= now_ns:
            ts_ns, name = heappop(self._untold)
            execution = self.executions.get(name)
            if execution is not None:
                self.news.append(ExecutionNews(ts_ns=ts_ns, execution=execution, commission_known=True))

    def purge(self, keeps: Callable[[Execution], bool]) -> tuple[list[int], list[str]]:
        """A new day: orders that are over and executions that `keeps` lets go are listed no more; return their ids."""
        wanted = {one.order.parent_id for one in self.orders.values() if one.order.open}
        gone = [number for number, one in self.orders.items() if not one.order.open and number not in wanted]
        for number in gone:
            order = self.orders.pop(number).order
            del self._of[order.account][number]
        old = [name for name, one in self.executions.items() if not keeps(one)]
        for name in old:
            execution = self.executions.pop(name)
            del self._fills_of[execution.account][name]
        self.changed_orders.difference_update(gone)
        self.changed_executions.difference_update(old)
        return gone, old

    def working(self) -> Iterator[Standing]:
        """Orders that the venue has, or that are on their way to it, oldest first."""
        return iter(self._working.values())

    def at_work(self, order_id: int) -> LiveOrder | None:
        """An order that the venue has, or that is on its way to it."""
        standing = self._working.get(order_id)
        return None if standing is None else standing.order

    def take_touched(self, account: str) -> list[int]:
        """Ids of an account's orders of which anything has changed since this was asked last, each once."""
        touched = self._touched.get(account)
        if not touched:
            return []
        self._touched[account] = {}
        return list(touched)

    def _touch(self, order: LiveOrder) -> None:
        self._touched.setdefault(order.account, {})[order.order_id] = None

    def orders_of(self, account: str) -> list[LiveOrder]:
        """An account's orders, oldest first."""
        return list(self._of.get(account, {}).values())

    def executions_of(self, account: str) -> list[Execution]:
        """An account's executions, oldest first."""
        return list(self._fills_of.get(account, {}).values())

    def _step(self, standing: Standing, status: str, ts_ns: int) -> None:
        standing.order.status = status
        standing.order.ccp_status = ""
        if not standing.order.open:
            self._working.pop(standing.order.order_id, None)
        self._tell(standing, ts_ns)

    def _tell(self, standing: Standing, ts_ns: int) -> None:
        order = standing.order
        self.changed_orders.add(order.order_id)
        self._touch(order)
        self.news.append(
            OrderNews(
                ts_ns=ts_ns, order_id=order.order_id, account=order.account, status=order.status, filled=order.filled
            )
        )


def traded_at(contract: Contract) -> str:
    """The exchange that an execution names."""
    if contract.instrument.sec_type is SecType.STOCK:
        return {"NASDAQ": "ISLAND", "NYSE": "NYSE", "ARCA": "ARCA"}.get(contract.listing, "ISLAND")
    return "CBOE" if contract.instrument.sec_type is SecType.OPTION else contract.listing


def _split(whole: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """A fee over a combo's legs by their sizes; the last takes what rounding leaves."""
    if len(weights) == 1:
        return [whole]
    total = sum(weights, ZERO)
    shares = [(whole * weight / total).quantize(_CENT) for weight in weights[:-1]]
    return [*shares, whole - sum(shares, ZERO)]


def _never(coid: str) -> tuple[bool, Decimal | None]:
    del coid
    return False, None
