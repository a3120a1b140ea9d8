"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

# No `exists=True`: a missing file is answered by whoever reads it, in the words of all other bad input.
config_argument = click.argument("config", type=click.Path(path_type=Path))
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the configuration, as in strategy.NAME.params.fast=5; may be given again.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a page.")
