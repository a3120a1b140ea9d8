"""Latches on what was lost: R15 daily loss, R16 drawdown, R17 loss streak, and R42, which makes them wait.

Each has two steps, reduce-only and halted, with a limit of its own.

The worth of the account and of each strategy is followed row by row: deposit + realised - fees + dividends + what
positions are worth above their cost, at the price that orders are judged by. A replay asks `cut` where in a window the
first latch would fall, so that a window ends there; `took` then follows the rows that were consumed. Live, `mark` does
both for one moment. What is due, and when, is said by `lossrules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from engine.domain.columns import Chunk, Floats
from engine.domain.facts import Filled
from engine.domain.messages import PositionNow, Update
from engine.domain.moments import NS_PER_S
from engine.risk import lossrules
from engine.risk.account import ACCOUNT, Account
from engine.risk.gate import Gate
from engine.risk.limits import JUMP_PAUSE_S
from engine.risk.pricelines import price_line
from engine.risk.standing import Owner, Standing
from engine.settings import RiskSettings

_GRAIN: Final = 0.0005  # of the highest worth: a rise by less may be lost in a crash
_EVERY_NS: Final = 60 * NS_PER_S


class LossWatch:
    """Follows worth and sets latches on a gate.

    Args:
        values: Base currency per unit at price 1, by conid.
        rates: Base currency per unit of each currency.
        deposit: What the account began with, in base currency.
    """

    def __init__(
        self,
        settings: RiskSettings,
        gate: Gate,
        *,
        values: Mapping[int, float],
        rates: dict[str, float],
        deposit: float,
        now_ns: int,
    ) -> None:
        self._gate = gate
        self._account: Account = gate.account
        self._values = values
        self._rates = rates
        self._deposit = deposit
        self.jumped: list[str] = []  # in sentences, since somebody last looked
        self._until_day = settings.latch_until == "day"
        self._positions: dict[tuple[str, int], PositionNow] = {}
        self._lines: dict[int, Floats] = {}
        self._chunk: Chunk | None = None
        tables = [(ACCOUNT, settings.account), *settings.strategy.items()]
        self._owners = [
            Owner(name, limits, deposit, deposit, deposit, day=self._account.day_of(now_ns), day_worth=deposit)
            for name, limits in tables
            if lossrules.limits_losses(limits) or name == ACCOUNT
        ]
        self._limited = self._with_limits()
        self._account.equity = deposit

    @staticmethod
    def wanted(settings: RiskSettings) -> bool:
        """Whether any limit asks for it."""
        levels = (settings.account, *settings.strategy.values())
        names = (*lossrules.LIMITS, "leverage_max")
        return any(getattr(level, name) is not None for level in levels for name in names)

    @property
    def whole(self) -> Owner:
        """The account, which is followed always."""
        return self._owners[0]

    def reload(self, settings: RiskSettings) -> None:
        """Other limits from now on. Of a strategy that had none, losses count from its first worth after this."""
        self._until_day = settings.latch_until == "day"
        known = {owner.name: owner for owner in self._owners}
        for name, limits in ((ACCOUNT, settings.account), *settings.strategy.items()):
            owner = known.get(name)
            if owner is not None:
                owner.limits = limits
            elif lossrules.limits_losses(limits):
                worth = self._deposit
                self._owners.append(Owner(name, limits, worth, worth, worth, day_worth=worth, unmarked=True))
        self._limited = self._with_limits()
        self._weigh()

    def take_up(self, known: Mapping[str, Standing], totals: Mapping[str, tuple[float, float]]) -> None:
        """Go on after a restart: what the journal said last, and what has been realised and paid in fees in all.

        Args:
            totals: By owner; where a fee can't be told by strategy, that of the standing counts.
        """
        for owner in self._owners:
            owner.realised, owner.fees = totals.get(owner.name, (0.0, 0.0))
            standing = known.get(owner.name)
            if standing is None:
                owner.unmarked = True
                owner.day_realised = owner.realised - owner.fees
                continue
            if owner.name != ACCOUNT:
                owner.fees = standing.fees
            owner.day, owner.day_worth = standing.day, self._deposit + standing.day_pnl
            owner.day_realised, owner.peak = standing.day_realised, self._deposit + standing.peak
            owner.worth, owner.told = self._deposit + standing.pnl, standing
            owner.fired.update(standing.fired)
            gap = owner.realised - standing.realised  # booked after the last word: of one trade, mostly
            owner.streak = standing.streak if not gap else standing.streak + 1 if gap < 0.0 else 0
            owner.losses = standing.losses if not gap else standing.losses + 1 if gap < 0.0 else 0

    def news(self, now_ns: int) -> list[tuple[str, Standing]]:
        """What has to be in the journal for a restart, of owners with limits; nothing if it has it."""
        found = []
        for owner in self._limited:
            if owner.unmarked:
                continue
            told, deposit = owner.told, self._deposit
            rose = told is None or owner.peak - deposit - told.peak > _GRAIN * abs(owner.peak)
            moved = told is None or (now_ns - owner.told_ns >= _EVERY_NS and owner.worth - deposit != told.pnl)
            if not rose and not moved and told is not None and _as_told(owner, told, deposit):
                continue
            owner.told_ns = now_ns
            owner.told = Standing(
                day=owner.day,
                pnl=owner.worth - deposit,
                day_pnl=owner.day_worth - deposit,
                day_realised=owner.day_realised,
                peak=owner.peak - deposit,
                realised=owner.realised,
                fees=owner.fees,
                streak=owner.streak,
                losses=owner.losses,
                fired=tuple(sorted(owner.fired)),
            )
            found.append((owner.name, owner.told))
        return found

    def charge(self, strategy: str, fee: float) -> None:
        """A fee in base currency that became known after its execution."""
        for owner in self._owners:
            if owner.name in (ACCOUNT, strategy):
                owner.fees += fee
                owner.fixed -= fee

    # --- what happens -------------------------------------------------------------------------------------------

    def hear(
        self,
        updates: Sequence[Update],
        positions: Sequence[PositionNow],
        price: Callable[[int], tuple[float, int] | None],
        now_ns: int,
    ) -> None:
        """Executions and positions of one moment; prices are those in force."""
        for owner in self._owners:
            self._turn(owner, now_ns)
        for update in updates:
            event = update.event
            if isinstance(event, Filled):
                fees = sum(float(amount) * self._rates[currency] for _, amount, currency in event.fees)
                for owner in self._owners:
                    if owner.name in (ACCOUNT, update.order.ticket.strategy):
                        owner.fees += fees
        for now in positions:
            before = self._positions.get((now.strategy, now.conid))
            self._positions[now.strategy, now.conid] = now
            # What is heard of for the first time may have a history: that is no profit of today.
            gain = 0.0 if before is None else float(now.realised - before.realised) * self._rates[now.currency]
            for owner in self._owners:
                if owner.name in (ACCOUNT, now.strategy):
                    owner.realised += gain
                    if gain:
                        owner.streak = owner.streak + 1 if gain < 0.0 else 0
                        owner.losses = owner.losses + 1 if gain < 0.0 else 0
        if updates or positions:
            self._weigh()
        self.mark(price, now_ns)

    def paid(self, strategy: str, money: float) -> None:
        """Money that moved without a trade, in base currency; of `strategy` "" it is the account's own."""
        for owner in self._owners:
            if owner.name in (ACCOUNT, strategy):
                owner.dividends += money
        self._weigh()

    def deposited(self, money: float) -> None:
        """Money in base currency that came into the account or left it by no trade: nobody's profit or loss."""
        self._deposit += money
        self._account.equity = (self._account.equity or 0.0) + money
        for owner in self._owners:
            owner.fixed += money
            owner.worth += money
            owner.day_worth += money
            owner.peak += money

    def rate_now(self, currency: str, rate: float) -> None:
        """A currency is worth something else from now on; what that makes of money held is told by `paid`."""
        self._rates[currency] = rate
        self._weigh()

    def repriced(self) -> None:
        """Prices that are known mean something else from now on (a split, a dividend)."""
        self._lines.clear()

    def mark(self, price: Callable[[int], tuple[float, int] | None], now_ns: int) -> None:
        """Follow one moment."""
        day = self._account.day_of(now_ns)
        for owner in self._owners:
            if day != owner.day:
                self._turn(owner, now_ns)
            worth = owner.fixed
            for conid, money in owner.held:
                known = price(conid)
                worth += money * (float("nan") if known is None else known[0])
            if owner.limits.pnl_jump_pct is not None and owner.held:
                self._follow(owner, np.array([worth]), np.array([now_ns], np.int64))
            elif worth == worth:
                self._reached(owner, worth, worth, now_ns, whole=True)
            else:
                self._latch(owner, now_ns, whole=False)

    def cut(self, chunk: Chunk, start: int, stop: int) -> int:
        """Where a window has to end so that a latch falls after its last row: `stop`, or less. Changes nothing."""
        times = chunk.ts_ns
        first_ns = int(times[start])
        stop = min(stop, int(times.searchsorted(self._day_ends_ns(first_ns))))
        for owner in self._owners:
            if (
                not owner.held
                and not owner.waits
                and owner.pause_ns <= first_ns
                and owner.day == self._account.day_of(first_ns)
            ):
                continue  # its worth can't change
            line = self._line(owner, chunk, start, stop)
            new_day = self._account.day_of(first_ns) != owner.day
            event = lossrules.first(owner, line, times[start:stop], new_day=new_day, forgets=self._until_day)
            if event is not None:
                stop = start + event + 1
        return stop

    def took(self, chunk: Chunk, start: int, taken: int) -> None:
        """Rows have been consumed; at most the last of them sets a latch."""
        times = chunk.ts_ns[start:taken]
        for owner in self._owners:
            self._turn(owner, int(times[0]))
            self._follow(owner, self._line(owner, chunk, start, taken), times)

    def lift(self) -> None:
        """A person resumes: what had latched begins anew; what had not is not forgiven with it."""
        for owner in self._owners:
            lossrules.begin_anew(owner, self._account.held.get(owner.name))
        self._account.lift()

    # --- one owner ----------------------------------------------------------------------------------------------

    def _with_limits(self) -> list[Owner]:
        return [owner for owner in self._owners if lossrules.limits_losses(owner.limits)]

    def _day_ends_ns(self, now_ns: int) -> int:
        return self._account.days.span_ns(now_ns)[1]

    def _latched_until_ns(self, now_ns: int) -> int | None:
        """Until when a loss of this day forbids; None: until a person resumes."""
        return self._day_ends_ns(now_ns) if self._until_day else None

    def _turn(self, owner: Owner, now_ns: int) -> None:
        """A day begins: losses count from what the last one ended with."""
        day = self._account.day_of(now_ns)
        if day != owner.day:
            owner.day, owner.day_worth, owner.day_realised = day, owner.worth, owner.realised - owner.fees
            if self._until_day:
                owner.fired -= lossrules.OF_A_DAY

    def _weigh(self) -> None:
        """Work out what the owners hold, in an order that nothing but the positions decides."""
        for owner in self._owners:
            fixed = self._deposit - owner.fees + owner.dividends
            units: dict[int, float] = {}
            for (strategy, conid), now in sorted(self._positions.items()):
                if owner.name in (ACCOUNT, strategy):
                    fixed += float(now.realised - now.cost) * self._rates[now.currency]
                    if now.quantity:
                        units[conid] = units.get(conid, 0.0) + float(now.quantity)
            owner.fixed = fixed
            owner.held = tuple((conid, count * self._values[conid]) for conid, count in sorted(units.items()) if count)

    def _line(self, owner: Owner, chunk: Chunk, start: int, stop: int) -> Floats:
        """Worth after each row of a window."""
        line = np.full(stop - start, owner.fixed)
        for conid, money in owner.held:
            line += money * self._prices(chunk, conid)[start:stop]
        return line

    def _prices(self, chunk: Chunk, conid: int) -> Floats:
        if chunk is not self._chunk:
            self._chunk = chunk
            self._lines.clear()
        found = self._lines.get(conid)
        if found is None:
            found = self._lines[conid] = price_line(chunk, conid)
        return found

    def _follow(self, owner: Owner, line: Floats, times: np.ndarray) -> None:
        """Take rows over; of latches only the last row's count, those before were looked at."""
        limits = owner.limits
        now_ns = int(times[-1])
        if limits.pnl_jump_pct is not None and owner.held:
            jumps = np.flatnonzero(lossrules.jumps(owner, line, float(limits.pnl_jump_pct)))
            if len(jumps):
                pause_s = JUMP_PAUSE_S if limits.pnl_jump_pause_s is None else limits.pnl_jump_pause_s
                owner.pause_ns = int(times[jumps[-1]]) + int(pause_s * NS_PER_S)
                who, most = lossrules.named(owner), limits.pnl_jump_pct
                self.jumped.append(f"the worth of {who} has jumped by more than {most} % without a trade")
        known = line[~np.isnan(line)]
        if not len(known):
            self._latch(owner, now_ns, whole=False)
            return
        self._reached(owner, float(known.max()), float(known[-1]), now_ns, whole=not np.isnan(line[-1]))

    def _reached(self, owner: Owner, peak: float, worth: float, now_ns: int, *, whole: bool) -> None:
        """What an owner is worth now, and was at most on the way; `whole`: every price of the last moment is known."""
        owner.peak = max(owner.peak, peak)
        owner.worth = worth
        if owner.unmarked:
            owner.unmarked, owner.day_worth, owner.peak = False, worth, worth
        if owner.name == ACCOUNT:
            self._account.equity = worth
        self._latch(owner, now_ns, whole=whole)

    def _latch(self, owner: Owner, now_ns: int, *, whole: bool) -> None:
        """Set what is due. Where a price is not known, that is what the trades alone have made due."""
        owner.waits = now_ns < owner.pause_ns or not whole
        if now_ns < owner.pause_ns:
            return
        for held in lossrules.due(owner, now_ns, self._latched_until_ns, whole=whole):
            self._gate.latch(owner.name, held)


def _as_told(owner: Owner, told: Standing, deposit: float) -> bool:
    """Whether what must not be lost is in the journal; highest worth and worth may be a little old."""
    return (
        owner.day == told.day
        and owner.day_worth - deposit == told.day_pnl
        and owner.day_realised == told.day_realised
        and owner.realised == told.realised
        and owner.fees == told.fees
        and owner.streak == told.streak
        and owner.losses == told.losses
        and owner.fired == set(told.fired)
        and owner.peak - deposit >= told.peak
    )
