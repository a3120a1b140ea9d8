"""Sessions, the venue's day, history and the clock."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.domain.instrument import Instrument, SecType
from engine.domain.market import MarketEvent
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import OrderType, Tif
from engine.gateway.clock import GatewayClock
from engine.gateway.exchange import SimExchange
from engine.gateway.history import History
from tests.gateway.exchanges import AAPL, ACCOUNT, after, on_rows, order, place, steps, synthetic
from tests.venue.driving import quote, trade

S = NS_PER_S
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * S


def status(exchange: SimExchange, number: int) -> str:
    found = exchange.order(number)
    assert found is not None
    return found.status


def far(exchange: SimExchange, share: str = "0.8") -> str:
    top = exchange.top(AAPL)
    assert top is not None
    return f"{Decimal(str(top.bid)) * Decimal(share):.2f}"


# Sessions


def test_a_day_order_expires_at_the_close_and_a_gtc_order_lives_on() -> None:
    exchange = synthetic()
    day, gtc = place(exchange, order("BUY", 1, far(exchange)), order("BUY", 1, far(exchange), tif=Tif.GTC))
    exchange.advance(at("2026-03-03T15:59:59"))
    assert (status(exchange, day), status(exchange, gtc)) == ("Submitted", "Submitted")
    news = exchange.advance(at("2026-03-03T16:00:01"))
    assert steps(news, day) == ["Cancelled"]
    found = exchange.order(day)
    assert found is not None
    assert "expired" in found.reason
    exchange.advance(at("2026-03-06T12:00"))
    assert status(exchange, gtc) == "Submitted"
    exchange.cancel(gtc)
    assert steps(after(exchange, 1), gtc) == ["PendingCancel", "Cancelled"]


def test_an_order_after_the_close_waits_for_the_next_open() -> None:
    exchange = synthetic()
    exchange.advance(at("2026-03-06T17:00"))  # a Friday; on Sunday the clocks go forward
    (one,) = place(exchange, order())
    assert steps(after(exchange, 60), one)[-1] == "PreSubmitted"
    exchange.advance(at("2026-03-09T09:29:59"))
    assert status(exchange, one) == "PreSubmitted"
    assert steps(exchange.advance(at("2026-03-09T09:30:30")), one) == ["Submitted", "Filled"]


def test_an_order_for_outside_hours_fills_after_the_close() -> None:
    exchange = synthetic()
    exchange.advance(at("2026-03-03T17:00"))
    top = exchange.top(AAPL)
    assert top is not None
    assert not top.open_market
    (one,) = place(exchange, order("BUY", 1, f"{top.ask + 0.5:.2f}", outside_rth=True))
    assert steps(after(exchange, 60), one)[-1] == "Filled"


def test_holidays_and_half_days_are_the_exchanges() -> None:
    exchange = synthetic(start_ns=at("2026-11-25T10:00"))
    exchange.advance(at("2026-11-26T12:00"))  # Thanksgiving
    top = exchange.top(AAPL)
    assert top is not None
    assert not top.open_market
    assert top.ts_ns < at("2026-11-25T20:00:01")
    exchange.advance(at("2026-11-27T12:59"))
    (one,) = place(exchange, order("BUY", 1, far(exchange)))
    assert steps(exchange.advance(at("2026-11-27T13:00:01")), one)[-1] == "Cancelled"


def test_market_on_close_is_filled_at_the_close() -> None:
    exchange = synthetic()
    (one,) = place(exchange, order(order_type=OrderType.MARKET_ON_CLOSE))
    exchange.advance(at("2026-03-03T16:00:01"))
    assert status(exchange, one) == "Filled"
    (fill,) = exchange.executions(ACCOUNT, 1)
    (bar,) = exchange.bars(AAPL, at("2026-03-03T00:00"), exchange.now_ns, NS_PER_DAY, source="Last", outside_rth=False)
    assert float(fill.price) == bar.close


# The venue's day


def test_the_day_ends_at_midnight_in_new_york() -> None:
    exchange = synthetic()
    done, open_ = place(exchange, order("BUY", 100), order("BUY", 1, far(exchange), tif=Tif.GTC))
    after(exchange, 10)
    closed = place(exchange, order("SELL", 40))
    exchange.advance(at("2026-03-03T23:59:59"))
    assert [one.order_id for one in exchange.orders(ACCOUNT)] == [done, open_, *closed]
    before = exchange.funds(ACCOUNT)
    assert before.realised != 0
    exchange.advance(at("2026-03-04T00:00:00"))
    assert [one.order_id for one in exchange.orders(ACCOUNT)] == [open_]
    assert exchange.order(done) is None
    funds = exchange.funds(ACCOUNT)
    assert (funds.realised, funds.daily) == (Decimal(0), Decimal(0))
    assert funds.net_liquidation == before.net_liquidation
    (position,) = exchange.positions(ACCOUNT)
    assert (position.quantity, position.realised) == (Decimal(60), Decimal(0))


def test_a_closed_position_is_listed_until_the_day_ends() -> None:
    exchange = synthetic()
    place(exchange, order("BUY", 10))
    after(exchange, 5)
    place(exchange, order("SELL", 10))
    after(exchange, 5)
    (position,) = exchange.positions(ACCOUNT)
    assert (position.quantity, position.cost) == (Decimal(0), Decimal(0))
    exchange.advance(at("2026-03-04T01:00"))
    assert exchange.positions(ACCOUNT) == []


def test_executions_are_counted_by_trading_days_and_kept_for_seven() -> None:
    exchange = synthetic(start_ns=at("2026-03-05T10:00"))  # a Thursday

    def buy() -> None:
        place(exchange, order("BUY", 1))
        after(exchange, 60)

    buy()
    exchange.advance(at("2026-03-06T10:00"))
    buy()
    exchange.advance(at("2026-03-08T10:00"))  # Sunday still counts to Friday
    assert [len(exchange.executions(ACCOUNT, days)) for days in (1, 2, 7)] == [1, 2, 2]
    exchange.advance(at("2026-03-09T10:00"))
    assert [len(exchange.executions(ACCOUNT, days)) for days in (1, 2, 3)] == [0, 1, 2]
    exchange.advance(at("2026-03-13T23:00"))  # the seventh trading day, Thursday counted
    assert len(exchange.executions(ACCOUNT, 7)) == 2
    exchange.advance(at("2026-03-16T01:00"))
    assert len(exchange.executions(ACCOUNT, 99)) == 1
    assert exchange.state()["positions"] == {str(AAPL): 2}


def test_options_and_futures_settle_in_cash_when_they_have_expired() -> None:
    exchange = synthetic()
    week = at("2026-03-20T15:00")
    exchange.advance(week)
    first = [one for one in exchange.contracts.values() if one.expiry == "20260320"]
    low = min((one for one in first if one.right == "C"), key=lambda one: one.strike)
    high = max((one for one in first if one.right == "C"), key=lambda one: one.strike)
    future = next(one for one in first if one.instrument.sec_type is SecType.FUTURE)
    for one in (low, high, future):
        place(exchange, order("BUY", 1, conid=one.instrument.conid))
    after(exchange, 600)
    assert len(exchange.state()["positions"]) == 3
    (resting,) = place(exchange, order("BUY", 1, "0.01", conid=low.instrument.conid, tif=Tif.GTC))
    exchange.advance(at("2026-03-20T23:00"))
    stock = exchange.mark(AAPL)
    index = exchange.mark(future.instrument.conid)
    cost = {one.conid: one.cost for one in exchange.positions(ACCOUNT)}
    cash = exchange.cash(ACCOUNT)["USD"]
    assert stock is not None
    assert index is not None
    exchange.advance(at("2026-03-21T00:00:01"))
    worth = max(Decimal(0), stock - low.strike) * 100 + max(Decimal(0), stock - high.strike) * 100
    gained = index * 50 - cost[future.instrument.conid]
    assert exchange.cash(ACCOUNT)["USD"] == cash + worth + gained
    assert exchange.state()["positions"] == {}
    assert status(exchange, resting) == "Cancelled"
    assert low.instrument.conid not in exchange.contracts or exchange.order(resting) is not None
    months = {one.expiry for one in exchange.contracts.values() if one.underlying == AAPL and one.expiry > "20260320"}
    assert len(months) == 4


# History


def test_five_trading_days_lie_before_the_start() -> None:
    exchange = synthetic()
    bars = exchange.bars(AAPL, 0, exchange.now_ns, NS_PER_DAY, source="Last", outside_rth=False)
    opens = [f"2026-02-{day}T09:30" for day in (24, 25, 26, 27)]
    assert [one.start_ns for one in bars] == [at(text) for text in (*opens, "2026-03-02T09:30", "2026-03-03T09:30")]
    weeks = exchange.bars(AAPL, 0, exchange.now_ns, 7 * NS_PER_DAY, source="Last", outside_rth=False)
    assert [one.start_ns for one in weeks] == [at("2026-02-24T09:30"), at("2026-03-02T09:30")]
    assert sum(one.volume for one in weeks) == sum(one.volume for one in bars)
    assert weeks[0].high == max(one.high for one in bars[:4])


def test_bars_begin_at_multiples_of_their_length_but_not_before_the_session() -> None:
    exchange = synthetic()
    day, noon = at("2026-03-02T00:00"), at("2026-03-02T12:00")
    bars = exchange.bars(AAPL, day, noon, 60 * NS_PER_MINUTE, source="Last", outside_rth=False)
    assert [one.start_ns for one in bars] == [at(f"2026-03-02T{text}") for text in ("09:30", "10:00", "11:00")]
    early = exchange.bars(AAPL, day, noon, 60 * NS_PER_MINUTE, source="Last", outside_rth=True)
    assert early[0].start_ns == at("2026-03-02T04:00")
    assert len(early) == 8


def test_long_bars_are_made_of_short_ones() -> None:
    exchange = synthetic()
    day, noon = at("2026-03-02T09:30"), at("2026-03-02T12:00")

    def bars(minutes: float, source: str = "Last") -> list[tuple[float, ...]]:
        found = exchange.bars(AAPL, day, noon, int(minutes * NS_PER_MINUTE), source=source, outside_rth=False)
        return [(one.start_ns, one.open, one.high, one.low, one.close, one.volume) for one in found]

    fine, coarse = bars(1), bars(30)
    assert len(fine) == 150
    for number, (start, opened, high, low, close, volume) in enumerate(coarse):
        part = fine[number * 30 : number * 30 + 30]
        assert (start, opened, close) == (part[0][0], part[0][1], part[-1][4])
        assert (high, low) == (max(one[2] for one in part), min(one[3] for one in part))
        assert volume == sum(one[5] for one in part)
    seconds = bars(0.5)
    assert sum(one[5] for one in seconds) == sum(one[5] for one in fine)
    for start, bid, high, low, ask, volume in bars(5, "Bid_Ask"):
        assert start
        assert low <= bid < ask <= high
        assert volume == 0
    quotes, _, _ = exchange._market.ticks(AAPL, day, day + 30 * NS_PER_MINUTE)
    half_hour = bars(30, "Bid_Ask")[0]
    assert half_hour[1] == pytest.approx(quotes["bid"].mean())
    assert half_hour[4] == pytest.approx(quotes["ask"].mean())
    quotes, _, _ = exchange._market.ticks(AAPL, day, day + NS_PER_MINUTE)
    middle = (quotes["bid"] + quotes["ask"]) / 2
    assert bars(1, "Midpoint")[0][1:5] == (middle[0], middle.max(), middle.min(), middle[-1])


def test_the_last_bar_is_still_forming() -> None:
    exchange = synthetic()
    exchange.advance(at("2026-03-03T10:02:30"))
    minute = exchange.bars(
        AAPL, at("2026-03-03T10:00"), END_OF_TIME_NS, NS_PER_MINUTE, source="Last", outside_rth=False
    )
    assert [one.start_ns for one in minute] == [at(f"2026-03-03T10:0{n}") for n in range(3)]
    exchange.advance(at("2026-03-03T10:03:30"))
    later = exchange.bars(AAPL, at("2026-03-03T10:00"), END_OF_TIME_NS, NS_PER_MINUTE, source="Last", outside_rth=False)
    assert later[:2] == minute[:2]
    assert later[2].volume > minute[2].volume


def test_bars_of_given_rows_are_worked_out_by_hand() -> None:
    start = at("2026-03-03T10:00")
    rows: list[MarketEvent] = [
        quote(start + 1, 9.99, 10.01),
        trade(start + 2 * S, 10.00, 100),
        trade(start + 20 * S, 10.05, 50),
        trade(start + 59 * S, 9.95, 10),
        trade(start + 61 * S, 9.97, 5),
    ]
    exchange = on_rows(rows)
    exchange.advance(start + 600 * S)
    bars = exchange.bars(1, start, exchange.now_ns, NS_PER_MINUTE, source="Last", outside_rth=False)
    assert [(one.start_ns, one.open, one.high, one.low, one.close, one.volume) for one in bars] == [
        (start, 10.00, 10.05, 9.95, 9.95, 160.0),
        (start + 60 * S, 9.97, 9.97, 9.97, 9.97, 5.0),
    ]


def test_bars_of_nothing() -> None:
    exchange = synthetic()
    combo_or_unknown = exchange.bars(99, 0, exchange.now_ns, NS_PER_DAY, source="Last", outside_rth=False)
    assert combo_or_unknown == []
    with pytest.raises(ValueError, match="no bars"):
        exchange.bars(AAPL, 0, exchange.now_ns, 0, source="Last", outside_rth=False)
    with pytest.raises(ValueError, match="'Trades'"):
        exchange.bars(AAPL, 0, exchange.now_ns, NS_PER_DAY, source="Trades", outside_rth=False)


def test_kept_days_say_what_fresh_ones_do() -> None:
    exchange = synthetic()
    exchange.advance(at("2026-03-05T12:00"))
    span = (AAPL, 0, exchange.now_ns, 5 * NS_PER_MINUTE)
    first = exchange.bars(*span, source="Last", outside_rth=True)
    assert exchange.bars(*span, source="Last", outside_rth=True) == first
    fresh = History(exchange._market, exchange.contracts, exchange.sessions)
    assert fresh.bars(*span, source="Last", outside_rth=True) == first
    assert np.diff([one.start_ns for one in first]).min() > 0


# The clock


class Wall:
    """A wall clock in hand."""

    def __init__(self) -> None:
        self.ns = 5_000

    def __call__(self) -> int:
        return self.ns


def test_the_clock_runs_at_its_rate_jumps_and_never_goes_back() -> None:
    wall = Wall()
    clock = GatewayClock(1_000_000, 20.0, wall)
    assert clock.now_ns() == 1_000_000
    wall.ns += 100
    assert clock.now_ns() == 1_002_000
    clock.jump(5_000_000)
    wall.ns += 10
    assert clock.now_ns() == 5_000_200
    with pytest.raises(ValueError, match="can't go back"):
        clock.jump(5_000_199)
    assert clock.wall_s(5_000_200 + 20 * S) == pytest.approx(1.0)
    assert clock.wall_s(0) == 0.0
    clock.set_rate(0.5)
    wall.ns += 100
    assert clock.now_ns() == 5_000_250
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above zero"):
            GatewayClock(0, rate, wall)


def test_a_clock_that_is_held_back_goes_on_from_there_but_keeps_what_a_jump_promised() -> None:
    wall = Wall()
    clock = GatewayClock(1_000, 1e6, wall)
    wall.ns += 10
    clock.hold(2_000_000)
    assert clock.now_ns() == 2_000_000
    wall.ns += 1
    assert clock.now_ns() == 3_000_000
    clock.jump(9_000_000)
    clock.hold(4_000_000)
    assert clock.now_ns() == 9_000_000


def test_a_market_is_seen_to_shut_although_no_row_says_so() -> None:
    start = at("2026-03-03T10:00")
    exchange = on_rows([quote(start + 1, 9.99, 10.01)], instruments=(Instrument(conid=1, symbol="X"),))
    shown = []
    for moment in ("2026-03-03T15:59:59", "2026-03-03T16:00:00"):
        exchange.advance(at(moment))
        top = exchange.top(1)
        assert top is not None
        shown.append(top.open_market)
    assert shown == [True, False]
