"""The commands in docs/recordings.md, run as they stand, on the real files where those are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from engine.cli import run
from engine.domain.market import Kind
from engine.recording.reader import open_recording

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real recordings is not there")
def test_the_documented_imports_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "recordings.md").read_text(encoding="utf-8")
    codes = []
    for block in re.findall(r"```\n(cat > .*?)```", text, re.DOTALL):
        for name, content in re.findall(r"cat > (\S+) <<'END'\n(.*?)END\n", block, re.DOTALL):
            Path(name).write_text(content, encoding="utf-8")
        commands = re.sub(r"cat > \S+ <<'END'\n.*?END\n", "", block, flags=re.DOTALL).replace("\\\n", " ")
        for line in filter(None, commands.replace("path/to", str(DATA)).splitlines()):
            program, *arguments = shlex.split(line)
            assert program == "engine"
            codes.append(run(arguments))
    assert codes == [0, 0, 1, 0, 0]  # verify finds the crossed quotes that the page speaks of
    assert open_recording(Path("recordings/ibm")).rows == {Kind.QUOTES: 99_090, Kind.TRADES: 57_674}
    assert open_recording(Path("recordings/fxy")).rows == {Kind.BARS: 78_974}
