"""What a gateway is started with: the options and where it listens, from a TOML file and from flags."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from engine.errors import ConfigError, InputError
from engine.gateway.faults import Script, read_script
from engine.gateway.options import Options
from engine.tables import structure, toml

DEFAULT_MARKET: Final = ("AAPL", "IBM", "SPY")


@frozen(kw_only=True)
class OAuth:
    """Material of the OAuth modes; what is not given is made at the start and written into the state folder.

    Files are in PEM form. OAuth 1.0a: the consumer's two public keys and the Diffie-Hellman prime (hex), the secret
    as 64 hex digits. OAuth 2.0: the client's public key.
    """

    consumer_key: str = "SIMULATED"
    access_token: str = ""
    access_token_secret: str = ""
    signature_key: Path | None = None
    encryption_key: Path | None = None
    dh_prime: str = ""
    client_id: str = "sim-client"
    client_key_id: str = "main"
    client_key: Path | None = None


@frozen(kw_only=True)
class Launch(Options):
    """All of it. `recording` and `synthetic` exclude each other; neither means the default synthetic market."""

    host: str = "127.0.0.1"
    port: int = field(default=5000)
    allow_remote: bool = False
    recording: Path | None = None
    synthetic: tuple[str, ...] = ()
    faults: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain: bool = False
    state_dir: Path | None = None
    oauth: OAuth = field(factory=OAuth)

    @port.validator
    def _port(self, _: Any, value: int) -> None:
        if not 0 <= value <= 65_535:
            raise ValueError(f"port must be 0 to 65535, not {value}")

    @property
    def market(self) -> tuple[str, ...] | None:
        """Symbols of the synthetic market; None where a recording is played."""
        return None if self.recording is not None else self.synthetic or DEFAULT_MARKET


def read_launch(path: Path | None, flags: Mapping[str, Any]) -> Launch:
    """Put file and flags together; a flag that is given goes before the file.

    Raises: ConfigError or InputError, for the first thing that is wrong.
    """
    launch = _from_file(path) if path is not None else Launch()
    given = {name: value for name, value in flags.items() if value is not None}
    if "recording" in given and "synthetic" not in given:
        given["synthetic"] = ()
    elif "synthetic" in given and "recording" not in given:
        given["recording"] = None
    pacing = given.pop("pacing", None)
    if pacing is not None:
        given["pacing"] = evolve(launch.pacing, on=pacing)
    try:
        launch = evolve(launch, **given)
    except ValueError as exc:
        raise InputError(f"--{str(exc).replace('_', '-', 1)}") from exc
    _check(launch)
    return launch


def read_script_file(path: Path) -> Script:
    """Read a fault script. Raises: ConfigError that names file and key."""
    return read_script(_toml(path), place=str(path))


def _from_file(path: Path) -> Launch:
    table = _toml(path)
    for key in table:
        if key != "gateway":
            raise ConfigError("unknown table; all of a gateway's keys stand in [gateway]", place=f"{path}: {key}")
    return structure(table.get("gateway", {}), Launch, file=path, key="gateway", folder=path.parent)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ConfigError("there is no such file", place=str(path)) from exc
    except OSError as exc:
        raise ConfigError(f"can't be read: {exc.strerror}", place=str(path)) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"is not UTF-8 text (byte {exc.start})", place=str(path)) from exc
    except ValueError as exc:
        raise ConfigError(f"is not valid TOML: {exc}", place=str(path)) from exc


def _check(launch: Launch) -> None:
    if launch.recording is not None and launch.synthetic:
        raise InputError("a gateway plays a recording or a synthetic market, not both")
    if (launch.tls_cert is None) != (launch.tls_key is None):
        raise InputError("--tls-cert and --tls-key belong together")
    if launch.plain and launch.tls_cert is not None:
        raise InputError("--plain is without TLS; a certificate is of no use to it")
    if not (launch.allow_remote or _is_loopback(launch.host)):
        raise InputError(
            f"{launch.host} is reachable from other machines, and whoever reaches a gateway trades with it; give"
            " --allow-remote if that is meant"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
