"""The fault script: what goes wrong, when, how often; pure decisions from a seed.

A script is TOML (or the same shape as JSON by `POST /sim/faults`):

    seed = 7
    [[fault]]
    do = "drop"                                        # one of the kinds below
    on = "POST /iserver/account/{accountId}/orders"    # "METHOD template", with * and ?; or a topic for frames
    when = "after"                                     # once the handler has run; "before": it may never hear of it
    skip = 2                                           # let the first two pass
    count = 1                                          # then strike once; without it, every time
    probability = 0.5
    from_s = 10                                        # only in this part of the gateway's time since the start
    until_s = 60
    at_s = 30                                          # for what is no answer to anything: do it then

Each entry has a random sequence of its own, so that one more entry changes nothing for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, get_args

from attrs import field, frozen, validators

from engine.tables import structure

_S: Final = 1_000_000_000

RequestKind = Literal["delay", "status", "drop", "close", "reset", "half-open", "garbage", "truncate", "cut"]
HandlerKind = Literal["late-live"]
FrameKind = Literal["silent", "duplicate", "reorder", "frozen", "delayed", "crossed", "one-sided"]
FillKind = Literal["late-commission"]
MomentKind = Literal[
    "session-reset",
    "session-lost",
    "competing-login",
    "restart",
    "drop-connections",
    "stall-connections",
    "prompt",
    "bulletin",
]
Kind = Literal[RequestKind, HandlerKind, FrameKind, FillKind, MomentKind]
_REQUEST: Final = get_args(RequestKind) + get_args(HandlerKind)
_FRAME: Final = get_args(FrameKind)
_FILL: Final = get_args(FillKind)
_MOMENT: Final = get_args(MomentKind)


@frozen(kw_only=True)
class Fault:
    """One entry of a script; times in seconds of the gateway's clock since the script was loaded.

    `when` is by default "before" for `delay` and `status`, else "after". `seconds` is how long a delay lasts (1),
    a commission is late (10), a restart takes (2), a rival stays (until thrown out) or no session can be opened (0).
    """

    do: Kind
    on: str = "*"
    when: Literal["before", "after"] | None = None
    skip: int = field(default=0, validator=validators.ge(0))
    count: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    probability: float = field(default=1.0, validator=[validators.ge(0), validators.le(1)])
    from_s: float = 0.0
    until_s: float | None = None
    at_s: float | None = None
    status: int = field(default=503, validator=[validators.ge(400), validators.le(599)])
    seconds: float | None = field(default=None, validator=validators.optional(validators.ge(0)))
    text: str = ""  # of a status, prompt or bulletin
    options: tuple[str, ...] = ("Yes", "No")  # of a prompt

    @property
    def before(self) -> bool:
        """Whether it strikes before the handler has run."""
        return (self.when or ("before" if self.do in ("delay", "status") else "after")) == "before"

    @property
    def timed(self) -> bool:
        """Whether it happens at a moment, not to a request or frame."""
        return self.do in _MOMENT


class _Armed:
    __slots__ = ("chance", "fault", "seen", "start_ns", "struck")

    def __init__(self, fault: Fault, chance: Random, start_ns: int) -> None:
        self.fault = fault
        self.chance = chance
        self.start_ns = start_ns
        self.seen = 0
        self.struck = 0

    def strikes(self, now_ns: int) -> bool:
        """Count one match and say whether it is hit."""
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        elapsed = now_ns - self.start_ns
        if elapsed < fault.from_s * _S or (fault.until_s is not None and elapsed >= fault.until_s * _S):
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.probability < 1 and self.chance.random() >= fault.probability):
            return False
        self.struck += 1
        return True

    @property
    def due_ns(self) -> int | None:
        fault = self.fault
        if not fault.timed or self.struck:
            return None
        return self.start_ns + int((fault.from_s if fault.at_s is None else fault.at_s) * _S)


class Faults:
    """All scripts of a gateway; later ones add to earlier ones."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._scripts = 0

    def load(self, script: Script, now_ns: int) -> None:
        """Arm a script from `now_ns` on."""
        self._scripts += 1
        self._armed += [
            _Armed(fault, Random(f"{script.seed}/{self._scripts}/{number}"), now_ns)
            for number, fault in enumerate(script.fault)
        ]

    def clear(self) -> None:
        """Forget all scripts."""
        self._armed.clear()

    def on_request(self, key: str, now_ns: int) -> list[Fault]:
        """What happens to a request `key` ("METHOD template"), in the script's order."""
        return self._hits(_REQUEST, (key,), now_ns)

    def on_frame(self, topic: str, now_ns: int) -> list[Fault]:
        """What happens to a frame of `topic`, which a script may name in full or by its first part."""
        if not self._armed:
            return []
        return self._hits(_FRAME, (topic, topic.split("+", 1)[0]), now_ns)

    def on_fill(self, conid: int, now_ns: int) -> list[Fault]:
        """What happens to a fill of an instrument."""
        return self._hits(_FILL, (str(conid),), now_ns)

    def due(self, now_ns: int) -> list[Fault]:
        """Timed entries whose moment has come, earliest first; each comes once."""
        moments = ((armed.due_ns, n, armed) for n, armed in enumerate(self._armed))
        ready = sorted((due, n) for due, n, _ in moments if due is not None and due <= now_ns)
        hit = []
        for armed in [self._armed[n] for _, n in ready]:
            armed.struck += 1
            if armed.fault.probability >= 1 or armed.chance.random() < armed.fault.probability:
                hit.append(armed.fault)
        return hit

    def next_due_ns(self) -> int | None:
        """The moment of the next timed entry."""
        return min((due for due in (armed.due_ns for armed in self._armed) if due is not None), default=None)

    def report(self) -> list[dict[str, Any]]:
        """What is armed, and how often each matched and struck."""
        return [
            {"do": armed.fault.do, "on": armed.fault.on, "seen": armed.seen, "struck": armed.struck}
            for armed in self._armed
        ]

    def _hits(self, kinds: tuple[str, ...], names: tuple[str, ...], now_ns: int) -> list[Fault]:
        return [
            armed.fault
            for armed in self._armed
            if armed.fault.do in kinds
            and any(_matches(name, armed.fault.on) for name in names)
            and armed.strikes(now_ns)
        ]


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern.replace("[", "[[]"))


@frozen(kw_only=True)
class Script:
    """A fault script as it is written."""

    fault: tuple[Fault, ...] = ()
    seed: int = 0


def read_script(script: object, *, place: str) -> Script:
    """Check a script that was read with decimals. Raises: ConfigError naming `place`, entry, key and value."""
    whole = script if isinstance(script, Mapping) else {"fault": script}
    return structure(whole, Script, file=place, key="faults", folder=Path())
