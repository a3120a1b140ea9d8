"""The broker and its words: every shape of an answer, questions through to their end, news once and in bounds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import brokerage as b
from engine.domain.market import Quote
from engine.domain.ticket import OrderType, Side
from engine.webapi import venue
from engine.webapi.broker import WebBroker
from engine.webapi.clock import WallClock
from engine.webapi.codecs.orders import executions_of, order_row
from engine.webapi.codecs.placement import placement
from engine.webapi.endpoints.base import Timed
from engine.webapi.facts.orders import Execution, Executions, OrderRow, OrdersPage
from engine.webapi.news import News
from engine.webapi.orderview import OrderView
from engine.webapi.sessionfacts import Heard, StreamLost
from tests.webapi_stream.linked import AAPL, PLACE, linked, ticket

ACK = {"order_id": "7", "order_status": "Submitted", "local_order_id": "s-000001"}
CHILD = {"order_id": "8", "order_status": "PreSubmitted", "parent_order_id": "7"}
FAILED = {"order_id": "-1", "order_status": "Failed", "error": None, "text": "Parent order ID=x isn't recognized."}
ASKED = {"id": "q1", "message": ["3% off?"], "messageIds": ["o163"]}
OFFER = {"orderId": 9, "reqId": "22", "text": "Use it?", "options": ["Yes", "No"], "messageId": "p12"}
ERROR = {"error": "no funds"}
ODD = {"what": "is this"}
TAKEN = b.LegTaken(order_id="7", status="Submitted", coid="s-000001")
TAKEN_CHILD = b.LegTaken(order_id="8", status="PreSubmitted", parent_id="7")
QUESTION = b.Question(reply_id="q1", message_ids=("o163",), texts=("3% off?",))
NO_LEG = b.LegRefused(reason="Parent order ID=x isn't recognized.")


def answer(body: object, tickets: int = 1, status: int = 200) -> b.WriteAnswer:
    return venue.write_answer(placement(status, msgspec.json.encode(body)), tickets=tickets)


@pytest.mark.parametrize(
    ("body", "tickets", "meant"),
    [
        ([ACK], 1, b.Answered(taken=(TAKEN,))),
        (ACK, 1, b.Answered(taken=(TAKEN,))),
        ([CHILD, ACK], 2, b.Answered(taken=(TAKEN_CHILD, TAKEN))),
        ([ASKED], 1, b.Asked(questions=(QUESTION,))),
        ([ASKED, ASKED], 2, b.Asked(questions=(QUESTION, QUESTION))),
        (ERROR, 1, b.AllRefused(reason="no funds")),
        (ERROR, 3, b.AllRefused(reason="no funds")),  # one refusal of everything
        ([FAILED], 1, b.AllRefused(reason=NO_LEG.reason)),
        ([FAILED], 3, b.Answered(refused=(NO_LEG,))),  # of one leg: the parent may be live
        ([FAILED, ACK], 2, b.Answered(taken=(TAKEN,), refused=(NO_LEG,))),
        ([ACK, ASKED], 2, b.Answered(taken=(TAKEN,), questions=(QUESTION,))),
        ([FAILED, ASKED], 2, b.Answered(refused=(NO_LEG,), questions=(QUESTION,))),
        (OFFER, 1, b.Prompted(order_id="9", request_id="22", text="Use it?", options=("Yes", "No"), message_id="p12")),
        ([ACK, OFFER], 2, b.Answered(taken=(TAKEN,), refused=(b.LegRefused(reason="Use it?"),))),
        ([ACK, ODD], 2, b.Answered(taken=(TAKEN,))),
        ([ASKED, ODD], 2, b.Answered(questions=(QUESTION,))),  # the other one may live
        ([], 1, None),
        ([ODD], 1, None),
        ([FAILED, ODD], 2, None),  # whose refusal that was can't be told
        ([{"order_id": "-1", "order_status": "Rejected", "text": "no", "local_order_id": "s-000002"}, ODD], 2,
         b.Answered(refused=(b.LegRefused(reason="no", coid="s-000002"),))),
    ],
)  # fmt: skip
def test_every_shape_of_an_answer(body: object, tickets: int, meant: b.WriteAnswer | None) -> None:
    found = answer(body, tickets)
    if meant is None:
        assert isinstance(found, b.Unclear)
        assert found.reason
    else:
        assert found == meant


@given(st.lists(st.sampled_from([ACK, CHILD, FAILED, ASKED, OFFER, ERROR, ODD]), min_size=1, max_size=5))
def test_nothing_that_was_taken_is_forgotten_and_nothing_odd_proves_a_refusal(rows: list[dict[str, Any]]) -> None:
    found = answer(rows, tickets=max(2, len(rows)))
    taken = [row for row in rows if row in (ACK, CHILD)]
    if taken:
        assert isinstance(found, b.Answered)
        assert len(found.taken) == len(taken)
    if ASKED in rows:
        assert isinstance(found, b.Asked | b.Answered)
        assert len(found.questions) == rows.count(ASKED)
    if ODD in rows or (FAILED in rows and ERROR not in rows):
        assert not isinstance(found, b.AllRefused | b.Prompted)
    if ODD in rows:
        assert not isinstance(found, b.Asked)


class Lists:
    """Stands in for the venue's list of orders."""

    def __init__(self, *rows: OrderRow) -> None:
        self.rows = rows

    async def live(self) -> Timed[OrdersPage]:
        return Timed(value=OrdersPage(rows=self.rows, snapshot=True), asked_ns=10, heard_ns=11)


