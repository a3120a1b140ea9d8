"""`engine recording`: an import's options reach the importer, and verify's exit code says what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli import run

HEADER = "ts,bid,ask,bid_size,ask_size\n"
CLEAN = HEADER + "2024-03-05T09:30:00,10.0,10.1,5,5\n2024-03-05T09:30:01,10.0,10.2,5,5\n"
CROSSED = HEADER + "2024-03-05T09:30:00,10.0,10.1,5,5\n2024-03-05T09:30:01,10.3,10.2,5,5\n"
TZ = ["--tz", "America/New_York"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(text: str, *options: str, name: str = "abc.csv") -> int:
    Path(name).write_text(text)
    return run(["recording", "import", name, "--kind", "quotes", "--out", "rec", *options])


def test_a_clean_import_verifies_with_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(CLEAN, *TZ) == 0
    said = capsys.readouterr().out
    assert said.startswith("abc.csv: 2 rows read, 2 kept as quotes of ABC\n")
    assert said.endswith("rec: 2024-03-05 to 2024-03-05\n")
    assert run(["recording", "verify", "rec"]) == 0


def test_findings_are_1_and_info_tells_them_with_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(CROSSED, *TZ) == 0
    capsys.readouterr()
    assert run(["recording", "verify", "rec", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == {"crossed": 1}
    assert document["rows"]["quotes"] == 2
    assert run(["recording", "info", "rec"]) == 0
    assert "1 crossed" in capsys.readouterr().out


def test_what_is_no_recording_is_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recording", "verify", "absent"]) == 2
    (folder / "empty").mkdir()
    assert run(["recording", "verify", "empty"]) == 2
    assert capsys.readouterr().out == ""


def test_columns_units_and_scale_are_passed_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 100000 ms after New York's midnight of 5 March 2024 (05:00 UTC), prices in cents.
    text = "100000,1000,1010,5,5\n"
    options = ["--no-header", "--columns", "ts=0,bid=1,ask=2,bid_size=3,ask_size=4", "--ts-unit", "ms"]
    scale = ["--price-scale", "0.01", "--date", "from-name", *TZ]
    assert imported(text, *options, *scale, name="xyz_20240305.csv") == 0
    capsys.readouterr()
    assert run(["recording", "info", "rec", "--json"]) == 0
    (series,) = json.loads(capsys.readouterr().out)["series"]
    assert series["symbol"] == "XYZ"
    assert series["first_ns"] == (1_709_614_800 + 100) * 1_000_000_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tz", "America/NewYork"], "America/NewYork"),
        (["--ts-unit", "hours", *TZ], "'hours' is not one of"),
        (["--price-scale", "x", *TZ], "--price-scale x is no number above zero"),
        (["--columns", "bid=nothing", *TZ], "nothing"),
        (["--date", "yesterday", *TZ], "--date yesterday"),
        (["--instrument", "absent.toml", *TZ], "absent.toml"),
    ],
)
def test_wrong_options_are_2_with_one_sentence_and_leave_no_recording(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert imported(CLEAN, *options) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert not Path("rec").exists()
