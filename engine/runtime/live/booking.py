"""The portfolio task: it alone writes positions and cash, and passes on what they became."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import trio

from engine.portfolio import commissions, money
from engine.portfolio.books import Portfolio
from engine.ports import Clock
from engine.runtime.live.lanes import Outbox
from engine.runtime.live.letters import (
    Became,
    Booked,
    CashTold,
    Charged,
    Deposited,
    Forget,
    Paid,
    PortfolioLetter,
    RiskLetter,
    StrategiesLetter,
    TakenOver,
)

_ZERO: Final = Decimal(0)


class Booking:
    """The portfolio task. `note` is told of each letter before it is decided on."""

    def __init__(
        self,
        portfolio: Portfolio,
        clock: Clock,
        *,
        to_strategies: Outbox[StrategiesLetter],
        to_risk: Outbox[RiskLetter],
        note: Callable[[str, int, PortfolioLetter], None],
    ) -> None:
        self.portfolio = portfolio
        self._clock = clock
        self._to_strategies = to_strategies
        self._to_risk = to_risk
        self._note = note

    async def run(self, inbox: trio.MemoryReceiveChannel[PortfolioLetter]) -> None:
        """Book as updates come, until the channel is closed."""
        async for letter in inbox:
            self._note("portfolio", self._clock.now_ns(), letter)
            booked = self.decide(letter)
            if isinstance(booked, Paid | Deposited):
                self._to_risk.send_nowait(booked)
            elif booked is not None:
                # Risk first: no strategy acts on a position that risk does not know of. Through their channels, because
                # an order may be on its way to the wire in the same turn.
                self._to_risk.send_nowait(booked)
                self._to_strategies.send_nowait(booked)

    def decide(self, letter: PortfolioLetter) -> Booked | Paid | Deposited | None:
        """Book one letter; what risk and strategies hear of it."""
        books = self.portfolio
        match letter:
            case Became(updates=updates):
                positions = books.hear(updates)
                commissions.heard(books, updates)
                books.entries.clear()  # the journal has them: a run of weeks keeps no list of its own
                books.steps.clear()
                return Booked(updates, tuple(positions))
            case Charged(fee=fee):
                currency = books.instruments[fee.conid].currency
                before = sum(books.fees.values(), _ZERO)
                commissions.told(books, fee.execution_id, fee.strategy, fee.amount, currency)
                # What it costs beyond the estimate that came with the execution.
                return Paid(fee.strategy, sum(books.fees.values(), _ZERO) - before)
            case CashTold(currency=currency, amount=amount, why=why):
                before, rate = _deposits(books), books.rates.get(currency, _ZERO)
                money.explained(books, currency, amount, why)
                came = _deposits(books) - before
                return Deposited(came, amount * rate - came)
            case Forget():
                commissions.forget(books)
                return None
            case TakenOver(owner=owner, conid=conid, quantity=quantity, cost=cost):
                before = _deposits(books)
                position = books.take_over(owner, conid, quantity, cost)
                return Booked((), (position,), _deposits(books) - before)


def _deposits(books: Portfolio) -> Decimal:
    """What came into the account in all, in base currency, where the worth of that is known."""
    return sum((amount * books.rates.get(currency, _ZERO) for currency, amount in books.deposits.items()), _ZERO)
