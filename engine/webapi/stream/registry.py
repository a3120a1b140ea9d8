"""What is subscribed to, and whether it comes: messages to send, streams to renew, silence to act on. Pure.

A quote stream ends without a word after ten minutes, so it is renewed before. A subscription is healthy only while data
that should come comes; one that is silent is asked for again, and when that brings nothing a few times over it is told.
All subscriptions die with their connection; `connected` gives the messages that bring them back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Final

from attrs import define, frozen

from engine.webapi.budgets import SECOND


@frozen(kw_only=True)
class StreamRules:
    """In seconds of the session's clock.

    `renew_s`: how old a quote stream may get (IBKR ends it after 600). `proof_s`: how long a new one may stay without a
    frame. `silent_s`: how long one may be silent while its market is open. `tries`: how often it is asked for again
    before that is told. `tic_s`, `dead_s`: our sign of life, and how long the link may give none.
    """

    renew_s: float = 510.0
    proof_s: float = 10.0
    silent_s: float = 60.0
    tries: int = 3
    tic_s: float = 30.0
    dead_s: float = 28.0


@define(eq=False)
class _Quote:
    """One quote stream."""

    opened_ns: int
    last_ns: int
    proved: bool = False
    tries: int = 0
    told: bool = False


class Registry:
    """The subscriptions of one session.

    Args:
        fields: The union of fields wanted of a conid.
        is_open: Says whether a conid's market is open now, so that data should come.
    """

    def __init__(
        self,
        rules: StreamRules,
        *,
        fields: Callable[[str], Iterable[str]],
        is_open: Callable[[str, int], bool],
    ) -> None:
        self._rules: Final = rules
        self._fields = fields
        self._is_open = is_open
        self._topics: dict[str, tuple[str, str]] = {}  # what is wanted beside quotes: name -> (subscribe, unsubscribe)
        self._wanted: dict[str, None] = {}
        self._quotes: dict[str, _Quote] = {}
        self._connected = False
        self._tic_ns = 0
        self._heard_ns = 0
        self.silent: dict[str, int] = {}  # conids that stay silent, and since when

    # --- wishes -------------------------------------------------------------------------------------------------

    def want_quotes(self, conids: Iterable[str], now_ns: int) -> list[str]:
        """Want quotes of conids from now on; what is to be sent at once."""
        new = [conid for conid in conids if conid not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        return [self._open(conid, now_ns) for conid in new] if self._connected else []

    def drop_quotes(self, conid: str) -> list[str]:
        """Want them no more."""
        self._wanted.pop(conid, None)
        self.silent.pop(conid, None)
        known = self._quotes.pop(conid, None)
        return [f"umd+{conid}+{{}}"] if known is not None and self._connected else []

    def want(self, name: str, subscribe: str, unsubscribe: str) -> list[str]:
        """Want another topic from now on, by a name of our own."""
        self._topics[name] = subscribe, unsubscribe
        return [subscribe] if self._connected else []

    def drop(self, name: str) -> list[str]:
        """Want it no more."""
        known = self._topics.pop(name, None)
        return [known[1]] if known is not None and self._connected else []

    # --- the link -----------------------------------------------------------------------------------------------

    def connected(self, now_ns: int) -> list[str]:
        """The socket is authorised: everything wanted, orders and executions first."""
        self._connected = True
        self._heard_ns = self._tic_ns = now_ns
        self._quotes.clear()
        return [subscribe for subscribe, _ in self._topics.values()] + [
            self._open(conid, now_ns) for conid in self._wanted
        ]

    def lost(self) -> None:
        """The connection is gone, and all subscriptions with it."""
        self._connected = False
        self._quotes.clear()

    def heard(self, now_ns: int) -> None:
        """Something came, whatever it was."""
        self._heard_ns = now_ns

    def quoted(self, conid: str, now_ns: int) -> bool:
        """Data of a conid came; True if that ends a silence that was told."""
        stream = self._quotes.get(conid)
        if stream is not None:
            stream.last_ns = now_ns
            stream.proved = True
            stream.tries = 0
            stream.told = False
        return self.silent.pop(conid, None) is not None

    def dead(self, now_ns: int) -> bool:
        """Whether the link has been without any frame for too long."""
        return self._connected and now_ns - self._heard_ns > self._rules.dead_s * SECOND

    # --- time ---------------------------------------------------------------------------------------------------

    def due(self, now_ns: int) -> list[str]:
        """What is to be sent now: our sign of life, renewals, and what was silent asked for again."""
        if not self._connected:
            return []
        messages: list[str] = []
        rules = self._rules
        if now_ns - self._tic_ns >= rules.tic_s * SECOND:
            self._tic_ns = now_ns
            messages.append("tic")
        for conid in list(self._quotes):
            stream = self._quotes[conid]
            if now_ns - stream.opened_ns >= rules.renew_s * SECOND:
                messages += self._again(conid, stream, now_ns)
            elif self._is_silent(conid, stream, now_ns):
                stream.tries += 1
                if stream.tries > rules.tries and not stream.told:
                    stream.told = True
                    self.silent[conid] = stream.last_ns
                messages += self._again(conid, stream, now_ns)
        return messages

    def _is_silent(self, conid: str, stream: _Quote, now_ns: int) -> bool:
        limit_s = self._rules.silent_s if stream.proved else self._rules.proof_s
        # Asked for again it gets longer each time: a quiet name is no reason to use up the budget.
        waited_ns = now_ns - max(stream.last_ns, stream.opened_ns)
        return waited_ns >= limit_s * SECOND * (1 + stream.tries) and self._is_open(conid, now_ns)

    def _again(self, conid: str, stream: _Quote, now_ns: int) -> list[str]:
        stream.opened_ns = now_ns
        return [f"umd+{conid}+{{}}", self._message(conid)]

    def _open(self, conid: str, now_ns: int) -> str:
        self._quotes[conid] = _Quote(opened_ns=now_ns, last_ns=now_ns)
        return self._message(conid)

    def _message(self, conid: str) -> str:
        fields = json.dumps({"fields": list(self._fields(conid))}, separators=(",", ":"))
        return f"smd+{conid}+{fields}"

    @property
    def wanted(self) -> tuple[str, ...]:
        """Conids whose quotes are wanted, as written."""
        return tuple(self._wanted)

    def proved(self, conid: str) -> bool:
        """Whether the stream of a conid has brought anything on this connection."""
        stream = self._quotes.get(conid)
        return stream is not None and stream.proved
