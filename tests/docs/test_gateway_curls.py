"""docs/gateway.md as a program: every curl line runs against both profiles, and answers what stands beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from engine.cli.gateway import gateway
from engine.gateway.faults import Kind, read_script
from tests.docs.blocks import Block, blocks
from tests.served import PAPER, Served, served

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
KINDS: Final[dict[str, Any]] = {"string": str, "number": (int, float), "boolean": bool}
CODE = "\n%{http_code}"
OFFICIAL = PAGE.parents[2] / "shared" / "reference" / "ibkr-web-api-official.md"


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The curl lines of a block, each with what is said of its answer."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines() if block.language == "sh" else ():
        if line.startswith("curl "):
            found.append((line, []))
        elif line.startswith("#"):
            found[-1][1].append(line)
    return found


def differs(wanted: Any, told: Any, place: str = "answer") -> str | None:
    """Where an answer is not what the page says; None if it is."""
    match wanted:
        case str() if wanted in KINDS:
            fits = isinstance(told, KINDS[wanted]) and (wanted == "boolean" or not isinstance(told, bool))
            return None if fits else f"{place} is {told!r}, no {wanted}"
        case dict():
            if not isinstance(told, dict):
                return f"{place} is {told!r}, no object"
            missing = set(wanted) - set(told)
            if missing:
                return f"{place} lacks {missing}"
            return next((bad for key in wanted if (bad := differs(wanted[key], told[key], f"{place}.{key}"))), None)
        case list():
            if not isinstance(told, list) or (wanted and not told):
                return f"{place} is {told!r}, no such list"
            pairs = zip(wanted if len(wanted) > 1 else wanted * len(told), told, strict=bool(wanted))
            return next((bad for one, other in pairs if (bad := differs(one, other, f"{place}[]"))), None)
        case _:
            return None if wanted == told else f"{place} is {told!r}, not {wanted!r}"


def value(answer: Any, path: str) -> str:
    """A value by its path, as `0.id`; one row stands for a list of it."""
    for step in path.split("."):
        if isinstance(answer, list):
            answer = answer[int(step) if step.isdecimal() else 0]
            if step.isdecimal():
                continue
        answer = answer[step]
    return str(answer)


def environment(running: Served, folder: Path) -> dict[str, str]:
    """What a shell needs for the page's lines: its variables, and a curl that says the status after the answer."""
    (folder / ".curlrc").write_text(f'silent\nwrite-out = "{CODE}"\n'.replace("\n%", "\\n%"))
    return {
        "PATH": os.environ["PATH"],
        "CURL_HOME": str(folder),
        "CURL_CA_BUNDLE": str(running.ca),
        "GW": running.url,
        "ACCOUNT": PAPER,
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("profile", ["observed", "documented"])
def test_every_line_answers_as_it_says(tmp_path: Path, profile: str) -> None:
    with served(tmp_path / "gw", "--profile", profile, "--pacing", "off") as running:
        shell = environment(running, tmp_path)
        wrong = []
        for block in blocks(PAGE):
            for line, said in commands(block):
                ran = subprocess.run(["sh", "-c", line], env=shell, capture_output=True, text=True, check=False)
                problem = judged(ran.stdout, said, profile, shell)
                if problem:
                    wrong.append(f"{line}\n  {problem}\n  {ran.stdout[:300]}{ran.stderr}")
        assert not wrong, "\n".join(wrong)


def judged(output: str, said: list[str], profile: str, shell: dict[str, str]) -> str | None:
    """What is wrong with the output of a line; takes the values that later lines need into the shell."""
    body, _, status = output.rpartition("\n")
    checked = False
    for comment in said:
        mark, _, text = comment.partition(" ")
        name, _, path = text.partition(" = ")
        if mark == "#=":
            checked = True
            if text not in ("", output.split("\n")[0]) or (not text and (status != "200" or body)):
                return f"not {text!r}"
        elif re.fullmatch("[A-Z]+", name) and path:
            shell[name] = value(json.loads(body), path)
        else:
            only, _, shape = text.partition(" ") if text[0] not in "[{" else ("", "", text)
            if only not in ("", profile):
                continue
            checked = True
            if status != "200":
                return f"status {status}"
            problem = differs(json.loads(shape), json.loads(body))
            if problem:
                return problem
    return None if checked else "nothing is said of its answer"


def test_every_kind_of_fault_has_an_example() -> None:
    (script,) = [tomllib.loads(block.text, parse_float=Decimal) for block in blocks(PAGE) if block.language == "toml"]
    faults = read_script(script, place="docs/gateway.md").fault
    assert {fault.do for fault in faults} == {name for part in get_args(Kind) for name in get_args(part) or [part]}


def test_every_option_is_listed() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `--")]
    listed = {name for row in rows for name in re.findall(r"`(--[a-z-]+)", row.split(" | ")[0])}
    assert listed == {option for parameter in gateway.params for option in parameter.opts}


def paths(text: str) -> set[str]:
    """Paths of the Web API in a text, as they are written there."""
    groups = "iserver|portfolio|pa|fyi|sso|tickle|trsv"
    return set(re.findall(rf"(?<![\w.-])(?:\$GW|https://api.ibkr.com/v1/api)?(/(?:{groups})\b[^\s`\"?,\])]*)", text))


def test_every_path_of_the_official_text_has_a_line() -> None:
    if not OFFICIAL.exists():
        pytest.skip("the official text is not here")
    lines = paths("\n".join(line for block in blocks(PAGE) for line, _ in commands(block)))
    named = {re.sub(r"\{\w+\}|:\w[\w-]*", "[^/]+", path) for path in paths(OFFICIAL.read_text())}
    named -= {"/iserver", "/portfolio"}  # the text speaks of all below them
    assert named
    assert [path for path in named if not any(re.fullmatch(path, line) for line in lines)] == []
