"""What risk asks of the venue: account figures, session and maintenance, shares to borrow, contracts; read and told.

What can't be read is not told again, so it grows old at risk, and what is too old refuses (`risk.outside`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import structlog
import trio

from engine.domain.brokerage import Availability, SessionNow
from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_S
from engine.errors import VenueError
from engine.ports import Clock
from engine.risk.outside import Borrow, Contract, Summary
from engine.runtime.live.letters import VenueSays
from engine.webapi.endpoints.contracts import Contracts
from engine.webapi.endpoints.portfolio import Portfolio
from engine.webapi.facts.contracts import SecurityDefinition
from engine.webapi.facts.portfolio import LedgerRow, SummaryValue
from engine.webapi.link import Link
from engine.webapi.maintenance import Region, away_at
from engine.webapi.stream.quotes import BORROW_FEE, DELTA, SHORTABLE, VEGA

EVERY_S: Final = 30.0  # seconds of the venue's clock between two readings of the account
AGAIN_S: Final = 5.0  # after one that failed
LOOK_S: Final = 2.0
_BASE: Final = "BASE"
_DERIVATIVES: Final = frozenset({SecType.OPTION, SecType.FUTURE_OPTION, SecType.FUTURE})
_NEW_YORK: Final = ZoneInfo("America/New_York")
_LAST_HOUR: Final = 16  # when the last day of an option or future ends, for want of a better word

log = structlog.get_logger()


class VenueFacts:
    """Reads, and tells what has changed. `tell` is the nursery's; `run` must run beside it.

    Args:
        base: The account's base currency.
        region: Whose windows of maintenance count; None where none are known.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        instruments: Mapping[int, Instrument],
        *,
        account: str,
        base: str,
        region: Region | None,
        tell: Callable[[VenueSays], None],
    ) -> None:
        self._link = link
        self._clock = clock
        self._instruments = instruments
        self._account = account
        self._base = base
        self._region = region
        self._tell = tell
        self._portfolio = Portfolio(link.scheduler)
        self._cash_account: bool | None = None
        self._away = ""
        self._borrow: dict[int, Borrow | None] = {}
        self._contracts: dict[int, Contract] = {}
        self._known = trio.Event()

    def session(self, now: SessionNow) -> None:
        """The session has come up or gone down: at once, no order is to follow on an old word."""
        known = self._link.chores.known
        selected = None if known is None else known.selected or self._account
        why = "" if now.up else f"the session is down at the {now.layer}: {now.reason}"
        self._tell(VenueSays(down=why, account=selected))

    def available(self, told: Availability) -> None:
        """Field 6509 of an instrument."""
        self._tell(VenueSays(availability=((told.conid, told.code),)))

    async def wait_known(self, limit_s: float) -> None:
        """Return when the account has been read once, or after so many seconds of the wall."""
        with trio.move_on_after(limit_s):
            await self._known.wait()

    async def run(self) -> None:
        """Read until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_account)
            nursery.start_soon(self._look)
            if any(one.sec_type in _DERIVATIVES for one in self._instruments.values()):
                nursery.start_soon(self._read_contracts)

    async def _read_account(self) -> None:
        while True:
            await self._link.supervisor.wait_up()
            try:
                if self._cash_account is None:
                    self._cash_account = "CASH" in (await self._portfolio.meta(self._account)).trading_type.upper()
                asked_ns = self._clock.now_ns()
                figures = await self._portfolio.summary(self._account)
                ledger = await self._portfolio.ledger(self._account)
            except VenueError as error:
                self._not_read("account_not_read", error)
                await self._clock.sleep(AGAIN_S)
                continue
            told = summary_of(figures, ledger, base=self._base, cash_account=self._cash_account, asked_ns=asked_ns)
            self._tell(VenueSays(summary=told))
            self._known.set()
            await self._clock.sleep(EVERY_S)

    def _not_read(self, what: str, error: VenueError) -> None:
        if not self._link.scheduler.over:  # when we stop, the session ends first
            log.warning(what, problem=str(error))

    async def _read_contracts(self) -> None:
        """What options and futures are; it does not change, so one reading does."""
        conids = [conid for conid, one in self._instruments.items() if one.sec_type in _DERIVATIVES]
        while True:
            await self._link.supervisor.wait_up()
            try:
                rows = await Contracts(self._link.scheduler).definitions(conids)
            except VenueError as error:
                self._not_read("contracts_not_read", error)
                await self._clock.sleep(AGAIN_S)
                continue
            self._contracts = {row.conid: contract_of(row) for row in rows}
            self._tell(VenueSays(contracts=tuple(self._contracts.items())))
            return

    async def _look(self) -> None:
        """Windows of maintenance, and what the stream has told of instruments."""
        while True:
            now_ns = self._clock.now_ns()
            window = None if self._region is None else away_at(self._region, now_ns)
            away = "" if window is None else f"a known window of maintenance: {window.name}"
            borrow = tuple(self._borrow_news())
            contracts = tuple(self._greek_news())
            if away != self._away or borrow or contracts:
                self._away = away
                self._tell(VenueSays(away=away, borrow=borrow, contracts=contracts))
            await self._clock.sleep(LOOK_S)

    def _borrow_news(self) -> Sequence[tuple[int, Borrow | None]]:
        found = []
        for conid, one in self._instruments.items():
            if one.sec_type is SecType.STOCK:
                shares, fee = self._number(conid, SHORTABLE), self._number(conid, BORROW_FEE)
                told = None if shares is None else Borrow(shares, fee)
                if told != self._borrow.get(conid):
                    self._borrow[conid] = told
                    found.append((conid, told))
        return found

    def _greek_news(self) -> Sequence[tuple[int, Contract]]:
        found = []
        for conid, known in self._contracts.items():
            delta, vega = self._number(conid, DELTA), self._number(conid, VEGA)
            if (delta, vega) != (known.delta, known.vega):
                self._contracts[conid] = told = Contract(
                    right=known.right,
                    expires_ns=known.expires_ns,
                    underlying=known.underlying,
                    delta=delta,
                    vega=vega,
                )
                found.append((conid, told))
        return found

    def _number(self, conid: int, tag: str) -> Decimal | None:
        value = self._link.data.quotes.number(conid, tag)
        return None if value is None or value != value else Decimal(repr(value))


def summary_of(
    figures: Mapping[str, SummaryValue],
    ledger: Mapping[str, LedgerRow],
    *,
    base: str,
    cash_account: bool | None,
    asked_ns: int,
) -> Summary:
    """The account's figures as the checks read them; one in another currency than the base is unknown."""

    def amount(name: str) -> Decimal | None:
        told = figures.get(name)
        if told is None or told.is_null or told.currency not in ("", base, _BASE):
            return None
        return told.amount

    left = figures.get("daytradesremaining")
    return Summary(
        ts_ns=asked_ns,
        net_liquidation=amount("netliquidation"),
        excess_liquidity=amount("excessliquidity"),
        buying_power=amount("buyingpower"),
        settled_cash=amount("settledcash"),
        cash={name: row.cash for name, row in ledger.items() if name != _BASE and row.cash is not None},
        cash_account=cash_account,
        day_trades_left=None if left is None or left.is_null else _whole(left),
    )


def _whole(told: SummaryValue) -> int | None:
    """A count comes as an amount, or as a text beside an amount of 0."""
    if told.text:
        try:
            return int(Decimal(told.text))
        except (ArithmeticError, ValueError):
            return None
    return None if told.amount is None else int(told.amount)


def contract_of(row: SecurityDefinition) -> Contract:
    """What limits on options and futures ask of a contract. When a future's first notice is, the venue does not say."""
    day = row.last_trading_day or row.expiry
    expires_ns = None
    if day is not None:
        moment = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), _LAST_HOUR, tzinfo=_NEW_YORK)
        expires_ns = int(moment.timestamp()) * NS_PER_S
    right = row.right[:1].upper()
    return Contract(
        right=right if right in ("C", "P") else None, expires_ns=expires_ns, underlying=row.underlying_conid
    )
