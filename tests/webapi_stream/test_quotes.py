"""Sparse frames become whole quotes: what was told last stands, how old it is is known, and trades are told once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.brokerage import Availability
from engine.domain.market import MarketEvent, Quote, Status, Trade, Trading
from engine.webapi.codecs.market import snapshot_row
from engine.webapi.facts.market import SnapshotRow
from engine.webapi.stream.books import book
from engine.webapi.stream.frames import Depth as DepthFrame
from engine.webapi.stream.frames import read
from engine.webapi.stream.quotes import Quotes

CONID = 265598
FULL = {"31": "10.00", "84": "9.99", "86": "10.01", "88": "300", "85": "200", "7059": "100", "7762": "5000"}
TAGS = ("84", "86", "88", "85")
VALUES = st.sampled_from(["", "9.98", "9.99", "10.00", "10.01", "1,250"])
FRAME = st.dictionaries(st.sampled_from(TAGS), VALUES, min_size=1)


def row(updated_ms: int | None = None, **fields: str) -> SnapshotRow:
    value: dict[str, object] = {"conid": CONID, **{name.removeprefix("t"): told for name, told in fields.items()}}
    if updated_ms is not None:
        value["_updated"] = updated_ms
    read_row = snapshot_row(value)
    assert isinstance(read_row, SnapshotRow)
    return read_row


def told(fields: dict[str, str], updated_ms: int | None = None) -> SnapshotRow:
    return row(updated_ms, **{f"t{tag}": value for tag, value in fields.items()})


def begun(**more: str) -> Quotes:
    quotes = Quotes()
    quotes.hear(told({**FULL, **{name.removeprefix("t"): value for name, value in more.items()}}), 1)
    return quotes


def trades(events: list[MarketEvent | Availability]) -> list[Trade]:
    return [event for event in events if isinstance(event, Trade)]


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


# --- the merge -----------------------------------------------------------------------------------------------------


@given(st.lists(FRAME, min_size=1, max_size=12))
def test_the_newest_quote_is_the_last_word_on_every_field(told_frames: list[dict[str, str]]) -> None:
    quotes, model, newest = Quotes(), dict[str, float](), None
    for number, fields in enumerate(told_frames, 1):
        for event in quotes.hear(told(fields), number):
            newest = event if isinstance(event, Quote) else newest
        for tag, value in fields.items():
            model.pop(tag, None)
            if value:
                model[tag] = float(value.replace(",", ""))
    whole = [model.get(tag, math.nan) for tag in TAGS]
    if newest is None:
        assert all(math.isnan(value) for value in whole)
    else:
        found = (newest.bid, newest.ask, newest.bid_size, newest.ask_size)
        assert all(same(a, b) for a, b in zip(found, whole, strict=True))


@given(st.lists(FRAME, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_frames_that_overtake_one_another_change_nothing_in_the_end(
    told_frames: list[dict[str, str]], chance: object
) -> None:
    stamped = list(enumerate(told_frames, 1_000_000_000_000))
    straight, shuffled = Quotes(), Quotes()
    for at, fields in stamped:
        straight.hear(told(fields, at), at)
    chance.shuffle(stamped)  # type: ignore[attr-defined]
    for at, fields in stamped:
        shuffled.hear(told(fields, at), at)
        shuffled.hear(told(fields, at), at)  # and everything twice
    for tag in TAGS:
        assert shuffled.number(CONID, tag) == straight.number(CONID, tag)


def test_a_new_server_may_have_an_older_clock() -> None:
    quotes = Quotes()
    quotes.hear(told({"84": "9.99"}, 2_000_000_000_000), 1)
    quotes.hear(told({"84": "9.50"}, 1_999_999_999_000), 2)
    assert quotes.number(CONID, "84") == 9.99
    quotes.restart(CONID)
    quotes.hear(told({"84": "9.50"}, 1_999_999_999_500), 3)
    assert quotes.number(CONID, "84") == 9.5


def test_every_field_has_its_age() -> None:
    quotes = begun()
    quotes.hear(row(t84="9.99"), 40)
    assert quotes.age_ns(CONID, "84", 100) == 60
    assert quotes.age_ns(CONID, "86", 100) == 99
    assert quotes.age_ns(CONID, "7308", 100) is None
    assert quotes.age_ns(1, "84", 100) is None
    assert (quotes.last_ns(CONID), quotes.last_ns(1)) == (40, None)


def test_what_only_repeats_is_no_news_but_the_first_word_of_a_stream_is() -> None:
    quotes = begun()
    assert quotes.hear(row(t84="9.99"), 2) == []
    quotes.restart(CONID)
    again = quotes.hear(told(FULL), 3)
    assert again == [Quote(3, CONID, 9.99, 10.01, 300.0, 200.0)]  # it still stands; nothing was traded


def test_a_row_of_nothing_but_ids_says_nothing() -> None:
    quotes = Quotes()
    assert quotes.hear(row(), 1) == []
    assert quotes.last_ns(CONID) is None


# --- trades ----------------------------------------------------------------------------------------------------------

STEP = st.tuples(st.integers(0, 5), st.sampled_from(["9.99", "10.00", "10.01"]), st.booleans(), st.booleans())


@given(st.lists(STEP, max_size=20))
def test_sizes_of_sampled_trades_add_up_to_the_growth_of_the_volume(steps: list[tuple[int, str, bool, bool]]) -> None:
    """Each step trades some lots of 100; the frame tells volume and price, or the price first and the volume later."""
    quotes, volume, sum_, pending = begun(), 5_000, 0.0, False
    price = "10.00"
    for number, (lots, at, early, twice) in enumerate(steps, 2):
        volume += 100 * lots
        fields: dict[str, str] = {}
        moved = lots > 0 and at != price
        if lots:
            price = at
            fields |= {"31": price, "7059": "100"}
        if not (early and moved and lots == 1):
            fields["7762"] = str(volume)
            pending = False
        else:
            pending = True
        for _ in range(2 if twice else 1):
            found = trades(quotes.hear(told(fields), number))
            assert all(trade.sampled for trade in found)
            sum_ += sum(trade.size for trade in found)
    if pending:
        sum_ += sum(trade.size for trade in trades(quotes.hear(row(t7762=str(volume)), 99)))
    assert sum_ == volume - 5_000


def test_the_first_frame_is_no_trade_and_a_renewed_stream_tells_none_again() -> None:
    quotes = Quotes()
    assert trades(quotes.hear(told(FULL), 1)) == []
    assert trades(quotes.hear(told(FULL), 2)) == []  # the same frame: a stream opened anew, or one said twice
    assert trades(quotes.hear(row(t7762="5250"), 3)) == [Trade(3, CONID, 10.0, 250.0, True)]  # at the same price


def test_without_an_exact_volume_a_change_of_the_last_price_or_size_is_a_trade() -> None:
    quotes = Quotes()
    quotes.hear(row(t31="10.00", t7059="100", t87="25.5M"), 1)
    assert trades(quotes.hear(row(t31="10.01"), 2)) == [Trade(2, CONID, 10.01, 100.0, True)]
    assert trades(quotes.hear(row(t7059="300"), 3)) == [Trade(3, CONID, 10.01, 300.0, True)]
    assert trades(quotes.hear(row(t87="25.6M"), 4)) == [Trade(4, CONID, 10.01, 300.0, True)]
    assert trades(quotes.hear(row(t87="25.6M"), 5)) == []


def test_another_day_begins_its_volume_anew() -> None:
    quotes = begun()
    assert trades(quotes.hear(row(t7762="0"), 2)) == []
    assert trades(quotes.hear(row(t31="10.20", t7762="70"), 3)) == [Trade(3, CONID, 10.2, 70.0, True)]
    assert trades(quotes.hear(row(t31="10.30", t7059="20", t7762="20"), 4)) == [Trade(4, CONID, 10.3, 20.0, True)]


def test_a_close_is_no_trade_nor_is_what_grows_behind_it() -> None:
    quotes = begun(t31="C10.00", t7762="0")
    assert trades(quotes.hear(row(t31="C10.05"), 2)) == []
    assert trades(quotes.hear(row(t7762="100"), 3)) == []
    assert trades(quotes.hear(row(t31="10.05", t7762="300"), 4)) == [Trade(4, CONID, 10.05, 200.0, True)]


# --- halts, absence, availability ------------------------------------------------------------------------------------


def test_a_halt_is_told_once_and_so_is_its_end() -> None:
    quotes = begun()
    assert quotes.hear(row(t31="H10.00"), 2) == [Status(2, CONID, Trading.HALTED)]
    assert quotes.hear(row(t31="H10.00"), 3) == []
    assert quotes.hear(row(t84="9.98"), 4)[0] == Quote(4, CONID, 9.98, 10.01, 300.0, 200.0)
    status, trade = quotes.hear(row(t31="10.05", t7762="5100"), 5)
    assert status == Status(5, CONID, Trading.OPEN)
    assert trade == Trade(5, CONID, 10.05, 100.0, True)


@pytest.mark.parametrize("nothing", ["", "N/A", "-"])
def test_a_side_that_goes_is_absent_never_zero(nothing: str) -> None:
    (quote,) = begun().hear(row(t84=nothing), 2)
    assert isinstance(quote, Quote)
    assert math.isnan(quote.bid)
    assert quote.ask == 10.01


def test_minus_one_is_no_quote_unless_there_is_a_size_behind_it() -> None:
    (gone,) = begun().hear(row(t84="-1", t88="0"), 2)
    assert isinstance(gone, Quote)
    assert math.isnan(gone.bid)
    (combo,) = begun().hear(row(t84="-1", t88="5"), 2)
    assert isinstance(combo, Quote)
    assert combo.bid == -1.0


@pytest.mark.parametrize(
    ("code", "live", "delayed", "frozen"),
    [
        ("RpB", True, False, False),
        ("S", True, False, False),
        ("DPB", False, True, False),
        ("ZB", False, False, True),
        ("YB", False, True, True),
        ("N", False, False, False),
        ("O", False, False, False),
    ],
)
def test_availability_is_told_when_it_changes(code: str, live: bool, delayed: bool, frozen: bool) -> None:
    quotes = Quotes()
    (found,) = quotes.hear(row(t6509=code), 1)
    assert found == Availability(conid=CONID, ts_ns=1, live=live, delayed=delayed, frozen=frozen, code=code)
    assert quotes.hear(row(t6509=code), 2) == []
    assert len(quotes.hear(row(t6509=code + "v"), 3)) == 1


# --- books -----------------------------------------------------------------------------------------------------------


def test_a_book_is_read_from_its_rows_best_first() -> None:
    raw = (
        b'{"topic":"sbd+DU1+265598","data":[{"row":1,"price":"10.02","bid":"","ask":"200"},'
        b'{"row":2,"price":"100 @ 10.01","bid":"","ask":"1,000"},'
        b'{"row":3,"focus":1,"price":"10.00","bid":"300","ask":""},'
        b'{"row":4,"price":"9.99","bid":"50"},{"row":5,"price":"","bid":"7"},{"row":6,"price":"9.5","bid":"0"}]}'
    )
    (frame,) = read(raw)
    assert isinstance(frame, DepthFrame)
    found = book(frame, 9)
    assert (found.ts_ns, found.conid) == (9, CONID)
    assert [(level.price, level.size) for level in found.bids] == [(10.0, 300.0), (9.99, 50.0)]
    assert [(level.price, level.size) for level in found.asks] == [(10.01, 1000.0), (10.02, 200.0)]
