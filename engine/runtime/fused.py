"""The replay ring in one task.

Most moments of a run are plain: rows, orders that they cause, and news of these orders, with no timer due and nothing
latched. `_plain_moments` goes through them with the actors' cores called one after the other; no lap is filled and
emptied for it. Whatever else comes up takes the lap, by the same steps as in the ring of tasks. Both give the same
bytes (a law under test).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from engine.domain.facts import Answer
from engine.domain.messages import DropTimer, PositionNow, SetTimer
from engine.runtime.lap import Lap
from engine.runtime.market import NARROWEST
from engine.runtime.ring import FACTS_TOGETHER, Ring

_NO_POSITIONS: Final[list[PositionNow]] = []  # never written to
_WISHES: Final = (SetTimer, DropTimer)


def run_fused(ring: Ring, lap: Lap) -> None:
    """Go round in one task until the market ends the run."""
    offer, hear, book, decide, judge, act = ring.offer, ring.hear, ring.book, ring.decide, ring.judge, ring.act
    while True:
        # A watch follows the account row by row, in laps.
        if ring.watch is None and not (lap.requests or lap.updates or lap.wishes):
            _plain_moments(ring, lap)
        offer(lap)
        if lap.finished:
            return
        if lap.answers or lap.actions:
            hear(lap)
        if lap.updates or lap.actions:
            book(lap)
        decide(lap)
        if lap.intents or lap.updates or lap.positions:
            judge(lap)
        if lap.verdicts:
            act(lap)


def _plain_moments(ring: Ring, lap: Lap) -> None:
    """Go on, moment by moment, until something comes up that needs a lap: the end of the chunk, a timer, a command that
    is still on its way, a refusal, a latch. The lap is then as `offer` expects it."""
    market, host, gate = ring.market, ring.host, ring.gate
    venue, chunk, times, size = market.venue, market.chunk, market.times, market.size
    wants, view = host.wants, host.view
    store, apply, act, book = ring.store, ring.orders.hear, ring.orders.act, ring.portfolio.hear
    tell, run, count, judge = host.hear, host.run, gate.hear, gate.judge
    noted, facts = ring.noted, ring.orders.facts
    executions = ring.orders.executions
    counted = len(executions)
    merges, widths = market.merges, market.widths
    if chunk is None:
        return
    if lap.taken > lap.start:
        market.took(lap, lap.taken)
    row, venue_row, now_ns = market.row, market.venue_row, lap.now_ns
    answers: list[Answer] = []  # not told yet
    while True:
        # How far the rows go until anything else is due.
        stop = row
        due_ns = market.timer_ns
        at_ns = venue.next_due_ns()
        if at_ns < due_ns:
            due_ns = at_ns
        leave = row >= size or due_ns <= times[row]
        if not leave:
            stop = row + (market.width if widths is None else widths())
            if stop > size:
                stop = size
            if due_ns <= times[stop - 1]:
                stop = bisect_left(times, due_ns, row, stop)
            if venue_row < stop:
                stop = venue.scan(venue_row, stop)
            if stop == row and (merges or not answers):
                # The very next row brings news of an order, which goes before the row itself.
                more = venue.take_row(row)
                venue_row = row + 1
                if more:
                    answers += more
                    now_ns = times[row]
                continue
        lap.number += 1
        if answers:
            lap.now_ns = now_ns
            if now_ns == market.still_ns:
                lap.answers = answers
                market.guard(lap)
                lap.answers = []
            else:
                market.still_ns = now_ns
                market.still = 0
            if any(noted) or len(facts) >= FACTS_TOGETHER:
                store()
            updates = apply(answers)
            positions = _NO_POSITIONS
            if len(executions) > counted:
                counted = len(executions)
                positions = book(updates)
            tell(updates, positions, now_ns)
            count(updates, positions)
            answers = []
        if not wants:
            if leave:
                break
            if stop > row:
                taken = run(chunk, row, stop)
                if taken > row:
                    width = 2 * market.width if taken == stop else 2 * (taken - row)
                    if width < NARROWEST:
                        width = NARROWEST
                    market.width = width if width < market.window else market.window
                    market.still = 0
                    row = taken
                    if taken > venue_row:
                        venue_row = taken
                    market.last_ns = now_ns = times[taken - 1]
            if not wants:
                continue
        # Somebody wants something: judged, sent and answered at the same moment.
        verdicts = []
        for want in wants:
            if want.__class__ in _WISHES:
                lap.wishes.append(want)
            else:
                verdicts.append(judge(want, view, now_ns))  # type: ignore[arg-type]
        wants.clear()
        if verdicts:
            if any(noted) or len(facts) >= FACTS_TOGETHER:
                store()
            lap.requests, lap.updates = act(verdicts, now_ns)
        if lap.wishes or lap.updates or gate.latched:
            break
        if lap.requests:
            found = venue.carry_out(lap.requests, now_ns, venue_row)
            if found is None:
                break
            answers = found
            lap.requests = []
    market.row, market.venue_row = row, venue_row
    lap.chunk, lap.now_ns = chunk, now_ns
    lap.start = lap.stop = lap.taken = row
