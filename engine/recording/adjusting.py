"""Splits applied to prices and sizes, only where a reader asks for it: a recording holds what was traded.

And when splits and dividends are due to whoever holds the instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from engine.domain.actions import (
    ONE,
    ZERO,
    Action,
    DividendDue,
    DividendNow,
    DividendPaid,
    ExerciseNow,
    ExpiryNow,
    MergerNow,
    OnHolders,
    SpinOffNow,
    SplitNow,
)
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_S
from engine.errors import RecordingError
from engine.recording.events import CorporateActions, Dividend
from engine.recording.head import zone
from engine.recording.layout import ACTIONS_FILE, PRICES, SIZES, Block

# What comes first at one moment.
_ENDS: Final = 0
_PAYS: Final = 1
_CHANGES: Final = 2


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
    actions: CorporateActions,
    time_zone: str,
    conids: Collection[int],
    span_ns: tuple[int, int],
    *,
    adjusted: bool,
    withheld: Decimal = ZERO,
) -> tuple[Action, ...]:
    """What comes due after the first and not after the last row of a run, by time.

    An action's moment is one nanosecond into its day in the recording's zone: a bar that ends at midnight is the last
    of the old units. Exercises and expiries take place as their day ends, or with the run's last row on that day. At
    one moment these come first, then dividends, for they are paid on what was held at the close before.

    Args:
        adjusted: The rows are in today's units, so positions are too: splits do nothing, and a dividend from before one
            is worth that much less a share.
        withheld: Part of what longs receive that is kept back for tax.

    Raises: RecordingError for an action that is not in the units of adjusted rows.
    """
    where = zone(time_zone, place="time_zone")

    def moment(day: date) -> int:
        return int(datetime.combine(day, time(), where).timestamp()) * NS_PER_S + 1

    def end(day: date) -> int:
        after = moment(day + timedelta(days=1))
        return span_ns[1] if moment(day) <= span_ns[1] < after else after

    due: list[tuple[Action, int]] = []
    due += [
        (ExerciseNow(end(one.day), one.conid, one.underlying, one.strike, one.right, one.holders), _ENDS)
        for one in actions.exercises
    ]
    due += [(ExpiryNow(end(one.day), one.conid, one.price), _ENDS) for one in actions.expiries]
    for paid in actions.dividends:
        due += _dividend(paid, actions, moment, adjusted=adjusted, withheld=withheld)
    if not adjusted:
        due += [(SplitNow(moment(one.day), one.conid, one.new, one.old), _CHANGES) for one in actions.splits]
    due += [
        (SpinOffNow(moment(one.day), one.conid, one.into, one.new, one.old, one.cost_share), _CHANGES)
        for one in actions.spin_offs
    ]
    due += [
        (MergerNow(moment(one.day), one.conid, one.into, one.new, one.old, one.cash), _CHANGES)
        for one in actions.mergers
    ]
    if adjusted:
        _refuse_old_units(actions)
    due.sort(key=lambda one: (one[0].ts_ns, one[1]))
    return tuple(action for action, _ in due if _concerned(action, conids) and span_ns[0] < action.ts_ns <= span_ns[1])


def _dividend(
    paid: Dividend, actions: CorporateActions, moment: Callable[[date], int], *, adjusted: bool, withheld: Decimal
) -> list[tuple[Action, int]]:
    new = old = ONE
    for split in actions.splits:
        if adjusted and split.conid == paid.conid and split.day >= paid.day:
            new, old = new * split.new, old * split.old
    now = moment(paid.day)
    if paid.pay_day is None and not withheld:
        return [(DividendNow(now, paid.conid, paid.amount, paid.currency, new, old), _PAYS)]
    pay = now if paid.pay_day is None else moment(paid.pay_day)
    due = DividendDue(now, paid.conid, paid.amount, paid.currency, pay, withheld, new, old)
    return [(due, _PAYS)] if pay == now else [(due, _PAYS), (DividendPaid(pay, paid.conid, pay), _PAYS)]


def _concerned(action: Action, conids: Collection[int]) -> bool:
    return isinstance(action, OnHolders | DividendPaid) and action.conid in conids


def _refuse_old_units(actions: CorporateActions) -> None:
    """Adjusted rows know one unit for ever; ratios and strikes of before a later split are in another."""
    happened: list[tuple[date, int, int | None]] = [(one.day, one.conid, one.into) for one in actions.mergers]
    happened += [(one.day, one.conid, one.into) for one in actions.spin_offs]
    happened += [(one.day, one.conid, None) for one in actions.expiries]
    happened += [(one.day, one.conid, one.underlying) for one in actions.exercises]
    for day, conid, other in happened:
        for split in actions.splits:
            if split.conid in (conid, other) and split.day > day:
                raise RecordingError(
                    f"with adjust_splits, what happened to conid {conid} on {day} would have to be in the units of "
                    f"after the split of {split.day}",
                    place=ACTIONS_FILE,
                )


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
