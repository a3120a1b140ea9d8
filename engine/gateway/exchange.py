"""The exchange behind the gateway: a market, a venue and the books of its accounts, as of one moment.

Sans-IO: time comes with each call. `advance` plays rows, arrivals, session events and day rolls in the one order of
their moments, so that how time is cut into calls changes nothing that becomes of an order.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from engine.domain.instrument import Instrument, Leg
from engine.domain.messages import CancelRequest, ModifyRequest, PlaceRequest, Request
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, Tif
from engine.gateway import contracts as listing
from engine.gateway import curtain, depth, restoring
from engine.gateway.accounts import ZERO, Account
from engine.gateway.blotter import REASONS, Blotter
from engine.gateway.history import History
from engine.gateway.hours import Hours, day_of, next_day_ns
from engine.gateway.margin import Rules
from engine.gateway.market import MarketFeed
from engine.gateway.options import Options
from engine.gateway.records import (
    Contract,
    Execution,
    Funds,
    HistoryBar,
    LiveOrder,
    NewOrder,
    News,
    Position,
    Top,
)
from engine.gateway.solvency import Solvency
from engine.gateway.stage import Stage
from engine.gateway.store import Store
from engine.venue.live import LiveVenue

KEPT_DAYS: Final = 7  # trading days that executions are kept
_DOZE_NS: Final = 15 * NS_PER_MINUTE  # a derivative that nobody asks for is played so long
_NO_ROWS: Final = np.empty(0, np.int64)


class SimExchange:
    """The `records.Exchange` that the gateway serves. Open it with `opening.open_exchange`."""

    def __init__(
        self,
        options: Options,
        *,
        market: MarketFeed,
        hours: Hours,
        venue: LiveVenue,
        instruments: dict[int, Instrument],
        accounts: dict[str, Account],
        blotter: Blotter,
        combos: dict[int, Contract],
        store: Store | None,
        now_ns: int,
    ) -> None:
        """Take the parts, as they are at `now_ns`.

        Args:
            instruments: Those that the venue trades; it grows with what is asked for.
            combos: Those that have been traded; it grows too.
        """
        self.blotter = blotter
        self._market = market
        self._hours = hours
        self._venue = venue
        self._instruments = instruments
        self._accounts = accounts
        self._combos = combos
        self._store = store
        self._contracts: Mapping[int, Contract] = ChainMap(combos, market.contracts)  # type: ignore[arg-type]
        self._stage = Stage(market, venue, self._contracts, self.sessions, now_ns)
        self._next_day_ns = next_day_ns(now_ns)
        self._quiet_until_ns = 0
        self._rules = Rules(
            options.margin_initial,
            options.margin_maintenance,
            options.base,
            self.mark,
            self.rate,
            self._contracts,
        )
        self._solvency = Solvency(self._rules, accounts, blotter)
        self._history = History(market, self._contracts, self.sessions)
        blotter.triggered = venue.triggered

    @property
    def now_ns(self) -> int:
        """The moment that everything here is as of."""
        return self._stage.now_ns

    # What it is

    @property
    def accounts(self) -> Sequence[str]:
        """Account ids, the first is the default."""
        return tuple(self._accounts)

    @property
    def books(self) -> Mapping[str, Account]:
        """The books of each account."""
        return self._accounts

    @property
    def start_ns(self) -> int:
        """When this exchange first opened."""
        return self._market.start_ns

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """All contracts by conid, combos that were made among them."""
        return self._contracts

    def sessions(self, conid: int) -> Sessions:
        """Regular sessions of a contract."""
        return self._hours.sessions(self._contracts[conid].instrument.calendar)

    def rate(self, currency: str) -> Decimal:
        """Price of one unit of a currency in the base currency; 1 for one that is not quoted here."""
        base = self._rules.base
        if currency == base:
            return Decimal(1)
        for pair, (conid, _) in listing.PAIRS.items():
            if set(pair) == {base, currency}:
                price = self._market.rate(conid, self.now_ns)
                if price == price:
                    return Decimal(f"{price if pair[0] == currency else 1.0 / price:.6f}")
        return Decimal(1)

    def combo(self, legs: Sequence[Leg], currency: str) -> int:
        """The conid of a combo of listed legs; the same legs, the same conid.

        Raises: ValueError, in one sentence, for legs that can't make a combo.
        """
        for conid, known in self._market.contracts.items():
            if known.instrument.legs == tuple(legs) and known.instrument.currency == currency:
                return conid  # one that was recorded
        contract = listing.combo(legs, currency, self._contracts)
        conid = contract.instrument.conid
        if conid not in self._combos:
            self._combos[conid] = contract
            if self._store is not None:
                self._store.put_combo(contract)
        return conid

    # Time

    def advance(self, now_ns: int) -> list[News]:
        """Play the market up to `now_ns`; return the news since the last call."""
        stage = self._stage
        if now_ns >= self._quiet_until_ns or stage.woke:
            self._play(now_ns)
        elif now_ns > stage.now_ns:
            stage.now_ns = now_ns
        stage.forget_tops()
        news, self.blotter.news = self.blotter.news, []
        quotes = stage.quote_news()
        return sorted([*news, *quotes], key=_time) if quotes else news

    def next_ns(self) -> int:
        """When `advance` next has something to do."""
        return self.now_ns if self._stage.woke or self.blotter.news else self._quiet_until_ns

    def _play(self, until_ns: int) -> None:
        stage, venue, blotter = self._stage, self._venue, self.blotter
        if stage.woke:
            stage.deal()
        while True:
            due = min(venue.next_due_ns(), blotter.next_ns(), self._next_day_ns)
            answers = stage.play(due if due <= until_ns else until_ns + 1)
            if answers is not None:
                blotter.hear(answers)
                continue
            if due > until_ns:
                break
            stage.now_ns = max(stage.now_ns, due)
            if self._next_day_ns <= due:
                self._roll()
            elif blotter.next_ns() <= due:
                blotter.tell_commissions(due)
            else:
                blotter.hear(stage.take_due(due))
        stage.now_ns = max(stage.now_ns, until_ns)
        stage.doze(self._needed)
        self._quiet_until_ns = min(due, stage.next_ns())

    def _roll(self) -> None:
        """The venue's day ends: what is over is purged, the books and the board begin a new day."""
        now_ns = self.now_ns
        self._expire(f"{day_of(now_ns):%Y%m%d}")
        for account in self._accounts.values():
            account.roll(self._rules.funds(account).net_liquidation)
            self.blotter.changed_accounts.add(account.name)
        oldest = self._hours.trading_day(now_ns) - KEPT_DAYS
        gone = self.blotter.purge(lambda execution: self._hours.trading_day(execution.ts_ns) > oldest)
        if self._store is not None:
            self._store.drop(*gone)
        if self._hours.draw_on(now_ns):
            calendars = {one.instrument.calendar for one in self._contracts.values()}
            known = {name: self._hours.sessions(name) for name in calendars}
            self._market.extend(known)
            self._venue.extend(known)
        self._stage.roll(self._needed())
        self._history.roll()
        self._next_day_ns = next_day_ns(now_ns)

    def _needed(self) -> set[int]:
        """What is held or traded."""
        needed = {position.conid for account in self._accounts.values() for position in account.open_positions()}
        for standing in self.blotter.orders.values():
            contract = self._contracts.get(standing.order.ticket.conid)
            if standing.order.open and contract is not None:
                needed |= {contract.instrument.conid, *(leg.conid for leg in contract.instrument.legs)}
        return needed

    def _expire(self, today: str) -> None:
        """Settle what expired before today in cash, and end the orders in it, and day orders that no session ends.

        An option settles at what exercise gives, a future at its last price.
        """
        for account in self._accounts.values():
            for position in list(account.open_positions()):
                contract = self._contracts[position.conid]
                if contract.expiry and contract.expiry < today and (price := self._settlement(contract)) is not None:
                    account.fill(contract.instrument, -position.quantity, price)
        for standing in list(self.blotter.working()):
            found = self._contracts.get(standing.order.ticket.conid)
            if found is None:
                continue
            if found.expiry and found.expiry < today:
                standing.why = "The contract has expired"
                self.cancel(standing.order.order_id)
            elif standing.order.ticket.tif is Tif.DAY and self._hours.sessions(found.instrument.calendar).always:
                standing.why = REASONS["day"]  # without sessions the venue's day is the order's
                self.cancel(standing.order.order_id)

    def _settlement(self, contract: Contract) -> Decimal | None:
        if not contract.right:
            return self.mark(contract.instrument.conid)
        under = self.mark(contract.underlying)
        if under is None:
            return None
        return max(ZERO, under - contract.strike if contract.right == "C" else contract.strike - under)

    def _admit(self, conid: int) -> None:
        """Let the venue trade a contract, its legs first; one without a market can't be traded."""
        contract = self._contracts.get(conid)
        if contract is None:
            return  # the venue will refuse it
        for leg in contract.instrument.legs:
            self._admit(leg.conid)
        if not contract.instrument.legs and self._stage.known(conid) is None:
            return
        self._instruments[conid] = contract.instrument
        self._venue.admit(contract.instrument, self.sessions(conid))

    # Orders

    def register(self, order: NewOrder) -> LiveOrder:
        """Give it an order id and list it as parked."""
        return self.blotter.register(order, self.now_ns)

    def release(self, order_ids: Sequence[int]) -> None:
        """Send parked orders to the venue: an OCA group whole, the legs of a bracket one by one, the entry first."""
        tickets = [ticket for one in order_ids if (ticket := self.blotter.send(one, self.now_ns)) is not None]
        tickets = _entries_first(tickets)
        for ticket in tickets:
            self._admit(ticket.conid)
        together = [ticket for ticket in tickets if ticket.oca_group is not None and ticket.parent is None]
        if together:
            self._submit(PlaceRequest(tuple(together)))
        for ticket in tickets:
            if ticket not in together:
                self._submit(PlaceRequest((ticket,)))

    def discard(self, order_id: int, reason: str) -> None:
        """End a parked order."""
        self.blotter.discard(order_id, reason, self.now_ns)

    def modify(self, order_id: int, ticket: OrderTicket, wire: dict[str, Any]) -> None:
        """Replace a working or parked order's ticket."""
        wanted = self.blotter.modify(order_id, ticket, wire, self.now_ns)
        if wanted is not None:
            self._submit(ModifyRequest(wanted))

    def cancel(self, order_id: int) -> None:
        """Ask the venue to cancel."""
        if self.blotter.cancel(order_id, self.now_ns):
            self._submit(CancelRequest(str(order_id)))

    def _submit(self, request: Request) -> None:
        self._venue.submit([request], self.now_ns)
        self._quiet_until_ns = 0

    def orders(self, account: str) -> list[LiveOrder]:
        """All orders of the venue's day, open or done, oldest first."""
        return self.blotter.orders_of(account)

    def order(self, order_id: int) -> LiveOrder | None:
        """One order, any account."""
        found = self.blotter.orders.get(order_id)
        return None if found is None else found.order

    def executions(self, account: str, days: int) -> list[Execution]:
        """Fills of the last `days` trading days, oldest first."""
        oldest = self._hours.trading_day(self.now_ns) - days
        found = self.blotter.executions_of(account)
        return [one for one in found if self._hours.trading_day(one.ts_ns) > oldest]

    # Money

    def positions(self, account: str) -> list[Position]:
        """Positions, closed ones of today among them."""
        return list(self._accounts[account].positions.values())

    def cash(self, account: str) -> Mapping[str, Decimal]:
        """Cash by currency."""
        return self._accounts[account].cash

    def funds(self, account: str) -> Funds:
        """The account's figures now."""
        return self._rules.funds(self._accounts[account])

    def unaffordable(self, order: NewOrder) -> str | None:
        """Why the account can't pay for it; None if it can."""
        return self._solvency.against(order)

    def margin_change(self, order: NewOrder) -> tuple[Decimal, Decimal, Decimal]:
        """What an order would add to initial and maintenance margin, and its commission."""
        return self._solvency.change(order, self._venue, self.now_ns)

    # The market

    def top(self, conid: int) -> Top | None:
        """Top of book and the day's figures; None for a conid without data."""
        return self._stage.top(conid)

    def mark(self, conid: int) -> Decimal | None:
        """The price that a position is valued at; None if nothing is known."""
        return self._stage.mark(conid)

    def depth(self, conid: int, rows: int) -> list[tuple[float, float, float]]:
        """Levels as (price, bid size, ask size), highest price first."""
        top = self.top(conid)
        if top is None:
            return []
        return depth.levels(top, self._contracts[conid].instrument, rows)

    def bars(
        self, conid: int, start_ns: int, end_ns: int, length_ns: int, *, source: str, outside_rth: bool
    ) -> list[HistoryBar]:
        """Past bars that start in [start, end), up to the present."""
        end_ns = min(end_ns, self.now_ns + 1)
        return self._history.bars(conid, start_ns, end_ns, length_ns, source=source, outside_rth=outside_rth)

    # Keeping

    def take_back(self, store: Store) -> None:
        """Go on from what a store holds: ids, orders, executions; what is held or traded is played again."""
        blotter = self.blotter
        blotter.next_order = store.number("next_order", blotter.next_order)
        blotter.next_execution = store.number("next_execution", blotter.next_execution)
        for execution in store.executions():
            blotter.await_commission(execution, self.now_ns)
        for standing in store.standings():
            blotter.take_back(standing)
        for account in self._accounts.values():
            for position in account.open_positions():
                self._stage.known(position.conid)
        standings = list(blotter.orders.values())
        blotter.hear(restoring.take_back(standings, self._venue, self._market, self._admit, self.now_ns))
        self._quiet_until_ns = 0

    def state(self) -> dict[str, Any]:
        """What `/sim/state` shows of the exchange."""
        return curtain.state(self.blotter, self._accounts)

    def save(self) -> None:
        """Keep all that has changed."""
        if self._store is not None:
            self._store.save(self.blotter, self._accounts, self.now_ns)

    def keep(self, name: str, value: Any) -> None:
        """Keep something for the shell."""
        if self._store is not None:
            self._store.keep(name, value)

    def kept(self, name: str) -> Any:
        """What was kept under a name; None if there is nothing."""
        return None if self._store is None else self._store.kept(name)

    def close(self) -> None:
        """Save, and let go of the state folder."""
        if self._store is not None:
            self.save()
            self._store.close()


def _time(news: News) -> int:
    return news.ts_ns


def _entries_first(tickets: list[OrderTicket]) -> list[OrderTicket]:
    """Tickets in an order in which none comes before its parent."""
    found: list[OrderTicket] = []
    rest = tickets
    while rest:
        waiting = {ticket.coid for ticket in rest}
        ready = [ticket for ticket in rest if ticket.parent not in waiting] or rest
        found += ready
        rest = [ticket for ticket in rest if ticket not in ready]
    return found
