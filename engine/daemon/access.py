"""The guard's way to the venue: the session that is there, orders and positions, and nothing that spends a login.

`open_venue` is what `engine.guard` is told by name; its argument is `access_of`'s, sent over the guard's socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from engine.daemon.config import RunSettings
from engine.daemon.simulated import Place, clock_of
from engine.domain.instrument import Instrument
from engine.errors import VenueUnreachable
from engine.ports import Clock
from engine.recording.head import Head, head_text, instrument_from
from engine.tables import toml
from engine.webapi import tls
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.broker import WebBroker
from engine.webapi.budgets import GATEWAY_PER_S, SECOND, Budgets
from engine.webapi.chores import Chores
from engine.webapi.clock import RatedClock, WallClock
from engine.webapi.endpoints.session import Session
from engine.webapi.orderview import OrderView
from engine.webapi.rest import Rest
from engine.webapi.scheduler import Scheduler


def access_of(settings: RunSettings, place: Place, rate: float) -> dict[str, Any]:
    """What the guard has to know; kept in its memory alone."""
    head = Head(name="instruments", instruments=tuple(settings.instruments.values()))
    return {
        "url": place.url,
        "ca": None if place.ca is None else str(place.ca.absolute()),
        "pinned": None if place.pinned is None else str(place.pinned.absolute()),
        "auth": settings.gateway.auth,
        "account": settings.base.account.id,
        "simulated": not settings.by_wall,
        "rate": rate,
        "instruments": head_text(head),
    }


@asynccontextmanager
async def open_venue(access: Mapping[str, Any]) -> AsyncIterator[WebBroker]:
    """Stand beside the daemon's session: a tickle shows that it lives, the account lists are read, nothing is begun.

    Raises: VenueUnreachable if there is no session, or if its kind of login can't be shared.
    """
    if access["auth"] != "gateway":
        raise VenueUnreachable("guard", f"a session of {access['auth']} belongs to the process that logged in")
    ca, pinned = access["ca"], access["pinned"]
    place = Place(url=access["url"], ca=Path(ca) if ca else None, pinned=Path(pinned) if pinned else None)
    clock: Clock = WallClock()
    if access["simulated"]:
        told = await clock_of(place)
        if told is None:
            raise VenueUnreachable("GET /sim/clock", "the simulated gateway does not answer")
        clock = RatedClock(told.now_ns, told.rate)
    verify = tls.context(place.url, ca=place.ca, pinned=place.pinned) if place.url.startswith("https") else None
    async with Rest(place.url, clock, verify=verify, signer=GatewayLogin()) as rest, trio.open_nursery() as tasks:
        budgets = Budgets(GATEWAY_PER_S, transit_ns=round(0.5 * SECOND * access["rate"]))
        scheduler = Scheduler(rest, clock, budgets)
        await tasks.start(scheduler.run)
        status = (await Session(scheduler).tickle()).status
        if status is None or not status.usable:
            raise VenueUnreachable("POST /tickle", "there is no brokerage session")
        await Chores(scheduler, account=access["account"]).accounts()
        yield WebBroker(
            scheduler,
            clock,
            OrderView(access["account"]),
            _instruments(access),
            tell=lambda heard: None,  # noqa: ARG005
        )
        tasks.cancel_scope.cancel()


def _instruments(access: Mapping[str, Any]) -> dict[int, Instrument]:
    rows = toml(access["instruments"], parse_float=str)["instruments"]
    made = (instrument_from(row, place="instruments") for row in rows)
    return {instrument.conid: instrument for instrument in made}
