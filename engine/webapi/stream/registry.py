"""What is subscribed to, and whether it comes: messages to send, streams to renew, silence to act on. Pure.

A quote stream ends without a word after ten minutes, so it is renewed before. A subscription is healthy only while data
that should come comes: what is opened, or opened again, has to prove itself by a frame soon; one that goes silent is
opened again; when that brings nothing a few times over it is told. A name that answers each time but has nothing new to
say is a quiet one, and is left alone for longer each time. All subscriptions die with their connection; `connected`
gives the messages that bring them back.
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

    `renew_s`: how old a quote stream may get (IBKR ends it after 600). `proof_s`: how long one that was opened may stay
    without a frame; each time it does, the next wait is longer by as much. `silent_s`: how long one may be silent while
    its market is open. `tries`: how often it is opened again before that is told. `tic_s`, `dead_s`: our sign of life,
    and how long the link may give none.
    """

    renew_s: float = 510.0
    proof_s: float = 10.0
    silent_s: float = 60.0
    tries: int = 3
    tic_s: float = 30.0
    dead_s: float = 28.0


@define(eq=False)
class _Quote:
    """One quote stream. `frames`: since it was opened. `tries`: openings in a row that brought none. `quiet`: openings
    in a row that brought no more than how things stand."""

    opened_ns: int
    last_ns: int
    frames: int = 0
    tries: int = 0
    quiet: int = 0


class Registry:
    """The subscriptions of one session.

    Args:
        fields: The union of fields wanted of a line.
        is_open: Says whether a line's market is open now, so that data should come.
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
        self.silent: dict[str, int] = {}  # lines that stay silent, and since when

    # --- wishes -------------------------------------------------------------------------------------------------

    def want_quotes(self, names: Iterable[str], now_ns: int) -> list[str]:
        """Want quotes of lines from now on; what is to be sent at once."""
        new = [name for name in names if name not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        return [self._open(name, now_ns) for name in new] if self._connected else []

    def drop_quotes(self, name: str) -> list[str]:
        """Want them no more."""
        self._wanted.pop(name, None)
        self.silent.pop(name, None)
        known = self._quotes.pop(name, None)
        return [f"umd+{name}+{{}}"] if known is not None and self._connected else []

    def want(self, name: str, subscribe: str, unsubscribe: str) -> list[str]:
        """Want another topic from now on, by a name of our own."""
        self._topics[name] = subscribe, unsubscribe
        return [subscribe] if self._connected else []

    def drop(self, name: str) -> list[str]:
        """Want it no more."""
        known = self._topics.pop(name, None)
        return [known[1]] if known is not None and self._connected else []

    # --- the link -----------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to which subscriptions were sent."""
        return self._connected

    def connected(self, now_ns: int) -> list[str]:
        """The socket is authorised: everything wanted, orders and executions first."""
        self._connected = True
        self._heard_ns = self._tic_ns = now_ns
        self._quotes.clear()
        return [subscribe for subscribe, _ in self._topics.values()] + [
            self._open(name, now_ns) for name in self._wanted
        ]

    def lost(self) -> None:
        """The connection is gone, and all subscriptions with it."""
        self._connected = False
        self._quotes.clear()

    def heard(self, now_ns: int) -> None:
        """Something came, whatever it was."""
        self._heard_ns = now_ns

    def quoted(self, name: str, now_ns: int) -> int | None:
        """Data of a line came; since when it had been silent, if that was told."""
        stream = self._quotes.get(name)
        if stream is not None:
            stream.last_ns = now_ns
            stream.frames += 1
            stream.tries = 0
            if stream.frames > 1:  # the first one tells how things stand
                stream.quiet = 0
        return self.silent.pop(name, None)

    def dead(self, now_ns: int) -> bool:
        """Whether the link has been without any frame for too long."""
        return self._connected and now_ns - self._heard_ns > self._rules.dead_s * SECOND

    # --- time ---------------------------------------------------------------------------------------------------

    def due(self, now_ns: int) -> list[str]:
        """What is to be sent now: our sign of life, renewals, and what was silent opened again."""
        if not self._connected:
            return []
        messages: list[str] = []
        rules = self._rules
        if now_ns - self._tic_ns >= rules.tic_s * SECOND:
            self._tic_ns = now_ns
            messages.append("tic")
        for name, stream in self._quotes.items():
            if self._is_silent(name, stream, now_ns):
                if stream.frames:
                    stream.quiet += 1
                else:
                    stream.tries += 1
                if stream.tries >= rules.tries:
                    self.silent.setdefault(name, stream.last_ns)
                messages += self._again(name, stream, now_ns)
            elif now_ns - stream.opened_ns >= rules.renew_s * SECOND:
                messages += self._again(name, stream, now_ns)
        return messages

    def _is_silent(self, name: str, stream: _Quote, now_ns: int) -> bool:
        rules = self._rules
        limit_s = rules.silent_s * 2.0 ** min(stream.quiet, 10) if stream.frames else rules.proof_s * (1 + stream.tries)
        limit_ns = round(min(limit_s, rules.renew_s) * SECOND)
        since_ns = stream.last_ns if stream.frames else stream.opened_ns
        if now_ns - since_ns < limit_ns:
            return False
        # Open for as long as that: at the bell nothing has failed to come yet.
        return self._is_open(name, now_ns) and self._is_open(name, now_ns - limit_ns)

    def _again(self, name: str, stream: _Quote, now_ns: int) -> list[str]:
        stream.opened_ns = now_ns
        stream.frames = 0
        return [f"umd+{name}+{{}}", self._message(name)]

    def _open(self, name: str, now_ns: int) -> str:
        self._quotes[name] = _Quote(opened_ns=now_ns, last_ns=now_ns)
        return self._message(name)

    def _message(self, name: str) -> str:
        fields = json.dumps({"fields": list(self._fields(name))}, separators=(",", ":"))
        return f"smd+{name}+{fields}"

    # --- health -------------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> tuple[str, ...]:
        """Lines whose quotes are wanted."""
        return tuple(self._wanted)

    def unproved(self, now_ns: int) -> tuple[str, ...]:
        """Lines whose market is open and that have brought nothing since they were opened."""
        return tuple(
            name
            for name in self._wanted
            if ((stream := self._quotes.get(name)) is None or not stream.frames) and self._is_open(name, now_ns)
        )
