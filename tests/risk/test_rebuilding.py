"""A restart forgets neither what was sent today nor a latch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from engine.domain.facts import Cancelled, Filled
from engine.domain.messages import Place
from engine.domain.ticket import OrderType
from engine.risk.account import Held, Level
from engine.risk.explaining import explain
from engine.risk.rebuilding import latches, sent
from tests.risk.made import T0, D, FakeView, gate, new

ENCODE = msgspec.json.Encoder(decimal_format="string").encode


def rows(*facts: tuple[int, str, str, Any]) -> Sequence[tuple[int, str, str, str]]:
    return [(ts_ns, kind, name, ENCODE(body).decode()) for ts_ns, kind, name, body in facts]


def test_what_was_sent_is_read_out_of_the_journal() -> None:
    here = gate()
    first, second = new(10), new(5)
    fill = Filled(coid=first.coid, ts_ns=T0 + 3, exec_id="e", conid=1, side="BUY", quantity=D(1), price=D(100))
    found = list(
        sent(
            rows(
                (T0, "judged", first.coid, explain(here, first, FakeView(), T0)),
                (T0, "judged", "refused-000001", explain(here, second, FakeView(), T0)),
                (T0, "approved", first.coid, Place((first,))),
                (T0 + 1, "modify", first.coid, first),
                (T0 + 2, "cancel", first.coid, None),
                (T0 + 2, "cancel", "somebody-else", None),
                (T0 + 3, "answer", first.coid, fill),
                (T0 + 4, "approved", second.coid, Place((second,))),
            )
        )
    )
    assert found == [
        (T0, "order", "a", 1000.0),
        (T0 + 1, "modify", "a", 0.0),
        (T0 + 2, "cancel", "a", 0.0),
        (T0 + 3, "fill", "a", 0.0),
        (T0 + 4, "order", "a", 0.0),
    ]


def test_an_order_of_which_the_checks_had_said_nothing_yet_when_the_process_ended_counts_with_its_money() -> None:
    first, second = new(10), new(5)
    told = rows(
        (T0, "worth", first.coid, 1000.5),
        (T0, "approved", first.coid, Place((first,))),
        (T0 + 1, "judged", first.coid, explain(gate(), first, FakeView(), T0)),  # it came later, and says no more
        (T0 + 2, "worth", second.coid, float("nan")),
        (T0 + 2, "approved", second.coid, Place((second,))),
    )
    assert list(sent(told)) == [(T0, "order", "a", 1000.5), (T0 + 2, "order", "a", 0.0)]


def test_what_modifications_added_is_read_out_of_the_journal_too() -> None:
    here = gate()
    first = new(10, limit_price=D(100))
    steps = [(20, 100), (5, 100), (10, 110), (10, 90)]  # 2,000, 500, then 1,100, and what it is worth at the market
    told = [
        (T0 + at, "modify", first.coid, replace(first, quantity=D(units), limit_price=D(price)))
        for at, (units, price) in enumerate(steps, 1)
    ]
    judged = (T0, "judged", first.coid, explain(here, first, FakeView(), T0))
    found = [money for *_, money in sent(rows(judged, (T0, "approved", first.coid, Place((first,))), *told))]
    assert found == pytest.approx([1000, 1000, 0, 600, 0])


def test_latches_hold_until_a_person_lifts_them() -> None:
    loss = Held(Level.HALTED, "LOSS", "too much", T0)
    streak = Held(Level.REDUCING, "STREAK", "three in a row", T0, T0 + 5)
    said = [(kind, name, body) for _, kind, name, body in rows(
        (T0, "risk_latched", "a", streak),
        (T0, "risk_lifted", "operator", ["a"]),
        (T0, "risk_latched", "", loss),
        (T0, "risk_latched", "b", streak),
        (T0, "risk_latched", "b", loss),
    )]  # fmt: skip
    assert latches(said) == [("", loss), ("b", loss)]
    assert latches(said[:2]) == []


def test_every_check_tells_its_figures() -> None:
    here = gate(order_quantity_max=D(9), position_max=D(100))
    told = {one.check: one for one in explain(here, new(10, limit_price=D(101)), FakeView(), T0)}
    assert not told["order_quantity"].allows
    assert (told["order_quantity"].code, told["order_quantity"].limit, told["order_quantity"].value) == (
        "R1",
        "9",
        "10",
    )
    assert told["order_quantity"].sentence.startswith("QUANTITY: ")
    assert told["position"].allows
    assert (told["position"].limit, told["position"].value) == ("100", "10")
    assert told["order_notional"].value == "1010.00"
    assert told["price_collar"].value == "1.00 %"
    assert len(told) == 12


def test_a_latch_gives_way_to_what_forbids_as_much_and_to_nothing_weaker_unless_it_ends() -> None:
    reducing, halted = (Held(level, "LOSS", "too much", T0) for level in Level)
    newer = Held(Level.HALTED, "DRAWDOWN", "from the top", T0 + 1)
    paused = Held(Level.HALTED, "STREAK", "three in a row", T0, T0 + 5)

    def kept(*said: Held) -> list[tuple[str, Held]]:
        return latches(
            (kind, name, body) for _, kind, name, body in rows(*((T0, "risk_latched", "a", one) for one in said))
        )

    assert kept(halted, reducing) == [("a", halted)]
    assert kept(reducing, halted) == [("a", halted)]
    assert kept(halted, newer) == [("a", newer)]
    assert kept(paused, reducing) == [("a", reducing)]  # what was written then had taken both into account


def test_an_earlier_journal_s_sums_are_read_as_they_stand() -> None:
    told = rows((T0, "risk_sent", "a", ["order", 1250.5]), (T0 + 1, "risk_sent", "b", ["cancel", 0]))
    assert list(sent(told)) == [(T0, "order", "a", 1250.5), (T0 + 1, "cancel", "b", 0.0)]


def test_only_fills_of_our_orders_are_executions() -> None:
    first = new(10)
    fill = Filled(coid=first.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(1), price=D(100))
    told = rows(
        (T0, "approved", first.coid, Place((first,))),
        (T0, "answer", first.coid, Cancelled(coid=first.coid, ts_ns=T0)),
        (T0, "answer", "x-000009", fill),
        (T0, "modify", "x-000009", first),
    )
    assert [kind for _, kind, _, _ in sent(told)] == ["order"]


@pytest.mark.parametrize(("value", "money"), [("1250.50", 1250.5), ("unknown", 0.0), ("", 0.0)])
def test_an_order_whose_worth_could_not_be_told_counts_for_nothing(value: str, money: float) -> None:
    first = new(10)
    findings = [
        {"check": "order_quantity", "value": "10"},
        {"check": "order_notional", "value": value},
    ]
    told = rows((T0, "judged", first.coid, findings), (T0, "approved", first.coid, Place((first,))))
    assert list(sent(told)) == [(T0, "order", "a", money)]
    assert [
        one[3] for one in sent(rows((T0, "judged", first.coid, []), (T0, "approved", first.coid, Place((first,)))))
    ] == [0]


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        ({"limit_price": D(100)}, {"limit_price": D(150)}, 500.0),
        ({"limit_price": D(100)}, {"limit_price": D(50)}, 0.0),
        ({"limit_price": D(100)}, {"quantity": D(20), "limit_price": D(50)}, 1000.0),
        ({"limit_price": D(0)}, {"limit_price": D(50)}, 0.0),  # of a price of nothing no multiple is told
        ({"limit_price": D(-100)}, {"limit_price": D(-150)}, 500.0),
        ({"order_type": OrderType.STOP, "stop_price": D(99)}, {"quantity": D(15)}, 500.0),
    ],
)
def test_what_a_modification_adds(before: dict[str, Any], after: dict[str, Any], added: float) -> None:
    first = new(10, **before)
    findings = [{"check": "order_notional", "value": "1000"}]
    told = rows(
        (T0, "judged", first.coid, findings),
        (T0, "approved", first.coid, Place((first,))),
        (T0, "modify", first.coid, replace(first, **after)),
    )
    assert [money for *_, money in sent(told)] == [1000.0, added]
