"""Money at stake kept at hand, in floats: for looking at, never for the last word, which `stakes` has.

Sums over instruments are kept from one order to the next. One more order costs a look at the price of each instrument
that something is at stake in, because it may have moved, and its own worked out anew, however many orders are open.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from typing import TYPE_CHECKING, Final

from attrs import define, field

from engine.domain.view import MarketView
from engine.risk.meter import Meter, Span
from engine.risk.numbers import number
from engine.settings import Limits

if TYPE_CHECKING:
    from engine.risk.account import Account
    from engine.risk.exposure import Units

Guard = tuple[int, float, float]  # an instrument, and the prices between which something holds
# Sums that are added to and taken from drift by the last digit of the largest they have been; worked out anew after so
# many changes, they are off by less than this part of it. A sum of what cancels out is off by no more either.
_CHANGES: Final = 500
BLUR: Final = 1e-12
_LOST: Final = 1e-9  # of gross: more than is lost where it cancels out
_WIDTH: Final = 1.0 / 64.0  # how far prices may go before what others come to at most is worked out anew
_NEARLY: Final = 15
_HAIR: Final = 1.0 - 1e-6  # limits are drawn in by more than that, where gross is not above `trusted`


@define(eq=False)
class Sum:
    """Money of one sector or currency."""

    money: float = 0.0


@define(eq=False)
class Others:
    """What all but the hot instrument come to at most, while each price stays within its guard."""

    guards: tuple[Guard, ...]
    gross: float
    long: float
    short: float
    sector: float  # those of the hot one
    currency: float


@define(eq=False)
class Line:
    """One instrument: how far its position may get up and down, in units, and its part of the sums.

    `price` is the market's that `money` (of the larger side), `long` and `short` were worked out at; NaN: not yet.
    """

    units: Units
    conid: int
    sector: Sum
    currency: Sum
    value: float
    floor: float
    up: float = 0.0
    down: float = 0.0
    is_open: bool = False
    price: float = nan
    money: float = 0.0
    long: float = 0.0
    short: float = 0.0


@define(eq=False)
class Lines:
    """What is at stake for the account (`strategy` None) or for one strategy, and the limits on it.

    The instrument that was asked about last is `hot` and stands in no sum: whoever asks about it once more, and mostly
    it is the same, has its units anew. Of all others, `touched` are those whose units or dearest price have changed.
    """

    account: Account
    strategy: str | None
    gross_max: float = inf
    net_max: float = inf
    sector_max: float = inf
    currency_max: float = inf
    leverage_max: float = inf  # times what the account is worth
    peak: float = 0.0  # the largest that gross has been since all was worked out anew
    trusted: float = inf
    hot: int | None = None
    touched: set[int] = field(factory=set)
    _own: Line | None = None  # of the hot one
    _known: dict[int, Line] = field(factory=dict)
    _counted: dict[int, Line] = field(factory=dict)  # what is in the sums
    _gross: float = 0.0
    _long: float = 0.0
    _short: float = 0.0
    _sectors: dict[str | None, Sum] = field(factory=dict)
    _currencies: dict[str, Sum] = field(factory=dict)
    _changes: int = 0
    _others: Others | None = None
    _nearly: int = 0  # so many times `leaves` does not ask `surely`, which could not say

    def surely(self, view: MarketView, conid: int, market: float, dear: float, more: float, buy: bool) -> bool:
        """Whether an order leaves each sum within its limit, even at the dearest prices of a span.

        It asks for no more of the other instruments than whether they are within their spans. `account.settle` was
        called; arguments are those of `most`, which can say more.
        """
        if (self.touched or self.hot != conid) and not self._settle(conid):
            return False
        own, others = self._own, self._others
        if own is None:
            return False
        if others is not None:
            price_of = view.price
            for of, low, high in others.guards:
                known = price_of(of)
                if known is None or not low <= known[0] <= high:
                    others = None
                    break
        if others is None:
            others = self._others = self._bind(view, own)
            if others is None:
                return False
        units, value = own.units, own.value
        if units.buys or units.sells:
            top = units.top
            if top > dear:
                dear = top
        up, down = number(units.position + units.buys), number(units.sells - units.position)
        if buy:
            up += more
        else:
            down += more
        money = (up if up > down else down) * dear * value
        gross = others.gross + money
        if not (
            gross <= self.gross_max
            and gross <= self.trusted
            and others.long + up * (dear if up > 0.0 else market) * value <= self.net_max
            and others.short + down * (dear if down > 0.0 else market) * value <= self.net_max
            and others.sector + money <= self.sector_max
            and others.currency + money <= self.currency_max
        ):
            return False
        worth = self.account.equity
        return self.leverage_max == inf or (worth is not None and gross <= worth * self.leverage_max)

    def leaves(self, view: MarketView, conid: int, market: float, dear: float, more: float, buy: bool) -> bool:
        """Whether an order surely leaves each sum within its limit: `surely`, or else with what each stands at now.

        `account.settle` was called; arguments are those of `most`.
        """
        if self._nearly:
            self._nearly -= 1
        elif self.surely(view, conid, market, dear, more, buy):
            return True
        else:
            self._nearly = _NEARLY
        found = self.most(view, conid, market, dear, more, buy)
        if found is None:
            return False
        gross, long, short, sector, currency = found
        if not (
            gross <= self.gross_max
            and long <= self.net_max
            and short <= self.net_max
            and sector <= self.sector_max
            and currency <= self.currency_max
        ):
            return False
        if self.leverage_max == inf:
            return True
        worth = self.account.equity
        return worth is not None and gross + (gross + self.peak) * BLUR <= worth * self.leverage_max

    def _bind(self, view: MarketView, own: Line) -> Others | None:
        """What the others come to around now; None where a price is not known or not above zero."""
        guards: list[Guard] = []
        gross = long = short = sector = currency = 0.0
        for line in self._counted.values():
            known = view.price(line.conid)
            if known is None or not 0.0 < known[0] < inf:
                return None
            low, high = known[0] * (1.0 - _WIDTH), known[0] * (1.0 + _WIDTH)
            guards.append((line.conid, low, high))
            dear, up, down, value = high, line.up, line.down, line.value
            if line.is_open and line.units.top > high:
                dear = line.units.top
            money = (up if up > down else down) * dear * value
            gross += money
            long += up * (dear if up > 0.0 else low) * value
            short += down * (dear if down > 0.0 else low) * value
            if line.sector is own.sector:
                sector += money
            if line.currency is own.currency:
                currency += money
        return Others(tuple(guards), gross, long, short, sector, currency)

    def most(
        self, view: MarketView, conid: int, market: float, dear: float, more: float, buy: bool
    ) -> tuple[float, float, float, float, float] | None:
        """Gross, net of either side (long, short), the order's sector's and its currency's sum, at the worst case.

        On both sides open orders count at the order's price if that is dearer. All figures are right to 1e-12 of what
        gross has been; None where that is not enough, or a price or a rate is not known.

        Args:
            market: The market's price, without its sign.
            dear: The dearest of that and the order's.
            more: Units that the order adds to its side.
            buy: Its side.
        """
        self.account.settle()
        if (self.touched or self.hot != conid) and not self._settle(conid):
            return None
        price_of = view.price
        for line in self._counted.values():
            known = price_of(line.conid)
            if known is None or (known[0] != line.price and not self._reprice(line, known[0])):
                return None
        own = self._own
        if own is None:
            return None
        units, value = own.units, own.value
        if units.buys or units.sells:
            top = units.top
            if top > dear:
                dear = top
        up, down = number(units.position + units.buys), number(units.sells - units.position)
        if buy:
            up += more
        else:
            down += more
        money = (up if up > down else down) * dear * value
        if self.peak + money > self.trusted:
            return None
        long = self._long + up * (dear if up > 0.0 else market) * value
        short = self._short + down * (dear if down > 0.0 else market) * value
        return self._gross + money, long, short, own.sector.money + money, own.currency.money + money

    def left(
        self, view: MarketView, conid: int, meter: Meter, worth: float | None, spans: dict[int, Span]
    ) -> float | None:
        """Money that orders may add to any of the sums that an instrument counts in, at all prices of the spans.

        Args:
            worth: What the account is worth, where a limit is on times of that.
            spans: Those of the instruments that something is at stake in are added.

        Returns: None where it can't be told.
        """
        if (self.touched or self.hot != conid) and not self._settle(conid):
            return None
        own = self._own
        if own is None:
            return None
        gross = long = short = sector = currency = 0.0
        for line in (*self._counted.values(), own):
            units, known = line.units, view.price(line.conid)
            if known is None or not 0.0 < known[0] < inf:
                return None
            top = units.top if units.buys or units.sells else 0.0
            low, high = spans[line.conid] = meter.span(line.conid, known[0], top)
            up, down = number(units.position + units.buys), number(units.sells - units.position)
            money = max(up, down) * high * line.value
            if not money < inf:
                return None
            gross += money
            long += up * (high if up > 0.0 else low) * line.value
            short += down * (high if down > 0.0 else low) * line.value
            if line.sector is own.sector:
                sector += money
            if line.currency is own.currency:
                currency += money
        left = min(
            self.gross_max - gross, self.net_max - max(long, short), self.sector_max - sector,
            self.currency_max - currency,
        )  # fmt: skip
        if worth is not None:
            left = min(left, worth * self.leverage_max - gross)
        return left - gross * _LOST

    def limit(self, limits: Limits) -> None:
        """Take over the limits of a table."""
        self.gross_max, self.net_max = _drawn_in(limits.gross_max), _drawn_in(limits.net_max)
        self.sector_max, self.currency_max = _drawn_in(limits.sector_max), _drawn_in(limits.currency_max)
        self.leverage_max = _drawn_in(limits.leverage_max)
        self.trusted = min(self.gross_max, self.net_max, self.sector_max, self.currency_max) * 5e5

    def touch(self, conid: int) -> None:
        """Units or dearest price of an instrument have changed."""
        if conid != self.hot:
            self.touched.add(conid)

    def forget(self) -> None:
        """Everything is looked at anew: sectors, rates or limits may have changed."""
        self._others = None
        self._known.clear()
        self._counted.clear()
        self._work_out()
        self.hot = self._own = None
        self.touched.update(self.account.units)

    def _settle(self, conid: int) -> bool:
        """Count what has changed, and leave out the instrument that is asked about; False if it can't be told."""
        self._others = None
        if self.hot != conid:
            if self.hot is not None:
                self.touched.add(self.hot)
            own = self._own = self._line(conid)
            self.hot = None if own is None else conid
            if own is None:
                return False
            self._leave(own)
        self.touched.discard(conid)
        for of in self.touched:
            line = self._line(of)
            if line is None:
                continue
            units = line.units
            line.up, line.down = number(units.position + units.buys), number(units.sells - units.position)
            line.is_open = bool(units.buys or units.sells)
            line.price = nan
            if line.up or line.down:
                self._counted[of] = line
            else:
                self._leave(line)
        self.touched.clear()
        return True

    def _reprice(self, line: Line, price: float) -> bool:
        """Count an instrument at another price; False if it, or a rate, is not known."""
        if not price > line.floor:
            return False
        market = dear = abs(price)
        if line.is_open and line.units.top > dear:
            dear = line.units.top
        up, down, value = line.up, line.down, line.value
        money = (up if up > down else down) * dear * value
        if not money < inf:
            return False
        long, short = up * (dear if up > 0.0 else market) * value, down * (dear if down > 0.0 else market) * value
        self._change(line, money, long, short)
        line.price = price
        return True

    def _leave(self, line: Line) -> None:
        """An instrument counts no more."""
        if self._counted.pop(line.conid, None) is not None:
            self._change(line, 0.0, 0.0, 0.0)

    def _change(self, line: Line, money: float, long: float, short: float) -> None:
        self._changes += 1
        more = money - line.money
        self._gross += more
        self._long += long - line.long
        self._short += short - line.short
        line.sector.money += more
        line.currency.money += more
        line.money, line.long, line.short = money, long, short
        if self._changes >= _CHANGES:
            self._work_out()
        if self._gross > self.peak:
            self.peak = self._gross

    def _work_out(self) -> None:
        """The sums anew."""
        self._changes, lines = 0, self._counted.values()
        self._gross = self.peak = sum(line.money for line in lines)
        self._long, self._short = sum(line.long for line in lines), sum(line.short for line in lines)
        for one in (*self._sectors.values(), *self._currencies.values()):
            one.money = 0.0
        for line in lines:
            line.sector.money += line.money
            line.currency.money += line.money

    def _line(self, conid: int) -> Line | None:
        known = self._known.get(conid)
        if known is not None:
            return known
        account = self.account
        instrument = account.instruments[conid]
        if instrument.legs:
            return None  # its legs are counted
        if self.strategy is None:
            units = account.units.get(conid)
        else:
            exposure = account.exposures.get((self.strategy, conid))
            units = None if exposure is None else exposure.units[1]
        if units is None:
            return None
        sector = self._sectors.setdefault(account.sectors.get(instrument.symbol), Sum())
        currency = self._currencies.setdefault(instrument.currency, Sum())
        found = self._known[conid] = Line(
            units, conid, sector, currency, account.values.get(conid, nan), instrument.price_floor
        )
        return found


def _drawn_in(most: Decimal | None) -> float:
    return inf if most is None else float(most) * _HAIR
