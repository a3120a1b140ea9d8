"""Combos as the Web API writes them: `{spread conid}[@EXCHANGE];;;{leg conid}/{ratio},...`, a buy's ratio positive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from engine.domain.instrument import Instrument, Leg

# The spread conid of each currency. Source: IBKR, Web API documentation, "Orders for Combos/Spreads".
SPREADS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "AUD": 61227077,
        "CAD": 61227082,
        "CHF": 61227087,
        "CNH": 136000441,
        "GBP": 58666491,
        "HKD": 61227072,
        "INR": 136000444,
        "JPY": 61227069,
        "KRW": 136000424,
        "MXN": 136000449,
        "SEK": 136000429,
        "SGD": 426116555,
        "USD": 28812380,
    }
)
_WRITTEN: Final = re.compile(r"([0-9]{1,18})(?:@([A-Z0-9.]{1,24}))?;;;([0-9/+,-]{3,400})")
_LEG: Final = re.compile(r"([0-9]{1,18})/([+-]?[0-9]{1,9})")


class NoCombo(ValueError):
    """An instrument that can't be written as a combo; the text is one sentence."""


@frozen
class Combo:
    """A combo's composition: the spread conid, the exchange ("" for none) and its legs in order."""

    spread: int
    exchange: str
    legs: tuple[Leg, ...]


def conidex(instrument: Instrument) -> str:
    """Write a combo. USD takes the bare spread conid, other currencies `conid@exchange`.

    Raises: NoCombo if it has no legs or its currency has no spread conid.
    """
    if not instrument.legs:
        raise NoCombo(f"{instrument.symbol} has no legs")
    spread = SPREADS.get(instrument.currency)
    if spread is None:
        raise NoCombo(f"the Web API has no combos in {instrument.currency}, the currency of {instrument.symbol}")
    head = str(spread) if instrument.currency == "USD" else f"{spread}@{instrument.exchange}"
    return f"{head};;;" + ",".join(f"{leg.conid}/{leg.ratio}" for leg in instrument.legs)


def combo(written: str) -> Combo | None:
    """Read a combo; None if the text is none."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return None
    legs = []
    for part in found[3].split(","):
        leg = _LEG.fullmatch(part)
        if leg is None or int(leg[2]) == 0:
            return None
        legs.append(Leg(int(leg[1]), int(leg[2])))
    return Combo(int(found[1]), found[2] or "", tuple(legs))
