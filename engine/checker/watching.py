"""Clocks, dice and files caught in the act: what a strategy's code calls and opens while it is loaded and run.

Seen are Python's own ways to open a file, whoever calls them for the strategy, and paths that the strategy's files hand
to a Python function. A C library that makes up a file's name by itself is not seen.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path, PurePath
from types import FrameType
from typing import Any, Final

from attrs import frozen

import engine

_CLOCKS: Final = {
    getattr(time, name)
    for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for name in (clock, f"{clock}_ns")
    if hasattr(time, name)
} | {time.strftime, time.localtime, time.gmtime, time.ctime, time.asctime}
_CLOCKS_OF_DATETIME: Final = {"now", "utcnow", "today"}
_DICE_FILES: Final = {secrets.__file__, uuid.__file__}
_OPENING: Final = {"open", "os.listdir", "os.scandir", "sqlite3.connect"}
_CODE: Final = (".py", ".pyc", ".pyd", ".so", ".pth")
# What Python, its packages and the system bring along is nobody's market data.
_SYSTEM: Final = tuple(
    f"{os.path.realpath(path)}{os.sep}"
    for path in {*sysconfig.get_paths().values(), "/usr", "/etc", "/proc", "/sys", "/dev"}
)
_OURS: Final = os.path.dirname(engine.__file__) + os.sep  # noqa: PTH120  # compared with the file names of code objects


@frozen
class Finding:
    """Something that a backtest of this configuration can't be trusted in: `kind` is `look-ahead`, `window`, `clock`,
    `chance`, `hash seed` or `switched off`."""

    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


@frozen
class Opened:
    """A file or folder that was opened for reading, and a line of source on whose behalf."""

    path: str
    source: str
    line: int


_listening: list[Callable[[tuple[Any, ...], FrameType | None], None]] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    """The process's audit hook. It can't be taken off again, so it listens only while somebody does."""
    if _listening and event in _OPENING:
        _listening[-1](args, sys._getframe(1))


@contextmanager
def opened() -> Iterator[list[Opened]]:
    """Note what is opened for reading, with every line of source that stands behind it."""
    found: list[Opened] = []

    def note(args: tuple[Any, ...], frame: FrameType | None) -> None:
        path = _text(args[0])
        if path is None or _writes(args):
            return
        while frame is not None:
            found.append(Opened(path, frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back

    if not getattr(sys, "_engine_check_listens", False):
        sys._engine_check_listens = True  # type: ignore[attr-defined]  # once in a process, whoever imports this module
        sys.addaudithook(_audit)
    _listening.append(note)
    try:
        yield found
    finally:
        _listening.pop()


def _writes(args: tuple[Any, ...]) -> bool:
    """Whether the arguments of an `open` event are those of a file that is only written."""
    if len(args) < 3:
        return False
    mode, flags = args[1], args[2]
    if isinstance(mode, str):
        return "+" not in mode and "r" not in mode
    return isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY


def _text(path: object) -> str | None:
    """A path as an absolute text, asking the disk for nothing; None if it is none."""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str | PurePath) or not str(path) or "\0" in str(path):
        return None
    return os.path.abspath(path)  # noqa: PTH100  # as above


def lies_in(path: str, folder: Path) -> bool:
    """Whether an absolute path is that of a folder, or of something in it."""
    root = os.path.abspath(folder)  # noqa: PTH100  # asks the disk for nothing
    return path == root or path.startswith(root + os.sep)


def may_be_data(path: str) -> bool:
    """Whether a path may hold market data: neither code nor part of Python or the system."""
    return not path.endswith(_CODE) and not os.path.realpath(path).startswith(_SYSTEM)


@contextmanager
def watched(files: Mapping[str, str]) -> Iterator[tuple[list[Finding], list[Opened]]]:
    """Watch which clocks and dice the strategies' files call, and which paths they hand to functions.

    Args:
        files: Names of strategies by their source files.
    """
    seen: list[Finding] = []
    told: list[Opened] = []
    known: dict[object, str | None] = {}

    def existing(value: object) -> str | None:
        if not isinstance(value, str | bytes | PurePath):
            return None
        if value not in known:
            path = _text(value) if isinstance(value, PurePath) or len(value) < 4_096 else None
            known[value] = path if path is not None and os.path.exists(path) else None  # noqa: PTH110  # a text
        return known[value]

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and frame.f_code.co_filename in files:
            kind = _kind(called)
            if kind is not None:
                seen.append(_asks(kind, files, frame, getattr(called, "__qualname__", repr(called))))
        elif event == "call" and frame.f_back is not None and frame.f_back.f_code.co_filename in files:
            code = frame.f_code
            if code.co_filename in files or code.co_filename.startswith(_OURS):
                return
            given = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
            dice = code.co_filename == random.__file__ and (
                _is_shared_dice(given[:1]) or (code.co_name == "__init__" and given[1:] == [None])  # nobody's seed
            )
            if dice or code.co_filename in _DICE_FILES:
                seen.append(_asks("chance", files, frame.f_back, code.co_qualname))
                return
            for one in given:
                path = existing(one)
                if path is not None:
                    told.append(Opened(path, frame.f_back.f_code.co_filename, frame.f_back.f_lineno))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen, told
    finally:
        sys.setprofile(before)


def _asks(kind: str, files: Mapping[str, str], frame: FrameType, name: str) -> Finding:
    path = frame.f_code.co_filename
    what = "a clock" if kind == "clock" else "chance"
    return Finding(kind, f"strategy {files[path]} asks {what}: {name} at {Path(path).name}:{frame.f_lineno}")


def _is_shared_dice(owner: Sequence[object]) -> bool:
    """The module's own dice, or the system's: nobody has seeded them for this strategy alone."""
    return any(one is getattr(random, "_inst", None) or isinstance(one, random.SystemRandom) for one in owner)


def _kind(called: Any) -> str | None:
    owner = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    if called in _CLOCKS or (isinstance(owner, type) and issubclass(owner, date) and name in _CLOCKS_OF_DATETIME):
        return "clock"
    if called is os.urandom or _is_shared_dice((owner,)):
        return "chance"
    return None
