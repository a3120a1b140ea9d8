"""The trading state against a plain model, and that the journal's rows build it again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.operator.trading import Row, TradingDesk, TradingState

H, R = TradingState.HALTED, TradingState.REDUCING
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("latch"), st.sampled_from([H, R]), st.sampled_from(["operator", "risk"])),
        st.tuples(st.just("resume"), st.just(H), st.just("")),
        st.tuples(st.just("start"), st.just(H), st.just("")),
    ),
    max_size=12,
)


def stored(rows: list[Row]) -> list[tuple[int, str, str, str]]:
    return [(ts, kind, name, msgspec.json.encode(body).decode()) for ts, kind, name, body in rows]


@given(STEPS)
def test_the_worst_latch_counts_and_only_resume_lifts(steps: list[tuple[str, TradingState, str]]) -> None:
    desk, rows = TradingDesk(), list[Row]()
    held: set[TradingState] = set()
    started = False
    for at, (what, level, source) in enumerate(steps):
        if what == "latch":
            rows += desk.latch(level, source, f"because {at}", at)
            held.add(level)
        elif what == "resume":
            rows += desk.resume(at)
            held.clear()
        else:
            desk.start()
            started = True
        expected = "halted" if H in held else "reducing" if R in held else "on" if started else "starting"
        assert desk.state == expected
        assert (desk.reason == "") == (expected == "on")
        again = TradingDesk.rebuilt(stored(rows))
        assert again.latches == desk.latches
        assert again.state == (expected if held else "starting")


def test_a_latch_of_one_source_and_level_is_set_once() -> None:
    desk = TradingDesk()
    assert len(desk.latch(H, "operator", "first", 1)) == 1
    assert desk.latch(H, "operator", "second", 2) == []
    assert len(desk.latch(H, "risk", "third", 3)) == 1
    assert desk.reason == "first; third"


def test_what_the_guard_did_is_taken_over_once_and_not_again_after_a_resume() -> None:
    desk = TradingDesk()
    rows = desk.latch(H, "guard", "the daemon was silent", 5, guard_seq=7)
    rows += desk.resume(6)
    again = TradingDesk.rebuilt(stored(rows))
    assert again.latch(H, "guard", "the daemon was silent", 8, guard_seq=7) == []
    assert again.state == "starting"
    assert again.guard_seq == 7
    assert len(again.latch(H, "guard", "once more", 9, guard_seq=12)) == 1


def test_only_halting_and_reducing_are_latches() -> None:
    with pytest.raises(ValueError, match="no latch on"):
        TradingDesk().latch(TradingState.ON, "operator", "", 1)
