"""A large order is previewed by the gateway before it leaves; what it would refuse never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.domain.order import State
from tests.daemon.alongside import alongside, market, place, told, until_order, until_stored
from tests.served import served

DEAR = "[gateway]\nmargin_initial = 1\n"
CAREFUL = "[orders]\npreview_above = 5_000\n"


async def test_only_large_orders_are_previewed_and_an_error_keeps_them_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "4", config=DEAR) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, CAREFUL) as daemon:
            place(daemon, market("quiet-000001", quantity=1))
            await until_stored(daemon, "quiet-000001", "Filled")
            assert not told(daemon, "preview")
            place(daemon, market("quiet-000002", quantity=400))
            await until_stored(daemon, "quiet-000002", "Filled")
            (said,) = [json.loads(body) for body in told(daemon, "preview")]
            assert said["error"] == ""
            assert said["initial_after"] is not None
            # More than the account can carry: half of it, as risk reckons, is there, and the venue wants all.
            place(daemon, market("quiet-000003", quantity=6_000))
            order = await until_order(daemon, "quiet-000003", lambda one: not one.is_open)
            assert (order.state, order.code) == (State.REFUSED, "PREVIEW")
            assert "margin" in order.reason.lower()
            assert not [body for body in told(daemon, "write") if "quiet-000003" in body]
