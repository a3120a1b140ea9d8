"""The fill rules by name: what a simulated order needs to be filled. `docs/fills.md` gives the reasons."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import frozen

from engine.errors import ConfigError
from engine.settings import VenueSettings


class BarPrice(Enum):
    """Where a market order is filled when only bars are known."""

    OPEN = "open"  # of the next bar, if the order was there when it began
    CLOSE = "close"  # of the next bar
    KNOWN_CLOSE = "known close"  # of the bar that the order was decided on


@frozen(kw_only=True)
class FillRule:
    """One named rule.

    `arrival`: an order is matched against the quote in force when it arrives. `whole`: displayed sizes, queues and
    participation do not count, an order fills in one piece. `touching`: a resting order fills when its price is
    reached; else a bar has to trade through it, a trade too unless the queue ahead is used up. `prints`: trades fill
    resting orders where quotes are known as well.
    """

    name: str
    arrival: bool
    whole: bool
    touching: bool
    prints: bool
    bar: BarPrice


_RULES: Final = (
    FillRule(name="conservative", arrival=True, whole=False, touching=False, prints=True, bar=BarPrice.OPEN),
    FillRule(name="touch", arrival=True, whole=True, touching=True, prints=True, bar=BarPrice.OPEN),
    FillRule(name="same_event", arrival=True, whole=True, touching=True, prints=False, bar=BarPrice.KNOWN_CLOSE),
    FillRule(name="next_event", arrival=False, whole=True, touching=True, prints=False, bar=BarPrice.CLOSE),
    FillRule(name="next_open", arrival=False, whole=True, touching=True, prints=False, bar=BarPrice.OPEN),
)
RULES: Final[Mapping[str, FillRule]] = {rule.name: rule for rule in _RULES}
RESTING_PRICES: Final = ("limit", "touch")
STOP_TRIGGERS: Final = ("default", "last", "bid_ask")


def one_of(key: str, value: str, names: tuple[str, ...]) -> str:
    """Return `value` if it is one of `names`.

    Raises: ConfigError that names the key and the nearest right value.
    """
    if value in names:
        return value
    near = difflib.get_close_matches(value, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; it is one of {', '.join(names)}"
    raise ConfigError(f"{value!r} is no value of {key}{hint}", place=f"venue.{key}")


def fill_rule(name: str) -> FillRule:
    """Return the rule of a name.

    Raises: ConfigError if there is none.
    """
    return RULES[one_of("fills", name, tuple(RULES))]


def check_numbers(settings: VenueSettings) -> None:
    """Check the latencies and shares of `[venue]`.

    Raises: ConfigError that names the key.
    """
    latency, share = settings.latency_ms, settings.participation
    for name, ms in (
        ("place", latency.place),
        ("modify", latency.modify),
        ("cancel", latency.cancel),
        ("report", latency.report),
    ):
        if not 0 <= ms < 86_400_000:
            raise ConfigError(
                f"a latency is a number of milliseconds from 0 to a day, not {ms}", place=f"venue.latency_ms.{name}"
            )
    for name, part in (("quote", share.quote), ("trade", share.trade), ("bar", share.bar)):
        if not 0 < part <= 1:
            raise ConfigError(
                f"a participation lies above 0 and is at most 1, not {part}", place=f"venue.participation.{name}"
            )
