"""Blocks of numpy columns and Arrow batches are the same rows, and neither way needs pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import COLUMNS, Kind
from engine.recording.layout import Block, to_batch, to_block

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i8": st.integers(-(2**63), 2**63 - 1),
    "f8": st.floats(),
    "?": st.booleans(),
    "O": st.text(max_size=5).filter(lambda text: text.isprintable()),
}
RECORDS_ONE_ROW = """
import sys
from pathlib import Path
import numpy as np
from engine.domain.instrument import Instrument
from engine.domain.market import Kind
from engine.recording.head import Head
from engine.recording.writer import RecordingWriter, write_head

root = Path(sys.argv[1])
write_head(root, Head(name="n", instruments=(Instrument(conid=1, symbol="A", calendar="24/7"),)))
with RecordingWriter(root) as writer:
    for ts_ns, trading in ((5, "open"), (6, "halted")):
        texts = np.array([trading], object)
        writer.append(Kind.STATUS, {"ts_ns": np.array([ts_ns]), "conid": np.array([1]), "trading": texts})
assert "pandas" not in sys.modules
"""


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Kind, Block]:
    kind = draw(st.sampled_from(list(Kind)))
    rows = draw(st.integers(0, 20))
    of = {name: draw(st.lists(VALUES[code], min_size=rows, max_size=rows)) for name, code in COLUMNS[kind]}
    return kind, {name: np.array(of[name], code) for name, code in COLUMNS[kind]}


@given(blocks(), st.integers(0, 5))
def test_what_becomes_a_batch_comes_back(made: tuple[Kind, Block], start: int) -> None:
    kind, whole = made
    block = {name: column[start:] for name, column in whole.items()}  # a view, as the writer cuts them
    batch = to_batch(kind, block)
    batch.validate(full=True)
    back = to_block(kind, batch, Path("none"))
    for name, column in block.items():
        np.testing.assert_array_equal(back[name], column)  # NaN is NaN


def test_a_column_of_another_type_is_not_cut_to_fit() -> None:
    block = {name: np.zeros(1, code) for name, code in COLUMNS[Kind.TRADES]}
    with pytest.raises(TypeError):
        to_batch(Kind.TRADES, block | {"conid": np.array([1.5])})


def test_recording_needs_no_pandas(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RECORDS_ONE_ROW, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
