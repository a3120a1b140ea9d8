"""Splits applied to prices and sizes, only where a reader asks for it: a recording holds what was traded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import NamedTuple

import numpy as np

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
            float(split.ratio),
        )
        for split in actions.splits
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
