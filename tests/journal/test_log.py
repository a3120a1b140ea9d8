"""A log whose middle is damaged is no log that ended there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.journal.durable import DurableJournal
from engine.journal.log import commits_passed_over
from engine.journal.reading import JournalReader

HEADER, FRAME = 32, 24 + 4096
Damage = Callable[[bytearray], None]


def killed(folder: Path, commits: int, damage: Damage) -> Path:
    """The journal of a process that was killed after so many commits, its log damaged after that."""
    live, path = folder / "live.db", folder / "journal.db"
    journal = DurableJournal(live)
    journal.tidy()  # what made the tables is in the file
    for number in range(commits):
        journal.write([(number, "answer", "a-000001", {"number": number})], coids=[f"a-{number:06d}"])
    shutil.copy(live, path)
    log = bytearray((folder / "live.db-wal").read_bytes())
    damage(log)
    (folder / "journal.db-wal").write_bytes(log)
    journal.close()
    return path


def frames(log: bytearray) -> list[int]:
    """Where the frames of the log's last turn begin."""
    salts = log[16:24]
    return [at for at in range(HEADER, len(log) - FRAME + 1, FRAME) if log[at + 8 : at + 16] == salts]


def commits(log: bytearray) -> list[int]:
    """Where the frames begin that end a commit."""
    return [at for at in frames(log) if int.from_bytes(log[at + 4 : at + 8], "big")]


def untouched(log: bytearray) -> None:
    del log


def turned_at(which: int) -> Damage:
    """One bit of a commit's page."""

    def damage(log: bytearray) -> None:
        log[commits(log)[which] + 24 + 100] ^= 1

    return damage


def torn(log: bytearray) -> None:
    """The machine lost its power while the last commit was on its way: its last frame is there, one before is not."""
    last, before = commits(log)[-1], commits(log)[-2]
    first = frames(log)[frames(log).index(before) + 1]
    assert first < last, "a commit of several frames"
    log[first : first + FRAME] = bytes(FRAME)


def beheaded(log: bytearray) -> None:
    log[18] ^= 1


def renewed(log: bytearray) -> None:
    """Killed between the header of the log's next turn and its first frame."""
    first, second = 0, 0
    log[16:24] = b"another "
    for at in range(0, 24, 8):  # SQLite's sum over a header whose words are little-endian
        first = (first + int.from_bytes(log[at : at + 4], "little") + second) & 0xFFFFFFFF
        second = (second + int.from_bytes(log[at + 4 : at + 8], "little") + first) & 0xFFFFFFFF
    log[24:32] = first.to_bytes(4, "big") + second.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("damage", "rows", "missing"),
    [(untouched, 9, 0), (turned_at(-1), 8, 1), (torn, 8, 1), (renewed, 0, 0)],
    ids=["killed", "last commit", "power lost", "next turn"],
)
def test_what_a_kill_or_a_loss_of_power_leaves_is_taken(
    tmp_path: Path, damage: Damage, rows: int, missing: int
) -> None:
    reader = JournalReader(killed(tmp_path, 9, damage))
    reader.whole()
    assert len(list(reader.rows())) == rows
    assert commits_passed_over(reader.path) == missing
    reader.close()


@pytest.mark.parametrize(
    ("damage", "missing"),
    [(turned_at(0), 9), (turned_at(4), 5), (turned_at(-2), 2), (beheaded, 9)],
    ids=["first", "middle", "last but one", "header"],
)
def test_commits_behind_a_damaged_one_are_not_lost_in_silence(tmp_path: Path, damage: Damage, missing: int) -> None:
    reader = JournalReader(killed(tmp_path, 9, damage))
    with pytest.raises(InputError, match=f"damaged .its log can't be read to the end, and {missing} commits lie"):
        reader.whole()
    reader.close()


def test_a_log_that_is_no_log_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    DurableJournal(path).close()
    assert commits_passed_over(path) == 0
    for content in (b"", b"short", bytes(10_000)):
        path.with_name("journal.db-wal").write_bytes(content)
        path.with_name("journal.db-shm").write_bytes(bytes(32_768))
        assert commits_passed_over(path) == 0
