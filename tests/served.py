"""`engine gateway` as a process of its own, for tests that come as clients do: over a real socket, with real TLS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

from engine.webapi import tls

ROOT = Path(__file__).parents[1]
PAPER = "DU1234567"


@frozen
class Served:
    """A gateway that listens: `url` with `/v1/api`, and the file that says whom to trust."""

    url: str
    ca: Path

    @property
    def root(self) -> str:
        """Where `/sim` lies."""
        return self.url.removesuffix("/v1/api")

    def client(self) -> httpx.Client:
        """A plain client of the Web API."""
        return httpx.Client(base_url=self.url, verify=tls.context(self.url, ca=self.ca), timeout=20)

    def state(self) -> dict[str, Any]:
        """What the exchange really holds."""
        with self.client() as client:
            return dict(client.get(f"{self.root}/sim/state").raise_for_status().json())

    def advance(self, seconds: float) -> None:
        """Let its clock jump."""
        with self.client() as client:
            client.post(f"{self.root}/sim/clock", json={"advance_s": seconds}).raise_for_status()


# For gateways whose clock runs fast: a busy machine must not let questions and sessions run out between two requests.
PATIENT = "[gateway.session]\nidle_s = 86_000\n[gateway.questions]\nexpiry_s = 3_600\n"


@contextmanager
def served(folder: Path, *flags: str, config: str = "") -> Iterator[Served]:
    """Run a gateway with its state in `folder`, and this configuration if any, until the block ends."""
    command = [sys.executable, "-m", "engine", "gateway", "--port", "0", "--state-dir", str(folder), *flags]
    if config:
        file = folder.with_suffix(".toml")
        file.write_text(config)
        command += ["--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the gateway ended before it was ready"
            yield Served(line.split(" ready at ")[1].split(",")[0].strip(), folder / "ca.pem")
        finally:
            process.terminate()
