"""Letters from outside come back out of the log as they went in, also those that hold nothing."""

from __future__ import annotations

import pytest

from engine.domain.brokerage import Unclear
from engine.errors import InputError
from engine.runtime.live import inputs
from engine.runtime.live.letters import CancelNow, Fresh, OrderRead, RowsHeard, WriteAnswered


@pytest.mark.parametrize(
    ("core", "letter"),
    [
        ("orders", WriteAnswered(3, None)),
        ("orders", WriteAnswered(3, Unclear(reason="silence"))),
        ("orders", RowsHeard(())),
        ("orders", OrderRead("7", None)),
        ("orders", CancelNow(None, "halt")),
        ("orders", CancelNow((), "halt")),
        ("feed", Fresh(())),
    ],
)
def test_what_was_written_is_read_back(core: str, letter: object) -> None:
    record = inputs.read(inputs.write(1, core, 5, letter))
    assert inputs.is_outside(record)
    assert inputs.letter_of(record) == letter


def test_a_letter_of_another_version_is_told_in_a_sentence() -> None:
    line = inputs.encode((7, "orders", 5, "WriteAnswered", [("v", 3)]))  # its answer is missing
    with pytest.raises(InputError, match=r"input 7 \(WriteAnswered to orders\) was written by another version"):
        inputs.letter_of(inputs.read(line))