async def test_what_the_stream_told_of_an_order_does_not_pass_for_a_reading_of_the_list() -> None:
    view = OrderView("DU1")
    broker = WebBroker(Lists(), WallClock(), view, {}, tell=lambda _: None)  # type: ignore[arg-type]  # nothing is sent
    broker._reads = Lists(order(order_ref="s-000001"))  # type: ignore[assignment]
    view.heard_stream([order(orderId=8)], heard_ns=20)  # an id and no more, as after a subscription
    known = await broker.orders()
    assert isinstance(known, b.OrdersKnown)
    assert {row.order_id: row.from_stream for row in known.orders} == {"7": False, "8": True}


class Trades:
    """Stands in for the venue's list of executions; `asked` is of how many days it was wanted each time."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.rows: tuple[Execution, ...] = ()
        self.asked: list[int] = []

    async def trades(self, *, days: int) -> Timed[Executions]:
        self.asked.append(days)
        return Timed(value=Executions(rows=self.rows), asked_ns=self.now_ns, heard_ns=self.now_ns)


class Hands:
    """A clock that stands where it was put."""

    def __init__(self, venue: Trades) -> None:
        self.venue = venue

    def now_ns(self) -> int:
        return self.venue.now_ns


def at(text: str) -> int:
    """A moment in New York, ns UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) * 1_000_000_000


