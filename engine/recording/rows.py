"""From pieces of a source file to rows of a recording: stamps, scale, sides, and what is dropped, counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from attrs import define, field, frozen
from numpy.typing import NDArray

from engine.domain.market import Kind
from engine.errors import RecordingError
from engine.recording.layout import MOST_PRICE, MOST_SIZE, PRICES, SIZES, Block
from engine.recording.nbbo import Nbbo, PairedBest, comes_in_pairs
from engine.recording.stamps import SkippedHour, guess_unit, local_days, to_ns

NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUOTES: ("ts", "bid", "ask"),
    Kind.TRADES: ("ts", "price", "size"),
    Kind.BARS: ("ts", "open", "high", "low", "close"),
}
NEEDED_FOR_NBBO: Final = (*NEEDED[Kind.QUOTES], "bid_size", "ask_size", "exchange")
_FALSE: Final = frozenset({"", "0", "0.0", "false", "f", "no", "n"})

PAIRED_NOTE: Final = (
    "the rows come in pairs of bid and ask from two exchanges, so they are the best quotes already: the newest of each "
    "side was taken, since standing quotes by exchange would cross"
)

Place = Callable[[int], str]  # row of the source (from 0) -> where it stands


@frozen(kw_only=True)
class Reading:
    """How the numbers of a source are to be read."""

    kind: Kind
    zone: ZoneInfo
    unit: str | None = None  # None: guessed from the first stamp
    scale: Decimal = Decimal(1)
    span_ns: int = 0
    stamp_is_open: bool = True
    nbbo: bool = False


@define(eq=False)
class RowMaker:
    """Makes rows of one source; `start_ns` is its local midnight, or None where stamps are whole times.

    `nbbo` holds one state an instrument and outlives the source, since a day may come in several files.
    """

    reading: Reading
    start_ns: int | None
    conid_of: Callable[[str], int]
    default_conid: int | None
    place: Place
    nbbo: dict[tuple[int, bool], Nbbo | PairedBest] = field(factory=dict)
    read: int = 0
    kept: int = 0
    equal_stamps: int = 0
    dropped: Counter[str] = field(factory=Counter)
    unit: str | None = None
    first_ns: int | None = None
    last_ns: int | None = None
    _paired: bool | None = None

    def take(self, piece: Any) -> Block | None:
        """Turn the next piece into rows; None if nothing of it stays.

        Raises: RecordingError with the place of the first bad row.
        """
        first, count = self.read, piece.num_rows
        self.read += count
        if not count:
            return None
        ts_ns = self._times(piece, first)
        conids = self._conids(piece, first)
        block: Block = {"ts_ns": ts_ns, "conid": conids}
        kind = self.reading.kind
        for name in PRICES[kind]:
            block[name] = self._price(piece, name, first)
        for name in SIZES[kind]:
            block[name] = self._size(piece, name, first)
        stays = np.ones(count, bool)
        if "suspicious" in piece.schema.names:
            flags = [(text or "").strip().lower() not in _FALSE for text in piece.column("suspicious").to_pylist()]
            stays &= ~np.array(flags, bool)
            self.dropped["marked suspicious"] += int(count - stays.sum())
        if kind is Kind.QUOTES:
            if self.reading.nbbo:
                return self._best(piece, block, stays)
            for side in ("bid", "ask"):  # a 0 stands for a side that is not there
                absent = ~(block[side] > 0)
                block[side] = np.where(absent, np.nan, block[side])
                block[f"{side}_size"] = np.where(absent, np.nan, block[f"{side}_size"])
        elif kind is Kind.TRADES:
            block["sampled"] = np.zeros(count, bool)
        else:
            self._check_bars(block, stays, first)
            block["span_ns"] = np.full(count, self.reading.span_ns, np.int64)
            block["complete"] = np.ones(count, bool)
            if self.reading.stamp_is_open:
                block["ts_ns"] = ts_ns + self.reading.span_ns
        return self._kept(block, stays)

    def _kept(self, block: Block, stays: NDArray[np.bool_]) -> Block | None:
        if not stays.all():
            block = {name: column[stays] for name, column in block.items()}
        self.kept += len(block["ts_ns"])
        return block if len(block["ts_ns"]) else None

    def _times(self, piece: Any, first: int) -> NDArray[np.int64]:
        column = piece.column("ts")
        if column.null_count:
            raise RecordingError(
                "the stamp is empty", place=self.place(first + column.is_null().to_pylist().index(True))
            )
        if self.unit is None:
            self.unit = self.reading.unit or guess_unit(str(column[0].as_py()).strip(), self.start_ns is not None)
        zone = self.reading.zone
        try:
            ts_ns = to_ns(column, self.unit, zone, self.start_ns, self.last_ns)
        except SkippedHour as exc:
            told = (
                f"{column[exc.row].as_py()} never was in {zone.key}, whose clock is put forward over it; is --tz right?"
            )
            raise RecordingError(told, place=self.place(first + exc.row)) from None
        except (pa.ArrowException, OverflowError, ValueError):
            row = first + self._first_bad_stamp(column)
            text = column[row - first].as_py()
            raise RecordingError(f"{text!r} is no stamp in {self.unit}", place=self.place(row)) from None
        if ts_ns.min() < 0:
            row = first + int(np.argmax(ts_ns < 0))
            raise RecordingError(
                f"{column[row - first].as_py()} in {self.unit} is before 1970, where recordings begin",
                place=self.place(row),
            )
        before = ts_ns[0] if self.last_ns is None else self.last_ns
        steps = np.diff(ts_ns, prepend=before)
        if (steps < 0).any():
            row = first + int(np.argmax(steps < 0))
            raise RecordingError("time goes back; sort the file by time first", place=self.place(row))
        self.equal_stamps += int((steps == 0).sum()) - (self.last_ns is None)
        if self.first_ns is None:
            self.first_ns = int(ts_ns[0])
        self.last_ns = int(ts_ns[-1])
        return ts_ns

    def _first_bad_stamp(self, column: Any) -> int:
        for row in range(len(column)):
            try:
                to_ns(column.slice(row, 1), self.unit or "ns", self.reading.zone, self.start_ns)
            except (pa.ArrowException, OverflowError, ValueError):
                return row
        return 0

    def _conids(self, piece: Any, first: int) -> NDArray[np.int64]:
        for name in ("conid", "symbol"):
            if name in piece.schema.names:
                values = piece.column(name)
                if values.null_count:
                    row = first + values.is_null().to_pylist().index(True)
                    raise RecordingError(f"{name} is empty", place=self.place(row))
                return np.array([self.conid_of(str(value)) for value in values.to_pylist()], np.int64)
        if self.default_conid is None:
            raise RecordingError("no symbol in the file name; say whose data this is with --instrument")
        return np.full(piece.num_rows, self.default_conid, np.int64)

    def _price(self, piece: Any, name: str, first: int) -> NDArray[np.float64]:
        raw, absent = _floats(piece, name)
        quotes = self.reading.kind is Kind.QUOTES
        bad = (np.isnan(raw) & ~absent) | np.isinf(raw) | (raw < 0)
        if not quotes:
            bad |= absent | (raw == 0)
        if bad.any():
            row = int(np.argmax(bad))
            said = "empty" if absent[row] else f"{raw[row]:g}"
            raise RecordingError(f"{name} is {said}, which is no price", place=self.place(first + row))
        top, bottom = self.reading.scale.as_integer_ratio()
        # Multiplied and divided by whole numbers: 1836300 at 0.0001 is 183.63 itself, not its neighbour.
        price = raw * top / bottom
        self._within_reason(price, name, first, MOST_PRICE)
        return price

    def _size(self, piece: Any, name: str, first: int) -> NDArray[np.float64]:
        if name not in piece.schema.names:
            return np.full(piece.num_rows, np.nan)
        raw, absent = _floats(piece, name)
        bad = (np.isnan(raw) & ~absent) | np.isinf(raw) | (raw < 0)
        if self.reading.kind is not Kind.QUOTES:
            bad |= absent
        if bad.any():
            row = int(np.argmax(bad))
            said = "empty" if absent[row] else f"{raw[row]:g}"
            raise RecordingError(f"{name} is {said}, which is no size", place=self.place(first + row))
        self._within_reason(raw, name, first, MOST_SIZE)
        return raw

    def _within_reason(self, column: NDArray[np.float64], name: str, first: int, most: float) -> None:
        if (column > most).any():
            row = int(np.argmax(column > most))
            told = f"{name} is {column[row]:g}, beyond all reason; --price-scale or --columns may be wrong"
            raise RecordingError(told, place=self.place(first + row))

    def _check_bars(self, block: Block, stays: NDArray[np.bool_], first: int) -> None:
        high, low = block["high"], block["low"]
        bad = stays & (
            (high < np.maximum(block["open"], block["close"])) | (low > np.minimum(block["open"], block["close"]))
        )
        if bad.any():
            raise RecordingError(
                "the bar contradicts itself: open or close lies outside low to high",
                place=self.place(first + int(np.argmax(bad))),
            )

    def _best(self, piece: Any, block: Block, stays: NDArray[np.bool_]) -> Block | None:
        exchanges = np.array([text or "" for text in piece.column("exchange").to_pylist()], object)
        if self._paired is None:
            self._paired = comes_in_pairs(block["ts_ns"], exchanges, block["bid"] > 0, block["ask"] > 0)
        days = local_days(block["ts_ns"], self.reading.zone)
        parts = []
        for conid in np.unique(block["conid"][stays]).tolist():
            rows = np.flatnonzero(stays & (block["conid"] == conid))
            columns = [block[name][rows] for name in ("bid", "ask", "bid_size", "ask_size")]
            state = self.nbbo.get((conid, self._paired))
            if state is None:
                state = self.nbbo[conid, self._paired] = PairedBest() if self._paired else Nbbo()
            at, best = state.fold(days[rows], exchanges[rows].tolist(), *columns)
            parts.append((rows[at], best))
        if not parts:
            return None
        rows = np.concatenate([at for at, _ in parts])
        best = np.concatenate([values for _, values in parts])
        order = np.argsort(rows, kind="stable")
        rows, best = rows[order], best[order]
        self.dropped["no change of the best bid or offer"] += int(stays.sum()) - len(rows)
        self.kept += len(rows)
        if not len(rows):
            return None
        return {
            "ts_ns": block["ts_ns"][rows],
            "conid": block["conid"][rows],
            "bid": best[:, 0].copy(),
            "ask": best[:, 1].copy(),
            "bid_size": best[:, 2].copy(),
            "ask_size": best[:, 3].copy(),
        }


def _floats(piece: Any, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column's numbers, NaN where it is empty, and where that is."""
    column = piece.column(name)
    raw = np.frombuffer(column.buffers()[1], np.float64, count=len(column), offset=column.offset * 8)
    if not column.null_count:
        return raw, np.zeros(len(column), bool)
    absent = np.array(column.is_null().to_pylist(), bool)
    return np.where(absent, np.nan, raw), absent
