"""`engine journal` and `engine why`: what the journal says, whether a daemon runs or not."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.lazy import LazyGroup
from engine.cli.options import json_option
from engine.cli.speaking import print_json, state_option


@click.group(
    cls=LazyGroup,
    commands_at={
        "show": ("engine.cli.journal:show", "Print the last rows, or those of a kind or a name."),
        "verify": ("engine.cli.journal:verify", "Check every row: 0 whole, 1 findings, 2 not a journal."),
    },
)
def journal() -> None:
    """Read the journal of a state folder."""


@click.command()
@click.option("--last", default=50, show_default=True, type=click.IntRange(min=1), metavar="N", help="How many rows.")
@click.option("--all", "everything", is_flag=True, help="All rows, not the last ones.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only rows of this kind; may be given again.")
@click.option("--name", metavar="NAME", help="Only rows about this order, strategy or source.")
@click.option("--guard", is_flag=True, help="The guard's journal.")
@state_option
@json_option
def show(
    last: int,
    everything: bool,
    kinds: tuple[str, ...],
    name: str | None,
    guard: bool,
    state_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the last rows of the journal, oldest first."""
    import msgspec

    from engine.domain.moments import iso
    from engine.journal.reading import JournalReader
    from engine.operator.folder import state_folder
    from engine.operator.telling import tell

    folder = state_folder(state_dir)
    reader = JournalReader(folder.guard_journal if guard else folder.journal)
    try:
        rows = list(reader.rows(name=name, kinds=kinds)) if everything else reader.last(last, name=name, kinds=kinds)
    finally:
        reader.close()
    if as_json:
        print_json(
            [
                {
                    "seq": row.seq,
                    "ts_ns": row.ts_ns,
                    "time": iso(row.ts_ns),
                    "kind": row.kind,
                    "name": row.name,
                    "body": msgspec.json.decode(row.body),
                }
                for row in rows
            ]
        )
        return
    from rich.console import Console

    from engine.cli.pages import show_rows

    symbols = folder.symbols()
    show_rows([(row.seq, row.ts_ns, row.kind, row.name, tell(row, symbols)) for row in rows], Console())


@click.command()
@state_option
@json_option
def verify(state_dir: Path | None, as_json: bool) -> int:
    """Check each row of the journal and of the guard's: 0 whole, 1 findings, 2 not a journal."""
    from engine.journal.reading import JournalReader
    from engine.operator.folder import state_folder

    folder = state_folder(state_dir)
    files = [*folder.journals(), *([folder.guard_journal] if folder.guard_journal.exists() else [])]
    found = []
    for path in files:
        reader = JournalReader(path)
        try:
            findings = reader.verify()
            last = [] if findings else reader.last(1)
        finally:
            reader.close()
        found.append({"journal": str(path), "last_row": last[0].seq if last else 0, "findings": findings})
    if as_json:
        print_json(found)
    else:
        for one in found:
            click.echo(f"{one['journal']}: " + ("findings" if one["findings"] else f"whole, {one['last_row']:,} rows"))
            for finding in one["findings"]:  # type: ignore[attr-defined]  # a list of sentences
                click.echo(f"  {finding}")
    return 1 if any(one["findings"] for one in found) else 0


@click.command()
@click.argument("order", metavar="ORDER")
@state_option
@json_option
def why(order: str, state_dir: Path | None, as_json: bool) -> None:
    """Tell the whole story of one order, by our client order id or the venue's order id."""
    from engine.operator.folder import state_folder
    from engine.operator.story import story

    told = story(state_folder(state_dir), order)
    if as_json:
        print_json(told)
        return
    from rich.console import Console

    from engine.cli.pages import show_story

    show_story(told, Console())
