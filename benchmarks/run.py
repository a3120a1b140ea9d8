"""Run the workloads through the engine; one JSON line each.

    python benchmarks/run.py W1 W2 ... [--data DIR] [--pipeline channels|fused] [--fills RULE] [--resting limit|touch]

  W1   500,000 bars, EMA(10)/EMA(30) cross, market orders of 100, long or flat     W1n  the handler only counts
  W2   1,000,000 quotes, EMA cross on the mid, at least 1,000 quotes between orders
  W2v  W2 by a whole-window handler                                                W3   the handler only counts
  W4   20 instruments x 50,000 quotes, W2's strategy for each
  W5   200,000 quotes; each 10 quotes the resting order is cancelled and a new one placed at the touch
  W5m  as W5, the resting order modified in place                                  W20  W2 on 20,000,000 quotes

The data (`benchmarks/data.py`) is made where DIR (default: a folder in the temporary one) lacks it, and turned into a
recording once, by a process of its own. `run_s` is the engine's run up to the last fact, `total_s` has reading the
recording in it; writing the result is in neither. Account, every risk check, order manager, portfolio, journal and
equity curve are on; the limits that refuse nothing are printed to stderr. A workload runs in a process of its own, so
that peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WORKLOADS = {  # recording, strategy, fill rule that most peers have
    "W1": ("bars", "BarCross", "next_open"),
    "W1n": ("bars", "CountsBars", "next_open"),
    "W2": ("quotes", "QuoteCross", "same_event"),
    "W2v": ("quotes", "window:WindowCross", "same_event"),
    "W3": ("quotes", "Counts", "same_event"),
    "W4": ("multi", "ManyCross", "same_event"),
    "W5": ("quotes5", "Maker", "same_event"),
    "W5m": ("quotes5", "MakerModify", "same_event"),
    "W20": ("quotes20", "QuoteCross", "same_event"),
}
LIMITS = """
order_quantity_max = 1_000_000
order_notional_max = 1_000_000_000
price_collar_pct = 100
position_max = 1_000_000
open_orders_max = 1_000_000
orders_per_minute_max = 1_000_000
duplicate_window_s = 0
quote_age_max_s = 1_000_000
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="+", choices=sorted(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "fullticket-bench")
    parser.add_argument("--pipeline", choices=("channels", "fused"), default="channels")
    parser.add_argument("--fills", help="fill rule by name; default: the one most peers have")
    parser.add_argument("--resting", choices=("limit", "touch"), default="limit")
    options = parser.parse_args()
    print(f"limits that refuse nothing: {', '.join(LIMITS.split(chr(10))[1:-1])}", file=sys.stderr)
    for name in options.workloads:
        _recording(options.data, WORKLOADS[name][0])
        if len(options.workloads) == 1:
            one(name, options)
        else:
            words = [name, "--data", str(options.data), "--pipeline", options.pipeline, "--resting", options.resting]
            words += ["--fills", options.fills] if options.fills else []
            subprocess.run([sys.executable, __file__, *words], check=True, stderr=subprocess.DEVNULL)


def _recording(data: Path, name: str) -> None:
    """Make the recording of a set in a process of its own, unless it is there."""
    if not (data / "recordings" / name / "recording.toml").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.recordings", str(data), name], check=True, cwd=ROOT)


def one(name: str, options: argparse.Namespace) -> None:
    """Run one workload in this process and print its line."""
    from engine import app
    from engine.config import load
    from engine.journal.run import RunJournal

    recording, strategy, fills = WORKLOADS[name]
    module = strategy if ":" in strategy else f"strategies:{strategy}"
    symbols = [f"INST{number}" for number in range(20 if recording == "multi" else 1)]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bench.toml"
        config.write_text(
            f"""
name = "{name.lower()}"
[recording]
path = "{(options.data / "recordings" / recording).resolve()}"
[account]
cash = {{ USD = 10_000_000 }}
[[strategy]]
use = "benchmarks.{module}"
name = "bench"
instruments = {json.dumps(symbols)}
[risk.account]
{LIMITS}
[venue]
fills = "{options.fills or fills}"
resting_price = "{options.resting}"
latency_ms = {{ place = 0, modify = 0, cancel = 0 }}
fees = "none"
[replay]
pipeline = "{options.pipeline}"
"""
        )
        settings = load(config)
        journal = RunJournal()
        outcome = app.run(app.prepare(settings), journal)
        journal.close()
    refused = len(outcome.refusals)
    if refused or outcome.off:
        raise SystemExit(f"{name}: {refused} refusals, switched off: {dict(outcome.off)}")
    print(json.dumps(line(name, options.pipeline, outcome)), flush=True)


def line(name: str, pipeline: str, outcome: Any) -> dict[str, Any]:
    """The figures of a run under the keys that the peers' runners print."""
    return {
        "peer": "engine",
        "version": version("fullticket"),
        "python": platform.python_version(),
        "workload": name,
        "events": outcome.events,
        "run_s": round(outcome.run_s, 4),
        "total_s": round(outcome.total_s, 4),
        "events_per_s": round(outcome.events / outcome.run_s),
        "ns_per_event": round(outcome.run_s / outcome.events * 1e9, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1),
        "orders": len(outcome.orders),
        "fills": len(outcome.fills),
        "pnl": round(float(outcome.pnl), 2),
        "pipeline": pipeline,
        "hash": outcome.hash,
    }


if __name__ == "__main__":
    main()
