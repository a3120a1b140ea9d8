"""What a ticket's `conidex` names: one contract with a destination, or the legs of a combo.

`265598@NASDAQ` routes a contract; `28812380;;;265598/1,8314/-1` is a combo: the spread conid of its currency, exactly
three semicolons, legs with whole signed ratios. The currency table is that of IBKR's text; EUR is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from engine.domain.instrument import Leg, SecType
from engine.gateway.records import Contract

SPREADS: Final = {
    61227077: "AUD",
    61227082: "CAD",
    61227087: "CHF",
    136000441: "CNH",
    58666491: "GBP",
    61227072: "HKD",
    136000444: "INR",
    61227069: "JPY",
    136000424: "KRW",
    136000449: "MXN",
    136000429: "SEK",
    426116555: "SGD",
    28812380: "USD",
}
_MOST_LEGS: Final = 6
_MOST_RATIO: Final = 1_000
_HEAD: Final = re.compile(r"([0-9]{1,10})(?:@([A-Z0-9.]{1,20}))?")
_LEG: Final = re.compile(r"([0-9]{1,10})/([+-]?[0-9]{1,6})")


class BadConidex(ValueError):
    """The text names nothing that can be traded; the message is one sentence."""


@frozen
class Named:
    """What was named: a conid and its destination, or the legs of a combo in `currency`."""

    conid: int
    exchange: str = ""
    legs: tuple[Leg, ...] = ()
    currency: str = ""


def read_conidex(text: str, contracts: Mapping[int, Contract]) -> Named:
    """Read a `conidex`; the legs of a combo must be listed contracts of its currency.

    Raises: BadConidex.
    """
    if ";" not in text:
        plain = _HEAD.fullmatch(text)
        if plain is None:
            raise BadConidex(f"conidex {text[:60]!r} is neither conid@EXCHANGE nor a combo")
        return Named(int(plain[1]), plain[2] or "")
    head, _, tail = text.partition(";;;")
    spread = _HEAD.fullmatch(head)
    if spread is None or ";" in tail or not tail:
        raise BadConidex("Invalid combo: conidex is spread_conid;;;leg_conid/ratio,leg_conid/ratio")
    currency = SPREADS.get(int(spread[1]))
    if currency is None:
        raise BadConidex(f"Invalid combo: {spread[1]} is the spread conid of no currency")
    if currency != "USD" and not spread[2]:
        raise BadConidex(f"Invalid combo: in {currency} the spread conid needs its @EXCHANGE")
    return Named(int(spread[1]), spread[2] or "", _legs(tail, currency, contracts), currency)


def _legs(text: str, currency: str, contracts: Mapping[int, Contract]) -> tuple[Leg, ...]:
    legs: list[Leg] = []
    for part in text.split(",")[: _MOST_LEGS + 1]:
        found = _LEG.fullmatch(part)
        if found is None or not 0 < abs(int(found[2])) <= _MOST_RATIO:
            raise BadConidex(f"Invalid combo: leg {part[:40]!r} is not leg_conid/ratio with a whole ratio")
        contract = contracts.get(int(found[1]))
        if contract is None:
            raise BadConidex(f"no sec defs returned forSecDef {found[1]}")
        if contract.instrument.sec_type is SecType.COMBO:
            raise BadConidex(f"Invalid combo: leg {found[1]} is a combo itself")
        if contract.instrument.currency != currency:
            raise BadConidex(f"Invalid combo: leg {found[1]} does not trade in {currency}")
        legs.append(Leg(int(found[1]), int(found[2])))
    if not 2 <= len(legs) <= _MOST_LEGS:
        raise BadConidex(f"Invalid combo: it has 2 to {_MOST_LEGS} legs")
    if len({leg.conid for leg in legs}) != len(legs):
        raise BadConidex("Invalid combo: a contract stands in two legs")
    return tuple(legs)
