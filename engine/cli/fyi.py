"""`engine fyi`: the user's notifications, and what kinds are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Need, Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.session import Visit


@click.command()
@click.option("--most", type=click.IntRange(1, 10), default=10, help="How many notifications [10].")
@click.option("--unread", is_flag=True, help="Only those that have not been read.")
@click.option("--mark-read", metavar="ID", multiple=True, help="Mark one as read; may be given again.")
@click.option("--kinds", is_flag=True, help="The kinds of notifications instead.")
@click.option("--on", metavar="CODE", help="Have a kind sent.")
@click.option("--off", metavar="CODE", help="Have a kind sent no more.")
@session_options
def fyi(where: Where, as_json: bool, **wanted: Any) -> None:
    """Show notifications, newest first; with --kinds what can be sent."""
    kinds = wanted["kinds"] or wanted["on"] or wanted["off"]
    told = visit(where, lambda session: _asked(session, kinds=bool(kinds), **_rest(wanted)), Need.LOGIN)
    from engine.cli.tables import plain, show, words, yes

    if as_json:
        from engine.cli.speaking import print_json

        print_json(plain(told))
        return
    from rich.console import Console

    from engine.domain.moments import iso

    console = Console()
    if kinds:
        sorts = [(row.code, yes(row.active), yes(row.accepted), row.name, row.description) for row in told["kinds"]]
        show([("code", ""), ("sent", ""), ("accepted", ""), ("name", ""), ("about", "w")], sorts, console)
        return
    rows = [
        ("" if row.read else "new", row.told_ns and iso(row.told_ns)[:10], row.code, row.title, row.id, words(row.text))
        for row in told["notifications"]
    ]
    show([("", ""), ("day", ""), ("kind", ""), ("title", ""), ("id", ""), ("text", "w")], rows, console)
    console.print(f"{told['unread']} unread", highlight=False)


def _rest(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if name != "kinds"}


async def _asked(
    session: Visit, *, kinds: bool, most: int, unread: bool, mark_read: tuple[str, ...], on: str | None, off: str | None
) -> dict[str, Any]:
    """Carry out the changes, then read back."""
    from engine.errors import InputError, VenueRefused
    from engine.webapi.endpoints.fyi import Fyi

    notices = Fyi(session.caller)
    for code, enabled in ((on, True), (off, False)):
        if code is not None:
            known = {row.code for row in await notices.settings()}
            if code.upper() not in known:
                raise InputError(f"there is no kind {code}; the kinds are {', '.join(sorted(known))}")
            await notices.set_enabled(code.upper(), enabled=enabled)
    if kinds:
        return {"kinds": await notices.settings()}
    for name in mark_read:
        try:
            await notices.mark_read(name)
        except VenueRefused as error:
            raise InputError(f"there is no notification {name}: {error.problem}", place="--mark-read") from error
    rows = await notices.notifications(most=most)
    return {
        "unread": (await notices.unread()).count,
        "notifications": [row for row in rows if not (unread and row.read)],
    }
