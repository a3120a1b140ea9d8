"""`engine strategies`: what is installed, with parameters, types and defaults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import json_option

if TYPE_CHECKING:
    from engine.strategy.loading import Installed


@click.command()
@json_option
def strategies(as_json: bool) -> None:
    """List the strategies found in the entry-point group engine.strategies."""
    from engine.strategy.loading import installed

    found = installed()
    if as_json:
        click.echo(json.dumps([_document(one) for one in found], indent=2, default=str))
        return
    if not found:
        click.echo("no strategy is installed")
    for one in found:
        click.echo("\n".join(_page(one)))


def _document(one: Installed) -> dict[str, Any]:
    import attrs

    return attrs.asdict(one)


def _page(one: Installed) -> list[str]:
    lines = [f"{click.style(one.name, bold=True)}  {one.use}"]
    if one.problem is not None:
        return [*lines, f"  can't be used: {one.problem}"]
    if one.summary:
        lines.append(f"  {one.summary}")
    width = max((len(parameter.name) for parameter in one.parameters), default=0)
    for parameter in one.parameters:
        default = "required" if parameter.required else f"= {parameter.default}"
        lines.append(f"    {parameter.name:<{width}}  {parameter.type} {default}")
    return lines
