"""A strategy that hangs in C, in a daemon of its own: its guard kills it, and does what the kill switch does."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path

from engine.guard.notes import guard_acted
from engine.operator.folder import StateFolder
from tests.crash.daemons import Daemon, state_folder
from tests.daemon.alongside import settings
from tests.daemon.killed import ENDED, FLATTENS, PATIENT, SPEED
from tests.served import served

LIMIT_S = 120.0
_HANGS = """
import time
from pathlib import Path

from engine.strategy.api import Strategy


class Quiet(Strategy):
    asked = False

    def on_quote(self, quote):
        if not self.asked and self.ctx.quote("AAPL"):
            self.asked = True
            price = round(self.ctx.quote("AAPL").bid * 0.8)
            for extra in range(2):
                self.ctx.buy("AAPL", 5 + extra, limit=price)
            self.ctx.buy("AAPL", 30)

    def on_order(self, order):
        rest = [one for one in self.ctx.orders() if str(one.state) == "working"]
        if self.ctx.position("AAPL").quantity == 30 and len(rest) == 2:
            time.sleep(10_000)
"""


def test_the_guard_kills_cancels_and_flattens_and_the_next_start_is_halted() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="hang") as name,  # a socket's path has to be short
        served(Path(name) / "gateway", "--synthetic", "AAPL,IBM", "--speed", SPEED, config=PATIENT) as gateway,
        state_folder(Path(name) / "s") as state,
    ):
        folder = Path(name) / "run"
        settings(folder, gateway, FLATTENS, strategy=_HANGS)
        config = folder / "run.toml"
        config.write_text(config.read_text().replace("on = false", "silence_s = 3\nflatten = true"))
        first = Daemon(state, config=config)
        assert first.wait_trading()
        assert first.wait_end(LIMIT_S) == -signal.SIGKILL
        first.kill()  # its pipe is closed with it
        until = time.monotonic() + LIMIT_S
        notes = StateFolder(state)
        while not any(deed.kind == "done" for deed in guard_acted(notes)):
            assert time.monotonic() < until, list(first.said)
            time.sleep(0.2)
        there = gateway.state()
        assert there["positions"] == {}
        assert {order["status"] for order in there["orders"]} <= ENDED
        assert sum(order["side"] == "SELL" for order in there["orders"]) == 1
        assert sum(order["filled"] for order in there["orders"] if order["side"] == "BUY") == 30

        settings(folder, gateway, FLATTENS)  # the strategy that hung has been mended, and no guard is wanted any more
        again = Daemon(state, config=config)
        try:
            assert again.wait_trading()
            assert any("trading is halted" in line for line in again.said), list(again.said)
            assert len(gateway.state()["orders"]) == len(there["orders"])
        finally:
            again.stop()
