"""The write-ahead log beside a journal: whether commits lie in it that SQLite passes over in silence.

SQLite takes the log for ended at the first frame whose checksum does not follow on, be it that the machine lost its
power in the last commit or that a bit has turned in an old one. Commits are synced one after another, so at most one
can lie behind such a frame after a loss of power. Where more do, the log is damaged, and what it held is missing.

The formats are SQLite's (https://www.sqlite.org/walformat.html): a header of 32 bytes, then frames of a header of 24
and a page; and in the index beside it the number of frames that count, at byte 16, and the log's salts, at byte 32.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from struct import Struct, error, iter_unpack
from typing import Final

_HEADER: Final = Struct(">8I")  # magic, version, page size, number, two salts, two checksums
_FRAME: Final = Struct(">4I")  # page, pages after a commit (else 0), two salts
_INDEX: Final = Struct("=16xI12x8s")
_FRAME_BYTES: Final = 24
_PAGE_BYTES: Final = 4096
_MAGIC: Final = 0x377F0682  # with its last bit set the checksums are of big-endian words


def commits_passed_over(journal: Path) -> int:
    """How many commits lie behind the last frame that counts, in a log that nobody else is writing.

    To be asked while a connection is open that has read from the journal: then the index stands.
    """
    try:
        log = journal.with_name(journal.name + "-wal").read_bytes()
        counted, salts = _INDEX.unpack_from(journal.with_name(journal.name + "-shm").read_bytes())
        magic, _, page_bytes, *_ = _HEADER.unpack_from(log)
        if _is_whole(log[: _HEADER.size], magic):
            salts = log[16:24]
        else:  # nothing of it counts; whose frames these are, the first one says
            counted, page_bytes = 0, _PAGE_BYTES
            salts = log[_HEADER.size + 8 : _HEADER.size + 16]
    except (OSError, error):
        return 0
    step = _FRAME_BYTES + page_bytes
    starts = range(_HEADER.size + counted * step, len(log) - step + 1, step)
    return sum(
        any(salts) and log[start + 8 : start + 16] == salts and _FRAME.unpack_from(log, start)[1] > 0
        for start in starts
    )


def _is_whole(header: bytes, magic: int) -> bool:
    if magic & ~1 != _MAGIC:
        return False
    words = iter_unpack(">II" if magic & 1 else "<II", header[:24])

    def add(sums: tuple[int, int], pair: tuple[int, ...]) -> tuple[int, int]:
        first = (sums[0] + pair[0] + sums[1]) & 0xFFFFFFFF
        return first, (sums[1] + pair[1] + first) & 0xFFFFFFFF

    *_, found = accumulate(words, add, initial=(0, 0))
    return found == Struct(">II").unpack(header[24:32])
