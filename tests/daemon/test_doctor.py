"""`engine doctor`: each thing that can be wrong has a line that says so, and the mend."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from engine.cli.doctor import doctor, lines
from engine.daemon import visiting
from engine.daemon.config import load
from engine.daemon.doctor import disk, python, reset, where
from engine.daemon.findings import Finding, Verdict
from engine.daemon.visiting import Visit, entitlement, skew
from engine.operator.folder import StateFolder
from engine.operator.processes import Process, this_process
from tests.served import PAPER, served

NS = 1_000_000_000
CONFIG = """
name = "look"
mode = "{mode}"
[account]
id = "{account}"
[gateway]
url = "https://localhost:5000/v1/api"
[[instrument]]
conid = 265598
symbol = "AAPL"
[[instrument]]
conid = 8314
symbol = "IBM"
[[strategy]]
use = "pulse"
name = "pulse"
instruments = ["AAPL"]
[risk.account]
order_quantity_max = 100
order_notional_max = 10_000
position_max = 100
"""
HEALTHY: dict[str, Any] = {
    "/v1/api/tickle": {"session": "abc", "ssoExpires": 540_000, "iserver": {"authStatus": {"authenticated": True}}},
    "/v1/api/iserver/auth/status": {"authenticated": True, "connected": True, "competing": False},
    "/v1/api/iserver/accounts": {"accounts": [PAPER], "selectedAccount": PAPER, "isPaper": True},
    "/v1/api/iserver/marketdata/snapshot": [
        {"conid": 265598, "31": "180.1", "6509": "RpB"},
        {"conid": 8314, "31": "170.1", "6509": "RpB"},
    ],
}


def visit(
    folder: Path,
    answers: dict[str, Any],
    *,
    mode: str = "paper",
    account: str = PAPER,
    statuses: dict[str, int] | None = None,
    date: datetime | None = None,
) -> dict[str, Finding]:
    """What a visit to a gateway with these answers finds, by what was looked at."""
    path = folder / "run.toml"
    path.write_text(CONFIG.format(mode=mode, account=account))

    def handle(request: httpx.Request) -> httpx.Response:
        body = answers.get(request.url.path)
        if isinstance(body, Exception):
            raise body
        status = (statuses or {}).get(request.url.path, 200)
        headers = {"Date": format_datetime(date or datetime.now(UTC), usegmt=True)}
        return httpx.Response(status, json=body, headers=headers)

    settings = load(path)
    seen = Visit(
        settings, "https://localhost:5000/v1/api", None, None, transport=httpx.MockTransport(handle)
    ).findings()
    return {one.what: one for one in seen}


def test_a_healthy_gateway_has_nothing_to_mend(tmp_path: Path) -> None:
    found = visit(tmp_path, HEALTHY)
    assert {one.verdict for one in found.values()} == {Verdict.OK}
    assert list(found) == [
        *("gateway", "tls", "clock", "login", "brokerage", "account"),
        *("data AAPL", "data IBM", "pacing"),
    ]


@pytest.mark.parametrize(
    ("path", "answer", "status", "what", "verdict", "word"),
    [
        ("tickle", {"error": "no session"}, 401, "login", Verdict.FAIL, "log in at https://localhost:5000"),
        ("iserver/auth/status", {"authenticated": False}, 200, "brokerage", Verdict.WARN, "engine run"),
        (
            "iserver/auth/status",
            {"authenticated": True, "competing": True},
            200,
            "brokerage",
            Verdict.FAIL,
            "competing",
        ),
        ("iserver/accounts", {"accounts": ["DU9"], "isPaper": True}, 200, "account", Verdict.FAIL, "[account] id"),
        ("iserver/accounts", {"accounts": [PAPER], "isPaper": False}, 200, "account", Verdict.FAIL, "paper account"),
        ("iserver/marketdata/snapshot", [], 429, "pacing", Verdict.FAIL, "15 minutes"),
        (
            "iserver/marketdata/snapshot",
            [{"conid": 265598, "6509": "DPB"}, {"conid": 8314, "6509": "R"}],
            200,
            "data AAPL",
            Verdict.WARN,
            "subscribe",
        ),
        (
            "iserver/marketdata/snapshot",
            [{"conid": 265598, "6509": "N"}, {"conid": 8314, "6509": "R"}],
            200,
            "data AAPL",
            Verdict.FAIL,
            "subscribe",
        ),
        ("iserver/marketdata/snapshot", [], 200, "data IBM", Verdict.WARN, "market hours"),
    ],
)
def test_each_trouble_has_its_line_and_its_mend(
    tmp_path: Path, path: str, answer: Any, status: int, what: str, verdict: Verdict, word: str
) -> None:
    place = f"/v1/api/{path}"
    found = visit(tmp_path, {**HEALTHY, place: answer}, statuses={place: status})
    assert found[what].verdict is verdict
    assert word in found[what].mend


def test_live_is_believed_only_of_a_live_session(tmp_path: Path) -> None:
    accounts = "/v1/api/iserver/accounts"
    unsaid = visit(tmp_path, {**HEALTHY, accounts: {"accounts": ["U1"]}}, mode="live", account="U1")
    said = visit(tmp_path, {**HEALTHY, accounts: {"accounts": ["U1"], "isPaper": False}}, mode="live", account="U1")
    assert unsaid["account"].verdict is Verdict.FAIL
    assert said["account"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("problem", "what", "word"),
    [
        ("Connection refused", "gateway", "start the gateway"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed (_ssl.c:1)", "tls", "gateway.pem"),
    ],
)
def test_a_gateway_out_of_reach(tmp_path: Path, problem: str, what: str, word: str) -> None:
    found = visit(tmp_path, {"/v1/api/tickle": httpx.ConnectError(problem)})
    assert list(found) == [what]
    assert found[what].verdict is Verdict.FAIL
    assert word in found[what].mend


def test_one_that_stops_answering_is_said_to(tmp_path: Path) -> None:
    found = visit(tmp_path, {**HEALTHY, "/v1/api/iserver/accounts": httpx.ReadTimeout("silence")})
    assert found["gateway"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(1_000.0, Verdict.OK), (1_002.0, Verdict.OK), (975.0, Verdict.WARN), (1_031.0, Verdict.FAIL)],
)
def test_the_clock(ours: float, verdict: Verdict) -> None:
    assert skew(1_000.0, ours).verdict is verdict


def test_an_old_python_and_a_full_disk_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert python((3, 10, 9)).verdict is Verdict.FAIL
    assert python((3, 11, 0)).verdict is Verdict.OK
    for free, verdict in ((5 * NS, Verdict.OK), (NS // 2, Verdict.WARN), (NS // 10, Verdict.FAIL)):

        def usage(place: Path, free: int = free) -> object:
            del place
            return type("Usage", (), {"free": free})

        monkeypatch.setattr("engine.daemon.doctor.shutil.disk_usage", usage)
        first, journal = disk(tmp_path / "not" / "there")
        assert first.verdict is verdict
        assert "synced write" in journal.seen
    assert not list(tmp_path.iterdir())  # it leaves nothing behind


def test_a_simulated_gateway_that_was_stopped_is_started_again_by_the_next_run(tmp_path: Path) -> None:
    settings = load(Path(__file__).parents[2] / "configs" / "sim.toml")
    folder = StateFolder(tmp_path)
    (tmp_path / "gateway.json").write_text('{"url": "https://127.0.0.1:9/v1/api", "ca": "ca.pem"}')
    folder.note_process("gateway", Process(2**22 - 1, "long ago"))
    found = where(settings, folder)
    assert isinstance(found, Finding)
    assert (found.verdict, "starts a simulated one" in found.seen) == (Verdict.OK, True)
    folder.note_process("gateway", this_process())
    assert where(settings, folder) == ("https://127.0.0.1:9/v1/api", Path("ca.pem"), None)


def test_the_next_reset_of_a_real_venue(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG.format(mode="paper", account=PAPER))
    noon = round(datetime(2026, 3, 3, 17, tzinfo=UTC).timestamp()) * NS  # noon in New York
    assert "04:58 UTC" in reset(load(path), noon).seen  # two minutes before midnight there
    away = round(datetime(2026, 3, 4, 6, 5, tzinfo=UTC).timestamp()) * NS  # 01:05 there
    assert reset(load(path), away).verdict is Verdict.WARN


@pytest.mark.parametrize("letters", ["R", "RpB", "D", "Z", "Y", "N", ""])
def test_no_letter_of_the_timeline_is_passed_over(letters: str) -> None:
    assert (entitlement("X", letters).verdict is Verdict.OK) == letters.startswith("R")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_line_fits_the_terminal(width: int) -> None:
    one = Finding("data AAPL", Verdict.FAIL, "not subscribed " * 12, "subscribe in Client Portal " * 12)
    page = list(lines(one, width))
    assert all(len(_plain(line)) <= width for line in page)
    assert sum("mend: " in line for line in page) == 1


def _plain(line: str) -> str:
    return line.replace("\x1b[31m", "").replace("\x1b[0m", "")


def test_the_command_against_a_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visiting, "BETWEEN_S", 0.0)
    path = tmp_path / "run.toml"
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        config = CONFIG.format(mode="sim", account=PAPER).replace("https://localhost:5000/v1/api", gateway.url)
        path.write_text(config.replace("[[instrument]]", f'ca = "{gateway.ca}"\n[[instrument]]', 1))
        run = _command(path, tmp_path)
        assert run.exit_code == 0
        told = json.loads(run.stdout)
        assert told["fail"] == 0
        seen = {one["what"]: one["verdict"] for one in told["findings"]}
        assert {"tls", "clock", "login", "account", "data AAPL", "pacing"} <= set(seen)
        path.write_text(config)  # nobody said whom to trust
        blind = _command(path, tmp_path)
    assert blind.exit_code == 1
    (tls,) = [one for one in json.loads(blind.stdout)["findings"] if one["what"] == "tls"]
    assert tls["verdict"] == "fail"
    assert "openssl s_client" in tls["mend"]


def _command(path: Path, folder: Path) -> Any:
    invoke: Callable[..., Any] = CliRunner().invoke
    return invoke(doctor, [str(path), "--state-dir", str(folder / "state"), "--json"])
