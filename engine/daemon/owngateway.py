"""The simulated gateway that a daemon starts for itself: a process of its own, found again by the next start.

It outlives the daemon. Where the configuration now asks for it otherwise, the next start ends it and starts it anew on
its own books; where it dies alone, the daemon does the same, at the same place and with the clock where ours is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, Final

import structlog
import trio

from engine.daemon.assembling import Venue
from engine.daemon.config import RunSettings
from engine.daemon.simulated import PLACE, Place, clock_of, gateway_folder, known_place, set_clock
from engine.errors import InputError
from engine.operator.folder import StateFolder
from engine.operator.processes import Process, end, process

START_LIMIT_S: Final = 60.0
ALIVE_LIMIT_S: Final = 15.0
END_LIMIT_S: Final = 10.0
LOOK_S: Final = 0.5
AGAIN_S: Final = 1.0  # between two starts of one that dies at once; doubled each time
AGAIN_MAX_S: Final = 60.0
_SAID_MAX: Final = 4_096

log = structlog.get_logger()


async def find_or_start(settings: RunSettings, folder: StateFolder, say: Callable[[str], None]) -> Place:
    """Return the gateway of this state folder, started if none runs, and anew if it runs otherwise than is wanted.

    Raises: InputError if it can't be started, or if the books in the folder are another market's.
    """
    known, began, wanted = known_place(folder), _began(folder), _wanted(settings)
    if began is not None and _market(began) != _market(wanted):
        problem = (
            f"the simulated gateway of this state folder trades {_named(_market(began))}, and now "
            f"{_named(_market(wanted))} is wanted: put [gateway] back as it was, or give another --state-dir"
        )
        raise InputError(problem, place=str(folder.path))
    running = folder.process("gateway")
    # One that runs and says nothing just now is busy with itself: a second one could not have its folder anyway.
    patience_s = ALIVE_LIMIT_S if running is not None else 0.0
    if known is None or await clock_of(known, patience_s=patience_s) is None:
        return await _start(settings, folder)
    changed = [key for key in wanted if began is not None and began.get(key) != wanted[key]]
    if not changed:
        return known
    told = ", ".join(f"{key} {_shown(began, key)}, now {_shown(wanted, key)}" for key in changed)
    if running is None:
        say(f"warning: the simulated gateway of this folder was started otherwise ({told}); it goes on as it is")
        return known
    say(f"the simulated gateway of this folder was started otherwise ({told}): it is started anew, books and all")
    if not await trio.to_thread.run_sync(end, running, END_LIMIT_S):
        raise InputError(f"process {running.pid}, the simulated gateway, does not end", place=str(folder.path))
    return await _start(settings, folder, port=_port(known))


async def keep_alive(settings: RunSettings, folder: StateFolder, venue: Venue, alert: Callable[[str], None]) -> None:
    """Start the gateway again whenever it has died, at the same place; until cancelled.

    Its books, orders and session are what it had saved before it last answered. Its clock stood still meanwhile, and is
    set to ours: what lives by ours must not see time go back.

    Args:
        alert: Told of each death, and of starts that fail.
    """
    if folder.process("gateway") is None:
        return  # whoever started it, it is not known as a process of ours
    wait_s, began_s = 0.0, trio.current_time()
    while True:
        await trio.sleep(LOOK_S)
        if folder.process("gateway") is not None:
            continue
        if trio.current_time() - began_s > AGAIN_MAX_S:
            wait_s = 0.0
        alert(
            f"the simulated gateway has died; it is started again{f' in {wait_s:g} s' if wait_s else ''}, books and all"
        )
        await trio.sleep(wait_s)
        wait_s = min(max(AGAIN_S, wait_s * 2), AGAIN_MAX_S)
        began_s = trio.current_time()
        try:
            await _start(settings, folder, port=_port(venue.place), rate=venue.rate)
        except InputError as error:
            alert(str(error))
            continue
        if not await set_clock(venue.place, venue.clock.now_ns()):
            alert("the simulated gateway runs again, and its clock can't be set: say `engine stop`, and start again")
        log.info("gateway_started_again", url=venue.place.url)


async def end_gateway(folder: StateFolder) -> None:
    """End the gateway of this state folder, if it runs."""
    running = folder.process("gateway")
    if running is not None and await trio.to_thread.run_sync(end, running, END_LIMIT_S):
        folder.drop_process("gateway")


async def _start(settings: RunSettings, folder: StateFolder, *, port: int = 0, rate: float | None = None) -> Place:
    gateway, home = settings.gateway, gateway_folder(folder)
    command = [sys.executable, "-m", "engine", "gateway", "--port", str(port), "--state-dir", str(home)]
    command += ["--speed", f"{rate or gateway.speed:g}", "--seed", str(gateway.seed), "--auth", gateway.auth]
    if gateway.recording is not None:
        command += ["--recording", str(gateway.recording)]
    else:
        command += ["--synthetic", ",".join(_symbols(settings))]
    for flag, path in (("--faults", gateway.faults), ("--config", gateway.config)):
        if path is not None:
            command += [flag, str(path)]
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_path = folder.path / "gateway.log"
    with log_path.open("ab") as said:
        before = said.tell()
        # In a session of its own: a Ctrl-C in the terminal is for the daemon, and the gateway outlives it.
        started = await trio.lowlevel.open_process(
            command, stdin=DEVNULL, stdout=PIPE, stderr=said.fileno(), start_new_session=True
        )
    noted = False
    try:
        url = await _url(started)
        one = process(started.pid)
        if url is None or one is None:
            raise InputError(f"the simulated gateway did not start: {_why(log_path, before)}", place=str(home))
        place = Place(url=url, ca=home / "ca.pem")
        _keep(folder, place, one, _wanted(settings))
        noted = True
    finally:
        if not noted:  # nobody would know of it
            started.terminate()
            with trio.move_on_after(END_LIMIT_S, shield=True):
                await started.wait()
    return place


async def _url(started: trio.Process) -> str | None:
    """Where it says it is; None if it ends or says nothing."""
    assert started.stdout is not None
    said = b""
    async with started.stdout:
        with trio.move_on_after(START_LIMIT_S):
            while b"\n" not in said:
                chunk = await started.stdout.receive_some()
                if not chunk:
                    break
                said += chunk
    words = said.decode("utf-8", "replace").split()
    return next((word.rstrip(",") for word in words if word.startswith("http")), None)


def _why(path: Path, before: int) -> str:
    """The last sentence that it has written since."""
    with path.open("rb") as said:
        said.seek(before)
        lines = said.read(_SAID_MAX).decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("engine: ") if lines else f"it said nothing within {START_LIMIT_S:g} s; see {path}"


def _keep(folder: StateFolder, place: Place, one: Process, began: Mapping[str, Any]) -> None:
    """Note where it is, what it was started with, and which process: `engine stop` ends it."""
    path = folder.path / PLACE
    part = path.with_name(path.name + ".new")
    part.write_text(json.dumps({"url": place.url, "ca": str(place.ca), "began": began}))
    part.replace(path)
    folder.note_process("gateway", one)


# --- what it was started with -----------------------------------------------------------------------------------------


def _symbols(settings: RunSettings) -> tuple[str, ...]:
    return settings.gateway.synthetic or tuple(settings.instruments)


def _wanted(settings: RunSettings) -> dict[str, Any]:
    """What a gateway is started with, as JSON has it; files with what they hold."""
    gateway = settings.gateway
    market: dict[str, Any] = {"synthetic": list(dict.fromkeys(_symbols(settings))), "seed": gateway.seed}
    if gateway.recording is not None:
        market = {"recording": str(gateway.recording.resolve())}
    files = {"faults": _file(gateway.faults), "config": _file(gateway.config)}
    return {"market": market, "speed": gateway.speed, "auth": gateway.auth, **files}


def _file(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    try:
        return [str(path.resolve()), sha256(path.read_bytes()).hexdigest()]
    except OSError:
        return [str(path.resolve()), ""]  # the gateway says what is wrong with it


def _began(folder: StateFolder) -> dict[str, Any] | None:
    """What the folder's gateway was started with; None if nobody knows, or it has no books yet."""
    try:
        began = json.loads((folder.path / PLACE).read_text())["began"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return began if isinstance(began, dict) and (gateway_folder(folder) / "exchange.db").exists() else None


def _market(began: Mapping[str, Any]) -> Any:
    return began.get("market")


def _named(market: Any) -> str:
    if not isinstance(market, dict):
        return "an unknown market"
    if "recording" in market:
        return str(market["recording"])
    return f"{','.join(market.get('synthetic', ()))} with seed {market.get('seed')}"


def _shown(began: Mapping[str, Any] | None, key: str) -> str:
    value = None if began is None else began.get(key)
    match value:
        case None:
            return "none"
        case [str(path), str(digest)]:
            return f"{path} ({digest[:8] or 'unreadable'})"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _port(place: Place) -> int:
    return int(place.url.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[1])
