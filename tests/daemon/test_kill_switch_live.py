"""The kill switch over the wire: the file halts, everything dies, positions are closed by the venue's own figures."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.daemon.alongside import AAPL, alongside, held, market, place, resting, told, until, until_order, until_stored
from tests.served import PATIENT, served

FLATTENS = "[kill]\nflatten = true\ncancel_all_above = 1\n"


async def test_a_file_halts_cancels_by_one_request_and_flattens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20", config=PATIENT) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, FLATTENS) as daemon:
            place(daemon, market("quiet-000001", quantity=30))
            await until_stored(daemon, "quiet-000001", "Filled")
            price = daemon.nursery.judging.view.price(AAPL)
            assert price is not None
            for number in (2, 3, 4):
                place(daemon, resting(f"quiet-00000{number}", Decimal(round(price[0] * 0.8)), quantity=number))
                await until_order(daemon, f"quiet-00000{number}", lambda one: str(one.state) == "working")
            daemon.folder.halt_file.touch()
            await until(lambda: daemon.trading.state == "halted" and not daemon.trading.flattens)
            assert held(daemon, AAPL) == 0
            state = gateway.state()
            assert not any(Decimal(str(units)) for units in state["positions"].values())
            assert daemon.operator.open_orders() == []
            assert len(told(daemon, "cancel_all_sent")) == 1
            assert told(daemon, "cancel_sent") == []
            assert "remove it first" in daemon.switch.may_resume()
            daemon.folder.halt_file.unlink()
            assert daemon.trading.state == "halted"
            assert (await daemon.operator.resume())["trading"] == "on"
