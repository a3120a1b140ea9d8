"""What `engine doctor` finds: one line each, with the mend."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Verdict(StrEnum):
    """How one thing does."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Finding:
    """One line: what was looked at, how it does, what was seen, and the mend ("" where nothing need be mended)."""

    what: str
    verdict: Verdict
    seen: str
    mend: str = ""


def ok(what: str, seen: str) -> Finding:
    """It does well."""
    return Finding(what, Verdict.OK, seen)


def warn(what: str, seen: str, mend: str) -> Finding:
    """One can trade with it."""
    return Finding(what, Verdict.WARN, seen, mend)


def fail(what: str, seen: str, mend: str) -> Finding:
    """One can't trade with it."""
    return Finding(what, Verdict.FAIL, seen, mend)
