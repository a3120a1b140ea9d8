"""The books out of the journal: orders, positions, fees, the numbers that were given out, what strategies had saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from attrs import define, field

from engine.domain.brokerage import Balance
from engine.domain.facts import Accepted, Filled
from engine.domain.instrument import Instrument
from engine.domain.messages import PositionNow, Update
from engine.domain.order import Order
from engine.journal.durable import DurableJournal, StoredRow
from engine.orders.actions import FeeKnown
from engine.orders.recovery import KINDS, Recovered, recover
from engine.portfolio import commissions, money
from engine.portfolio.books import Portfolio
from engine.runtime.live.letters import TakenOver

OPENING: Final = ("holding", "numbers", "charged", "fees", "tallies", "estimates")
OUTSIDE: Final = "outside"  # who owns what came into the account by no order of ours
_ANSWER_FILLED: Final = msgspec.json.Decoder(Filled)
_FEE: Final = msgspec.json.Decoder(FeeKnown)
_LEDGER: Final = msgspec.json.Decoder(dict[str, Balance])
_TAKEN: Final = msgspec.json.Decoder(TakenOver)
_NUMBER: Final = re.compile(r"(.+)-(\d{6,})")
_GROUP: Final = re.compile(r"(.+)-oca-(\d+)")


@define(eq=False)
class Books:
    """What a journal knew."""

    orders: Recovered
    portfolio: Portfolio
    charged: set[str] = field(factory=set)
    saved: dict[str, dict[str, Any]] = field(factory=dict)  # by strategy, the newest
    numbers: dict[str, tuple[int, int]] = field(factory=dict)  # by strategy: last order, last group
    ledger: dict[str, Balance] = field(factory=dict)  # the venue's, when the books were compared last
    fresh: bool = True  # nothing has ever been written here

    def updates(self) -> list[Update]:
        """News of every open order, for risk and strategies to begin with."""
        return [
            Update(order, Accepted(coid=coid, ts_ns=order.updated_ns, venue_id=order.venue_id))
            for coid, order in self.orders.orders.items()
            if order.is_open
        ]

    def positions(self) -> list[PositionNow]:
        """Every position, likewise."""
        books = self.portfolio
        return [
            PositionNow(
                strategy,
                conid,
                held.quantity,
                held.cost,
                held.realised,
                books.account[conid],
                books.cash.get(books.instruments[conid].currency, Decimal(0)),
                books.instruments[conid].currency,
            )
            for (strategy, conid), held in books.holdings.items()
        ]


def read_books(
    journal: DurableJournal,
    instruments: Mapping[int, Instrument],
    rates: Mapping[str, Decimal],
) -> Books:
    """Fold the whole journal."""
    orders = recover((row.ts_ns, row.kind, row.name, row.body) for row in journal.rows(kinds=KINDS))
    books = Books(orders=orders, portfolio=Portfolio(instruments, {}, dict(rates)), fresh=journal.last_seq == 0)
    seen: set[str] = set()
    for row in journal.rows(kinds=("answer", "fee", "taken_over", "cash", "ledger", "state", *OPENING)):
        match row.kind:
            case "answer":
                if '"type":"Filled"' in row.body:
                    _fill(books, _ANSWER_FILLED.decode(row.body), seen)
            case "fee":
                fee = _FEE.decode(row.body)
                if fee.execution_id not in books.charged and fee.conid in instruments:
                    books.charged.add(fee.execution_id)
                    currency = instruments[fee.conid].currency
                    commissions.told(books.portfolio, fee.execution_id, fee.strategy, fee.amount, currency)
            case "taken_over":
                taken = _TAKEN.decode(row.body)
                if taken.conid in instruments:
                    books.portfolio.take_over(taken.owner, taken.conid, taken.quantity, taken.cost)
            case "cash":  # the venue's figure, taken for ours, as what it was found to be
                told = msgspec.json.decode(row.body)
                for currency, amount in told.items():
                    money.explained(books.portfolio, currency, Decimal(amount), row.name)
            case "ledger":
                books.ledger = _LEDGER.decode(row.body)
            case "state":
                books.saved[row.name] = msgspec.json.decode(row.body)
            case _:
                _opening(books, row)
    books.portfolio.entries.clear()
    books.portfolio.steps.clear()
    for strategy, (number, group) in _numbers(orders.orders.values()).items():
        before = books.numbers.get(strategy, (0, 0))
        books.numbers[strategy] = max(number, before[0]), max(group, before[1])
    return books


def _opening(books: Books, row: StoredRow) -> None:
    """What an earlier journal ended with, and this one begins with (`rotating`)."""
    told = msgspec.json.decode(row.body)
    if row.kind == "holding":
        conid = int(told["conid"])
        if conid in books.portfolio.instruments:
            quantity, cost, realised = (Decimal(told[key]) for key in ("quantity", "cost", "realised"))
            books.portfolio.take_over(row.name, conid, quantity, cost, realised)
    elif row.kind == "numbers":
        books.numbers.update({strategy: (int(number), int(group)) for strategy, (number, group) in told.items()})
    elif row.kind == "charged":
        books.charged.update(told)
    elif row.kind == "tallies":
        for tally, amounts in told.items():
            setattr(books.portfolio, tally, {currency: Decimal(amount) for currency, amount in amounts.items()})
    elif row.kind == "estimates":
        for execution, (strategy, lines) in told.items():
            fees = tuple((line, Decimal(amount), currency) for line, amount, currency in lines)
            books.portfolio.estimates[execution] = strategy, fees
    else:
        for line, amount in told.items():
            books.portfolio.fees[line] = books.portfolio.fees.get(line, Decimal(0)) + Decimal(amount)


def _fill(books: Books, fill: Filled, seen: set[str]) -> None:
    order = books.orders.orders.get(fill.coid)
    if order is None or fill.exec_id in seen or fill.conid not in books.portfolio.instruments:
        return
    seen.add(fill.exec_id)
    updates = [Update(order, fill)]
    books.portfolio.hear(updates)
    commissions.heard(books.portfolio, updates)


def _numbers(orders: Iterable[Order]) -> dict[str, tuple[int, int]]:
    """The highest numbers in the ids of each strategy's orders and groups."""
    found: dict[str, tuple[int, int]] = {}
    for order in orders:
        ticket = order.ticket
        number, group = found.get(ticket.strategy, (0, 0))
        match = _NUMBER.fullmatch(ticket.coid)
        if match is not None and match[1] == ticket.strategy:
            number = max(number, int(match[2]))
        grouped = _GROUP.fullmatch(ticket.oca_group or "")
        if grouped is not None and grouped[1] == ticket.strategy:
            group = max(group, int(grouped[2]))
        found[ticket.strategy] = number, group
    return found
