"""A short session for people's commands: one transport, one scheduler, beside whatever else uses the gateway.

It begins no login and throws nobody out. Where the brokerage session is down it asks for one once, without competing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from engine.cli.options import json_option

if TYPE_CHECKING:
    from engine.ports import Clock
    from engine.webapi.scheduler import Scheduler

DEFAULT_URL: Final = "https://localhost:5000/v1/api"
OPENING_TRIES: Final = 15
OPENING_WAIT_S: Final = 1.0

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
_FILE: Final = click.Path(path_type=Path)


@dataclass(frozen=True, kw_only=True)  # not attrs: `--help` imports this module, and is to be instant
class Where:
    """The gateway as it was named on the command line; `account` None is the session's first."""

    gateway: str | None
    gateway_ca: Path | None
    gateway_pinned: Path | None
    state_dir: Path | None
    account: str | None

    def place(self) -> tuple[str, Path | None, Path | None]:
        """Base URL, authority to trust, pinned certificate. Raises: InputError."""
        from engine.errors import InputError
        from engine.webapi.tls import checked_base

        if self.state_dir is None:
            return checked_base(self.gateway or DEFAULT_URL), self.gateway_ca, self.gateway_pinned
        if self.gateway is not None or self.gateway_ca is not None:
            raise InputError("give a gateway or a state folder, not both")
        file = self.state_dir / "gateway.json"
        try:
            told = json.loads(file.read_text())
            return checked_base(str(told["url"])), Path(told["ca"]), None
        except OSError:
            raise InputError("it holds no gateway that a daemon has started", place=str(self.state_dir)) from None
        except (ValueError, KeyError, TypeError):
            raise InputError("can't be read", place=str(file)) from None


@dataclass(frozen=True, kw_only=True)
class Visit:
    """An open session. `account` is the one asked for, else the first; None where none was wanted."""

    caller: Scheduler
    clock: Clock
    account: str | None

    def own(self) -> str:
        """The account, where a command needs one."""
        assert self.account is not None
        return self.account


def session_options(command: F) -> F:
    """Add the options that say where the gateway is; the command gets them as one `where`, and `as_json`."""

    @functools.wraps(command)
    def wrapped(
        gateway: str | None,
        gateway_ca: Path | None,
        gateway_pinned: Path | None,
        state_dir: Path | None,
        account: str | None,
        **rest: Any,
    ) -> Any:
        where = Where(
            gateway=gateway,
            gateway_ca=gateway_ca,
            gateway_pinned=gateway_pinned,
            state_dir=state_dir,
            account=account,
        )
        return command(where=where, **rest)

    for option in (
        json_option,
        click.option("--account", metavar="ID", help="Account [the session's first]."),
        click.option("--state-dir", callback=_folder, metavar="DIR", help="A daemon's folder: the gateway it started."),
        click.option("--gateway-pinned", type=_FILE, metavar="FILE", help="The one certificate to trust (loopback)."),
        click.option(
            "--gateway-ca", type=_FILE, metavar="FILE", help="Authority to trust, such as a gateway's ca.pem."
        ),
        click.option("--gateway", metavar="URL", help=f"Base URL of a gateway [{DEFAULT_URL}]."),
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # click's decorators keep the function


def _folder(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Path | None:
    """Refuse an empty folder name: as a path it would mean the current folder."""
    if given is not None and not given:
        raise click.BadParameter("the name of the folder is empty")
    return None if given is None else Path(given)


class Need(Enum):
    """How much of a session a command needs."""

    LOGIN = 0  # fyi: neither the brokerage session nor an account
    ACCOUNT = 1  # performance: an account, read without the brokerage session
    BROKERAGE = 2  # all of /iserver


def visit(where: Where, wish: Callable[[Visit], Awaitable[T]], need: Need = Need.BROKERAGE) -> T:
    """Open a session, let `wish` ask in it, and close it.

    Raises: InputError, VenueError; or a group with one of them, which the command line's last door opens.
    """
    import structlog
    import trio

    async def run() -> T:
        async with open_session(where, need) as session:
            return await wish(session)

    before = structlog.get_config()
    # What goes wrong is one sentence in the end; the client's log is a daemon's.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)
    try:
        return trio.run(run)
    finally:
        structlog.configure(**before)


@asynccontextmanager
async def open_session(where: Where, need: Need) -> AsyncIterator[Visit]:
    """Connect, see to the session, find the account. Raises: as `visit`."""
    import trio

    from engine.webapi import tls
    from engine.webapi.auth.gateway import GatewayLogin
    from engine.webapi.budgets import GATEWAY_PER_S, SECOND, Budgets
    from engine.webapi.clock import WallClock
    from engine.webapi.rest import Rest
    from engine.webapi.scheduler import Scheduler

    url, ca, pinned = where.place()
    clock = WallClock()
    verify = tls.context(url, ca=ca, pinned=pinned) if url.startswith("https") else None
    async with Rest(url, clock, verify=verify, signer=GatewayLogin()) as rest, trio.open_nursery() as tasks:
        scheduler = Scheduler(rest, clock, Budgets(GATEWAY_PER_S, transit_ns=SECOND // 2))
        await tasks.start(scheduler.run)
        await _opened(scheduler, clock, brokerage=need is Need.BROKERAGE)
        account = await _account(scheduler, where.account, need)
        yield Visit(caller=scheduler, clock=clock, account=account)
        tasks.cancel_scope.cancel()


async def _opened(scheduler: Scheduler, clock: Clock, *, brokerage: bool) -> None:
    """Tickle; where the brokerage session is down, ask for it once and wait a while."""
    from engine.errors import VenueRefused, VenueUnreachable
    from engine.webapi.endpoints.accounts import Accounts
    from engine.webapi.endpoints.session import Session

    session = Session(scheduler)
    try:
        status = (await session.tickle()).status
    except VenueRefused as error:
        if error.status != 401:
            raise
        raise VenueUnreachable("POST /tickle", "nobody is logged in at the gateway") from error
    if not brokerage or (status is not None and status.usable):
        return
    await session.init(compete=False)
    for _ in range(OPENING_TRIES):
        try:
            if (await session.status()).usable:
                await Accounts(scheduler).accounts()
                return
        except VenueRefused as error:
            if "bridge" not in error.problem:  # a session that has just opened has none for some seconds
                raise
        await clock.sleep(OPENING_WAIT_S)
    raise VenueUnreachable("POST /iserver/auth/ssodh/init", "the brokerage session does not open")


async def _account(scheduler: Scheduler, wanted: str | None, need: Need) -> str | None:
    from engine.errors import InputError
    from engine.webapi.endpoints.accounts import Accounts
    from engine.webapi.endpoints.portfolio import Portfolio

    if need is Need.LOGIN:
        return wanted
    if need is Need.BROKERAGE:
        told = await Accounts(scheduler).accounts()
        known, first = told.accounts, told.selected
    else:
        known, first = tuple(row.account for row in await Portfolio(scheduler).accounts()), ""
    if wanted is None:
        return first or next(iter(known), None)
    if wanted not in known:
        raise InputError(f"the gateway has no account {wanted}", place="--account")
    return wanted
