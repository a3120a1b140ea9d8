"""Brackets, OCA groups, late children, client ids, funds, account groups, and the shapes of their answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine.gateway.options import Questions
from tests.gateway.desk_fakes import ACCOUNT, DARK, QUIET, SECOND, SPY, Bench, Profile, limit

ORDERS = f"/iserver/account/{ACCOUNT}/orders"


def bracket(**stop: Any) -> list[dict[str, Any]]:
    """An entry with a target and a stop."""
    return [
        limit(cOID="entry"),
        limit(side="SELL", price=180, parentId="entry"),
        limit(side="SELL", orderType="STP", price=150, parentId="entry") | stop,
    ]


def by_parent(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The entry's row and the others."""
    (entry,) = [row for row in rows if row.get("local_order_id") == "entry"]
    return entry, [row for row in rows if row is not entry]


@pytest.mark.parametrize("body", [[limit()], {"orders": [limit()]}])
def test_a_bare_array_and_the_wrapped_form_are_both_taken(body: Any) -> None:
    profiles: tuple[Profile, ...] = ("observed", "documented")
    for profile in profiles:
        bench = Bench(profile)
        answer = bench.call("POST", "/iserver/account/:DU1234567/orders", body)
        row = answer.body[0] if profile == "observed" else answer.body
        assert row == {"order_id": "987655", "order_status": "Submitted", "encrypt_message": "1"}


@pytest.mark.parametrize(
    "body", [None, {}, [], limit(), "orders", {"orders": {}}, {"orders": []}, {"orders": [5]}, [None]]
)
def test_a_body_without_tickets_is_a_bad_request(body: Any) -> None:
    answer = Bench().call("POST", ORDERS, body)
    assert (answer.status, answer.body) == (400, {"error": "Missing order parameters", "statusCode": 400})


def test_an_unknown_account_is_a_bad_request() -> None:
    answer = Bench().place(limit(), account="DU7")
    assert answer.status == 400
    assert answer.body["error"] == "Bad Request: accountId is not valid: DU7"


def test_a_bracket_goes_to_the_venue_as_one_group() -> None:
    bench = Bench()
    entry, exits = by_parent(bench.place(*bracket()).body)
    assert [row["parent_order_id"] for row in exits] == [entry["order_id"]] * 2
    assert bench.exchange.groups == [[987655, 987656, 987657]]
    assert int(entry["order_id"]) == 987655
    rows = {row["orderId"]: row for row in bench.orders()}
    assert [rows[i].get("parentId") for i in (987655, 987656, 987657)] == [None, 987655, 987655]
    assert [rows[i].get("ocaGroupId") for i in (987655, 987656, 987657)] == [None, "987655", "987655"]
    assert bench.exchange.live[987656].ticket.parent == "987655"


def test_the_entry_need_not_come_first() -> None:
    bench = Bench()
    entry, target, stop = bracket()
    bench.place(stop, entry, target)
    assert bench.exchange.live[987655].client_id == "entry"


def test_rows_of_a_bracket_come_in_no_known_order() -> None:
    firsts = set()
    bench = Bench()
    for number in range(12):
        rows = bench.place(*[dict(t) | {k: f"e{number}" for k in ("cOID", "parentId") if k in t} for t in bracket()])
        firsts.add("parent_order_id" in rows.body[0])
    assert firsts == {True, False}


def test_a_question_of_any_leg_holds_all_legs() -> None:
    bench = Bench(questions=Questions(price_percent=Decimal(1_000), market_cap=False))
    entry, target, stop = bracket()
    answer = bench.place({**entry, "quantity": 501}, target, stop)
    assert sorted(row["messageIds"][0] for row in answer.body) == ["o10331", "o383"]
    assert [order.parked for order in bench.exchange.live.values()] == [True] * 3
    one, two = (row["id"] for row in answer.body)
    left = bench.reply(two)
    assert [row["id"] for row in left.body] == [one]  # the open question keeps its id
    assert len(bench.reply(one).body) == 3
    assert bench.exchange.groups == [[987655, 987656, 987657]]


def test_an_exit_for_an_unknown_instrument_spoils_the_request() -> None:
    bench = Bench()
    answer = bench.place(*bracket(conid=99))
    assert answer.body == {"error": "no sec defs returned forSecDef 99"}
    assert bench.exchange.live == {}


def test_an_exit_with_a_negative_price_leaves_all_dead() -> None:
    bench = Bench()
    rows = bench.place(*bracket(price=-1)).body
    failed = [row for row in rows if row["order_id"] == "-1"]
    assert [(row["order_status"], row["error"], row["warning_message"]) for row in failed] == [("Failed", None, "-1")]
    entry, _ = by_parent(rows)
    assert entry["order_status"] == "Inactive"
    assert bench.exchange.open_orders() == []
    assert bench.exchange.released == []


def test_an_exit_for_another_instrument_dies_alone() -> None:
    bench = Bench()
    rows = bench.place(*bracket(conid=SPY)).body
    assert all(row["order_id"] != "-1" for row in rows)
    assert [order.client_id for order in bench.exchange.open_orders()] == ["entry", None]
    dead = bench.exchange.live[987657]
    assert not dead.open
    assert "another instrument" in dead.reason


def test_a_parent_nobody_knows() -> None:
    bench = Bench()
    for parent in ("ghost", "4711"):
        (row,) = bench.place(limit(side="SELL", parentId=parent)).body
        assert row["order_id"] == "-1"
        assert row["text"] == f"Order couldn't be submitted: Parent order ID={parent} isn't recognized."
    assert bench.exchange.live == {}


