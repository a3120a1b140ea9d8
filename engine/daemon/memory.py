"""What the process holds of memory that it does not need: told to the C library at the start, given back now and then.

glibc keeps what was freed. A block above its threshold goes back to the system at once, but it raises the threshold to
the size of each such block that is freed: after a few large answers of the venue's all of them come out of the heap,
and what is made meanwhile and stays keeps it from shrinking. So the threshold is fixed. Each thread may also get a heap
of its own, which grows to the most that thread ever had: two serve all of them.

The interpreter's objects lie on some ten thousand pages of 4 KB, and an order walks over a good part of them after a
tenth of a second in which others used the processor: on a virtual machine finding out where a page lies costs as much
as reading it. So after the start they are joined, where the kernel can do that, into pages of 2 MB.

A connection that is gone leaves cycles behind, with buffers of some ten thousand bytes each. The interpreter looks for
cycles seldom here (`cli/run.py`), and never among what is old: so that is done when no order is on its way anyway.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_HEAPS_MAX: Final = 2
_LARGE_BYTES: Final = 128 << 10
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # names of `mallopt`, malloc.h

_HUGE: Final = 2 << 20
_COLLAPSE: Final = 25  # a name of `madvise`, mman.h; Linux 6.1 and later
_FULL: Final = 0.75  # of a stretch in use: joining fills the gaps


def hold_little() -> None:
    """Have the C library give large blocks back at once, and share its heaps; another than glibc is left alone."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_ARENA_MAX, _HEAPS_MAX)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)


def drop_cycles() -> None:
    """Free what only cycles hold on to: some milliseconds, in which the loop stands."""
    gc.collect()


def give_back() -> None:
    """Return what the C library holds back of freed memory to the system, where it can: it does not by itself."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def join_pages() -> None:
    """Have the kernel put the heaps as they are on large pages, in a third of a second; one that can't does not."""
    with suppress(OSError, AttributeError):
        madvise = ctypes.CDLL("libc.so.6").madvise
        with Path("/proc/self/smaps").open() as lines:
            found = list(full_stretches(lines))
        for start, size in found:
            for at in range(start, start + size, _HUGE):
                madvise(ctypes.c_void_p(at), ctypes.c_size_t(_HUGE), _COLLAPSE)


def full_stretches(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Start and size in bytes, on large pages' bounds, of what is writable, of no file, and mostly in use."""
    start = end = 0
    for line in smaps:
        first, *rest = line.split()
        if "-" in first and not first.endswith(":"):
            start, end = (int(part, 16) for part in first.split("-"))
            if not rest[0].startswith("rw") or (len(rest) > 4 and rest[4] != "[heap]"):
                end = start
        elif first == "Rss:" and int(rest[0]) * 1024 >= _FULL * (end - start):
            start, end = -(-start // _HUGE) * _HUGE, end // _HUGE * _HUGE
            if end > start:
                yield start, end - start
