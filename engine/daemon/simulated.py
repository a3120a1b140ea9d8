"""Where a simulated gateway is, and what its clock says."""

from __future__ import annotations

import json
import ssl
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import httpx
import trio
from attrs import frozen

from engine.errors import InputError
from engine.operator.folder import StateFolder
from engine.webapi import tls

PLACE: Final = "gateway.json"  # of the state folder: where its own gateway is, and what it was started with
ASK_LIMIT_S: Final = 5.0
BUSY_S: Final = 3.0  # how long one that answered a moment ago may keep quiet
AGAIN_S: Final = 0.1


@frozen(kw_only=True)
class Place:
    """Where a gateway is: base URL with /v1/api, and the certificate to trust."""

    url: str
    ca: Path | None
    pinned: Path | None = None


@frozen(kw_only=True)
class Told:
    """A simulated gateway's clock: nanoseconds UTC, and how fast it runs."""

    now_ns: int
    rate: float


async def clock_of(place: Place, *, patience_s: float = 0.0) -> Told | None:
    """Ask a gateway for its clock, again and again for so long; None if nobody answers, or it is no simulated one."""
    told = await _told(place, patience_s)
    return told if isinstance(told, Told) else None


async def clock_at(place: Place, *, patience_s: float) -> Told:
    """As `clock_of`. Raises: InputError, which says what is wrong with certificate or place."""
    told = await _told(place, patience_s)
    if isinstance(told, Told):
        return told
    if isinstance(told, InputError):
        raise told
    raise InputError(f"{_WRONG[told]}, and the mode is sim", place=place.url)


async def set_clock(place: Place, moment_ns: int) -> bool:
    """Have a simulated gateway's clock show a moment that has not come there yet; False if it does not."""
    try:
        async with _client(place) as client:
            answer = await client.post(f"{_root(place)}/sim/clock", json={"clock_ms": moment_ns // 1_000_000})
            return answer.status_code == 200
    except (httpx.HTTPError, InputError, OSError):
        return False


class _Silent(Enum):
    NOBODY = auto()
    UNTRUSTED = auto()
    OTHER = auto()


_WRONG: Final = {
    _Silent.NOBODY: "no simulated gateway answers there",
    _Silent.UNTRUSTED: "its certificate is not trusted: give the gateway's own ca.pem as --gateway-ca or [gateway] ca",
    _Silent.OTHER: "what answers there is no simulated gateway",
}


async def _told(place: Place, patience_s: float) -> Told | _Silent | InputError:
    until = trio.current_time() + patience_s
    while (told := await _ask_clock(place)) is _Silent.NOBODY and trio.current_time() < until:
        await trio.sleep(AGAIN_S)
    return told


async def _ask_clock(place: Place) -> Told | _Silent | InputError:
    try:
        async with _client(place) as client:
            answer = await client.get(f"{_root(place)}/sim/clock")
            told: Any = answer.json()
            return Told(now_ns=int(told["clock_ms"]) * 1_000_000, rate=float(told["rate"]))
    except InputError as error:
        return error
    except httpx.HTTPError as error:
        return _Silent.UNTRUSTED if _is_untrusted(error) else _Silent.NOBODY
    except (ValueError, KeyError, TypeError):
        return _Silent.OTHER
    except OSError:
        return _Silent.NOBODY


def _client(place: Place) -> httpx.AsyncClient:
    secure = place.url.startswith("https")
    context = tls.context(place.url, ca=place.ca, pinned=place.pinned) if secure else False
    return httpx.AsyncClient(verify=context, timeout=ASK_LIMIT_S)


def _root(place: Place) -> str:
    return place.url.split("/v1/", 1)[0]


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is at the bottom of it: trio's streams wrap what TLS says."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def known_place(folder: StateFolder) -> Place | None:
    """Where the gateway of this state folder was, when it was last started; None if none ever was."""
    try:
        told = json.loads((folder.path / PLACE).read_text())
        return Place(url=str(told["url"]), ca=Path(told["ca"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def gateway_folder(folder: StateFolder) -> Path:
    """The simulated gateway's own folder."""
    return folder.path / "gateway"
