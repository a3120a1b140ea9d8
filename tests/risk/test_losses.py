"""What the account and its strategies are worth, moment by moment and in columns, and which latch falls where."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from engine.domain.columns import Chunk, merge
from engine.domain.facts import Filled
from engine.domain.market import Bar, Kind, Quote, Trade
from engine.domain.messages import PositionNow, Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.risk.account import ACCOUNT
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.risk.pricelines import price_line
from engine.risk.standing import Standing
from engine.settings import Limits, RiskSettings
from tests.risk.made import INSTRUMENTS, SESSIONS, D, new

NOON = 1_767_718_800 * NS_PER_S  # 6 January 2026, 17:00 UTC: noon in New York
MIDNIGHT = NOON + 12 * 3_600 * NS_PER_S
MINUTE = 60 * NS_PER_S
DEPOSIT = 1_000.0
FAR = Limits(daily_loss_max=D(10**9))  # nothing is latched, and how its owner stands is told


class House:
    """A watch over a gate; AAA in dollars, FUT (conid 2) with a multiplier of 50 in euros at 1.25 dollars."""

    def __init__(self, account: Limits = FAR, at_ns: int = NOON, until: str = "person", **strategies: Limits) -> None:
        self.settings = RiskSettings(account=account, strategy=strategies, latch_until=until)
        rates = {"USD": D(1), "EUR": D("1.25")}
        self.gate = Gate(settings=self.settings, instruments=INSTRUMENTS, sessions=SESSIONS, rates=rates)
        self.watch = LossWatch(
            self.settings, self.gate, values={1: 1.0, 2: 62.5}, rates={"USD": 1.0, "EUR": 1.25}, deposit=DEPOSIT,
            now_ns=at_ns,
        )  # fmt: skip
        self.prices: dict[int, float] = {1: 100.0, 2: 100.0}
        self.now_ns = at_ns

    def price(self, conid: int) -> tuple[float, int] | None:
        return (self.prices[conid], self.now_ns) if conid in self.prices else None

    def hold(
        self,
        quantity: int,
        cost: int | str,
        realised: int | Decimal = 0,
        *,
        strategy: str = "a",
        conid: int = 1,
        fee: str = "",
    ) -> None:
        currency = "EUR" if conid == 2 else "USD"
        now = PositionNow(strategy, conid, D(quantity), D(cost), D(realised), D(quantity), D(0), currency)
        updates = []
        if fee:
            ticket = new(1, strategy=strategy, conid=conid)
            filled = Filled(
                coid=ticket.coid, ts_ns=self.now_ns, exec_id=ticket.coid, conid=conid, side="BUY", quantity=D(1),
                price=D(1), fees=(("commission", D(fee), currency),),
            )  # fmt: skip
            updates = [Update(Order(ticket=ticket, state=State.FILLED, filled=D(1)), filled)]
        self.watch.hear(updates, [now], self.price, self.now_ns)

    def mark(self, price: float, after_s: float = 1) -> None:
        self.now_ns += int(after_s * NS_PER_S)
        self.prices[1] = price
        self.watch.mark(self.price, self.now_ns)

    def stands(self, owner: str = ACCOUNT) -> Standing:
        """How an owner stands; it has to be known."""
        self.watch.news(self.now_ns)
        for one in self.watch._owners:
            one.told = None
        return dict(self.watch.news(self.now_ns))[owner]

    def latched(self) -> list[tuple[str, str, int]]:
        return [(owner, held.code, int(held.level)) for owner, held in self.gate.latched]


def chunk(prices: Sequence[float], from_ns: int = NOON, every_ns: int = NS_PER_S, conid: int = 1) -> Chunk:
    times = from_ns + every_ns * np.arange(len(prices))
    columns = {
        "ts_ns": times, "conid": np.full(len(prices), conid), "price": np.array(prices, float),
        "size": np.ones(len(prices)), "sampled": np.zeros(len(prices), bool),
    }  # fmt: skip
    return merge({Kind.TRADES: columns})


# --- worth -----------------------------------------------------------------------------------------------------------


def test_what_is_deposited_is_nobodys_profit_and_what_is_withdrawn_nobodys_loss() -> None:
    limits = Limits(daily_loss_max=D(100), drawdown_reduce_pct=D(5), pnl_jump_pct=D(5))
    house = House(limits, a=FAR)
    house.hold(2, 200)
    for money in (1_000.0, -1_500.0):
        worth = house.gate.account.equity
        assert worth is not None
        house.watch.deposited(money)
        assert house.gate.account.equity == worth + money
        house.mark(101.0)
        assert house.gate.account.equity == house.watch._deposit + 2.0
    assert (house.latched(), house.watch.jumped) == ([], [])
    assert [house.stands(owner).pnl for owner in ("", "a")] == [2.0, 2.0]
    assert house.stands().peak == 2.0
    house.mark(75.0)  # 52 of 502: of 1,002 that was not much more than 5 %
    assert [code for _, code, _ in house.latched()] == []  # a jump
    house.mark(75.0, after_s=61)
    assert [code for _, code, _ in house.latched()] == ["DRAWDOWN"]


def test_an_account_that_was_never_worth_anything_falls_without_a_figure_in_percent() -> None:
    house = House(Limits(drawdown_reduce_pct=D(50)))
    house.watch.deposited(-DEPOSIT)
    house.hold(1, 100)
    house.mark(99.0)
    ((_, held),) = house.gate.latched
    assert held.sentence == "the account is worth -1.00, and was worth nothing at its best"


def test_worth_is_deposit_realised_fees_dividends_and_what_is_held() -> None:
    house = House(a=FAR, b=FAR)
    assert house.gate.account.equity == 1000.0
    house.hold(1, 5_000, conid=2)  # 100 EUR x 50
    assert house.gate.account.equity == 1000.0
    house.prices[2] = 102.0
    house.mark(100.0)
    assert house.gate.account.equity == 1125.0  # 2 x 50 EUR x 1.25
    house.hold(1, 5_000, 40, conid=2, fee="8")  # 40 EUR realised, 8 EUR paid
    assert house.gate.account.equity == 1000.0 + 125.0 + 50.0 - 10.0
    house.hold(3, 300, strategy="b")
    house.mark(90.0)
    assert house.gate.account.equity == 1165.0 - 30.0
    assert [house.stands(owner).pnl for owner in ("", "a", "b")] == [135.0, 165.0, -30.0]
    assert [house.stands(owner).realised for owner in ("", "a", "b")] == [50.0, 50.0, 0.0]
    assert [house.stands(owner).fees for owner in ("", "a", "b")] == [10.0, 10.0, 0.0]
    house.watch.charge("b", 5.0)
    house.mark(90.0)
    assert [house.stands(owner).pnl for owner in ("", "a", "b")] == [130.0, 165.0, -35.0]
    assert [house.stands(owner).fees for owner in ("", "a", "b")] == [15.0, 10.0, 5.0]
    house.watch.charge("b", 1.0)
    house.watch.paid("b", 20.0)
    house.watch.paid("b", 3.0)
    house.mark(90.0)
    assert [house.stands(owner).pnl for owner in ("", "a", "b")] == [152.0, 165.0, -13.0]
    house.watch.paid("", 7.0)
    house.mark(90.0)
    assert [house.stands(owner).pnl for owner in ("", "a", "b")] == [159.0, 165.0, -13.0]
    assert house.stands("").peak == 165.0  # after the first contract's fee


def test_two_positions_in_one_instrument_are_one_of_the_account() -> None:
    house = House(a=FAR, b=FAR)
    house.hold(10, 1_000)
    house.hold(-4, -400, strategy="b")
    house.mark(110.0)
    assert [house.stands(owner).pnl for owner in ("", "a", "b")] == [60.0, 100.0, -40.0]


def test_another_rate_counts_for_cost_and_what_was_realised() -> None:
    house = House()
    house.hold(1, 5_000, 0, conid=2)
    house.hold(1, 5_000, 40, conid=2)
    house.watch.rate_now("EUR", 1.5)
    house.mark(100.0)
    # The price line is in the values given; cost and profit in euros are worth 1.5: 1,000 - 4,960 x 1.5 + 6,250.
    assert house.gate.account.equity == -190.0


def test_an_unknown_price_leaves_the_worth_as_it_was() -> None:
    house = House(Limits(daily_loss_max=D(5)))
    house.hold(10, 1_000)
    house.mark(101.0)
    house.prices.clear()
    house.watch.mark(house.price, house.now_ns + 1)
    assert house.gate.account.equity == 1010.0
    house.hold(10, 1_000, -30)
    assert (house.gate.account.equity, house.latched()) == (1010.0, [])
    house.mark(101.0)
    assert (house.gate.account.equity, house.latched()) == (980.0, [("", "LOSS", 2)])


def test_what_is_heard_of_first_has_no_profit_of_today() -> None:
    house = House(a=FAR)
    house.hold(0, 0, -80)
    assert [house.stands(owner).realised for owner in ("", "a")] == [0.0, 0.0]
    house.hold(0, 0, -50)
    assert [house.stands(owner).realised for owner in ("", "a")] == [30.0, 30.0]


# --- latches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "price", "told"),
    [
        ({"daily_loss_max": D(50)}, 95.0, []),
        ({"daily_loss_max": D(50)}, 94.99, [("LOSS", 2)]),
        ({"daily_loss_reduce": D(50)}, 95.0, []),
        ({"daily_loss_reduce": D(50)}, 94.99, [("LOSS", 1)]),
        ({"daily_loss_reduce": D(30), "daily_loss_max": D(50)}, 94.99, [("LOSS", 1), ("LOSS", 2)]),
        ({"drawdown_halt_pct": D(5)}, 95.0, []),
        ({"drawdown_halt_pct": D(5)}, 94.99, [("DRAWDOWN", 2)]),
        ({"drawdown_reduce_pct": D(5)}, 95.0, []),
        ({"drawdown_reduce_pct": D(5)}, 94.99, [("DRAWDOWN", 1)]),
    ],
)
def test_losses_at_and_beyond_their_limit(limits: dict[str, Any], price: float, told: list[tuple[str, int]]) -> None:
    for account, own in ((Limits(**limits), Limits()), (Limits(), Limits(**limits))):
        owner = "a" if account == Limits() else ""
        house = House(account, a=own)
        house.hold(10, 1_000)
        house.mark(price)
        assert house.latched() == [(owner, *each) for each in told]
        house.mark(price)
        assert len(house.gate.latched) == len(told)  # once is enough


def test_a_drawdown_is_from_the_highest_worth_and_says_how_deep() -> None:
    house = House(Limits(drawdown_reduce_pct=D(10)))
    house.hold(10, 1_000)
    for price in (150.0, 135.0):
        house.mark(price)
    assert house.latched() == []  # 1,500 and 1,350: exactly 10 %
    house.mark(120.0)
    assert house.latched() == [("", "DRAWDOWN", 1)]
    assert "20.00 %" in house.gate.latched[0][1].sentence
    assert "the account" in house.gate.latched[0][1].sentence


@pytest.mark.parametrize("kind", ["reduce", "max"])
def test_realised_losses_are_counted_with_their_fees(kind: str) -> None:
    limits: dict[str, Any] = {f"daily_realised_loss_{kind}": D(50)}
    house = House(Limits(), a=Limits(**limits))
    house.hold(0, 0, 0)
    house.hold(0, 0, -40, fee="9")
    assert house.latched() == []
    house.watch.charge("a", 1.0)
    house.mark(100.0)
    assert house.latched() == []  # 50
    house.watch.charge("a", 0.01)
    house.mark(100.0)
    assert house.latched() == [("a", "LOSS", 1 if kind == "reduce" else 2)]
    assert "a has realised a loss of 50.01 today" in house.gate.latched[0][1].sentence


def test_streaks_count_losses_in_a_row_and_pause() -> None:
    house = House(Limits(loss_streak_max=2, loss_streak_pause_s=D(90), loss_streak_halt=4))
    for realised in (0, -1, -2, 0, -1, -2):
        house.hold(0, 0, realised)
    assert (house.stands().streak, house.stands().losses, house.latched()) == (2, 2, [])
    house.hold(0, 0, -3)
    assert house.latched() == [("", "STREAK", 1)]
    assert house.gate.latched[0][1].until_ns == house.now_ns + 90 * NS_PER_S
    assert (house.stands().streak, house.stands().losses) == (0, 3)  # the first begins anew, the second goes on
    house.hold(0, 0, -3)  # nothing was realised
    assert house.stands().losses == 3
    house.hold(0, 0, -4)
    assert len(house.latched()) == 1
    house.hold(0, 0, -5)
    assert house.latched()[1:] == [("", "STREAK", 2)]
    assert house.gate.latched[1][1].until_ns is None
    assert (house.stands().streak, house.stands().losses) == (0, 0)


def test_without_a_pause_a_person_lifts_a_streak() -> None:
    house = House(Limits(loss_streak_max=0))
    for realised in (0, -1):
        house.hold(0, 0, realised)
    assert [held.until_ns for _, held in house.gate.latched] == [None]


@pytest.mark.parametrize(("until", "ends"), [("person", None), ("day", MIDNIGHT)])
def test_a_daily_loss_lasts_as_long_as_the_settings_say(until: str, ends: int | None) -> None:
    house = House(Limits(daily_loss_reduce=D(50)), until=until)
    house.hold(10, 1_000)
    house.mark(94.0)
    assert [held.until_ns for _, held in house.gate.latched] == [ends]
    house.mark(94.0, after_s=12 * 3_600)  # the next day, from a worth of 940
    house.mark(89.1)
    assert len(house.gate.latched) == 1
    house.mark(88.9)
    assert len(house.gate.latched) == (1 if until == "person" else 2)


def test_the_day_s_realised_begins_with_what_was_realised_before_it() -> None:
    house = House(Limits(daily_realised_loss_max=D(50)))
    house.hold(0, 0, 0)
    house.hold(0, 0, -40, fee="8")
    house.now_ns = MIDNIGHT
    house.hold(0, 0, -80)
    assert (house.stands().day_realised, house.latched()) == (-48.0, [])
    house.hold(0, 0, -99)
    assert house.latched() == [("", "LOSS", 2)]


def test_a_person_who_resumes_begins_anew_what_had_latched_and_nothing_else() -> None:
    limits = Limits(daily_loss_max=D(50), daily_realised_loss_max=D(50), drawdown_halt_pct=D(20), loss_streak_max=9)
    house = House(limits)
    house.hold(10, 1_000, 0)
    house.hold(10, 1_000, -40, fee="11")
    assert house.latched() == [("", "LOSS", 2)]
    house.watch.lift()
    assert house.gate.account.held == {}
    standing = house.stands()
    assert (standing.peak, standing.streak, standing.losses, standing.fired) == (0.0, 1, 1, ())
    assert (standing.day_pnl, standing.day_realised) == (-51.0, -51.0)
    house.mark(95.0)  # 50 below
    assert len(house.latched()) == 1
    house.mark(94.9)
    assert house.latched()[1:] == [("", "LOSS", 2)]


@pytest.mark.parametrize(
    ("limits", "peak", "row"),
    [
        (Limits(drawdown_halt_pct=D(1)), -40.0, (1, 1)),
        (Limits(drawdown_reduce_pct=D(1)), -40.0, (1, 1)),
        (Limits(loss_streak_max=0, loss_streak_halt=9), 0.0, (0, 0)),
        (Limits(loss_streak_halt=0), 0.0, (0, 0)),
    ],
)
def test_a_resume_after_a_fall_or_a_streak_forgives_that(limits: Limits, peak: float, row: tuple[int, int]) -> None:
    house = House(limits)
    house.hold(10, 1_000, 0)
    house.hold(10, 1_000, -40)
    assert len(house.latched()) == 1
    house.watch.lift()
    standing = house.stands()
    assert (standing.peak, (standing.streak, standing.losses), standing.fired) == (peak, row, ())
    assert (standing.day_pnl, standing.day_realised) == (0.0, 0.0)


def test_a_jump_makes_losses_wait() -> None:
    for pause_s, limits in ((60, Limits()), (10, Limits(pnl_jump_pause_s=D(10)))):
        given: dict[str, Any] = {
            "pnl_jump_pct": D(3),
            "daily_loss_max": D(20),
            "pnl_jump_pause_s": limits.pnl_jump_pause_s,
        }
        house = House(Limits(), a=Limits(**given))
        house.hold(10, 1_000)
        house.mark(97.0)  # 3 % exactly: no jump, and 30 lost
        assert (house.watch.jumped, house.latched()) == ([], [("a", "LOSS", 2)])
        house = House(Limits(), a=Limits(**given))
        house.hold(10, 1_000)
        house.mark(96.9)
        assert (len(house.watch.jumped), house.latched()) == (1, [])
        assert house.watch.jumped[0].startswith("the worth of a has jumped by more than 3 %")
        house.mark(96.9, after_s=pause_s - 0.001)
        assert house.latched() == []
        house.mark(96.9, after_s=0.001)
        assert house.latched() == [("a", "LOSS", 2)]


# --- restarts, reloads, what is told ---------------------------------------------------------------------------------


def standing(**more: Any) -> Standing:
    given = {
        "day": 0,
        "pnl": -30.0,
        "day_pnl": -10.0,
        "day_realised": -5.0,
        "peak": 25.0,
        "realised": -8.0,
        "fees": 3.0,
    }
    return Standing(**{**given, **more})


@pytest.mark.parametrize(
    ("realised", "streak", "losses"),
    [(-8.0, 2, 3), (-9.0, 3, 4), (-7.5, 0, 0), (-8.5, 3, 4)],
)
def test_a_restart_goes_on_from_what_the_journal_said(realised: float, streak: int, losses: int) -> None:
    house = House(FAR, a=FAR, b=FAR)
    known = {owner: standing(streak=2, losses=3, fired=("LOSS",)) for owner in ("", "a")}
    house.watch.take_up(known, {"": (realised, 7.0), "a": (realised, 9.0)})
    account, own = (next(one for one in house.watch._owners if one.name == name) for name in ("", "a"))
    for owner in (account, own):
        assert (owner.worth, owner.day_worth, owner.peak, owner.day_realised) == (970.0, 990.0, 1025.0, -5.0)
        assert (owner.realised, owner.streak, owner.losses, owner.fired) == (realised, streak, losses, {"LOSS"})
        assert owner.day == 0
    assert (account.fees, own.fees) == (7.0, 3.0)  # of a strategy the standing's, which a total can't tell


def test_who_was_never_told_of_begins_with_the_first_worth() -> None:
    house = House(FAR, a=FAR, b=FAR)
    house.watch.take_up({"a": standing()}, {"": (-20.0, 4.0), "a": (-8.0, 2.0), "b": (-6.0, 1.0)})
    owners = {one.name: one for one in house.watch._owners}
    assert (owners[""].day_realised, owners["b"].day_realised, owners["a"].realised) == (-24.0, -7.0, -8.0)
    assert (owners[""].unmarked, owners["a"].unmarked, owners["b"].unmarked) == (True, False, True)
    assert [owner for owner, _ in house.watch.news(NOON)] == []  # of a there is nothing new, of the others nothing yet
    house.hold(10, 1_100, strategy="b")
    assert owners["b"].worth == owners["b"].day_worth == owners["b"].peak == 900.0 - 1.0
    assert not owners["b"].unmarked


def test_what_has_fired_is_in_the_journal_and_does_not_fire_again_after_a_restart() -> None:
    limits = Limits(daily_loss_reduce=D(20), daily_loss_max=D(50))
    house = House(limits)
    house.hold(10, 1_000)
    house.mark(94.0)
    assert house.latched() == [("", "LOSS", 1), ("", "LOSS", 2)]
    assert house.stands().fired == ("LOSS", "LOSS_REDUCED")
    again = House(limits, at_ns=house.now_ns)
    again.watch.take_up({"": house.stands()}, {})
    again.prices[1] = 94.0
    again.hold(10, 1_000)
    assert again.latched() == []  # a person has lifted it meanwhile


def test_of_whom_no_sum_is_told_nothing_was_realised_or_paid() -> None:
    house = House(FAR, a=FAR)
    house.watch.take_up({}, {})
    assert [(one.realised, one.fees, one.day_realised) for one in house.watch._owners] == [(0.0, 0.0, 0.0)] * 2


def test_losses_are_watched_where_a_limit_asks_for_it() -> None:
    assert not LossWatch.wanted(RiskSettings())
    assert not LossWatch.wanted(RiskSettings(account=Limits(gross_max=D(1))))
    for limits in (Limits(loss_streak_halt=1), Limits(daily_loss_reduce=D(1)), Limits(leverage_max=D(1))):
        assert LossWatch.wanted(RiskSettings(account=limits))
        assert LossWatch.wanted(RiskSettings(strategy={"a": limits}))
    house = House(Limits(), a=FAR, b=Limits(gross_max=D(1)))
    assert [one.name for one in house.watch._owners] == ["", "a"]
    house.hold(1, 100)
    assert [owner for owner, _ in house.watch.news(NOON)] == ["a"]  # the account is followed, and has no such limit


def test_a_reload_brings_limits_and_owners() -> None:
    house = House(Limits(daily_loss_max=D(50)), a=Limits(daily_loss_max=D(500)))
    house.hold(10, 1_000)
    house.hold(10, 1_000, strategy="b")
    house.mark(97.0)
    tight = Limits(daily_loss_max=D(40))
    house.watch.reload(
        RiskSettings(account=Limits(), strategy={"c": Limits(), "a": tight, "b": tight}, latch_until="day")
    )
    assert [one.name for one in house.watch._owners] == ["", "a", "b"]
    house.mark(96.9)  # a: 31 down; b: counted from here
    assert house.latched() == [("", "LOSS", 2)]  # as before the reload
    house.mark(95.9)
    assert house.latched()[1:] == [("a", "LOSS", 2)]
    assert house.gate.latched[1][1].until_ns == MIDNIGHT
    house.mark(92.8)
    assert house.latched()[2:] == [("b", "LOSS", 2)]  # 41 below 96.9
    assert "41.00" in house.gate.latched[2][1].sentence


def test_what_has_moved_is_told_once_a_minute_and_the_rest_at_once() -> None:
    house = House(FAR)
    house.hold(10, 1_000)
    assert len(house.watch.news(house.now_ns)) == 1
    begun = house.now_ns
    house.mark(99.0)
    assert house.watch.news(house.now_ns) == []
    assert house.watch.news(begun + MINUTE - 1) == []
    told = house.watch.news(begun + MINUTE)
    assert [(owner, one.pnl, one.peak) for owner, one in told] == [("", -10.0, 0.0)]
    assert house.watch.news(begun + 3 * MINUTE) == []  # nothing has moved since
    house.mark(100.0, after_s=1)
    house.mark(100.04)  # 0.4 above the highest of 1,000: less than a grain
    assert house.watch.news(house.now_ns) == []
    house.mark(100.06)
    assert [one.peak for _, one in house.watch.news(house.now_ns)] == [pytest.approx(0.6)]
    house.watch.charge("", 0.0)
    assert house.watch.news(house.now_ns) == []
    house.watch.charge("", 0.25)
    assert [one.fees for _, one in house.watch.news(house.now_ns)] == [0.25]


# --- in columns ------------------------------------------------------------------------------------------------------


def held(limits: Limits, prices: Sequence[float], **chunk_terms: Any) -> tuple[House, Chunk]:
    house = House(limits, at_ns=chunk_terms.get("from_ns", NOON))
    house.hold(10, 1_000)
    return house, chunk(prices, **chunk_terms)


@pytest.mark.parametrize(
    ("limits", "prices", "ends"),
    [
        ({"daily_loss_max": D(50)}, [100, 99, 95, 94.9, 93, 97], [4]),
        ({"daily_loss_max": D(50)}, [100, 99, 95, 96], []),
        ({"daily_loss_reduce": D(30), "daily_loss_max": D(50)}, [97, 96.9, 95, 94.9, 90], [2, 4]),
        ({"drawdown_halt_pct": D(10)}, [100, 110, 99, 98.9, 90], [4]),
        ({"drawdown_reduce_pct": D(5), "drawdown_halt_pct": D(10)}, [100, 110, 104.4, 99, 98.9], [3, 5]),
        ({"drawdown_halt_pct": D(10)}, [90, 89.9], [2]),  # from the worth before the window
        ({"daily_loss_max": D(50), "drawdown_halt_pct": D(1)}, [99, 98.9, 94], [2]),  # halted is halted
        ({"pnl_jump_pct": D(3)}, [97, 94.09, 91.26, 100, 103], [3, 4]),  # 3 % each, then 3.008 %, then 9.6 %
        ({"daily_loss_max": D(20), "pnl_jump_pct": D(1)}, [100, 98, 97.5], [2]),  # a jump, and losses wait for it
        ({"gross_max": D(1)}, [100, 50], []),
    ],
)
def test_a_window_ends_at_the_row_that_sets_a_latch(
    limits: dict[str, Any], prices: list[float], ends: list[int]
) -> None:
    house, rows = held(Limits(**limits), prices)
    start, found = 0, []
    while start < len(prices):
        before = [*house.gate.latched], [*house.watch.jumped]
        stop = house.watch.cut(rows, start, len(prices))
        assert house.watch.cut(rows, start, stop) == stop  # a shorter look finds the same
        assert ([*house.gate.latched], [*house.watch.jumped]) == before  # to look changes nothing
        house.watch.took(rows, start, stop)
        if len(house.gate.latched) + len(house.watch.jumped) > len(before[0]) + len(before[1]):
            found.append(stop)
        elif stop < len(prices):
            raise AssertionError(f"a window ends at {stop} for nothing")
        start = stop
    assert found == ends
    assert house.gate.account.equity == pytest.approx(10 * prices[-1])
    for (_, latch), end in zip(house.gate.latched, ends, strict=False):
        assert latch.ts_ns in (NOON + (end - 1) * NS_PER_S for end in ends), end


def test_a_window_ends_with_the_day() -> None:
    house, rows = held(Limits(daily_loss_max=D(50)), [100, 96, 96, 92, 90.9], from_ns=MIDNIGHT - 2 * NS_PER_S)
    assert house.watch.cut(rows, 0, 5) == 2
    house.watch.took(rows, 0, 2)
    assert house.watch.cut(rows, 2, 5) == 5  # from 960 on: 51 lost with the last row
    house.watch.took(rows, 2, 5)
    assert [held_.ts_ns for _, held_ in house.gate.latched] == [MIDNIGHT + 2 * NS_PER_S]
    assert "51.00" in house.gate.latched[0][1].sentence


def test_a_latch_of_a_day_falls_again_on_the_next() -> None:
    house, rows = held(Limits(daily_loss_max=D(50)), [94, 94, 93, 88.9, 88.9], from_ns=MIDNIGHT - NS_PER_S)
    house.watch.reload(RiskSettings(account=Limits(daily_loss_max=D(50)), latch_until="day"))
    ends = []
    start = 0
    while start < 5:
        stop = house.watch.cut(rows, start, 5)
        house.watch.took(rows, start, stop)
        ends.append(stop)
        start = stop
    assert ends == [1, 4, 5]
    assert [held_.ts_ns for _, held_ in house.gate.latched] == [MIDNIGHT - NS_PER_S, MIDNIGHT + 2 * NS_PER_S]


def test_after_a_jump_the_first_row_that_is_awake_sets_the_latch() -> None:
    limits = Limits(daily_loss_max=D(50), pnl_jump_pct=D(4), pnl_jump_pause_s=D(3))
    house, rows = held(limits, [100, 90, 90, 90, 90, 90])
    assert house.watch.cut(rows, 0, 6) == 2
    house.watch.took(rows, 0, 2)
    assert (house.latched(), len(house.watch.jumped)) == ([], 1)
    assert house.watch.cut(rows, 2, 6) == 5  # three seconds after the second row
    house.watch.took(rows, 2, 5)
    assert [(held_.code, held_.ts_ns) for _, held_ in house.gate.latched] == [("LOSS", NOON + 4 * NS_PER_S)]


def test_what_waits_for_a_price_is_set_with_the_first() -> None:
    house, rows = held(Limits(daily_loss_max=D(50)), [100, 100, 100, 100])
    house.prices.clear()
    house.hold(10, 1_000, -60)  # a loss, and no price is known: what is held may have made up for it
    assert house.latched() == []
    blind = chunk([1, 2], conid=3)
    assert house.watch.cut(blind, 0, 2) == 2
    house.watch.took(blind, 0, 2)
    assert house.latched() == []
    assert house.watch.cut(rows, 0, 4) == 1
    house.watch.took(rows, 0, 1)
    assert house.latched() == [("", "LOSS", 2)]
    assert house.watch.cut(rows, 1, 4) == 4


def test_without_a_position_no_window_is_cut() -> None:
    house = House(Limits(daily_loss_max=D(50)))
    rows = chunk([100, 10])
    assert house.watch.cut(rows, 0, 2) == 2
    house.hold(0, 0, 0)
    house.watch.charge("a", 60.0)  # nobody has marked since
    assert house.watch.cut(rows, 0, 2) == 2


def test_the_line_of_prices_is_that_of_the_chunk() -> None:
    """Quotes before trades before bars; what was known before the chunk until something newer is said."""
    first = NOON
    quotes = {
        "ts_ns": np.array([first + 2, first + 5]), "conid": np.array([1, 2]), "bid": np.array([10.0, 7.0]),
        "ask": np.array([12.0, 8.0]), "bid_size": np.ones(2), "ask_size": np.ones(2),
    }  # fmt: skip
    trades = {
        "ts_ns": np.array([first + 1, first + 3, first + 4]), "conid": np.array([1, 1, 2]),
        "price": np.array([9.0, 8.0, 6.0]), "size": np.ones(3), "sampled": np.zeros(3, bool),
    }  # fmt: skip
    rows = merge({Kind.QUOTES: quotes, Kind.TRADES: trades})
    np.testing.assert_array_equal(price_line(rows, 1), [9.0, 11.0, 11.0, 11.0, 11.0])
    np.testing.assert_array_equal(price_line(rows, 2), [np.nan, np.nan, np.nan, 6.0, 7.5])
    np.testing.assert_array_equal(price_line(rows, 3), [np.nan] * 5)
    for conid in (1, 2, 3):
        for row in range(rows.size):
            known = rows.price(conid, row + 1)
            assert np.isnan(price_line(rows, conid)[row]) if known is None else price_line(rows, conid)[row] == known[0]
    rows.bars_before = {3: Bar(first, 3, MINUTE, 4.0, 5.0, 3.0, 4.5, 1.0)}
    rows.trades_before = {2: Trade(first, 2, 5.5, 1.0)}
    rows.quotes_before = {4: Quote(first, 4, 1.0, 2.0, 1.0, 1.0)}
    np.testing.assert_array_equal(price_line(rows, 2), [5.5, 5.5, 5.5, 6.0, 7.5])
    np.testing.assert_array_equal(price_line(rows, 3), [4.5] * 5)
    np.testing.assert_array_equal(price_line(rows, 4), [1.5] * 5)


def test_fees_of_several_executions_add_up() -> None:
    house = House(a=FAR)
    for _ in range(2):
        house.hold(0, 0, 0, conid=2, fee="8")
    assert [house.stands(owner).fees for owner in ("", "a")] == [20.0, 20.0]


def test_any_gain_ends_a_streak() -> None:
    house = House(Limits(loss_streak_max=9, loss_streak_halt=9))
    for realised in ("0", "-3", "-2.5"):
        house.hold(0, 0, D(realised))  # at last half a dollar is won
    assert (house.stands().streak, house.stands().losses) == (0, 0)


def test_a_streak_says_when_and_how_long_it_was() -> None:
    house = House(Limits(loss_streak_max=1, loss_streak_halt=2))
    for realised in (0, -1, -2, -3):
        house.now_ns += NS_PER_S
        house.hold(0, 0, realised)
    (_, first), (_, second) = house.gate.latched
    assert (first.ts_ns, second.ts_ns) == (NOON + 3 * NS_PER_S, NOON + 4 * NS_PER_S)
    assert first.sentence == "the account has closed 2 trades at a loss in a row, above 1"
    assert second.sentence == "the account has closed 3 trades at a loss in a row, above 2"


def test_what_is_new_of_one_is_told_though_nothing_is_of_another() -> None:
    house = House(FAR, a=FAR, b=FAR)
    house.hold(1, 100)
    assert [owner for owner, _ in house.watch.news(NOON)] == ["", "a", "b"]
    house.watch.charge("b", 1.0)
    assert [owner for owner, _ in house.watch.news(NOON)] == ["", "b"]


def test_what_is_new_of_one_is_told_though_another_has_no_worth_yet() -> None:
    house = House(FAR, a=FAR, b=FAR)
    house.watch.take_up({"a": standing()}, {})
    house.watch.charge("a", 1.0)
    assert [owner for owner, _ in house.watch.news(NOON)] == ["a"]


def test_positions_in_several_instruments_are_one_worth_in_columns_too() -> None:
    house = House(Limits(daily_loss_max=D(50)))
    house.hold(10, 1_000)
    house.hold(1, 5_000, conid=2)
    times = NOON + NS_PER_S * np.arange(4)
    columns = {
        "ts_ns": times, "conid": np.array([1, 2, 1, 2]), "price": np.array([100.0, 100.0, 97.0, 99.6]),
        "size": np.ones(4), "sampled": np.zeros(4, bool),
    }  # fmt: skip
    rows = merge({Kind.TRADES: columns})
    rows.trades_before = {2: Trade(NOON, 2, 100.0, 1.0)}
    assert house.watch.cut(rows, 0, 3) == 3  # 10 x 3
    assert house.watch.cut(rows, 0, 4) == 4
    house.watch.took(rows, 0, 4)  # and 0.4 x 62.5
    assert "55.00" in house.gate.latched[0][1].sentence


def test_a_strategy_without_a_position_hides_no_other() -> None:
    house = House(Limits(), a=FAR, b=Limits(daily_loss_max=D(50)))
    house.hold(10, 1_000, strategy="b")
    assert house.watch.cut(chunk([100, 94, 93]), 0, 3) == 2


@pytest.mark.parametrize(("realised", "fee"), [(-51, ""), (-49, "2")])
def test_a_realised_loss_waits_for_a_jump_to_pass(realised: int, fee: str) -> None:
    limits = Limits(daily_realised_loss_max=D(50), pnl_jump_pct=D(3), pnl_jump_pause_s=D(3))
    house = House(limits)
    house.hold(10, 1_000)
    house.mark(90.0)  # a second after noon
    house.hold(5, 500, realised, fee=fee)  # half is sold at 90
    assert (house.latched(), len(house.watch.jumped)) == ([], 1)
    rows = chunk([90] * 6, from_ns=house.now_ns)
    assert house.watch.cut(rows, 0, 6) == 4
    house.watch.took(rows, 0, 4)
    assert [(held_.code, held_.ts_ns) for _, held_ in house.gate.latched] == [("LOSS", NOON + 4 * NS_PER_S)]
    assert house.watch.cut(rows, 4, 6) == 6


@pytest.mark.parametrize(
    ("limits", "code"), [(Limits(daily_realised_loss_max=D(50)), "LOSS"), (Limits(loss_streak_max=0), "STREAK")]
)
def test_a_realised_loss_does_not_wait_for_the_price_of_something_else(limits: Limits, code: str) -> None:
    house = House(limits)
    house.hold(0, 0)
    house.hold(1, 100, strategy="outside", conid=2)  # it was there before, and nothing is heard of its price
    del house.prices[2]
    house.mark(100.0)
    house.hold(0, 0, -51)
    assert [of for _, of, _ in house.latched()] == [code]


def test_what_was_lost_today_is_not_forgiven_with_a_halt_that_had_another_reason() -> None:
    house = House(Limits(daily_loss_max=D(50), drawdown_halt_pct=D(6)))
    house.hold(10, 1_000)
    house.mark(95.5)  # 45 lost, and nothing has latched
    house.watch.lift()  # a drill, a dead man's timer or an operator's halt is resumed
    house.mark(94.5)
    assert house.latched() == [("", "LOSS", 2)]
