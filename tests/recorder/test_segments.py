"""Segments: what was flushed can be read, whatever happened next; nothing is lost silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RecordingError
from engine.recording.segments import Segments, records, segments


@given(batches=st.lists(st.lists(st.binary(max_size=300), max_size=5), max_size=12), size=st.integers(1, 2_000))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = Segments(folder, "x", segment_bytes=size)
    for batch in batches:
        log.append(batch)
    assert list(records(folder, "x")) == [one for batch in batches for one in batch]  # not closed yet: a crash
    log.close()
    assert list(records(folder, "x")) == [one for batch in batches for one in batch]


def test_a_torn_end_costs_the_last_record_only(tmp_path: Path) -> None:
    log = Segments(tmp_path, "x")
    log.append([b"first"])
    whole = segments(tmp_path, "x")[0].stat().st_size
    log.append([bytes(range(256)) * 8])
    path = segments(tmp_path, "x")[0]
    path.write_bytes(path.read_bytes()[: whole + 20])
    assert list(records(tmp_path, "x")) == [b"first"]
    log.close()


def test_the_oldest_segments_go_and_that_is_said(tmp_path: Path) -> None:
    log = Segments(tmp_path, "x", segment_bytes=50, total_bytes=300)
    for number in range(40):
        log.append([f"record {number:06d} {number * 7919:x}".encode() * 3])
    log.close()
    assert sum(path.stat().st_size for path in segments(tmp_path, "x")) <= 400
    with pytest.raises(RecordingError, match="is gone"):
        list(records(tmp_path, "x"))


def test_a_segment_that_was_changed_is_found(tmp_path: Path) -> None:
    log = Segments(tmp_path, "x", segment_bytes=10)
    log.append([b"a" * 100])
    log.append([b"b" * 100])
    log.close()
    path = segments(tmp_path, "x")[0]
    data = bytearray(path.read_bytes())
    data[12] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(RecordingError):
        list(records(tmp_path, "x"))
