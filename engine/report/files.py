"""The folder a run leaves behind: Parquet tables, manifest, HTML page, and `result.json` last of all.

Each file is written under another name and renamed, so none is ever half there; `result.json` of an older run goes
first, so its presence says that everything beside it is of one run. `journal.db` is the run's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engine.errors import InputError
from engine.report.document import result_document
from engine.report.figures import plain
from engine.report.statistics import work_out
from engine.runtime.outcome import Outcome

RESULT: Final = "result.json"
REPORT: Final = "report.html"

__all__ = ["REPORT", "RESULT", "prepare", "result_document", "write"]


def prepare(out_dir: Path) -> None:
    """Make the folder if it is absent, and take an older run's `result.json` out of it.

    To be called before anything else of a new run (its journal) is written there.

    Raises: InputError if it can't be written to.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        (out_dir / RESULT).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(out_dir, error) from error


def write(outcome: Outcome, out_dir: Path) -> Path:
    """Write all files of a run and return the path of `result.json`.

    Files of other names in the folder are left alone, those of ours replaced.

    Raises: InputError if the folder can't be written to.
    """
    # Heavy (pyarrow, the page's parts), and not needed by a run that only prints.
    from engine.report.html import page
    from engine.report.tables import equity_table, fills_table, orders_table, save

    prepare(out_dir)
    statistics = work_out(outcome)
    document = result_document(outcome, statistics)
    try:
        _replace(out_dir / "fills.parquet", lambda path: save(fills_table(outcome), path))
        _replace(out_dir / "orders.parquet", lambda path: save(orders_table(outcome), path))
        _replace(out_dir / "equity.parquet", lambda path: save(equity_table(outcome), path))
        _replace_text(out_dir / "manifest.json", _json({**plain(outcome.manifest), "hash": outcome.hash}))
        _replace_text(out_dir / REPORT, page(outcome, statistics))
        _replace_text(out_dir / RESULT, _json(document))
    except OSError as error:
        raise _unwritable(out_dir, error) from error
    return out_dir / RESULT


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _replace_text(path: Path, text: str) -> None:
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _replace(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a file beside its place, then put it there in one step."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        fill(temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _unwritable(out_dir: Path, error: OSError) -> InputError:
    return InputError(f"the result can't be written: {error.strerror or error}", place=str(out_dir))
