"""The one place that knows every adapter by name: it joins settings, recording, venue, journal and the replay ring."""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from attrs import evolve, field, fields, frozen

from engine.bookkeeping import Due, assumed, carried_into, due, pairs_wanted
from engine.calendars import sessions
from engine.domain.actions import Action
from engine.domain.instrument import Instrument
from engine.domain.sessions import Sessions
from engine.errors import ConfigError, InputError, StrategyError
from engine.journal.run import RunJournal
from engine.journal.unfinished import unfinished
from engine.manifest import manifest
from engine.recording.quality import examine
from engine.recording.reader import Recording, open_recording
from engine.risk.limits import with_defaults
from engine.risk.margin import OFF, margin_row
from engine.runtime.backtest import Backtest, Job
from engine.runtime.outcome import Outcome
from engine.settings import Settings
from engine.stopping import Tidied
from engine.strategy.loading import Loaded
from engine.strategy.loading import load as load_strategy
from engine.venue.schedules import load_fees
from engine.venue.sim import SimVenue

RUNS = Path("runs")
Progress = Callable[[int, int, int, float], None]  # rows done, rows in all, time reached (ns UTC), equity


@frozen(kw_only=True, eq=False)
class Prepared:
    """Everything a run needs, read and checked, before its first row."""

    settings: Settings
    recording: Recording
    strategies: tuple[Loaded, ...]
    instruments: Mapping[int, Instrument]
    conids: frozenset[int]
    sessions: Mapping[str, Sessions]
    start_ns: int | None
    end_ns: int | None
    span_ns: tuple[int, int]
    warm_up_until_ns: int
    due: Due
    began: float = field(factory=perf_counter)

    @property
    def actions(self) -> tuple[Action, ...]:
        """What comes due within the run by the calendar: corporate actions, interest, rates of currencies."""
        return self.due.actions

    @property
    def rows(self) -> int:
        """How many rows the recording has, of all instruments and its whole span: for a progress bar."""
        return sum(self.recording.rows.values())


def prepare(settings: Settings) -> Prepared:
    """Read what a run needs and check it against the recording.

    Raises: InputError, in one sentence, for anything that does not fit.
    """
    began = perf_counter()
    recording = open_recording(settings.recording.path)
    strategies = tuple(load_strategy(one, settings.source) for one in settings.strategies)
    by_symbol = {instrument.symbol: instrument for instrument in recording.instruments.values()}
    wanted = _wanted(settings, by_symbol)
    first_ns, last_ns = recording.span()
    start_ns = _moment(settings, "start", recording)
    end_ns = _moment(settings, "end", recording)
    warm_up_ns = _moment(settings, "warm_up_until", recording)
    low = first_ns if start_ns is None else max(start_ns, first_ns)
    high = last_ns if end_ns is None else min(end_ns, last_ns)
    if low > high:
        raise ConfigError("no row of the recording lies between start and end", place=f"{settings.source}: recording")
    wanted |= carried_into(recording, wanted)
    wanted |= pairs_wanted(settings, recording)
    instruments = {conid: recording.instruments[conid] for conid in sorted(wanted)}
    calendars = sorted({recording.instruments[conid].calendar for conid in wanted})
    return Prepared(
        settings=settings,
        recording=recording,
        strategies=strategies,
        instruments=instruments,
        conids=frozenset(wanted),
        sessions={name: _sessions(name, low, high, recording.path) for name in calendars},
        start_ns=start_ns,
        end_ns=end_ns,
        span_ns=(low, high),
        warm_up_until_ns=warm_up_ns or 0,
        due=due(settings, recording, instruments, (low, high)),
        began=began,
    )


