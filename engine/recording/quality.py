"""What is odd about a recording: gaps, order, duplicates, crossed and one-sided quotes, outliers, halts, missing days.

One pass with flat memory. It never refuses a row that the reader would refuse: here that is a finding.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.calendars import sessions
from engine.domain.market import COLUMNS, Kind, Trading
from engine.domain.moments import NS_PER_S
from engine.domain.sessions import Sessions
from engine.errors import ConfigError, RecordingError
from engine.recording.blocks import Segment, check
from engine.recording.findings import Gap, Quality, SeriesQuality
from engine.recording.layout import MOST_PRICE, MOST_SIZE, MOST_SPAN_NS, Block
from engine.recording.reader import Recording, open_recording, pieces

__all__ = ["Gap", "Quality", "SeriesQuality", "examine"]

# A gap is longer than GAP_TIMES the 99th percentile of an instrument's own silences, and than GAP_LEAST_S.
GAP_TIMES: Final = 6.0
GAP_LEAST_S: Final = 60.0
# An outlier lies OUTLIER_TIMES the middle distance from the median of its neighbours away, and OUTLIER_LEAST of it.
OUTLIER_TIMES: Final = 20.0
OUTLIER_LEAST: Final = 0.02
_NEIGHBOURS: Final = 11
_PIECE_ROWS: Final = 16_384
_DAY_NS: Final = 86_400 * NS_PER_S
_KEPT: Final = 20  # longest gaps, first places of a finding
_BINS: Final = 256  # silences by length: 8 bins a doubling from a microsecond up
_DEPTH: Final = 8
# Findings for which a reader refuses the recording.
_REFUSED: Final = frozenset({"time goes back", "bad price", "bad size", "bad length", "bad status"})


@define(eq=False)
class _Series:
    """What is counted of one instrument and kind while its rows go by."""

    kind: Kind
    conid: int
    hours: Sessions
    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0
    findings: dict[str, int] = field(factory=dict)
    found_ns: dict[str, int] = field(factory=dict)
    notes: dict[str, int] = field(factory=dict)
    silences: NDArray[np.int64] = field(factory=lambda: np.zeros(_BINS, np.int64))
    longest: list[tuple[int, int]] = field(factory=list)
    days: set[int] = field(factory=set)
    tail: Block | None = None
    prices: NDArray[np.float64] = field(factory=lambda: np.empty(0))
    times: NDArray[np.int64] = field(factory=lambda: np.empty(0, np.int64))
    halted_ns: int | None = None
    halts: list[Gap] = field(factory=list)
    span_ns: int = 0

    def find(self, name: str, rows: NDArray[np.bool_], ts_ns: NDArray[np.int64]) -> None:
        """Count the rows of a finding and keep the time of the first."""
        if count := int(rows.sum()):
            self.findings[name] = self.findings.get(name, 0) + count
            self.found_ns.setdefault(name, int(ts_ns[np.argmax(rows)]))

    def note(self, name: str, count: Any) -> None:
        if count:
            self.notes[name] = self.notes.get(name, 0) + int(count)

    def take(self, block: Block) -> None:
        """Count this instrument's rows of a block."""
        if self.tail is not None:
            joined = {name: np.concatenate([self.tail[name], block[name]]) for name in block}
            seen = len(self.tail["ts_ns"])
        else:
            joined, seen = block, 0
            self.first_ns = int(block["ts_ns"][0])
        self.rows += len(block["ts_ns"])
        self.last_ns = max(self.last_ns, int(block["ts_ns"].max()))
        # A bar belongs to the day of its middle: a daily one is stamped at its end, in the next day perhaps.
        middles = block["ts_ns"] - block["span_ns"] // 2 if self.kind is Kind.BARS else block["ts_ns"]
        self.days.update(np.unique(middles // _DAY_NS).tolist())
        self._times(joined["ts_ns"][max(seen - 1, 0) :])
        self._repeats(joined, seen)
        ts_ns = block["ts_ns"]
        match self.kind:
            case Kind.QUOTES:
                self._quotes(block)
                self._outliers((block["bid"] + block["ask"]) * 0.5, ts_ns)
            case Kind.TRADES:
                self.find("bad price", ~(block["price"] > 0) | _outside(block["price"], 0, MOST_PRICE), ts_ns)
                self.find("bad size", _outside(block["size"], 0, MOST_SIZE), ts_ns)
                self.note("zero size", (block["size"] == 0).sum())
                self.note("sampled", block["sampled"].sum())
                self._outliers(block["price"], ts_ns)
            case Kind.BARS:
                self._bars(block)
                self._outliers(block["close"], ts_ns)
            case Kind.STATUS:
                self._status(block)
        self.tail = {name: column[-1:] for name, column in joined.items()}

    def _times(self, ts_ns: NDArray[np.int64]) -> None:
        steps = np.diff(ts_ns)
        self.find("time goes back", steps < 0, ts_ns[1:])
        self.note("equal stamps", (steps == 0).sum())
        inside = self._same_session(ts_ns)
        steps = steps[inside]
        if not len(steps):
            return
        bins = np.clip(np.log2(np.maximum(steps / 1000.0, 1.0)) * _DEPTH, 0, _BINS - 1).astype(np.int64)
        self.silences += np.bincount(bins, minlength=_BINS)
        starts = ts_ns[:-1][inside]
        for i in np.argsort(-steps, kind="stable")[:_KEPT].tolist():
            entry = (int(steps[i]), int(starts[i]))
            if len(self.longest) < _KEPT:
                heapq.heappush(self.longest, entry)
            elif entry > self.longest[0]:
                heapq.heapreplace(self.longest, entry)

    def _same_session(self, ts_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each step, whether both its ends lie in one regular session."""
        if self.hours.always:
            return np.ones(max(len(ts_ns) - 1, 0), bool)
        opens = np.array(self.hours.opens_ns, np.int64)
        closes = np.array(self.hours.closes_ns, np.int64)
        number = np.searchsorted(opens, ts_ns, side="right") - 1
        # A bar is known at its end, so the last one stands on the close itself.
        inside = (number >= 0) & (ts_ns <= closes[np.maximum(number, 0)])
        return np.asarray((number[1:] == number[:-1]) & inside[1:] & inside[:-1])

    def _repeats(self, joined: Block, seen: int) -> None:
        start = max(seen - 1, 0)
        same = np.ones(max(len(joined["ts_ns"]) - start - 1, 0), bool)
        for name, code in COLUMNS[self.kind]:
            column = joined[name][start:]
            equal = column[1:] == column[:-1]
            if code == "f8":
                equal |= np.isnan(column[1:]) & np.isnan(column[:-1])
            same &= equal
        # Two prints of one size and price at one time are two trades more often than one said twice.
        if self.kind is Kind.TRADES:
            self.note("duplicates", same.sum())
        else:
            self.find("duplicates", same, joined["ts_ns"][start + 1 :])

    def _quotes(self, block: Block) -> None:
        bid, ask, ts_ns = block["bid"], block["ask"], block["ts_ns"]
        self.find("crossed", bid > ask, ts_ns)
        self.note("locked", (bid == ask).sum())
        self.note("one-sided", (np.isnan(bid) != np.isnan(ask)).sum())
        self.note("no side", (np.isnan(bid) & np.isnan(ask)).sum())
        self.find("zero price", (bid == 0) | (ask == 0), ts_ns)
        self.find("bad price", _outside(bid, 0, MOST_PRICE) | _outside(ask, 0, MOST_PRICE), ts_ns)
        bad = _outside(block["bid_size"], 0, MOST_SIZE) | _outside(block["ask_size"], 0, MOST_SIZE)
        self.find("bad size", bad, ts_ns)
        self.note("zero size", ((block["bid_size"] == 0) | (block["ask_size"] == 0)).sum())

    def _bars(self, block: Block) -> None:
        opened, high, low, close = (block[name] for name in ("open", "high", "low", "close"))
        prices = np.column_stack([opened, high, low, close])
        bad = (~(prices > 0) | _outside(prices, 0, MOST_PRICE)).any(axis=1)
        self.find("bad price", np.asarray(bad), block["ts_ns"])
        self.find("bad size", _outside(block["volume"], 0, MOST_SIZE), block["ts_ns"])
        self.find("bad length", _outside(block["span_ns"], 1, MOST_SPAN_NS), block["ts_ns"])
        outside = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
        self.find("bar contradicts itself", outside, block["ts_ns"])
        self.note("zero volume", (block["volume"] == 0).sum())
        self.note("incomplete", (~block["complete"]).sum())
        self.span_ns = int(block["span_ns"].max(initial=self.span_ns))

    def _status(self, block: Block) -> None:
        known = np.isin(block["trading"].astype(str), list(Trading))
        self.find("bad status", ~known, block["ts_ns"])
        for ts_ns, state in zip(block["ts_ns"].tolist(), block["trading"].tolist(), strict=True):
            if state == Trading.HALTED and self.halted_ns is None:
                self.halted_ns = ts_ns
            elif state != Trading.HALTED and self.halted_ns is not None:
                self.halts.append(Gap(start_ns=self.halted_ns, end_ns=ts_ns))
                self.halted_ns = None

    def _outliers(self, price: NDArray[np.float64], ts_ns: NDArray[np.int64]) -> None:
        """Count prices far from the median of the rows about them, in the distances usual in this block.

        The last ten prices wait for the next block, so that every row but the first and last five has its turn once.
        """
        there = np.isfinite(price)
        price = np.concatenate([self.prices, price[there]])
        times = np.concatenate([self.times, ts_ns[there]])
        if len(price) >= _NEIGHBOURS:
            half = _NEIGHBOURS // 2
            windows = np.lib.stride_tricks.sliding_window_view(price, _NEIGHBOURS)
            middle = np.partition(windows, half, axis=1)[:, half]
            away = np.abs(price[half:-half] - middle)
            limits = np.maximum(OUTLIER_TIMES * float(np.mean(away)), OUTLIER_LEAST * np.abs(middle))
            self.find("outliers", away > limits, times[half:-half])
        self.prices, self.times = price[1 - _NEIGHBOURS :], times[1 - _NEIGHBOURS :]

    def done(self, symbol: str, halts: tuple[Gap, ...] = ()) -> SeriesQuality:
        """The finished figures; `halts` are this instrument's."""
        limit_s = self._gap_limit_s()
        least_ns = np.inf if limit_s is None else limit_s * NS_PER_S
        long = [
            Gap(start_ns=start, end_ns=start + length) for length, start in sorted(self.longest) if length > least_ns
        ]
        gaps = sorted(
            (gap for gap in long if not any(h.start_ns < gap.end_ns and gap.start_ns < h.end_ns for h in halts)),
            key=lambda gap: gap.start_ns,
        )
        if gaps:
            self.findings["gaps"] = len(gaps)
        missing = self._missing_days()
        if missing:
            self.findings["missing days"] = len(missing)
        self.note("halts", len(self.halts) + (self.halted_ns is not None))
        return SeriesQuality(
            kind=self.kind,
            conid=self.conid,
            symbol=symbol,
            rows=self.rows,
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            findings=dict(sorted(self.findings.items())),
            found_ns=dict(sorted(self.found_ns.items())),
            notes=dict(sorted(self.notes.items())),
            gap_limit_s=limit_s,
            gaps=tuple(gaps),
            missing_days=missing,
            halts=tuple(self.halts),
        )

    def _gap_limit_s(self) -> float | None:
        total = int(self.silences.sum())
        if self.kind is Kind.STATUS or total == 0:
            return None
        usual = int(np.searchsorted(np.cumsum(self.silences), 0.99 * total))
        usual_s = 2.0 ** ((usual + 1) / _DEPTH) * 1e-6
        return max(GAP_LEAST_S, GAP_TIMES * float(usual_s), 1.5 * self.span_ns / NS_PER_S)

    def _missing_days(self) -> tuple[str, ...]:
        if self.kind is Kind.STATUS or self.hours.always:
            return ()
        missing = []
        for opened, closed in zip(self.hours.opens_ns, self.hours.closes_ns, strict=True):
            if self.first_ns <= opened and closed <= self.last_ns:
                days = {opened // _DAY_NS, closed // _DAY_NS}
                if not days & self.days:
                    missing.append(str(np.datetime64(closed // _DAY_NS, "D")))
        return tuple(missing)


def _outside(column: NDArray[Any], least: float, most: float) -> NDArray[np.bool_]:
    return np.asarray((column < least) | (column > most))


def examine(path: Path) -> Quality:
    """Read a whole recording and say what is odd about it.

    Raises: RecordingError if it is no recording at all; a file that can't be read is a finding.
    """
    problems: list[str] = []
    recording = open_recording(path, problems)
    problems += _strange_folders(path)
    refused: list[str] = []
    series: list[SeriesQuality] = []
    hours = _hours(recording, problems)
    unsealed = 0
    halts: dict[int, tuple[Gap, ...]] = {}
    for kind in (Kind.STATUS, Kind.QUOTES, Kind.TRADES, Kind.BARS):  # halts first: they explain silences
        kept: dict[int, _Series] = {}
        for source in recording.files.get(kind, ()):
            unsealed += source.file.part > 0
            if isinstance(source, Segment) and source.torn:
                problems.append(f"{source.file.path}: the segment breaks off, its open batch is lost")
        for block in pieces(_readable(recording, kind, problems, refused), _PIECE_ROWS):
            _split(recording, kind, block, kept, hours, problems)
        for conid in sorted(kept):
            made = kept[conid].done(recording.instruments[conid].symbol, halts.get(conid, ()))
            series.append(made)
            if kind is Kind.STATUS:
                halts[conid] = made.halts
    if not problems and not any(recording.rows.values()):
        problems.append(f"{path}: holds no rows")
    if refused and not problems and not any(_REFUSED & one.findings.keys() for one in series):
        problems += refused  # the order of one instrument's rows after another's, say
    head = recording.head
    return Quality(
        path=path,
        name=head.name,
        source=head.source,
        time_zone=head.time_zone,
        licence=head.licence,
        generated=head.generated,
        rows={str(kind): count for kind, count in recording.rows.items()},
        series=tuple(series),
        problems=tuple(problems),
        unsealed=unsealed,
    )


def _strange_folders(root: Path) -> list[str]:
    """Folders that no reader looks into, though they hold what may have been meant for it."""
    return [
        f"{folder}: is no kind of data; a recording has {', '.join(Kind)}"
        for folder in sorted(root.iterdir())
        if folder.is_dir() and folder.name not in set(Kind) and any(folder.glob("*.parquet"))
    ]


def _readable(recording: Recording, kind: Kind, problems: list[str], refused: list[str]) -> Iterator[Block]:
    """Blocks of a kind whatever is in them; what a reader would say of the first bad one goes to `refused`, and where a
    file breaks off a problem is told and the next one follows."""
    known = tuple(recording.instruments.values())
    last_ns = -(2**63)
    for source in recording.files.get(kind, ()):
        try:
            for first, block in source.blocks():
                if not refused:
                    try:
                        check(kind, block, first, source.file.path, known, last_ns)
                    except RecordingError as exc:
                        refused.append(str(exc))
                    last_ns = int(block["ts_ns"][-1])
                yield block
        except RecordingError as exc:
            problems.append(str(exc))


def _split(
    recording: Recording,
    kind: Kind,
    block: Block,
    kept: dict[int, _Series],
    hours: Mapping[int, Sessions],
    problems: list[str],
) -> None:
    conids = np.unique(block["conid"]).tolist()
    for conid in conids:
        if conid not in recording.instruments:
            sentence = f"{recording.path / kind}: conid {conid} is not among the recording's instruments"
            if sentence not in problems:
                problems.append(sentence)
            continue
        rows = block
        if len(conids) > 1:
            wanted = block["conid"] == conid
            rows = {name: column[wanted] for name, column in block.items()}
        if conid not in kept:
            kept[conid] = _Series(kind=kind, conid=conid, hours=hours[conid])
        kept[conid].take(rows)


def _hours(recording: Recording, problems: list[str]) -> dict[int, Sessions]:
    made: dict[str, Sessions] = {}
    if not any(recording.rows.values()):
        return {conid: Sessions.round_the_clock() for conid in recording.instruments}
    first, last = recording.span()
    for instrument in recording.instruments.values():
        if instrument.calendar not in made:
            try:
                made[instrument.calendar] = sessions(instrument.calendar, first, last)
            except ConfigError as exc:
                problems.append(f"{recording.path}: {exc}")
                made[instrument.calendar] = Sessions.round_the_clock()
    return {conid: made[instrument.calendar] for conid, instrument in recording.instruments.items()}
