"""Books against books over the wire: what a person does beside us is told, booked apart, and halts its instrument."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.daemon.reconciling import Reconciler
from engine.domain.brokerage import BrokerNews, ExecutionsKnown, VenueExecution
from engine.domain.order import State
from tests.daemon.alongside import (
    AAPL,
    IBM,
    Stranger,
    alongside,
    held,
    market,
    place,
    told,
    until,
    until_order,
    until_stored,
)
from tests.served import served


async def reconciled(reconciler: Reconciler) -> list[str]:
    """Compare now, as it happens every so often; the differences that were acted on."""
    seen: list[str] = []
    store = reconciler._store

    async def watch(rows: Any) -> None:
        for _, kind, _, what in rows:
            if kind == "reconciled":
                seen.extend(what)
        await store(rows)

    reconciler._store = watch
    try:
        with trio.fail_after(60):
            while not await reconciler.run_once(first=False):
                await trio.sleep(0.2)
    finally:
        reconciler._store = store
    return seen


async def test_a_persons_trade_is_booked_apart_and_halts_its_instrument_until_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon, Stranger(gateway) as person:
            place(daemon, market("quiet-000001"))
            await until_stored(daemon, "quiet-000001", "Filled")
            await person.trade(IBM, "SELL", 7)
            await until(lambda: told(daemon, "foreign_execution"))
            found = await reconciled(daemon.reconciler)
            (difference,) = [one for one in found if "conid" in one]
            assert "manual trade: halt instrument" in difference
            await until(lambda: held(daemon, IBM) == -7)
            assert {o for (o, conid), h in daemon.books.portfolio.holdings.items() if conid == IBM and h.quantity} == {
                "outside"
            }
            # New orders in it are refused, those in another instrument are not.
            place(daemon, market("quiet-000002", IBM), market("quiet-000003"))
            place(daemon, market("quiet-000004"))
            refused = await until_order(daemon, "quiet-000002", lambda one: not one.is_open)
            assert (refused.state, refused.code) == (State.REFUSED, "INSTRUMENT")
            await until_stored(daemon, "quiet-000004", "Filled")
        # A restart forgets neither the halt nor whose trade that was.
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon:
            place(daemon, market("quiet-000005", IBM))
            refused = await until_order(daemon, "quiet-000005", lambda one: not one.is_open)
            assert refused.code == "INSTRUMENT"
            assert not [one for one in await reconciled(daemon.reconciler) if "conid" in one]
            assert await daemon.operator.resume()
            place(daemon, market("quiet-000006", IBM, quantity=5))
            await until_stored(daemon, "quiet-000006", "Filled")
            await until(lambda: held(daemon, IBM) == -2)
            assert held(daemon, AAPL) == 20


async def test_a_foreign_order_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon, Stranger(gateway) as person:
            taken = await person.trade(AAPL, "BUY", 5, orderType="LMT", price=20)
            await until(lambda: "FOREIGN_ORDER" in daemon.people.counts)
            assert not await reconciled(daemon.reconciler)
            assert not daemon.book.book
            state = await person.state()
    (order,) = [one for one in state["orders"] if str(one["order_id"]) == str(taken["order_id"])]
    assert not Decimal(str(order.get("filled", 0)))


async def test_own_fills_that_were_not_told_are_booked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of executions is deaf; the list tells them, again and again."""
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon:
            hear = daemon.link.broker.news

            async def deaf() -> list[BrokerNews]:
                return [one for one in await hear() if not isinstance(one, VenueExecution)]

            monkeypatch.setattr(daemon.link.broker, "news", deaf)
            place(daemon, market("quiet-000000", IBM))  # the reader that waits by now still hears one
            await until_order(daemon, "quiet-000000", lambda one: one.filled)
            place(daemon, market("quiet-000001"))
            await until_order(daemon, "quiet-000001", lambda one: one.state is not State.CREATED)
            for _ in range(3):
                assert not [one for one in await reconciled(daemon.reconciler) if "manual" in one or "unknown" in one]
            order = await until_order(daemon, "quiet-000001", lambda one: one.state is State.FILLED)
            await until(lambda: held(daemon, AAPL) == 10)
            said = [json.loads(body) for body in told(daemon, "answer") if '"Filled"' in body]
            fills = [fill for fill in said if fill["coid"] == order.coid]
            assert sorted(fill["exec_id"] for fill in fills) == sorted(set(order.fills))


async def test_the_brokers_own_trade_is_a_liquidation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway plays none: a person's trade is marked as one on its way."""
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon, Stranger(gateway) as person:
            broker = daemon.link.broker
            read = broker.executions

            async def marked() -> Any:
                known = await read()
                if not isinstance(known, ExecutionsKnown):
                    return known
                rows = tuple(_forced(one) for one in known.executions)
                return ExecutionsKnown(executions=rows, as_of_ns=known.as_of_ns, days=known.days)

            monkeypatch.setattr(broker, "executions", marked)
            await person.trade(AAPL, "BUY", 4)
            await until(lambda: told(daemon, "foreign_execution"))
            (difference,) = [one for one in await reconciled(daemon.reconciler) if "conid" in one]
            assert "liquidation: halt instrument" in difference


async def test_a_return_of_the_session_is_followed_by_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon, Stranger(gateway) as person:
            before = len(told(daemon, "reconciled"))
            downs = [body for body in told(daemon, "session") if '"up":false' in body]
            await person.log_out()
            await until(lambda: [b for b in told(daemon, "session") if '"up":false' in b] != downs)
            await until(lambda: len(told(daemon, "reconciled")) > before)


def _forced(one: VenueExecution) -> VenueExecution:
    fields = {name: getattr(one, name) for name in VenueExecution.__struct_fields__}
    return VenueExecution(**{**fields, "liquidation": True})
