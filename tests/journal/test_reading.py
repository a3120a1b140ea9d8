"""A journal that is only read: beside its writer, after its writer, and when it is no journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.journal.durable import DurableJournal
from engine.journal.reading import JournalReader

ROWS = [(n, "answer" if n % 2 else "write", f"s-{n:06d}", {"n": n, "text": "x" * 200}) for n in range(1, 101)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    made = DurableJournal(tmp_path / "j.db")
    made.write(ROWS, coids=["s-000001", "s-000002"])
    made.close()
    return tmp_path / "j.db"


def test_it_reads_beside_the_writer_and_sees_what_was_stored(journal: Path) -> None:
    writer = DurableJournal(journal)
    reader = JournalReader(journal)
    writer.write([(200, "latch", "operator", "late")])
    assert [row.body for row in reader.rows(after=100)] == ['"late"']
    assert [row.seq for row in reader.last(2)] == [100, 101]
    assert reader.coids() == {"s-000001", "s-000002"}
    assert [row.seq for row in reader.select("name = ?", ("s-000007",))] == [7]
    assert reader.verify() == []
    reader.close()
    writer.close()


def test_reading_changes_nothing(journal: Path) -> None:
    before = journal.read_bytes()
    reader = JournalReader(journal)
    assert len(list(reader.rows())) == 100
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._database.execute("DELETE FROM facts")
    reader.close()
    assert journal.read_bytes() == before


def test_a_changed_row_is_found(journal: Path) -> None:
    with sqlite3.connect(journal) as database:
        database.execute("UPDATE facts SET body = '1' WHERE seq = 40")
    database.close()
    reader = JournalReader(journal)
    assert reader.verify() == ["row 40 is not what was written"]
    reader.close()


def test_a_page_that_can_t_be_read_is_one_sentence(journal: Path) -> None:
    whole = bytearray(journal.read_bytes())
    for page in range(3, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    journal.write_bytes(bytes(whole))
    reader = JournalReader(journal)
    with pytest.raises(InputError, match="is damaged"):
        list(reader.rows())
    assert reader.verify() != []
    reader.close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("PRAGMA user_version = 99", "format 99, written by a newer version"),
        ("PRAGMA application_id = 1", "no journal of the engine's"),
    ],
)
def test_a_stranger_s_or_newer_file_is_refused(journal: Path, change: str, sentence: str) -> None:
    with sqlite3.connect(journal) as database:
        database.execute(change)
    database.close()
    with pytest.raises(InputError, match=sentence):
        JournalReader(journal)


def test_what_is_no_database_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("hello " * 1000)
    with pytest.raises(InputError, match="is damaged"):
        JournalReader(tmp_path / "text.db")
    with pytest.raises(InputError, match="there is no such journal"):
        JournalReader(tmp_path / "none.db")
