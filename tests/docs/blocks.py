"""Guides as programs: the fenced blocks of a Markdown page, run one after the other in a folder of their own.

A `python` or `toml` block begins with `# path` (the block is that file) or `# append to path`. A `console` block has
commands after `$ `, each followed by pieces of its output, which must occur in this order.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (append to )?(\S+\.(?:py|toml))\n")
ROOT = Path(__file__).parents[2]


@frozen
class Block:
    """One fenced block: its language, its text, and the line it begins at."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that are shown of its output."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def prepare(folder: Path) -> dict[str, str]:
    """Make a folder look like the project's: its recordings and its commands; returns the environment of these."""
    (folder / "replay_data").symlink_to(ROOT / "replay_data")
    programs = folder / "bin"
    programs.mkdir()
    site = folder / "site"
    for name, line in {
        "engine": f'exec "{sys.executable}" -P -c "from engine.cli import main; main()" "$@"',
        "python": f'exec "{sys.executable}" "$@"',
        # Into a folder of the test's own, and without asking an index.
        "pip": f'exec "{sys.executable}" -m pip "$@" --no-deps --no-build-isolation --no-index --target "{site}"',
    }.items():
        script = programs / name
        script.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "COLUMNS": "200",
    }


def run(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    """Carry out one block: write its file, or run its commands and compare what they say."""
    if block.language == "console":
        for command, shown in commands(block):
            _run(command, shown, folder, environment, block.line)
        return
    named = NAMED.match(block.text)
    assert named is not None, f"the {block.language} block at line {block.line} names no file"
    file = folder / named[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    body = block.text[named.end() :]
    if named[1]:
        file.write_text(file.read_text(encoding="utf-8") + "\n" + body, encoding="utf-8")
    else:
        file.write_text(block.text, encoding="utf-8")  # whole, so that line numbers are those of the page's block


def _run(command: str, shown: list[str], folder: Path, environment: Mapping[str, str], line: int) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=300
    )
    said = done.stderr + done.stdout
    where = f"line {line}: {command}\n{said}"
    assert done.returncode == 0, where
    at = 0
    for piece in shown:
        at = said.find(piece, at)
        assert at >= 0, f"no {piece!r} where the page has it; {where}"
        at += len(piece)
