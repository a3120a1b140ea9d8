"""A daemon that starts can be looked at, halted and stopped; the rest has to wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import trio

from engine.errors import JournalFull
from engine.operator.protocol import Code, NotDone, request
from engine.operator.starting import StartingDesk
from engine.operator.trading import Row, TradingDesk


def made(rows: list[Row], full: bool = False) -> StartingDesk:
    async def store(more: Sequence[Row]) -> None:
        if full:
            raise JournalFull("the disk is full")
        rows.extend(more)

    return StartingDesk(
        trading=TradingDesk(),
        now_ns=lambda: 7,
        store=store,
        layers=lambda: [{"layer": "gateway", "up": False, "reason": "no answer"}],
        about=lambda: {"mode": "sim"},
        stopping=trio.Event(),
    )


async def test_a_halt_given_at_the_start_is_found_by_the_next_one_too() -> None:
    rows: list[Row] = []
    desk = made(rows)
    status: Any = await desk.answer(request("status", {}))
    assert (status["trading"], status["reasons"], status["mode"]) == (
        "starting",
        ["the venue's books are being read"],
        "sim",
    )
    assert (await desk.answer(request("halt", {"why": "wait"})))["trading"] == "halted"
    desk.trading.start()
    assert desk.trading.state == "halted"
    assert [(kind, name) for _, kind, name, _ in rows] == [("operator", "operator"), ("latch", "operator")]
    stored = [(ts, kind, name, msgspec.json.encode(body).decode()) for ts, kind, name, body in rows]
    assert TradingDesk.rebuilt(stored).state == "halted"
    assert (await desk.answer(request("resume", {})))["lifted"] is True
    assert desk.trading.state == "on"


async def test_what_needs_the_books_has_to_wait_and_stop_does_not() -> None:
    desk = made([])
    for verb in ("orders", "positions", "pnl", "flatten", "cancel-all", "suppress"):
        with pytest.raises(NotDone, match="the daemon starts") as problem:
            await desk.answer(request(verb, {}))
        assert problem.value.code is Code.REFUSED
    await desk.answer(request("stop", {}))
    assert desk.stopping.is_set()


async def test_a_full_disk_holds_up_no_halt() -> None:
    desk = made([], full=True)
    assert (await desk.answer(request("halt", {})))["trading"] == "halted"
    with pytest.raises(NotDone, match="resume: the disk is full"):
        await desk.answer(request("resume", {}))
    assert desk.trading.state == "halted"
