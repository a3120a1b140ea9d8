"""What the gate knows of every strategy in every instrument, with the limits in force: made on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import nan

from attrs import evolve

from engine.domain.instrument import Instrument
from engine.domain.sessions import Sessions
from engine.risk.account import Account
from engine.risk.catalogue import Row, arm
from engine.risk.covering import OPTIONS
from engine.risk.days import Days
from engine.risk.exposure import Exposure, Level, Reserved, Tally, Units
from engine.risk.limits import LEVELS, Bounds, counts, resolve
from engine.risk.outside import Outside
from engine.risk.planning import plan_of
from engine.risk.register import Register
from engine.risk.resting import Resting
from engine.settings import RiskSettings


class Exposures:
    """Every exposure, and the account that they belong to.

    Args:
        rates: Price of one unit of each currency in base currency.
        warm_up_until_ns: No order is approved before.
        outside: What a venue says of the account; None in a backtest.
        plugins: Rows of a user's own.
        equity: What the account is worth to begin with, in base currency.
    """

    def __init__(
        self,
        *,
        settings: RiskSettings,
        instruments: Mapping[int, Instrument],
        sessions: Mapping[str, Sessions],
        rates: Mapping[str, Decimal],
        warm_up_until_ns: int,
        outside: Outside | None,
        plugins: Sequence[Row],
        equity: float | None,
    ) -> None:
        self.settings = settings
        self.instruments = instruments
        self.sessions = sessions
        self.plugins = plugins
        self.known: dict[tuple[str, int], Exposure] = {}
        self.open: dict[str, Reserved] = {}  # orders of all, by coid; the ledger writes it
        self.tally = Tally([self.open])  # the account's
        self._rates = rates
        self._warm_up_until_ns = warm_up_until_ns
        self._units: dict[int, Units] = {}
        self._values = {conid: _unit_value(one, rates) for conid, one in instruments.items()}
        self._options = any(one.sec_type in OPTIONS for one in instruments.values())
        self._strategy_tallies: dict[str, Tally] = {}
        self._instrument_tallies: dict[int, Tally] = {}
        self.account = Account(
            exposures=self.known,
            units=self._units,
            instruments=instruments,
            values=self._values,
            sectors=settings.sectors,
            outside=outside,
            days=Days(settings.day_start_s),
            equity=equity,
        )
        self.account.counting = outside is not None or bool(plugins) or counts(settings)

    def of(self, strategy: str, conid: int) -> Exposure:
        """What is at stake for a strategy in an instrument. Raises: KeyError for one that is not known."""
        found = self.known.get((strategy, conid))
        return self._make(strategy, conid) if found is None else found

    def unknown(self, conid: int) -> bool:
        """Whether an instrument, or a leg of it, is not known."""
        instrument = self.instruments.get(conid)
        return instrument is None or any(leg.conid not in self.instruments for leg in instrument.legs)

    def rate_now(self, currency: str) -> None:
        """A currency's rate has changed in the mapping that we were given: all in it is worth more or less."""
        for conid, instrument in self.instruments.items():
            if instrument.currency == currency:
                self._values[conid] = _unit_value(instrument, self._rates)
        for exposure in self.known.values():
            if exposure.instrument.currency == currency:
                exposure.revalue(self._rates.get(currency))
        for lines in self.account.lines.values():
            lines.forget()
        self.account.meter.void()

    def reload(self, settings: RiskSettings) -> None:
        """Take over other limits; what is reserved stays reserved."""
        self.settings = settings
        self.account.counting = self.account.counting or counts(settings)
        for (strategy, _), exposure in self.known.items():
            bounds = self._bounds(strategy, exposure.instrument, exposure.legs)
            tallies = exposure.tallies
            exposure.rebound(
                bounds, _levels(tallies, bounds.open_orders_max), _levels(tallies, bounds.orders_per_minute_max)
            )
            self._arm(exposure)
        self.account.sectors = settings.sectors
        self.account.meter.void()
        for lines in self.account.lines.values():
            lines.forget()

    def _make(self, strategy: str, conid: int) -> Exposure:
        instrument = self.instruments[conid]
        legs = tuple((leg.ratio, self.of(strategy, leg.conid)) for leg in instrument.legs)
        bounds = self._bounds(strategy, instrument, legs)
        tallies = (
            self.tally,
            self._strategy_tallies.setdefault(strategy, Tally()),
            self._instrument_tallies.setdefault(conid, Tally()),
        )
        made = self.known[strategy, conid] = Exposure(
            strategy=strategy,
            instrument=instrument,
            sessions=self.sessions.get(instrument.calendar),
            bounds=bounds,
            rate=self._rates.get(instrument.currency),
            units=(self._units.setdefault(conid, Units()), Units()),
            tallies=tallies,
            warm_up_until_ns=self._warm_up_until_ns,
            legs=legs,
            open_levels=_levels(tallies, bounds.open_orders_max),
            rate_levels=_levels(tallies, bounds.orders_per_minute_max),
            open_of_all=self.open,
            account=self.account,
        )
        for tally in tallies[1:]:
            tally.books.append(made.open)
        self.account.beside.setdefault(conid, []).append(made)
        self.account.meter.void()
        if instrument.sec_type in OPTIONS:
            self.account.options[conid] = made.units[0], float(instrument.multiplier)
        self._arm(made)
        return made

    def _bounds(self, strategy: str, instrument: Instrument, legs: tuple[tuple[int, Exposure], ...]) -> Bounds:
        live = self.account.outside is not None
        bounds = resolve(self.settings, strategy=strategy, symbol=instrument.symbol, live=live)
        return evolve(bounds, restricted=True) if any(leg.bounds.restricted for _, leg in legs) else bounds

    def _arm(self, exposure: Exposure) -> None:
        live = self.account.outside is not None
        exposure.armed, exposure.armed_changes = arm(
            exposure.bounds,
            exposure.instrument,
            live=live,
            options=self._options,
            plugins=self.plugins,
            legs=[(leg.bounds, leg.instrument) for _, leg in exposure.legs],
        )
        account, conid = self.account, exposure.instrument.conid
        if exposure.bounds.tightest.self_trade is False and conid not in account.resting:
            resting = account.resting[conid] = Resting()
            for other in account.beside[conid]:
                other.resting = resting
                for entry in other.open.values():
                    resting.add(entry)
        exposure.resting = account.resting.get(conid)
        followed = len(account.lines)
        if account.counting and exposure.register is None:
            exposure.register = Register(account, exposure)
        exposure.plan = plan_of(exposure) if exposure.armed or exposure.register is not None else None
        # A limit on one strategy or instrument may be the first that wants the money of all of them followed.
        for other in self.known.values() if len(account.lines) > followed else (exposure,):
            other.followed_by(tuple(of for owner, of in account.lines.items() if owner in (None, other.strategy)))


def _unit_value(instrument: Instrument, rates: Mapping[str, Decimal]) -> float:
    rate = rates.get(instrument.currency)
    return nan if rate is None else float(instrument.multiplier * rate)


def _levels(
    tallies: tuple[Tally, Tally, Tally], limits: tuple[int | None, int | None, int | None]
) -> tuple[Level, ...]:
    return tuple(
        (tally, limit, name) for tally, limit, name in zip(tallies, limits, LEVELS, strict=True) if limit is not None
    )