def run(
    prepared: Prepared,
    journal: RunJournal,
    *,
    progress: Progress | None = None,
    widths: Callable[[], int] | None = None,
) -> Outcome:
    """Run a backtest and return its outcome; the journal then holds its facts.

    Args:
        widths: Says how many rows the next window may have, for the checker; None leaves it to the ring.
    """
    settings, recording = prepared.settings, prepared.recording
    chunks = recording.chunks(
        chunk_rows=settings.replay.chunk,
        start_ns=prepared.start_ns,
        end_ns=prepared.end_ns,
        conids=prepared.conids,
        adjust=settings.recording.adjust_splits,
    )
    read_before = recording.read_s
    with _placed(settings.source):
        test = _backtest(prepared, journal, progress, widths)
        run_began = perf_counter()
        test.run(chunks)
    ran = perf_counter()
    result = test.result()
    return Outcome(
        settings=settings,
        instruments=prepared.instruments,
        run_s=ran - run_began - (recording.read_s - read_before),
        total_s=ran - prepared.began,
        assumptions=_assumptions(settings, prepared),
        manifest=manifest(settings, recording, prepared.strategies),
        **{one.name: getattr(result, one.name) for one in fields(type(result))},
    )


def _backtest(
    prepared: Prepared, journal: RunJournal, progress: Progress | None, widths: Callable[[], int] | None
) -> Backtest:
    settings = prepared.settings
    fees = load_fees(settings.venue.fees)
    venue = SimVenue(
        instruments=prepared.instruments,
        settings=settings.venue,
        sessions=prepared.sessions,
        fees=fees,
        seed=settings.seed,
    )
    by_symbol = {instrument.symbol: instrument for instrument in prepared.instruments.values()}
    return Backtest(
        settings=settings,
        instruments=prepared.instruments,
        sessions=prepared.sessions,
        jobs=tuple(
            Job(
                name=one.name,
                strategy=loaded.strategy_class,
                params=loaded.params,
                instruments=tuple(by_symbol[symbol] for symbol in one.instruments),
            )
            for one, loaded in zip(settings.strategies, prepared.strategies, strict=True)
        ),
        venue=venue,
        venue_counts=venue.counts,
        journal=journal,
        span_ns=prepared.span_ns,
        warm_up_until_ns=prepared.warm_up_until_ns,
        progress=None if progress is None else partial(_report, progress, prepared.rows),
        widths=widths,
        actions=prepared.actions,
        plugins=() if settings.books.margin == OFF else (margin_row(settings.books.margin),),
        financing=prepared.due.financing,
        rates=prepared.due.rates,
    )


@contextlib.contextmanager
def _placed(source: Path) -> Iterator[None]:
    """Let an error about a key of the configuration, or about a strategy, name the file, too."""
    try:
        yield
    except StrategyError as error:
        raise StrategyError(str(error), place=str(source)) from error
    except ConfigError as error:
        if error.place is None or error.place.startswith(("venue.", "account.", "books.")):
            raise ConfigError(str(error), place=str(source)) from error
        raise


def _report(progress: Progress, total: int, done: int, ts_ns: int, equity: float) -> None:
    progress(done, total, ts_ns, equity)


def backtest(
    settings: Settings, out: Path | None, *, write: Callable[[Outcome, Path], object], progress: Progress | None = None
) -> tuple[Outcome, Path]:
    """Run a backtest and fill its result folder; returns the outcome and the folder.

    Args:
        out: The folder; None for `runs/NAME-HASH`.
        write: Writes the files of the result, `result.json` last.
        progress: Called now and then with rows done, rows in all, time reached (ns UTC) and equity.
    """
    prepared = prepare(settings)
    with contextlib.ExitStack() as held:
        if out is None:
            working = held.enter_context(unfinished(RUNS))
        else:
            held.enter_context(_alone_in(out))
            _clear(out)
            working = out
        journal = held.enter_context(contextlib.closing(RunJournal(working / ".journal.db.part")))
        held.enter_context(Tidied(journal.close))
        outcome = run(prepared, journal, progress=progress)
        outcome = evolve(outcome, quality=examine(settings.recording.path).as_dict())
        folder = out
        if folder is None:
            folder = RUNS / f"{settings.name}-{outcome.hash[:10]}"
            held.enter_context(_alone_in(folder))
            _clear(folder)
        journal.save(folder / "journal.db")
        write(outcome, folder)
    return outcome, folder


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a result folder for one run; another that wants it meanwhile is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"the result can't be written there: {error.strerror}", place=str(folder)) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError("another run is writing its result there", place=str(folder)) from None
        yield
    finally:
        os.close(lock)


