"""A gateway from its start to its end: folder, exchange, clock, certificate, door, sockets; all that knows them all."""

from __future__ import annotations

import secrets
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import trio

from engine.errors import InputError
from engine.gateway import credentials
from engine.gateway.auth import GatewayKeeper, Keeper
from engine.gateway.clock import GatewayClock
from engine.gateway.config import Launch, read_script_file
from engine.gateway.logins import ROUTES
from engine.gateway.oauth1 import OAuth1Keeper
from engine.gateway.oauth2 import OAuth2Keeper
from engine.gateway.opening import open_exchange
from engine.gateway.records import Exchange
from engine.gateway.routes import ALL_ROUTES
from engine.gateway.server import Server
from engine.gateway.shell import Shell
from engine.gateway.tags import snapshot_fields
from engine.gateway.tls import given_certificate, own_certificate
from engine.stopping import Tidied


def run(launch: Launch, say: Callable[[str], object]) -> None:
    """Serve until the process is stopped; `say` is given one line when clients may come.

    Raises: InputError for what can't be used, before anything listens.
    """
    script = read_script_file(launch.faults) if launch.faults is not None else None
    with ExitStack() as stack:
        folder = stack.enter_context(_state_folder(launch.state_dir))
        exchange = open_exchange(
            launch, recording=launch.recording, synthetic=launch.market or (), state_dir=launch.state_dir
        )
        stack.callback(exchange.close)
        context, trust = _certificate(launch, folder)
        keeper, material = _keeper(launch, folder)
        shell = build(launch, exchange, keeper)
        if script is not None:
            shell.faults.load(script, exchange.now_ns)
        notes = [f"certificate authority {trust}"] if trust else []
        notes += [f"client material {material}"] if material else []
        trio.run(_serve, launch, shell, context, notes, say)


def build(launch: Launch, exchange: Exchange, keeper: Keeper) -> Shell:
    """Put a gateway together on an open exchange, all but its sockets."""
    clock = GatewayClock(exchange.now_ns, launch.speed, time.monotonic_ns)
    return Shell(launch, exchange, clock, keeper, (*ROUTES, *ALL_ROUTES), snapshot_fields)


async def _serve(
    launch: Launch, shell: Shell, context: ssl.SSLContext | None, notes: list[str], say: Callable[[str], object]
) -> None:
    try:
        listeners = await trio.open_tcp_listeners(launch.port, host=launch.host)
    except OSError as exc:
        raise InputError(f"can't listen on {launch.host} port {launch.port}: {exc.strerror or exc}") from exc
    if launch.port == 0:
        # A name with two addresses would get a port for each, and one line tells of one.
        for other in listeners[1:]:
            await other.aclose()
        del listeners[1:]
    async with trio.open_nursery() as nursery:
        await nursery.start(Server(shell, context).serve, listeners)
        address: Any = listeners[0].socket.getsockname()
        host = str(address[0]) if launch.port == 0 else launch.host
        host = f"[{host}]" if ":" in host else host
        url = f"{'http' if context is None else 'https'}://{host}:{address[1]}/v1/api"
        say(", ".join([f"gateway ready at {url}", *notes]))


@contextmanager
def _state_folder(given: Path | None) -> Iterator[Path]:
    """The folder that was asked for; else one of our own that goes with us, however we end."""
    if given is not None:
        try:
            given.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise InputError(f"can't be used as a state folder: {exc.strerror}", place=str(given)) from exc
        yield given
        return
    own = Path(tempfile.mkdtemp(prefix="engine-gateway-"))
    with Tidied(lambda: rmtree(own, ignore_errors=True)):
        try:
            yield own
        finally:
            rmtree(own, ignore_errors=True)


def _certificate(launch: Launch, folder: Path) -> tuple[ssl.SSLContext | None, Path | None]:
    if launch.plain:
        return None, None
    if launch.tls_cert is not None and launch.tls_key is not None:
        return given_certificate(launch.tls_cert, launch.tls_key), None
    return own_certificate(folder, launch.host)


def _keeper(launch: Launch, folder: Path) -> tuple[Keeper, Path | None]:
    """The door, and the file that tells a client what it needs to get in."""
    match launch.auth:
        case "oauth1":
            consumer, file = credentials.consumer(launch.oauth, folder)
            return OAuth1Keeper(consumer, secrets.token_bytes), file
        case "oauth2":
            client, file = credentials.client(launch.oauth, folder, launch.username)
            return OAuth2Keeper(client, secrets.token_bytes, time.time), file
        case _:
            return GatewayKeeper(launch.allow), None
