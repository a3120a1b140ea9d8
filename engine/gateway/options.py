"""How a gateway behaves: the command line's options and the file behind `--config`, with defaults that need neither."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network
from math import inf, isfinite
from typing import Any, Literal
from zoneinfo import ZoneInfo

from attrs import Attribute, field, frozen

from engine.settings import VenueSettings

Check = Callable[[Any, "Attribute[Any]", Any], None]


def _within(least: float, most: float = inf, *, above: bool = False) -> Check:
    """A check that a number lies in bounds; `above`: and is not the least itself."""

    def check(_: Any, attribute: Attribute[Any], value: Any) -> None:
        if isfinite(value) and least <= value <= most and not (above and value == least):
            return
        bounds = f"above {least:g}" if above else f"at least {least:g}"
        raise ValueError(
            f"{attribute.name} must be {bounds}{'' if most == inf else f', at most {most:g}'}, not {value}"
        )

    return check


def _zone(_: Any, attribute: Attribute[Any], value: str) -> None:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{attribute.name} must be a time zone such as Europe/Zurich, not {value!r}") from None


def _networks(_: Any, attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    for text in value:
        try:
            ip_network(text)
        except ValueError:
            raise ValueError(f"{attribute.name} lists networks such as 192.168.1.0/24, not {text!r}") from None


@frozen(kw_only=True)
class Questions:
    """When an order raises a question. Ids are those of section 6; thresholds as the official samples have them."""

    price_percent: Decimal = Decimal(3)  # o163: a limit further than this from the market
    size_limit: Decimal = Decimal(500)  # o383
    value_limit: Decimal = Decimal(100_000)  # o451, in the order's currency
    no_data: bool = True  # o354: an instrument without data
    blind: float = field(default=0.0, validator=_within(0, 1))  # chance of o354 although there is data
    stop_triggers: bool = True  # o403: a stop that would trigger at once
    stop_risk: bool = True  # o10331 for stops and trails
    market_cap: bool = True  # o10153: a market order outside regular hours, a limit far away
    cap_percent: Decimal = Decimal(10)  # o10153: what counts as a limit far away
    market_risk: bool = False  # o10151
    stop_detail: bool = False  # o10152 for stops
    cross_side: bool = True  # o2137: an order that would turn a position over
    size_change_percent: Decimal = Decimal(100)  # o10138: a modification that changes the size by more
    prompt_percent: Decimal = Decimal(0)  # p12: a limit further than this is refused with a prompt; 0: never
    expiry_s: float = field(
        default=30.0, validator=_within(0, above=True)
    )  # an unanswered question is gone after this long
    late_live: float = field(
        default=0.0, validator=_within(0, 1)
    )  # chance that a reply ends in 503 and its order goes live later


@frozen(kw_only=True)
class SessionRules:
    """Lifetimes of the two tiers, in seconds of the gateway's clock."""

    idle_s: float = field(default=360.0, validator=_within(0, above=True))
    life_s: float = field(default=86_400.0, validator=_within(0, above=True))
    settle_s: float = field(
        default=4.0, validator=_within(0)
    )  # `no bridge` this long after an init of a session that was down
    reset_hour: int = field(default=1, validator=_within(-1, 23))  # nightly reset of the brokerage tier; -1: never
    reset_zone: str = field(default="America/New_York", validator=_zone)
    reset_s: float = field(default=60.0, validator=_within(0))
    person_s: float | None = 120.0  # a played person logs in again so long after a loss; below 0 or None: never
    stream_s: float = field(
        default=600.0, validator=_within(0, above=True)
    )  # an `smd` stream ends silently after this long


@frozen(kw_only=True)
class Pacing:
    """Budgets. `penalty_after` requests over budget within a minute put the client in the box; 0: never."""

    on: bool = True
    global_per_s: int = field(default=10, validator=_within(1))
    direct_per_s: int = field(default=50, validator=_within(1))  # without a gateway process in between (OAuth)
    penalty_after: int = field(default=0, validator=_within(0))
    penalty_s: float = field(default=600.0, validator=_within(0))


@frozen(kw_only=True)
class Streams:
    """How the websocket behaves. Times in seconds of the gateway's clock."""

    binary: bool = False  # frames with the binary opcode, as gateways have been seen to send
    conflation_s: float = field(default=0.5, validator=_within(0))  # at most one frame a conid in this time
    heartbeat_s: float = field(default=10.0, validator=_within(0, above=True))
    account_s: float = field(default=10.0, validator=_within(0, above=True))  # between frames of summary and ledger
    tics: int = field(default=1, validator=_within(1, 10))  # answers to one `tic`; gateways have been seen to give 4
    backlog: int = field(default=5_000, validator=_within(10))  # frames kept for a slow client, else it is cut off


@frozen(kw_only=True)
class HaltRule:
    """Trading in a share of the synthetic market stops `after_s` seconds from the first start, for `for_s` seconds."""

    symbol: str
    after_s: float = field(validator=_within(0))
    for_s: float = field(validator=_within(0, above=True))


@frozen(kw_only=True)
class Options:
    """All that a gateway is told at its start."""

    profile: Literal["observed", "documented"] = "observed"
    auth: Literal["gateway", "oauth1", "oauth2"] = "gateway"
    username: str = "simuser"
    accounts: int = field(default=1, validator=_within(1, 100))
    first_account: str = "DU1234567"
    cash: dict[str, Decimal] = field(factory=lambda: {"USD": Decimal(1_000_000)})
    base: str = "USD"
    speed: float = field(default=1.0, validator=_within(0, above=True))
    seed: int = 7
    questions: Questions = field(factory=Questions)
    session: SessionRules = field(factory=SessionRules)
    pacing: Pacing = field(factory=Pacing)
    streams: Streams = field(factory=Streams)
    # Networks that may call, with auth "gateway".
    allow: tuple[str, ...] = field(default=("127.0.0.0/8", "::1/128"), validator=_networks)
    margin_initial: Decimal = Decimal("0.5")
    margin_maintenance: Decimal = Decimal("0.25")
    commission_delay_s: float = field(default=2.0, validator=_within(0))  # how long after a fill its commission is told
    halts: tuple[HaltRule, ...] = ()
    venue: VenueSettings = field(factory=VenueSettings)  # as `[venue]` of a backtest: latency, fills, fees
    behind_the_curtain: bool = True  # the /sim endpoints

    @property
    def observed(self) -> bool:
        """Whether the gateway behaves as the wire does, not as the official samples."""
        return self.profile == "observed"
