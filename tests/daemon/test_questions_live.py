"""What the venue asks about orders, through a whole daemon against the gateway: whatever is odd about it ends in a no.

Questions that the gateway does not ask by itself are made of its own: an answer is changed on its way to us.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from engine.daemon.assembling import Daemon
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket
from engine.operator.protocol import NotDone
from engine.webapi.calls import Reply
from engine.webapi.rest import Rest
from tests.daemon.alongside import AAPL, alongside, held, market, place, resting, told, until, until_order
from tests.served import PATIENT, Served, served

LARGE = 501  # above what the gateway takes without a question
FAST = ("--synthetic", "AAPL,IBM", "--speed", "20")


def changed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any], *, count: int = 1) -> list[Any]:
    """Have the next answers that hold a question changed before we read them; returns what they were."""
    seen: list[Any] = []
    whole = Rest._sent

    async def sent(self: Rest, name: str, *given: Any) -> Reply:
        reply = await whole(self, name, *given)
        if b'"messageIds"' in reply.body and len(seen) < count:
            seen.append(json.loads(reply.body))
            return msgspec.structs.replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())
        return reply

    monkeypatch.setattr(Rest, "_sent", sent)
    return seen


def far(coid: str, daemon: Daemon, *, percent: int, quantity: int) -> OrderTicket:
    """A limit to buy so far above the market, which fills at once."""
    ask = daemon.nursery.judging.view.quote(AAPL)
    assert ask is not None
    return resting(coid, Decimal(round(float(ask.ask) * (100 + percent) / 100)), quantity)


async def ended(daemon: Daemon, coid: str) -> Order:
    return await until_order(daemon, coid, lambda one: not one.is_open)


async def agrees(daemon: Daemon, gateway: Served, coid: str) -> None:
    """What became of an order is the same in both books, and another one can be had after it."""
    place(daemon, market("quiet-000099", quantity=1))
    assert (await ended(daemon, "quiet-000099")).state is State.FILLED
    there = gateway.state()
    mine = [one for one in there["orders"] if one["cOID"] == coid]
    assert len(mine) == 1, "sent once"
    assert Decimal(str(mine[0]["filled"])) == daemon.book.book[coid].filled
    await until(lambda: held(daemon, AAPL) == Decimal(str(gateway.state()["positions"].get(str(AAPL), 0))))


def alerts(daemon: Daemon) -> list[str]:
    return [alert.code for _, alert in daemon.people.alerts if alert.coid]


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (lambda rows: [{**rows[0], "messageIds": ["o99999"]}], "QUESTION", "o99999"),
        (lambda rows: [{**rows[0], "messageIds": ["p383"], "message": ["Do you like it?"]}], "QUESTION", "p383"),
        (lambda rows: [{**rows[0], "messageIds": [], "message": []}], "QUESTION", "says nothing"),
        (lambda rows: [{**rows[0], "messageIds": ["o383"], "message": ["Free beer?"]}], "QUESTION", "o383"),
        (lambda rows: [{**rows[0], "messageIds": ["o383", "o451"]}], "QUESTION", "o451"),
    ],
    ids=["unknown id", "unknown id and text", "no message", "a known id with another text", "one message too few"],
)
async def test_a_question_that_is_not_known_is_declined_and_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any], Any],
    code: str,
    reason: str,
) -> None:
    with served(tmp_path / "gateway", *FAST, config=PATIENT) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon:
            (asked,) = [changed(monkeypatch, change)]
            place(daemon, market("quiet-000001", quantity=LARGE))
            order = await ended(daemon, "quiet-000001")
            assert [rows[0]["messageIds"] for rows in asked] == [["o383"]]
            assert (order.state, order.code) == (State.REFUSED, "DECLINED")
            assert reason in order.reason
            assert code in alerts(daemon)
            assert [json.loads(body)["confirmed"] for body in told(daemon, "reply")] == [False]
            await agrees(daemon, gateway, "quiet-000001")


async def test_a_list_without_rows_proves_nothing_and_the_order_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", *FAST, config=PATIENT) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon:
            changed(monkeypatch, lambda rows: [])
            place(daemon, market("quiet-000001", quantity=LARGE))
            order = await ended(daemon, "quiet-000001")
            assert order.filled == 0
            assert "IN_DOUBT" in alerts(daemon)
            assert not told(daemon, "reply")
            await agrees(daemon, gateway, "quiet-000001")


async def test_several_messages_in_one_question_need_a_rule_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = '[replies]\no383 = "confirm-if quantity"\no451 = "decline"\n'
    with served(tmp_path / "gateway", *FAST, config=PATIENT + "value_limit = 50_000\n") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, policy) as daemon:
            place(daemon, market("quiet-000001", quantity=LARGE))
            order = await ended(daemon, "quiet-000001")
            assert json.loads(told(daemon, "question")[0])["message_ids"] == ["o383", "o451"]
            assert (order.state, order.code) == (State.REFUSED, "DECLINED")
            assert "o451" in order.reason
            await agrees(daemon, gateway, "quiet-000001")


@pytest.mark.parametrize(("rounds", "state"), [(1, State.REFUSED), (2, State.FILLED)])
async def test_a_chain_is_followed_to_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int, state: State
) -> None:
    with served(tmp_path / "gateway", *FAST, config=PATIENT) as gateway:
        policy = f"[replies]\nrounds_max = {rounds}\n"
        async with alongside(monkeypatch, tmp_path / "run", gateway, policy) as daemon:
            place(daemon, far("quiet-000001", daemon, percent=4, quantity=LARGE))
            order = await ended(daemon, "quiet-000001")
            assert [json.loads(body)["message_ids"] for body in told(daemon, "question")] == [["o163"], ["o383"]]
            assert order.state is state
            assert ("CHAIN" in alerts(daemon)) is (state is State.REFUSED)
            await agrees(daemon, gateway, "quiet-000001")


@pytest.mark.parametrize(
    ("fault", "filled"),
    [
        ({"do": "status", "status": 503, "when": "before"}, 0),
        ({"do": "status", "status": 503, "when": "after"}, LARGE),
        ({"do": "late-live"}, LARGE),
        ({"do": "garbage"}, LARGE),
        ({"do": "drop", "when": "before"}, 0),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
async def test_a_reply_that_fails_leaves_the_order_in_doubt_until_the_venue_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], filled: int
) -> None:
    with served(tmp_path / "gateway", *FAST, config=PATIENT) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon:
            with gateway.client() as client:
                script = {"fault": [{"on": "POST /iserver/reply/{replyId}", "count": 1, **fault}]}
                client.post(f"{gateway.root}/sim/faults", json=script).raise_for_status()
            place(daemon, market("quiet-000001", quantity=LARGE))
            order = await ended(daemon, "quiet-000001")
            assert "IN_DOUBT" in alerts(daemon)
            assert len(told(daemon, "reply")) == 1, "never said a second time"
            assert order.filled == filled
            assert (order.state is State.FILLED) is bool(filled)
            await agrees(daemon, gateway, "quiet-000001")


async def test_a_person_s_yes_counts_once_and_only_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = '[replies]\no383 = "ask"\nask_s = 40\n'
    with served(tmp_path / "gateway", *FAST, config=PATIENT) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, policy) as daemon:

            async def question() -> int:
                await until(lambda: daemon.operator._asked(daemon.clock.now_ns()))
                return daemon.operator._asked(daemon.clock.now_ns())[0].number

            place(daemon, market("quiet-000001", quantity=LARGE))
            number = await question()
            assert (await daemon.operator.answer(number, True))["answer"] == "yes"
            with pytest.raises(NotDone, match="answered already, with yes"):
                await daemon.operator.answer(number, False)
            assert (await ended(daemon, "quiet-000001")).state is State.FILLED
            place(daemon, market("quiet-000002", quantity=LARGE + 1))
            number = await question()
            order = await ended(daemon, "quiet-000002")  # nobody answers
            assert (order.state, order.code) == (State.REFUSED, "DECLINED")
            with pytest.raises(NotDone, match="is not open"):
                await daemon.operator.answer(number, True)
            await agrees(daemon, gateway, "quiet-000002")


async def test_a_question_that_the_venue_has_let_expire_is_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = '[replies]\no383 = "ask"\nask_s = 600\n'
    with served(tmp_path / "gateway", *FAST, config=PATIENT.replace("3_600", "30")) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, policy) as daemon:
            place(daemon, market("quiet-000001", quantity=LARGE))
            await until(lambda: daemon.operator._asked(daemon.clock.now_ns()))
            number = daemon.operator._asked(daemon.clock.now_ns())[0].number
            await trio.to_thread.run_sync(gateway.advance, 40)
            # Whoever says yes now is too late: the venue answers `reply id not found`, which proves nothing by itself.
            try:
                await daemon.operator.answer(number, True)
            except NotDone:
                assert not daemon.book.book["quiet-000001"].is_open
            order = await ended(daemon, "quiet-000001")
            assert order.filled == 0
            assert order.state in (State.LOST, State.CANCELLED, State.REFUSED)
            await agrees(daemon, gateway, "quiet-000001")
