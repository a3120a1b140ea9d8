"""`engine find`: contracts by symbol, printed as tables of a configuration; option and futures chains."""

from __future__ import annotations

import shutil
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.instruments import Found
    from engine.cli.session import Visit
    from engine.webapi.facts.discovery import SearchHit

_DERIVED = ("OPT", "FOP", "WAR")


def _strike(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Decimal | None:
    if given is None:
        return None
    try:
        found = Decimal(given)
    except InvalidOperation:
        raise click.BadParameter(f"{given!r} is no number") from None
    if not found.is_finite() or found <= 0:
        raise click.BadParameter(f"{given} is no strike")
    return found


@click.command()
@click.argument("symbol")
@click.option("--type", "kind", type=click.Choice(["STK", "IND", "FUT", "OPT", "FOP", "WAR", "CASH"]), help="What.")
@click.option("--exchange", help="Only what is listed there, as NASDAQ.")
@click.option("--month", metavar="MMMYY", help="Of a chain, as MAR26.")
@click.option("--strike", callback=_strike, metavar="PRICE", help="Of a chain: the contracts of one strike.")
@click.option("--right", type=click.Choice(["C", "P"]), help="Calls or puts alone.")
@click.option("--name", "by_name", is_flag=True, help="SYMBOL is a part of a company's name.")
@session_options
def find(where: Where, as_json: bool, symbol: str, **wanted: Any) -> None:
    """Find SYMBOL's contracts, and print them ready to paste into a configuration."""
    from engine.errors import InputError

    text = symbol.strip()
    if not text:
        raise InputError("the symbol is empty")
    if wanted["month"]:
        wanted["month"] = wanted["month"].upper()
    rows, notes = visit(where, lambda session: _search(session, text, **wanted))
    if as_json:
        from engine.cli.speaking import print_json

        print_json({"instruments": [row.plain() for row in rows], "notes": notes})
        return
    from engine.cli.instruments import printable

    parts = [row.table() for row in rows]
    if notes:
        parts.append("".join(f"# {printable(line)}\n" for line in notes))
    click.echo("\n".join(parts), nl=False)


async def _search(
    session: Visit,
    symbol: str,
    *,
    kind: str | None,
    exchange: str | None,
    month: str | None,
    strike: Decimal | None,
    right: str | None,
    by_name: bool,
) -> tuple[list[Found], list[str]]:
    """Contracts, and what else is to be said, as lines. Raises: InputError if nothing is found."""
    from engine.errors import InputError

    notes: list[str] = []
    if kind == "FUT":
        rows = await _futures(session, symbol.upper(), exchange, month)
    elif kind == "CASH":
        rows = await _pairs(session, symbol.upper())
    elif kind in _DERIVED:
        rows, notes = await _chain(session, symbol.upper(), kind, exchange, month, strike, right)
    else:
        rows = await _listings(session, symbol, kind, exchange, by_name=by_name)
    if not rows and not notes:
        raise InputError(f"nothing is found for {symbol}{f' of type {kind}' if kind else ''}")
    return rows, notes


async def _hits(session: Visit, symbol: str, kind: str | None, *, by_name: bool = False) -> tuple[SearchHit, ...]:
    from engine.webapi.endpoints.discovery import Discovery

    return await Discovery(session.caller).search(symbol, sec_type=kind, by_name=by_name or None)


async def _listings(
    session: Visit, symbol: str, kind: str | None, exchange: str | None, *, by_name: bool
) -> list[Found]:
    from engine.cli.instruments import found, wrapped

    width = min(120, shutil.get_terminal_size().columns) - 2
    hits = {
        hit.conid: hit
        for hit in await _hits(session, symbol, kind, by_name=by_name)
        if hit.conid is not None and (exchange is None or hit.exchange.upper() == exchange.upper())
    }
    rows = []
    for row in await _definitions(session, list(hits)):
        hit = hits[row.conid]
        lines: list[str] = []
        for section in hit.sections:
            if section.months:
                lines += wrapped(section.months, f"{section.sec_type}:", width)
        about = ", ".join(part for part in (hit.company or row.name, hit.exchange or row.listing_exchange) if part)
        rows.append(found(row, about=about, lines=lines))
    return rows


async def _definitions(session: Visit, conids: list[int]) -> list[Any]:
    """Definitions in the order asked for."""
    from engine.webapi.endpoints.contracts import Contracts

    if not conids:
        return []
    rows = {row.conid: row for row in await Contracts(session.caller).definitions(conids)}
    return [rows[conid] for conid in conids if conid in rows]


async def _futures(session: Visit, symbol: str, exchange: str | None, month: str | None) -> list[Found]:
    from engine.cli.instruments import found, month_of
    from engine.webapi.endpoints.discovery import Discovery

    told = await Discovery(session.caller).futures([symbol], exchange=exchange)
    listed = sorted((row for row in told.get(symbol, ()) if row.expires), key=lambda row: row.expires or "")
    conids = [row.conid for row in listed if month in (None, month_of(row.expires or ""))]
    return [found(row) for row in await _definitions(session, conids)]


async def _pairs(session: Visit, symbol: str) -> list[Found]:
    from attrs import evolve

    from engine.cli.instruments import found
    from engine.webapi.endpoints.contracts import Contracts

    currency = symbol.partition(".")[0]
    told = await Contracts(session.caller).currency_pairs(currency)
    names = {row.conid: row.symbol for rows in told.values() for row in rows if symbol in (currency, row.symbol)}
    rows = await _definitions(session, list(names))
    return [
        evolve(found(row), symbol=names[row.conid], sec_type="CASH", exchange="IDEALPRO", calendar="24/5")
        for row in rows
    ]


async def _chain(
    session: Visit,
    symbol: str,
    kind: str,
    exchange: str | None,
    month: str | None,
    strike: Decimal | None,
    right: str | None,
) -> tuple[list[Found], list[str]]:
    """Without a strike the chain's months and strikes as notes; with one, its contracts."""
    from engine.cli.instruments import found, wrapped
    from engine.errors import InputError
    from engine.webapi.endpoints.discovery import Discovery

    discovery = Discovery(session.caller)
    hits = await _hits(session, symbol, kind)
    chains = [(hit, part) for hit in hits for part in hit.sections if part.sec_type == kind and part.months]
    if not chains:
        return [], []
    hit, section = chains[0]
    assert hit.conid is not None
    wanted = month or section.months[0]
    if wanted not in section.months:
        raise InputError(f"{symbol} has no {kind} of {wanted}; its months are {', '.join(section.months)}")
    if strike is None:
        width = min(120, shutil.get_terminal_size().columns) - 2
        told = await discovery.strikes(hit.conid, sec_type=kind, month=wanted, exchange=exchange)
        notes = wrapped(section.months, f"{symbol} {kind}, months:", width)
        for head, side in (("calls", told.calls), ("puts", told.puts)):
            if right is None or head.upper().startswith(right):
                notes += wrapped((f"{one.normalize():f}" for one in side), f"{wanted} {head}:", width)
        notes.append(f"contracts: engine find {symbol} --type {kind} --month {wanted} --strike PRICE")
        return [], notes
    conids: list[int] = []
    for one in (right,) if right else ("C", "P"):
        rows = await discovery.derivatives(
            hit.conid, sec_type=kind, month=wanted, strike=strike, right=one, exchange=exchange
        )
        conids += [row.conid for row in rows]
    if not conids:
        raise InputError(f"{symbol} has no {kind} of {wanted} with the strike {strike:f}")
    return [found(row) for row in await _definitions(session, list(dict.fromkeys(conids)))], []
