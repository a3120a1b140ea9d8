"""The daemon's journal: numbered, chained, synced, and honest about a full disk."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CoidUsed, InputError, JournalFull
from engine.journal.committer import Committer
from engine.journal.durable import DurableJournal

ROWS = [(1, "intent", "s", {"a": 1}), (2, "write", "s-000001", ["x", None])]


def cap(journal: DurableJournal, pages_more: int) -> None:
    """Make the disk full after so many more pages."""
    database = journal._database
    used = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {used + pages_more}")


def test_rows_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    assert journal.write(ROWS) == 2
    journal.close()
    again = DurableJournal(tmp_path / "j.db")
    assert again.write([(3, "answer", "s-000001", "ok")]) == 3
    assert [(r.seq, r.kind, r.name, r.body) for r in again.rows()] == [
        (1, "intent", "s", '{"a":1}'),
        (2, "write", "s-000001", '["x",null]'),
        (3, "answer", "s-000001", '"ok"'),
    ]
    assert [r.seq for r in again.rows(after=1, name="s-000001")] == [2, 3]
    assert [r.seq for r in again.rows(kinds=("intent", "answer"))] == [1, 3]
    assert again.verify() == []
    again.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    assert (tmp_path / "j.db").stat().st_mode & 0o777 == 0o600
    journal.close()


def test_a_client_order_id_is_given_once_for_ever(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    journal.write(ROWS, coids=["s-000001"])
    journal.close()
    journal = DurableJournal(tmp_path / "j.db")
    with pytest.raises(CoidUsed):
        journal.write(ROWS, coids=["s-000002", "s-000001"])
    assert journal.last_seq == 2  # none of it was stored
    journal.write(ROWS, coids=["s-000002"])
    assert journal.verify() == []
    journal.close()


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("UPDATE facts SET body = '0' WHERE seq = 2", "row 2 is not what was written"),
        ("UPDATE facts SET ts_ns = 9 WHERE seq = 1", "row 1 is not what was written"),
        ("DELETE FROM facts WHERE seq = 2", "rows 2 to 2 are missing"),
    ],
)
def test_verify_finds_what_was_changed_or_lost(tmp_path: Path, damage: str, word: str) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    journal.write([*ROWS, (3, "end", "", None)])
    journal.close()
    with sqlite3.connect(tmp_path / "j.db") as database:
        database.execute(damage)
    database.close()
    journal = DurableJournal(tmp_path / "j.db")
    assert any(word in line for line in journal.verify())
    journal.close()


def test_a_torn_page_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = DurableJournal(path)
    journal.write([(n, "fact", f"n{n}", "x" * 500) for n in range(200)])
    journal.close()
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096)
    with pytest.raises(InputError, match="journal"):
        DurableJournal(path)


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 30, None])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "j.db"
    if content is None:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE t (x)")
        other.commit()
        other.close()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="journal"):
        DurableJournal(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    DurableJournal(tmp_path / "j.db").close()
    other = sqlite3.connect(tmp_path / "j.db")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(InputError, match="newer version"):
        DurableJournal(tmp_path / "j.db")


def test_a_full_disk_refuses_orders_and_still_takes_what_matters(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    journal.write(ROWS)
    cap(journal, 2)
    big = [(3, "fact", "n", "x" * 50_000)]
    with pytest.raises(JournalFull):
        journal.write(big, coids=["c"])
    assert journal.low
    assert (tmp_path / "j.db.reserve").exists()  # kept for what matters
    with pytest.raises(JournalFull, match="reserve"):
        journal.write(big, essential=True)
    assert not (tmp_path / "j.db.reserve").exists()
    cap(journal, 100)  # what giving up the reserve does on a real disk
    journal.write(big, essential=True)
    assert journal.verify() == []
    assert journal.last_seq == 3
    journal.close()


def test_once_the_reserve_is_given_up_orders_wait_until_there_is_room_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = DurableJournal(tmp_path / "j.db")
    journal.write(ROWS)
    cap(journal, 2)
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(JournalFull, match="reserve"):
        journal.write([(3, "fact", "n", "x" * 50_000)], essential=True)
    cap(journal, 100)  # what giving up the reserve does on a real disk
    with pytest.raises(JournalFull):
        journal.write([(3, "write", "c", 1)], coids=["c"])
    journal.write([(3, "cancel", "c", 1)], essential=True)
    with pytest.raises(JournalFull):
        journal.write([(4, "write", "c", 1)], coids=["c"])
    monkeypatch.undo()  # somebody has made room
    assert journal.write([(4, "write", "c", 1)], coids=["c"]) == 4
    assert (tmp_path / "j.db.reserve").exists()
    assert not journal.low
    journal.close()


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from engine.journal.durable import DurableJournal
        journal = DurableJournal(Path(sys.argv[1]))
        for number in range(10_000):
            journal.write([(number, "fact", "n", number)], coids=[f"c{number}"])
            print(number, flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "j.db")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(40):
        said = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    said = max([said, *map(int, child.stdout.read().split())])
    child.stdout.close()
    child.wait()
    journal = DurableJournal(tmp_path / "j.db")
    assert journal.verify() == []
    assert journal.last_seq >= said + 1
    with pytest.raises(CoidUsed):
        journal.write([], coids=[f"c{said}"])
    journal.close()


@given(st.lists(st.tuples(st.integers(0, 2**62), st.text(max_size=5), st.text(max_size=5), st.integers() | st.text())))
def test_any_rows_verify(rows: list[tuple[int, str, str, object]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.journal.durable.RESERVE_BYTES", 1)
        with tempfile.TemporaryDirectory() as folder:
            journal = DurableJournal(Path(folder) / "j.db")
            clean = [
                (t, k.encode("utf-8", "ignore").decode(), n.encode("utf-8", "ignore").decode(), w)
                for t, k, n, w in rows
            ]
            journal.write(clean)
            assert [(r.ts_ns, r.kind, r.name) for r in journal.rows()] == [row[:3] for row in clean]
            assert journal.verify() == []
            journal.close()


async def test_those_who_wait_together_are_stored_in_one_commit(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    committer = Committer(journal)
    stored: list[int] = []

    async def one(number: int) -> None:
        await committer.store([(number, "fact", "n", number)])
        assert journal.last_seq >= 1
        stored.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(one, number)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(committer.run)
        while len(stored) < 50:
            await trio.sleep(0)
        nursery.cancel_scope.cancel()
    assert committer.commits == 1
    assert committer.stored == 50
    journal.close()


async def test_a_used_id_fails_its_own_rows_alone(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    journal.write([], coids=["taken"])
    committer = Committer(journal)
    async with trio.open_nursery() as nursery:
        done = []

        async def good() -> None:
            await committer.store([(1, "fact", "good", 1)], coids=["new"])
            done.append("good")

        async def bad() -> None:
            with pytest.raises(CoidUsed):
                await committer.store([(1, "fact", "bad", 1)], coids=["taken"])
            done.append("bad")

        nursery.start_soon(good)
        nursery.start_soon(bad)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(committer.run)
        while len(done) < 2:
            await trio.sleep(0)
        nursery.cancel_scope.cancel()
    assert [row.name for row in journal.rows()] == ["good"]
    journal.close()


async def test_rows_handed_over_are_stored_though_nobody_waits_any_more(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    committer = Committer(journal)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0):
            await committer.store([(1, "fact", "n", 1)])
        nursery.start_soon(committer.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert journal.last_seq == 1
    journal.close()


def malformed(monkeypatch: pytest.MonkeyPatch, journal: DurableJournal) -> threading.Event:
    """From now on the journal's file is damaged; a write says so once the event is set, as it is."""
    go_on = threading.Event()
    go_on.set()

    def broken(*args: object, **named: object) -> int:
        go_on.wait()
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(journal, "write", broken)
    return go_on


