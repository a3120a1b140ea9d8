"""What is said of a simulated gateway that can't be used: nobody there, a certificate of somebody else's, no file."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trustme

from engine.daemon.config import load
from engine.daemon.running import find_venue
from engine.daemon.simulated import Place, clock_at
from engine.errors import InputError
from engine.operator.folder import StateFolder
from engine.webapi.clock import RatedClock, WallClock
from tests.served import served

SIM = Path(__file__).parents[2] / "configs" / "sim.toml"


def said(place: Place) -> str:
    async def ask() -> str:
        try:
            return f"{(await clock_at(place, patience_s=0.0)).rate:g} times"
        except InputError as error:
            return str(error)

    return trio.run(ask)


def test_a_certificate_that_is_not_trusted_is_not_taken_for_silence(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(stranger)
    with served(tmp_path / "gateway", "--speed", "3") as gateway:
        assert said(Place(url=gateway.url, ca=gateway.ca)) == "3 times"
        for ca in (stranger, None):
            assert "certificate is not trusted: give the gateway's own ca.pem" in said(Place(url=gateway.url, ca=ca))
        assert "nope.pem" in said(Place(url=gateway.url, ca=tmp_path / "nope.pem"))
    assert "no simulated gateway answers there" in said(Place(url=gateway.url, ca=gateway.ca))


async def test_in_mode_paper_a_simulated_gateway_is_taken_for_one_and_in_mode_live_nobody_asks(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")

    async def rate(*flags: str) -> float | None:
        clock = (await find_venue(load(SIM, flags), folder, lambda said: None)).clock
        assert isinstance(clock, RatedClock | WallClock)
        return clock.rate if isinstance(clock, RatedClock) else None

    with served(tmp_path / "gateway", "--speed", "3") as gateway:
        there = f'gateway.url="{gateway.url}"', f'gateway.ca="{gateway.ca}"'
        assert await rate(*there) == 3
        assert await rate('mode="paper"', *there) == 3
        assert await rate('mode="live"', 'account.id="U1"', *there) is None
    assert await rate('mode="paper"', *there) is None, "nobody is there yet, and it may be any gateway"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]"])
async def test_what_is_no_simulated_gateway_is_told_so(body: bytes) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
        )
        await stream.aclose()

    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        with pytest.raises(InputError, match="is no simulated gateway"):
            await clock_at(Place(url=f"http://127.0.0.1:{port}/v1/api", ca=None), patience_s=0.0)
        nursery.cancel_scope.cancel()
