"""`engine recording import`: source files into a recording, streamed, all or nothing.

Rows go into staged segments in a folder beside the recording; days are then merged into Parquet there, and the new
folder takes the place of the old one at the very end, so an import that fails leaves the earlier recording whole.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY, iso
from engine.errors import RecordingError
from engine.recording.head import Head, read_head, zone
from engine.recording.layout import HEAD_FILE, day_of
from engine.recording.merging import Stage, assemble, install, recover
from engine.recording.naming import Naming, check_calendars, given_instruments
from engine.recording.nbbo import Nbbo, PairedBest
from engine.recording.rows import NEEDED, NEEDED_FOR_NBBO, PAIRED_NOTE, Reading, RowMaker
from engine.recording.sources import Source, find_sources, line_of, parse_columns, pieces
from engine.recording.stamps import UNIT_NS, date_in, length_ns, midnight_ns
from engine.stopping import Tidied

_DOUBTFUL_BEFORE_NS = 3_652 * NS_PER_DAY  # 1980: an epoch read in too large a unit lies in 1970
_DAY_AND_NIGHT_NS = 36 * 3_600_000_000_000


@frozen(kw_only=True)
class SourceSummary:
    """What became of one source; `dropped` counts rows by reason, `read_as` says how stamps were understood."""

    source: str
    instrument: str
    read: int
    kept: int
    equal_stamps: int
    dropped: Mapping[str, int]
    unit: str
    read_as: str = ""


@frozen(kw_only=True)
class Summary:
    """What an import did. `locked` and `crossed` count results of `--nbbo`; `notes` are sentences for the user."""

    out: Path
    kind: str
    sources: tuple[SourceSummary, ...]
    days: tuple[str, ...]
    locked: int = 0
    crossed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """Rows read from all sources."""
        return sum(source.read for source in self.sources)

    @property
    def kept(self) -> int:
        """Rows that are in the recording now."""
        return sum(source.kept for source in self.sources)

    @property
    def dropped(self) -> dict[str, int]:
        """Rows left out, by reason."""
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(source.dropped)
        return {reason: count for reason, count in sorted(total.items()) if count}

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        whole = asdict(self)
        return {
            **whole, "out": str(self.out), "read": self.read, "kept": self.kept, "dropped": self.dropped
        }  # fmt: skip


def import_files(
    sources: Sequence[Path],
    out: Path,
    *,
    kind: str,
    form: str | None = None,
    columns: str = "",
    header: bool = True,
    date_from: str | None = None,
    ts_unit: str | None = None,
    tz: str | None = None,
    price_scale: str = "1",
    bar: str | None = None,
    stamp: str | None = None,
    nbbo: bool = False,
    instrument: Path | None = None,
    this_year: int | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """Import files into a new or an existing recording, as the options of `engine recording import` say.

    Args:
        form: csv, parquet or zip; None goes by the name.
        date_from: None, "from-name" or YYYY-MM-DD; with a date, stamps count from its local midnight.
        this_year: Stamps after the next one are noted as doubtful; None leaves that out.
        progress: Is told the source and its rows so far, once a piece.

    Raises: RecordingError with file and line; the recording is then as it was.
    """
    reading = _reading(kind, ts_unit, tz, price_scale, bar, stamp, nbbo)
    mapping = parse_columns(columns)
    if not header and not mapping:
        raise RecordingError("a file without header needs --columns NAME=NUMBER,...")
    shown, out = out, out.resolve()  # it is renamed, so links and dots in it must be gone
    if not out.name:
        raise RecordingError("can't be a recording's folder", place=str(shown))
    try:
        recover(out)
        old = _existing(out)
        known = Naming(given=given_instruments(instrument))
        check_calendars(known.given, instrument)
        for one in (*(old.instruments if old else ()), *known.given):
            known.by_symbol[one.symbol.upper()] = one
        found = find_sources(list(sources), form)
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.importing-", dir=out.parent))
        stage = Stage(work / "staged", reading.kind)
        states: dict[tuple[int, bool], Nbbo | PairedBest] = {}
        with _removed(work, stage):
            summaries = []
            doubts: list[str] = []
            for source in found:
                maker = RowMaker(
                    reading=reading,
                    start_ns=_start_ns(source, date_from, reading),
                    conid_of=known.of_text,
                    default_conid=known.of_names(source.names),
                    place=lambda row, source=source: line_of(source, row, header),  # type: ignore[misc]
                    nbbo=states,
                )
                _read(source, maker, stage, mapping, header, progress)
                summaries.append(_summary(source, maker, stage.conids, known))
                doubts += _doubts(source, maker, this_year)
            days = assemble(out, work / "new", stage, _head(out, old, known, reading, found))
            install(work / "new", out)
    except OSError as exc:
        raise RecordingError(f"can't be written ({exc.strerror or exc})", place=str(shown)) from exc
    return Summary(
        out=shown,
        kind=reading.kind,
        sources=tuple(summaries),
        days=tuple(days),
        locked=sum(state.locked for state in states.values()),
        crossed=sum(state.crossed for state in states.values()),
        notes=(*doubts, *_notes(known, old, reading, paired=any(paired for _, paired in states))),
    )


@contextmanager
def _removed(work: Path, stage: Stage) -> Iterator[None]:
    """The working folder goes away whatever happens, a signal that ends the process included."""

    def remove() -> None:
        shutil.rmtree(work, ignore_errors=True)

    try:
        with Tidied(remove):
            yield
    finally:
        stage.close()
        remove()


def _read(
    source: Source,
    maker: RowMaker,
    stage: Stage,
    mapping: Mapping[str, str],
    header: bool,
    progress: Callable[[str, int], None] | None,
) -> None:
    """Stage all rows of one source."""
    reading = maker.reading
    stage.begin(source)
    for piece in pieces(source, mapping, header, NEEDED_FOR_NBBO if reading.nbbo else NEEDED[reading.kind]):
        try:
            block = maker.take(piece)
        except UnicodeDecodeError as exc:  # Parquet does not look into its texts
            raise RecordingError("holds a text that is no UTF-8", place=str(source)) from exc
        if block is not None:
            stage.add(block)
        if progress is not None:
            progress(str(source), maker.read)
    stage.end()
    if not maker.read:
        raise RecordingError("holds no rows", place=str(source))


def _doubts(source: Source, maker: RowMaker, this_year: int | None) -> list[str]:
    """What speaks against the unit that the stamps were read in."""
    first_ns, last_ns = maker.first_ns, maker.last_ns
    if first_ns is None or last_ns is None:
        return []
    if maker.start_ns is not None:
        if last_ns - maker.start_ns <= _DAY_AND_NIGHT_NS:
            return []
        told = f"the last stamp is {iso(last_ns)}, more than a day after the date they count from"
    elif first_ns < _DOUBTFUL_BEFORE_NS:
        told = f"the first stamp is {iso(first_ns)}, before 1980"
    elif this_year is not None and int(day_of(last_ns)[:4]) > this_year + 1:
        told = f"the last stamp is {iso(last_ns)}, after next year"
    else:
        return []
    return [f"{source}: {told}; if that is wrong, --ts-unit {maker.unit} is, too"]


def _notes(known: Naming, old: Head | None, reading: Reading, *, paired: bool) -> list[str]:
    notes = [*known.notes]
    if paired:
        notes.append(PAIRED_NOTE)
    if old is not None and old.time_zone != reading.zone.key:
        notes.append(f"the recording keeps its time zone {old.time_zone}; these files were read in {reading.zone.key}")
    return notes


def _reading(
    kind: str, unit: str | None, tz: str | None, scale: str, bar: str | None, stamp: str | None, nbbo: bool
) -> Reading:
    if kind not in NEEDED:
        raise RecordingError(f"--kind {kind} is none of {', '.join(NEEDED)}")
    if unit is not None and unit not in (*UNIT_NS, "iso"):
        raise RecordingError(f"--ts-unit {unit} is none of {', '.join(UNIT_NS)}, iso")
    if stamp not in (None, "open", "close"):
        raise RecordingError(f"--stamp {stamp} is neither open nor close")
    try:
        factor = Decimal(scale)
    except InvalidOperation:
        factor = Decimal(0)
    if not (factor.is_finite() and factor > 0):
        raise RecordingError(f"--price-scale {scale} is no number above zero")
    if abs(factor.adjusted()) > 12:
        raise RecordingError(f"--price-scale {scale} is beyond all reason")
    if kind == Kind.BARS and bar is None:
        raise RecordingError("bars need their length: --bar 1m, say")
    if kind != Kind.BARS and (bar is not None or stamp is not None):
        raise RecordingError("--bar and --stamp belong to --kind bars")
    if nbbo and kind != Kind.QUOTES:
        raise RecordingError("--nbbo belongs to --kind quotes")
    return Reading(
        kind=Kind(kind),
        zone=zone(tz or "UTC", place="--tz"),
        unit=unit,
        scale=factor,
        span_ns=0 if bar is None else length_ns(bar),
        stamp_is_open=stamp != "close",  # unsaid, the later reading: it can't look ahead
        nbbo=nbbo,
    )


def _start_ns(source: Source, text: str | None, reading: Reading) -> int | None:
    day = _day(source, text)
    return None if day is None else midnight_ns(day, reading.zone)


def _day(source: Source, text: str | None) -> date | None:
    if text is None:
        return None
    if text == "from-name":
        found = next((day for name in source.names if (day := date_in(name))), None)
        if found is None:
            raise RecordingError("the file name has no date (YYYYMMDD or YYYY-MM-DD)", place=str(source))
        return found
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RecordingError(f"--date {text} is neither from-name nor a date like 2024-01-02") from None


def _existing(out: Path) -> Head | None:
    if out.is_dir() and any(out.iterdir()):
        return read_head(out)  # says so if it is some other folder
    if out.exists() and not out.is_dir():
        raise RecordingError("is a file, not a folder for a recording", place=str(out))
    return None


def _head(out: Path, old: Head | None, known: Naming, reading: Reading, found: list[Source]) -> Head:
    instruments = {one.conid: one for one in (old.instruments if old else ())}
    for conid, one in known.used.items():
        if instruments.setdefault(conid, one) != one:
            raise RecordingError(
                f"conid {conid} is {instruments[conid].symbol} with other fields than --instrument gives",
                place=str(out / HEAD_FILE),
            )
    symbols = Counter(one.symbol for one in instruments.values())
    for symbol, count in symbols.items():
        if count > 1:
            raise RecordingError(f"{symbol} is there already under another conid", place=str(out / HEAD_FILE))
    text = f"{reading.kind} imported from " + ", ".join(sorted({source.path.name for source in found}))
    table = tuple(instruments[conid] for conid in sorted(instruments))
    if old is None:
        return Head(name=out.name, source=text, time_zone=reading.zone.key, instruments=table)
    joined = old.source if text in old.source else "; ".join(filter(None, (old.source, text)))
    return evolve(old, source=joined, instruments=table)


def _read_as(maker: RowMaker) -> str:
    """How stamps were understood, as a phrase."""
    zone, unit = maker.reading.zone.key, maker.unit
    guessed = "" if maker.reading.unit else " (guessed; --ts-unit says otherwise)"
    if unit == "iso":
        if maker.start_ns is not None:
            return f"times of the day in {zone}{guessed}"
        return f"ISO times in {zone} unless they name an offset{guessed}"
    since = "1970 UTC" if maker.start_ns is None else f"midnight in {zone}"
    return f"{unit} since {since}{guessed}"


def _summary(source: Source, maker: RowMaker, conids: set[int], known: Naming) -> SourceSummary:
    symbols = sorted(known.used[conid].symbol for conid in conids)
    return SourceSummary(
        source=str(source),
        instrument=", ".join(symbols),
        read=maker.read,
        kept=maker.kept,
        equal_stamps=maker.equal_stamps,
        dropped={reason: count for reason, count in sorted(maker.dropped.items()) if count},
        unit=maker.unit or "",
        read_as=_read_as(maker),
    )