async def test_a_journal_that_breaks_ends_the_committer_and_nothing_counts_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    committer = Committer(journal)

    malformed(monkeypatch, journal)
    told: list[str] = []

    async def one() -> None:
        await committer.store([(1, "fact", "n", 1)])
        told.append("stored")

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(committer.run)

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert caught.group_contains(sqlite3.DatabaseError, match="malformed")
    assert told == []
    assert committer.stored == 0
    journal.close()


async def test_what_waits_for_a_journal_that_breaks_hears_that_it_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    committer = Committer(journal)
    go_on = malformed(monkeypatch, journal)
    go_on.clear()
    told: list[str] = []

    async def one(name: str) -> None:
        with trio.CancelScope(shield=True), pytest.raises(JournalFull, match="has broken"):
            await committer.store([(1, "fact", name, 1)])
        told.append(name)

    async def all_three() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(committer.run)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(one, "under way")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(one, "waits")
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()

    with pytest.raises(ExceptionGroup) as caught:
        await all_three()
    assert caught.group_contains(sqlite3.DatabaseError, match="malformed")
    assert sorted(told) == ["under way", "waits"]
    with pytest.raises(JournalFull, match="has broken"):
        await committer.store([(1, "fact", "later", 1)])
    journal.close()


async def test_what_comes_while_a_commit_is_under_way_goes_together_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    committer = Committer(journal)
    write, go_on = journal.write, threading.Event()

    def slow(*args: Any, **named: Any) -> int:
        assert threading.current_thread() is not threading.main_thread()
        go_on.wait(10)
        return write(*args, **named)

    monkeypatch.setattr(journal, "write", slow)
    async with trio.open_nursery() as running:
        running.start_soon(committer.run)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as storing:
            for number in range(20):
                storing.start_soon(committer.store, [(number, "fact", "n", number)])
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()
        running.cancel_scope.cancel()
    assert (committer.commits, committer.stored) == (2, 20)
    assert sorted(row.ts_ns for row in journal.rows()) == list(range(20))
    journal.close()


