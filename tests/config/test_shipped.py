"""What the project ships to set itself up: the demo's configuration and the lock file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from engine.config import load

ROOT = Path(__file__).parents[2]


def test_the_demo_loads_and_its_recording_is_there() -> None:
    settings = load(ROOT / "configs" / "demo.toml")
    assert settings.name == "demo"
    assert (settings.recording.path / "recording.toml").is_file()


def test_the_lock_holds_every_dependency_with_hashes_and_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index" not in lock
    pins = re.findall(r"^([a-z0-9_.-]+)==.*?(?=^[a-z]|\Z)", lock, re.MULTILINE | re.DOTALL)
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins)
    assert all("--hash=sha256:" in block for block in blocks)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.match(r"[a-z0-9-]+", one)[0] for one in wanted}  # type: ignore[index]
    assert names <= set(pins)
