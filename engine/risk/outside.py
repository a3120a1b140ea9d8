"""What only a venue can say of an account and its instruments, as the checks read it. What is absent is unknown.

Whoever reads it from the venue writes it here; a backtest has none of it, and then the checks that need it don't ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from attrs import Attribute, define, field, setters
from msgspec import Struct

REAL_TIME: Final = "R"  # first letter of field 6509; D delayed, Z frozen, Y frozen and delayed, N not subscribed


class Summary(Struct, frozen=True, kw_only=True):
    """The account summary, in base currency but for the cash by currency; None where the venue did not say."""

    ts_ns: int
    net_liquidation: Decimal | None = None
    excess_liquidity: Decimal | None = None
    buying_power: Decimal | None = None
    settled_cash: Decimal | None = None
    cash: dict[str, Decimal] | None = None
    cash_account: bool | None = None  # no margin: what is bought must be paid
    day_trades_left: int | None = None


class Borrow(Struct, frozen=True):
    """Shares that can be borrowed now, and the fee in percent a year (fields 7636 and 7637)."""

    shares: Decimal
    fee_pct: Decimal | None = None


class Contract(Struct, frozen=True, kw_only=True):
    """Facts of one contract that limits speak of.

    `right` is "C" or "P"; `expires_ns` the last moment of trading, `notice_ns` a future's first notice; `underlying`
    its conid; `delta` and `vega` are per unit at multiplier 1.
    """

    right: str | None = None
    expires_ns: int | None = None
    notice_ns: int | None = None
    underlying: int | None = None
    ex_dividend_ns: int | None = None
    delta: Decimal | None = None
    vega: Decimal | None = None
    order_types: frozenset[str] | None = None
    tifs: frozenset[str] | None = None


def _heard(instance: Outside, attribute: Attribute[Any], value: Any) -> Any:
    """Something is set; if that is news, what was worked out of all before counts no more."""
    if attribute.name != "summary" and getattr(instance, attribute.name) != value:
        instance.version += 1
    return value


def _fixed(told: Mapping[int, Any]) -> Mapping[int, Any]:
    return MappingProxyType(dict(told))


@define(eq=False, on_setattr=[setters.convert, _heard])
class Outside:
    """What the venue says, the newest of each. What is told by conid is replaced as a whole, so that `version` rises.
    It does not with the account summary, which is told so often that whoever depends on it looks whether it is another.

    `down` says why no order can be taken (not primed, disconnected), empty if nothing stands in the way; `away` which
    known window of maintenance it is, in which nothing but what lowers risk is sent; `account` is the id the session
    trades, `availability` field 6509 by conid, `what_if` the change of initial margin that a preview told, by coid.
    """

    account: str | None = None
    strategies: frozenset[str] | None = None
    down: str = "the session is not primed"
    away: str = ""
    availability: Mapping[int, str] = field(factory=dict, converter=_fixed)
    borrow: dict[int, Borrow] = field(factory=dict)
    contracts: Mapping[int, Contract] = field(factory=dict, converter=_fixed)
    summary: Summary | None = None
    what_if: dict[str, Decimal] = field(factory=dict)
    version: int = field(default=0, init=False, on_setattr=setters.NO_OP)
