"""Market data fields by their tags, printed as the Web API prints them: mostly strings; what is not known is absent.

Tag 85 is the size of the ask and 88 that of the bid. A last price of an earlier day begins with C, that of a halted
instrument with H.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_DAY
from engine.gateway.greeks import Greeks, implied
from engine.gateway.quoting import expires_ns
from engine.gateway.records import Contract, Position, Top
from engine.gateway.rows import contract_of, listing, size_text
from engine.gateway.tops import mark

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

SERVER: Final = "q1"
# Worked out at intervals by the venue, so a second passes before they are first told.
SLOW: Final = frozenset({"7282", "7087", "7088", "7084", "7636", "7637", "7644", "7607", "7283"})


class _Seen:
    """One instrument as of now; positions are looked up only for who asks."""

    def __init__(self, hall: Hall, contract: Contract, top: Top) -> None:
        self.hall = hall
        self.contract = contract
        self.instrument: Instrument = contract.instrument
        self.top = top

    def price(self, value: float) -> str | None:
        """A price with the digits of the tick."""
        if value != value:
            return None
        ticks = self.instrument.price_ticks
        tick = ticks[0].tick if len(ticks) == 1 else self.instrument.tick_at(Decimal(repr(value)))
        exponent = tick.as_tuple().exponent
        return f"{value:.{max(0, -exponent) if isinstance(exponent, int) else 2}f}"

    @cached_property
    def position(self) -> Position:
        """The selected account's position."""
        conid = self.instrument.conid
        held = self.hall.exchange.positions(self.hall.memory.selected)
        return next((position for position in held if position.conid == conid), Position(conid=conid))

    @cached_property
    def value(self) -> float | None:
        """What the position is worth."""
        price = mark(self.top)
        if price != price:
            return None
        return price * float(self.position.quantity * self.instrument.multiplier)

    @property
    def gain(self) -> float | None:
        """Its profit that is not realised."""
        return None if self.value is None else self.value - float(self.position.cost)

    @cached_property
    def greeks(self) -> Greeks | None:
        """What an option's price implies, over its underlying's."""
        contract, hall = self.contract, self.hall
        below = hall.exchange.top(contract.underlying) if contract.right else None
        if below is None:
            return None
        years = (expires_ns(contract.expiry) - hall.exchange.now_ns) / (365 * NS_PER_DAY)
        return implied(mark(self.top), mark(below), float(contract.strike), years, call=contract.right == "C")


def _size(value: float) -> str | None:
    return None if value != value else f"{value:,.0f}"


def _magnitude(value: float) -> str | None:
    """A volume as `25.5M`, `1.2K`, `512`."""
    if value != value:
        return None
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= unit:
            return f"{value / unit:.3g}{letter}" if value / unit < 1_000 else f"{value / unit:.0f}{letter}"
    return f"{value:.0f}"


def _last(seen: _Seen) -> str | None:
    top = seen.top
    old = top.last != top.last or not top.volume > 0
    text = seen.price(top.prior_close if old and top.prior_close == top.prior_close else top.last)
    if text is None:
        return None
    return f"H{text}" if top.halted else f"C{text}" if old else text


def _change(seen: _Seen) -> str | None:
    return seen.price(seen.top.last - seen.top.prior_close)


def _change_percent(seen: _Seen) -> str | None:
    top = seen.top
    ratio = (top.last / top.prior_close - 1) * 100 if top.prior_close else float("nan")
    if ratio != ratio:
        return None
    return f"{ratio:.2f}%" if seen.hall.options.observed else f"{ratio:.2f}"