async def test_who_waits_to_go_is_called_once_the_rows_can_be_read_and_not_if_they_are_not_stored(
    tmp_path: Path,
) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    seen: list[tuple[str, int]] = []

    def then() -> None:
        reader = sqlite3.connect(tmp_path / "j.db")
        seen.append((threading.current_thread().name, reader.execute("SELECT max(seq) FROM facts").fetchone()[0]))
        reader.close()

    async with trio.open_nursery() as nursery:
        committer = Committer(journal)
        nursery.start_soon(committer.run)
        await trio.testing.wait_all_tasks_blocked()
        await committer.begin(ROWS, coids=["a"], then=then).wait()
        assert seen == [("journal", 2)]
        with pytest.raises(CoidUsed):
            await committer.begin(ROWS, coids=["a"], then=then).wait()
        assert len(seen) == 1
        nursery.cancel_scope.cancel()
    journal.close()


def test_few_rows_and_many_are_stored_alike_and_a_used_id_takes_all_of_them_back(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    rows = [(number, "k", f"n{number}", {"n": number}) for number in range(40)]
    for size in (1, 5, 40):
        before = journal.last_seq
        assert journal.write(rows[:size], coids=[f"c{size}", f"d{size}"]) == before + size
        assert [row.name for row in journal.rows(after=before)] == [f"n{number}" for number in range(size)]
        for again in (1, 40):
            with pytest.raises(CoidUsed):
                journal.write(rows[:again], coids=["new", f"d{size}"])
            assert journal.last_seq == before + size
    assert journal.sent_coids() == ["c1", "d1", "c5", "d5", "c40", "d40"]
    assert journal.verify() == []
    journal.close()


def test_the_log_is_laid_out_at_the_start_and_used_anew_after_tidying(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path / "j.db")
    log = tmp_path / "j.db-wal"
    size = log.stat().st_size
    assert size >= 4 << 20
    for _ in range(8):
        for _ in range(200):
            journal.write([(1, "k", "n", "x" * 3_000)])
        journal.tidy()
        assert journal.untidied == 0
    assert log.stat().st_size == size
    assert journal.verify() == []
    journal.close()
    assert not log.exists()
