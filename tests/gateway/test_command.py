"""`engine gateway` as a process: its one line, its certificate, its state folder, its end; and its refusals."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.cli import run
from engine.errors import InputError
from engine.gateway.config import Launch, OAuth, read_launch

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "engine", "gateway", "--port", "0", "--synthetic", "AAPL")


@contextmanager
def _started(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until it is ready; yields the process and its line."""
    process = subprocess.Popen([*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


def _client(line: str) -> httpx.Client:
    url, _, authority = line.partition(" ready at ")[2].partition(", certificate authority ")
    trust: Any = ssl.create_default_context(cafile=authority.partition(", ")[0]) if authority else True
    return httpx.Client(base_url=url, verify=trust, timeout=20)


def _place(client: httpx.Client) -> None:
    ticket = {
        "conid": 265598,
        "orderType": "LMT",
        "price": 1,
        "side": "BUY",
        "tif": "GTC",
        "quantity": 5,
        "cOID": "x-1",
    }
    client.get("/iserver/accounts")
    client.post("/iserver/questions/suppress", json={"messageIds": ["o163", "o10153"]})
    answer = client.post("/iserver/account/DU1234567/orders", json={"orders": [ticket]})
    assert answer.json()[0]["order_id"], answer.text


def _state(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get(str(client.base_url).replace("/v1/api/", "/sim/state")).json())


def test_a_temporary_gateway_leaves_nothing() -> None:
    with _started("--pacing", "off") as (process, line):
        authority = Path(line.partition(", certificate authority ")[2])
        assert authority.is_file()
        with _client(line) as client:
            assert client.post("/tickle", json={}).json()["iserver"]["authStatus"]["authenticated"] is True
            _place(client)
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert process.returncode == 143
    assert said == "engine: stopped by SIGTERM\n"
    assert not authority.parent.exists()


def test_a_state_folder_goes_on_and_admits_one(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with _started("--pacing", "off", "--state-dir", str(folder)) as (process, line), _client(line) as client:
        session = client.post("/tickle", json={}).json()["session"]
        _place(client)
        before = _state(client)
        second = subprocess.run(
            [*COMMAND, "--state-dir", str(folder)], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert second.returncode == 2
        assert second.stderr.startswith("engine: ")
        assert len(second.stderr.splitlines()) == 1
        process.kill()
    with _started("--pacing", "off", "--state-dir", str(folder)) as (_, line), _client(line) as client:
        after = _state(client)
        assert client.post("/tickle", json={}).json()["session"] == session
        names = [[(row["order_id"], row["cOID"]) for row in state["orders"]] for state in (before, after)]
        assert names[0] == names[1]
        assert len(after["orders"]) == 1
        assert after["clock_ms"] >= before["clock_ms"] - 2_000


def test_a_fault_script_and_plain_http(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\ndo = "status"\non = "* /tickle"\nstatus = 500\ncount = 1\n')
    with _started("--plain", "--host", "localhost", "--faults", str(script)) as (_, line):
        assert line.startswith("gateway ready at http://")
        with _client(line) as client:
            assert [client.get(path).status_code for path in ("/tickle", "/iserver/auth/status")] == [500, 200]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--speed", "0"], "speed must be above 0"),
        (["--speed", "inf"], "speed must be above 0"),
        (["--recording", "/nonexistent"], "nonexistent"),
        (["--recording", "a", "--synthetic", "B"], "not both"),
        (["--config", "/nonexistent.toml"], "there is no such file"),
        (["--faults", "/nonexistent.toml"], "there is no such file"),
        (["--tls-cert", "/nonexistent.pem"], "belong together"),
        (["--tls-cert", "/nonexistent.pem", "--tls-key", "/nonexistent.pem"], "there is no such file"),
        (["--plain", "--tls-cert", "a", "--tls-key", "b"], "without TLS"),
    ],
)
def test_bad_input_is_one_sentence(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gateway", *flags]) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert len(heard.splitlines()) == 1


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["gateway", "--port", str(taken.getsockname()[1]), "--plain"]) == 2
    assert "can't listen" in capsys.readouterr().err


def test_the_example_says_the_defaults() -> None:
    launch = read_launch(ROOT / "configs" / "gateway.toml", {})
    assert launch.market == Launch().market
    for name in ("session", "pacing", "streams", "questions", "accounts", "cash", "speed", "seed", "allow", "oauth"):
        assert getattr(launch, name) == getattr(Launch(), name), name


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text('[gateway]\nspeed = 3\naccounts = 2\nrecording = "here"\n[gateway.pacing]\nglobal_per_s = 5\n')
    launch = read_launch(file, {"speed": 9.0, "pacing": False, "synthetic": None})
    assert (launch.speed, launch.accounts, launch.recording) == (9.0, 2, tmp_path / "here")
    assert (launch.pacing.on, launch.pacing.global_per_s) == (False, 5)
    assert read_launch(file, {"synthetic": ("IBM",)}).market == ("IBM",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gatway]", "gatway: unknown table"),
        ("[gateway]\nspede = 1", "did you mean speed"),
        ('[gateway]\nauth = "basic"', "must be one of gateway, oauth1, oauth2"),
        ("[gateway.session]\nreset_hour = 24", "at most 23"),
        ('[gateway.session]\nreset_zone = "Mars"', "time zone"),
        ("[gateway]\nport = 70000", "port must be 0 to 65535"),
        ('[gateway]\nallow = ["home"]', "lists networks"),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "g.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_launch(file, {})
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_material_of_the_oauth_modes_is_told(tmp_path: Path) -> None:
    with _started("--auth", "oauth2", "--state-dir", str(tmp_path)) as (_, line):
        file = line.partition(", client material ")[2]
        assert json.loads(Path(file).read_text())["client_id"] == OAuth().client_id
        with _client(line) as client:
            assert client.get("/tickle").status_code == 401
