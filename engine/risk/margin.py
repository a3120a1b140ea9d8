"""Margin by simple documented tiers, for accounts whose venue does not say: a backtest's. Off unless asked for.

What positions and open orders would bind at their worst case is added up over the account, instrument by instrument,
and may not exceed net worth less the cushion. An order that binds nothing more passes, whatever is bound already.

Sources: Regulation T, 12 CFR 220.12 (half of a share, long or short); FINRA rule 4210(c) (least margin of a cheap
short share); 4210(g) and OCC's TIMS (a move of 15 % for a share under portfolio margin). Futures and currency pairs
bind a part of what they stand for, as a rule of thumb: exchanges set the real figures by product.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Final

from attrs import frozen

from engine.domain.instrument import SecType
from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket, Side
from engine.risk.account import Account
from engine.risk.catalogue import Kind, Row
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import Bounds
from engine.risk.numbers import BLUR
from engine.risk.stakes import Stake, stakes
from engine.risk.sums import adds

OFF: Final = "none"
_ZERO: Final = Decimal(0)


@frozen
class Tiers:
    """The part of the money at stake that each kind binds: (long, short), None where it may not be short.

    `short_floors`: a short share binds at least its price or the first amount below the price of 5, and the second
    amount from there on (in the share's currency).
    """

    parts: Mapping[SecType, tuple[float, float | None]]
    short_floors: tuple[float, float] | None = None

    def bound(self, kind: SecType, stake: Stake) -> float | None:
        """Money that an instrument binds, long or short, whichever is more; None if it may get short where it may not.

        An order on one side may fill and none on the other: both ways count.
        """
        long, short = self.parts.get(kind, (1.0, None))
        bound = max(stake.side(Side.BUY), 0.0) * long
        if stake.down <= _ZERO:
            return bound
        if short is None:
            return None
        if kind is SecType.STOCK and self.short_floors is not None and stake.market > 0.0:
            cheap, dear = self.short_floors
            price = stake.market
            short = max(short, max(cheap / price, 1.0) if price < 5.0 else dear / price)
        return max(bound, stake.side(Side.SELL) * short)


_PAIRS_AND_FUTURES: Final = {SecType.FUTURE: (0.05, 0.05), SecType.CASH: (0.03, 0.03)}
# Options that are short would need their underlying's price, which an instrument does not name: refused.
TIERS: Final[Mapping[str, Tiers]] = {
    "cash": Tiers({SecType.STOCK: (1.0, None), SecType.OPTION: (1.0, None), SecType.CASH: (1.0, 1.0)}),
    "reg-t": Tiers({SecType.STOCK: (0.5, 0.5), **_PAIRS_AND_FUTURES}, short_floors=(2.5, 5.0)),
    "portfolio": Tiers({SecType.STOCK: (0.15, 0.15), **_PAIRS_AND_FUTURES}),
}
NAMES: Final = (OFF, *TIERS)


def margin_row(name: str) -> Row:
    """The row that a gate is given to hold an account to the tiers of this name."""
    check = partial(_room, TIERS[name], name)
    sentence = f"initial margin by the {name} tiers stays within net worth"
    return Row(code="MARGIN_TIERS", name="margin tiers", kind=Kind.GATE, sentence=sentence, checks=(check,),
               codes=("MARGIN",), source=f"books.margin = {name}")  # fmt: skip


def required(account: Account, found: Mapping[int, Stake], tiers: Tiers) -> float | str:
    """Money that stakes bind in all, in base currency; the symbol of an instrument that may not be held so."""
    total = 0.0
    for conid in sorted(found):
        instrument = account.instruments[conid]
        bound = tiers.bound(instrument.sec_type, found[conid])
        if bound is None:
            return instrument.symbol
        total += bound
    return total


def _more(kind: SecType, after: Stake | None, before: Stake | None, tiers: Tiers) -> bool:
    """Whether an instrument binds more than before, or gets deeper into what is not allowed."""
    if after is None or before is None:
        return after is not None
    now, was = tiers.bound(kind, after), tiers.bound(kind, before)
    if now is None or was is None:
        return now is None and after.down > before.down
    return now > was


def _room(
    tiers: Tiers, name: str, ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds
) -> Refusal | None:
    account, view = exposure.account, market.view
    assert account is not None
    more = exposure.more(ticket)
    if more <= _ZERO or view is None or exposure.reduces(ticket):
        return None
    mine = adds(ticket, exposure, market, more)
    after, before = stakes(account, view, mine, None), stakes(account, view, {}, None)
    if isinstance(after, int) or isinstance(before, int) or account.equity is None:
        return Refusal(
            "MARGIN", name, "unknown", "a price, a rate or the net worth is not known: margin can't be worked out"
        )
    kinds = {of: account.instruments[of].sec_type for of in mine}
    if not any(_more(kinds[of], after.get(of), before.get(of), tiers) for of in mine):
        return None
    need = required(account, after, tiers)
    if isinstance(need, str):
        sentence = f"a short position in {need} is not allowed by the {name} tiers"
        return Refusal("MARGIN", name, "short", sentence)
    cushion = bounds.tightest.margin_cushion_pct
    room = account.equity * (1.0 - (0.0 if cushion is None else float(cushion) / 100.0))
    if need <= room + abs(room) * BLUR:
        return None
    sentence = f"initial margin could reach {need:.2f} by the {name} tiers, above {room:.2f}"
    return Refusal("MARGIN", f"{room:.2f}", f"{need:.2f}", sentence)