def _money(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _average(seen: _Seen) -> str | None:
    position = seen.position
    if not position.quantity:
        return None
    return _money(float(position.cost / position.quantity / seen.instrument.multiplier))


def _gain_percent(seen: _Seen) -> str | None:
    cost = float(abs(seen.position.cost))
    return None if seen.gain is None or not cost else f"{seen.gain / cost * 100:.2f}%"


def _description(seen: _Seen) -> str:
    contract, instrument = seen.contract, seen.instrument
    if contract.right:
        right = "Call" if contract.right == "C" else "Put"
        return f"{instrument.symbol} {contract.expiry} {size_text(contract.strike)} {right}"
    return f"{instrument.symbol} {contract.expiry}".strip()


def _day_gain(seen: _Seen) -> float | None:
    """Since the prior close for what is held; what was bought today counts from then too."""
    top = seen.top
    change = mark(top) - top.prior_close
    return None if change != change else change * float(seen.position.quantity * seen.instrument.multiplier)


def _greek(name: str) -> Callable[[_Seen], str | None]:
    return lambda seen: None if seen.greeks is None else f"{getattr(seen.greeks, name):.3f}"


def _volatility(seen: _Seen) -> str | None:
    return None if seen.greeks is None else f"{seen.greeks.volatility * 100:.1f}%"


def _share(seen: _Seen) -> bool:
    return seen.instrument.sec_type is SecType.STOCK


_TAGS: Final[dict[str, Callable[[_Seen], Any]]] = {
    "31": _last,
    "55": lambda seen: seen.instrument.symbol,
    "58": lambda seen: seen.contract.name,
    "70": lambda seen: seen.price(seen.top.high),
    "71": lambda seen: seen.price(seen.top.low),
    "73": lambda seen: _money(seen.value),
    "74": _average,
    "75": lambda seen: _money(seen.gain),
    "76": lambda seen: size_text(seen.position.quantity),
    "77": lambda seen: None if seen.gain is None else f"{seen.gain:,.2f}",
    "78": lambda seen: _money(_day_gain(seen)),
    "79": lambda seen: _money(float(seen.position.realised)),
    "80": _gain_percent,
    "82": _change,
    "83": _change_percent,
    "84": lambda seen: seen.price(seen.top.bid),
    "85": lambda seen: _size(seen.top.ask_size),
    "86": lambda seen: seen.price(seen.top.ask),
    "87": lambda seen: _magnitude(seen.top.volume),
    "88": lambda seen: _size(seen.top.bid_size),
    "201": lambda seen: seen.contract.right or None,
    "6004": lambda seen: seen.instrument.exchange,
    "6008": lambda seen: seen.instrument.conid,
    "6070": lambda seen: str(seen.instrument.sec_type),
    "6119": lambda _: SERVER,
    "6457": lambda seen: str(seen.contract.underlying) if seen.contract.underlying else None,
    "6509": lambda seen: availability(seen.top),
    "7051": lambda seen: seen.contract.name,
    "7057": lambda _: "Q",
    "7058": lambda _: "Q",
    "7059": lambda seen: _size(seen.top.last_size),
    "7068": lambda _: "Q",
    "7094": lambda seen: f"{seen.instrument.conid}@{seen.instrument.exchange}",
    "7184": lambda seen: "0" if seen.instrument.sec_type is SecType.INDEX else "1",
    "7219": _description,
    "7220": _description,
    "7221": lambda seen: listing(seen.contract),
    "7280": lambda seen: seen.contract.sector or None,
    "7281": lambda seen: seen.contract.category or None,
    "7292": lambda seen: f"{seen.position.cost:,.2f}",
    "7295": lambda seen: seen.price(seen.top.open),
    "7296": lambda seen: seen.price(seen.top.prior_close if seen.top.open_market else seen.top.last),
    "7308": _greek("delta"),
    "7309": _greek("gamma"),
    "7310": _greek("theta"),
    "7311": _greek("vega"),
    "7633": _volatility,
    "7635": lambda seen: seen.price(mark(seen.top)),
    "7636": lambda seen: "10,000,000" if _share(seen) else None,
    "7637": lambda seen: "0.25%" if _share(seen) else None,
    "7644": lambda seen: "Shortable" if _share(seen) else None,
    "7682": lambda seen: seen.price(seen.top.last - seen.top.open),
    "7714": lambda seen: seen.contract.last_trading or None,
    "7741": lambda seen: seen.price(seen.top.prior_close),
    "7762": lambda seen: _whole(seen.top.volume),
    "7768": lambda seen: "0" if seen.instrument.sec_type is SecType.INDEX else "1",
    "7920": lambda seen: _day_gain(seen),
    "7921": lambda seen: float(seen.position.cost),
}


def _whole(value: float) -> str | None:
    return None if value != value else f"{value:.0f}"


def availability(top: Top) -> str:
    """Tag 6509: real time or frozen, consolidated, with a book."""
    return "RpB" if top.open_market else "ZpB"


def snapshot_fields(hall: Hall, conid: int, fields: list[str]) -> dict[str, Any]:
    """The wanted fields of an instrument that are known now, by tag; `87_raw` comes along with 87."""
    top = hall.exchange.top(conid)
    if top is None:
        return {"6509": "N"} if "6509" in fields else {}
    seen = _Seen(hall, contract_of(hall, conid), top)
    found: dict[str, Any] = {}
    for tag in fields:
        make = _TAGS.get(tag)
        value = make(seen) if make is not None else None
        if value is not None:
            found[tag] = value
    if "87" in found and hall.options.observed:
        found["87_raw"] = top.volume
    return found
