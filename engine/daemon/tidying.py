"""What a process that runs for weeks lets go of when the venue's day turns."""

from __future__ import annotations

from typing import Final

import trio

from engine.daemon.assembling import Daemon
from engine.daemon.days import day_began_ns
from engine.daemon.memory import drop_cycles, give_back, hold_little, join_pages
from engine.domain.moments import NS_PER_DAY
from engine.runtime.live.letters import Forget

LOOK_S: Final = 60.0  # of the venue's clock
SETTLED_S: Final = 3.0  # of the wall: trading is on, or waits for something
KEPT_DAYS: Final = 1  # whole days before this one whose orders are still at hand


async def tidy(daemon: Daemon) -> None:
    """Forget orders of earlier days, and give memory back, once a day of the venue's."""
    await trio.to_thread.run_sync(hold_little)
    day_ns = day_began_ns(daemon.clock.now_ns())  # at a start nothing is let go: the venue may have news of it
    await trio.sleep(SETTLED_S)
    await trio.to_thread.run_sync(join_pages)
    while True:
        today_ns = day_began_ns(daemon.clock.now_ns())
        if today_ns != day_ns:
            day_ns = today_ns
            forget = Forget(today_ns - KEPT_DAYS * NS_PER_DAY)
            daemon.nursery.tell_orders(forget)
            daemon.nursery.tell_risk(forget)
            daemon.nursery.tell_portfolio(forget)
            await daemon.nursery.digested()
            drop_cycles()
            await trio.to_thread.run_sync(give_back)
        await daemon.clock.sleep(LOOK_S)
