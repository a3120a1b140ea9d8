"""Make this folder anew: the daemon trades an hour of the simulated gateway's clock and records it.

    python replay_data/hour/make.py

Takes some four minutes. What is kept is the market as the daemon heard it (`recording`) and the wire log (`wire`).
"""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx
from attrs import evolve

from engine.recording.head import read_head
from engine.recording.writer import write_head

HERE: Final = Path(__file__).parent
CONFIG: Final = HERE / "daemon.toml"
HOUR_MS: Final = 3_600_000
LIMIT_S: Final = 600.0
LICENCE: Final = "Recorded by engine run at its simulated gateway; no market ever traded this. Free for any use."


def record(state: Path) -> None:
    """Trade for an hour of the gateway's clock, and stop."""
    engine = [sys.executable, "-m", "engine"]
    command = [*engine, "run", str(CONFIG), "--state-dir", str(state)]
    daemon = subprocess.Popen(command, cwd=HERE.parent.parent, stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        for line in daemon.stdout:
            if line.startswith("trading is on"):
                break
        else:
            raise SystemExit("the daemon did not come to trade")
        end_ms = _clock_ms(state) + HOUR_MS
        until = time.monotonic() + LIMIT_S
        while daemon.poll() is None and time.monotonic() < until and _clock_ms(state) < end_ms:
            time.sleep(1)
        daemon.send_signal(signal.SIGTERM)
        if daemon.wait(60) != 0:
            raise SystemExit("the daemon did not end well")
    finally:
        daemon.kill()
        subprocess.run([*engine, "stop", "--state-dir", str(state)], check=False, capture_output=True)


def _clock_ms(state: Path) -> int:
    place = json.loads((state / "gateway.json").read_text())
    root = place["url"].split("/v1/", 1)[0]
    context = ssl.create_default_context(cafile=place["ca"])
    return int(httpx.get(f"{root}/sim/clock", verify=context, trust_env=False).json()["clock_ms"])


def keep(state: Path) -> None:
    """Put recording and wire log here, without the paths of the machine that made them."""
    for name in ("recording", "wire"):
        shutil.rmtree(HERE / name, ignore_errors=True)
        shutil.copytree(state / name, HERE / name)
    write_head(HERE / "recording", evolve(read_head(HERE / "recording"), licence=LICENCE, generated=True))
    path = HERE / "wire" / "00001" / "head.json"
    head = json.loads(path.read_text())
    head["config"], head["journal"]["file"] = CONFIG.name, "journal.db"
    path.write_text(json.dumps(head, indent=1) + "\n")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hour-") as made:
        state = Path(made) / "state"
        record(state)
        keep(state)


if __name__ == "__main__":
    main()
