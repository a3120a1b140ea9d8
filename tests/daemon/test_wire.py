"""The wire log serves trading, and never the other way round."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import trio

from engine.daemon import wire
from engine.recording.segments import Segments, records
from engine.runtime.live.letters import Ready
from engine.webapi.clock import WallClock


async def test_a_letter_that_can_not_be_written_ends_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    kept = wire.WireKeeper(tmp_path, WallClock(), said.append)

    def unable(*_one: object) -> bytes:
        raise TypeError("only dicts with str keys")

    monkeypatch.setattr(wire, "FLUSH_S", 0.01)
    monkeypatch.setattr(wire, "write", unable)
    async with trio.open_nursery() as nursery:
        await nursery.start(kept.run)
        kept.note("feed", 1, Ready())
        with trio.fail_after(60):
            while not said:
                await trio.sleep(0.01)
        kept.note("feed", 2, Ready())  # with a gap before it, it would be of no use
        kept.asked("GET", "/v1/api/tickle", None)
        nursery.cancel_scope.cancel()
    assert said == ["wire_not_recorded: only dicts with str keys"]
    assert kept.lost == 1
    assert list(records(tmp_path, "inputs")) == []
    assert len(list(records(tmp_path, "wire"))) == 1


async def test_a_disk_that_stays_full_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    kept = wire.WireKeeper(tmp_path, WallClock(), said.append)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(wire, "FLUSH_S", 0.01)
    monkeypatch.setattr(Segments, "_put", full)
    async with trio.open_nursery() as nursery:
        await nursery.start(kept.run)
        for lost in range(1, 4):
            kept.asked("GET", "/v1/api/tickle", None)
            with trio.fail_after(60):
                while kept.lost < lost:
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert said == ["wire_not_recorded: [Errno 28] No space left on device"]
