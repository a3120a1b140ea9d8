"""What the process holds of memory that it does not need: told to the C library at the start, given back now and then.

glibc keeps what was freed. A block above its threshold goes back to the system at once, but it raises the threshold to
the size of each such block that is freed: after a few large answers of the venue's all of them come out of the heap,
and what is made meanwhile and stays keeps it from shrinking. So the threshold is fixed. Each thread may also get a heap
of its own, which grows to the most that thread ever had: two serve all of them.

A connection that is gone leaves cycles behind, with buffers of some ten thousand bytes each. The interpreter looks for
cycles seldom here (`cli/run.py`), and never among what is old: so that is done when no order is on its way anyway.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from typing import Final

_HEAPS_MAX: Final = 2
_LARGE_BYTES: Final = 128 << 10
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # names of `mallopt`, malloc.h


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
