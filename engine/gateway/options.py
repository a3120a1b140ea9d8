"""How a gateway behaves: the command line's options and the file behind `--config`, with defaults that need neither."""

from __future__ import annotations

from decimal import Decimal

from attrs import field, frozen


@frozen(kw_only=True)
class Questions:
    """When an order raises a question. Ids are those of section 6; thresholds as the official samples have them."""

    price_percent: Decimal = Decimal(3)  # o163: a limit further than this from the market
    size_limit: Decimal = Decimal(500)  # o383
    value_limit: Decimal = Decimal(100_000)  # o451, in the order's currency
    no_data: bool = True  # o354: an instrument without data
    stop_triggers: bool = True  # o403: a stop that would trigger at once
    stop_risk: bool = True  # o10331 for stops and trails
    market_cap: bool = True  # o10153: a market order outside regular hours, a limit far away
    cap_percent: Decimal = Decimal(10)  # o10153: what counts as a limit far away
    market_risk: bool = False  # o10151
    stop_detail: bool = False  # o10152 for stops
    cross_side: bool = True  # o2137: an order that would turn a position over
    size_change_percent: Decimal = Decimal(100)  # o10138: a modification that changes the size by more
    prompt_percent: Decimal = Decimal(0)  # p12: a limit further than this is refused with a prompt; 0: never
    expiry_s: float = 30.0  # an unanswered question is gone after this long
    late_live: float = 0.0  # chance that a reply ends in 503 and its order goes live later


@frozen(kw_only=True)
class SessionRules:
    """Lifetimes of the two tiers, in seconds of the gateway's clock."""

    idle_s: float = 360.0
    life_s: float = 86_400.0
    settle_s: float = 4.0  # `no bridge` this long after an init of a session that was down
    reset_hour: int = 1  # nightly reset of the brokerage tier, local hour of `reset_zone`; -1: never
    reset_zone: str = "America/New_York"
    reset_s: float = 60.0
    person_s: float | None = 120.0  # a played person logs in again so long after a loss; None: never
    stream_s: float = 600.0  # an `smd` stream ends silently after this long


@frozen(kw_only=True)
class Pacing:
    """Budgets. `penalty_after` requests over budget within a minute put the client in the box; 0: never."""

    on: bool = True
    global_per_s: int = 10
    direct_per_s: int = 50  # without a gateway process in between (OAuth)
    penalty_after: int = 0
    penalty_s: float = 600.0


@frozen(kw_only=True)
class Streams:
    """How the websocket behaves. Times in seconds of the gateway's clock."""

    binary: bool = False  # frames with the binary opcode, as gateways have been seen to send
    conflation_s: float = 0.5  # at most one frame a conid in this time
    heartbeat_s: float = 10.0
    account_s: float = 10.0  # between frames of summary and ledger
    tics: int = 1  # answers to one `tic`; gateways have been seen to give 4
    backlog: int = 5_000  # frames kept for a slow client; one more and its connection is closed


@frozen(kw_only=True)
class Options:
    """All that a gateway is told at its start."""

    profile: str = "observed"  # or "documented"
    auth: str = "gateway"  # or "oauth1", "oauth2"
    username: str = "simuser"
    accounts: int = 1
    first_account: str = "DU1234567"
    cash: dict[str, Decimal] = field(factory=lambda: {"USD": Decimal(1_000_000)})
    base: str = "USD"
    speed: float = 1.0
    seed: int = 7
    questions: Questions = field(factory=Questions)
    session: SessionRules = field(factory=SessionRules)
    pacing: Pacing = field(factory=Pacing)
    streams: Streams = field(factory=Streams)
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")  # networks that may call, with auth "gateway"
    margin_initial: Decimal = Decimal("0.5")
    margin_maintenance: Decimal = Decimal("0.25")
    commission_delay_s: float = 2.0  # how long after a fill its commission is told
    behind_the_curtain: bool = True  # the /sim endpoints
    sim_faults: dict[str, object] | None = None

    @property
    def observed(self) -> bool:
        """Whether the gateway behaves as the wire does, not as the official samples."""
        return self.profile == "observed"
