"""Contracts that were found, as `[[instrument]]` tables of a configuration. Pure: facts in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from attrs import field, frozen

from engine.webapi.facts.contracts import SecurityDefinition

# Trading calendars (names of exchange_calendars) by listing exchange; who is not here has to be looked up.
_CALENDARS: Final = {
    **dict.fromkeys(("NYSE", "NASDAQ", "NASDAQ.NMS", "ARCA", "AMEX", "BATS", "IEX", "CBOE", "PINK"), "XNYS"),
    **dict.fromkeys(("CME", "CBOT", "NYMEX", "COMEX", "GLOBEX", "ECBOT"), "CMES"),
    "LSE": "XLON",
    "LSEETF": "XLON",
    "IBIS": "XETR",
    "IBIS2": "XETR",
    "FWB": "XFRA",
    "SBF": "XPAR",
    "AEB": "XAMS",
    "EBS": "XSWX",
    "BVME": "XMIL",
    "BM": "XMAD",
    "TSE": "XTSE",
    "SEHK": "XHKG",
    "TSEJ": "XTKS",
    "ASX": "XASX",
    "SGX": "XSES",
}
_EXTENDED: Final = (330, 240)  # minutes that US shares trade before the open and after the close


@frozen(kw_only=True)
class Found:
    """One contract: what goes into its table, and what only people want to know (`about`)."""

    conid: int
    symbol: str
    sec_type: str
    currency: str = "USD"
    multiplier: Decimal = Decimal(1)
    price_ticks: tuple[tuple[Decimal, Decimal], ...] = ()
    exchange: str = "SMART"
    listing: str = ""
    calendar: str | None = None
    about: str = ""
    lines: tuple[str, ...] = field(default=())  # months and exchanges of what is derived from it

    @property
    def extended(self) -> bool:
        """Whether it is a share with hours before and after the session."""
        return self.sec_type == "STK" and self.calendar == "XNYS"

    def table(self) -> str:
        """The TOML table, below what people want to know as comments."""
        lines = [f"# {printable(line)}" for line in (self.about, *self.lines) if line]
        lines += ["[[instrument]]", f"conid = {self.conid}", f"symbol = {quoted(self.symbol)}"]
        lines.append(f"sec_type = {quoted(self.sec_type)}")
        lines.append(f"currency = {quoted(self.currency)}")
        if self.multiplier != 1:
            lines.append(f'multiplier = "{self.multiplier.normalize():f}"')
        if self.price_ticks:
            steps = ", ".join(f'["{above:f}", "{tick:f}"]' for above, tick in self.price_ticks)
            lines.append(f"price_ticks = [{steps}]")
        lines.append(f"exchange = {quoted(self.exchange)}")
        if self.calendar is None:  # refused when it is loaded: a wrong calendar would pass without a word
            lines.append(
                f'calendar = "?"  # of {printable(self.listing) or "its exchange"}, by its name in exchange_calendars'
            )
        else:
            lines.append(f"calendar = {quoted(self.calendar)}")
        if self.extended:
            lines.append(f"outside_hours = [{_EXTENDED[0]}, {_EXTENDED[1]}]")
        return "\n".join(lines) + "\n"

    def plain(self) -> dict[str, Any]:
        """As JSON; money as text."""
        return {
            "conid": self.conid,
            "symbol": self.symbol,
            "sec_type": self.sec_type,
            "currency": self.currency,
            "multiplier": f"{self.multiplier.normalize():f}",
            "price_ticks": [[f"{above:f}", f"{tick:f}"] for above, tick in self.price_ticks],
            "exchange": self.exchange,
            "listing": self.listing,
            "calendar": self.calendar,
            "about": self.about,
            "derived": list(self.lines),
        }


def printable(text: str) -> str:
    """What may stand in a comment."""
    return "".join(c if c.isprintable() else " " for c in text)


def quoted(text: str) -> str:
    """A TOML string on one line."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in plain) + '"'


def found(row: SecurityDefinition, *, about: str = "", lines: Sequence[str] = ()) -> Found:
    """A contract by its security definition. Derivatives get names of their own: ES-20260320, AAPL-20260320-C175."""
    kind = row.asset_class or "STK"
    listing = row.listing_exchange
    symbol = row.ticker or str(row.conid)
    if row.expiry and kind in ("FUT", "OPT", "FOP"):
        symbol = f"{symbol}-{row.expiry}"
        if row.right and row.strike is not None:
            symbol += f"-{row.right[:1]}{row.strike.normalize():f}"
    if kind in ("FUT", "IND"):
        exchange = listing or "SMART"
        calendar = _CALENDARS.get(exchange)
    elif kind == "CASH":
        exchange, calendar = "IDEALPRO", "24/5"
    else:
        exchange, calendar = "SMART", _CALENDARS.get(listing, "XNYS" if kind == "OPT" and not listing else None)
    return Found(
        conid=row.conid,
        symbol=symbol,
        sec_type=kind,
        currency=row.currency or "USD",
        multiplier=row.multiplier or Decimal(1),
        price_ticks=_ticks(row),
        exchange=exchange,
        listing=listing,
        calendar=calendar,
        about=about or " ".join(part for part in (row.name, kind, listing) if part),
        lines=tuple(lines),
    )


def _ticks(row: SecurityDefinition) -> tuple[tuple[Decimal, Decimal], ...]:
    steps = sorted((step.lower_edge, step.increment) for step in row.increments if step.increment > 0)
    return tuple((edge.normalize(), tick.normalize()) for edge, tick in steps)


def wrapped(words: Iterable[str], head: str, width: int) -> list[str]:
    """Words behind a head, broken to a width; what follows is set in by four."""
    lines = [head]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > width:
            lines.append("   ")
        lines[-1] += f" {word}"
    return lines


def month_of(day: str) -> str:
    """The month of a day as the venue writes it: 20260320 is MAR26."""
    return f"{datetime.strptime(day, '%Y%m%d'):%b%y}".upper()  # noqa: DTZ007  # a day, not a moment
