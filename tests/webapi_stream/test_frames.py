"""Frames of every kind are read, as text and as bytes; whatever else comes is `Unreadable`, never an error."""

from __future__ import annotations

import os
from decimal import Decimal
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from engine.webapi.facts.session import AuthStatus
from engine.webapi.facts.wire import Unreadable
from engine.webapi.stream import frames
from tests.webapi.test_decoders import JSON, cut, varied
from tests.webapi_stream.frames_made import BARS, EXECUTION, FRAMES, ORDER, PROMPT, SMD

# Inputs an example (drawing costs more than reading), and examples: 100,000 inputs in the long form.
BATCH, EXAMPLES = (100, 1_000) if os.environ.get("FULLTICKET_CAMPAIGN") == "1" else (40, 50)
KINDS = tuple(get_args(frames.Said))
VALUES = [value for value, _ in FRAMES.values()]
BODIES = [msgspec.json.encode(value) for value in VALUES] + [b"ech+hb"]
MS = 1_000_000


def one(value: object) -> Any:
    (said,) = frames.read(msgspec.json.encode(value))
    return said


def sound(raw: str | bytes) -> list[frames.Said]:
    said = frames.read(raw)
    assert isinstance(said, list)
    assert all(isinstance(each, KINDS) for each in said)
    return said


@pytest.mark.parametrize("name", FRAMES)
def test_every_kind_is_read_from_text_and_from_bytes(name: str) -> None:
    value, kinds = FRAMES[name]
    body = msgspec.json.encode(value)
    assert [type(each).__name__ for each in frames.read(body)] == kinds
    assert frames.read(body.decode()) == frames.read(body)


def test_what_frames_say() -> None:
    assert frames.read("ech+hb") == frames.read(b"ech+hb\n") == [frames.Echo()]
    assert one({"topic": "system", "hb": 1_712_000_000_000}).server_ns == 1_712_000_000_000 * MS
    market = one(SMD)
    assert (market.name, market.row.conid, market.row.availability) == ("265598", 265598, "RpB")
    assert market.row.updated_ns == 1_712_000_000_123 * MS
    assert (market.row.numbers["88"], market.row.numbers["31"]) == (1200.0, 190.25)
    combo = one({"topic": "smd+28812380;;;1/-1,2/+1", "conidEx": "28812380;;;1/-1,2/1", "31": "-1.05"})
    assert (combo.name, combo.row.numbers["31"]) == ("28812380;;;1/-1,2/+1", -1.05)
    close = one({"topic": "smd+8314", "31": "C168.42"})
    assert (close.row.conid, close.row.marks, close.row.numbers) == (8314, {"31": "C"}, {"31": 168.42})
    bars = one(BARS)
    assert (bars.name, bars.history.server_id, bars.history.bar_s) == ("265598", "20477", 60)
    assert [(bar.start_ns, bar.high) for bar in bars.history.bars] == [(1_712_000_000_000 * MS, 3.0)]
    assert one({"topic": "error", "message": "invalid topic", "code": 400}).code == 400
    assert one({"error": "No accounts", "code": "500", "topic": "smd"}) == frames.Trouble(
        text="No accounts", topic="smd", code=500
    )


def test_a_status_tells_only_of_what_it_carries() -> None:
    assert one({"topic": "sts", "args": {"competing": False}}).status == AuthStatus(competing=False)
    assert one({"topic": "sts", "args": {"message": ""}}).status.authenticated is None
    assert isinstance(one({"topic": "sts"}), Unreadable)


def test_several_states_of_one_order_stay_in_their_order() -> None:
    said = one(
        {
            "topic": "sor",
            "args": [ORDER, {"orderId": "77", "status": "PreSubmitted"}, {"orderId": 77, "status": "Filled"}],
        }
    )
    assert [(row.order_id, row.status) for row in said.rows] == [
        (77, "Submitted"),
        (77, "PreSubmitted"),
        (77, "Filled"),
    ]
    assert said.rows[0].price == Decimal("1.00")
    assert said.rows[1].carried == {"order_id", "status"}
    assert said.rows[1].filled is None  # absent is unchanged, never 0


def test_what_cannot_be_read_among_order_news_is_counted() -> None:
    assert one({"topic": "sor", "args": [ORDER, {"status": "Filled"}, 7]}).unreadable == 2
    assert one({"topic": "str", "args": [{**EXECUTION, "price": None}, EXECUTION]}).unreadable == 1
    assert one({"topic": "sor", "args": "gone"}).unreadable == 1
    assert one({"topic": "sor"}) == frames.Orders(rows=())


def test_notices_with_and_without_a_choice() -> None:
    first, second = frames.read(
        msgspec.json.encode({"topic": "ntf", "args": [{"id": 3, "text": "<h4>x</h4>"}, PROMPT]})
    )
    assert isinstance(first, frames.Notification)
    assert (first.notice_id, first.prompt) == ("3", None)
    assert isinstance(second, frames.Notification)
    assert second.prompt is not None
    assert (second.prompt.request_id, second.prompt.options, second.prompt.order_id) == ("22", ("Yes", "No"), 5)


def test_summaries_keep_what_came_with_its_key() -> None:
    said = one({"topic": "sld+DU1", "result": [{"key": "LedgerListUSD", "cashbalance": 2.1e8}, {"timestamp": 1}]})
    assert (said.topic, said.account) == ("sld", "DU1")
    assert said.rows == {"LedgerListUSD": {"key": "LedgerListUSD", "cashbalance": Decimal(210_000_000)}}


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_and_any_bytes(raw: str | bytes) -> None:
    sound(raw)


@given(
    st.dictionaries(st.sampled_from(["topic", "args", "data", "result", "error", "message", "conid", "31", "hb"]), JSON)
)
def test_any_object(value: dict[str, Any]) -> None:
    sound(msgspec.json.encode(value))


@given(st.sampled_from([str(value["topic"]) for value in VALUES if "topic" in value]), JSON, JSON)
def test_any_content_of_a_known_topic(topic: str, args: Any, data: Any) -> None:
    sound(msgspec.json.encode({"topic": topic, "args": args, "data": data, "result": data}))


@settings(max_examples=EXAMPLES)
@given(st.integers(min_value=0))
def test_frames_with_parts_exchanged(seed: int) -> None:
    note(f"Random({seed})")
    chance = Random(seed)
    for _ in range(BATCH):
        raw = msgspec.json.encode(varied(chance.choice(VALUES), chance))
        sound(raw if chance.random() < 0.6 else cut(chance.choice([raw, *BODIES]), chance))
