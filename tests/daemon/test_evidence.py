"""A daemon trades only in the session that is meant: its mode and account against what the session says of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from engine.daemon.config import Mode
from engine.daemon.evidence import against, session_of
from engine.errors import InputError
from engine.webapi.facts.accounts import BrokerageAccounts


def told(paper: bool | None, *accounts: str) -> BrokerageAccounts:
    return BrokerageAccounts(accounts=accounts, paper=paper)


@pytest.mark.parametrize(
    ("mode", "paper", "problem"),
    [
        (Mode.SIM, True, None),
        (Mode.SIM, None, None),
        (Mode.SIM, False, "the mode is sim, and the session is a live one"),
        (Mode.PAPER, True, None),
        (Mode.PAPER, None, None),
        (Mode.PAPER, False, "the mode is paper, and the session is a live one"),
        (Mode.LIVE, False, None),
        (Mode.LIVE, True, "the mode is live, and the session is a paper session"),
        (Mode.LIVE, None, "the mode is live, and the session does not say whether it is paper"),
    ],
)
def test_whose_money_the_session_trades_must_be_what_the_mode_says(
    mode: Mode, paper: bool | None, problem: str | None
) -> None:
    if problem is None:
        against(mode, "A1", told(paper, "A1"), whole=True)
        return
    with pytest.raises(InputError, match=problem):
        against(mode, "A1", told(paper, "A1"), whole=True)
    if paper is None:
        against(mode, "A1", told(paper, "A1"), whole=False)  # it may still say so


class Session:
    """A session that comes up after a while, or never."""

    def __init__(self, mode: Mode, up_s: float) -> None:
        self.chores = SimpleNamespace(told=None, known=None, missed=0)
        base = SimpleNamespace(account=SimpleNamespace(id="DU2"))
        self.daemon: Any = SimpleNamespace(
            settings=SimpleNamespace(base=base, mode=mode),
            link=SimpleNamespace(chores=self.chores, supervisor=self),
        )
        self.up_s = up_s

    async def wait_up(self) -> None:
        await trio.sleep(self.up_s)
        self.chores.known = told(True, "DU2")


async def test_an_account_that_the_session_lacks_ends_the_start_and_is_named(
    autojump_clock: trio.testing.MockClock,
) -> None:
    session = Session(Mode.PAPER, 10_000.0)
    session.chores.told, session.chores.missed = told(True, "DU1", "DU3"), 2
    with pytest.RaisesGroup(pytest.RaisesExc(InputError, match="DU2: .* no such account; it has DU1, DU3")):
        await session_of(session.daemon, tells_account=False)
    assert trio.current_time() < 1


@pytest.mark.parametrize(("missed", "seen"), [(1, False), (2, True)])
async def test_a_list_that_is_late_or_lacks_it_for_once_is_waited_for(
    missed: int, seen: bool, autojump_clock: trio.testing.MockClock
) -> None:
    session = Session(Mode.PAPER, 30.0)
    session.chores.told, session.chores.missed = told(True, "DU1"), missed
    await session_of(session.daemon, tells_account=seen)
    assert trio.current_time() >= 30


async def test_a_session_of_other_money_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    session = Session(Mode.PAPER, 10_000.0)
    session.chores.told = told(False, "U1")
    with pytest.RaisesGroup(pytest.RaisesExc(InputError, match="the session is a live one")):
        await session_of(session.daemon, tells_account=True)
