"""When a day's interest accrues, when it is paid, and when rates of currencies change: the calendar of the books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.domain.actions import Action, ConvertNow, DayEnded, InterestPaid, RateNow
from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_S
from engine.portfolio.tables import Rate
from engine.settings import ConversionSettings

_PAID_ON: Final = 3  # the third business day of a month


def days_of(span_ns: tuple[int, int], zone: ZoneInfo) -> Iterator[tuple[int, date]]:
    """Each midnight within a run, a nanosecond later as corporate actions are, with the day that begins then."""
    day = datetime.fromtimestamp(span_ns[0] // NS_PER_S, zone).date()
    while True:
        day += timedelta(days=1)
        ts_ns = midnight_ns(day, zone)
        if ts_ns > span_ns[1]:
            return
        yield ts_ns, day


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """The moment at which a day begins for the books."""
    return int(datetime.combine(day, time(), zone).timestamp()) * NS_PER_S + 1


def interest_due(span_ns: tuple[int, int], zone: ZoneInfo, instruments: Mapping[int, Instrument]) -> list[Action]:
    """A day's end each midnight, and payment as the third business day (Monday to Friday) of a month begins."""
    conids = tuple(sorted(conid for conid, one in instruments.items() if one.sec_type is not SecType.COMBO))
    due: list[Action] = []
    for ts_ns, day in days_of(span_ns, zone):
        due.append(DayEnded(ts_ns, day - timedelta(days=1), conids))
        if day == paid_on(day):
            due.append(InterestPaid(ts_ns, day))
    return due


def paid_on(day: date) -> date:
    """The day of its month on which interest of the month before is paid."""
    found, at = 0, day.replace(day=1)
    while True:
        found += at.weekday() < 5
        if found == _PAID_ON:
            return at
        at += timedelta(days=1)


def rates_due(span_ns: tuple[int, int], zone: ZoneInfo, rates: Iterable[Rate]) -> tuple[dict[str, Rate], list[Action]]:
    """The rates of a dated table at the begin of a run, by currency, and their changes within it."""
    first: dict[str, Rate] = {}
    due: list[Action] = []
    for one in rates:
        ts_ns = midnight_ns(one.valid_from, zone)
        if ts_ns <= span_ns[0]:
            first[one.currency] = one
        elif ts_ns <= span_ns[1]:
            due.append(RateNow(ts_ns, one.currency, one.rate))
    return first, due


def conversions_due(
    span_ns: tuple[int, int], zone: ZoneInfo, conversions: Iterable[ConversionSettings]
) -> list[Action]:
    """Conversions within a run; one of its first day takes place with the first row."""
    due: list[Action] = []
    for one in conversions:
        ts_ns = midnight_ns(one.day, zone)
        begins, ends = ts_ns, midnight_ns(one.day + timedelta(days=1), zone)
        if begins <= span_ns[0] < ends:
            ts_ns = span_ns[0]
        if span_ns[0] <= ts_ns <= span_ns[1]:
            due.append(ConvertNow(ts_ns, one.amount, one.sell, one.bought, one.buy))
    return due


def pair_of(currency: str, base: str, instruments: Mapping[int, Instrument]) -> tuple[int, bool] | None:
    """The pair that prices a currency in base currency: its conid, and whether it is quoted the other way round."""
    for conid, one in instruments.items():
        if one.sec_type is SecType.CASH:
            if (one.symbol[:3], one.currency) == (currency, base):
                return conid, False
            if (one.symbol[:3], one.currency) == (base, currency):
                return conid, True
    return None


def pairs_due(span_ns: tuple[int, int], zone: ZoneInfo, pairs: Mapping[str, tuple[int, bool]]) -> list[Action]:
    """Each midnight, each currency takes the last price of its pair."""
    return [
        RateNow(ts_ns, currency, None, conid, inverse)
        for ts_ns, _ in days_of(span_ns, zone)
        for currency, (conid, inverse) in sorted(pairs.items())
    ]