def executed(number: int, at_ns: int, *, commission: str | None = "1") -> Execution:
    row = {"execution_id": f"a.b.{number:02d}.01", "conid": 1, "side": "B", "size": 1, "price": "10", "account": "DU1"}
    found = executions_of([{**row, "trade_time_r": at_ns // 1_000_000, "commission": commission}])
    assert isinstance(found, Executions)
    return found.rows[0]


async def test_a_list_of_executions_goes_back_to_the_day_before_the_last_that_was_known() -> None:
    there = Trades()
    broker = WebBroker(there, Hands(there), OrderView("DU1"), {}, tell=lambda _: None)  # type: ignore[arg-type]
    broker._reads = there  # type: ignore[assignment]
    monday = executed(1, at("2026-03-02 10:00"))
    for moment, rows, days in (
        ("2026-03-02 11:00", (monday,), 7),  # what happened while nobody was here
        ("2026-03-02 23:00", (monday,), 2),
        ("2026-03-03 01:00", (monday,), 3),  # that of eleven in the evening was the last one known
        ("2026-03-03 12:00", (monday,), 2),
        ("2026-03-09 12:00", (executed(2, at("2026-03-09 10:00"), commission=None),), 7),  # six days later
        ("2026-03-11 12:00", (executed(2, at("2026-03-09 10:00")),), 4),  # whose commission was not known
        ("2026-03-11 13:00", (), 2),  # nothing since
    ):
        there.now_ns, there.rows = at(moment), rows
        found = await broker.executions()
        assert there.asked[-1] == days, moment
        assert isinstance(found, b.ExecutionsKnown), moment
        assert (found.as_of_ns, found.days) == (there.now_ns, days)
        assert [one.execution_id for one in found.executions] == [one.execution_id for one in rows]


async def test_a_list_that_is_not_believed_shortens_none() -> None:
    there = Trades()
    broker = WebBroker(there, Hands(there), OrderView("DU1"), {}, tell=lambda _: None)  # type: ignore[arg-type]
    broker._reads = there  # type: ignore[assignment]
    for second, known in ((1, False), (2, True), (3, True)):  # the first empty one proves nothing
        there.now_ns = at("2026-03-02 11:00") + second * 1_000_000_000
        assert isinstance(await broker.executions(), b.ExecutionsKnown) is known
    assert there.asked == [7, 7, 2]


# --- rows --------------------------------------------------------------------------------------------------------


def order(**fields: object) -> OrderRow:
    found = order_row({"orderId": 7} | fields)
    assert isinstance(found, OrderRow)
    return found


@pytest.mark.parametrize(
    ("kind", "limit", "stop"),
    [
        ("LIMIT", Decimal(5), None),
        ("STP", None, Decimal(5)),
        ("TRAIL", None, Decimal(5)),
        ("STOP_LIMIT", Decimal(5), None),
    ],
)
def test_a_price_alone_is_that_of_the_type_the_order_is_known_to_have(
    kind: str, limit: Decimal | None, stop: Decimal | None
) -> None:
    whole = order(origOrderType=kind, price="4")
    told = venue.order(order(price="5.00"), seen_ns=1, from_stream=True, whole=whole)
    assert (told.limit_price, told.stop_price, told.order_type) == (limit, stop, None)
    assert (told.status, told.filled, told.coid) == (None, None, None)  # absent is unchanged


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Limit", OrderType.LIMIT),
        ("STOP_LIMIT", OrderType.STOP_LIMIT),
        ("Stop Limit", OrderType.STOP_LIMIT),
        ("TRAILING_STOP", OrderType.TRAIL),
        ("MidPrice", OrderType.MIDPRICE),
        ("Something else", None),
        ("", None),
        (None, None),
    ],
)
def test_order_types_in_their_spellings(word: str | None, kind: OrderType | None) -> None:
    assert venue.order_type(word) == kind
    assert venue.order_type("?", word) == kind


# --- news --------------------------------------------------------------------------------------------------------


def execution(name: str) -> b.VenueExecution:
    return b.VenueExecution(
        execution_id=name, order_id="7", account="DU1", coid=None, conid=1, side="BUY", size=Decimal(1),
        price=Decimal(1), ts_ns=1,
    )  # fmt: skip


async def test_news_that_overflows_costs_the_link_once_and_what_was_dropped_is_told_later() -> None:
    told: list[Heard] = []
    news = News(told.append, room=3)
    for number in range(6):
        news.push(execution(str(number)))
    down = b.SessionNow(ts_ns=1, up=False, layer="websocket")
    news.push(down)
    assert told == [StreamLost(problem="3 pieces of news wait to be read")]
    assert list(await news.take()) == [*(execution(str(number)) for number in range(3)), down]
    news.again(execution(str(number)) for number in range(8))
    assert [one.execution_id for one in await news.take() if isinstance(one, b.VenueExecution)] == ["3", "4", "5"]
    news.push(execution("9"))
    news.again([execution("3")])
    assert list(await news.take()) == [execution("9")]
    assert len(told) == 1


async def test_a_notice_is_told_once_by_its_id_or_by_that_of_its_prompt() -> None:
    news = News(lambda heard: None)
    offer = b.Prompted(order_id="7", request_id="22", text="?", options=("Yes",))

    def notice(kind: str, notice_id: str, prompt: b.Prompted | None = None) -> b.Notice:
        return b.Notice(ts_ns=1, kind=kind, title="", text="x", notice_id=notice_id, prompt=prompt)

    sent = [notice("bulletin", "1"), notice("bulletin", "1"), notice("notification", "1")]
    sent += [notice("notification", "", offer)] * 2 + [notice("notification", "")] * 2
    for one in sent:
        news.notice(one)
    assert list(await news.take()) == [sent[0], sent[2], sent[3], sent[5], sent[6]]


# --- against the gateway -----------------------------------------------------------------------------------------


async def test_an_order_from_its_question_to_its_cancel(tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        broker = it.link.broker
        await it.until_up()
        quote = await it.fresh(Quote)
        await broker.reset_suppression()
        far = f"{quote.bid * 0.9:.2f}"
        async with broker.round():
            asked = await broker.place([ticket("s-000001", limit=far)])
            assert isinstance(asked, b.Asked)
            assert "o163" in asked.questions[0].message_ids
            declined = await broker.reply(asked.questions[0].reply_id, confirmed=False)
        assert not isinstance(declined, b.Answered) or not declined.taken
        placed = await it.place(ticket("s-000002", limit=far))
        assert isinstance(placed, b.Answered)
        (leg,) = placed.taken
        await it.until(lambda: any(row.coid == "s-000002" for row in it.of(b.VenueOrder)))
        async with broker.round():
            changed = await broker.modify(leg.order_id, ticket("s-000002", quantity=20, limit=far))
            while isinstance(changed, b.Asked):
                changed = await broker.reply(changed.questions[0].reply_id, confirmed=True)
        assert isinstance(changed, b.Answered)
        page = await broker.order(leg.order_id)
        assert (page.total, page.side, page.order_type) == (Decimal(20), "BUY", OrderType.LIMIT)
        with pytest.raises(ValueError, match="-1 stands for all orders"):
            await broker.cancel("-1", urgent=True)
        assert len([row for row in (await it.truth())["orders"] if row["status"] == "Submitted"]) == 1
        assert isinstance(await broker.cancel(leg.order_id, urgent=False), b.CancelTaken)
        await it.until(lambda: any(row.status == "Cancelled" for row in it.of(b.VenueOrder)))
        gone = await broker.cancel("999", urgent=False)
        assert isinstance(gone, b.CancelTurnedDown)
        assert gone.unknown_order
        refused = await it.place(ticket("s-000003", quantity=5_000_000))
        assert isinstance(refused, b.AllRefused), refused


async def test_books_of_the_venue_agree_with_the_fill_and_unknown_instruments_are_refused_unsent(
    tmp_path: Path,
) -> None:
    async with linked(tmp_path) as it:
        broker = it.link.broker
        await it.until_up()
        await it.fresh(Quote)
        assert isinstance(await it.place(ticket("s-000001")), b.Answered)
        await it.until(lambda: sum({one.execution_id: one.size for one in it.of(b.VenueExecution)}.values()) == 10)
        await it.until(lambda: {one.execution_id: one for one in it.of(b.VenueExecution)}.popitem()[1].commission)
        (held,) = await broker.positions()
        assert (held.conid, held.quantity) == (AAPL.conid, Decimal(10))
        cash = {currency: balance.cash for currency, balance in (await broker.ledger()).items()}
        truth = (await it.truth())["cash"]
        assert set(cash) == {"USD"}
        assert cash["USD"] == pytest.approx(Decimal(str(truth["USD"])), abs=Decimal("0.01"))
        unknown = await it.place(ticket("s-000002", conid=1, side=Side.SELL))
        assert unknown == b.AllRefused(reason="its instrument is not known")
        changed = await broker.modify("7", ticket("s-000001", conid=1))
        assert changed == b.AllRefused(reason="its instrument is not known")
        assert await it.asked(PLACE) == 1
