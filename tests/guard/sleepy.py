"""A daemon of the tests: it is guarded, then its strategy sleeps in C and holds the interpreter, then it buys.

python -m tests.guard.sleepy STATE VENUE_SOCKET SLEEP_S LIMIT_S
"""

from __future__ import annotations

import ctypes
import socket
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import trio

from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.guard.link import GuardLink
from engine.guard.mandate import Mandate
from engine.operator.folder import StateFolder
from engine.operator.processes import this_process
from engine.operator.protocol import Request
from tests.guard.fakes import CONID


def mandate(venue: str, limit_s: float) -> Mandate:
    return Mandate(
        daemon=this_process(),
        config="c",
        account="DU1",
        conids=(CONID,),
        access={"path": venue},
        limit_s=limit_s,
        settle_s=0.0,
        read_every_s=0.05,
        trading="on",
    )


async def answer(request: Request) -> Any:
    return {"verb": request.verb}


def buy(venue: str) -> None:
    ticket = OrderTicket(
        coid="sleepy-000001",
        strategy="sleepy",
        account="DU1",
        conid=CONID,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=Decimal(1),
    )
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(venue)
        line.sendall(msgspec.json.encode(["place", ticket]) + b"\n")
        line.recv(1)


async def main(state: str, venue: str, sleep_s: float, limit_s: float) -> None:
    link = GuardLink(
        StateFolder(Path(state)),
        "tests.guard.fakes:open_far",
        mandate=lambda: mandate(venue, limit_s),
        trading=lambda: "on",
        answer=answer,
        changed=lambda up, why: None,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        print("guarded", flush=True)
        await trio.sleep(0.3)  # some signs
        if sleep_s:
            ctypes.PyDLL(None).usleep(round(sleep_s * 1e6))  # PyDLL keeps the GIL: no thread of ours runs meanwhile
            buy(venue)
            await link.leave(gateway=False)
            nursery.cancel_scope.cancel()
        else:
            await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
