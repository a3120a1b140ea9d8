"""Market data as its taker sees it: past bars of every length, page by page, and what waits is folded and counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from engine.domain.brokerage import Availability
from engine.domain.depth import Depth
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import Bar, Quote, Trade
from engine.errors import VenueRefused, VenueUnreachable
from engine.webapi.calls import Call, Reply
from engine.webapi.clock import RatedClock
from engine.webapi.endpoints.marketdata import MarketData as Endpoints
from engine.webapi.marketdata import WebMarketData
from engine.webapi.periods import period_for, word_of
from engine.webapi.stream import frames
from engine.webapi.stream.histories import OPEN_MAX, Histories
from engine.webapi.stream.registry import Registry, StreamRules
from tests.webapi_stream.frames_made import SMD

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3_600 * S, 86_400 * S
NOW = 1_700_006_400 * S  # 2023-11-15 00:00 UTC
AAPL = Instrument(conid=265598, symbol="AAPL")
COMBO = Instrument(conid=99, symbol="PAIR", sec_type=SecType.COMBO, legs=(Leg(1, 1), Leg(2, -1)))
SPANS = {"1min": 60, "2min": 120, "3min": 180, "5min": 300, "10min": 600, "15min": 900, "30min": 1_800, "1h": 3_600,
         "2h": 7_200, "3h": 10_800, "4h": 14_400, "8h": 28_800, "1d": 86_400}  # fmt: skip
LENGTHS = {"min": MINUTE, "h": HOUR, "d": DAY}


def length_of(period: str) -> int:
    digits = "".join(letter for letter in period if letter.isdigit())
    return int(digits) * LENGTHS[period.removeprefix(digits)]


class Venue:
    """A venue with bars of all of each day but its first eight hours, and none on one day of the week."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []

    def bars(self, start_ns: int, end_ns: int, span_ns: int) -> list[int]:
        first = -(-start_ns // span_ns) * span_ns
        return [
            at for at in range(first, end_ns, span_ns)
            if span_ns >= DAY or (at % DAY >= 8 * HOUR and (at // DAY) % 7 != 2)
        ]  # fmt: skip

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:
        if call.template == "/iserver/marketdata/snapshot":
            return Reply(status=200, body=json.dumps([{**SMD}]).encode(), content_type="", sent_ns=NOW, heard_ns=NOW)
        query = {name: unquote(value) for name, value in call.query}
        self.calls.append(query)
        stamp = query["startTime"]
        day, _, clock = stamp.partition("-")
        end_ns = NOW - (_days(NOW) - _serial(day)) * DAY + _seconds(clock) * S - NOW % DAY
        span_ns = SPANS[query["bar"]] * S
        begun = self.bars(end_ns - length_of(query["period"]), end_ns, span_ns)
        assert len(begun) <= 1_000
        data = [{"o": 1, "h": 2, "l": 0.5, "c": 1.5, "v": 7, "t": at // 1_000_000} for at in begun]
        body = json.dumps({"data": data, "barLength": span_ns // S}).encode()
        return Reply(status=200, body=body, content_type="", sent_ns=NOW, heard_ns=NOW)


def _days(ns: int) -> int:
    return ns // DAY


def _serial(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * S // DAY


def _seconds(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3_600 + minutes * 60 + seconds


class Rig:
    def __init__(self, *, linked: bool = False) -> None:
        self.clock = RatedClock(NOW)
        self.venue = Venue()
        self.sent: list[str] = []
        self.linked = linked
        rules = StreamRules()
        self.registry = Registry(rules, fields=lambda name: ("31",), is_open=lambda name, now_ns: True)
        self.histories = Histories(self.clock, send=self.send, is_open=lambda: self.linked)
        self.data = WebMarketData(
            Endpoints(self.venue, self.clock), self.registry, self.clock, account="DU1",
            histories=self.histories, send=self.send,
        )  # fmt: skip

    async def send(self, messages: list[str]) -> None:
        self.sent += messages

    def say(self, value: dict[str, object]) -> list[str]:
        answers = [self.data.on_frame(said, self.clock.now_ns()) for said in frames.read(json.dumps(value))]
        return [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("word", SPANS)
async def test_bars_of_every_length_are_whole_over_pages_nights_and_empty_days(
    word: str, autojump_clock: MockClock
) -> None:
    span_ns = SPANS[word] * S
    rig = Rig()
    start_ns = NOW - 10 * DAY - 5 * MINUTE
    found = await rig.data.bars(AAPL, start_ns=start_ns, end_ns=NOW, span_ns=span_ns)
    expected = [at + span_ns for at in rig.venue.bars(start_ns - span_ns, NOW, span_ns)]
    assert [bar.ts_ns for bar in found] == [end for end in expected if start_ns < end <= NOW]
    assert found[0] == Bar(found[0].ts_ns, 265598, span_ns, 1.0, 2.0, 0.5, 1.5, 7.0)
    assert len(rig.venue.calls) <= 10 * DAY // (1_000 * span_ns) + 2


async def test_bars_that_have_not_ended_are_none_and_lengths_that_are_not_made_are_refused() -> None:
    rig = Rig()
    found = await rig.data.bars(AAPL, start_ns=NOW - 2 * DAY, end_ns=NOW + DAY, span_ns=4 * HOUR)
    assert found[-1].ts_ns == NOW
    assert await rig.data.bars(AAPL, start_ns=NOW, end_ns=NOW, span_ns=MINUTE) == []
    with pytest.raises(ValueError, match="no bars of 7 s"):
        await rig.data.bars(AAPL, start_ns=0, end_ns=NOW, span_ns=7 * S)
    with pytest.raises(ValueError, match="no bars"):
        word_of(MINUTE + 1)


@given(st.integers(1, 3_000 * DAY), st.sampled_from(sorted(SPANS.values())))
def test_a_period_covers_its_length_and_no_more_bars_than_an_answer_holds(length_ns: int, span_s: int) -> None:
    span_ns = span_s * S
    period = period_for(length_ns, span_ns)
    covered = length_of(period)
    assert covered >= min(length_ns, 1_000 * span_ns)
    assert covered < max(length_ns, span_ns) + DAY or (span_ns == DAY and period == "7d")
    count, unit = int("".join(filter(str.isdigit, period))), period.lstrip("0123456789")
    assert count <= {"min": 30, "h": 8, "d": 1_000}[unit]
    assert unit != "min" or span_ns == MINUTE
    assert span_ns < DAY or count >= 7


async def test_who_comes_late_gets_the_newest_quote_and_a_count_of_what_was_folded(autojump_clock: MockClock) -> None:
    rig = Rig()
    await rig.data.subscribe([AAPL])
    rig.say(SMD)
    for number in range(2_000):
        price = f"{150 + number / 100:.2f}"
        volume, moment = str(5_000_100 + number), 1_712_000_000_200 + number
        rig.say({**SMD, "84": price, "31": price, "7762": volume, "_updated": moment})
    await rig.data.subscribe_depth([AAPL])
    for size in ("3", "4"):
        rig.say({"topic": "sbd+DU1+265598", "data": [{"row": 1, "price": "9.6", "bid": size, "ask": ""}]})
    taken = await rig.data.news()
    quotes = [one for one in taken if isinstance(one, Quote)]
    trades = [one for one in taken if isinstance(one, Trade)]
    assert quotes[-1].bid == 169.99
    assert sum(trade.size for trade in trades) == 100 + 1_999  # folded, and no size is lost
    assert rig.data.conflated == 1 + 2_000 + 2_001 - len(trades) - len(quotes)
    assert [one.bids[0].size for one in taken if isinstance(one, Depth)] == [4.0]
    assert [one.code for one in taken if isinstance(one, Availability)] == ["RpB"]
    with trio.move_on_after(5) as nothing:
        await rig.data.news()
    assert nothing.cancelled_caught
    assert rig.data.silent_s(265598) == 5


async def test_a_line_is_opened_before_it_is_subscribed_and_never_twice() -> None:
    rig = Rig()
    await rig.data.subscribe([AAPL])
    assert rig.sent == []
    assert rig.registry.connected(NOW)
    await rig.data.subscribe([AAPL, COMBO])
    assert rig.sent == ['smd+28812380;;;1/1,2/-1+{"fields":["31"]}']
    rig.say({"topic": "smd+28812380;;;1/1,2/-1", "conidEx": "28812380;;;1/1,2/-1", "84": "-1.05", "88": "3"})
    taken = await rig.data.news()
    assert [(one.conid, one.bid) for one in taken if isinstance(one, Quote)][-1] == (99, -1.05)
    assert rig.registry.unproved(NOW) == ("265598",)  # the snapshot of a line proves nothing of its stream
    rig.say(SMD)
    assert rig.registry.unproved(NOW) == ()


async def test_a_gap_is_filled_over_the_socket_or_by_rest_where_that_fails(autojump_clock: MockClock) -> None:
    rig = Rig(linked=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.data.run)
        await rig.data.subscribe([AAPL])
        rig.say(SMD)
        await rig.data.news()
        await trio.sleep(600)
        await rig.data.reopen()
        rig.data.subscribed()
        await trio.sleep(1)
        assert rig.sent[-1].startswith('smh+265598+{"period":"10min","bar":"1min"')
        begun_ms = [(NOW + number * MINUTE) // 1_000_000 for number in range(-3, 9)]
        data = [{"o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": at} for at in begun_ms]
        rig.say({"topic": "smh+265598", "serverId": "77", "barLength": 60, "data": data})
        await trio.sleep(1)
        assert rig.sent[-1] == "umh+77"
        bars = [one for one in await rig.data.news() if isinstance(one, Bar)]
        assert [bar.ts_ns for bar in bars] == [NOW + number * MINUTE for number in range(1, 10)]
        rig.linked = False
        rig.venue.calls.clear()
        await trio.sleep(300)
        await rig.data.reopen()
        rig.data.subscribed()
        await trio.sleep(1)
        assert [call["bar"] for call in rig.venue.calls] == ["1min"]
        nursery.cancel_scope.cancel()


async def test_histories_take_turns_end_what_they_opened_and_fail_with_the_link(autojump_clock: MockClock) -> None:
    rig = Rig(linked=True)
    histories, found = rig.histories, list[object]()

    async def ask(name: str) -> None:
        try:
            found.append(await histories.ask(name, period="1h", bar="1min", bar_s=60))
        except (VenueUnreachable, VenueRefused) as error:
            found.append(error)

    def answer(name: str, server_id: str, bar_s: int = 60) -> list[str]:
        return rig.say({"topic": f"smh+{name}", "serverId": server_id, "barLength": bar_s, "data": []})

    async with trio.open_nursery() as nursery:
        for number in range(OPEN_MAX + 2):
            nursery.start_soon(ask, str(number))
        await trio.sleep(1)
        asked = [message.split("+")[1] for message in rig.sent]
        assert len(asked) == OPEN_MAX
        assert answer(asked[0], "s0", bar_s=3_600) == ["umh+s0"]  # of an earlier question
        assert answer(asked[0], "s1") == []
        await trio.sleep(1)
        assert "umh+s1" in rig.sent
        assert len([message for message in rig.sent if message.startswith("smh")]) == OPEN_MAX + 1
        rig.say({"error": "no data", "code": 500, "topic": f"smh+{asked[1]}"})
        await trio.sleep(1)
        rig.histories.lost()
    assert sorted(type(one).__name__ for one in found) == [
        "History",
        "VenueRefused",
        *["VenueUnreachable"] * (OPEN_MAX),
    ]
    assert answer(asked[2], "s9") == ["umh+s9"]  # nobody waits for it any more
    began = trio.current_time()
    await ask("1")
    assert isinstance(found[-1], VenueUnreachable)
    assert trio.current_time() - began == pytest.approx(20, abs=0.1)
