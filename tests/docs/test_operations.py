"""`docs/operations.md` names every alarm that the code can raise, every verb, and what the unit file promises."""

from __future__ import annotations

import configparser
import re

from click.testing import CliRunner

from engine.cli import cli
from engine.operator.protocol import VERBS
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "engine").rglob("*.py"))


def test_every_alert_code_is_explained() -> None:
    codes = set()
    for path in SOURCES:
        codes |= set(re.findall(r"""\b(?:Alert|alert)\(\s*f?"([A-Z][A-Z_]+)"\s*,""", path.read_text(encoding="utf-8")))
    assert len(codes) > 20  # the search finds what it looks for
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_no_code_is_explained_that_nothing_raises() -> None:
    told = set(re.findall(r"^\| `([A-Z][A-Z_]+)` \|", PAGE, re.MULTILINE))
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert {code for code in told if f'"{code}"' not in text} == set()


def test_every_name_of_the_session_s_alerts_is_explained() -> None:
    names = set()
    for path in (ROOT / "engine" / "webapi").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r'_alert\(\s*"(\w+)"', text)) | set(re.findall(r'Alert\(what="(\w+)"', text))
    assert len(names) > 5
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_every_verb_is_a_command_and_is_explained() -> None:
    listed = CliRunner().invoke(cli, ["--help"]).output
    for verb in VERBS:
        assert f"`engine {verb}" in PAGE
        assert re.search(rf"^  {verb} ", listed, re.MULTILINE)


def test_the_unit_lets_guard_and_gateway_outlive_a_crash() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's keys have capitals
    unit.read(ROOT / "configs" / "fullticket.service")
    service = unit["Service"]
    assert (service["Type"], service["KillMode"], service["Restart"]) == ("notify", "process", "on-failure")
    assert service["RestartPreventExitStatus"] == "2"
    assert float(service["WatchdogSec"]) > 0
    folder = re.search(r"--state-dir (\S+)", service["ExecStart"])
    assert folder is not None
    assert service["ExecStop"].endswith(f"stop --state-dir {folder[1]}")
    assert folder[1].endswith(service["StateDirectory"])
