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
from engine.domain.messages import DropTimer, PositionNow, SetTimer, Verdict
from engine.runtime.lap import Lap
from engine.runtime.market import NARROWEST
from engine.runtime.ring import FACTS_TOGETHER, Ring

_NO_POSITIONS: Final[list[PositionNow]] = []  # never written to


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
    market, host, gate, orders = ring.market, ring.host, ring.gate, ring.orders
    venue, chunk, times, size = market.venue, market.chunk, market.times, market.size
    if chunk is None:
        return
    if lap.taken > lap.start:
        market.took(lap, lap.taken)
    # What a moment asks for is asked for by a name of this frame: there are tens of thousands of them.
    next_due_ns, scan, take_row, carry_out = venue.next_due_ns, venue.scan, venue.take_row, venue.carry_out
    tell, run, count, judge, book = host.hear, host.run, gate.hear, gate.judge, ring.portfolio.hear
    wants, view, store, noted, facts = host.wants, host.view, ring.store, ring.noted, orders.facts
    merges, widths, timer_ns, width, widest = market.merges, market.widths, market.timer_ns, market.width, market.window
    executions = orders.executions
    row, venue_row, now_ns, still_ns = market.row, market.venue_row, lap.now_ns, market.still_ns
    answers: list[Answer] = []  # not told yet
    due_ns = min(next_due_ns(), timer_ns)
    while True:
        # How far the rows go until anything else is due, and whether the venue has news of the row there.
        stop, named = row, False
        leave = row >= size or due_ns <= times[row]
        if not leave:
            stop += width if widths is None else widths()
            if stop > size:
                stop = size
            if due_ns <= times[stop - 1]:
                stop = bisect_left(times, due_ns, row, stop)
            if venue_row < stop:
                found = scan(venue_row, stop)
                if found < stop:
                    stop, named = found, True
        # Where nobody can act between two answers, those of the very next row are told with them.
        if answers and not (merges and named and stop == row):
            lap.number += 1
            if now_ns == still_ns:
                lap.answers, lap.now_ns = answers, now_ns
                market.guard(lap)
                lap.answers = []
            else:
                still_ns = now_ns
                market.still = 0
            if len(facts) >= FACTS_TOGETHER or any(noted):
                store()
            counted = len(executions)
            updates = orders.hear(answers)
            positions = book(updates) if len(executions) > counted else _NO_POSITIONS
            tell(updates, positions, now_ns)
            count(updates, positions)
            answers = []
        if not wants:
            if leave:
                break
            if stop > row:
                taken = run(chunk, row, stop)
                if taken > row:
                    width = 2 * width if taken == stop else 2 * (taken - row)
                    if width < NARROWEST:
                        width = NARROWEST
                    elif width > widest:
                        width = widest
                    row = taken
                    if taken > venue_row:
                        venue_row = taken
                    now_ns = host.reached_ns
                    still_ns = -1  # many rows of one moment are no loop
            if not wants:
                if named and row == stop:
                    # The very next row brings news of an order, which goes before the row itself.
                    more = take_row(row)
                    venue_row = row + 1
                    due_ns = min(next_due_ns(), timer_ns)
                    if more:
                        answers += more
                        now_ns = times[row]
                continue
        # Somebody wants something: judged, sent and answered at the same moment.
        verdicts: list[Verdict] = []
        for want in wants:
            if want.__class__ is SetTimer or want.__class__ is DropTimer:
                lap.wishes.append(want)
            else:
                verdicts.append(judge(want, view, now_ns))  # type: ignore[arg-type]  # it is of neither
        wants.clear()
        if verdicts:
            if len(facts) >= FACTS_TOGETHER or any(noted):
                store()
            requests, refused = orders.act(verdicts, now_ns)
            if refused or gate.latched or lap.wishes:
                lap.requests, lap.updates = requests, refused
                break
            if requests:
                reached = carry_out(requests, now_ns, venue_row)
                if reached is None:
                    lap.requests = requests
                    break
                answers = reached
                due_ns = min(next_due_ns(), timer_ns)
        elif lap.wishes:
            break
    market.row, market.venue_row, market.width, market.still_ns = row, venue_row, width, still_ns
    if row:
        market.last_ns = times[row - 1]
    lap.chunk, lap.now_ns = chunk, now_ns
    lap.start = lap.stop = lap.taken = row
