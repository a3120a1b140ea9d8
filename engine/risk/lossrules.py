"""The limits on what was lost: which latches they make due of one owner, and in which row of a window the first falls.

Losses exactly at their limit are within it. Nothing here follows an owner: `losses` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final

import numpy as np

from engine.domain.columns import Floats
from engine.domain.moments import NS_PER_S
from engine.risk.account import ACCOUNT, Held, Level
from engine.risk.standing import Owner
from engine.settings import Limits

LIMITS: Final = (
    "daily_loss_reduce", "daily_loss_max", "daily_realised_loss_reduce", "daily_realised_loss_max",
    "drawdown_reduce_pct", "drawdown_halt_pct", "loss_streak_max", "loss_streak_halt",
)  # fmt: skip
OF_A_DAY: Final = frozenset({"LOSS_REDUCED", "LOSS"})  # what has fired, as a standing names it
_limits_of: Final = attrgetter(*LIMITS)
_DAILY: Final = (  # level, its name among what has fired, limits on all that is lost and on what is realised
    (Level.REDUCING, "LOSS_REDUCED", "daily_loss_reduce", "daily_realised_loss_reduce"),
    (Level.HALTED, "LOSS", "daily_loss_max", "daily_realised_loss_max"),
)
_DRAWDOWNS: Final = ((Level.REDUCING, "drawdown_reduce_pct"), (Level.HALTED, "drawdown_halt_pct"))


def limits_losses(limits: Limits) -> bool:
    """Whether any of these limits is set."""
    return _limits_of(limits).count(None) < len(LIMITS)


def named(owner: Owner) -> str:
    """An owner in a sentence."""
    return "the account" if owner.name == ACCOUNT else owner.name


def due(owner: Owner, now_ns: int, until_ns: Callable[[int], int | None], *, whole: bool = True) -> Iterator[Held]:
    """The latches that an owner's worth and trades have made due; each is marked as fired when it is told.

    Args:
        whole: The worth is known; without it only what has been realised, and in which trades, is looked at.
        until_ns: Until when a day's loss forbids, of a moment of that day; None: until a person resumes.
    """
    limits = owner.limits
    yield from _daily(owner, now_ns, until_ns, whole=whole)
    for level, name in _DRAWDOWNS if whole else ():
        percent = getattr(limits, name)
        down = (owner.peak - owner.worth) * 100.0
        if percent is not None and level.name not in owner.fired and down > float(percent) * abs(owner.peak):
            owner.fired.add(level.name)
            sentence = f"{named(owner)} is worth {owner.worth:.2f}, and was worth nothing at its best"
            if owner.peak:
                fell = down / abs(owner.peak)
                sentence = f"{named(owner)} has fallen {fell:.2f} % from its highest worth, above {percent} %"
            yield Held(level, "DRAWDOWN", sentence, now_ns)
    if _streak_too_long(owner):
        sentence = f"{named(owner)} has closed {owner.streak} trades at a loss in a row, above {limits.loss_streak_max}"
        owner.streak = 0
        pause = limits.loss_streak_pause_s
        ends_ns = None if pause is None else now_ns + int(pause * NS_PER_S)
        yield Held(Level.REDUCING, "STREAK", sentence, now_ns, ends_ns)
    if _losses_too_many(owner):
        many, most = owner.losses, limits.loss_streak_halt
        owner.streak = owner.losses = 0
        sentence = f"{named(owner)} has closed {many} trades at a loss in a row, above {most}"
        yield Held(Level.HALTED, "STREAK", sentence, now_ns)


def _daily(owner: Owner, now_ns: int, until_ns: Callable[[int], int | None], *, whole: bool) -> Iterator[Held]:
    lost, realised = owner.day_worth - owner.worth if whole else 0.0, _realised_loss(owner)
    for level, name, in_all, taken in _DAILY:
        for what, loss, limit in (("lost", lost, in_all), ("realised a loss of", realised, taken)):
            most = getattr(owner.limits, limit)
            if most is None or name in owner.fired or not loss > float(most):
                continue
            owner.fired.add(name)
            sentence = f"{named(owner)} has {what} {loss:.2f} today, above {most}"
            yield Held(level, "LOSS", sentence, now_ns, until_ns(now_ns))


def first(owner: Owner, line: Floats, times: np.ndarray, *, new_day: bool, forgets: bool) -> int | None:
    """Index of the first row of a window that makes a latch due, or in which worth jumps; None if there is none.

    Args:
        line: What the owner is worth after each row.
        times: Of the rows, in ns.
        new_day: The window's day is another than the owner's.
        forgets: With another day, what a day's loss has fired may fire again.
    """
    limits = owner.limits
    day_worth = owner.worth if new_day else owner.day_worth
    awake = times >= owner.pause_ns
    hit = np.zeros(len(line), bool)
    if limits.pnl_jump_pct is not None:
        hit |= jumps(owner, line, float(limits.pnl_jump_pct))
    fired = owner.fired if not (new_day and forgets) else owner.fired - OF_A_DAY
    for _, name, in_all, _ in _DAILY:
        most = getattr(limits, in_all)
        if most is not None and name not in fired:
            hit |= (day_worth - line > float(most)) & awake
    peaks = np.fmax.accumulate(np.concatenate(([owner.peak], line)))[1:]
    for level, percent in _DRAWDOWNS:
        most = getattr(limits, percent)
        if most is not None and level.name not in owner.fired:
            hit |= ((peaks - line) * 100.0 > float(most) * np.abs(peaks)) & awake
    if (not new_day and _realised_too_far(owner)) or _streak_too_long(owner) or _losses_too_many(owner):
        hit |= awake  # it has waited for a jump to pass
    found = np.flatnonzero(hit)
    return int(found[0]) if len(found) else None


def jumps(owner: Owner, line: Floats, percent: float) -> np.ndarray:
    """In which rows the worth is another by more than a limit (R42)."""
    before = np.concatenate(([owner.worth], line[:-1]))
    found: np.ndarray = np.abs(line - before) * 100.0 > percent * np.abs(before)
    return found


def begin_anew(owner: Owner, held: Held | None) -> None:
    """A person has looked at what had latched and resumes: that is counted from here on, all else goes on.

    Args:
        held: The latch that is lifted.
    """
    if not owner.fired.isdisjoint(OF_A_DAY):
        owner.day_worth, owner.day_realised = owner.worth, owner.realised - owner.fees
    if any(level.name in owner.fired for level, _ in _DRAWDOWNS):
        owner.peak = owner.worth
    if held is not None and held.code == "STREAK":
        owner.streak = owner.losses = 0
    owner.fired.clear()


def _realised_loss(owner: Owner) -> float:
    """Of the day, fees with it."""
    return owner.day_realised - (owner.realised - owner.fees)


def _realised_too_far(owner: Owner) -> bool:
    """Whether a step of the day's realised loss is due that has not been taken."""
    lost = _realised_loss(owner)
    steps = ((name, getattr(owner.limits, taken)) for _, name, _, taken in _DAILY)
    return any(most is not None and name not in owner.fired and lost > float(most) for name, most in steps)


def _streak_too_long(owner: Owner) -> bool:
    most = owner.limits.loss_streak_max
    return most is not None and owner.streak > most


def _losses_too_many(owner: Owner) -> bool:
    most = owner.limits.loss_streak_halt
    return most is not None and owner.losses > most
