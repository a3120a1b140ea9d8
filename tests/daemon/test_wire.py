"""The wire log serves trading, and never the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from engine.daemon import wire
from engine.recording.segments import records
from engine.runtime.live.letters import Ready
from engine.webapi.clock import WallClock


async def test_a_letter_that_can_not_be_written_ends_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = wire.WireKeeper(tmp_path, WallClock())

    def unable(*_one: object) -> bytes:
        raise TypeError("only dicts with str keys")

    monkeypatch.setattr(wire, "FLUSH_S", 0.01)
    monkeypatch.setattr(wire, "write", unable)
    async with trio.open_nursery() as nursery:
        await nursery.start(kept.run)
        kept.note("feed", 1, Ready())
        with trio.fail_after(60):
            while not kept.lost:
                await trio.sleep(0.01)
        kept.note("feed", 2, Ready())  # with a gap before it, it would be of no use
        kept.asked("GET", "/v1/api/tickle", None)
        nursery.cancel_scope.cancel()
    assert kept.lost == 1
    assert list(records(tmp_path, "inputs")) == []
    assert len(list(records(tmp_path, "wire"))) == 1
