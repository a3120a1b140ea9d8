"""What the values of a configuration may be, once their types are right: ranges, names, and what must agree.

Whether an instrument exists or a strategy can be found is not known here: that is for the recording and the loader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from engine.domain.ticket import OrderType, Tif
from engine.errors import ConfigError
from engine.portfolio.tables import SHIPPED as FINANCING
from engine.risk.conduct import window_ns
from engine.risk.margin import NAMES as MARGINS
from engine.settings import Limits, Settings
from engine.tables import nearest, shown
from engine.venue.rules import RESTING_PRICES, RULES, STOP_TRIGGERS
from engine.venue.slippage import NAMES as SLIPPAGES

_DAY_MS = 86_400_000
_MOST_ROWS = 10_000_000  # held in memory at once

# A problem: (dotted key, sentence).
Problem = tuple[str, str]


def check(settings: Settings) -> Settings:
    """Return the settings if every value is allowed.

    Raises: ConfigError, for the first that is not.
    """
    for part in (_names, _recording, _account, _strategies, _risk, _venue, _books, _replay):
        for key, sentence in part(settings):
            raise ConfigError(sentence, place=f"{settings.source}: {key}")
    return settings


def _ranged(key: str, value: Any, allowed: Callable[[Any], bool], what: str) -> Iterator[Problem]:
    if not allowed(value):
        yield key, f"must be {what}, not {shown(value)}"


def _one_of(key: str, value: str, known: tuple[str, ...]) -> Iterator[Problem]:
    if value not in known:
        yield key, f"{value!r} is not one of {', '.join(known)}{_hint(value, known)}"


def _hint(value: str, known: tuple[str, ...]) -> str:
    hint = nearest(value, known)
    return hint if "did you mean" in hint else ""


def _names(settings: Settings) -> Iterator[Problem]:
    # It becomes the name of a folder.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", settings.name):
        yield "name", f"must be made of letters, digits, '-', '_' and '.', not {settings.name!r}"
    yield from _ranged("seed", settings.seed, lambda seed: seed >= 0, "0 or more")


def _recording(settings: Settings) -> Iterator[Problem]:
    recording = settings.recording
    try:
        there = recording.path.is_dir()
    except OSError:  # a name that no file system takes
        there = False
    if not there:
        yield "recording.path", f"there is no such folder: {recording.path}"
    moments = {}
    for key in ("start", "end", "warm_up_until"):
        text = getattr(recording, key)
        if text is None:
            continue
        try:
            moments[key] = datetime.fromisoformat(text)
        except ValueError:
            yield f"recording.{key}", f"must be a date or a time as in 2024-08-08T09:30:00, not {shown(text)}"
            continue
        if not 1970 <= moments[key].year <= 2261:  # as far as 64 bits of nanoseconds reach
            yield f"recording.{key}", f"must be from 1970 to 2261, not {text!r}"
    if recording.instruments is not None:
        if not recording.instruments:
            yield "recording.instruments", "is empty; leave it out to take all"
        yield from _unique("recording.instruments", recording.instruments)
    for earlier, later in (("start", "end"), ("start", "warm_up_until"), ("warm_up_until", "end")):
        if earlier in moments and later in moments:
            first, last = moments[earlier], moments[later]
            comparable = (first.tzinfo is None) == (last.tzinfo is None)
            if comparable and last <= first and not (earlier == "start" and later == "warm_up_until" and last == first):
                yield f"recording.{later}", f"{getattr(recording, later)} is not after {earlier}, {first.isoformat()}"


def _is_rate(rate: Decimal) -> bool:
    return Decimal("1e-9") <= rate <= 10**9


def _account(settings: Settings) -> Iterator[Problem]:
    account = settings.account
    if not account.id:
        yield "account.id", "is empty"
    held = [(f"{table}.{name}", name) for table in ("cash", "fx_rates") for name in getattr(account, table)]
    for key, currency in (("base_currency", account.base_currency), *held):
        if not re.fullmatch(r"[A-Z]{3,5}", currency):
            yield f"account.{key}", f"must be a currency's code as in USD, not {currency!r}"
    for currency, amount in account.cash.items():
        yield from _ranged(f"account.cash.{currency}", amount, lambda cash: cash >= 0, "0 or more")
    for currency, rate in account.fx_rates.items():
        yield from _ranged(f"account.fx_rates.{currency}", rate, _is_rate, "from 0.000000001 to 1,000,000,000")


def _strategies(settings: Settings) -> Iterator[Problem]:
    seen = set()
    for strategy in settings.strategies:
        key = f"strategy.{strategy.name}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", strategy.name):
            yield f"{key}.name", f"must be made of letters, digits, '-' and '_', not {strategy.name!r}"
        if strategy.name in seen:
            yield f"{key}.name", f"two strategies are named {strategy.name!r}; each copy needs a name of its own"
        seen.add(strategy.name)
        if not strategy.instruments:
            yield f"{key}.instruments", "is empty; a strategy needs at least one instrument"
        yield from _unique(f"{key}.instruments", strategy.instruments)
        replayed = settings.recording.instruments
        for symbol in strategy.instruments:
            if replayed is not None and symbol not in replayed:
                yield f"{key}.instruments", f"{symbol!r} is not among recording.instruments"


def _unique(key: str, symbols: tuple[str, ...]) -> Iterator[Problem]:
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            yield key, f"{symbol!r} stands there twice"


def _risk(settings: Settings) -> Iterator[Problem]:
    risk = settings.risk
    yield from _limits("risk.account", risk.account)
    if risk.day_start_s is not None:
        yield from _ranged("risk.day_start_s", risk.day_start_s, lambda s: 0 <= s < 86_400, "from 0 to 86,399")
    yield from _one_of("risk.latch_until", risk.latch_until, ("person", "day"))
    names = [strategy.name for strategy in settings.strategies]
    for name, limits in risk.strategy.items():
        if name not in names:
            yield f"risk.strategy.{name}", f"there is no strategy {name!r}{nearest(name, names)}"
        yield from _limits(f"risk.strategy.{name}", limits)
    for symbol, limits in risk.instrument.items():
        yield from _limits(f"risk.instrument.{symbol}", limits)


def _limits(key: str, limits: Limits) -> Iterator[Problem]:
    for name, value in attrs.asdict(limits).items():
        if isinstance(value, int | Decimal):
            yield from _ranged(f"{key}.{name}", value, lambda limit: limit >= 0, "0 or more")
    for said in limits.blackouts:
        try:
            window_ns(said)
        except ValueError as error:
            yield f"{key}.blackouts", f"must be FROM/TO, two times in ISO 8601: {error}"
    for name, known in (("order_types", OrderType), ("tifs", Tif)):
        for value in getattr(limits, name) or ():
            yield from _one_of(f"{key}.{name}", value, tuple(str(one) for one in known))


def _venue(settings: Settings) -> Iterator[Problem]:
    venue = settings.venue
    for name, value in attrs.asdict(venue.latency_ms).items():
        if value > _DAY_MS:
            yield f"venue.latency_ms.{name}", f"is more than a day: {shown(value)}"
        yield from _ranged(f"venue.latency_ms.{name}", value, lambda ms: ms >= 0, "0 or more")
    for name, value in attrs.asdict(venue.participation).items():
        yield from _ranged(f"venue.participation.{name}", value, lambda part: 0 < part <= 1, "above 0 and at most 1")
    yield from _one_of("venue.fills", venue.fills, tuple(RULES))
    yield from _one_of("venue.resting_price", venue.resting_price, RESTING_PRICES)
    yield from _one_of("venue.slippage", venue.slippage, SLIPPAGES)
    yield from _one_of("venue.stop_trigger", venue.stop_trigger, STOP_TRIGGERS)
    yield from _ranged("venue.slippage_size", venue.slippage_size, lambda size: 0 <= size <= 10_000, "from 0 to 10,000")


def _books(settings: Settings) -> Iterator[Problem]:
    books = settings.books
    for key, shipped in (("financing", FINANCING), ("fx", ("fixed", "recording"))):
        value = getattr(books, key)
        if not value.endswith(".toml") and value not in shipped:
            yield (
                f"books.{key}",
                f"{value!r} is not one of {', '.join(shipped)}, nor a .toml file{_hint(value, shipped)}",
            )
    yield from _one_of("books.margin", books.margin, MARGINS)
    yield from _ranged("books.withholding", books.withholding, lambda part: 0 <= part < 1, "0 or more and below 1")
    for key in ("benchmark", "borrow"):
        for name, rate in getattr(books, key).items():
            yield from _ranged(
                f"books.{key}.{name}", rate, lambda rate: -10 <= rate <= 1_000, "from -10 to 1,000 percent"
            )
    for at, one in enumerate(books.conversions):
        for key in ("amount", "bought"):
            yield from _ranged(
                f"books.conversions.{at}.{key}", getattr(one, key), lambda money: money > 0, "above zero"
            )
        if one.sell == one.buy:
            yield f"books.conversions.{at}.buy", f"{one.buy} can't be bought with itself"
    for currency in books.benchmark:
        if not re.fullmatch(r"[A-Z]{3,5}", currency):
            yield f"books.benchmark.{currency}", f"must be a currency's code as in USD, not {currency!r}"
    if books.financing == "none" and (books.benchmark or books.borrow):
        yield "books.financing", "is none, so benchmark and borrow rates would count for nothing"


def _replay(settings: Settings) -> Iterator[Problem]:
    replay, report = settings.replay, settings.report
    for key, rows in (("window", replay.window), ("chunk", replay.chunk)):
        what = f"from 1 to {_MOST_ROWS:,} rows"
        yield from _ranged(f"replay.{key}", rows, lambda rows: 1 <= rows <= _MOST_ROWS, what)
    limit_s = replay.hang_limit_s
    yield from _ranged("replay.hang_limit_s", limit_s, lambda limit: 0.01 <= limit <= 86_400, "from 0.01 to 86,400 s")
    yield from _ranged("report.trading_days", report.trading_days, lambda days: 1 <= days <= 366, "from 1 to 366")
    yield from _ranged("report.risk_free_rate", report.risk_free_rate, lambda rate: -1 < rate <= 10, "from -1 to 10")
