"""What a fault script cuts may have been cut before, or have ended by itself."""

from __future__ import annotations

from itertools import product

import pytest
import trio
import trio.testing

from engine.gateway.bytestage import Cut, Stage

CUTS: tuple[Cut, ...] = ("close", "reset", "half-open", "cut")


async def connected() -> tuple[Stage, trio.SocketStream]:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    client = await trio.open_tcp_stream(*listener.socket.getsockname())
    server = await listener.accept()
    await listener.aclose()
    return Stage(server), client


@pytest.mark.parametrize(("first", "second"), list(product(CUTS, CUTS)))
async def test_two_cuts_of_one_connection_are_no_error(first: Cut, second: Cut) -> None:
    stage, client = await connected()
    stage.cut(first)
    stage.cut(second)
    await client.aclose()
    await stage.aclose()
    await trio.aclose_forcefully(stage._stream)


@pytest.mark.parametrize("how", CUTS)
async def test_a_connection_that_has_ended_can_be_cut(how: Cut) -> None:
    stage, client = await connected()
    await stage.aclose()
    stage.cut(how)
    await client.aclose()