def _clear(folder: Path) -> None:
    """Make the folder, or take its old result away first, so that a run that fails leaves none behind."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"the result can't be written there: {error.strerror}", place=str(folder)) from error


def _wanted(settings: Settings, by_symbol: Mapping[str, Instrument]) -> set[int]:
    """Conids to replay: those asked for, or else those that a strategy trades, with the legs of combos."""
    symbols: list[tuple[str, str]] = []
    for one in settings.strategies:
        symbols += [(symbol, f"strategy.{one.name}.instruments") for symbol in one.instruments]
    allowed = settings.recording.instruments
    if allowed is not None:
        symbols += [(symbol, "recording.instruments") for symbol in allowed]
    symbols += [(symbol, f"risk.instrument.{symbol}") for symbol in settings.risk.instrument]
    risk = settings.risk
    for key, limits in (("account", risk.account), *((f"strategy.{n}", one) for n, one in risk.strategy.items())):
        symbols += [(symbol, f"risk.{key}.restricted") for symbol in limits.restricted]
    wanted: set[int] = set()
    for symbol, key in symbols:
        instrument = by_symbol.get(symbol)
        if instrument is None:
            near = difflib.get_close_matches(symbol, by_symbol, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(by_symbol))}"
            raise ConfigError(f"the recording has no instrument {symbol!r}{hint}", place=f"{settings.source}: {key}")
        if allowed is not None and symbol not in allowed:
            if key.startswith("strategy."):
                raise ConfigError(f"{symbol} is not among recording.instruments", place=f"{settings.source}: {key}")
            continue
        if not key.startswith("risk."):
            wanted.add(instrument.conid)
            wanted.update(leg.conid for leg in instrument.legs)
    return wanted


def _sessions(name: str, start_ns: int, end_ns: int, root: Path) -> Sessions:
    try:
        return sessions(name, start_ns, end_ns)
    except ConfigError as error:
        raise ConfigError(error.problem, place=f"{root / 'recording.toml'}: calendar") from error


def _moment(settings: Settings, key: str, recording: Recording) -> int | None:
    text: str | None = getattr(settings.recording, key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no ISO 8601 time", place=f"{settings.source}: recording.{key}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(recording.head.time_zone))
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


def _assumptions(settings: Settings, prepared: Prepared) -> tuple[tuple[str, str], ...]:
    venue, latency = settings.venue, settings.venue.latency_ms
    limits = with_defaults(settings.risk.account)
    zone = prepared.recording.head.time_zone
    shares = venue.participation
    found = [
        ("recording", f"{prepared.recording.head.name}{' (generated)' if prepared.recording.head.generated else ''}"),
        ("source zone", zone),
        ("fill rule", venue.fills),
        ("resting orders fill at", venue.resting_price),
        ("latency", f"place {latency.place:g}, modify {latency.modify:g}, cancel {latency.cancel:g} ms; "
                    f"report {latency.report:g} ms"),
        ("participation", f"quote {shares.quote:g}, trade {shares.trade:g}, bar {shares.bar:g}"),
        ("slippage", venue.slippage if venue.slippage == "none" else f"{venue.slippage} {venue.slippage_size:g}"),
        ("stop trigger", venue.stop_trigger),
        ("fees", venue.fees),
        ("open positions marked", "longs at the bid, shorts at the ask; bars at the close"),
        ("prices", "adjusted for splits" if settings.recording.adjust_splits else
                   "as traded; a split converts positions and cancels orders"),
        *assumed(settings, prepared.due),
        ("own orders", "do not move the recorded market"),
        ("data that end before a close", "DAY orders expire at the close, MOC and LOC go unfilled"),
        ("risk limits", _limits(limits)),
    ]  # fmt: skip
    if settings.recording.warm_up_until is not None:
        found.append(("no orders before", settings.recording.warm_up_until))
    return tuple(found)


def _limits(limits: Any) -> str:
    names = {
        "order_quantity_max": "quantity",
        "order_notional_max": "notional",
        "price_collar_pct": "collar %",
        "position_max": "position",
        "open_orders_max": "open orders",
        "orders_per_minute_max": "orders/min",
        "duplicate_window_s": "duplicate s",
        "quote_age_max_s": "quote age s",
    }
    return ", ".join(f"{label} {_number(getattr(limits, name))}" for name, label in names.items())


def _number(value: Decimal | int) -> str:
    return f"{value:,}"
