"""What the books of a run need beside its trades, put together from configuration, tables and recording."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from attrs import field, frozen

from engine.domain.actions import Action
from engine.domain.instrument import Instrument
from engine.errors import ConfigError
from engine.portfolio.days import conversions_due, interest_due, pair_of, pairs_due, rates_due
from engine.portfolio.financing import Financing
from engine.portfolio.tables import Rate, RateTable, load_financing, load_rates
from engine.recording.adjusting import actions_due
from engine.recording.head import zone
from engine.recording.reader import Recording
from engine.settings import Settings
from engine.venue.schedules import load_fees

_FIXED: Final = "fixed"
_RECORDING: Final = "recording"


@frozen(kw_only=True)
class Due:
    """What comes due in a run by the calendar, by time, and the tables behind it.

    `rates` are those of the first moment, where they are not `account.fx_rates`; `first_rates` their rows.
    """

    actions: tuple[Action, ...] = ()
    financing: Financing | None = None
    rates: Mapping[str, Decimal] = field(factory=dict)
    first_rates: Mapping[str, Rate] = field(factory=dict)
    table: RateTable | None = None
    pairs: Mapping[str, tuple[int, bool]] = field(factory=dict)


def due(
    settings: Settings, recording: Recording, instruments: Mapping[int, Instrument], span_ns: tuple[int, int]
) -> Due:
    """Read the tables and work out what comes due.

    Raises: InputError, in one sentence.
    """
    books, name = settings.books, recording.head.time_zone
    where = zone(name, place="time_zone")
    financing = load_financing(books.financing, books.benchmark, books.borrow)
    actions: list[Action] = [] if financing is None else interest_due(span_ns, where, instruments)
    table: RateTable | None = None
    first: dict[str, Rate] = {}
    pairs: dict[str, tuple[int, bool]] = {}
    if books.fx == _RECORDING:
        pairs = _pairs(settings, instruments)
        actions += pairs_due(span_ns, where, pairs)
    elif books.fx != _FIXED:
        table = load_rates(books.fx)
        first, changes = rates_due(span_ns, where, table.rates)
        actions += changes
    actions += conversions_due(span_ns, where, books.conversions)
    actions += actions_due(
        recording.actions, name, instruments, span_ns,
        adjusted=settings.recording.adjust_splits, withheld=books.withholding,
    )  # fmt: skip
    # At one moment a day ends at its own rates, then rates change, then companies act: the order in which they stand.
    return Due(
        actions=tuple(sorted(actions, key=lambda action: action.ts_ns)),
        financing=financing,
        rates={currency: row.rate for currency, row in first.items()},
        first_rates=first,
        table=table,
        pairs=pairs,
    )


def carried_into(recording: Recording, wanted: set[int]) -> set[int]:
    """Instruments that what is traded may become: by mergers, spin-offs and exercises, and by those of these."""
    found: set[int] = set()
    while True:
        more = {
            other
            for conid, other in recording.actions.pairs()
            if other is not None and conid in wanted | found and other not in wanted | found
        }
        if not more:
            return found
        found |= more


def pairs_wanted(settings: Settings, recording: Recording) -> set[int]:
    """The currency pairs whose prices are the run's rates."""
    if settings.books.fx != _RECORDING:
        return set()
    return {conid for conid, _ in _pairs(settings, recording.instruments).values()}


def _pairs(settings: Settings, instruments: Mapping[int, Instrument]) -> dict[str, tuple[int, bool]]:
    account = settings.account
    pairs = {}
    for currency in sorted({*account.fx_rates, *account.cash} - {account.base_currency}):
        found = pair_of(currency, account.base_currency, instruments)
        if found is None:
            raise ConfigError(
                f"the recording has no currency pair of {currency} and {account.base_currency}",
                place=f"{settings.source}: books.fx",
            )
        pairs[currency] = found
    return pairs


def assumed(settings: Settings, due: Due) -> list[tuple[str, str]]:
    """What the books assume, with the names and dates of their tables."""
    books = settings.books
    fees = load_fees(settings.venue.fees)
    found = []
    if fees.tables:
        days = ", ".join(table.valid_from.isoformat() for table in fees.tables)
        found.append(("fee tables", f"{fees.name}, in force from {days}; the oldest serves for the days before it too"))
    dividends = "dividends are booked on the ex-date"
    dividends += f", {books.withholding:%} held back for tax" if books.withholding else ", before tax"
    if due.financing is None:
        found.append(("financing", f"no interest or borrow fee is booked; {dividends}"))
    else:
        found.append(("financing", f"{_financing(due.financing)}; {dividends}"))
    if due.pairs:
        names = ", ".join(sorted(due.pairs))
        found.append(("currency rates", f"account.fx_rates, from each midnight on the recording's last price: {names}"))
    elif due.table is not None:
        since = ", ".join(f"{unit} {one.rate} of {one.valid_from}" for unit, one in sorted(due.first_rates.items()))
        found.append(("currency rates", f"{due.table.name}: {since or 'none at the start'}, then as dated"))
    if books.margin != "none":
        found.append(("margin", f"orders are held to the {books.margin} tiers; nothing is liquidated"))
    return found


def _financing(table: Financing) -> str:
    terms = ", ".join(f"{one.currency} terms of {one.valid_from}" for one in table.terms)
    known = ", ".join(f"{one.currency} {one.rate} %{_since(one.valid_from)}" for one in table.benchmarks)
    borrow = ", ".join(f"{one.symbol or 'all others'} {one.rate} %{_since(one.valid_from)}" for one in table.borrow)
    return f"{table.name} ({terms or 'no terms'}; benchmark {known or 'unknown'}; borrow fees {borrow or 'none'})"


def _since(day: date) -> str:
    return "" if day.year == 1970 else f" from {day}"
