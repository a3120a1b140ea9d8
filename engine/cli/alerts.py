"""`engine alerts`: the account's alerts at the venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.session import Visit


@click.command()
@click.argument("alert_id", metavar="[ID]", required=False, type=click.IntRange(min=1))
@click.option("--resume", "change", flag_value="resume", help="Let the alert ID watch again.")
@click.option("--pause", "change", flag_value="pause", help="Let it rest.")
@click.option("--delete", "change", flag_value="delete", help="Do away with it.")
@session_options
def alerts(where: Where, as_json: bool, alert_id: int | None, change: str | None) -> None:
    """List the alerts, or show one with its conditions."""
    from engine.errors import InputError

    if change is not None and alert_id is None:
        raise InputError(f"--{change} is for one alert; give its ID")
    told = visit(where, lambda session: _asked(session, alert_id, change))
    from engine.cli.tables import plain, show, yes

    if as_json:
        from engine.cli.speaking import print_json

        print_json(plain(told))
        return
    from rich.console import Console

    console = Console()
    if "alert" in told:
        one = told["alert"]
        console.print(f"{one.alert_id} {one.name}: {one.message}", highlight=False, markup=False)
        said = f"active {yes(one.active)}, triggered {yes(one.triggered)}, repeats {yes(one.repeats)}, {one.tif}"
        console.print(said, highlight=False)
        rows = [(part.description or part.conidex, part.operator, part.value, part.bind) for part in one.conditions]
        show([("what", ""), ("", ""), ("value", ">"), ("then", "")], rows, console)
        return
    listed = [(row.alert_id, row.name, yes(row.active), yes(row.triggered), yes(row.repeats)) for row in told["alerts"]]
    show([("id", ">"), ("name", ""), ("active", ""), ("triggered", ""), ("repeats", "w")], listed, console)
    console.print(f"{len(listed)} alerts", highlight=False)


async def _asked(session: Visit, alert_id: int | None, change: str | None) -> dict[str, Any]:
    from engine.errors import InputError
    from engine.webapi.endpoints.alerts import Alerts

    book, account = Alerts(session.caller), session.own()
    listed = await book.listed(account)
    if alert_id is None:
        return {"alerts": listed}
    if alert_id not in {row.alert_id for row in listed}:
        raise InputError(f"the account has no alert {alert_id}")
    match change:
        case "resume" | "pause":
            await book.activate(account, alert_id, active=change == "resume")
        case "delete":
            await book.delete(account, alert_id)
            return {"alerts": await book.listed(account)}
    return {"alert": await book.detail(alert_id)}
