"""Risk over the wire: bad market data refuse orders by default, and a person lets a held order pass."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.operator.protocol import NotDone
from tests.daemon.alongside import AAPL, IBM, alongside, market, place, told, until, until_order, until_stored
from tests.served import Served, served

SHORT = "[risk.instrument.IBM]\nquote_age_max_s = 30\n"
OF_WORTH = "[risk.strategy.quiet]\nleverage_max = 0.5\ndrawdown_reduce_pct = 1\npnl_jump_pct = 1\n"
TWICE = "[orders]\nhold_s = 3_000\n[risk.instrument.AAPL]\nduplicate_window_s = 10_000\n"


def spoil(gateway: Served, how: str | None, conid: int = AAPL) -> None:
    """Every frame of an instrument is bad from now on; None: no more."""
    with gateway.client() as client:
        client.delete(f"{gateway.root}/sim/faults").raise_for_status()
        if how is not None:
            fault = {"do": how, "on": f"smd+{conid}"}
            client.post(f"{gateway.root}/sim/faults", json={"fault": [fault]}).raise_for_status()


def refused(order: Order) -> tuple[State, str]:
    return order.state, order.code


async def test_bad_market_data_refuse_orders_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, SHORT) as daemon:
            view = daemon.nursery.judging.view
            outside = daemon.gate.account.outside
            assert outside is not None

            def quote() -> tuple[float, float]:
                found = view.quote(AAPL)
                assert found is not None
                return found.bid, found.ask

            place(daemon, market("quiet-000001"))
            await until_stored(daemon, "quiet-000001", "Filled")
            spoil(gateway, "crossed")
            await until(lambda: quote()[0] > quote()[1])
            place(daemon, market("quiet-000002"))
            order = await until_order(daemon, "quiet-000002", lambda one: not one.is_open)
            assert refused(order) == (State.REFUSED, "CROSSED")
            spoil(gateway, "one-sided")
            await until(lambda: math.isnan(quote()[1]))
            place(daemon, market("quiet-000003"))
            order = await until_order(daemon, "quiet-000003", lambda one: not one.is_open)
            assert refused(order) == (State.REFUSED, "ONE_SIDED")
            spoil(gateway, "frozen")
            await until(lambda: outside.availability[AAPL] == "ZpB" and quote()[0] < quote()[1])
            place(daemon, market("quiet-000004"))
            order = await until_order(daemon, "quiet-000004", lambda one: not one.is_open)
            assert refused(order) == (State.REFUSED, "NOT_LIVE")
            spoil(gateway, "silent", IBM)
            until_ns = daemon.clock.now_ns() + 31 * NS_PER_S
            await until(lambda: daemon.clock.now_ns() > until_ns)
            place(daemon, market("quiet-000005", conid=IBM))
            order = await until_order(daemon, "quiet-000005", lambda one: not one.is_open)
            assert refused(order) == (State.REFUSED, "STALE")
            used = await daemon.operator.risk()
            assert used["R25"]["refused"] == 3
            assert used["R26"]["refused"] == 1
            assert all(row["used"] is not None for row in used.values())
            assert "quote_age_max_s = 30 (risk.instrument.IBM)" in used["R25"]["limit"]
            assert {f"R{number}" for number in range(1, 49)} <= used.keys()


async def test_from_the_first_reading_of_cash_on_the_account_is_worth_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new folder, and limits that a worth of nothing would break at once: no latch, no jump, nothing refused."""
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        worth = []
        for coid in ("quiet-000001", "quiet-000002"):
            async with alongside(monkeypatch, tmp_path / "run", gateway, OF_WORTH) as daemon:
                account = daemon.gate.account
                assert account.equity == pytest.approx(1_000_000, rel=0.001)
                place(daemon, market(coid))
                await until_stored(daemon, coid, "Filled")
                await until(lambda: bool(daemon.gate.exposure("quiet", AAPL).units[0].position))
                worth.append(account.equity)
                assert (account.held, daemon.gate.latched) == ({}, [])
                assert "JUMP" not in "".join(told(daemon, "alert"))
        assert worth == pytest.approx([1_000_000] * 2, rel=0.001)


async def test_a_held_order_is_asked_about_and_ends_with_a_halt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, TWICE) as daemon:
            desk = daemon.operator
            place(daemon, market("quiet-000001"))
            await until_stored(daemon, "quiet-000001", "Filled")
            place(daemon, market("quiet-000002"))
            await until(lambda: daemon.book.held)
            (question,) = (await desk.status())["questions"]
            assert question["ids"] == ["DUPLICATE"]
            assert question["coids"] == ["quiet-000002"]
            rows = {row["coid"]: row for row in await desk.orders(only_open=True)}
            assert (rows["quiet-000002"]["status"], rows["quiet-000002"]["question"]) == (
                "created",
                question["question"],
            )
            await desk.answer(question["question"], True)
            await until_stored(daemon, "quiet-000002", "Filled")
            with pytest.raises(NotDone):
                await desk.answer(question["question"], True)
            place(daemon, market("quiet-000003"))
            await until(lambda: daemon.book.held)
            await desk.halt("enough")
            order = await until_order(daemon, "quiet-000003", lambda one: not one.is_open)
            assert refused(order) == (State.REFUSED, "DUPLICATE")
            assert "enough" in order.reason
            assert not [body for body in told(daemon, "write") if "quiet-000003" in body]
            assert len(told(daemon, "held")) == 2
