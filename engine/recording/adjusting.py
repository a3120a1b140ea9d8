"""Splits applied to prices and sizes, only where a reader asks for it: a recording holds what was traded.

And when splits and dividends are due to whoever holds the instrument.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, time
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from engine.domain.actions import ONE, Action, DividendNow, SplitNow
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_S
from engine.recording.head import CorporateActions, zone
from engine.recording.layout import PRICES, SIZES, Block


class SplitStep(NamedTuple):
    """From `ts_ns` on, one old unit of `conid` is `ratio` new ones."""

    conid: int
    ts_ns: int
    ratio: float


def split_steps(actions: CorporateActions, time_zone: str) -> tuple[SplitStep, ...]:
    """The splits with their moment: midnight of their day in the recording's zone."""
    where = zone(time_zone, place="time_zone")
    return tuple(
        SplitStep(
            split.conid,
            int(datetime.combine(split.day, time(), where).timestamp()) * NS_PER_S,
            float(split.new / split.old),
        )
        for split in actions.splits
    )


def actions_due(
    actions: CorporateActions, time_zone: str, conids: Collection[int], span_ns: tuple[int, int], *, adjusted: bool
) -> tuple[Action, ...]:
    """What comes due after the first and not after the last row of a run, by time.

    An action's moment is one nanosecond into its day in the recording's zone: a bar that ends at midnight is the last
    of the old units. At one moment dividends come first, for they are paid on what was held at the close before.

    Args:
        adjusted: The rows are in today's units, so positions are too: splits do nothing, and a dividend from before one
            is worth that much less a share.
    """
    where = zone(time_zone, place="time_zone")

    def moment(day: date) -> int:
        return int(datetime.combine(day, time(), where).timestamp()) * NS_PER_S + 1

    due: list[tuple[int, int, int, Action]] = []
    for place, paid in enumerate(actions.dividends):
        new = old = ONE
        for split in actions.splits:
            if adjusted and split.conid == paid.conid and split.day >= paid.day:
                new, old = new * split.new, old * split.old
        dividend = DividendNow(moment(paid.day), paid.conid, paid.amount, paid.currency, new, old)
        due.append((dividend.ts_ns, 0, place, dividend))
    if not adjusted:
        for place, split in enumerate(actions.splits):
            now = SplitNow(moment(split.day), split.conid, split.new, split.old)
            due.append((now.ts_ns, 1, place, now))
    due.sort(key=itemgetter(slice(0, 3)))
    return tuple(action for ts_ns, _, _, action in due if action.conid in conids and span_ns[0] < ts_ns <= span_ns[1])


def adjusted(kind: Kind, block: Block, steps: Sequence[SplitStep]) -> Block:
    """A block in today's units: before each split, prices divided by its ratio and sizes multiplied.

    A bar counts by its start. Dividends change nothing here: they are money, and belong to an account.
    """
    changed = dict(block)
    began = block["ts_ns"] - block["span_ns"] if kind is Kind.BARS else block["ts_ns"]
    for step in steps:
        rows = (block["conid"] == step.conid) & (began < step.ts_ns)
        if rows.any():
            for name in PRICES[kind]:
                changed[name] = np.where(rows, changed[name] / step.ratio, changed[name])
            for name in SIZES[kind]:
                changed[name] = np.where(rows, changed[name] * step.ratio, changed[name])
    return changed
