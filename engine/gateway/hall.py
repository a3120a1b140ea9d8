"""What every handler sees of the gateway: its options, its exchange, its session, and what the session remembers."""

from __future__ import annotations

from random import Random
from typing import Any

from engine.gateway.desk import Desk
from engine.gateway.options import Options
from engine.gateway.records import Exchange
from engine.gateway.session import Session


class Memory:
    """What one brokerage session remembers; all of it is gone with the session.

    `suppressed` are message ids; `primed` names reads that were cold once ("orders", "trades", "pnl", "positions" ...);
    `fields` holds by conid (as the client wrote it) each snapshot field and when it was first asked for; `searched` are
    conids found by a symbol search; `days` is the sticky `days` of trades; `silent`: the `sor` topic is mute after a
    filtered read; `selected` is the account that order reads follow.

    The shell adds "accounts" to `primed` after a good GET /iserver/accounts; the streams look for it as well.
    """

    def __init__(self) -> None:
        self.suppressed: set[str] = set()
        self.primed: set[str] = set()
        self.fields: dict[str, dict[str, int]] = {}
        self.searched: set[int] = set()
        self.days: int | None = None
        self.silent = False
        self.selected: str = ""

    def kept(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "suppressed": sorted(self.suppressed),
            "primed": sorted(self.primed),
            "fields": self.fields,
            "searched": sorted(self.searched),
            "days": self.days,
            "silent": self.silent,
            "selected": self.selected,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what `kept` gave."""
        self.suppressed = set(kept["suppressed"])
        self.primed = set(kept["primed"])
        self.fields = kept["fields"]
        self.searched = set(kept["searched"])
        self.days = kept["days"]
        self.silent = kept["silent"]
        self.selected = kept["selected"]


class Hall:
    """The gateway's middle. `shelf` keeps what is neither session nor exchange: alerts, watchlists, FYI marks.

    `desk` takes the orders; `desk.settle(hall)` belongs after every advance of the exchange (questions expire, late
    orders go live).

    `session` is the login (`username`, `is_paper`, `user_id`, `brokerage_id` for the `sessionId` of
    /iserver/accounts; `session.SERVER_INFO` for `serverInfo`). `asked` names what the fault script wants the handler of
    this very call to play, such as "late-live" for a reply that fails and whose order goes live later. `prompts` and
    `bulletins` are bodies of `ntf` and `blt` frames to be sent: handlers append, the streams take them away.
    """

    def __init__(self, options: Options, exchange: Exchange) -> None:
        self.options = options
        self.exchange = exchange
        self.desk = Desk()
        self.chance = Random(options.seed)
        self.session = Session(options, self.chance, exchange.now_ns)
        self.memory = Memory()  # replaced with each new brokerage session
        self.memory.selected = exchange.accounts[0]
        self.shelf: dict[str, Any] = {}
        self.asked: frozenset[str] = frozenset()
        self.prompts: list[dict[str, Any]] = []
        self.bulletins: list[dict[str, Any]] = []

    def renew_memory(self) -> None:
        """Forget what the last brokerage session remembered."""
        self.memory = Memory()
        self.memory.selected = self.exchange.accounts[0]
