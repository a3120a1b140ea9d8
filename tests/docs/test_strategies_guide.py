"""Every block of `docs/strategies.md` is executed, in order, against the shipped recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from .blocks import ROOT, blocks, commands, prepare, run

PAGE = ROOT / "docs" / "strategies.md"


def test_every_block_does_what_the_page_says(tmp_path: Path) -> None:
    environment = prepare(tmp_path)
    found = list(blocks(PAGE))
    assert {block.language for block in found} == {"python", "toml", "console"}
    for block in found:
        run(block, tmp_path, environment)


def test_the_page_shows_what_commands_say() -> None:
    shown = [
        (command, said) for block in blocks(PAGE) if block.language == "console" for command, said in commands(block)
    ]
    assert len(shown) > 15
    assert [command for command, said in shown if not said and not command.startswith("cp ")] == []


def test_a_page_that_is_wrong_is_found_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one; echo two\ntwo\none\n```\n", encoding="utf-8")
    (wrong,) = blocks(page)
    with pytest.raises(AssertionError, match="no 'one' where the page has it"):
        run(wrong, tmp_path, {})
    page.write_text("```console\n$ exit 3\n```\n```toml\nx = 1\n```\n", encoding="utf-8")
    failing, nameless = blocks(page)
    with pytest.raises(AssertionError, match="line 1: exit 3"):
        run(failing, tmp_path, {})
    with pytest.raises(AssertionError, match="the toml block at line 4 names no file"):
        run(nameless, tmp_path, {})
