"""The journal of a run: rows come back, the hash knows no batches, equal runs leave equal bytes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, InvariantBroken
from engine.journal import run
from engine.journal.run import Row, RunJournal
from tests.domain.made import filled, ticket

bodies: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5) | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
rows_of_all = st.lists(
    st.tuples(st.integers(0, 2**62), st.sampled_from(["answer", "log"]), st.text(max_size=6), bodies), max_size=12
)


@contextmanager
def journal() -> Iterator[RunJournal]:
    made = RunJournal()
    try:
        yield made
    finally:
        made.close()


def plain(value: Any) -> Any:
    """A body as JSON has it: money is text, so that nothing is lost."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value


@given(rows=rows_of_all)
def test_rows_come_back_as_written(rows: list[Row]) -> None:
    with journal() as made:
        made.record(rows)
        found = [(ts, kind, name, json.loads(body)) for ts, kind, name, body in made.rows()]
    assert found == [(ts, kind, name, plain(body)) for ts, kind, name, body in rows]


@given(rows=rows_of_all, data=st.data())
def test_the_hash_is_that_of_a_line_of_json_a_row_however_they_came(rows: list[Row], data: st.DataObject) -> None:
    whole = hashlib.sha256()
    for row in rows:
        line = json.dumps(plain(list(row)), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        whole.update(line.encode() + b"\n")
    bound = run._HELD_MAX
    run._HELD_MAX = data.draw(st.integers(1, 500))  # type: ignore[misc]
    try:
        with journal() as made:
            left = list(rows)
            while left:
                count = data.draw(st.integers(1, len(left)))
                made.record(left[:count])
                left = left[count:]
                if data.draw(st.booleans()):
                    made.digest()
            assert made.digest() == whole.digest()
            assert len(list(made.rows())) == len(rows)
    finally:
        run._HELD_MAX = bound  # type: ignore[misc]


def test_what_waits_in_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_HELD_MAX", 100)
    with journal() as made:
        for number in range(30):
            made.record([(number, "log", "s", None)])
            assert sum(map(len, made._held)) < 100
        made.record([(number, "log", "s", None) for number in range(11)])
        assert not made._held
        assert [row[0] for row in made.rows()] == [*range(30), *range(11)]


def save(path: Path) -> bytes:
    made = RunJournal(path.with_name("working"))
    made.record([(1, "answer", "s-000001", filled(1, "2.50")), (2, "approved", "s-000001", ticket())])
    made.digest()
    made.record([(3, "log", "s", {"b": 1, "a": [Decimal("1.10"), None]})])
    made.save(path)
    return path.read_bytes()


def test_equal_runs_leave_equal_bytes(tmp_path: Path) -> None:
    first = save(tmp_path / "one.db")
    (tmp_path / "two.db").write_text("something older")
    assert save(tmp_path / "two.db") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.db", "two.db"]


def test_the_file_is_for_people(tmp_path: Path) -> None:
    save(tmp_path / "journal.db")
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        rows = database.execute("SELECT seq, ts_ns, kind, name, body FROM facts ORDER BY seq").fetchall()
        assert database.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == ("1",)
    assert [row[:4] for row in rows] == [
        (1, 1, "answer", "s-000001"),
        (2, 2, "approved", "s-000001"),
        (3, 3, "log", "s"),
    ]
    fact = json.loads(rows[0][4])
    assert (fact["type"], fact["quantity"], fact["price"], fact["exec_id"]) == ("Filled", "2.50", "9", "e1")
    assert rows[2][4] == '{"a":["1.10",null],"b":1}'


def test_an_unsaved_journal_leaves_nothing(tmp_path: Path) -> None:
    made = RunJournal(tmp_path / "working")
    made.record([(1, "log", "s", None)])
    assert made.digest()
    assert list(tmp_path.iterdir()) == []  # nor does it while it grows
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "working").write_bytes(b"half a journal of old")
    save(tmp_path / "journal.db")
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]


def test_a_journal_that_nobody_saves_has_no_name_on_the_disk() -> None:
    with journal() as made, journal() as other:
        made.record([(number, "log", "s", "x" * 1_000) for number in range(5_000)])
        made.digest()
        assert list(other.rows()) == []  # each has one of its own
        mine = os.fstat(made._lines.fileno())
        assert mine.st_size > 5_000_000
        assert mine.st_nlink == 0
        with pytest.raises(InvariantBroken):
            made.save(Path("somewhere"))


def test_a_disk_that_fills_up_leaves_no_half_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_PRAGMAS", (*run._PRAGMAS, "max_page_count = 20"))  # the disk ends there
    made = RunJournal(tmp_path / "working")
    made.record([(number, "log", "s", "x" * 1_000) for number in range(200)])
    with pytest.raises(InputError, match="can't be written: database or disk is full"):
        made.save(tmp_path / "journal.db")
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_before_the_end_is_told(tmp_path: Path) -> None:
    made = RunJournal(tmp_path / "working")
    made._lines.close()
    made._lines = Path("/dev/full").open("r+b", buffering=0)  # type: ignore[assignment]  # noqa: SIM115
    lot = [(number, "log", "s", "x" * 1_000) for number in range(3_000)]
    made.record(lot)  # writing is a lot behind
    with pytest.raises(InputError, match="can't be written: No space left on device"):
        made.record(lot)
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_can_not_be_put_in_its_place_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    made = RunJournal(tmp_path / "working")
    with pytest.raises(InputError, match="can't be written: Is a directory"):
        made.save(tmp_path / "journal.db")
    made.close()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]


def test_a_journal_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written: No such file"):
        RunJournal(tmp_path / "nowhere" / "working")
