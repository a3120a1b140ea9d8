"""A fault reaches what was made, and what was remembered, before it was put in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType

import pytest

from tests.mutation.exchanging import exchange, forget_calls


def sound(number: int, more: int = 1) -> Callable[[int], int]:
    def add(to: int) -> int:
        return to + number + more

    return add


def faulty(number: int, more: int = 2) -> Callable[[int], int]:
    def add(to: int) -> int:
        return to - number - more

    return add


def test_what_a_function_has_made_before_gets_the_fault_too() -> None:
    def used(number: int, more: int = 1) -> Callable[[int], int]:
        def add(to: int) -> int:
            return to + number + more

        return add

    before, other = used(10), sound(10)
    assert isinstance(used, FunctionType)
    assert isinstance(faulty, FunctionType)
    assert isinstance(sound, FunctionType)
    exchange(used, faulty, sound)
    assert before(100) == 100 - 10 - 1  # it had its own numbers
    assert used(10)(100) == 100 - 10 - 2
    assert other(100) == 111, "what somebody else has made is left alone"


def test_what_is_remembered_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    @lru_cache
    def remembered(number: int) -> int:
        calls.append(number)
        return number

    made = ModuleType("somewhere.inside")
    vars(made)["remembered"] = remembered
    monkeypatch.setitem(sys.modules, "somewhere.inside", made)
    assert [remembered(3), remembered(3)] == [3, 3]
    forget_calls("elsewhere")
    remembered(3)
    forget_calls("somewhere")
    remembered(3)
    assert calls == [3, 3]
