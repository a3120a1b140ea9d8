"""Opening the exchange: fresh, or from what a state folder holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_S
from engine.errors import InputError
from engine.gateway import contracts as listing
from engine.gateway.accounts import opened
from engine.gateway.blotter import Blotter
from engine.gateway.exchange import SimExchange
from engine.gateway.hours import Hours, next_day_ns
from engine.gateway.market import MarketFeed
from engine.gateway.options import Options
from engine.gateway.store import Store
from engine.gateway.synthetic import START_NS, SyntheticMarket
from engine.venue.fees import FeeSchedule, Section, Table
from engine.venue.live import LiveVenue
from engine.venue.schedules import load_fees


def open_exchange(
    options: Options,
    *,
    recording: Path | None = None,
    synthetic: Sequence[str] = (),
    state_dir: Path | None = None,
    start_ns: int | None = None,
) -> SimExchange:
    """Open the gateway's exchange.

    Args:
        options: How the gateway behaves.
        recording: Folder of the recording that is its market; None: the synthetic market of `synthetic`.
        synthetic: Symbols of the synthetic market.
        state_dir: Goes on from the books, orders and clock kept there, and keeps them; None: nothing is kept.
        start_ns: When a fresh gateway's clock starts; None: at the recording's first session, or on a trading day at
            10:00 in New York.

    Raises: InputError, in one sentence: no market or two, a folder in use or begun with another market, a recording
        that can't be read.
    """
    if (recording is None) != bool(synthetic):
        raise InputError("a gateway needs a recording or the symbols of a synthetic market, and not both")
    store = None if state_dir is None else Store(state_dir, clock_every_ns=int(options.speed * NS_PER_S / 2))
    try:
        return _open(options, recording, synthetic, store, start_ns)
    except BaseException:
        if store is not None:
            store.close()
        raise


def _open(
    options: Options,
    recording: Path | None,
    synthetic: Sequence[str],
    store: Store | None,
    start_ns: int | None,
) -> SimExchange:
    fresh = store is None or store.fresh
    what: dict[str, Any] = {"seed": options.seed, "synthetic": list(dict.fromkeys(synthetic))}
    if recording is not None:
        what = {"recording": str(recording.resolve())}
    if store is not None and not fresh:
        if store.value("market") != what:
            raise InputError(
                f"this state folder was begun with another market, {_named(store.value('market'))}",
                place=str(store.folder),
            )
        start_ns = store.number("start_ns", 0)
    source = None if recording is None else _recorded(recording)
    if start_ns is None:
        start_ns = START_NS if source is None else source[1]
    now_ns = start_ns if store is None or fresh else store.number("now_ns", start_ns)
    hours = Hours(min(start_ns, now_ns))
    hours.draw_on(now_ns)
    market: MarketFeed
    if source is None:
        market = SyntheticMarket(
            what["synthetic"],
            base=options.base,
            hours=hours,
            seed=options.seed,
            start_ns=start_ns,
            halts=options.halts,
        )
        midnight = next_day_ns(start_ns)
        while midnight <= now_ns:  # what was listed on each day since, for it may still be held
            market.roll(midnight, market.contracts)
            midnight = next_day_ns(midnight)
    else:
        market = source[0](hours, start_ns)
    exchange = assemble(options, market, hours, now_ns, store=store)
    if store is None:
        return exchange
    if fresh:
        store.put("market", what)
        store.put("start_ns", start_ns)
    else:
        exchange.take_back(store)
    exchange.save()
    return exchange


def _recorded(path: Path) -> tuple[Callable[[Hours, int], MarketFeed], int]:
    """What makes a recording a market, and its first session."""
    from engine.gateway.playback import RecordedMarket, first_session_ns  # these import pyarrow
    from engine.recording.reader import open_recording

    recording = open_recording(path)
    return (lambda hours, start_ns: RecordedMarket(recording, hours, start_ns)), first_session_ns(recording)


def assemble(
    options: Options,
    market: MarketFeed,
    hours: Hours,
    now_ns: int,
    *,
    store: Store | None = None,
) -> SimExchange:
    """An exchange on any market, with accounts that are fresh or a store's; orders of the store are not back yet."""
    accounts = {} if store is None else store.accounts()
    fresh = [name for name in account_names(options) if name not in accounts]
    accounts = {name: accounts.get(name) or opened(name, options.cash) for name in account_names(options)}
    combos = {}
    for currency, legs in [] if store is None else store.combos():
        contract = listing.combo(legs, currency, market.contracts)
        combos[contract.instrument.conid] = contract
    fees = covering(load_fees(options.venue.fees), (contract.instrument for contract in market.contracts.values()))
    instruments: dict[int, Instrument] = {}
    exchange = SimExchange(
        options,
        market=market,
        hours=hours,
        venue=LiveVenue(instruments=instruments, settings=options.venue, sessions={}, fees=fees, seed=options.seed),
        instruments=instruments,
        accounts=accounts,
        blotter=Blotter(
            accounts,
            market.contracts,
            delay_ns=round(options.commission_delay_s * NS_PER_S),
            first_execution=market.start_ns // NS_PER_S,
        ),
        combos=combos,
        store=store,
        now_ns=now_ns,
    )
    for name in fresh:
        accounts[name].day_value = exchange.funds(name).net_liquidation
        exchange.blotter.changed_accounts.add(name)
    return exchange


def account_names(options: Options) -> list[str]:
    """The accounts' ids, counted up from the first."""
    prefix = options.first_account.rstrip("0123456789")
    digits = options.first_account[len(prefix) :]
    first = int(digits or 0)
    return [f"{prefix}{first + number:0{len(digits)}d}" for number in range(options.accounts)]


def covering(schedule: FeeSchedule, instruments: Iterable[Instrument]) -> FeeSchedule:
    """A schedule that charges nothing for instruments that it does not name, so that any recording can be traded."""
    kinds = sorted({(one.sec_type, one.currency) for one in instruments if one.sec_type is not SecType.COMBO})
    tables = []
    for table in schedule.tables:
        sections = dict(table.sections)
        for kind, currency in kinds:
            probe = Instrument(conid=0, symbol="", sec_type=kind, currency=currency)
            if table.section(probe) is None:
                sections[kind] = (*sections.get(kind, ()), Section(currency=currency))
        tables.append(Table(valid_from=table.valid_from, sections=sections))
    return FeeSchedule(name=schedule.name, source=schedule.source, tables=tuple(tables))


def _named(what: Any) -> str:
    if isinstance(what, dict) and "recording" in what:
        return str(what["recording"])
    return f"--synthetic {','.join(what['synthetic'])} --seed {what['seed']}" if isinstance(what, dict) else "unknown"
