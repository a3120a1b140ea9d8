"""Halts of instruments out of the journal: what was halted and not lifted, wherever the journal ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from engine.daemon.halting import InstrumentHalts, Row

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("halt"), st.integers(1, 4)),
        st.tuples(st.just("lift"), st.just(0)),
        st.tuples(st.just("settle"), st.integers(1, 9)),
    )
)


@given(STEPS)
def test_a_restart_knows_what_was_known(steps: list[tuple[str, int]]) -> None:
    halts, rows = InstrumentHalts(), list[Row]()
    halted: set[int] = set()  # the model
    settled: set[str] = set()
    for at, (what, number) in enumerate(steps):
        if what == "halt":
            rows += halts.halt(number, f"trade {at}", at)
            halted.add(number)
        elif what == "lift":
            rows += halts.lift(at)
            halted.clear()
        else:
            rows += halts.settle([f"e{number}", "e0"], at)
            settled |= {f"e{number}", "e0"}
    again = InstrumentHalts.rebuilt((kind, name, json.encode(body).decode()) for _, kind, name, body in rows)
    assert set(again.reasons) == set(halts.reasons) == halted
    assert again.reasons == halts.reasons
    assert again.settled == halts.settled == settled


def test_what_is_settled_already_is_not_written_again() -> None:
    halts = InstrumentHalts()
    assert halts.settle(["e2", "e1"], 5) == [(5, "settled", "", ["e1", "e2"])]
    assert halts.settle(["e1"], 6) == []
