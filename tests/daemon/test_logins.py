"""Keys of the daemon: from files of their owner alone or from the environment, never from a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.daemon import config
from engine.daemon.config import GatewaySettings
from engine.daemon.logins import login_of
from engine.errors import ConfigError
from engine.gateway.config import OAuth
from engine.gateway.credentials import client, consumer
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.auth.oauth1 import OAuth1
from engine.webapi.auth.oauth2 import OAuth2

BASE = "https://127.0.0.1:5000/v1/api"
DIRECT = "https://api.ibkr.com/v1/api"
SOURCE = Path("run.toml")


class NoClock:
    def now_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None: ...

    async def sleep_until(self, moment_ns: int) -> None: ...


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of both ways, as a simulated gateway makes them."""
    folder = tmp_path_factory.mktemp("made")
    consumer(OAuth(), folder)
    client(OAuth(), folder, "joe")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of them, to be spoilt."""
    for file in made.iterdir():
        copy = tmp_path / file.name
        copy.write_bytes(file.read_bytes().replace(str(made).encode(), str(tmp_path).encode()))
        copy.chmod(0o600)
    return tmp_path


def login(way: str, folder: Path | None, base: str = BASE, **more: Any) -> object:
    return login_of(GatewaySettings(auth=way, keys=folder, url=base), base, NoClock(), source=SOURCE, **more)


def change(folder: Path, way: str, **changes: object) -> None:
    file = folder / f"{way}.json"
    told = {name: value for name, value in {**json.loads(file.read_text()), **changes}.items() if value != "gone"}
    file.write_text(json.dumps(told))


def problem(way: str, folder: Path | None, base: str = BASE, **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        login(way, folder, base, **more)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_each_way_is_made_of_its_folder(folder: Path) -> None:
    assert isinstance(login("gateway", None), GatewayLogin)
    assert isinstance(login("oauth1", folder), OAuth1)
    assert isinstance(login("oauth2", folder), OAuth2)
    assert isinstance(login("oauth2", None, own=folder), OAuth2)


def test_secrets_may_come_from_the_environment_and_from_files_of_the_folder(folder: Path) -> None:
    told = json.loads((folder / "oauth1.json").read_text())
    (folder / "token").write_text(told["access_token"])
    (folder / "token").chmod(0o600)
    change(
        folder, "oauth1",
        access_token="file:token", access_token_secret="env:A_SECRET", signature_key="signature_key.pem",
        encryption_key="env:A_KEY", dh_prime="env:A_PRIME",
    )  # fmt: skip
    environ = {
        "A_SECRET": told["access_token_secret"],
        "A_KEY": (folder / "encryption_key.pem").read_text(),
        "A_PRIME": told["dh_prime"],
    }
    made = login("oauth1", folder, environ=environ)
    assert isinstance(made, OAuth1)
    assert made._material.access_token.text() == told["access_token"]
    assert made._material.prime == int(told["dh_prime"], 16)
    del environ["A_KEY"]
    said = problem("oauth1", folder, environ=environ)
    assert "encryption_key: the environment variable A_KEY is not set" in said


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    assert (
        problem("oauth1", None)
        == "run.toml: gateway.keys: is missing; oauth1 takes its keys from the folder that it names"
    )
    assert problem("oauth2", tmp_path / "none") == "run.toml: gateway.keys: is no folder"
    (folder / "empty").mkdir()
    assert "oauth1.json: No such file" in problem("oauth1", folder / "empty")
    change(folder, "oauth1", consumer_key="gone")
    assert problem("oauth1", folder).endswith("oauth1.json: consumer_key: is missing; it is a text")
    change(folder, "oauth2", client_key=None)
    assert problem("oauth2", folder).endswith("oauth2.json: client_key: is missing; it is a text")


def test_the_address_we_call_from_is_needed_away_from_this_machine(folder: Path) -> None:
    assert problem("oauth2", folder, DIRECT).endswith("oauth2.json: ip: is missing; it is a text")
    change(folder, "oauth2", ip="192.0.2.7")
    assert isinstance(login("oauth2", folder, DIRECT), OAuth2)


@pytest.mark.parametrize("name", ["oauth1.json", "signature_key.pem", "encryption_key.pem"])
def test_files_that_others_can_read_are_refused(folder: Path, name: str) -> None:
    (folder / name).chmod(0o640)
    assert "others may read this file (mode 0640); run chmod 600 on it" in problem("oauth1", folder)


@pytest.mark.parametrize("way", ["oauth1", "oauth2"])
def test_what_can_not_be_read_is_one_sentence(folder: Path, way: str) -> None:
    change(folder, way, client_kye="x")
    assert "unknown key" in problem(way, folder)
    (folder / f"{way}.json").write_text("[]")
    assert problem(way, folder).endswith("must be one JSON object")
    (folder / f"{way}.json").write_text("{'")
    assert problem(way, folder).endswith("is not JSON")


def test_a_secret_at_the_wrong_place_is_not_quoted(folder: Path) -> None:
    pem = (folder / "signature_key.pem").read_text()
    body = pem.splitlines()[3]
    for wrong in (pem, body, "x" * 5_000 + body):
        change(folder, "oauth1", signature_key=wrong)
        assert body not in problem("oauth1", folder)
        settings = GatewaySettings(auth="oauth1", keys=Path(wrong), url=BASE)
        with pytest.raises(ConfigError) as caught:
            login_of(settings, BASE, NoClock(), source=SOURCE)
        assert body not in str(caught.value)


@pytest.mark.parametrize("key", ["access_token", "access_token_secret", "signature_key", "client_secret", "password"])
def test_a_configuration_with_a_secret_in_it_is_refused_without_quoting_it(key: str, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        f'name = "x"\nmode = "paper"\n[account]\nid = "DU1"\n[gateway]\nurl = "{BASE}"\n{key} = "s3cr3t-value"\n'
        '[[instrument]]\nconid = 265598\nsymbol = "AAPL"\n'
        '[[strategy]]\nuse = "strategies.ema_cross:EmaCross"\nname = "e"\ninstruments = ["AAPL"]\n'
    )
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert f"gateway.{key}" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_password_in_the_address_is_refused_without_quoting_it(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'name = "x"\nmode = "paper"\n[account]\nid = "DU1"\n[gateway]\nurl = "https://joe:s3cr3t@localhost:5000/v1/api"\n'
        '[[instrument]]\nconid = 265598\nsymbol = "AAPL"\n'
        '[[strategy]]\nuse = "strategies.ema_cross:EmaCross"\nname = "e"\ninstruments = ["AAPL"]\n'
    )
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert "gateway.url" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
