"""Tolerant readers of single values as the Web API prints them: total, never an exception, None for "not there".

The same number may be a JSON number on one surface and a string with commas on the next; "", "N/A", "-" and null all
say that there is none. Input is whatever `codecs.reading.parse` made of the JSON: str, int, Decimal (a number with a
point or an exponent, exact), bool, None, list, dict. None is never turned into 0.

    decimal     money and quantities          number      market data, statistics (%, K/M/B allowed)
    integer     conids, order ids, counts     identifier  ids that are kept as text
    text        words                         flag        true, "true", 1, "1", "Y"
    quoted      a market data field           money       "1,977.60 USD (10 Shares)"
    ms_ns, s_ns, epoch_ns, stamp_ns           times, as nanoseconds UTC
    day         a date as YYYYMMDD
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

import msgspec

ABSENT: Final = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none"})
LONGEST_NUMBER: Final = 64  # characters; nothing that is meant is longer, and int() of a million digits takes seconds
LARGEST: Final = 40  # powers of ten: int(Decimal("1E999999")) would fill the memory
_LEAST, _MOST = 10.0**-LARGEST, 10.0 ** (LARGEST + 1)
_INT_LIMIT: Final = 2**63
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_SCALES: Final = {"K": Decimal(10) ** 3, "M": Decimal(10) ** 6, "B": Decimal(10) ** 9, "T": Decimal(10) ** 12}
_MONEY = re.compile(r"\s*([+-]?[0-9][0-9,]*(?:\.[0-9]+)?)\s*([A-Z]{3})?\b")
_TRUE: Final = frozenset({"true", "1", "y", "yes"})
_FALSE: Final = frozenset({"false", "0", "n", "no"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"[0-9]+")
_FIRST_MS: Final = 100_000_000_000  # as seconds the year 5138, as milliseconds 1973
_LAST_MS: Final = 9_000_000_000_000  # the year 2255, inside 64 bits of nanoseconds


class Quoted(msgspec.Struct, frozen=True):
    """A market data field: `number` if it is one, and what stood before it.

    `mark` is "C" where the price is the previous close and not of today, "H" where trading is halted, else "".
    """

    number: float | None
    mark: str = ""


class Money(msgspec.Struct, frozen=True):
    """An amount printed for people; `currency` is "" where none was printed."""

    amount: Decimal
    currency: str = ""


def decimal(value: object) -> Decimal | None:
    """Read an exact number; commas are stripped. Neither suffix nor percent: those are for `number`."""
    if isinstance(value, Decimal):
        return value if _sane(value) else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return Decimal(value) if -_INT_LIMIT <= value < _INT_LIMIT else None
    if isinstance(value, float):  # only where a value was never JSON
        return decimal(repr(value))
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER:
        return _exact(value.strip().replace(",", ""))
    return None


def number(value: object) -> float | None:
    """Read a finite float; percent signs are stripped and K, M, B and T multiply."""
    if not isinstance(value, str):
        exact = decimal(value)
        return None if exact is None else float(exact)
    if len(value) > LONGEST_NUMBER:
        return None
    word = value.strip().replace(",", "").removesuffix("%").rstrip()
    if _NUMBER.fullmatch(word) is None:
        exact = _scaled(word)
        return None if exact is None else float(exact)
    read = float(word)  # a quote has a dozen of these: without a Decimal between, it takes a third of the time
    return read if _LEAST <= abs(read) < _MOST or read == 0 else None


def integer(value: object) -> int | None:
    """Read a whole number of 64 bits: 12, "12", "1,234", 12.0."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_INT_LIMIT <= value < _INT_LIMIT else None
    exact = decimal(value)
    if exact is None or exact != exact.to_integral_value():
        return None
    whole = int(exact)
    return whole if -_INT_LIMIT <= whole < _INT_LIMIT else None


def identifier(value: object) -> str | None:
    """Read an id as text, whether it came as a number or a string; None if empty."""
    if isinstance(value, str):
        return value.strip() or None
    whole = integer(value)
    return None if whole is None else str(whole)


