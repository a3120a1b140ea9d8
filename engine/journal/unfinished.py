"""A place for the journal of a run whose result has no name yet, and a broom for what killed runs left there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.errors import InputError
from engine.stopping import Tidied

SHELF: Final = ".unfinished"
_TRIES: Final = 100


@contextmanager
def unfinished(runs: Path) -> Iterator[Path]:
    """Give a run a folder of its own under `runs`, on the disk of the results, and take it away at the end.

    The folder is locked while its run lives, so whoever finds one that is not locked may sweep it out.

    Raises: InputError if nothing can be written there.
    """
    shelf = runs / SHELF
    try:
        folder, lock = _own(shelf)
    except OSError as error:
        raise InputError(f"the result can't be written there: {error.strerror}", place=str(runs)) from error

    def tidy() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            shelf.rmdir()  # the last one turns off the light

    try:
        with Tidied(tidy):
            yield folder
    finally:
        tidy()
        os.close(lock)


def _own(shelf: Path) -> tuple[Path, int]:
    """Make a folder on the shelf and lock it; while the shelf is locked nobody else sweeps."""
    for _ in range(_TRIES):
        shelf.mkdir(parents=True, exist_ok=True)
        try:
            held = os.open(shelf, os.O_RDONLY)
        except FileNotFoundError:
            continue  # somebody has just taken the empty shelf away
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            for left in list(shelf.iterdir()):
                _sweep(left)
            folder = Path(tempfile.mkdtemp(dir=shelf))
            return folder, _locked(folder)
        except FileNotFoundError:
            continue
        finally:
            os.close(held)
    raise OSError(0, "its folder of unfinished runs comes and goes")


def _locked(folder: Path) -> int:
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _sweep(folder: Path) -> None:
    """Take away what a run has left that is no more."""
    try:
        lock = _locked(folder)
    except OSError:  # its run lives, or has just gone by itself
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
