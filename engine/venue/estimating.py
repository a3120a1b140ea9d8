"""What executions of a live session will cost, by a fee schedule, until the venue tells."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_DAY
from engine.venue.fees import FeeLedger, FeeSchedule, Line, Tab

_ORDERS_MAX: Final = 10_000  # orders whose executions are added up


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
        self._tabs: OrderedDict[tuple[str, int, int], Tab] = OrderedDict()

    def __call__(
        self, coid: str, conid: int, quantity: Decimal, price: Decimal, ts_ns: int, *, sells: bool
    ) -> tuple[Line, ...]:
        """Fee lines of one execution; the minimum counts once an order and day (UTC)."""
        instrument = self._covered.get(conid)
        if instrument is None:
            return ()
        key = coid, conid, ts_ns // NS_PER_DAY
        tab = self._tabs.setdefault(key, Tab())
        if len(self._tabs) > _ORDERS_MAX:
            self._tabs.popitem(last=False)
        return self._ledger.one(tab, instrument, quantity, price, ts_ns, sells=sells)
