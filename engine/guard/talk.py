"""What daemon and guard say to one another over their own socket: JSON lines, tagged by `type`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine.guard.mandate import Mandate
from engine.operator.processes import Process
from engine.operator.protocol import REPLY_MAX

VERSION: Final = 1
LINE_MAX: Final = REPLY_MAX + (1 << 16)
HALTING: Final = (
    "halting"  # a daemon's trading state while its halt is not yet stored: the guard does not wait for ever
)


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Daemon: guard me."""

    v: int
    mandate: Mandate


class Sign(msgspec.Struct, frozen=True, tag=True):
    """Daemon, each second: I live, and this is my trading state."""

    trading: str


class Replied(msgspec.Struct, frozen=True, tag=True):
    """Daemon: the reply to an operator's request, as it is to be sent on."""

    number: int
    reply: msgspec.Raw


class Leave(msgspec.Struct, frozen=True, tag=True):
    """Daemon: I end in order. `gateway`: end the gateway that I started, too."""

    gateway: bool = False


class Taken(msgspec.Struct, frozen=True, tag=True):
    """Guard: you are guarded, by this process."""

    guard: Process


class NotTaken(msgspec.Struct, frozen=True, tag=True):
    """Guard: no."""

    problem: str


class Heard(msgspec.Struct, frozen=True, tag=True):
    """Guard: I have your sign, so I live too."""


class Wanted(msgspec.Struct, frozen=True, tag=True):
    """Guard: an operator wants this."""

    number: int
    verb: str
    args: dict[str, Any]


FromDaemon = Hello | Sign | Replied | Leave
FromGuard = Taken | NotTaken | Heard | Wanted

_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
from_daemon: Final = msgspec.json.Decoder(FromDaemon)
from_guard: Final = msgspec.json.Decoder(FromGuard)


def line(said: FromDaemon | FromGuard) -> bytes:
    """One line."""
    return _ENCODER.encode(said) + b"\n"
