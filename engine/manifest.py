"""What a run was made of, each part with its hash: enough to trace any fill to its exact inputs."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

import engine
from engine.recording.reader import Recording
from engine.settings import Settings
from engine.strategy.loading import Loaded

_LIBRARIES = ("attrs", "msgspec", "numpy", "pyarrow", "trio")


def manifest(settings: Settings, recording: Recording, strategies: Sequence[Loaded]) -> dict[str, Any]:
    """Describe a run's inputs: config, code, strategies, data, versions and seed."""
    return {
        "name": settings.name,
        "seed": settings.seed,
        "config": {"file": settings.source.name, "sha256": _file_hash(settings.source), "settings": _plain(settings)},
        "code": {"sha256": _tree_hash(Path(inspect.getfile(engine)).parent)},
        "strategies": [
            {
                "name": loaded.name,
                "file": loaded.file.name,
                "sha256": _file_hash(loaded.file),
                "params": _plain(loaded.params),
            }
            for loaded in strategies
        ],
        "recording": {
            "name": recording.head.name,
            "source": recording.head.source,
            "generated": recording.head.generated,
            "sha256": recording.digest(),
        },
        "versions": {
            "fullticket": version("fullticket"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    }


def _plain(value: Any) -> Any:
    """Values as JSON has them; of a path its name alone, since a manifest goes from machine to machine."""
    return msgspec.to_builtins(value, enc_hook=lambda other: other.name if isinstance(other, Path) else str(other))


def _file_hash(path: Path) -> str:
    with path.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def _tree_hash(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".toml"}:
            whole.update(f"{path.relative_to(folder).as_posix()}\0{_file_hash(path)}\n".encode())
    return whole.hexdigest()
