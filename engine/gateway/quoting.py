"""How a made-up instrument is quoted and traded about its fair price: rows of one slot, from seed and slot alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_S
from engine.gateway.paths import OUTSIDE, SLOT_NS, SLOT_S, Floats, Path
from engine.gateway.records import Contract

Block = dict[str, NDArray[Any]]  # columns of one kind by name, of one length, by time
_YEAR_NS: Final = 365 * 86_400 * NS_PER_S
_SECONDS: Final = np.arange(SLOT_S + 1)
_EXPIRY_HOUR: Final = 20  # UTC: near enough to New York's close, for a time value that is nearly nothing there


@frozen(eq=False)
class Quoter:
    """One instrument's way of being quoted.

    `fair` turns the underlying's prices at some times into this instrument's; `rate` is the number of quotes a second
    at activity 1; `width` the spread's mean beyond one tick; `lot` what sizes come in; `prints` how many quotes are
    followed by a trade; `regular_only`: it has no extended hours though its underlying has.
    """

    instrument: Instrument
    path: Path
    fair: Callable[[Floats, int], Floats]
    tick: float
    seed: int
    rate: float = 3.0
    width: float = 0.5
    lot: float = 100.0
    prints: float = 0.25
    regular_only: bool = False

    def busy(self, slot: int) -> float:
        """How busy a slot is; 0 where the instrument does not trade."""
        busy = self.path.busy(slot)
        return 0.0 if self.regular_only and busy <= OUTSIDE else busy

    def prices(self, first: int, last: int) -> Floats:
        """Fair prices at the beginnings of the slots from `first` to `last`, on the tick."""
        fair = self.fair(self.path.edges(first, last), last * SLOT_NS)
        return self._on_tick(np.maximum(np.rint(fair / self.tick), 1.0))

    def rows(self, slot: int) -> tuple[Block, Block]:
        """Quotes and trades of a slot, strictly by time; a trade comes before the next quote."""
        busy = self.busy(slot)
        conid = self.instrument.conid
        chance = np.random.default_rng((self.seed, conid, slot, 3))
        count = int(chance.poisson(self.rate * SLOT_S * busy)) if busy else 0
        start = slot * SLOT_NS
        # Even places for quotes and the odd ones between for trades: no two rows of an instrument share a time.
        at = np.unique(chance.integers(0, SLOT_NS // 2, count)) * 2
        count = len(at)
        seconds = at / NS_PER_S
        fair = self.fair(np.interp(seconds, _SECONDS, self.path.seconds(slot)) if count else np.empty(0), start)
        ticks = fair / self.tick
        width = 1 + chance.poisson(self.width, count)
        bid = np.maximum(np.floor(ticks - width / 2.0 + chance.random(count)), 1.0)
        sizes = self.lot * chance.geometric(0.25, (2, count))
        quotes: Block = {
            "ts_ns": start + at,
            "conid": np.full(count, conid, np.int64),
            "bid": self._on_tick(bid),
            "ask": self._on_tick(bid + width),
            "bid_size": sizes[0],
            "ask_size": sizes[1],
        }
        hit = np.flatnonzero(chance.random(count) < self.prints)
        room = np.append(at[1:], SLOT_NS)[hit] - at[hit]
        later = np.minimum((chance.random(len(hit)) * room).astype(np.int64), 50_000_000)
        side = chance.random(len(hit)) < 0.5
        odd = chance.random(len(hit)) < 0.3
        even = self.lot * chance.geometric(0.45, len(hit))
        small = np.maximum(1.0, np.floor(self.lot * chance.random(len(hit))))
        trades: Block = {
            "ts_ns": start + at[hit] + (later // 2) * 2 + 1,
            "conid": np.full(len(hit), conid, np.int64),
            "price": np.where(side, quotes["bid"][hit], quotes["ask"][hit]),
            "size": np.where(odd, small, even),
            "sampled": np.zeros(len(hit), bool),
        }
        return quotes, trades

    def _on_tick(self, ticks: Floats) -> Floats:
        # Scaled by whole numbers, so that a price is the float nearest to its decimal.
        per_unit = round(1.0 / self.tick)
        return np.asarray(ticks / per_unit)


def quoter(contract: Contract, path: Path, seed: int) -> Quoter:
    """How a contract of the synthetic market is quoted.

    A future stands 4 % a year over its index. An option is worth what exercise would give, plus a time value of
    0.4 x price x volatility x sqrt(years) at the money (Brenner and Subrahmanyam's approximation) that falls off as a
    bell with the distance of its strike; volatility is 25 % a year for all.
    """
    instrument = contract.instrument
    tick = float(instrument.price_ticks[0].tick)
    match instrument.sec_type:
        case SecType.FUTURE:
            ends = expires_ns(contract.expiry)

            def carried(prices: Floats, ts_ns: int) -> Floats:
                return prices * (1.0 + 0.04 * max(0, ends - ts_ns) / _YEAR_NS)

            return Quoter(instrument, path, carried, tick, seed, rate=3.0, width=0.2, lot=1.0)
        case SecType.OPTION:
            worth = _option(contract)
            return Quoter(
                instrument, path, worth, tick, seed, rate=0.4, width=3.0, lot=10.0, prints=0.08, regular_only=True
            )
        case SecType.CASH:
            return Quoter(instrument, path, _as_it_is, tick, seed, rate=2.0, width=0.2, lot=500_000.0, prints=0.1)
        case _:
            return Quoter(instrument, path, _as_it_is, tick, seed)


def _as_it_is(prices: Floats, ts_ns: int) -> Floats:
    del ts_ns
    return prices


def expires_ns(expiry: str) -> int:
    """When a contract with this last day (`YYYYMMDD`) ends."""
    day = datetime.strptime(expiry, "%Y%m%d").replace(hour=_EXPIRY_HOUR, tzinfo=UTC)
    return int(day.timestamp()) * NS_PER_S


def _option(contract: Contract) -> Callable[[Floats, int], Floats]:
    strike = float(contract.strike)
    sign = 1.0 if contract.right == "C" else -1.0
    ends = expires_ns(contract.expiry)

    def worth(prices: Floats, ts_ns: int) -> Floats:
        deviation = 0.25 * np.sqrt(max(0, ends - ts_ns) / _YEAR_NS) + 1e-9
        bell = np.exp(-0.5 * (np.log(prices / strike) / deviation) ** 2)
        value: Floats = np.maximum(0.0, sign * (prices - strike)) + 0.4 * prices * deviation * bell
        return value

    return worth
