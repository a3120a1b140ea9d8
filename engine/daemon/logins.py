"""How a session of the daemon proves who it is: the keys of `[gateway] auth`, read from where secrets may stand.

`[gateway] keys` names a folder that has `oauth1.json` or `oauth2.json`, readable by its owner only. Such a file names
the client and says where each secret is: `env:NAME` for the environment, else a file of the folder, itself readable by
its owner only. The access token, its secret and the prime may also stand in `oauth1.json` itself, as the simulated
gateway writes it (`file:NAME` then names a file). The configuration of a run holds none of all this.

    oauth1.json   consumer_key, realm, access_token, access_token_secret, signature_key, encryption_key, dh_prime
    oauth2.json   client_id, client_key_id, credential, client_key, ip
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from engine.daemon.config import GatewaySettings
from engine.errors import ConfigError
from engine.ports import Clock
from engine.tables import nearest
from engine.webapi import keys
from engine.webapi.auth import Authenticator, oauth1, oauth2
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.tls import is_loopback

_OAUTH1: Final = frozenset(
    {
        *("consumer_key", "realm", "access_token", "access_token_secret"),
        *("signature_key", "encryption_key", "dh_prime", "dh_generator"),
    }
)
_OAUTH2: Final = frozenset({"client_id", "client_key_id", "credential", "client_key", "ip"})
_LOOPBACK: Final = "127.0.0.1"


def login_of(
    gateway: GatewaySettings,
    base: str,
    clock: Clock,
    *,
    source: Path,
    own: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Authenticator:
    """Make what logs in to the venue at `base`.

    Args:
        source: The configuration file, for the sentences of errors.
        own: The folder of a simulated gateway that was started for us: it holds the keys that it made.

    Raises: ConfigError, which quotes no secret.
    """
    if gateway.auth == "gateway":
        return GatewayLogin()
    folder = own if gateway.keys is None else gateway.keys
    if folder is None:
        problem = f"is missing; {gateway.auth} takes its keys from the folder that it names"
        raise ConfigError(problem, place=f"{source}: gateway.keys")
    if not _is_folder(folder):
        raise ConfigError("is no folder", place=f"{source}: gateway.keys")  # what stands there may be a key
    told = _Told(folder / f"{gateway.auth}.json", _OAUTH1 if gateway.auth == "oauth1" else _OAUTH2, environ)
    if gateway.auth == "oauth2":
        client = oauth2.Material(
            client_id=told.word("client_id"),
            key_id=told.word("client_key_id"),
            key=told.key("client_key"),
            credential=told.word("credential"),
            ip=told.word("ip", _LOOPBACK if is_loopback(urlsplit(base).hostname or "") else None),
        )
        return oauth2.OAuth2(client, base, clock)
    prime, generator = told.prime("dh_prime")
    consumer = oauth1.Material(
        consumer_key=told.word("consumer_key"),
        access_token=told.secret("access_token", inside=True),
        access_token_secret=told.secret("access_token_secret", inside=True),
        signature_key=told.key("signature_key"),
        encryption_key=told.key("encryption_key"),
        prime=prime,
        generator=generator,
        realm=told.word("realm", "limited_poa"),
    )
    return oauth1.OAuth1(consumer, base, clock)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # longer than any name
        return False


class _Told:
    """One file of names and places of secrets."""

    def __init__(self, path: Path, known: frozenset[str], environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ
        whole = keys.read_secret(str(path), what=path.name)
        try:
            table = json.loads(whole.text())
        except ValueError:
            raise ConfigError("is not JSON", place=str(path)) from None
        if not isinstance(table, dict):
            raise ConfigError("must be one JSON object", place=str(path))
        for name in table:
            if name not in known:
                raise ConfigError(f"unknown key{nearest(name, sorted(known))}", place=f"{path}: {name}")
        self._table: dict[str, Any] = table

    def word(self, name: str, default: str | None = None) -> str:
        """A text that is no secret, or the place of one."""
        value = self._table.get(name, default)
        if not isinstance(value, str) or not value.strip():
            raise ConfigError("is missing; it is a text", place=f"{self._path}: {name}")
        return value.strip()

    def secret(self, name: str, *, inside: bool = False) -> keys.Secret:
        """A secret from its place; from the file itself where that may be."""
        place = self.word(name)
        if inside and not place.startswith(("env:", "file:")):
            return keys.Secret(place)
        try:
            return keys.read_secret(
                place.removeprefix("file:"), what=name, folder=self._path.parent, environ=self._environ
            )
        except ConfigError as error:  # its place may be a key that somebody has put where the file of one belongs
            raise ConfigError(error.problem, place=str(self._path)) from None

    def key(self, name: str) -> Any:
        """A private key."""
        return keys.rsa_key(self.secret(name), what=name)

    def prime(self, name: str) -> tuple[int, int]:
        """The Diffie-Hellman prime and its generator: no secret, so that it may stand in the file."""
        prime, generator = keys.prime(self.secret(name, inside=True), what=name)
        told = self._table.get("dh_generator", generator)
        if type(told) is not int or told < 2:
            raise ConfigError("must be a whole number from 2 up", place=f"{self._path}: dh_generator")
        return prime, told
