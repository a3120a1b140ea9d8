"""The budget of logins: its arithmetic against a plain list, its file over restarts and cut writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.webapi.loginfile import load, save
from engine.webapi.logins import LIMITS, Attempt, Logins

S = 1_000_000_000
NOW = 1_710_000_000 * S


@given(waits=st.lists(st.integers(0, 1500), max_size=60), attempt=st.sampled_from(Attempt))
def test_never_more_than_the_limit_in_an_hour(waits: list[int], attempt: Attempt) -> None:
    logins, now, made = Logins(), NOW, list[int]()
    for wait in waits:
        now += wait * S
        free = logins.free_ns(attempt, now)
        allowed = sum(one > now - 3600 * S for one in made) < LIMITS[attempt][0]
        assert (free <= now) == allowed
        if allowed:
            logins = logins.spend(attempt, now)
            made.append(now)
        else:
            assert logins.free_ns(attempt, free) <= free
            assert logins.free_ns(attempt, free - 1) > free - 1


def test_kinds_are_counted_apart_and_a_refund_takes_the_latest() -> None:
    logins = Logins()
    for at in range(3):
        logins = logins.spend(Attempt.STEAL, NOW + at)
    assert logins.free_ns(Attempt.STEAL, NOW + 9) == NOW + 3600 * S
    assert logins.free_ns(Attempt.LOGIN, NOW + 9) == NOW + 9
    refunded = logins.refund(Attempt.STEAL)
    assert [one.at_ns for one in refunded.made] == [NOW, NOW + 1]
    assert refunded.refund(Attempt.LOGIN) == refunded


def test_stamps_of_another_clock_lock_nobody_out() -> None:
    logins = Logins()
    for _ in range(10):
        logins = logins.spend(Attempt.LOGIN, NOW + 10**9 * S)
    assert logins.free_ns(Attempt.LOGIN, NOW) == NOW


def test_the_file_survives_a_restart_and_a_cut_write(tmp_path: Path) -> None:
    path = tmp_path / "logins.json"
    assert load(path) == Logins()
    logins = Logins().spend(Attempt.LOGIN, NOW).spend(Attempt.STEAL, NOW + 1)
    save(path, logins)
    assert load(path) == logins
    (tmp_path / "logins.json.new").write_bytes(b'{"made":[{"att')  # the process died here
    assert load(path) == logins
    save(path, logins.spend(Attempt.INIT, NOW + 2))
    assert len(load(path).made) == 3


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"[]x", b'{"made":[{"attempt":"dance","at_ns":1}]}', b'{"made":3}'):
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(ConfigError, match="not a list of logins"):
            load(tmp_path / "f")
