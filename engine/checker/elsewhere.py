"""The same run in a process of its own with another PYTHONHASHSEED, which is read once when Python starts.

Sets of texts, and whatever is made of them, come in another order there.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from engine.errors import EngineError, InputError
from engine.settings import Settings
from engine.stopping import Tidied

SEEDS: Final = (1, 2, 3)  # one set of two texts goes unseen by three seeds one time in eight
# The import path goes first: what follows may need it, and a child begins with another.
_CHILD: Final = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    "from engine.checker.elsewhere import answer; answer()"
)

Fact = tuple[int, str, str, bytes]


def facts_under(seeds: Sequence[int], settings: Settings, module: str) -> list[Sequence[Fact] | str]:
    """Run in child processes side by side, one a seed, and return the journals, or the sentence with which a run ended.

    Args:
        module: `module:function` that runs the settings and returns the facts.
    """
    with tempfile.TemporaryDirectory(prefix="engine-check-") as folder, ExitStack() as held:
        children = []
        for seed in seeds:
            answers = Path(folder) / str(seed)
            child = held.enter_context(_child(seed))
            held.enter_context(Tidied(child.kill))
            assert child.stdin is not None
            with suppress(BrokenPipeError), child.stdin as stdin:  # one that died early has no answer
                stdin.write(pickle.dumps(sys.path) + pickle.dumps((settings, module, answers)))
            children.append((child, answers))
        return [_answered(child.wait(), answers) for child, answers in children]


def _child(seed: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _CHILD],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _answered(code: int, answers: Path) -> Sequence[Fact] | str:
    if not answers.exists():
        return f"the process ends with the exit code {code}"
    found: Sequence[Fact] | str = pickle.loads(answers.read_bytes())
    return found


def answer() -> None:
    """The child's part: run what comes on stdin and leave the facts in a file."""
    settings, module, answers = pickle.load(sys.stdin.buffer)
    name, _, function = module.partition(":")
    run: Callable[[Settings], Any] = getattr(__import__(name, fromlist=[function]), function)
    try:
        found: Any = list(run(settings))
    except (InputError, EngineError) as error:
        found = f"the run ends: {error}"
    answers.write_bytes(pickle.dumps(found))
