"""A limit that stands in an instrument's table holds for that instrument, or the configuration is turned down."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.daemon.config import load
from engine.errors import ConfigError

RUN = """
name = "demo"
[[instrument]]
conid = 265598
symbol = "AAPL"
[[strategy]]
use = "pulse"
name = "pulse"
instruments = ["AAPL"]
"""


WIDE = (
    "orders_per_day_max", "messages_per_day_max", "notional_per_day_max", "orders_per_hour_max", "leverage_max",
    "messages_per_minute_max", "gross_max", "net_max", "sector_max", "currency_max", "daily_loss_max",
    "daily_realised_loss_reduce", "drawdown_halt_pct", "loss_streak_max", "pnl_jump_pct", "order_to_trade_max",
)  # fmt: skip
WIDEST = ("reconcile_drift_max", "fill_collar_pct", "queue_max", "alert_latency_max_s")


@pytest.mark.parametrize("name", [*WIDE, *WIDEST])
def test_what_no_instrument_is_held_to_is_turned_down(tmp_path: Path, name: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(f"{RUN}[risk.instrument.AAPL]\n{name} = 1\n")
    with pytest.raises(ConfigError, match=rf"risk\.instrument\.AAPL\.{name}.*\[risk\.account\]"):
        load(file)


@pytest.mark.parametrize("name", WIDE)
def test_a_strategy_is_held_to_its_sums(tmp_path: Path, name: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(f"{RUN}[risk.strategy.pulse]\n{name} = 1\n")
    assert getattr(load(file).base.risk.strategy["pulse"], name) == 1


@pytest.mark.parametrize("name", WIDEST)
def test_what_watches_the_daemon_is_no_strategy_s(tmp_path: Path, name: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(f"{RUN}[risk.strategy.pulse]\n{name} = 1\n")
    with pytest.raises(ConfigError, match=rf"risk\.strategy\.pulse\.{name}"):
        load(file)
