"""What executions of a live session will cost, by a fee schedule, until the venue tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_DAY
from engine.venue.fees import FeeLedger, FeeSchedule, Line, Tab

_ORDERS_MAX: Final = 10_000  # orders of a day whose executions are added up
_DAYS: Final = 2  # that can still be told of: today's and the last one's before it


class FeeEstimator:
    """Estimates, execution by execution.

    An instrument that the schedule has nothing for, or in a currency that is not among `currencies`, costs nothing.
    """

    def __init__(
        self, schedule: FeeSchedule, instruments: Mapping[int, Instrument], currencies: Collection[str]
    ) -> None:
        self._covered = {
            conid: instrument
            for conid, instrument in instruments.items()
            if instrument.sec_type is not SecType.COMBO
            and schedule.tables
            and all(
                (section := table.section(instrument)) is not None and section.currency in currencies
                for table in schedule.tables
            )
        }
        self._ledger = FeeLedger(schedule, self._covered)
        self._tabs: dict[int, dict[tuple[str, int], Tab]] = {}  # by day; of each order and contract

    def __call__(
        self, coid: str, conid: int, quantity: Decimal, price: Decimal, ts_ns: int, *, sells: bool
    ) -> tuple[Line, ...]:
        """Fee lines of one execution; the minimum counts once an order and day (UTC)."""
        instrument = self._covered.get(conid)
        if instrument is None:
            return ()
        day = ts_ns // NS_PER_DAY
        tabs = self._tabs.get(day)
        if tabs is None:
            tabs = self._tabs[day] = {}
            for old in sorted(self._tabs)[:-_DAYS]:
                del self._tabs[old]
        tab = tabs.setdefault((coid, conid), Tab())
        if len(tabs) > _ORDERS_MAX:
            del tabs[next(iter(tabs))]
        return self._ledger.one(tab, instrument, quantity, price, ts_ns, sells=sells)