def text(value: object) -> str | None:
    """Read a word: strings as they stand, numbers and booleans as JSON prints them, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    exact = decimal(value)
    return None if exact is None else format(exact, "f")


def flag(value: object) -> bool | None:
    """Read a boolean in any of its spellings."""
    if isinstance(value, bool):
        return value
    word = text(value)
    if word is None:
        return None
    word = word.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def quoted(value: object) -> Quoted:
    """Read a market data field with its C or H before the number."""
    return _quoted(value) if isinstance(value, str) else Quoted(number(value))


@lru_cache(maxsize=4_096)  # prices and sizes come again, soon and often
def _quoted(value: str) -> Quoted:
    bare = value.strip()
    if bare[:1] in ("C", "H") and bare[1:2] in "+-.0123456789" and len(bare) > 1:
        return Quoted(number(bare[1:]), bare[0])
    return Quoted(number(value))


def money(value: object) -> Money | None:
    """Read the first amount of a display text such as "825,208 USD"; a range or a dash is none."""
    if not isinstance(value, str):
        exact = decimal(value)
        return None if exact is None else Money(exact)
    if len(value) > 4 * LONGEST_NUMBER or "..." in value:
        return None
    found = _MONEY.match(value)
    if found is None:
        return None
    exact = decimal(found[1])
    return None if exact is None else Money(exact, found[2] or "")


def ms_ns(value: object) -> int | None:
    """Read epoch milliseconds as nanoseconds."""
    if value.__class__ is int:  # each quote has one
        return value * 1_000_000 if 0 < value < _LAST_MS else None
    moment = decimal(value)
    return None if moment is None or not 0 < moment < _LAST_MS else int(moment * 1_000_000)


def s_ns(value: object) -> int | None:
    """Read epoch seconds as nanoseconds."""
    moment = decimal(value)
    return None if moment is None or not 0 < moment < _LAST_MS // 1000 else int(moment * 1_000_000_000)


def epoch_ns(value: object) -> int | None:
    """Read epoch seconds or milliseconds, whichever the size says: documents and wire disagree on some fields."""
    moment = decimal(value)
    return None if moment is None else ms_ns(moment) if moment >= _FIRST_MS else s_ns(moment)


def stamp_ns(value: object) -> int | None:
    """Read a printed UTC time as nanoseconds.

    Forms: YYMMDDhhmmss, YYYYMMDDhhmmss, and YYYYMMDD or YYYY-MM-DD followed by `-`, `T`, `;` or a space and
    hh:mm or hh:mm:ss. A date alone is no time.
    """
    word = text(value)
    if word is None or len(word) > LONGEST_NUMBER:
        return None
    digits = "".join(_DIGITS.findall(word))
    if not digits.isascii():
        return None
    if len(digits) == 12:  # YYMMDDhhmmss where it is bare, else a time without seconds
        digits = "20" + digits if digits == word.strip() else digits + "00"
    if len(digits) != 14:
        return None
    try:
        moment = datetime(*(int(digits[a:b]) for a, b in _PARTS), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 if moment > _EPOCH else None


_PARTS: Final = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))


def day(value: object) -> str | None:
    """Read a date as YYYYMMDD from 20251219, "20251219" or "2025-12-19"; None if the calendar has no such day."""
    word = text(value)
    if word is None:
        return None
    word = word.strip().replace("-", "")
    if len(word) != 8 or not (word.isascii() and word.isdigit()):
        return None
    try:
        date(int(word[:4]), int(word[4:6]), int(word[6:]))
    except ValueError:
        return None
    return word


def _sane(value: Decimal) -> bool:
    return value.is_finite() and (abs(value.adjusted()) <= LARGEST or not value)


def _exact(word: str) -> Decimal | None:
    if word.lower() in ABSENT or _NUMBER.fullmatch(word) is None:
        return None
    try:
        value = Decimal(word)
    except InvalidOperation:
        return None
    return value if _sane(value) else None


def _scaled(word: str) -> Decimal | None:
    """Read a number with K, M, B or T behind it."""
    scale = _SCALES.get(word[-1:].upper())
    if scale is None:
        return None
    exact = _exact(word[:-1].rstrip())
    return None if exact is None else exact * scale
