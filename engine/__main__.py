"""The process `engine`: obeys Ctrl-C and SIGTERM before it imports anything else."""

from __future__ import annotations

from typing import NoReturn

from engine.stopping import obey


def main() -> NoReturn:
    """Run the command line of this process and end it."""
    obey()
    from engine import cli

    cli.main()


if __name__ == "__main__":
    main()
