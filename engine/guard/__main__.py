"""The process `python -m engine.guard STATE --venue MODULE:NAME`; daemons start it, people need not."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.stopping import obey


def main() -> int:
    """Guard until there is nothing to guard. Returns the exit code: 0, or 2 for what can't be used."""
    obey()
    parser = argparse.ArgumentParser(prog="engine.guard", description="Guard the daemon of a state folder.")
    parser.add_argument("state", type=Path, help="the state folder")
    parser.add_argument("--venue", required=True, help="module:attribute that opens the way to the gateway")
    parser.add_argument("--alone", type=float, default=30.0, help="seconds to stay with neither daemon nor gateway")
    given = parser.parse_args()

    import structlog
    import trio

    from engine.errors import InputError
    from engine.guard.post import Post
    from engine.operator.folder import StateFolder

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    folder = StateFolder(given.state)
    try:
        open_venue = _found(given.venue)
        with folder.held("guard"):
            trio.run(Post(folder, open_venue, alone_s=given.alone).run)
    except InputError as error:
        print(f"engine.guard: {error}", file=sys.stderr)
        return 2
    return 0


def _found(name: str) -> Any:
    from engine.errors import InputError

    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"the way to the venue can't be found: {error}", place=name) from error


if __name__ == "__main__":
    sys.exit(main())
