"""A recording as the gateway's market."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from engine.domain.market import Kind
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import Tif
from engine.errors import InputError
from engine.gateway.exchange import SimExchange
from engine.gateway.opening import open_exchange
from engine.gateway.options import Options
from engine.recording.reader import open_recording
from tests.gateway.exchanges import AAPL, ACCOUNT, after, as_promised, of_orders, order, place, steps

S = NS_PER_S
DATA = Path(__file__).parents[2] / "replay_data"
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * S


def playing(name: str, **more: object) -> SimExchange:
    return open_exchange(Options(), recording=DATA / name, **more)  # type: ignore[arg-type]


def test_it_starts_at_the_first_session_with_the_recordings_instruments() -> None:
    exchange = playing("demo")
    first, _ = open_recording(DATA / "demo").span()
    assert exchange.now_ns == max(first, at("2024-03-05T09:30"))
    assert {one.local_symbol for one in exchange.contracts.values()} == {"AAPL", "IBM", "SPY"}
    assert exchange.contracts[AAPL].name == "APPLE INC"


def test_what_it_shows_is_the_last_row_of_each_kind() -> None:
    exchange = playing("demo")
    now = at("2024-03-06T12:34:56")
    exchange.advance(now)
    top = exchange.top(AAPL)
    assert top is not None
    recording = open_recording(DATA / "demo")
    rows = list(recording.blocks(Kind.QUOTES, at("2024-03-06T00:00"), now + 1, frozenset({AAPL})))
    assert (top.bid, top.ask_size) == (rows[-1]["bid"][-1], rows[-1]["ask_size"][-1])
    trades = list(recording.blocks(Kind.TRADES, at("2024-03-06T00:00"), now + 1, frozenset({AAPL})))
    assert top.volume == sum(block["size"].sum() for block in trades)
    assert (top.high, top.low) == (
        max(block["price"].max() for block in trades),
        min(block["price"].min() for block in trades),
    )
    before = list(recording.blocks(Kind.TRADES, 0, at("2024-03-06T00:00"), frozenset({AAPL})))
    assert top.prior_close == before[-1]["price"][-1]


def test_after_its_end_the_market_is_quiet_and_days_go_on() -> None:
    exchange = playing("demo")
    (one,) = place(exchange, order("BUY", 1, "1.00", tif=Tif.GTC))
    exchange.advance(at("2024-03-08T12:00"))
    quiet = exchange.top(AAPL)
    assert quiet is not None
    assert quiet.ts_ns < at("2024-03-07T16:00:01")
    found = exchange.order(one)
    assert found is not None
    assert found.status == "Submitted"
    (late,) = place(exchange, order("BUY", 1, "1.00"))
    assert steps(exchange.advance(at("2024-03-08T16:01")), late)[-1] == "Cancelled"
    exchange.cancel(one)
    assert steps(after(exchange, 1), one)[-1] == "Cancelled"
    assert as_promised(exchange).next_ns() == at("2024-03-09T00:00")


def test_how_time_is_cut_changes_nothing() -> None:
    def told(cuts: Random | None) -> object:
        exchange = playing("halt")
        news = []
        for number in range(6):
            top = exchange.top(AAPL)
            place(exchange, order("BUY", 300, f"{170 + number * 0.01:.2f}" if top is None else f"{top.bid:.2f}"))
            target = exchange.now_ns + 3600 * S
            while cuts is not None and exchange.now_ns < target:
                news += exchange.advance(min(target, exchange.now_ns + cuts.choice((1, S, 100 * S, 900 * S))))
            news += exchange.advance(target)
        return of_orders(news), exchange.state(), exchange.top(AAPL)

    whole = told(None)
    assert told(Random(3)) == whole
    assert told(Random(4)) == whole


def test_a_recorded_halt_stops_trading() -> None:
    exchange = playing("halt")
    exchange.advance(at("2024-03-08T13:31"))
    top = exchange.top(AAPL)
    assert top is not None
    assert top.halted
    (one,) = place(exchange, order())
    assert "Filled" not in steps(exchange.advance(at("2024-03-08T13:44:59")), one)
    assert steps(exchange.advance(at("2024-03-08T13:46")), one)[-1] == "Filled"


def test_bars_alone_are_enough() -> None:
    exchange = playing("minutes")
    exchange.advance(exchange.now_ns + 30 * NS_PER_MINUTE)
    conid = next(iter(exchange.contracts))
    top = exchange.top(conid)
    assert top is not None
    assert top.bid != top.bid
    bars = exchange.bars(conid, 0, END_OF_TIME_NS, NS_PER_MINUTE, source="Last", outside_rth=False)
    assert top.last == bars[-1].close
    assert top.high == max(bar.high for bar in bars)
    assert len(bars) in (30, 31)
    (one,) = place(exchange, order(conid=conid))
    assert steps(after(exchange, 180), one)[-1] == "Filled"


def test_history_of_a_recording_joins_its_rows() -> None:
    exchange = playing("demo")
    exchange.advance(at("2024-03-07T12:00"))
    days = exchange.bars(AAPL, 0, exchange.now_ns, NS_PER_DAY, source="Last", outside_rth=False)
    assert [bar.start_ns for bar in days] == [at(f"2024-03-0{day}T09:30") for day in (5, 6, 7)]
    trades = list(open_recording(DATA / "demo").blocks(Kind.TRADES, 0, at("2024-03-05T16:00"), frozenset({AAPL})))
    assert days[0].volume == sum(block["size"].sum() for block in trades)
    assert days[0].close == trades[-1]["price"][-1]


def test_it_goes_on_from_its_state(tmp_path: Path) -> None:
    exchange = playing("demo", state_dir=tmp_path)
    exchange.advance(at("2024-03-06T11:00"))
    place(exchange, order("BUY", 10))
    after(exchange, 60)
    shown, held = exchange.top(AAPL), exchange.state()
    exchange.save()
    exchange.close()
    exchange = playing("demo", state_dir=tmp_path)
    assert (exchange.top(AAPL), exchange.state()) == (shown, held)
    exchange.advance(exchange.now_ns + 600 * S)
    plain = playing("demo")
    plain.advance(exchange.now_ns)
    assert exchange.top(AAPL) == plain.top(AAPL)
    assert exchange.executions(ACCOUNT, 1)
    exchange.close()
    with pytest.raises(InputError, match="begun with another market"):
        playing("halt", state_dir=tmp_path)
