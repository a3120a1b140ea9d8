"""How often we may log in, open the brokerage session, or take it from somebody: a budget that survives restarts.

A crash loop that logs in at each start is how usernames get locked. So every attempt is in a small file (`loginfile`)
before it is made; a restart reads it and waits like the process before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

SECOND = 1_000_000_000
HOUR_S = 3600


class Attempt(StrEnum):
    """What is counted."""

    LOGIN = "login"  # a live session token, an SSO session
    INIT = "init"  # the brokerage session
    STEAL = "steal"  # an init that ends somebody else's session


LIMITS: Mapping[Attempt, tuple[int, int]] = {  # so many within so many seconds
    Attempt.LOGIN: (6, HOUR_S),
    Attempt.INIT: (60, HOUR_S),
    Attempt.STEAL: (3, HOUR_S),
}


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attempt."""

    attempt: Attempt
    at_ns: int


class Logins(msgspec.Struct, frozen=True):
    """The attempts that still count; a value, replaced by each attempt."""

    made: tuple[Made, ...] = ()

    def free_ns(self, attempt: Attempt, now_ns: int, *, limit: int | None = None) -> int:
        """Return when the next attempt may be made; `now_ns` if at once. `limit` stands in for that of `LIMITS`."""
        usual, length_s = LIMITS[attempt]
        limit = usual if limit is None else limit
        counted = sorted(one.at_ns for one in self._counted(now_ns) if one.attempt is attempt)
        return now_ns if len(counted) < limit else counted[-limit] + length_s * SECOND

    def spend(self, attempt: Attempt, now_ns: int) -> Logins:
        """Count an attempt."""
        return Logins((*self._counted(now_ns), Made(attempt, now_ns)))

    def refund(self, attempt: Attempt) -> Logins:
        """Take the latest attempt back: nothing of it has left us."""
        for at in range(len(self.made) - 1, -1, -1):
            if self.made[at].attempt is attempt:
                return Logins((*self.made[:at], *self.made[at + 1 :]))
        return self

    def _counted(self, now_ns: int) -> tuple[Made, ...]:
        # A stamp far ahead is another clock's (a simulated gateway's, a wall set back): it would lock us out for years.
        return tuple(one for one in self.made if abs(now_ns - one.at_ns) < LIMITS[one.attempt][1] * SECOND)
