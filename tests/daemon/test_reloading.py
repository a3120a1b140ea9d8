"""SIGHUP: tighter at once, looser after a second yes, and the command line's own words stay in force."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.daemon.config import TOP, load
from engine.daemon.reloading import Reloading, tables
from engine.domain.messages import PositionNow
from engine.operator.protocol import NotDone
from engine.orders.actions import Alert
from engine.risk.losses import LossWatch
from engine.runtime.live import inputs
from engine.runtime.live.letters import LimitsNow
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, gate
from tests.runtime_live.edges import TrioClock

D = Decimal
_FILE = """
name = "limits"
[account]
id = "DU1"
[gateway]
url = "https://localhost:5000/v1/api"
[[instrument]]
conid = 1
symbol = "ACME"
[[strategy]]
use = "strategies.pulse:Pulse"
name = "a"
instruments = ["ACME"]
[risk.account]
{limits}
"""


class Told:
    """Who hears of it."""

    def __init__(self, path: Path, *overrides: str) -> None:
        self.limits: list[RiskSettings] = []
        self.rows: list[Any] = []
        self.alerts: list[str] = []
        self.path = path
        self.settings = load(path, overrides)
        self.reloading = Reloading(
            self.settings,
            TrioClock(),
            tell_risk=lambda letter: self.limits.append(letter.settings),
            store=self.store,
            keep=self.rows.append,
            alert=self.alert,
        )

    async def store(self, rows: Any) -> None:
        self.rows += rows

    def alert(self, alert: Alert, now_ns: int) -> None:
        self.alerts.append(alert.sentence)

    def write(self, limits: str) -> None:
        self.path.write_text(_FILE.format(limits=limits))
        self.reloading.read_again()


def _two(here: Told) -> tuple[Decimal | None, Decimal | None]:
    account = here.limits[-1].account
    return account.position_max, account.order_quantity_max


def told(folder: Path, limits: str, *overrides: str) -> Told:
    path = folder / "run.toml"
    path.write_text(_FILE.format(limits=limits))
    return Told(path, *overrides)


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ('name = "limits"', 'name = "other"', "name"),
        ('name = "limits"', 'name = "limits"\nseed = 3', "seed"),
        ('id = "DU1"', 'id = "DU2"', "account"),
        ("v1/api", "v2/api", "gateway"),
        ("conid = 1", "conid = 2", "instrument"),
        ('name = "a"', 'name = "a"\nparams = { every_s = 3 }', "strategy"),
        ("", '[replies]\no163 = "confirm"', "replies"),
        ("", "[replies]\nrounds_max = 2", "replies"),
        ("", '[suppress]\nids = ["o354"]', "suppress"),
        ("", "[orders.reconcile]\nevery_minutes = 3", "orders"),
        ("", '[session]\ncompeting = "steal"', "session"),
        ("", "[recorder]\nwire = false", "recorder"),
        ("", '[stop]\npolicy = "leave"', "stop"),
        ("", "[guard]\nflatten = true", "guard"),
        ("", "[kill]\nflatten = true", "kill"),
    ],
)
async def test_what_is_edited_beside_the_limits_is_told(tmp_path: Path, was: str, becomes: str, named: str) -> None:
    here = told(tmp_path, "position_max = 10")
    here.write("position_max = 5")
    assert (here.alerts, here.reloading.elsewhere) == ([], ())
    text = _FILE.format(limits="position_max = 5")
    here.path.write_text(text.replace(was, becomes, 1) if was else text + becomes)
    here.reloading.read_again()
    assert here.reloading.elsewhere == (named,)
    assert here.alerts[-1].endswith(f"from the next start on: {named}")
    here.write("position_max = 5")
    assert len(here.alerts) == 1
    assert here.rows[-1][3] == {"waiting": (), "elsewhere": ()}


def test_every_table_of_a_configuration_is_compared(tmp_path: Path) -> None:
    settings = told(tmp_path, "position_max = 10").settings
    assert {*tables(settings), "risk"} == set(TOP)


async def test_tighter_counts_at_once_and_looser_after_a_second_yes(tmp_path: Path) -> None:
    here = told(tmp_path, "position_max = 10\norder_quantity_max = 10")
    here.write("position_max = 5\norder_quantity_max = 20")
    assert _two(here) == (D(5), D(10))
    assert here.reloading.waiting == ("risk.account.order_quantity_max from 10 to 20",)
    assert "engine confirm" in here.alerts[-1]
    assert await here.reloading.confirm() == ("risk.account.order_quantity_max from 10 to 20",)
    assert here.limits[-1].account.order_quantity_max == 20
    assert here.rows[-1][3] == {"loosened": ("risk.account.order_quantity_max from 10 to 20",)}
    with pytest.raises(NotDone, match="no looser limit waits"):
        await here.reloading.confirm()
    here.write("position_max = 5\norder_quantity_max = 20")  # what was confirmed is in force now
    assert len(here.alerts) == 1


async def test_two_hangups_do_not_make_a_confirmation(tmp_path: Path) -> None:
    here = told(tmp_path, "position_max = 10")
    here.write("position_max = 20")
    here.write("position_max = 20")
    assert here.limits[-1].account.position_max == 10
    here.write("position_max = 10")  # taken back
    with pytest.raises(NotDone):
        await here.reloading.confirm()


async def test_the_command_line_s_limits_stay_in_force(tmp_path: Path) -> None:
    here = told(tmp_path, "position_max = 10", "risk.account.position_max=3")
    here.write("position_max = 10\norder_quantity_max = 7")
    assert _two(here) == (D(3), D(7))
    assert here.reloading.waiting == ()


async def test_a_file_that_can_t_be_read_changes_nothing(tmp_path: Path) -> None:
    here = told(tmp_path, "position_max = 10")
    here.write("position_max = ten")
    assert here.limits == []
    assert here.alerts[-1].startswith("the limits stay as they are")


def test_new_limits_are_an_input_that_a_replay_reads_back() -> None:
    wanted = RiskSettings(
        account=Limits(position_max=D("2.5"), allowed=("A",)), strategy={"a": Limits(loss_streak_max=2)}
    )
    record = inputs.read(inputs.write(1, "risk", 5, LimitsNow(wanted)))
    assert inputs.is_outside(record)
    assert inputs.letter_of(record) == LimitsNow(wanted)


def test_a_reload_reaches_the_latches_on_losses() -> None:
    here = gate()
    watch = LossWatch(here.settings, here, values={1: 1.0}, rates={"USD": 1.0}, deposit=1000.0, now_ns=T0)
    watch.paid("a", -50.0)
    watch._weigh()
    watch.mark(lambda conid: None, T0)
    assert here.account.held == {}
    watch.reload(RiskSettings(account=Limits(daily_loss_max=D(40))))
    watch.mark(lambda conid: None, T0)
    assert [held.code for held in here.account.held.values()] == ["LOSS"]


def test_losses_of_a_strategy_that_had_no_limit_count_from_the_reload() -> None:
    here = gate()
    watch = LossWatch(here.settings, here, values={1: 1.0}, rates={"USD": 1.0}, deposit=1000.0, now_ns=T0)

    def closed_at(realised: int) -> None:
        now = PositionNow("a", 1, D(0), D(0), D(realised), D(0), D(0), "USD")
        watch.hear([], [now], lambda conid: None, T0)

    closed_at(0)
    closed_at(-500)
    watch.reload(RiskSettings(strategy={"a": Limits(daily_loss_max=D(40))}))
    watch.mark(lambda conid: None, T0)  # they begin with the first worth that is known
    closed_at(-540)
    assert here.account.held == {}
    closed_at(-541)
    assert [(name, held.code) for name, held in here.latched] == [("a", "LOSS")]


async def test_what_is_tightened_while_a_confirm_is_stored_stays_tight(tmp_path: Path) -> None:
    here = told(tmp_path, "position_max = 10\norder_quantity_max = 10")
    here.write("position_max = 20\norder_quantity_max = 10")
    stored = here.store

    async def store(rows: Any) -> None:
        await stored(rows)
        here.write("position_max = 20\norder_quantity_max = 1")

    here.reloading._store = store
    await here.reloading.confirm()
    assert _two(here)[1] == 1


@pytest.mark.parametrize("text", ["position_max = 10\norder_quantity_max = 10", "position_max = 30"])
async def test_what_waits_otherwise_once_a_confirm_is_stored_is_not_confirmed(tmp_path: Path, text: str) -> None:
    here = told(tmp_path, "position_max = 10\norder_quantity_max = 10")
    here.write("position_max = 20\norder_quantity_max = 10")
    before, stored = _two(here), here.store

    async def store(rows: Any) -> None:
        await stored(rows)
        here.write(text)

    here.reloading._store = store
    with pytest.raises(NotDone, match="look at what waits now"):
        await here.reloading.confirm()
    assert _two(here) == before
