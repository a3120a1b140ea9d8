"""`engine performance`: what the account was worth, what it returned, and past transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Need, Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.session import Visit


@click.command()
@click.option("--period", type=click.Choice(["1D", "7D", "MTD", "1M", "YTD", "1Y"]), default="1M", help="[1M]")
@click.option("--all-periods", "every", is_flag=True, help="The return of every period instead.")
@click.option("--transactions", metavar="CONID", type=click.IntRange(min=1), help="Transactions in one contract.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, help="How far back, with --transactions [90].")
@click.option("--currency", default="USD", help="Of transactions [USD].")
@session_options
def performance(where: Where, as_json: bool, **wanted: Any) -> None:
    """Show value and return by day; the venue answers once in 15 minutes."""
    account, told = visit(where, lambda session: _asked(session, **wanted), Need.ACCOUNT)
    if as_json:
        from engine.cli.speaking import print_json
        from engine.cli.tables import plain

        print_json(plain(told))
    elif wanted["transactions"] is not None:
        _show_transactions(told)
    elif wanted["every"]:
        _show_periods(told, account)
    else:
        _show_days(told, account)


async def _asked(
    session: Visit, *, period: str, every: bool, transactions: int | None, days: int, currency: str
) -> tuple[str, Any]:
    from engine.webapi.endpoints.performance import Performances

    reports, account = Performances(session.caller), session.own()
    if transactions is not None:
        return account, await reports.transactions([account], transactions, currency=currency, days=days)
    if every:
        return account, await reports.all_periods([account])
    return account, await reports.performance([account], period)


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value * 100:+.2f} %"


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else text


def _show_days(told: Any, account: str) -> None:
    from itertools import zip_longest

    from rich.console import Console

    from engine.cli.tables import show

    console = Console()
    values = _own(told.nav, account)
    returns = _own(told.cumulative, account)
    rows = [
        (_day(day), None if value is None else f"{value:,.2f}", _percent(ratio))
        for day, value, ratio in zip_longest(
            told.nav.dates if told.nav else (), values.values if values else (), returns.returns if returns else ()
        )
        if day is not None
    ]
    show([("day", ""), ("value", ">"), ("since the start", ">")], rows, console)
    console.print(f"{account}, {told.measure or 'return'} of {told.currency_type or 'base'} currency", highlight=False)


def _own(series: Any, account: str) -> Any:
    if series is None:
        return None
    return next((one for one in series.data if one.id == account), None)


def _show_periods(told: Any, account: str) -> None:
    from rich.console import Console

    from engine.cli.tables import show

    rows = [
        (
            name,
            _day(one.dates[0]) if one.dates else None,
            f"{one.values[-1]:,.2f}" if one.values else None,
            _percent(one.returns[-1]) if one.returns else None,
        )
        for name, one in told.accounts.get(account, {}).items()
    ]
    show([("period", ""), ("from", ""), ("value now", ">"), ("return", ">")], rows, Console())


def _show_transactions(told: Any) -> None:
    from rich.console import Console

    from engine.cli.tables import show

    console = Console()
    rows = [
        (_day(row.date), row.type, _number(row.quantity), _number(row.price), _number(row.amount), row.description)
        for row in told.rows
    ]
    heads = [("day", ""), ("type", ""), ("quantity", ">"), ("price", ">"), ("amount", ">"), ("what", "")]
    show(heads, rows, console)
    realised = told.realised.amount if told.realised else None
    console.print(
        f"{len(rows)} transactions, realised {_number(realised) or 'unknown'} {told.currency}", highlight=False
    )


def _number(value: Any) -> str | None:
    return None if value is None else f"{value:,f}"
