"""Letters from outside come back out of the log as they went in, also those that hold nothing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.brokerage import Unclear
from engine.domain.messages import Place
from engine.errors import InputError
from engine.runtime.live import inputs
from engine.runtime.live.letters import CancelNow, Fresh, OrderRead, RowsHeard, WriteAnswered
from tests.runtime_live.samples import letters_of


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


_EVERY = [
    (core, kind) for core, kinds in inputs.OUTSIDE.items() for kind in sorted(kinds, key=lambda one: one.__name__)
]


@pytest.mark.parametrize(("core", "kind"), _EVERY, ids=[f"{core}-{kind.__name__}" for core, kind in _EVERY])
def test_every_letter_from_outside_is_read_back_whatever_is_in_it(core: str, kind: type[Any]) -> None:
    for letter in letters_of(kind):
        if core == "operator" and any(not isinstance(intent, Place) for intent in letter.intents):
            continue  # a drill places, and nothing else
        record = inputs.read(inputs.write(1, core, 5, letter))
        assert inputs.letter_of(record) == letter


def test_a_letter_of_another_version_is_told_in_a_sentence() -> None:
    line = inputs.encode((7, "orders", 5, "WriteAnswered", [("v", 3)]))  # its answer is missing
    with pytest.raises(InputError, match=r"input 7 \(WriteAnswered to orders\) was written by another version"):
        inputs.letter_of(inputs.read(line))
