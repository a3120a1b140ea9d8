"""The synthetic market: any symbol, endless, made slot by slot from a seed.

Shares are always played. Futures, options and currency pairs are played from the moment somebody asks for them; what
they quote does not depend on when that was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np
from attrs import frozen

from engine.domain.columns import Chunk, merge
from engine.domain.instrument import SecType
from engine.domain.market import COLUMNS, Kind, Quote, Status, Trade, Trading
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY, NS_PER_S
from engine.domain.sessions import Sessions
from engine.errors import InputError
from engine.gateway import contracts as listing
from engine.gateway.board import Figures, regular
from engine.gateway.hours import MAIN, Hours, day_of, day_start_ns
from engine.gateway.options import HaltRule
from engine.gateway.paths import SLOT_NS, Path
from engine.gateway.quoting import Block, Quoter, quoter
from engine.gateway.records import Contract

HISTORY_DAYS: Final = 5
# Tuesday 3 March 2026, 10:00 in New York: a plain day, with no holiday and no expiry near.
START_NS: Final = 1_772_550_000_000_000_000
_ES_PRICE: Final = 5_120.0
_ES_VOLATILITY: Final = 0.009
_BACK_SLOTS: Final = 12 * 24 * 6  # six days: further back no last row of a contract is looked for
_EMPTY: Final[Mapping[Kind, Block]] = {
    kind: {name: np.empty(0, dtype) for name, dtype in columns} for kind, columns in COLUMNS.items()
}


@frozen
class Halt:
    """Trading in a conid stops in [start, end)."""

    conid: int
    start_ns: int
    end_ns: int


class SyntheticMarket:
    """A made-up market of shares, with what derives from them.

    Args:
        symbols: The shares.
        base: The accounts' currency; the pairs that it is in are listed too.
        hours: Sessions by calendar.
        seed: Another seed, another market.
        start_ns: When the gateway's clock first starts.
        halts: When trading stops.

    Raises: InputError for a halt of something else.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        base: str,
        hours: Hours,
        seed: int,
        start_ns: int,
        halts: Sequence[HaltRule] = (),
    ) -> None:
        self.start_ns = start_ns
        self._hours = hours
        self._seed = seed
        self.begins_ns = self._history_start(start_ns)
        self._anchor = self.begins_ns // NS_PER_DAY - 1
        self._contracts: dict[int, Contract] = {}
        self._paths: dict[int, Path] = {}
        self._quoters: dict[int, Quoter] = {}
        self._active: dict[int, Quoter] = {}
        self._blocks: dict[int, tuple[Block, Block]] = {}
        self._next = 0
        shares = []
        for symbol in symbols:
            contract = listing.share(symbol, self._contracts)
            known = listing.KNOWN.get(symbol)
            conid = contract.instrument.conid
            price = 20.0 + conid % 280 if known is None else known.price
            self._list(contract, price, 0.015 if known is None else known.volatility)
            shares.append(contract)
            self._active[conid] = self._quoter(conid)
        for one, other in listing.PAIRS:
            if base in (one, other):
                self._list(listing.pair(one, other), listing.PAIRS[one, other][1], 0.005)
        self._shares = tuple(shares)
        self._halts = self._told(halts)
        self.roll(start_ns, ())

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """What is listed."""
        return self._contracts

    def _told(self, rules: Sequence[HaltRule]) -> tuple[Halt, ...]:
        conids = {share.instrument.symbol: share.instrument.conid for share in self._shares}
        halts = []
        for rule in rules:
            if rule.symbol not in conids:
                raise InputError(f"halts name {rule.symbol}, which is no share of the synthetic market")
            start_ns = self.start_ns + round(rule.after_s * NS_PER_S)
            halts.append(Halt(conids[rule.symbol], start_ns, start_ns + round(rule.for_s * NS_PER_S)))
        return tuple(sorted(halts, key=lambda halt: (halt.start_ns, halt.conid)))

    # Listing

    def _list(self, contract: Contract, price: float, volatility: float) -> None:
        instrument = contract.instrument
        self._contracts[instrument.conid] = contract
        self._paths[instrument.conid] = Path(
            instrument.conid,
            price,
            volatility,
            self._hours.sessions(instrument.calendar),
            instrument.outside_hours,
            self._anchor,
            self._seed,
        )

    def roll(self, now_ns: int, held: Collection[int]) -> None:
        """List the futures and options of the day; what has expired is listed no more, unless it is held."""
        today = day_of(now_ns)
        for conid in [conid for conid, one in self._contracts.items() if one.expiry and one.expiry < f"{today:%Y%m%d}"]:
            self._active.pop(conid, None)
            if conid not in held:
                del self._contracts[conid]
        for contract in listing.futures(today, self._hours.trades):
            if contract.instrument.sec_type is SecType.INDEX:
                if listing.ES_INDEX not in self._paths:
                    self._list(contract, _ES_PRICE, _ES_VOLATILITY)
            else:
                self._contracts.setdefault(contract.instrument.conid, contract)
        for share in self._shares:
            self._contracts.update(self._chain(share, now_ns, today))

    def _chain(self, share: Contract, now_ns: int, today: date) -> dict[int, Contract]:
        price = self._paths[share.instrument.conid].price(now_ns)
        made = listing.options(share, price, today, self._hours.trades, self._contracts)
        return {contract.instrument.conid: contract for contract in made}

    def extend(self, sessions: Mapping[str, Sessions]) -> None:
        """Sessions reach further now."""
        for conid, path in self._paths.items():
            path.sessions = sessions[self._contracts[conid].instrument.calendar]

    def _quoter(self, conid: int) -> Quoter:
        found = self._quoters.get(conid)
        if found is None:
            contract = self._contracts[conid]
            path = self._paths[contract.underlying or conid]
            found = self._quoters[conid] = quoter(contract, path, self._seed)
        return found

    def _history_start(self, start_ns: int) -> int:
        """The beginning of the first of the trading days before the start."""
        opens = self._hours.sessions(MAIN).opens_ns
        before = [opened for opened in opens if opened < day_start_ns(day_of(start_ns))]
        return day_start_ns(day_of(before[-HISTORY_DAYS]))

    # Playing

    def open(self, now_ns: int) -> Mapping[int, Figures]:
        """Begin at a time; rows after it follow."""
        slot = now_ns // SLOT_NS
        self._next = slot + 1
        self._blocks = {conid: one.rows(slot) for conid, one in self._active.items()}
        return {conid: self._known(one, now_ns) for conid, one in self._active.items()}

    def peek_ns(self) -> int:
        """When the next slot begins."""
        return min(self._next * SLOT_NS, END_OF_TIME_NS)

    def take(self, until_ns: int) -> Chunk | None:
        """The next slot with rows that begins by a time."""
        last = until_ns // SLOT_NS
        while self._next <= last:
            slot, self._next = self._next, self._next + 1
            if not any(one.busy(slot) for one in self._active.values()) and not self._halts:
                self._blocks = {}
                continue
            self._blocks = {conid: one.rows(slot) for conid, one in self._active.items()}
            chunk = self._chunk(slot, -1)
            if chunk.size:
                return chunk
        return None

    def wake(self, conid: int, now_ns: int) -> Figures | None:
        """Play a contract from now on."""
        contract = self._contracts.get(conid)
        if contract is None or contract.instrument.sec_type is SecType.INDEX:
            return None
        one = self._active[conid] = self._quoter(conid)
        self._blocks[conid] = one.rows(self._next - 1)
        return self._known(one, now_ns)

    def sleep(self, conid: int) -> None:
        """Play a derivative no more, from the next slot on."""
        if all(share.instrument.conid != conid for share in self._shares):
            self._active.pop(conid, None)

    def rest(self, now_ns: int) -> Chunk:
        """The rows of the slot in hand after a time."""
        return self._chunk(self._next - 1, now_ns)

    def _chunk(self, slot: int, after_ns: int) -> Chunk:
        quotes = _joined(Kind.QUOTES, [block for block, _ in self._blocks.values()], after_ns)
        trades = _joined(Kind.TRADES, [block for _, block in self._blocks.values()], after_ns)
        parts = {Kind.QUOTES: quotes, Kind.TRADES: trades}
        said = [
            (ts_ns, halt.conid, trading)
            for halt in self._halts
            for ts_ns, trading in ((halt.start_ns, Trading.HALTED), (halt.end_ns, Trading.OPEN))
            if slot == ts_ns // SLOT_NS and ts_ns > after_ns
        ]
        if self._halts:
            parts = {kind: self._unhalted(block) for kind, block in parts.items()}
        if said:
            parts[Kind.STATUS] = {
                "ts_ns": np.array([ts_ns for ts_ns, _, _ in said], np.int64),
                "conid": np.array([conid for _, conid, _ in said], np.int64),
                "trading": np.array([str(trading) for _, _, trading in said], object),
            }
        return merge(parts)

    def _unhalted(self, block: Block) -> Block:
        stays = np.ones(len(block["ts_ns"]), bool)
        for halt in self._halts:
            times = block["ts_ns"]
            stays &= (block["conid"] != halt.conid) | (times < halt.start_ns) | (times >= halt.end_ns)
        return {name: column[stays] for name, column in block.items()}

    # What is known at a time

    def _known(self, one: Quoter, now_ns: int) -> Figures:
        known = Figures()
        conid = one.instrument.conid
        for quotes, trades in self._back(one, now_ns):
            if known.quote is None and len(quotes["ts_ns"]):
                known.quote = Quote(*[quotes[name][-1].item() for name, _ in COLUMNS[Kind.QUOTES]])
            if known.trade is None and len(trades["ts_ns"]):
                known.trade = Trade(*[trades[name][-1].item() for name, _ in COLUMNS[Kind.TRADES]])
            if known.quote is not None and known.trade is not None:
                break
        if any(halt.conid == conid and halt.start_ns <= now_ns < halt.end_ns for halt in self._halts):
            known.status = Status(now_ns, conid, Trading.HALTED)
        if conid in self._paths and one.instrument.sec_type is SecType.STOCK:
            self._figure_out(one, now_ns, known)
        else:
            self._estimate(one, now_ns, known)
        return known

    def _back(self, one: Quoter, now_ns: int) -> Iterator[tuple[Block, Block]]:
        """Rows not after a time, newest slot first."""
        slot = now_ns // SLOT_NS
        for at in range(slot, max(slot - _BACK_SLOTS, self.begins_ns // SLOT_NS) - 1, -1):
            if one.busy(at):
                quotes, trades = one.rows(at)
                quotes, trades = self._unhalted(quotes), self._unhalted(trades)
                if at == slot:
                    quotes, trades = _until(quotes, now_ns), _until(trades, now_ns)
                yield quotes, trades

    def _figure_out(self, one: Quoter, now_ns: int, known: Figures) -> None:
        """The day's figures of a share, from its trades."""
        midnight = day_start_ns(day_of(now_ns))
        _, trades, _ = self.ticks(one.instrument.conid, midnight, now_ns + 1)
        sessions = self._hours.sessions(one.instrument.calendar)
        prices = trades["price"][regular(sessions, trades["ts_ns"])]
        known.volume = float(trades["size"].sum())
        if len(prices):
            known.opened, known.close = float(prices[0]), float(prices[-1])
            known.high, known.low = float(prices.max()), float(prices.min())
        closed = [closes for closes in sessions.closes_ns if self.begins_ns < closes <= midnight]
        if closed:
            for _, before in self._back(one, closed[-1]):
                if len(before["ts_ns"]):
                    known.prior_close = float(before["price"][-1])
                    break

    def _estimate(self, one: Quoter, now_ns: int, known: Figures) -> None:
        """The day's figures of a derivative, from fair prices at the edges of slots: ticks of a chain cost too much."""
        sessions = self._hours.sessions(one.instrument.calendar)
        session = sessions.session_at(now_ns)
        closed = [closes for closes in sessions.closes_ns if self.begins_ns < closes <= now_ns]
        if closed:
            edge = closed[-1] // SLOT_NS
            known.prior_close = float(one.prices(edge, edge)[0])
        if session is not None:
            prices = one.prices(session[0] // SLOT_NS, now_ns // SLOT_NS)
            known.opened, known.close = float(prices[0]), float(prices[-1])
            known.high, known.low = float(prices.max()), float(prices.min())
            known.volume = float(round(len(prices) * one.rate * one.prints * one.lot))

    def rate(self, pair: int, now_ns: int) -> float:
        """Fair price of a currency pair."""
        path = self._paths.get(pair)
        return float("nan") if path is None else path.price(now_ns)

    # The past

    def ticks(self, conid: int, start_ns: int, end_ns: int) -> tuple[Block, Block, Block]:
        """Past quotes and trades of a contract in [start, end); there are no recorded bars."""
        contract = self._contracts.get(conid)
        start_ns = max(start_ns, self.begins_ns)
        if contract is None or contract.instrument.sec_type is SecType.INDEX or contract.instrument.legs:
            return dict(_EMPTY[Kind.QUOTES]), dict(_EMPTY[Kind.TRADES]), dict(_EMPTY[Kind.BARS])
        one = self._quoter(conid)
        slots = range(start_ns // SLOT_NS, -(-end_ns // SLOT_NS))
        rows = [one.rows(slot) for slot in slots if one.busy(slot)]
        quotes = _joined(Kind.QUOTES, [block for block, _ in rows], start_ns - 1)
        trades = _joined(Kind.TRADES, [block for _, block in rows], start_ns - 1)
        until = end_ns - 1
        return self._unhalted(_until(quotes, until)), self._unhalted(_until(trades, until)), dict(_EMPTY[Kind.BARS])


def _joined(kind: Kind, blocks: Sequence[Block], after_ns: int) -> Block:
    """Blocks as one, by time, without what does not lie after a time."""
    if not blocks:
        return dict(_EMPTY[kind])
    whole = {name: np.concatenate([block[name] for block in blocks]) for name, _ in COLUMNS[kind]}
    order = np.argsort(whole["ts_ns"], kind="stable")
    order = order[whole["ts_ns"][order] > after_ns]
    return {name: column[order] for name, column in whole.items()}


def _until(block: Block, ts_ns: int) -> Block:
    end = int(block["ts_ns"].searchsorted(ts_ns, side="right"))
    return {name: column[:end] for name, column in block.items()}
