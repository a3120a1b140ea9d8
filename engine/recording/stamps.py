"""Stamps of a source file made into nanoseconds UTC: epochs, time since a local midnight, and ISO texts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY, NS_PER_S
from engine.errors import RecordingError
from engine.recording.layout import MOST_SPAN_NS

UNIT_NS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": NS_PER_S}
_LENGTH_S: Final = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400
}  # fmt: skip
_QUARTER_NS: Final = 900 * NS_PER_S  # every zone changes its offset on a quarter of an hour
_FARTHEST_NS: Final = END_OF_TIME_NS // 2
_COMPACT: Final = r"^(\d{4})(\d{2})(\d{2})\b"
_OFFSET: Final = re.compile(r"\d\d:?\d\d(:?\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)$")
_NAME_DATE: Final = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")


def length_ns(text: str) -> int:
    """A bar's length like 1m, 5min, 30s, 1h or 1d, in nanoseconds.

    Raises: RecordingError.
    """
    match = re.fullmatch(r"(\d*)\s*([a-z]+?)s?", text.strip().lower()) or re.fullmatch(
        r"(\d+)(s)", text.strip().lower()
    )
    if match is None or match[2] not in _LENGTH_S or match[1] == "0":
        raise RecordingError(f"--bar {text} is no length like 1m, 30s or 1d")
    length = int(match[1] or 1) * _LENGTH_S[match[2]] * NS_PER_S if len(match[1]) < 9 else MOST_SPAN_NS + 1
    if length > MOST_SPAN_NS:
        raise RecordingError(f"--bar {text} is longer than 366 days")
    return length


def date_in(name: str) -> date | None:
    """The first date in a file name, as YYYYMMDD or YYYY-MM-DD."""
    for year, month, day in _NAME_DATE.findall(name):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """Local midnight of a day as nanoseconds UTC."""
    return int(datetime.combine(day, time(), zone).timestamp()) * NS_PER_S


def local_days(ts_ns: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """The local calendar day of each time, as a day number."""
    quarters, place = np.unique(ts_ns // _QUARTER_NS, return_inverse=True)
    days = [
        datetime.fromtimestamp(quarter * 900, tz=UTC).astimezone(zone).date().toordinal()
        for quarter in quarters.tolist()
    ]
    return np.array(days, np.int64)[place]


class SkippedHour(ValueError):
    """A reading that the zone's clock never shows, since it is put forward over it; `row` is the first such one."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


def from_local(local_ns: NDArray[np.int64], zone: ZoneInfo, last_ns: int | None = None) -> NDArray[np.int64]:
    """Wall-clock readings of a zone (nanoseconds as if UTC) as nanoseconds UTC.

    An hour that the clock shows twice is taken as the first one until the readings run back inside it, and as the
    second one from there on. A reading of midnight is a date: where the clock skips midnight, the old offset holds.

    Args:
        last_ns: The time (UTC) of the reading before the first one, if there was any.

    Raises: SkippedHour.
    """
    quarters, place = np.unique(local_ns // _QUARTER_NS, return_inverse=True)
    offsets = []
    for quarter in quarters.tolist():
        wall = datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=quarter * 900)  # wall arithmetic, on purpose
        pair = (wall.utcoffset() or timedelta(), wall.replace(fold=1).utcoffset() or timedelta())
        offsets.append([int(offset.total_seconds()) * NS_PER_S for offset in pair])
    before, after = np.array(offsets, np.int64).reshape(-1, 2)[place].T
    skipped = (before < after) & (local_ns % NS_PER_DAY != 0)
    if skipped.any():
        raise SkippedHour(int(np.argmax(skipped)))
    ts_ns: NDArray[np.int64] = local_ns - before
    twice = np.flatnonzero(before > after)
    if len(twice):
        # Runs of rows of one such hour: rows side by side, no more than half a day apart.
        parted = (np.diff(twice) > 1) | (np.diff(local_ns[twice]) > NS_PER_DAY // 2)
        for run in np.split(twice, np.flatnonzero(parted) + 1):
            earlier = last_ns if run[0] == 0 else int(ts_ns[run[0] - 1])
            back = np.diff(ts_ns[run], prepend=ts_ns[run[0]] if earlier is None else earlier) < 0
            if back.any():
                second = run[int(np.argmax(back)) :]
                ts_ns[second] = local_ns[second] - after[second]
    return ts_ns


def guess_unit(first: str, dated: bool) -> str:
    """The unit of a source that names none: milliseconds with a date, else by size (or ISO if no number)."""
    try:
        size = abs(float(first))
    except ValueError:
        return "iso"
    if dated:
        return "ms"
    if re.fullmatch(r"(19|20)\d{6}", first):
        return "iso"
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def to_ns(
    column: Any, unit: str, zone: ZoneInfo, start_ns: int | None, last_ns: int | None = None
) -> NDArray[np.int64]:
    """A column of stamps (Arrow text, number or timestamp) as nanoseconds UTC.

    With `start_ns` (a local midnight) numbers count from it, and texts like 09:30:00.25 are readings of that day's
    clock. `last_ns` is the time of the stamp before.

    Raises: pa.ArrowInvalid, OverflowError or ValueError if a value is no stamp in this unit; SkippedHour.
    """
    if pa.types.is_timestamp(column.type):
        numbers = _ints(column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()))
        return numbers if column.type.tz else from_local(numbers, zone, last_ns)
    if pa.types.is_date(column.type):
        return from_local(_ints(column.cast(pa.timestamp("ns")).cast(pa.int64())), zone, last_ns)
    if unit == "iso" and start_ns is not None:
        day = datetime.fromtimestamp(start_ns // NS_PER_S, zone).date().isoformat()
        whole = pc.binary_join_element_wise(day, column.cast(pa.string()), " ")
        return from_local(_ints(whole.cast(pa.timestamp("ns")).cast(pa.int64())), zone, last_ns)
    start_ns = start_ns or 0
    if unit == "iso":
        texts = pc.replace_substring_regex(column.cast(pa.string()), _COMPACT, r"\1-\2-\3")
        if len(texts) and _OFFSET.search(texts[0].as_py() or ""):
            return _ints(texts.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()))
        return from_local(_ints(texts.cast(pa.timestamp("ns")).cast(pa.int64())), zone, last_ns)
    scale = UNIT_NS[unit]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:  # seconds with a fraction: decimals, since a float has no room for nanoseconds
            column = column.cast(pa.decimal128(38, 9))
    if pa.types.is_integer(column.type):
        numbers = _ints(column.cast(pa.int64()))
        if len(numbers) and max(int(numbers.max()), -int(numbers.min())) > _FARTHEST_NS // scale:
            raise OverflowError
        return start_ns + numbers * scale
    if pa.types.is_floating(column.type):
        seconds = np.array(column.to_pylist(), np.float64) * scale
        if not (np.abs(seconds) <= _FARTHEST_NS).all():
            raise OverflowError
        return start_ns + np.rint(seconds).astype(np.int64)
    whole = [int(value * scale) for value in column.to_pylist()]
    return start_ns + np.array(whole, np.int64)


def _ints(column: Any) -> NDArray[np.int64]:
    if not len(column):
        return np.empty(0, np.int64)
    return np.frombuffer(column.buffers()[1], np.int64, count=len(column), offset=column.offset * 8)
