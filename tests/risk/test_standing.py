"""A restart takes up the day's loss, the highest worth and the streak: it changes no latch, wherever it comes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.messages import PositionNow
from engine.domain.moments import NS_PER_S
from engine.risk.account import ACCOUNT, Held
from engine.risk.days import Days
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.risk.rebuilding import standings
from engine.risk.standing import Standing
from engine.settings import Limits, RiskSettings
from tests.risk.made import INSTRUMENTS, RATES, SESSIONS, D

HOUR = 3_600 * NS_PER_S
NOON = 1_767_718_800 * NS_PER_S  # 6 January 2026, 17:00 UTC: noon in New York
DEPOSIT = 1_000.0


class Life:
    """Ten units bought at 100 and marked; now and then one is sold and bought back, so that something is realised."""

    def __init__(self, limits: Limits, own: Limits) -> None:
        self.settings = RiskSettings(account=limits, strategy={"a": own})
        self.realised = 0.0
        self.rows: list[tuple[str, str]] = []
        self.latched: list[tuple[str, Held]] = []
        self.price, self.now_ns = 100.0, NOON
        self.start(first=True)

    def start(self, *, first: bool = False) -> None:
        """A daemon begins, with what the journal says."""
        self.gate = Gate(settings=self.settings, instruments=INSTRUMENTS, sessions=SESSIONS, rates=RATES)
        for owner, held in self.latched:
            self.gate.account.latch(owner, held)
        self.watch = LossWatch(
            self.settings, self.gate, values={1: 1.0}, rates={"USD": 1.0}, deposit=DEPOSIT, now_ns=self.now_ns
        )
        self.watch.take_up(standings(self.rows), {ACCOUNT: (self.realised, 0.0), "a": (self.realised, 0.0)})
        self.watch.hear((), [self.position()], self.quoted, self.now_ns)
        if first:
            self.keep()

    def position(self) -> PositionNow:
        realised = Decimal(repr(self.realised))
        return PositionNow("a", 1, D(10), D(1000), realised, D(10), D(0), "USD")

    def quoted(self, conid: int) -> tuple[float, int]:
        return self.price, self.now_ns

    def keep(self) -> None:
        for owner, standing in self.watch.news(self.now_ns):
            self.rows.append((owner, msgspec.json.encode(standing).decode()))
        self.latched += self.gate.latched
        self.gate.latched.clear()

    def step(self, price: float, gain: float, hours: int) -> None:
        self.now_ns += hours * HOUR + NS_PER_S
        self.price = price
        self.realised += gain
        self.watch.hear((), [self.position()] if gain else [], self.quoted, self.now_ns)
        self.keep()


STEPS = st.lists(
    st.tuples(st.integers(80, 120), st.sampled_from((0, 0, 0, -8, -4, 5)), st.sampled_from((0, 0, 1, 13))), max_size=12
)
TIGHT = st.builds(
    lambda first, realised_first, loss, realised, reduce, halt, streak, losses: Limits(
        daily_loss_reduce=first,
        daily_realised_loss_reduce=realised_first,
        daily_loss_max=loss,
        daily_realised_loss_max=realised,
        drawdown_reduce_pct=reduce,
        drawdown_halt_pct=halt,
        loss_streak_max=streak,
        loss_streak_halt=losses,
    ),
    *[st.sampled_from((None, D("4.5"), D("9.5"), D("49.5")))] * 4,
    *[st.sampled_from((None, D("2.3"), D("7.7")))] * 2,
    st.sampled_from((None, 1, 2)),
    st.sampled_from((None, 0, 2, 3)),
)


@given(STEPS, TIGHT, TIGHT, st.sets(st.integers(0, 11)))
def test_restarts_change_no_latch(
    steps: Sequence[tuple[int, int, int]], limits: Limits, own: Limits, restarts: set[int]
) -> None:
    whole, cut = Life(limits, own), Life(limits, own)
    for number, (price, gain, hours) in enumerate(steps):
        whole.step(float(price), float(gain), hours)
        cut.step(float(price), float(gain), hours)
        if number in restarts:
            cut.start()
    assert cut.latched == whole.latched


def levels(life: Life) -> list[tuple[str, int]]:
    return [(held.code, int(held.level)) for _, held in life.latched]


def test_a_streak_reduces_first_and_halts_when_it_goes_on() -> None:
    for restart in (False, True):
        here = Life(Limits(loss_streak_max=1, loss_streak_halt=2), Limits())
        for gain in (-4.0, 5.0, -4.0):  # one in a row at most
            here.step(100.0, gain, 0)
        assert levels(here) == []
        here.step(100.0, -4.0, 0)
        assert levels(here) == [("STREAK", 1)]
        if restart:
            here.start()
        here.step(100.0, -4.0, 0)
        assert levels(here) == [("STREAK", 1), ("STREAK", 2)]


def test_a_days_loss_reduces_first_and_then_halts() -> None:
    here = Life(Limits(daily_loss_reduce=D(50), daily_loss_max=D(70)), Limits())
    for price in (95.0, 94.9, 93.0):  # ten units: 50, 51 and 70 down
        here.step(price, 0.0, 0)
    assert levels(here) == [("LOSS", 1)]
    here.start()
    here.step(92.9, 0.0, 0)
    assert levels(here) == [("LOSS", 1), ("LOSS", 2)]


def test_a_days_realised_loss_reduces_first_and_then_halts() -> None:
    here = Life(Limits(daily_realised_loss_reduce=D(4), daily_realised_loss_max=D(8)), Limits())
    for gain, said in ((-4.0, 0), (-1.0, 1), (-3.0, 1), (-1.0, 2)):
        here.step(100.0, gain, 0)
        assert len(here.latched) == said
    assert levels(here) == [("LOSS", 1), ("LOSS", 2)]


def test_what_was_lost_before_a_restart_counts() -> None:
    here = Life(Limits(daily_loss_max=D(50)), Limits())
    here.step(97.0, 0.0, 0)  # 30 down
    here.start()
    assert here.latched == []
    here.step(94.9, 0.0, 0)
    assert [held.code for _, held in here.latched] == ["LOSS"]
    assert "51.00" in here.latched[0][1].sentence


def test_the_day_begins_with_what_the_day_before_ended_with() -> None:
    here = Life(Limits(daily_loss_max=D(50)), Limits())
    here.step(96.0, 0.0, 13)  # after midnight: worth 960, from 1,000 at noon, which is the last of the day before
    here.step(96.0, 0.0, 24)  # and the next day begins with 960
    here.start()
    here.step(91.1, 0.0, 0)  # 49 down
    assert here.latched == []
    here.start()
    here.step(90.9, 0.0, 0)
    assert "51.00" in here.latched[0][1].sentence


def test_a_loss_that_was_booked_after_the_last_word_counts_towards_the_streak() -> None:
    here = Life(Limits(loss_streak_max=1), Limits())
    here.step(100.0, -1.0, 0)
    here.realised -= 1.0  # in the journal as an execution; the daemon dies before it says how it stands
    here.start()
    here.keep()
    assert [held.code for _, held in here.latched] == ["STREAK"]


def test_a_journal_without_a_word_begins_the_day_with_the_first_worth() -> None:
    here = Life(Limits(daily_loss_max=D(50)), Limits())
    here.rows.clear()
    here.price = 90.0
    here.start()
    here.keep()
    assert here.latched == []
    here.step(84.9, 0.0, 0)
    assert "51.00" in here.latched[0][1].sentence


def test_little_is_written_while_nothing_happens() -> None:
    here = Life(Limits(daily_loss_max=D(500)), Limits())
    before = len(here.rows)
    for number in range(50):  # within a minute, below the highest worth
        here.price = 99.0 - number % 2
        here.watch.mark(here.quoted, here.now_ns + number * NS_PER_S)
        assert here.watch.news(here.now_ns + number * NS_PER_S) == []
    assert len(here.rows) == before


@pytest.mark.parametrize(
    ("moment", "began", "ended"),
    [  # UTC, seconds: 2026-03-08 is the day of 23 hours, 2026-11-01 that of 25
        ("2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("2026-01-06T04:59", "2026-01-05T05:00", "2026-01-06T05:00"),
    ],
)
def test_the_venue_s_day_is_new_york_s(moment: str, began: str, ended: str) -> None:
    days = Days()
    assert days.span_ns(_utc(moment)) == (_utc(began), _utc(ended))
    assert days.of(_utc(ended)) == days.of(_utc(moment)) + 1


def test_a_day_may_begin_at_an_hour_in_utc() -> None:
    days = Days(22 * 3_600)
    assert days.span_ns(_utc("2026-03-08T21:59")) == (_utc("2026-03-07T22:00"), _utc("2026-03-08T22:00"))
    assert days.of(_utc("2026-03-08T22:00")) == days.of(_utc("2026-03-08T21:59")) + 1


def _utc(text: str) -> int:
    from datetime import UTC, datetime

    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def test_a_standing_can_be_read_back() -> None:
    said: Any = Standing(
        day=1, pnl=-1.5, day_pnl=2.0, day_realised=0.0, peak=3.0, realised=1.0, fees=0.5, streak=2, fired=("LOSS",)
    )
    assert standings([("a", msgspec.json.encode(said).decode())]) == {"a": said}
