"""How a daemon ends and is reminded: signals, and the policy for stopping within a deadline."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Final

import structlog
import trio

from engine.operator.live import LiveDesk
from engine.operator.trading import TradingState
from engine.runtime.live.letters import CancelNow, TradingNow

POLL_S: Final = 0.05
_WHY: Final = "the engine stops"
log = structlog.get_logger()


async def hear_signals(stop: Callable[[], None], again: Callable[[], None], reload: Callable[[], None]) -> None:
    """Hear SIGTERM, SIGINT and SIGHUP until cancelled.

    Args:
        stop: The first request to end: by policy.
        again: A further one: at once.
        reload: SIGHUP: read the limits again; what is tighter counts from now on.
    """
    asked = 0
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            log.info("signal", name=signal.Signals(number).name)
            if number == signal.SIGHUP:
                reload()
                continue
            asked += 1
            (stop if asked == 1 else again)()


async def wind_down(desk: LiveDesk, policy: str, limit_s: float) -> list[str]:
    """Let no new order out, then leave, cancel or flatten, for at most `limit_s` seconds of the wall.

    Returns: what is left, in sentences; nothing if all went as the policy has it.
    """
    if policy != "flatten":
        desk.tell_risk(TradingNow("stopping", _WHY))
    if policy == "leave":
        return []
    if policy == "flatten":
        # Halted it stays so; the desk lets its own closing orders through.
        if desk.trading.state is not TradingState.HALTED:
            desk.tell_risk(TradingNow(str(TradingState.REDUCING), _WHY))
        desk.begin_flattening()
    else:
        desk.tell_orders(CancelNow(None, _WHY))
    with trio.move_on_after(limit_s):
        while desk.open_orders() or (policy == "flatten" and not desk.flat()):
            await trio.sleep(POLL_S)
    said = []
    left = desk.open_orders()
    if left:
        said.append(f"{len(left)} orders are still open: {', '.join(left[:5])}")
    if policy == "flatten" and not desk.flat():
        held = [f"{row['quantity']} of {row['symbol']} ({row['strategy']})" for row in await desk.positions()]
        if held:
            said.append(f"still held: {', '.join(held)}")
    return said
