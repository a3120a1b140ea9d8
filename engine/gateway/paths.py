"""The made-up fair price of an underlying: a function of seed and time alone, so that any moment can be asked for.

Time is cut into slots of five minutes. A day's chain of slots is a random walk whose steps follow the hours: wide at
the open and the close, narrow outside regular hours, none while the market is shut. Within a slot a bridge joins its
ends second by second. A price at a time is so the same whoever asks, in whatever order, and after a restart.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.sessions import Sessions

Floats = NDArray[np.float64]

SLOT_S: Final = 300
SLOT_NS: Final = SLOT_S * NS_PER_S
SLOTS: Final = NS_PER_DAY // SLOT_NS
_REGULAR_SLOTS: Final = 78  # of a New York session: what a day's volatility is spread over
OUTSIDE: Final = 0.12  # activity in extended hours against that in regular ones
_LONG_NS: Final = 12 * 60 * NS_PER_MINUTE  # sessions so long have no rush at their ends
_DAYS_KEPT: Final = 16
_SLOTS_KEPT: Final = 16


def activity(sessions: Sessions, outside: tuple[int, int], day: int) -> Floats:
    """How busy each slot of a UTC day is: about 1 in regular hours, 0 while the market is shut."""
    busy = np.zeros(SLOTS)
    if sessions.always:
        return busy + 1.0
    start = day * NS_PER_DAY
    slots = start + SLOT_NS * np.arange(SLOTS)
    before, after = outside[0] * NS_PER_MINUTE, outside[1] * NS_PER_MINUTE
    for opens, closes in zip(sessions.opens_ns, sessions.closes_ns, strict=True):
        if closes + after <= start or opens - before >= start + NS_PER_DAY:
            continue
        busy[(slots >= opens - before) & (slots < closes + after) & (busy == 0)] = OUTSIDE
        inside = (slots >= opens) & (slots < closes)
        if closes - opens > _LONG_NS:
            busy[inside] = 0.25
        else:
            middle = (slots[inside] + SLOT_NS / 2 - opens) / (closes - opens)
            busy[inside] = 0.6 + 1.2 * (2.0 * middle - 1.0) ** 2
    return busy


class Path:
    """One underlying's fair price.

    Args:
        key: What tells it from other paths of the same seed.
        price: At the beginning of the anchor day.
        volatility: Standard deviation of a regular session's log return.
        sessions: When it trades; replace them by longer ones as time goes on.
        outside: Minutes of extended hours before the open and after the close.
        anchor: UTC day (since 1970) from which on the walk is known.
    """

    def __init__(
        self,
        key: int,
        price: float,
        volatility: float,
        sessions: Sessions,
        outside: tuple[int, int],
        anchor: int,
        seed: int,
    ) -> None:
        self.key = key
        self.sessions = sessions
        self.outside = outside
        self._anchor = anchor
        self._seed = seed
        self._step = volatility / np.sqrt(_REGULAR_SLOTS)
        self._levels = [float(np.log(price))]  # log price at the beginning of each day from the anchor on
        self._days: dict[int, tuple[Floats, Floats]] = {}
        self._slots: dict[int, Floats] = {}

    def busy(self, slot: int) -> float:
        """How busy a slot is; 0 while the market is shut."""
        day, place = divmod(slot, SLOTS)
        return float(self._day(day)[1][place])

    def knots(self, day: int) -> Floats:
        """Log price at the edges of a UTC day's slots: one more value than slots."""
        return self._day(day)[0]

    def _day(self, day: int) -> tuple[Floats, Floats]:
        found = self._days.get(day)
        if found is not None:
            return found
        if day < self._anchor:
            raise ValueError(f"the market begins on day {self._anchor}, not on {day}")
        while len(self._levels) <= day - self._anchor:
            at = self._anchor + len(self._levels) - 1
            self._levels.append(self._levels[-1] + float(self._steps(at)[0].sum()))
        steps, busy = self._steps(day)
        knots = self._levels[day - self._anchor] + np.concatenate(((0.0,), np.cumsum(steps)))
        if len(self._days) >= _DAYS_KEPT:
            del self._days[next(iter(self._days))]
        self._days[day] = knots, busy
        return knots, busy

    def _steps(self, day: int) -> tuple[Floats, Floats]:
        busy = activity(self.sessions, self.outside, day)
        chance = np.random.default_rng((self._seed, self.key, day, 1))
        return chance.normal(0.0, self._step, SLOTS) * np.sqrt(busy), busy

    def seconds(self, slot: int) -> Floats:
        """Fair price at each second of a slot and at its end."""
        found = self._slots.get(slot)
        if found is not None:
            return found
        day, place = divmod(slot, SLOTS)
        knots, busy = self._day(day)
        first, last = knots[place], knots[place + 1]
        chance = np.random.default_rng((self._seed, self.key, slot, 2))
        spread = self._step * np.sqrt(busy[place] / SLOT_S)
        walk = np.concatenate(((0.0,), np.cumsum(chance.normal(0.0, 1.0, SLOT_S) * spread)))
        ramp = np.linspace(0.0, 1.0, SLOT_S + 1)
        prices: Floats = np.exp(first + walk + ramp * (last - first - walk[-1]))
        if len(self._slots) >= _SLOTS_KEPT:
            del self._slots[next(iter(self._slots))]
        self._slots[slot] = prices
        return prices

    def edges(self, first: int, last: int) -> Floats:
        """Fair price at the beginning of each slot from `first` to `last`, both among them."""
        parts = []
        while first <= last:
            day, place = divmod(first, SLOTS)
            stop = min(SLOTS, place + last - first + 1)
            parts.append(self.knots(day)[place:stop])
            first += stop - place
        prices: Floats = np.exp(np.concatenate(parts))
        return prices

    def price(self, ts_ns: int) -> float:
        """Fair price at a time."""
        slot, rest = divmod(ts_ns, SLOT_NS)
        return float(np.interp(rest / NS_PER_S, np.arange(SLOT_S + 1), self.seconds(slot)))
