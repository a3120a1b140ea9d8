"""Money at stake over instruments, at the worst case: of the account and of each strategy.

An instrument counts its position and every open order of one side, at the dearer of the market's price and what was
reserved: by its own orders for a strategy, by all for the account. This works it out from nothing and has the last
word; `lines` keeps the same sums at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.domain.ticket import Side
from engine.domain.view import MarketView

if TYPE_CHECKING:
    from engine.risk.account import Account
    from engine.risk.exposure import Exposure
    from engine.risk.together import Group

    Joins = tuple[Group, Mapping[int, "Added"]] | None

_ZERO: Final = Decimal(0)
_BUY, _SELL = Side.BUY, Side.SELL
Added = tuple[Decimal, Decimal, float]  # units to buy, units to sell, the dearest price
_NOTHING: Final[Added] = (_ZERO, _ZERO, 0.0)


class Stake(Struct, frozen=True):
    """What is at stake in one instrument: how far its position may get up and down, in units, and what a unit costs.

    `dear` is the dearest price that counts, `market` the market's, `value` base currency per unit at price 1.
    """

    up: Decimal
    down: Decimal
    dear: float
    market: float
    value: float

    @property
    def worst(self) -> float:
        """Money of the larger of the two."""
        return float(max(self.up, self.down)) * self.dear * self.value

    def side(self, side: Side) -> float:
        """Money of one side; below zero where a position on the other side is left."""
        return _money(self.up if side is _BUY else self.down, self)


def _money(units: Decimal, stake: Stake) -> float:
    return float(units) * (stake.dear if units > _ZERO else stake.market) * stake.value


def stakes(
    account: Account, view: MarketView, adds: Mapping[int, Added], strategy: str | None
) -> dict[int, Stake] | int:
    """What is at stake by conid, once an order adds units.

    Args:
        adds: Units to buy, units to sell and the dearest price of the order, by conid.
        strategy: Whose; None for the account.

    Returns: The conid of an instrument instead, if its price or rate is not known.
    """
    found: dict[int, Stake] = {}
    for of, units_of_account in account.units.items():
        if account.instruments[of].legs:
            continue  # its legs are counted
        units = units_of_account
        if strategy is not None:
            exposure = account.exposures.get((strategy, of))
            if exposure is None:
                continue
            units = exposure.units[1]
        buys, sells, price = adds.get(of, _NOTHING)
        up = units.position + units.buys + buys
        down = units.sells - units.position + sells
        if not up and not down:
            continue
        known = view.price(of)
        value = account.values.get(of, nan)
        floor = account.instruments[of].price_floor
        if known is None or not floor < known[0] < inf or not isfinite(value):
            return of
        market = abs(known[0])
        dearest = max(market, price)
        if units.buys or units.sells:
            dearest = max(dearest, units.top)
        found[of] = Stake(up, down, dearest, market, value)
    return found


def shared(
    account: Account,
    found: Mapping[int, Stake],
    of: Iterable[int],
    strategy: str | None,
    side: Side | None = None,
    joins: Joins = None,
) -> float:
    """Money that surely does not count, of OCA groups over several instruments: of each but its largest order.

    What an order adds to its instrument depends on what else is open there; taken off is the least that it can be, so
    that the rest is never below the worst case.

    Args:
        of: The instruments of the sum.
        side: Of a sum of one side; None for sums of the larger side of each.
        joins: The group that the order in hand belongs to, and what it adds.
    """
    conids = [conid for conid in of if conid in found]
    mine = [group for group in account.groups if strategy in (None, group.strategy) and group.spans]
    if joins is not None and joins[0] not in mine and strategy in (None, joins[0].strategy):
        mine.append(joins[0])
    less = 0.0
    for group in mine:
        adds = [_least(found[conid], conid, group, mine, joins, side) for conid in conids]
        less += sum(adds) - max(adds, default=0.0)
    return less


def _least(stake: Stake, conid: int, group: Group, groups: Iterable[Group], joins: Joins, side: Side | None) -> float:
    """The least by which a group's orders in an instrument can lift its sum: where those of every other group die."""
    buys, sells = _counted(group, conid, joins)
    if not buys and not sells:
        return 0.0
    low, deep = stake.up, stake.down
    for one in groups:
        may_buy, may_sell = _counted(one, conid, joins)
        low -= may_buy
        deep -= may_sell
    if side is _BUY:
        return _money(low + buys, stake) - _money(low, stake)
    if side is _SELL:
        return _money(deep + sells, stake) - _money(deep, stake)
    up = max(low + buys, stake.down) - max(low, stake.down)
    down = max(deep + sells, stake.up) - max(deep, stake.up)
    return float(max(up, down, _ZERO)) * stake.dear * stake.value


def _counted(group: Group, conid: int, joins: Joins) -> tuple[Decimal, Decimal]:
    """Units to buy and to sell of a group in an instrument, with what the order in hand adds to it."""
    buys, sells = group.counted(conid, _BUY), group.counted(conid, _SELL)
    if joins is None or joins[0] is not group:
        return buys, sells
    more = joins[1].get(conid, _NOTHING)
    return buys + more[0], sells + more[1]


def reserve(exposure: Exposure, price: float) -> None:
    """An order of this price is open from now on; what its strategy, or the account, had reserved before counts until
    nothing of theirs is open.
    """
    dearer = False
    for units in exposure.units:
        if price > units.top or not (units.buys or units.sells):
            units.top = price
            dearer = True
    if dearer:
        for lines in exposure.lines:
            lines.touch(exposure.instrument.conid)
    for _, leg in exposure.legs:
        reserve(leg, 0.0)  # they count at the market's price, and what was reserved for orders of old not at all
