"""The kill switch under load: open orders, a busy strategy beside them, a gateway at the wall's pace with pacing on.

    python benchmarks/drill.py --orders 8 --runs 3
    python benchmarks/drill.py --orders 20 --runs 3 --cancel-all-above 8

Prints one JSON line a run: the drill's own report, and the seconds of the gateway's clock until the last of the orders
was proved dead. The daemon, its guard and its gateway are processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
LIMIT_S: Final = 180.0
_STRATEGIES: Final = '''
"""Orders that rest far from the market, kept at a number; and one strategy that never leaves its order alone."""

from decimal import Decimal

from engine.strategy.api import Quote, Strategy


class Resting(Strategy):
    def on_start(self):
        self.placed = 0
        self.ctx.set_timer("more", after_s=0.2)

    def on_timer(self, name):
        self.ctx.set_timer("more", after_s=0.2)
        instrument = self.ctx.instruments[0]
        quote = self.ctx.quote(instrument)
        if quote is None or not quote.bid < quote.ask or len(self.ctx.open_orders) >= WANTED:
            return
        if not self.ctx.position(instrument).quantity:
            self.ctx.buy(instrument, 5, limit=quote.ask)  # something to flatten
        self.placed += 1  # no two alike: a twin would be held for a person
        self.ctx.buy(instrument, self.placed, limit=round(quote.bid * 0.985, 2))


class Busy(Strategy):
    def on_quote(self, event: Quote):
        for order in self.ctx.open_orders.values():
            self.ctx.cancel(order.ticket.coid)
        if len(self.ctx.open_orders) < 1:
            self.ctx.buy(event.conid, 1, limit=round(event.bid * 0.99, 2))
'''
_CONFIG: Final = """
name = "drill"
mode = "sim"
[account]
id = "DU1234567"
[gateway]
speed = 1
synthetic = ["AAPL", "IBM"]
[[instrument]]
conid = 265598
symbol = "AAPL"
[[instrument]]
conid = 8314
symbol = "IBM"
[[strategy]]
use = "./drilled.py:Resting"
name = "resting"
instruments = ["AAPL"]
[[strategy]]
use = "./drilled.py:Busy"
name = "busy"
instruments = ["IBM"]
[risk.account]
order_quantity_max = 1_000
order_notional_max = 1_000_000
position_max = 10_000
orders_per_minute_max = 6_000
price_collar_pct = 5
duplicate_window_s = 0
[replies]
o163 = "confirm-if collar"
o383 = "confirm-if quantity"
o451 = "confirm-if notional"
default = "decline"
[recorder]
market = false
wire = false
[guard]
silence_s = 60
"""


def engine(*arguments: str) -> Any:
    """What a command answers, as data; None where it has nothing to say yet."""
    done = subprocess.run(
        [sys.executable, "-m", "engine", *arguments, "--json"], capture_output=True, text=True, check=False
    )
    with suppress(ValueError):
        return json.loads(done.stdout)
    return None


def drill(folder: Path, orders: int, above: int | None) -> dict[str, Any]:
    """One daemon, one drill."""
    folder.mkdir(parents=True)
    state = str(folder / "s")
    (folder / "drilled.py").write_text(_STRATEGIES.replace("WANTED", str(orders)))
    config = folder / "run.toml"
    config.write_text(_CONFIG + ("" if above is None else f"[kill]\ncancel_all_above = {above}\n"))
    with (folder / "daemon.log").open("wb") as log:
        command = [sys.executable, "-m", "engine", "run", str(config), "--state-dir", state]
        daemon = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=HERE.parent)
    try:
        until = time.monotonic() + LIMIT_S
        while True:
            rows = engine("orders", "--open", "--state-dir", state) or []
            resting = [row for row in rows if row["strategy"] == "resting" and row["status"] == "working"]
            if len(resting) >= orders:
                break
            if time.monotonic() > until or daemon.poll() is not None:
                raise SystemExit(f"no {orders} orders came to rest: {(folder / 'daemon.log').read_text()[-2_000:]}")
        told = engine("drill", "--state-dir", state, "--limit", "180")
    finally:
        engine("stop", "--state-dir", state)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(30)
        with suppress(ProcessLookupError):
            os.kill(daemon.pid, signal.SIGKILL)
    steps = {step["step"]: step for step in told["steps"]}
    return {
        "orders": steps["cancels sent"]["count"],
        "all_dead_s": steps["orders proved dead"]["last_s"],
        "flat_s": steps["flat"]["last_s"],
        "cancel_all_requests": told["cancel_all_requests"],
        "steps": [(step["step"], step["count"], step["first_s"], step["last_s"]) for step in told["steps"]],
    }


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cancel-all-above", type=int, default=None, metavar="N")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for number in range(given.runs):
            print(json.dumps(drill(Path(place) / str(number), given.orders, given.cancel_all_above)), flush=True)


if __name__ == "__main__":
    main()
