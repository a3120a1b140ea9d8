"""The simulated gateway that a daemon starts for itself: a process of its own, found again by the next start."""

from __future__ import annotations

import json
import ssl
import sys
from enum import Enum, auto
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, Final

import httpx
import trio
from attrs import frozen

from engine.daemon.config import RunSettings
from engine.errors import InputError
from engine.operator.folder import StateFolder
from engine.operator.processes import process
from engine.webapi import tls

START_LIMIT_S: Final = 60.0
ASK_LIMIT_S: Final = 5.0
ALIVE_LIMIT_S: Final = 15.0
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


async def find_or_start(settings: RunSettings, folder: StateFolder) -> Place:
    """Return the gateway of this state folder, started if none runs.

    Raises: InputError if it can't be started.
    """
    known = known_place(folder)
    # One that runs and says nothing just now is busy with itself: a second one could not have its folder anyway.
    patience_s = ALIVE_LIMIT_S if folder.process("gateway") is not None else 0.0
    if known is not None and await clock_of(known, patience_s=patience_s) is not None:
        return known
    gateway = settings.gateway
    command = [sys.executable, "-m", "engine", "gateway", "--port", "0", "--state-dir", str(gateway_folder(folder))]
    command += ["--speed", f"{gateway.speed:g}", "--seed", str(gateway.seed), "--auth", gateway.auth]
    if gateway.recording is not None:
        command += ["--recording", str(gateway.recording)]
    else:
        symbols = gateway.synthetic or tuple(settings.instruments)
        command += ["--synthetic", ",".join(symbols)]
    for flag, path in (("--faults", gateway.faults), ("--config", gateway.config)):
        if path is not None:
            command += [flag, str(path)]
    gateway_folder(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    log = (folder.path / "gateway.log").open("ab")
    try:
        # In a session of its own: a Ctrl-C in the terminal is for the daemon, and the gateway outlives it.
        started = await trio.lowlevel.open_process(
            command, stdin=DEVNULL, stdout=PIPE, stderr=log.fileno(), start_new_session=True
        )
    finally:
        log.close()
    assert started.stdout is not None
    said = b""
    with trio.move_on_after(START_LIMIT_S):
        while b"\n" not in said:
            chunk = await started.stdout.receive_some()
            if not chunk:
                break
            said += chunk
    await started.stdout.aclose()
    words = said.decode("utf-8", "replace").split()
    url = next((word.rstrip(",") for word in words if word.startswith("http")), None)
    if url is None:
        problem = f"the simulated gateway did not start; {folder.path / 'gateway.log'} says why"
        raise InputError(problem, place=str(gateway_folder(folder)))
    place = Place(url=url, ca=gateway_folder(folder) / "ca.pem")
    _keep(folder, place, started.pid)
    return place


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
    root = place.url.split("/v1/", 1)[0]
    try:
        context = tls.context(place.url, ca=place.ca, pinned=place.pinned) if root.startswith("https") else False
        async with httpx.AsyncClient(verify=context, timeout=ASK_LIMIT_S) as client:
            answer = await client.get(f"{root}/sim/clock")
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


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is at the bottom of it: trio's streams wrap what TLS says."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def known_place(folder: StateFolder) -> Place | None:
    """Where the gateway of this state folder was, when it was last started; None if none ever was."""
    try:
        told = json.loads((folder.path / "gateway.json").read_text())
        return Place(url=str(told["url"]), ca=Path(told["ca"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(folder: StateFolder, place: Place, pid: int) -> None:
    """Note where it is, and which process: `engine stop` ends it."""
    path = folder.path / "gateway.json"
    part = path.with_name(path.name + ".new")
    part.write_text(json.dumps({"url": place.url, "ca": str(place.ca)}))
    part.replace(path)
    one = process(pid)
    if one is not None:
        folder.note_process("gateway", one)


def gateway_folder(folder: StateFolder) -> Path:
    """The simulated gateway's own folder."""
    return folder.path / "gateway"