def test_children_may_come_later_by_the_parents_id_or_name() -> None:
    bench = Bench()
    entry = bench.placed(limit(cOID="entry"))
    for parent in ("entry", str(entry), entry):
        bench.place(limit(side="SELL", price=180, parentId=parent))
    assert [order.parent_id for order in bench.exchange.open_orders()] == [None, entry, entry, entry]
    bench.exchange.cancel(entry)
    assert bench.place(limit(side="SELL", parentId="entry")).body[0]["order_id"] == "-1"


def test_grandchildren_follow_their_parents() -> None:
    bench = Bench()
    bench.place(
        limit(cOID="c", parentId="b", side="BUY"),
        limit(cOID="a"),
        limit(cOID="b", parentId="a", side="SELL", price=180),
    )
    assert [order.client_id for order in bench.exchange.live.values()] == ["a", "b", "c"]
    assert [order.parent_id for order in bench.exchange.live.values()] == [None, 987655, 987656]


@pytest.mark.parametrize(
    "tickets",
    [
        [limit(), limit()],
        [limit(cOID="a"), limit(cOID="a", parentId="a")],
        [limit(cOID="a", parentId="b"), limit(cOID="b", parentId="a")],
        [limit(isSingleGroup=True), limit(isSingleGroup=True, parentId="x")],
        [limit(isSingleGroup=True), limit()],
    ],
)
def test_only_one_bracket_or_group_a_request(tickets: list[dict[str, Any]]) -> None:
    bench = Bench()
    assert bench.place(*tickets).status == 400
    assert bench.exchange.live == {}


def test_an_oca_group_is_named_after_its_first_order() -> None:
    bench = Bench()
    rows = bench.place(limit(isSingleGroup=True), limit(isSingleGroup=True, price=160)).body
    assert {row["oca_group_id"] for row in rows} == {"oco-987655"}
    assert [row["ocaGroupId"] for row in bench.orders()] == ["oco-987655"] * 2
    tickets = [order.ticket for order in bench.exchange.live.values()]
    assert tickets[0].oca_group == tickets[1].oca_group is not None
    bench.place(limit(isSingleGroup=True), limit(isSingleGroup=True, price=160))
    assert bench.exchange.live[987657].ticket.oca_group != tickets[0].oca_group


def test_a_client_id_counts_for_a_day() -> None:
    bench = Bench()
    first = bench.placed(limit(cOID="mine"))
    answer = bench.place(limit(cOID="mine"))
    assert answer.body == {"error": "Order couldn't be submitted: Local order ID=mine is already registered."}
    bench.exchange.cancel(first)
    bench.wait(86_399)
    assert "error" in bench.place(limit(cOID="mine")).body
    bench.wait(1)
    assert "order_id" in bench.place(limit(cOID="mine")).body[0]


def test_a_gateway_that_goes_on_knows_the_ids_of_before() -> None:
    bench = Bench()
    bench.placed(limit(cOID="mine"))
    later = Bench()
    later.exchange.live = bench.exchange.live
    assert "already registered" in later.place(limit(cOID="mine")).body["error"]


def test_what_can_not_be_paid_is_refused_in_words_and_not_listed() -> None:
    bench = Bench(room=Decimal(16_499))
    assert "insufficient" in bench.place(limit(cOID="big")).body["error"]
    assert bench.exchange.live == {}
    bench.exchange.room = Decimal(16_500)
    assert "order_id" in bench.place(limit(cOID="big")).body[0]


def test_a_deactivated_order_rests_until_it_is_activated() -> None:
    bench = Bench()
    ticket = limit(conid=DARK, deactivated=True)
    (row,) = bench.place(ticket).body
    assert row["order_status"] == "Inactive"
    assert bench.exchange.released == []
    bench.wait(3_600)
    asked = bench.modify(int(row["order_id"]), {**ticket, "deactivated": False}).body[0]
    assert asked["messageIds"] == ["o354"]
    assert bench.reply(asked["id"]).body[0]["order_status"] == "Submitted"
    assert bench.exchange.released == [int(row["order_id"])]


def test_an_order_for_a_group_is_spread_over_its_accounts() -> None:
    accounts = [ACCOUNT, "DU1234568", "DU1234569"]
    bench = Bench(accounts=accounts)
    bench.hall.shelf["groups"] = {"team": {"accounts": [{"name": name} for name in accounts]}}
    answer = bench.place(limit(acctId="team"), account="team")
    assert answer.body[0]["messageIds"] == ["p6"]
    assert len(answer.body) == 1
    assert len(bench.reply(answer.body[0]["id"]).body) == 3
    assert [(o.account, o.ticket.quantity) for o in bench.exchange.open_orders()] == [
        (ACCOUNT, Decimal(34)),
        ("DU1234568", Decimal(33)),
        ("DU1234569", Decimal(33)),
    ]
    assert bench.place(limit(), account="other").status == 400


def test_the_same_seed_gives_the_same_answers() -> None:
    def run() -> list[Any]:
        bench = Bench(questions=evolve(QUIET, late_live=0.5))
        said = []
        for number in range(20):
            answer = bench.place(limit(conid=DARK, cOID=f"n{number}"))
            said.append(answer.body)
            said.append(bench.reply(answer.body[0]["id"]))
            bench.exchange.now_ns += SECOND
        return said

    assert run() == run()
