"""When the guard acts, and when it ends. Pure; all times are seconds of one monotonic clock.

A daemon gives a sign each second. After `limit_s` without one the guard acts, once, whether the daemon hangs or is
dead; one that comes (again) in time takes the guard over, and nothing has happened. With neither daemon nor gateway
there is nothing to guard.
"""

from __future__ import annotations

from enum import Enum, auto

from attrs import define, field


class Todo(Enum):
    """What is to be done now."""

    ACT = auto()  # the daemon has been silent for too long
    END = auto()  # there is nothing to guard


class Presence(Enum):
    """How the daemon does."""

    NONE = auto()  # none has come yet, or it has taken its leave
    HERE = auto()  # it gives signs
    SILENT = auto()  # it has missed several
    GONE = auto()  # its line is closed: it is dead, or as good as


@define(eq=False)
class Watch:
    """The guard's clockwork.

    Args:
        limit_s: Silence after which the guard acts; a daemon brings its own.
        alone_s: How long the guard stays with neither daemon nor gateway.
        now_s: When the guard started.
    """

    limit_s: float
    alone_s: float
    now_s: float
    missed_s: float = 3.0
    acted: bool = False
    _sign_s: float | None = field(default=None, init=False)
    _line: bool = field(default=False, init=False)
    _alone_since_s: float | None = field(default=None, init=False)
    _ticked_s: float | None = field(default=None, init=False)
    _since_s: float = field(default=0.0, init=False)  # from when silence counts
    _graced: bool = field(default=False, init=False)
    _left: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._alone_since_s = self.now_s

    def hello(self, now_s: float, limit_s: float) -> None:
        """A daemon has come, the first or a new one."""
        self.limit_s = limit_s
        self.missed_s = min(3.0, limit_s / 3)
        self._line, self._left, self.acted = True, False, False
        self.sign(now_s)
        self._alone_since_s = None

    def sign(self, now_s: float) -> None:
        """The daemon lives."""
        self._sign_s = self._since_s = now_s
        self._graced = False

    def line_lost(self) -> None:
        """The daemon's line is closed without a word."""
        self._line = False

    def leave(self) -> None:
        """The daemon has ended in order: there is nothing to do for it."""
        self._line, self._left = False, True

    @property
    def left(self) -> bool:
        """Whether the daemon has taken its leave."""
        return self._left

    def silence_s(self, now_s: float) -> float:
        """Seconds since the last sign; zero before the first."""
        return 0.0 if self._sign_s is None else max(0.0, now_s - self._since_s)

    def presence(self, now_s: float) -> Presence:
        """How the daemon does now."""
        if self._left or self._sign_s is None:
            return Presence.NONE
        if not self._line:
            return Presence.GONE
        return Presence.SILENT if self.acted or self.silence_s(now_s) >= self.missed_s else Presence.HERE

    def tick(self, now_s: float, *, gateway: bool, every_s: float) -> Todo | None:
        """Time has passed.

        Args:
            gateway: Whether the gateway is there.
            every_s: How often this is called. A call that comes much later says that we were not running ourselves
                (a stopped or starved machine); then the daemon was not either, and gets its time back, once a silence.
        """
        if self._ticked_s is not None and now_s - self._ticked_s > 4 * every_s and not self._graced:
            self._since_s, self._graced = now_s, True
        self._ticked_s = now_s
        presence = self.presence(now_s)
        daemon = presence in (Presence.HERE, Presence.SILENT) and not self.acted
        if daemon or gateway:
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        if self._left:
            return Todo.END
        if presence is not Presence.NONE and not self.acted and self.silence_s(now_s) >= self.limit_s:
            self.acted = True
            return Todo.ACT
        if self._alone_since_s is not None and now_s - self._alone_since_s >= self.alone_s:
            return Todo.END
        return None
