"""What every handler sees of the gateway: its options, its exchange, its session, and what the session remembers."""

from __future__ import annotations

from random import Random
from typing import Any

from engine.gateway.options import Options
from engine.gateway.records import Exchange


class Memory:
    """What one brokerage session remembers; all of it is gone with the session.

    `suppressed` are message ids; `primed` names reads that were cold once ("orders", "trades", "pnl", "positions" ...);
    `fields` holds by conid (as the client wrote it) each snapshot field and when it was first asked for; `searched` are
    conids found by a symbol search; `days` is the sticky `days` of trades; `silent`: the `sor` topic is mute after a
    filtered read; `selected` is the account that order reads follow.
    """

    def __init__(self) -> None:
        self.suppressed: set[str] = set()
        self.primed: set[str] = set()
        self.fields: dict[str, dict[str, int]] = {}
        self.searched: set[int] = set()
        self.days: int | None = None
        self.silent = False
        self.selected: str = ""


class Hall:
    """The gateway's middle. `shelf` keeps what is neither session nor exchange: alerts, watchlists, FYI marks."""

    def __init__(self, options: Options, exchange: Exchange) -> None:
        self.options = options
        self.exchange = exchange
        self.memory = Memory()  # replaced with each new brokerage session
        self.memory.selected = exchange.accounts[0]
        self.shelf: dict[str, Any] = {}
        self.chance = Random(options.seed)
