"""Commissions and fees by dated tables, exact in `Decimal`.

A schedule is a set of dated tables, a table has a section for each kind of instrument. `engine.venue.schedules` reads
them from files; here they are values and arithmetic. Rounding: each line's total over an order is rounded half up to a
hundredth of a cent, and a fill is charged what its line has grown by: so partial fills sum to the whole order's fee.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from attrs import define, field, frozen

from engine.domain.facts import LegExecution
from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_S
from engine.errors import ConfigError
from engine.venue.working import WorkingOrder

PLACES: Final = Decimal("0.0001")
ZERO: Final = Decimal(0)
_INFINITE: Final = Decimal("Infinity")
Line = tuple[str, Decimal, str]


@frozen(kw_only=True)
class Tier:
    """Up to a volume in the month (units or value), this rate; `minimum` per order overrides the section's.

    `by_premium` are (premium from which on, rate), lowest first, where the rate depends on an option's price.
    """

    upto: Decimal = _INFINITE
    rate: Decimal = ZERO
    minimum: Decimal | None = None
    by_premium: tuple[tuple[Decimal, Decimal], ...] = ()

    def rate_at(self, price: Decimal) -> Decimal:
        """Rate for a unit at a price."""
        found = self.rate
        for least, rate in self.by_premium:
            if price < least:
                break
            found = rate
        return found


@frozen(kw_only=True)
class Extra:
    """A line beside the commission: per unit, of the value, and of the commission, added up.

    `sells_only` as the SEC fee is; `maximum` caps it per execution, `maximum_share` at a part of the value.
    """

    name: str
    per_unit: Decimal = ZERO
    of_value: Decimal = ZERO
    of_commission: Decimal = ZERO
    sells_only: bool = False
    maximum: Decimal | None = None
    maximum_share: Decimal | None = None


@frozen(kw_only=True)
class Section:
    """What one kind of instrument is charged. `symbols` narrows a section to some (micro futures); none means any.

    `of_value`: rates and tiers count value, not units. `minimum` per order; `maximum_share` caps the commission at a
    part of the order's value, below the minimum too. `minimum_fraction` is the minimum where less than one unit trades.
    """

    currency: str
    symbols: frozenset[str] = frozenset()
    of_value: bool = False
    tiers: tuple[Tier, ...] = (Tier(),)
    minimum: Decimal = ZERO
    minimum_fraction: Decimal | None = None
    maximum_share: Decimal | None = None
    extras: tuple[Extra, ...] = ()


@frozen(kw_only=True)
class Table:
    """The sections in force from a day on, by security type, the narrower first."""

    valid_from: date
    sections: Mapping[SecType, tuple[Section, ...]]

    def section(self, instrument: Instrument) -> Section | None:
        """The section an instrument is charged by."""
        for section in self.sections.get(instrument.sec_type, ()):
            if section.symbols and instrument.symbol not in section.symbols:
                continue
            # Spot FX is charged in the schedule's own currency, whatever the pair.
            if section.currency == instrument.currency or instrument.sec_type is SecType.CASH:
                return section
        return None


@frozen(kw_only=True)
class FeeSchedule:
    """Dated tables, oldest first; without any, nothing is charged. The oldest serves for the days before it too."""

    name: str
    source: str = ""
    tables: tuple[Table, ...] = ()

    @classmethod
    def none(cls) -> FeeSchedule:
        """No fees at all."""
        return cls(name="none")

    def table_at(self, ts_ns: int) -> Table:
        """The table in force at a time (days are UTC)."""
        found = self.tables[0]
        if len(self.tables) > 1:
            day = datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).date()
            for table in self.tables[1:]:
                if table.valid_from <= day:
                    found = table
        return found

    def check(self, instruments: Mapping[int, Instrument]) -> None:
        """Make sure that every instrument can be charged.

        Raises: ConfigError that names the first one without a section.
        """
        for table in self.tables:
            for instrument in instruments.values():
                if instrument.sec_type is not SecType.COMBO and table.section(instrument) is None:
                    raise ConfigError(
                        f"the fee schedule {self.name} has nothing for {instrument.symbol} "
                        f'({instrument.sec_type} in {instrument.currency}); use another schedule or "none"',
                        place="venue.fees",
                    )


@define(eq=False)
class Tab:
    """What an order (of a combo: one leg of it) has run up since its minimum last began."""

    commission: Decimal = ZERO
    value: Decimal = ZERO
    units: Decimal = ZERO
    lines: dict[str, tuple[Decimal, Decimal]] = field(factory=dict)  # exact so far, charged so far


class FeeLedger:
    """What a run has traded this month, and what each order has been charged."""

    def __init__(self, schedule: FeeSchedule, instruments: Mapping[int, Instrument]) -> None:
        schedule.check(instruments)
        self._schedule = schedule
        self._instruments = instruments
        self._month = -1
        self._volume: dict[tuple[SecType, str], Decimal] = {}

    def charge(
        self,
        order: WorkingOrder,
        quantity: Decimal,
        price: Decimal,
        legs: tuple[LegExecution, ...],
        ts_ns: int,
    ) -> tuple[Line, ...]:
        """Fee lines of one execution; a rebate is below zero, a line that has not grown is left out."""
        table = self._table_now(ts_ns)
        if order.tabs is None:
            order.tabs = {}
        tabs = order.tabs
        if not legs:
            instrument = order.book.instrument
            tab = tabs.setdefault(instrument.conid, Tab())
            return self._lines(table, tab, instrument, quantity, price, sells=not order.buy)
        lines: list[Line] = []
        for leg in legs:
            instrument = self._instruments[leg.conid]
            tab = tabs.setdefault(leg.conid, Tab())
            lines += self._lines(table, tab, instrument, abs(leg.quantity), leg.price, sells=leg.quantity < 0)
        return tuple(lines)

    def one(
        self, tab: Tab, instrument: Instrument, quantity: Decimal, price: Decimal, ts_ns: int, *, sells: bool
    ) -> tuple[Line, ...]:
        """Fee lines of one execution on a tab that the caller keeps."""
        return self._lines(self._table_now(ts_ns), tab, instrument, quantity, price, sells=sells)

    def _table_now(self, ts_ns: int) -> Table:
        """The table in force; volumes begin anew with each month."""
        moment = datetime.fromtimestamp(ts_ns // NS_PER_S, UTC)
        month = moment.year * 12 + moment.month
        if month != self._month:
            self._month = month
            self._volume.clear()
        return self._schedule.table_at(ts_ns)

    def preview(self, instrument: Instrument, quantity: Decimal, price: Decimal, ts_ns: int, *, sells: bool) -> Decimal:
        """What an order executed in one piece would be charged in all, whatever the currency; nothing is booked."""
        volume = dict(self._volume)
        table = self._schedule.table_at(ts_ns)
        lines = self._lines(table, Tab(), instrument, quantity, price, sells=sells)
        self._volume = volume
        return sum((amount for _, amount, _ in lines), ZERO)

    def _lines(
        self, table: Table, tab: Tab, instrument: Instrument, quantity: Decimal, price: Decimal, *, sells: bool
    ) -> tuple[Line, ...]:
        section = table.section(instrument)
        assert section is not None  # checked when the ledger was opened
        value = _value(instrument, section, quantity, price)
        key = (instrument.sec_type, ",".join(sorted(section.symbols)))
        before = self._volume.get(key, ZERO)
        amount = value if section.of_value else quantity
        self._volume[key] = before + amount
        raw, minimum = _tiered(section, before, amount, price)
        tab.commission += raw
        tab.value += value
        tab.units += quantity
        if minimum is None:
            minimum = section.minimum
        if section.minimum_fraction is not None and tab.units < 1:
            minimum = section.minimum_fraction
        commission = max(tab.commission, minimum)
        if section.maximum_share is not None:
            commission = min(commission, tab.value * section.maximum_share)
        old = tab.lines.get("commission", (ZERO, ZERO))[0]
        commission = max(commission, old)  # a tier with a lower minimum gives nothing back
        lines = [_grow(tab, "commission", commission - old, section.currency)]
        for extra in section.extras:
            if extra.sells_only and not sells:
                continue
            fee = extra.per_unit * quantity + extra.of_value * value + extra.of_commission * (commission - old)
            if extra.maximum is not None:
                fee = min(fee, extra.maximum)
            if extra.maximum_share is not None:
                fee = min(fee, extra.maximum_share * value)
            lines.append(_grow(tab, extra.name, fee, section.currency))
        return tuple(line for line in lines if line[1])


def _grow(tab: Tab, name: str, more: Decimal, currency: str) -> Line:
    exact, charged = tab.lines.get(name, (ZERO, ZERO))
    exact += more
    due = exact.quantize(PLACES, ROUND_HALF_UP)
    tab.lines[name] = (exact, due)
    return name, due - charged, currency


def _value(instrument: Instrument, section: Section, quantity: Decimal, price: Decimal) -> Decimal:
    """Value of a trade in the section's currency, as far as it can be known without other prices."""
    base = instrument.symbol[:3]
    if instrument.sec_type is SecType.CASH and instrument.currency != section.currency and base == section.currency:
        return quantity  # of USD.JPY the quantity is the dollars
    return abs(price) * quantity * instrument.multiplier


def _tiered(section: Section, before: Decimal, amount: Decimal, price: Decimal) -> tuple[Decimal, Decimal | None]:
    """Commission on an amount on top of the month's volume, each tier's part at its rate; and the minimum."""
    total = ZERO
    minimum = None
    at, end = before, before + amount
    for tier in section.tiers:
        if at >= tier.upto:
            continue
        part = min(end, tier.upto) - at
        total += part * tier.rate_at(price)
        minimum = tier.minimum
        at += part
        if at >= end:
            break
    return total, minimum
