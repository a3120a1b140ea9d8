"""Lanes: letters are taken in their order, each once, by one at a time, whether at once or out of the channel."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.live.lanes import Lane


class Actor:
    """Takes numbers. While it takes one, it may be handed more."""

    def __init__(self) -> None:
        self.lane = Lane[int](100)
        self.taken: list[int] = []
        self.more: dict[int, list[int]] = {}
        self.inside = False

    def take(self, number: int) -> None:
        assert not self.inside, "entered twice"
        self.inside = True
        for one in self.more.pop(number, []):
            self.lane.hand(one)
        self.taken.append(number)
        self.inside = False

    async def run(self) -> None:
        self.lane.open(self.take)
        try:
            async for number in self.lane:
                self.take(number)
        finally:
            self.lane.close()


async def test_an_actor_that_waits_takes_a_letter_at_once() -> None:
    actor = Actor()
    async with trio.open_nursery() as nursery:
        actor.lane.hand(1)  # it does not run yet
        assert actor.taken == []
        nursery.start_soon(actor.run)
        await trio.testing.wait_all_tasks_blocked()
        assert actor.taken == [1]
        actor.lane.hand(2)
        assert (actor.taken, actor.lane.waiting) == ([1, 2], 0)
        nursery.cancel_scope.cancel()


async def test_a_letter_never_overtakes_one_that_waits() -> None:
    actor = Actor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run)
        await trio.testing.wait_all_tasks_blocked()
        actor.lane.send_nowait(1)  # handed to the task, which is not awake yet: in no channel, and not taken
        assert not actor.lane.try_hand(2)
        actor.lane.hand(2)
        assert actor.taken == []
        await trio.testing.wait_all_tasks_blocked()
        assert actor.taken == [1, 2]
        assert actor.lane.try_hand(3)
        nursery.cancel_scope.cancel()


async def test_an_actor_at_work_is_not_entered_again() -> None:
    actor = Actor()
    actor.more = {1: [2, 3], 2: [4]}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run)
        await trio.testing.wait_all_tasks_blocked()
        actor.lane.hand(1)
        assert actor.taken == [1, 2, 3, 4]
        nursery.cancel_scope.cancel()


async def test_an_actor_that_has_ended_takes_nothing() -> None:
    actor = Actor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not actor.lane.try_hand(1)
    assert actor.taken == []


async def test_a_full_channel_says_so() -> None:
    lane = Lane[int](1)
    lane.hand(1)
    with pytest.raises(trio.WouldBlock):
        lane.hand(2)
    assert lane.waiting == 1


@given(steps=st.lists(st.sampled_from(["hand", "send", "turn"]), max_size=40), nested=st.sets(st.integers(0, 40)))
def test_every_letter_is_taken_once_and_those_of_one_sender_in_order(steps: list[str], nested: set[int]) -> None:
    actor = Actor()
    actor.more = {number: [1_000 + number] for number in nested}

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(actor.run)
            sent = 0
            for step in steps:
                if step == "turn":
                    await trio.lowlevel.checkpoint()
                else:
                    (actor.lane.hand if step == "hand" else actor.lane.send_nowait)(sent)
                    sent += 1
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        told = [number for number in actor.taken if number < 1_000]
        assert told == list(range(sent))
        assert sorted(actor.taken) == sorted([*told, *(1_000 + one for one in nested if one < sent)])
        assert actor.lane.waiting == 0

    trio.run(main)
