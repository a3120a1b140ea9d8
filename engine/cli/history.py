"""`engine history`: past bars of one instrument."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.session import Visit
    from engine.webapi.facts.market import History


def _span(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    """A number and a unit, as the venue writes them."""
    if not re.fullmatch(r"[1-9]\d{0,3}(S|min|h|d|w|m|y)", given):
        raise click.BadParameter(f"{given!r} is no span such as 30min, 6h, 5d, 2w, 3m (months) or 1y")
    return given


@click.command()
@click.argument("instrument", metavar="CONID|SYMBOL")
@click.option("--period", default="1d", callback=_span, help="How far back [1d].")
@click.option("--bar", default="5min", callback=_span, help="How long a bar is [5min].")
@click.option("--end", metavar="TIME", help="Its end, as 2026-03-02T21:00Z [now].")
@click.option("--outside-rth", is_flag=True, help="Bars outside regular hours too.")
@click.option("--source", type=click.Choice(["Midpoint", "Bid_Ask"]), help="Instead of trades.")
@session_options
def history(where: Where, as_json: bool, instrument: str, **wanted: Any) -> None:
    """Show past bars of an instrument, by its conid or a stock's symbol; times are UTC."""
    end_ns = _moment(wanted.pop("end"))
    conid, found = visit(where, lambda session: _bars(session, instrument.strip(), end_ns, **wanted))
    from engine.cli.tables import show
    from engine.domain.moments import iso

    if as_json:
        from engine.cli.speaking import print_json

        bars = [
            {
                "time": iso(bar.start_ns),
                "open": bar.open,
                "high": bar.high,
                "low": bar.low,
                "close": bar.close,
                "volume": bar.volume,
            }
            for bar in found.bars
        ]
        print_json({"conid": conid, "symbol": found.symbol, "bar": wanted["bar"], "bars": bars})
        return
    from rich.console import Console

    digits = max(
        (_digits(price) for bar in found.bars for price in (bar.open, bar.high, bar.low, bar.close)), default=2
    )
    rows = [
        (
            iso(bar.start_ns)[:16].replace("T", " "),
            *(f"{price:.{digits}f}" for price in (bar.open, bar.high, bar.low, bar.close)),
            None if bar.volume is None else f"{bar.volume:,.0f}",
        )
        for bar in found.bars
    ]
    heads = [("time (UTC)", ""), *((name, ">") for name in ("open", "high", "low", "close", "volume"))]
    console = Console()
    show(heads, rows, console)
    console.print(f"{found.symbol or instrument} ({conid}): {len(rows)} bars of {wanted['bar']}", highlight=False)


def _digits(price: float) -> int:
    """Decimals of a price as it was printed."""
    exponent = Decimal(repr(price)).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _moment(text: str | None) -> int | None:
    from datetime import UTC, datetime

    from engine.errors import InputError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no time such as 2026-03-02T21:00Z", place="--end") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000


async def _bars(
    session: Visit,
    name: str,
    end_ns: int | None,
    *,
    period: str,
    bar: str,
    outside_rth: bool,
    source: str | None,
) -> tuple[int, History]:
    from engine.errors import InputError, VenueRefused
    from engine.webapi.endpoints.marketdata import MarketData

    conid = int(name) if re.fullmatch(r"\d{1,10}", name) else await _conid(session, name.upper())
    endpoints = MarketData(session.caller, session.clock)
    try:
        found = await endpoints.history(
            conid, period=period, bar=bar, start_ns=end_ns, outside_rth=outside_rth, source=source
        )
    except VenueRefused as error:
        if error.status not in (400, 404, 500):  # how the venue says that a conid, period or bar is none
            raise
        raise InputError(f"the venue has no such history: {error.problem}", place=name) from error
    return conid, found


async def _conid(session: Visit, symbol: str) -> int:
    """The one stock of a symbol: its US listing, or its only one. Raises: InputError."""
    from engine.errors import InputError
    from engine.webapi.endpoints.discovery import Discovery

    told = (await Discovery(session.caller).stocks([symbol])).get(symbol, ())
    listings = [listing for company in told for listing in company.listings]
    chosen = [one for one in listings if one.us] or listings
    if not chosen:
        raise InputError(f"there is no stock {symbol}; engine find {symbol} looks further")
    if len(chosen) > 1:
        names = ", ".join(f"{one.conid} ({one.exchange})" for one in chosen)
        raise InputError(f"{symbol} is several stocks; give one's conid: {names}")
    return chosen[0].conid
