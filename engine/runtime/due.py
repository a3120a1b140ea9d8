"""What comes due in a replay by the calendar: which actions end orders, and the prices that actions are booked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import nan
from typing import Final

from msgspec.structs import replace

from engine.domain.actions import (
    Action,
    DayEnded,
    DividendDue,
    DividendNow,
    DividendPaid,
    ExerciseNow,
    ExpiryNow,
    MergerNow,
    OnHolders,
    RateNow,
    SpinOffNow,
    SplitNow,
)
from engine.domain.instrument import Instrument
from engine.domain.repricing import Step

_GRAIN: Final = Decimal("1e-10")
Price = Callable[[int], Decimal | None]


def conversion(action: Action) -> tuple[int, str] | None:
    """Whose orders end with an action, and why, as they hear it; None where all stay.

    Options of which only some are assigned go on trading.
    """
    match action:
        case SplitNow(conid=conid):
            return conid, "split"
        case MergerNow(conid=conid):
            return conid, "merger"
        case ExpiryNow(conid=conid):
            return conid, "expiry"
        case ExerciseNow(conid=conid, holders="all"):
            return conid, "exercise"
        case _:
            return None


def priced(action: Action, price: Price) -> Action:
    """The action with the last known prices that it is booked at."""
    match action:
        case SplitNow(conid=conid):
            return replace(action, price=price(conid))
        case MergerNow(into=int(conid)) | SpinOffNow(into=conid):
            return replace(action, price=price(conid))
        case DayEnded(conids=conids):
            known = ((conid, price(conid)) for conid in conids)
            return replace(action, prices=tuple((conid, at) for conid, at in known if at is not None))
        case RateNow(conid=int(conid)):
            at = price(conid)
            if at is None or at <= 0:
                return action
            return replace(action, rate=(1 / at).quantize(_GRAIN) if action.inverse else at)
        case _:
            return action


def repriced(
    action: Action, instruments: Mapping[int, Instrument], rates: Mapping[str, Decimal]
) -> tuple[int, Step] | None:
    """What an action makes of the price that is known of an instrument; None where that is as good as before.

    Args:
        rates: Price of one unit of each currency in base currency.
    """
    match action:
        case SplitNow(ts_ns=ts_ns, conid=conid, new=new, old=old):
            return conid, Step(ts_ns, float(old / new))
        case DividendNow(ts_ns=ts_ns, conid=conid) | DividendDue(ts_ns=ts_ns, conid=conid):
            less = action.amount * action.old / action.new * rates[action.currency]
            return conid, Step(ts_ns, less=float(less / rates[instruments[conid].currency]))
        case SpinOffNow(ts_ns=ts_ns, conid=conid, into=into, price=price):
            if price is None:
                return conid, Step(ts_ns, nan)
            given = price * instruments[into].multiplier * action.new / action.old
            return conid, Step(ts_ns, less=float(given / instruments[conid].multiplier))
        case _:
            return None


def named(action: Action) -> str:
    """What an action's row in the journal is named by: its instrument, or nothing."""
    return str(action.conid) if isinstance(action, OnHolders | DividendPaid) else ""
