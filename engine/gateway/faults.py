"""The fault script: what goes wrong, when, how often; pure decisions from a seed.

A script is TOML (or the same shape as JSON by `POST /sim/faults`):

    seed = 7
    [[fault]]
    do = "drop"                                        # one of KINDS
    on = "POST /iserver/account/{accountId}/orders"    # "METHOD template", with * and ?; or a topic for frames
    when = "after"                                     # the handler has run ("after") or never hears of it ("before")
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
from difflib import get_close_matches
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final

import cattrs
from attrs import field, fields_dict, frozen, validators

from engine.errors import ConfigError

_S: Final = 1_000_000_000

REQUEST_KINDS: Final = ("delay", "status", "drop", "close", "reset", "half-open", "garbage", "truncate", "cut")
HANDLER_KINDS: Final = ("late-live",)
FRAME_KINDS: Final = ("silent", "duplicate", "reorder")
FILL_KINDS: Final = ("late-commission",)
MOMENT_KINDS: Final = (
    "session-reset",
    "session-lost",
    "competing-login",
    "restart",
    "drop-connections",
    "stall-connections",
    "prompt",
    "bulletin",
)
KINDS: Final = REQUEST_KINDS + HANDLER_KINDS + FRAME_KINDS + FILL_KINDS + MOMENT_KINDS


@frozen(kw_only=True)
class Fault:
    """One entry of a script; times in seconds of the gateway's clock since the script was loaded."""

    do: str = field(validator=validators.in_(KINDS))
    on: str = "*"
    when: str = field(default="after", validator=validators.in_(("before", "after")))
    skip: int = field(default=0, validator=validators.ge(0))
    count: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    probability: float = field(default=1.0, validator=[validators.ge(0), validators.le(1)])
    from_s: float = 0.0
    until_s: float | None = None
    at_s: float | None = None
    status: int = field(default=503, validator=[validators.ge(400), validators.le(599)])
    seconds: float = field(default=1.0, validator=validators.ge(0))  # delay, lateness, how long a rival stays
    text: str = ""  # of a status, prompt or bulletin
    options: tuple[str, ...] = ("Yes", "No")  # of a prompt

    @property
    def timed(self) -> bool:
        """Whether it happens at a moment, not to a request or frame."""
        return self.do in MOMENT_KINDS


# As written above; read before anybody resolves the annotations of the class.
_TYPES: Final = {name: str(attribute.type) for name, attribute in fields_dict(Fault).items()}


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

    def load(self, script: Mapping[str, Any], now_ns: int, *, place: str | None = None) -> None:
        """Arm a script from `now_ns` on. Raises: ConfigError naming what can't be used; then nothing was armed."""
        faults, seed = read_script(script, place=place)
        self._scripts += 1
        self._armed += [
            _Armed(fault, Random(f"{seed}/{self._scripts}/{number}"), now_ns) for number, fault in enumerate(faults)
        ]

    def clear(self) -> None:
        """Forget all scripts."""
        self._armed.clear()

    def on_request(self, key: str, now_ns: int) -> list[Fault]:
        """What happens to a request `key` ("METHOD template"), in the script's order."""
        return self._hits(REQUEST_KINDS + HANDLER_KINDS, (key,), now_ns)

    def on_frame(self, topic: str, now_ns: int) -> list[Fault]:
        """What happens to a frame of `topic`, which a script may name in full or by its first part."""
        if not self._armed:
            return []
        return self._hits(FRAME_KINDS, (topic, topic.split("+", 1)[0]), now_ns)

    def on_fill(self, conid: int, now_ns: int) -> list[Fault]:
        """What happens to a fill of an instrument."""
        return self._hits(FILL_KINDS, (str(conid),), now_ns)

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


def read_script(script: Mapping[str, Any], *, place: str | None = None) -> tuple[list[Fault], int]:
    """Check a script and return its entries and seed. Raises: ConfigError in one sentence."""
    unknown = set(script) - {"seed", "fault"}
    if unknown:
        raise ConfigError(f"a fault script has `seed` and [[fault]], not {min(unknown)!r}", place=place)
    seed, entries = script.get("seed", 0), script.get("fault", [])
    if type(seed) is not int:
        raise ConfigError("seed must be a whole number", place=place)
    if not isinstance(entries, list):
        raise ConfigError("write each fault as an entry of its own under [[fault]]", place=place)
    return [_read(entry, number, place) for number, entry in enumerate(entries, 1)], seed


def _read(entry: object, number: int, place: str | None) -> Fault:
    where = f"{place}: fault {number}" if place else f"fault {number}"
    if not isinstance(entry, dict):
        raise ConfigError("is not a table", place=where)
    for key in entry:
        if key not in _TYPES:
            near = get_close_matches(str(key), _TYPES, n=1)
            raise ConfigError(f"has no key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""), place=where)
    if entry.get("do") not in KINDS:
        raise ConfigError(f"`do` must be one of {', '.join(KINDS)}", place=where)
    for key, value in entry.items():
        number_like = isinstance(value, int | float) and not isinstance(value, bool)
        good = {
            "str": isinstance(value, str),
            "int": type(value) is int,
            "int | None": type(value) is int,
            "float": number_like,
            "float | None": number_like,
            "tuple[str, ...]": isinstance(value, list) and all(isinstance(item, str) for item in value),
        }[_TYPES[key]]
        if not good:
            raise ConfigError(f"`{key}` can't be {value!r}", place=where)
    try:
        return cattrs.structure(entry, Fault)
    except cattrs.BaseValidationError as exc:
        raise ConfigError(_first_line(exc), place=where) from exc


def _first_line(exc: BaseException) -> str:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return str(exc.args[0] if exc.args else exc)
