"""The synthetic market: a function of seed and time, with the hours of the real exchanges."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.instrument import Leg, SecType
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderType
from engine.errors import InputError
from engine.gateway.contracts import ES_INDEX, expiries, third_friday
from engine.gateway.exchange import SimExchange
from engine.gateway.options import HaltRule, Options
from engine.gateway.paths import SLOT_NS, SLOTS, Path, activity
from engine.gateway.records import Top
from engine.gateway.tops import combined, mark
from tests.gateway.exchanges import AAPL, ACCOUNT, START, after, order, place, steps, synthetic

S = NS_PER_S
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * S


def shown(exchange: SimExchange, conid: int = AAPL) -> Top:
    top = exchange.top(conid)
    assert top is not None
    return top


def of_kind(exchange: SimExchange, kind: SecType) -> list[int]:
    return [conid for conid, one in exchange.contracts.items() if one.instrument.sec_type is kind]


def test_it_starts_on_a_trading_day_at_ten_with_the_market_open() -> None:
    exchange = synthetic("AAPL", "IBM", "SPY")
    assert exchange.now_ns == exchange.start_ns == at("2026-03-03T10:00")
    for conid in (265598, 8314, 756733):
        top = shown(exchange, conid)
        assert top.open_market
        assert START - 60 * S < top.ts_ns <= START
        assert 0 < top.low <= min(top.open, top.last) <= max(top.open, top.last) <= top.high
        assert top.low <= top.bid + 1
        assert top.bid < top.ask
        assert 0.8 < top.prior_close / top.last < 1.25
        assert top.volume > 0


def test_another_seed_is_another_market_and_the_same_seed_the_same() -> None:
    first, again, other = (synthetic(options=Options(seed=seed)) for seed in (7, 7, 8))
    for one in (first, again, other):
        one.advance(one.now_ns + 100 * S)
    assert shown(first) == shown(again)
    assert shown(first).bid != shown(other).bid


def test_any_symbol_has_a_market_and_keeps_its_conid() -> None:
    one, two = synthetic("ZZZZ"), synthetic("AAPL", "ZZZZ")
    conid = next(conid for conid, found in one.contracts.items() if found.local_symbol == "ZZZZ")
    assert two.contracts[conid].local_symbol == "ZZZZ"
    assert shown(one, conid) == shown(two, conid)


def test_several_quotes_a_second_in_regular_hours_and_fewer_outside() -> None:
    exchange = synthetic()
    ticks = exchange._market.ticks
    busy, _, _ = ticks(AAPL, at("2026-03-02T10:00"), at("2026-03-02T11:00"))
    early, _, _ = ticks(AAPL, at("2026-03-02T08:00"), at("2026-03-02T09:00"))
    night, trades, _ = ticks(AAPL, at("2026-03-02T21:00"), at("2026-03-03T03:00"))
    assert 1 < len(busy["ts_ns"]) / 3600 < 6
    assert 0.1 < len(early["ts_ns"]) / 3600 < 1
    assert len(night["ts_ns"]) == len(trades["ts_ns"]) == 0


def test_options_are_quoted_in_regular_hours_alone() -> None:
    exchange = synthetic()
    conid = of_kind(exchange, SecType.OPTION)[40]
    quotes, _, _ = exchange._market.ticks(conid, at("2026-03-02T00:00"), at("2026-03-03T00:00"))
    assert at("2026-03-02T09:30") <= quotes["ts_ns"][0] < at("2026-03-02T09:31")
    assert at("2026-03-02T15:59") <= quotes["ts_ns"][-1] < at("2026-03-02T16:00")


def test_rows_are_in_order_quotes_are_not_crossed_and_prints_lie_within_them() -> None:
    exchange = synthetic()
    quotes, trades, _ = exchange._market.ticks(AAPL, at("2026-03-02T09:30"), at("2026-03-02T16:00"))
    assert (np.diff(quotes["ts_ns"]) > 0).all()
    assert (np.diff(trades["ts_ns"]) > 0).all()
    assert (quotes["bid"] < quotes["ask"]).all()
    cents = np.concatenate((quotes["bid"], quotes["ask"], trades["price"])) * 100
    assert np.allclose(cents, np.rint(cents), atol=1e-6)
    last = quotes["ts_ns"].searchsorted(trades["ts_ns"]) - 1
    known = last >= 0
    price = trades["price"][known]
    assert ((quotes["bid"][last[known]] <= price) & (price <= quotes["ask"][last[known]])).all()


def test_the_days_figures_are_those_of_its_bars() -> None:
    exchange = synthetic()
    exchange.advance(at("2026-03-03T15:00"))
    midnight = at("2026-03-03T00:00")
    (bar,) = exchange.bars(AAPL, midnight, exchange.now_ns, NS_PER_DAY, source="Last", outside_rth=False)
    top = shown(exchange)
    assert (top.open, top.high, top.low, top.last) == (bar.open, bar.high, bar.low, bar.close)
    whole = exchange.bars(AAPL, midnight, exchange.now_ns, NS_PER_MINUTE, source="Last", outside_rth=True)
    assert top.volume == sum(one.volume for one in whole)
    exchange.advance(at("2026-03-04T12:00"))
    assert (
        shown(exchange).prior_close
        == exchange.bars(AAPL, midnight, at("2026-03-04T00:00"), NS_PER_DAY, source="Last", outside_rth=False)[0].close
    )


@pytest.mark.parametrize("kind", [SecType.OPTION, SecType.FUTURE])
def test_a_derivative_shows_the_same_whenever_it_was_first_asked_for(kind: SecType) -> None:
    late, early = synthetic(), synthetic()
    conid = of_kind(early, kind)[3]
    for second in (1, 5, 299, 301, 660):
        shown(early, conid)
        early.advance(START + second * S)
    late.advance(START + 660 * S)
    one, other = shown(early, conid), shown(late, conid)
    assert (one.bid, one.ask, one.bid_size, one.last, one.ts_ns) == (
        other.bid,
        other.ask,
        other.bid_size,
        other.last,
        other.ts_ns,
    )


def test_what_nobody_asks_for_is_played_no_more_and_wakes_again() -> None:
    exchange, plain = synthetic(), synthetic()
    conid = of_kind(exchange, SecType.OPTION)[40]
    shown(exchange, conid)
    exchange.advance(START + 20 * 60 * S)
    exchange.advance(START + 30 * 60 * S)
    news = exchange.advance(START + 40 * 60 * S)
    assert conid not in [getattr(one, "conid", None) for one in news]
    plain.advance(exchange.now_ns)
    assert shown(exchange, conid).bid == shown(plain, conid).bid
    exchange.advance(exchange.now_ns + 300 * S)
    plain.advance(exchange.now_ns)
    assert shown(exchange, conid).bid == shown(plain, conid).bid


def test_what_wakes_changes_nothing_for_orders_that_wait() -> None:
    ends = []
    for wakes in (False, True):
        exchange = synthetic()
        top = shown(exchange)
        place(
            exchange,
            order("SELL", 100, order_type=OrderType.TRAIL, trail="0.15"),
            order("BUY", 100, f"{top.bid:.2f}"),
            order("BUY", 100, f"{top.bid - 0.10:.2f}"),
        )
        for conid in of_kind(exchange, SecType.OPTION)[:40]:
            after(exchange, 17)
            if wakes:
                shown(exchange, conid)
        ends.append([(one.order_id, one.ts_ns, one.size, one.price) for one in exchange.executions(ACCOUNT, 1)])
    assert len(ends[0]) >= 2
    assert ends[0] == ends[1]


def test_options_are_worth_more_than_exercise_and_keep_parity() -> None:
    exchange = synthetic()
    under = mark(shown(exchange))
    found = [one for one in exchange.contracts.values() if one.underlying == AAPL]
    assert len({one.expiry for one in found}) == 4
    assert {one.right for one in found} == {"C", "P"}
    middle = {}
    for one in found:
        top = shown(exchange, one.instrument.conid)
        middle[one.expiry, one.strike, one.right] = (top.bid + top.ask) / 2
    for (expiry, strike, right), price in middle.items():
        intrinsic = max(0.0, (under - float(strike)) * (1 if right == "C" else -1))
        assert price > intrinsic - 0.4
        other = middle[expiry, strike, "P" if right == "C" else "C"]
        apart = (price - other) * (1 if right == "C" else -1)
        assert abs(apart - (under - float(strike))) < 0.8


def test_the_es_chain_is_quarterly_and_quoted_in_quarters() -> None:
    exchange = synthetic()
    chain = [one for one in exchange.contracts.values() if one.underlying == ES_INDEX]
    # Third Fridays; that of June 2026 is a holiday, so the day before.
    assert [one.expiry for one in chain] == ["20260320", "20260618", "20260918", "20261218", "20270319"]
    assert [one.local_symbol for one in chain] == ["ESH6", "ESM6", "ESU6", "ESZ6", "ESH7"]
    prices = [shown(exchange, one.instrument.conid).bid for one in chain]
    assert all((price * 4) % 1 == 0 for price in prices)
    assert prices == sorted(prices)  # further months carry more
    assert exchange.top(ES_INDEX) is None


def test_trading_stops_in_a_halt() -> None:
    options = Options(halts=(HaltRule(symbol="AAPL", after_s=30, for_s=60),))
    exchange = synthetic(options=options)
    exchange.advance(START + 31 * S)
    before = shown(exchange)
    assert before.halted
    (one,) = place(exchange, order())
    assert "Filled" not in steps(after(exchange, 50), one)
    assert shown(exchange).ts_ns == before.ts_ns
    assert steps(after(exchange, 20), one)[-1] == "Filled"
    assert not shown(exchange).halted
    again = synthetic(options=options)
    again.advance(START + 500 * S)
    quotes, _, _ = again._market.ticks(AAPL, START + 30 * S, START + 90 * S)
    assert not len(quotes["ts_ns"])


def test_a_halt_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="halts name MSFT"):
        synthetic("AAPL", options=Options(halts=(HaltRule(symbol="MSFT", after_s=0, for_s=1),)))


def test_a_combos_top_is_made_of_its_legs_and_moves_with_them() -> None:
    exchange = synthetic()
    calls = [one.instrument.conid for one in exchange.contracts.values() if one.right == "C"]
    conid = exchange.combo([Leg(calls[20], 1), Leg(calls[22], -2)], "USD")
    assert conid == exchange.combo([Leg(calls[20], 1), Leg(calls[22], -2)], "USD")
    near, far, top = (shown(exchange, one) for one in (calls[20], calls[22], conid))
    assert top.bid == pytest.approx(near.bid - 2 * far.ask)
    assert top.ask == pytest.approx(near.ask - 2 * far.bid)
    exchange.advance(START + S)
    news = exchange.advance(START + 60 * S)
    assert conid in [getattr(one, "conid", None) for one in news]
    (one,) = place(exchange, order("BUY", 3, conid=conid))
    after(exchange, 30)
    found = exchange.order(one)
    assert found is not None
    assert found.status == "Filled"
    legs = exchange.executions(ACCOUNT, 1)
    assert {leg.conid for leg in legs} == {calls[20], calls[22]}
    assert sum(leg.size for leg in legs if leg.conid == calls[22]) == 6


def test_legs_that_make_no_combo_are_refused() -> None:
    exchange = synthetic()
    with pytest.raises(ValueError, match="two legs"):
        exchange.combo([Leg(AAPL, 1)], "USD")
    with pytest.raises(ValueError, match="no contract has the conid 5"):
        exchange.combo([Leg(AAPL, 1), Leg(5, 1)], "USD")
    with pytest.raises(ValueError, match="in EUR"):
        exchange.combo([Leg(AAPL, 1), Leg(of_kind(exchange, SecType.OPTION)[0], 1)], "EUR")


def test_a_combo_is_not_known_while_a_leg_is_not() -> None:
    exchange = synthetic()
    assert combined(1, [(1, shown(exchange)), (-1, None)]) is None


def test_currencies_have_rates() -> None:
    exchange = synthetic(options=Options(cash={"EUR": 1_000, "USD": 1_000, "JPY": 1}))  # type: ignore[dict-item]
    assert 0.9 < exchange.rate("EUR") < 1.3
    assert 1 / 200 < exchange.rate("JPY") < 1 / 100
    assert exchange.rate("USD") == exchange.rate("XXX") == 1


# Paths


@given(day=st.integers(20_510, 20_540), slot=st.integers(0, SLOTS - 1))
@settings(max_examples=40)
def test_a_path_has_no_steps_at_the_edges_of_slots(day: int, slot: int) -> None:
    path = Path(1, 100.0, 0.02, Sessions.round_the_clock(), (0, 0), 20_500, 3)
    here = day * SLOTS + slot
    assert path.seconds(here)[-1] == pytest.approx(path.seconds(here + 1)[0])
    assert path.price(here * SLOT_NS) == pytest.approx(path.edges(here, here)[0])


def test_a_path_is_the_same_in_whatever_order_it_is_asked() -> None:
    one, other = (Path(1, 100.0, 0.02, Sessions.round_the_clock(), (0, 0), 20_500, 3) for _ in range(2))
    slots = [20_530 * SLOTS + 5, 20_501 * SLOTS, 20_540 * SLOTS + 287, 20_530 * SLOTS + 5]
    first = {slot: one.seconds(slot).tolist() for slot in slots}
    assert {slot: other.seconds(slot).tolist() for slot in reversed(slots)} == first
    with pytest.raises(ValueError, match="begins on day 20500"):
        one.knots(20_499)


def test_a_shut_market_does_not_move() -> None:
    sessions = Sessions((20_510 * NS_PER_DAY + 14 * 3600 * S,), (20_510 * NS_PER_DAY + 21 * 3600 * S,))
    busy = activity(sessions, (60, 60), 20_510)
    slots_an_hour = 12
    assert (busy[: 13 * slots_an_hour] == 0).all()
    assert (busy[13 * slots_an_hour : 14 * slots_an_hour] > 0).all()
    assert busy[14 * slots_an_hour : 21 * slots_an_hour].mean() == pytest.approx(1.0, abs=0.01)
    assert (busy[22 * slots_an_hour :] == 0).all()
    path = Path(1, 100.0, 0.02, sessions, (60, 60), 20_505, 3)
    assert path.price(20_506 * NS_PER_DAY) == path.price(20_510 * NS_PER_DAY) == pytest.approx(100.0)


def test_expiries_avoid_holidays() -> None:
    def weekdays(day: object) -> bool:
        return str(day) != "2026-06-19"

    assert str(third_friday(2026, 6, weekdays)) == "2026-06-18"
    found = expiries(date(2026, 12, 19), (3, 6, 9, 12), 2, weekdays)
    assert [str(day) for day in found] == ["2027-03-19", "2027-06-18"]
