"""What people are told may be traded: an operator's latches and those of risk, of the account and of strategies."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trio
from rich.console import Console

from engine.cli.pages import show_status
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.operator.latches import begun, reasons_of, rows_of, sentence, state_of
from engine.operator.protocol import NotDone, request
from engine.operator.starting import StartingDesk
from engine.operator.trading import Row, TradingDesk, TradingState
from engine.risk.account import ACCOUNT, Held, Level
from engine.risk.plugins import as_row
from tests.operator.house import house

T0 = 1_772_550_407 * NS_PER_S  # 2026-03-03T15:06:47Z
LOSS = Held(Level.HALTED, "LOSS", "the account has lost 120.00 today, above 100", T0)
STREAK = Held(Level.REDUCING, "STREAK", "fast has closed 4 trades at a loss in a row", T0, T0 + NS_PER_MINUTE)
FALLEN = Held(Level.REDUCING, "DRAWDOWN", "the account has fallen 9.00 %", T0)


def desk(*levels: TradingState, started: bool = True) -> TradingDesk:
    made = TradingDesk()
    for level in levels:
        made.latch(level, "operator", f"{level} by hand", T0)
    if started:
        made.start()
    return made


@pytest.mark.parametrize(
    ("levels", "held", "state", "reasons"),
    [
        ((), {}, "on", []),
        ((), {ACCOUNT: LOSS}, "halted", [LOSS.sentence]),
        ((), {ACCOUNT: FALLEN}, "reducing", [FALLEN.sentence]),
        ((), {"fast": STREAK}, "on", []),
        ((TradingState.REDUCING,), {ACCOUNT: LOSS}, "halted", ["reducing by hand", LOSS.sentence]),
        ((TradingState.HALTED,), {ACCOUNT: FALLEN}, "halted", ["halted by hand", FALLEN.sentence]),
    ],
)
def test_what_risk_has_latched_on_the_account_counts_as_an_operator_s_halt_does(
    levels: tuple[TradingState, ...], held: dict[str, Held], state: str, reasons: list[str]
) -> None:
    assert state_of(desk(*levels), held, T0) == state
    assert reasons_of(desk(*levels), held, T0) == reasons


def test_while_the_books_are_read_a_latch_of_an_earlier_life_is_told_already() -> None:
    starting = desk(started=False)
    assert (state_of(starting, {}, T0), reasons_of(starting, {}, T0)) == ("starting", [starting.reason])
    assert state_of(starting, {ACCOUNT: LOSS}, T0) == "halted"


def test_a_latch_that_has_ended_is_told_no_more() -> None:
    ends = Held(Level.HALTED, "LOSS", "lost", T0, T0 + 5)
    assert state_of(desk(), {ACCOUNT: ends}, T0 + 4) == "halted"
    assert state_of(desk(), {ACCOUNT: ends}, T0 + 5) == "on"
    assert rows_of(desk(), {ACCOUNT: ends}, T0 + 5) == []
    assert reasons_of(desk(), {ACCOUNT: ends}, T0 + 5) == []


def test_a_sentence_names_who_what_which_latch_and_since_when() -> None:
    rows = rows_of(desk(TradingState.HALTED), {ACCOUNT: LOSS, "fast": STREAK}, T0)
    assert [(row["level"], row["source"]) for row in rows] == [
        ("halted", "operator"), ("halted", "risk"), ("reducing", "risk fast"),
    ]  # fmt: skip
    assert [sentence(row) for row in rows] == [
        "the account is halted (operator) since 2026-03-03 15:06:47: halted by hand",
        f"the account is halted (risk, LOSS) since 2026-03-03 15:06:47: {LOSS.sentence}",
        "fast is reduce-only (risk, STREAK) since 2026-03-03 15:06:47 until 2026-03-03 15:07:47: " + STREAK.sentence,
    ]


def test_a_start_says_what_is_latched() -> None:
    assert begun(desk(), {}, T0) == "trading is on"
    assert begun(desk(), {ACCOUNT: LOSS}, T0) == (
        "trading is halted: the account is halted (risk, LOSS) since 2026-03-03 15:06:47: "
        f"{LOSS.sentence}; `engine resume` lifts it"
    )
    assert begun(desk(), {"fast": STREAK}, T0).startswith("trading is on: fast is reduce-only (risk, STREAK) since")


def page(status: Any) -> str:
    out = StringIO()
    show_status(status, Console(file=out, width=300))
    return out.getvalue()


async def test_status_and_its_page_tell_a_halt_of_risk_s(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(1)
        assert (await here.desk.status())["trading"] == "on"
        here.desk.gate.account.latch(ACCOUNT, LOSS)
        here.desk.gate.account.latch("busy", STREAK)
        status = await here.desk.status()
        assert (status["trading"], status["reasons"]) == ("halted", [LOSS.sentence])
        told = page(status).splitlines()
        assert told[0].startswith("trading is halted")
        assert told[1] == f"  the account is halted (risk, LOSS) since 2026-03-03 15:06:47: {LOSS.sentence}"
        with pytest.raises(NotDone, match="trading is halted already: the account has lost"):
            await here.desk.drill()


async def test_no_drill_where_its_resume_would_lift_what_it_did_not_set(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(1)
        here.desk.gate.account.latch("busy", STREAK)
        with pytest.raises(NotDone, match="busy"):
            await here.desk.drill()


async def test_a_start_tells_it_and_does_not_say_that_it_has_lifted_it() -> None:
    async def store(more: Any) -> None:
        rows.extend(more)

    rows: list[Row] = []
    starting = StartingDesk(
        trading=TradingDesk(), now_ns=lambda: T0, store=store, layers=list, about=dict, stopping=trio.Event(),
        held=lambda: {ACCOUNT: LOSS},
    )  # fmt: skip
    status: Any = await starting.answer(request("status", {}))
    assert (status["trading"], status["reasons"]) == ("halted", [LOSS.sentence])
    assert "the account is halted (risk, LOSS)" in page(status)
    with pytest.raises(NotDone, match="the daemon starts: resume"):
        await starting.answer(request("resume", {}))
    await starting.answer(request("halt", {}))
    assert (await starting.answer(request("resume", {}))) == {"done": True, "trading": "halted", "lifted": True}


async def test_the_table_counts_an_operator_s_latch_and_a_plugin_s_refusals(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    def mine(*_: object) -> None:
        """Allows all."""

    async with house(tmp_path) as here:
        desk = here.desk
        desk.gate._exposures.plugins = (as_row("mine", mine, source="mine:mine"),)
        desk.gate.account.plugins_refused["mine", "QUANTITY"] += 2  # by a code of the engine's own
        desk.refused = lambda: {"QUANTITY": 3}
        desk.limits = lambda: {"R1": {"limit": "order_quantity_max = 5", "source": "risk.account", "waits": None}}
        assert (await desk.risk())["R19"]["used"] == "0"
        await desk.halt("enough")
        desk.gate.account.latch(ACCOUNT, LOSS)
        told = await desk.risk()
        assert told["R19"]["used"] == "2"
        assert told["mine"] == {"used": "2 refused", "left": None, "refused": 2}
        assert (told["R1"]["refused"], told["R1"]["limit"]) == (1, "order_quantity_max = 5")
