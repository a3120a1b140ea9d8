"""What the edges fulfil. An actor's task is handed one of these and knows no more of the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from engine.domain.brokerage import (
    Availability,
    Balance,
    BrokerNews,
    CancelAnswer,
    ExecutionsKnown,
    NotYetKnown,
    OrdersKnown,
    Preview,
    Prompted,
    VenueOrder,
    VenuePosition,
    WriteAnswer,
)
from engine.domain.depth import Depth
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, MarketEvent
from engine.domain.ticket import OrderTicket


class Clock(Protocol):
    """The time a session lives by: the wall's, or a simulated gateway's that runs faster.

    Whatever waits for the venue (budgets, time-outs, settle times, calendars) waits on this clock; how long our own
    code took is measured on the wall.
    """

    def now_ns(self) -> int:
        """Nanoseconds UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of this clock's seconds; at once if not above zero."""

    async def sleep_until(self, moment_ns: int) -> None:
        """Wait until this clock shows `moment_ns`."""


class Permit(Protocol):
    """Whether a request that is being made ready may leave: granted or refused, once. Until then nothing leaves."""

    @property
    def granted(self) -> bool:
        """Whether it may leave now."""

    async def settled(self) -> bool:
        """Wait until it is granted (True) or refused."""

    def arm(self, go: Callable[[], None]) -> None:
        """Have `go` called by whoever grants it, in the thread that does, but not after `disarm`; at once if it is
        granted already, never if it is refused. It must neither wait nor raise."""

    def disarm(self) -> None:
        """When this returns, `go` has been called to its end, or never will be."""


class ReadyPlacement(Protocol):
    """A placement that waits for its permit, in a round that it has opened."""

    def round(self) -> AbstractContextManager[None]:
        """That round, until it is left."""

    async def answer(self) -> WriteAnswer:
        """As `Broker.place`."""


class Broker(Protocol):
    """Where orders go. Every write goes out once; what its silence means is the caller's business.

    Raises, wherever a method speaks to the venue: VenueUnreachable (nothing left us), AnswerLost (a write may have
    arrived), VenueRefused (a read or an idempotent request was refused).
    """

    async def place(self, tickets: Sequence[OrderTicket], *, permit: Permit | None = None) -> WriteAnswer:
        """Send one order, a bracket (entry first) or an OCA group; not before the permit is granted.

        VenueUnreachable if it is refused: nothing left us.
        """

    def ready(self, tickets: Sequence[OrderTicket], permit: Permit, *, urgent: bool = False) -> ReadyPlacement | None:
        """Open a round and make a placement ready, in this turn of the loop; None where that has to wait: then a
        round is opened, and `place` called, as ever."""

    async def preview(self, tickets: Sequence[OrderTicket]) -> Preview:
        """Ask what one order or a bracket (entry first) would do; nothing is sent to the market."""

    async def reply(self, reply_id: str, *, confirmed: bool) -> WriteAnswer:
        """Answer a question."""

    async def modify(self, order_id: str, ticket: OrderTicket, *, permit: Permit | None = None) -> WriteAnswer:
        """Replace a working order by a full ticket; of the permit as `place`."""

    async def cancel(self, order_id: str, *, urgent: bool) -> CancelAnswer:
        """Ask for a cancellation; `urgent` is a halt's or a risk-driven one."""

    async def cancel_all(self) -> CancelAnswer:
        """Cancel every order of the account, foreign ones too."""

    async def answer_prompt(self, prompt: Prompted, option: str) -> None:
        """Choose one of a prompt's options."""

    async def orders(self) -> OrdersKnown | NotYetKnown:
        """Read the day's orders."""

    async def executions(self) -> ExecutionsKnown | NotYetKnown:
        """Read the executions of the last seven trading days."""

    async def order(self, order_id: str) -> VenueOrder:
        """Read one order's own page."""

    async def positions(self) -> tuple[VenuePosition, ...]:
        """Read positions, past the venue's cache."""

    async def ledger(self) -> Mapping[str, Balance]:
        """Read cash, and what is owed, by currency."""

    async def suppress(self, message_ids: Sequence[str]) -> None:
        """Give the session the whole list of questions that need not be asked."""

    async def reset_suppression(self) -> None:
        """Have all questions asked again."""

    async def news(self) -> Sequence[BrokerNews]:
        """Wait until there is something, and take all of it, oldest first: rows, executions, the session, notices.

        An overflow of the buffer behind it ends the session: it goes down, comes up again and is primed.
        """

    def round(self, *, urgent: bool = False) -> AbstractAsyncContextManager[None]:
        """The critical section of one order write with its replies: no other request but a tickle or an urgent cancel
        goes out meanwhile.

        An `urgent` one closes a position for a halt: it does not wait for the stream of a session whose accounts are
        loaded.
        """


class MarketData(Protocol):
    """Live market data of the instruments that were subscribed to."""

    async def subscribe(self, instruments: Sequence[Instrument]) -> None:
        """Want these from now on, through every loss of the session; more may be added later."""

    async def subscribe_depth(self, instruments: Sequence[Instrument]) -> None:
        """Want the books of these, too, beyond their best bid and offer."""

    async def news(self) -> Sequence[MarketEvent | Availability | Depth]:
        """Wait until there is something, and take all of it, oldest first.

        Where the taker is slow, quotes and books keep the latest and trades add up (`sampled`); `conflated` counts
        them.
        """

    def relay(self, take: Callable[[Sequence[MarketEvent | Availability | Depth]], bool]) -> None:
        """Offer news to `take` as it comes; what it does not take (False) waits for `news`."""

    @property
    def conflated(self) -> int:
        """How many quotes and trades were folded into later ones because nobody took them."""

    def silent_s(self, conid: int) -> float | None:
        """Seconds of the venue's clock since data of an instrument last came; None before the first."""

    async def bars(self, instrument: Instrument, *, start_ns: int, end_ns: int, span_ns: int) -> Sequence[Bar]:
        """Past bars whose end lies in (start, end], for warming up and filling gaps."""
