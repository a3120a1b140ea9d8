"""How the account and each strategy stand with what they have lost, and what of it outlives a restart."""

from __future__ import annotations

from attrs import define, field
from msgspec import Struct

from engine.settings import Limits


class Standing(Struct, frozen=True, kw_only=True):
    """How an owner stands, as a restart takes it up. Money in base currency; `pnl`, `day_pnl` and `peak` are worth less
    the deposit: now, when the day began, and at its highest. `day_realised` is net of fees, at the day's begin.
    `streak` counts losses in a row since it last led to reduce-only, `losses` all of them.
    """

    day: int
    pnl: float
    day_pnl: float
    day_realised: float
    peak: float
    realised: float
    fees: float
    streak: int = 0
    losses: int = 0
    fired: tuple[str, ...] = ()


@define(eq=False)
class Owner:
    """The account, or one strategy: its limits and how it stands. Money in base currency."""

    name: str
    limits: Limits
    worth: float
    peak: float
    fixed: float  # all but what positions are worth
    held: tuple[tuple[int, float], ...] = ()  # conid and money per price of 1, lowest conid first
    realised: float = 0.0
    fees: float = 0.0
    dividends: float = 0.0
    day: int = -1
    day_worth: float = 0.0
    day_realised: float = 0.0
    streak: int = 0
    losses: int = 0  # in a row; the streak begins anew once it has led to reduce-only
    pause_ns: int = -1  # a jump makes losses wait until then
    fired: set[str] = field(factory=set)
    waits: bool = False  # when last followed, a pause or an unknown price held its latches back
    unmarked: bool = False  # found with a history that nobody has told: the day begins with its first worth
    told: Standing | None = None  # as the journal has it
    told_ns: int = 0
