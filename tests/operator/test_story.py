"""The story of an order, out of a journal written by hand with the engine's own values."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.brokerage import Answered, CancelTaken, LegTaken, Question
from engine.domain.facts import Accepted, Cancelled, Filled
from engine.domain.messages import Place, Refusal
from engine.domain.order import State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.errors import InputError
from engine.journal.durable import DurableJournal, StoredRow
from engine.operator.folder import StateFolder
from engine.operator.story import orders_of_day, story
from engine.operator.telling import tell

S = 1_000_000_000
DAY = 86_400 * S


def ticket(coid: str, **more: Any) -> OrderTicket:
    given: dict[str, Any] = {
        "strategy": "s",
        "account": "DU1",
        "conid": 8314,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal(10),
        "limit_price": Decimal("9.50"),
        **more,
    }
    return OrderTicket(coid=coid, **given)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """One order that was asked about and filled, one refused, a bracket of two, an old one."""
    entry = ticket("s-000003")
    stop = ticket(
        "s-000004",
        side=Side.SELL,
        order_type=OrderType.STOP,
        limit_price=None,
        stop_price=Decimal(8),
        parent="s-000003",
    )
    question = Question(reply_id="r-77", message_ids=("o163",), texts=("exceeds the percentage",))
    fill = Filled(
        coid="s-000001",
        ts_ns=5 * DAY + 6 * S,
        exec_id="e1",
        conid=8314,
        side="BUY",
        quantity=Decimal("10.0"),
        price=Decimal("9.40"),
    )
    rows = [
        (1 * DAY, "approved", "s-000000", Place((ticket("s-000000"),))),
        (1 * DAY, "answer", "s-000000", Cancelled(coid="s-000000", ts_ns=DAY)),
        (5 * DAY + 1 * S, "approved", "s-000001", Place((ticket("s-000001"),))),
        (5 * DAY + 2 * S, "write", "s-000001", (ticket("s-000001"),)),
        (5 * DAY + 3 * S, "question", "s-000001", question),
        (5 * DAY + 3 * S, "rule", "s-000001", {"stance": "confirm", "rule": "replies.o163", "reason": "collar holds"}),
        (5 * DAY + 3 * S, "reply", "r-77", {"confirmed": True, "reason": "collar holds"}),
        (
            5 * DAY + 4 * S,
            "answer_to_write",
            "s-000001",
            Answered(taken=(LegTaken(order_id="501", status="Submitted"),)),
        ),
        (5 * DAY + 5 * S, "answer", "s-000001", Accepted(coid="s-000001", ts_ns=5 * DAY + 5 * S, venue_id="501")),
        (5 * DAY + 6 * S, "answer", "s-000001", fill),
        (5 * DAY + 7 * S, "denied", "s-000002", (ticket("s-000002"), Refusal("NOTIONAL", "1", "2", "too much money"))),
        (5 * DAY + 8 * S, "approved", "s-000003", Place((entry, stop))),
        (5 * DAY + 9 * S, "write", "s-000003", (entry, stop)),
        (5 * DAY + 10 * S, "answer", "s-000004", Accepted(coid="s-000004", ts_ns=5 * DAY + 10 * S, venue_id="503")),
        (5 * DAY + 11 * S, "cancel_sent", "s-000004", {"order_id": "503", "try": 1}),
        (5 * DAY + 12 * S, "answer_to_cancel", "s-000004", CancelTaken()),
    ]
    journal = DurableJournal(tmp_path / "journal.db")
    journal.write(rows)
    journal.close()
    return StateFolder(tmp_path)


@pytest.mark.parametrize("name", ["s-000001", "501"])
def test_every_row_with_its_time_and_the_rule_that_answered(folder: StateFolder, name: str) -> None:
    told = story(folder, name)
    assert (told["coid"], told["order_id"], told["order"]["status"]) == ("s-000001", "501", "filled")
    assert [(row["time"][11:19], row["says"]) for row in told["rows"]] == [
        ("00:00:01", "risk approved BUY 10 of conid 8314 LMT at 9.50 DAY"),
        ("00:00:02", "sent to the venue: BUY 10 of conid 8314 LMT at 9.50 DAY"),
        ("00:00:03", "the venue asks (o163): exceeds the percentage"),
        ("00:00:03", "rule replies.o163 says confirm: collar holds"),
        ("00:00:03", "answered yes: collar holds"),
        ("00:00:04", "the venue answered: taken as order 501 (Submitted)"),
        ("00:00:05", "works at the venue, order 501"),
        ("00:00:06", "filled 10 at 9.4 (execution e1)"),
    ]
    assert [row["rule"] for row in told["rows"] if row["rule"]] == ["replies.o163"]


def test_a_refused_order_names_the_check(folder: StateFolder) -> None:
    told = story(folder, "s-000002")
    assert told["rows"][0]["says"].endswith("NOTIONAL, too much money")
    assert told["rows"][0]["rule"] == "NOTIONAL"
    assert told["order"]["status"] == "refused"


def test_the_story_of_a_child_begins_with_its_group(folder: StateFolder) -> None:
    told = story(folder, "s-000004")
    assert [row["kind"] for row in told["rows"]] == ["approved", "write", "answer", "cancel_sent", "answer_to_cancel"]
    assert "SELL 10 of conid 8314 STP stop 8 DAY (child of s-000003)" in told["rows"][0]["says"]
    assert told["order"]["status"] == "working"
    assert [row["kind"] for row in story(folder, "s-000003")["rows"]] == ["approved", "write"]


def test_an_order_that_nobody_knows_is_one_sentence(folder: StateFolder) -> None:
    with pytest.raises(InputError, match="the journal knows no order 999"):
        story(folder, "999")
    with pytest.raises(InputError, match="there is no such journal"):
        story(StateFolder(folder.path / "none"), "s-000001")


def test_the_orders_of_the_last_day_and_all_that_are_open(folder: StateFolder) -> None:
    rows = orders_of_day(folder)
    assert [(row["coid"], row["status"]) for row in rows] == [
        ("s-000001", State.FILLED),
        ("s-000002", State.REFUSED),
        ("s-000003", State.SENT),
        ("s-000004", State.WORKING),
    ]
    assert [row["filled"] for row in rows] == ["10", "0", "0", "0"]


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("latch", '{"latch":"set","level":"halted","reason":"enough"}', "trading halted: enough"),
        ("latch", '{"latch":"lifted","count":2}', "an operator resumed trading"),
        ("operator", '{"verb":"halt","args":{"why":"enough"}}', "an operator said halt (why enough)"),
        ("operator", '{"question":3,"yes":false}', "an operator answered question 3 no"),
        ("answer", '{"type":"AnswerMissing"}', "no answer in time: whether it arrived is not known"),
        ("answer", '{"type":"Refused","code":"VENUE","reason":"no funds"}', "the venue refused it (VENUE): no funds"),
        ("answer", '{"type":"Refused","code":"HALTED","reason":"halted"}', "never sent (HALTED): halted"),
        ("answer", '{"type":"Refused","code":"DECLINED","reason":"declined"}', "refused (DECLINED): declined"),
        ("answer_to_write", '"unsent"', "the venue answered: nothing of it left us"),
        ("answer_to_cancel", '{"reason":"too late"}', "the venue on the cancellation: too late"),
        ("fee", '{"amount":"1.0500","execution_id":"e1"}', "fee 1.05 for execution e1"),
        ("cash", '{"USD":"1000.00"}', "the venue's cash, taken for ours: 1000 USD"),
        ("reconciled", "[]", "the books agree with the venue's"),
        ("reconciled", '["8314: 5 more"]', "the books differ: 8314: 5 more"),
        (
            "session",
            '{"up":false,"layer":"brokerage","reason":"competing"}',
            "the session is down at the brokerage: competing",
        ),
        ("latch", '"no sign for 10 s"', "the guard halted: no sign for 10 s"),
        ("took", '{"pid":7,"config":"c"}', "the daemon, process 7, is guarded from here on"),
        ("fenced", '"the daemon, process 7, is dead"', "the daemon, process 7, is dead"),
        ("answer", '{"reason":"Filled and can\'t be cancelled"}', "the venue answered: Filled and can't be cancelled"),
        (
            "judged",
            '[{"check":"position","code":"R10","allows":true},{"check":"order_rate","code":"R7","allows":true}]',
            "risk made 2 checks: none is against it",
        ),
        (
            "judged",
            '[{"check":"a","code":"R1","allows":true},{"check":"b","code":"R2","allows":false,"sentence":"too much"}]',
            "risk made 2 checks: b (R2): too much",
        ),
        (
            "found",
            '{"execution_id":"e1","size":"10.0","price":"9.50"}',
            "found at the venue: 10 at 9.5 (execution e1)",
        ),
        ("found", '{"order_id":"7","status":"Submitted"}', "found at the venue: order 7, Submitted"),
        ("of another version", '{"x":1}', 'of another version: {"x":1}'),
        ("rule", '{"another":"shape"}', 'rule: {"another":"shape"}'),
        ("fee", '{"amount":"much","execution_id":"e1"}', 'fee: {"amount":"much","execution_id":"e1"}'),
    ],
)
def test_what_each_kind_of_row_says(kind: str, body: str, says: str) -> None:
    assert tell(StoredRow(1, 1, kind, "n", body), {}) == says


def test_an_instrument_is_called_by_its_symbol_where_it_is_known(folder: StateFolder) -> None:
    folder.note_symbols({7: "OTHER"})
    folder.note_symbols({8314: "IBM"})
    assert story(folder, "s-000001")["rows"][0]["says"] == "risk approved BUY 10 of IBM LMT at 9.50 DAY"
    assert folder.symbols() == {"7": "OTHER", "8314": "IBM"}
    assert {row["symbol"] for row in orders_of_day(folder)} == {"IBM"}
    assert story(folder, "s-000001")["order"]["symbol"] == "IBM"


def test_names_that_can_not_be_written_down_are_done_without(tmp_path: Path) -> None:
    nowhere = StateFolder(tmp_path / "is" / "not" / "there")
    nowhere.note_symbols({8314: "IBM"})
    assert nowhere.symbols() == {}
