"""The way into an actor: a bounded memory channel, and a short cut for who finds the actor with nothing to do.

A turn of the loop costs an order some fifty microseconds, and six actors are six turns. So whoever has a letter for an
actor that waits, with nothing in its channel, may have it taken at once, in the same turn: the actor's own method
decides, and hands on likewise. An actor that is at work, or has letters waiting, gets the letter through its channel;
so letters are taken in the order in which they came, and no actor is entered twice. One owner stays: what an actor's
core holds is touched by its own methods only, whichever task runs them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import trio

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Outbox(Protocol[T_contra]):
    """Where letters for an actor go."""

    def send_nowait(self, value: T_contra) -> None:
        """Put a letter at the end of the channel. Raises: trio.WouldBlock if it is full."""


class Handed(Outbox[T_contra], Protocol[T_contra]):
    """Where letters go that should be taken at once."""

    def hand(self, letter: T_contra) -> None:
        """Have a letter taken at once if nothing comes before it, else put it at the end of the channel."""


class Lane(Generic[T]):
    """One actor's channel. Iterate over it in the actor's task; asking for a letter says that those before are done.

    Args:
        room: Letters that may wait.
    """

    def __init__(self, room: int) -> None:
        self._outbox, self._inbox = trio.open_memory_channel[T](room)
        self._take: Callable[[T], None] | None = None
        self._under_way: deque[T] | None = None  # in a short cut: what else has come for the actor meanwhile
        self._held = 0
        self.waiting = 0  # in the channel, or out of it and not yet done with

    def open(self, take: Callable[[T], None]) -> None:
        """The actor is ready: while it waits for letters, `take` may be called with one."""
        self._take = take

    def close(self) -> None:
        """The actor takes no more: no short cuts from now on."""
        self._take = None

    def send_nowait(self, value: T) -> None:
        """Put a letter at the end of the channel. Raises: trio.WouldBlock if it is full."""
        self._outbox.send_nowait(value)
        self.waiting += 1

    def hand(self, letter: T) -> None:
        """Have a letter taken at once if nothing comes before it, else put it at the end of the channel."""
        if not self.try_hand(letter):
            self.send_nowait(letter)

    def try_hand(self, letter: T) -> bool:
        """Have a letter taken at once; False if the actor is busy, and then nothing has happened."""
        take = self._take
        if take is None or self.waiting > 0:
            return False
        if self._under_way is not None:
            self._under_way.append(letter)
            return True
        letters = self._under_way = deque((letter,))
        try:
            while letters:
                if self.waiting > 0:  # the actor has put off its rest: what came meanwhile follows that
                    self.send_nowait(letters.popleft())
                else:
                    take(letters.popleft())
        finally:
            self._under_way = None
        return True

    async def send(self, value: T) -> None:
        """Put a letter at the end of the channel, as soon as there is room."""
        self.waiting += 1
        try:
            await self._outbox.send(value)
        except BaseException:
            self.waiting -= 1
            raise

    def receive_nowait(self) -> T:
        """One more letter for the actor's task, before those that it has are done with. Raises: trio.WouldBlock."""
        letter = self._inbox.receive_nowait()
        self._held += 1
        return letter

    def __aiter__(self) -> Lane[T]:
        return self

    async def __anext__(self) -> T:
        self.waiting -= self._held
        self._held = 0
        letter = await self._inbox.receive()
        self._held = 1
        return letter
