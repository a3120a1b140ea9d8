"""A guard's log has a bound, and a guard that can't start says why in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.guard.launch import launch
from engine.operator.folder import StateFolder


def test_the_log_says_why_and_is_put_aside_when_it_is_long() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = StateFolder(Path(name))
        folder.guard_log.write_bytes(b"x" * ((1 << 20) + 1))
        child = launch(folder, "nowhere:none")
        assert child.wait(60) == 2
        assert folder.guard_log.read_text().startswith(
            "engine.guard: nowhere:none: the way to the venue can't be found"
        )
        assert folder.guard_log.with_name("guard.log.1").stat().st_size == (1 << 20) + 1
