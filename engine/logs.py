"""Logs: fixed event names and facts as fields, on stderr, so that stdout stays the result's."""

from __future__ import annotations

import sys

import structlog

from engine.webapi.redaction import quiet_libraries, redact


def _to_stderr(*_: object) -> structlog.PrintLogger:
    """Ask for stderr each time: whoever has put another in its place meanwhile means it."""
    return structlog.PrintLogger(sys.stderr)


def configure() -> None:
    """Write one line an event: coloured for a terminal, JSON for a file or a pipe. Secrets are hidden."""
    quiet_libraries()
    to_person: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        redact,
        structlog.dev.ConsoleRenderer(pad_event_to=10, exception_formatter=structlog.dev.plain_traceback),
    ]
    to_program: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[structlog.processors.add_log_level, *(to_person if sys.stderr.isatty() else to_program)],
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )
