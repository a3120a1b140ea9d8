"""When an instrument trades: regular sessions as plain nanoseconds, made from a calendar by an adapter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from attrs import define, field

from engine.domain.moments import END_OF_TIME_NS, NS_PER_MINUTE


@define(frozen=True)
class Sessions:
    """Regular sessions of one calendar, `[opens_ns[i], closes_ns[i])`, oldest first; none at all means always open.

    Half days and holidays are in the numbers. `outside_hours` of an instrument (minutes before the open and after the
    close) widens a session where an order asks for it.
    """

    opens_ns: tuple[int, ...] = ()
    closes_ns: tuple[int, ...] = ()
    always: bool = field(default=False)

    @classmethod
    def round_the_clock(cls) -> Sessions:
        """A market that never closes."""
        return cls(always=True)

    def is_open(self, ts_ns: int, outside: tuple[int, int] = (0, 0)) -> bool:
        """Say whether trading goes on at a time, the extended minutes included."""
        if self.always:
            return True
        before, after = outside[0] * NS_PER_MINUTE, outside[1] * NS_PER_MINUTE
        last = bisect_right(self.opens_ns, ts_ns + before) - 1
        return last >= 0 and ts_ns < self.closes_ns[last] + after

    def session_at(self, ts_ns: int) -> tuple[int, int] | None:
        """Return (open, close) of the regular session a time lies in."""
        if self.always:
            return None
        last = bisect_right(self.opens_ns, ts_ns) - 1
        if last >= 0 and ts_ns < self.closes_ns[last]:
            return self.opens_ns[last], self.closes_ns[last]
        return None

    def next_open_ns(self, ts_ns: int) -> int:
        """First open at or after a time; the end of time if there is none."""
        at = bisect_left(self.opens_ns, ts_ns)
        return self.opens_ns[at] if at < len(self.opens_ns) else END_OF_TIME_NS

    def next_close_ns(self, ts_ns: int) -> int:
        """First close after a time; the end of time if there is none."""
        at = bisect_right(self.closes_ns, ts_ns)
        return self.closes_ns[at] if at < len(self.closes_ns) else END_OF_TIME_NS
