"""What has to hold once the kill switch was pulled, by our journal and by the venue's own books."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from engine.daemon.assembling import Daemon
from engine.domain.ticket import OrderTicket
from engine.operator.flattening import TAG
from tests.daemon.alongside import AAPL, alongside, market, place, until, until_order, until_stored
from tests.served import Served

FLATTENS: Final = "[kill]\nflatten = true\nflatten_after_s = 20\n[orders]\nsettle_s = 10\n"
# Nothing on the gateway's side may run out between two requests of a busy machine.
PATIENT: Final = "[gateway.session]\nidle_s = 86_000\n[gateway.questions]\nexpiry_s = 3_600\n"
SPEED: Final = "4"  # of the gateway's clock: settle times pass, and a turn of the loop is no long time
ENDED: Final = frozenset({"Filled", "Cancelled"})
_TICKETS: Final = msgspec.json.Decoder(list[OrderTicket])


def strike(gateway: Served, *faults: dict[str, Any]) -> None:
    """Arm a fault script."""
    with gateway.client() as client:
        client.post(f"{gateway.root}/sim/faults", json={"fault": list(faults)}).raise_for_status()


def mend(gateway: Served) -> None:
    """End all faults."""
    with gateway.client() as client:
        client.delete(f"{gateway.root}/sim/faults").raise_for_status()


async def hold(daemon: Daemon, units: int = 30) -> Decimal:
    """Buy some AAPL at the market; a price at which an order to buy more of it rests."""
    place(daemon, market("quiet-000001", quantity=units))
    await until_stored(daemon, "quiet-000001", "Filled")
    price = daemon.nursery.judging.view.price(AAPL)
    assert price is not None
    return Decimal(round(price[0] * 0.8))


async def until_flat(daemon: Daemon) -> None:
    """Wait until the switch was pulled and its flattening has ended."""
    await until(lambda: daemon.trading.state == "halted" and not daemon.trading.flattens)


def written(daemon: Daemon) -> tuple[set[str], set[str]]:
    """Client order ids of the tickets that were written, to the first latch and after it; what closes is asserted."""
    before: set[str] = set()
    after: set[str] = set()
    pulled = False
    for row in daemon.journal.rows(kinds=("latch", "write", "reply")):
        pulled = pulled or row.kind == "latch"
        if row.kind == "write":
            tickets = _TICKETS.decode(row.body)
            (after if pulled else before).update(ticket.coid for ticket in tickets)
            assert not pulled or [ticket.tag for ticket in tickets] == [TAG], row.body
        elif row.kind == "reply":
            assert not pulled or '"confirmed":false' in row.body, row.body
    return before, after


def assert_all_is_dead(daemon: Daemon, gateway: Served) -> None:
    """Nothing but closings left after the halt, every order has ended at the venue, and nothing is held there."""
    before, closings = written(daemon)
    state = gateway.state()
    assert {order["cOID"] for order in state["orders"]} <= before | closings
    assert {order["status"] for order in state["orders"]} <= ENDED
    assert state["positions"] == {}
    assert daemon.operator.open_orders() == []
    closed = [order for order in state["orders"] if order["cOID"] in closings and order["filled"]]
    assert closed
    assert {order["side"] for order in closed} == {"SELL"}  # what was held was long


async def assert_a_restart_stays_halted(
    monkeypatch: pytest.MonkeyPatch, folder: Path, gateway: Served, more: str
) -> None:
    """The next daemon on the folder sends nothing until a person resumes; then it does."""
    known = len(gateway.state()["orders"])
    async with alongside(monkeypatch, folder, gateway, more) as daemon:
        assert daemon.trading.state == "halted"
        place(daemon, market("quiet-000901"))
        order = await until_order(daemon, "quiet-000901", lambda one: not one.is_open)
        assert order.code == "TRADING"
        assert len(gateway.state()["orders"]) == known
        assert (await daemon.operator.resume())["trading"] == "on"
        place(daemon, market("quiet-000902"))
        await until_stored(daemon, "quiet-000902", "Filled")
