"""When the venue's day turns everybody is told to forget, and then memory is given back; at a start nothing is."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from engine.daemon import memory, tidying
from engine.domain.moments import NS_PER_S
from engine.runtime.live.letters import Forget

MIDNIGHT = 1_772_514_000  # 3 March 2026 in New York, 05:00 UTC
DAY_S = 86_400


class Clock:
    """Trio's, which begins at noon of 2 March."""

    def now_ns(self) -> int:
        return (MIDNIGHT - DAY_S // 2) * NS_PER_S + round(trio.current_time() * NS_PER_S)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class Told:
    """A nursery of actors that takes letters; `done` is all that happened, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        def tell(letter: Forget) -> None:
            self.done.append((name, letter.before_ns // NS_PER_S - MIDNIGHT))

        return tell

    async def digested(self) -> None:
        self.done.append(("digested", 0))


async def at_once(work: Callable[[], None]) -> None:
    """On virtual time a thread takes as long as the clock pleases to jump."""
    work()


async def test_at_each_turn_all_forget_before_memory_is_given_back(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    told = Told()
    for name in ("hold_little", "join_pages", "drop_cycles", "give_back"):
        monkeypatch.setattr(tidying, name, lambda name=name: told.done.append((name, 0)))
    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    daemon: Any = SimpleNamespace(clock=Clock(), nursery=told)
    async with trio.open_nursery() as tasks:
        tasks.start_soon(tidying.tidy, daemon)
        await trio.sleep(tidying.SETTLED_S / 2)  # the start has the machine for itself
        assert told.done == [("hold_little", 0)]
        await trio.sleep(DAY_S // 2 - 2)
        assert told.done == [("hold_little", 0), ("join_pages", 0)]
        await trio.sleep(DAY_S + 120)
        tasks.cancel_scope.cancel()
    freed = [("digested", 0), ("drop_cycles", 0), ("give_back", 0)]
    turns = [
        [("tell_orders", since), ("tell_risk", since), ("tell_portfolio", since), *freed]
        for since in (-DAY_S, 0)  # a whole day before the one that begins stays
    ]
    assert told.done == [("hold_little", 0), ("join_pages", 0), *turns[0], *turns[1]]


def test_cycles_are_dropped_however_old_they_are() -> None:
    class Node:
        me: Node

    node = Node()
    node.me = node
    seen = weakref.ref(node)
    gc.collect()  # it is among the oldest now
    del node
    gc.collect(1)
    assert seen() is not None
    memory.drop_cycles()
    assert seen() is None


def test_another_library_than_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    memory.hold_little()
    memory.give_back()
    memory.join_pages()


def test_the_library_is_told_by_the_numbers_of_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda what, value: told.append((what, value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    memory.hold_little()
    memory.give_back()  # it has no malloc_trim: that is no trouble either
    # M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h; 128 KiB is what both begin with
    assert told == [(-8, 2), (-3, 131_072), (-1, 131_072)]


# As the kernel writes it (proc(5)), shortened. A large page is 0x200000 bytes.
SMAPS = """\
5555000ff000-555500a00000 rw-p 00000000 00:00 0    [heap]
Size:               9220 kB
Rss:                9000 kB
VmFlags: rd wr mr mw me ac
7f0000000000-7f0000800000 rw-p 00000000 00:00 0
Rss:                  16 kB
7f0001000000-7f0001200000 rw-p 00000000 00:00 0
Rss:                2048 kB
7f0002000000-7f0002400000 rw-p 00000000 fe:00 77    /usr/lib/some.so
Rss:                4096 kB
7f0003000000-7f0003400000 r-xp 00000000 00:00 0
Rss:                4096 kB
7f0004100000-7f0004300000 rw-p 00000000 00:00 0
Rss:                2048 kB
7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0    [stack]
Rss:                4096 kB
"""


def test_only_heaps_in_use_that_hold_a_whole_large_page_are_joined() -> None:
    heap, arena = 0x555500200000, 0x7F0001000000
    assert list(memory.full_stretches(SMAPS.splitlines())) == [(heap, 4 * 0x200000), (arena, 0x200000)]


def test_pages_are_joined_one_by_one_by_the_number_of_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []
    library = SimpleNamespace(madvise=lambda at, size, what: told.append((at.value, size.value, what)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(memory, "full_stretches", lambda lines: iter([(0x600000, 0x400000)]))
    memory.join_pages()
    assert told == [(0x600000, 0x200000, 25), (0x800000, 0x200000, 25)]  # MADV_COLLAPSE of mman.h
