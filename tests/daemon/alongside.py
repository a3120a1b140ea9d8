"""A daemon in the test's own process against a gateway in another, so that a test can look into both sides' books."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import trio

from engine.daemon import assembling, running
from engine.daemon.assembling import Daemon
from engine.daemon.config import RunSettings, load
from engine.daemon.replaying import replay
from engine.domain.messages import Cancel, Intent, Modify, Place
from engine.domain.order import Order
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.operator.folder import StateFolder
from engine.runtime.live.letters import Wanted
from engine.webapi import tls
from tests.served import PAPER, Served

AAPL: Final = 265598
IBM: Final = 8314
PAIR: Final = 900_001  # a number of our own: the venue knows a combo by its legs
PATIENCE_S: Final = 60.0
_QUIET = """
from engine.strategy.api import Strategy


class Quiet(Strategy):
    def on_start(self):
        pass
"""
_CONFIG = """
name = "beside"
mode = "sim"
[account]
id = "{account}"
[gateway]
url = "{url}"
ca = "{ca}"
[[instrument]]
conid = 265598
symbol = "AAPL"
[[instrument]]
conid = 8314
symbol = "IBM"
[[strategy]]
use = "./quiet.py:Quiet"
name = "quiet"
instruments = ["AAPL", "IBM"]
[risk.account]
order_quantity_max = 50_000
order_notional_max = 100_000_000
position_max = 100_000
price_collar_pct = 50
duplicate_window_s = 0
quote_age_max_s = 100_000
[recorder]
market = false
wire = true
[stop]
policy = "leave"
[guard]
on = false
{more}
"""
COMBO = """
[[instrument]]
conid = 900001
symbol = "AAPL-IBM"
sec_type = "BAG"
legs = [[265598, 1], [8314, -2]]
"""


def settings(folder: Path, gateway: Served, more: str = "", *, strategy: str = _QUIET) -> RunSettings:
    """A daemon's configuration for this gateway, with a strategy that wants nothing if no other is given."""
    folder.mkdir(exist_ok=True)
    (folder / "quiet.py").write_text(strategy)
    path = folder / "run.toml"
    path.write_text(_CONFIG.format(account=PAPER, url=gateway.url, ca=gateway.ca, more=more))
    return load(path)


@asynccontextmanager
async def alongside(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    gateway: Served,
    more: str = "",
    *,
    strategy: str = _QUIET,
    said: list[str] | None = None,
) -> AsyncIterator[Daemon]:
    """Run a daemon until the block ends; it trades and has prices by then. `said` gets what it tells people.

    Afterwards its log is replayed: every decision has to be reached again.
    """
    made: list[Daemon] = []
    whole = assembling.assemble

    def assemble(*args: Any, **named: Any) -> Daemon:
        made.append(whole(*args, **named))
        return made[-1]

    monkeypatch.setattr(running, "assemble", assemble)
    trades = trio.Event()

    def say(sentence: str) -> None:
        if said is not None:
            said.append(sentence)
        if sentence.startswith("trading is"):
            trades.set()

    configured = settings(folder, gateway, more, strategy=strategy)
    state = StateFolder(folder / "state")
    state.make()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(running.run, configured, state, say=say))
        with trio.fail_after(PATIENCE_S):
            await trades.wait()
            view = made[-1].nursery.judging.view
            while not all(view.quote(conid) for conid in (AAPL, IBM)):  # risk refuses what has no price
                await trio.sleep(0.02)
        yield made[-1]
        made[-1].stopping.set()
    assert replay(state.path / "wire").difference is None


def want(daemon: Daemon, *intents: Intent) -> None:
    """Intents as a strategy's: they pass the gate."""
    daemon.nursery.tell_risk(Wanted(tuple(intents), daemon.clock.now_ns()))


def place(daemon: Daemon, *tickets: OrderTicket) -> None:
    """Want these orders."""
    want(daemon, Place(tickets))


def cancel(daemon: Daemon, coid: str) -> None:
    """Want it dead."""
    want(daemon, Cancel(coid, "quiet"))


def modify(daemon: Daemon, coid: str, **changes: Decimal) -> None:
    """Want its ticket changed."""
    want(daemon, Modify(coid, "quiet", changes))


async def until(holds: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
    """Wait until something holds. A bound against a hang, no measure of speed."""
    with trio.fail_after(limit_s):
        while not holds():
            await trio.sleep(0.02)


async def until_stored(daemon: Daemon, coid: str, word: str) -> None:
    """Wait until the journal has an answer of this kind for an order, and so all that came before it."""
    rows = ("answer", "denied")
    await until(lambda: any(coid in body for body in told(daemon, *rows) if f'"{word}"' in body or "sentence" in body))
    stored = [body for body in told(daemon, *rows) if coid in body]
    assert any(f'"{word}"' in body for body in stored), stored


async def until_order(daemon: Daemon, coid: str, holds: Callable[[Order], object]) -> Order:
    """Wait until an order is known and something holds of it."""
    await until(lambda: coid in daemon.book.book and holds(daemon.book.book[coid]))
    return daemon.book.book[coid]


def told(daemon: Daemon, *kinds: str) -> list[str]:
    """The bodies of the journal's rows of some kinds, oldest first."""
    return [row.body for row in daemon.journal.rows(kinds=kinds)]


def market(coid: str, conid: int = AAPL, side: Side = Side.BUY, quantity: int = 10) -> OrderTicket:
    """A market order of the quiet strategy."""
    return OrderTicket(
        coid=coid,
        strategy="quiet",
        account=PAPER,
        conid=conid,
        side=side,
        order_type=OrderType.MARKET,
        quantity=Decimal(quantity),
    )


def resting(coid: str, price: Decimal, quantity: int = 10) -> OrderTicket:
    """A limit order to buy AAPL."""
    return OrderTicket(
        coid=coid,
        strategy="quiet",
        account=PAPER,
        conid=AAPL,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        limit_price=price,
    )


def held(daemon: Daemon, conid: int) -> Decimal:
    """What our books hold of an instrument, whoever owns it."""
    return sum((h.quantity for (_, one), h in daemon.books.portfolio.holdings.items() if one == conid), Decimal(0))


class Stranger:
    """A second client on the same gateway session: what a person does in another window."""

    def __init__(self, gateway: Served) -> None:
        self._gateway = gateway
        self._client = httpx.AsyncClient(
            base_url=gateway.url, verify=tls.context(gateway.url, ca=gateway.ca), timeout=20
        )

    async def __aenter__(self) -> Stranger:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    async def trade(self, conid: int, side: str, quantity: int, **more: Any) -> dict[str, Any]:
        """Place an order, saying yes to whatever is asked; its last answer."""
        order = {"conid": conid, "side": side, "quantity": quantity, "orderType": "MKT", "tif": "DAY", **more}
        answer = await self._send(f"/iserver/account/{PAPER}/orders", {"orders": [order]})
        while "id" in answer[0]:
            answer = await self._send(f"/iserver/reply/{answer[0]['id']}", {"confirmed": True})
        return dict(answer[0])

    async def _send(self, path: str, body: dict[str, Any]) -> Any:
        while True:
            said = await self._client.post(path, json=body)
            if said.status_code != 429:
                break
            await trio.sleep(0.2)
        return said.raise_for_status().json()

    async def log_out(self) -> None:
        """End the session."""
        await self._send("/logout", {})

    async def state(self) -> dict[str, Any]:
        """What the exchange really holds."""
        return dict((await self._client.get(f"{self._gateway.root}/sim/state")).raise_for_status().json())
