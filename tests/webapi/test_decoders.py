"""Every decoder takes every input: arbitrary bytes, any JSON, and answers with bytes or values exchanged.

`make campaign` gives each decoder 100,000 inputs; otherwise a few hundred.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from engine.webapi.codecs import reading
from engine.webapi.codecs.market import snapshot_row
from engine.webapi.codecs.orders import order_row
from engine.webapi.facts.wire import Fact, Unreadable
from tests.webapi.made import DECODERS, ORDER, ROW, SAMPLES, fitting, kinds, sample_of, wrapped
from tests.webapi.recorded import exchanges

# Inputs an example (drawing costs more than decoding), and examples a decoder.
BATCH, EXAMPLES = (100, 1_000) if os.environ.get("FULLTICKET_CAMPAIGN") == "1" else (20, 20)

BODIES = [msgspec.json.encode(sample) for sample in SAMPLES]
BODIES += [msgspec.json.encode(exchange["body"]) for exchange in exchanges()]
BODIES += [msgspec.json.encode(whole) for kind in kinds() for whole in wrapped(sample_of(kind))]
FITTING = {name: fitting(decode, BODIES) for name, decode in DECODERS.items()}
ODD: tuple[Any, ...] = (
    *(None, "", 0, -1, "-", "N/A", True, False, [], {}, [[]], [None], {"a": None}, "x" * 300, "\u2603", "1,2,3"),
    *(2**63, -(2**70), 1e308, "1e999", "-0", "0x1", "20231399", " ", "C", "H-", "1.5M", ["a", 1, {}], {"error": {}}),
    *({"id": 1, "message": None}, [{"error": None}], {"": ""}, "\x00", 1.5, "9" * 70),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["orders", "error", "data", "conid", "id", "message", "status", "contracts", "snapshot"])
            | st.text(max_size=6),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def varied(value: Any, chance: Random) -> Any:
    """A copy of a JSON value with some of its parts exchanged, taken away or doubled."""
    roll = chance.random()
    if roll < 0.04:
        return chance.choice(ODD)
    if isinstance(value, dict):
        kept = {key: varied(item, chance) for key, item in value.items() if chance.random() > 0.05}
        return kept | {chance.choice(["error", "conid", "id", "orderId"]): chance.choice(ODD)} if roll > 0.97 else kept
    if isinstance(value, list):
        items = [varied(item, chance) for item in value if chance.random() > 0.05]
        return [*items, chance.choice(ODD)] if roll > 0.97 else items
    return str(value) if roll > 0.95 else value


def cut(body: bytes, chance: Random) -> bytes:
    """A copy of a body with some of its bytes exchanged, cut off or said again."""
    raw = bytearray(body)
    for _ in range(chance.randrange(4)):
        if not raw:
            break
        at = chance.randrange(len(raw))
        match chance.randrange(4):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randrange(1, 9)]
            case 2:
                raw[at:at] = bytes(chance.choice(b'{}[]",:0-\\') for _ in range(chance.randrange(1, 4)))
            case _:
                del raw[at:]
    return bytes(raw)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32 - 1), raw=st.binary(max_size=60), value=JSON)
def test_whatever_comes_a_decoder_gives_a_fact_or_unreadable(name: str, seed: int, raw: bytes, value: Any) -> None:
    decode, chance = DECODERS[name], Random(seed)
    bodies = [raw, msgspec.json.encode(value), msgspec.json.encode(varied(value, chance))]
    while len(bodies) < BATCH:
        body = chance.choice(FITTING[name] if chance.random() < 0.8 else BODIES)
        bodies.append(
            cut(body, chance)
            if chance.random() < 0.4
            else msgspec.json.encode(varied(msgspec.json.decode(body), chance))
        )
    for body in bodies:
        try:
            repr(decode(body))
        except Exception:
            note(repr(body))
            raise


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.__module__.startswith("engine.")])
def test_every_declared_field_is_found_on_the_wire(kind: type[Fact]) -> None:
    got = reading.fact(kind, sample_of(kind))
    assert isinstance(got, kind)
    unread = {name for name in kind.__struct_fields__ if getattr(got, name) in (None, "", (), {}, frozenset())}
    assert unread <= {"carried"}


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_reads_some_sample(name: str) -> None:
    assert FITTING[name]


HARD = {
    "nothing": b"",
    "blank": b"  \n",
    "deep lists": b"[" * 200_000,
    "closed deep lists": b"[" * 900 + b"]" * 900,
    "deep objects": b'{"a":' * 100_000,
    "deep orders": b'{"orders":' + b"[" * 900 + b"]" * 900 + b"}",
    "a digit a megabyte": b"1" * 1_000_000,
    "a field of digits": b'[{"conid":' + b"9" * 100_000 + b"}]",
    "a text of digits": b'[{"conid":"' + b"9" * 100_000 + b'"}]',
    "a huge exponent": b'{"balance":1e999999999,"session":1e-999999999}',
    "a page": b"<!doctype html><html>login</html>",
    "another coding": "{'a'}".encode("utf-16"),
    "a mark before it": b"\xef\xbb\xbf{}",
    "half a surrogate": b'{"error":"\\ud800"}',
    "not a number": b'{"orders":NaN}',
    "a name of names": b'{"' + b"x" * 1_000_000 + b'":1}',
    "a name twice": b'{"error":null,"error":"x"}',
}


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("body", HARD.values(), ids=HARD)
def test_nothing_huge_or_deep_breaks_a_decoder(name: str, body: bytes) -> None:
    repr(DECODERS[name](body))


def test_a_body_beyond_the_limit_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_BODY", 10)
    got = reading.parse(b'"' + b"x" * 20 + b'"')
    assert isinstance(got, Unreadable)
    assert got.reason == "the answer is too long"


def test_an_excerpt_is_short() -> None:
    got = reading.parse(b"{" + b"x" * 5_000)
    assert isinstance(got, Unreadable)
    assert len(got.excerpt) <= 200


def test_numbers_are_kept_as_they_were_printed() -> None:
    assert str(reading.parse(b"165.10")) == "165.10"
    assert str(reading.parse(b"0.1000000000000000055511151231257827")) == "0.1000000000000000055511151231257827"


def test_a_session_id_is_in_no_repr() -> None:
    secret = "5f3a" * 8
    body = msgspec.json.encode({"session": secret, "iserver": {"authStatus": {"authenticated": True}}})
    assert secret in body.decode()
    assert secret not in repr(DECODERS["session.tickle"](body))
    assert secret not in repr(DECODERS["session.tickle"](body[:-3]))
    assert secret not in repr(DECODERS["session.auth_status"](msgspec.json.encode({"session": secret})))


def test_a_row_that_cannot_be_read_is_told_and_the_others_stay() -> None:
    page: Any = DECODERS["orders.live_orders"](
        msgspec.json.encode({"orders": [ORDER, {"ticker": "IBM"}], "snapshot": True})
    )
    assert [row.order_id for row in page.rows] == [1370093239]
    assert len(page.unreadable) == 1
    assert page.snapshot is True


def test_a_position_without_its_conid_makes_the_whole_list_unreadable() -> None:
    good = {"conid": 1, "position": 5}
    assert isinstance(DECODERS["portfolio.positions"](msgspec.json.encode([good, {"position": 1}])), Unreadable)


@pytest.mark.parametrize(
    "name",
    [
        *("portfolio.ledger", "portfolio.summary", "portfolio.positions", "portfolio.all_periods", "portfolio.combos"),
        *("portfolio.position_by_account", "portfolio.accounts", "portfolio.subaccounts_page", "portfolio.allocation"),
        *("accounts.summary", "accounts.page", "accounts.pnl", "accounts.accounts", "accounts.matched"),
        *("orders.live_orders", "orders.executions", "orders.what_if", "orders.order_status", "contracts.stocks"),
        *("contracts.futures", "contracts.definitions", "contracts.algos", "contracts.strikes", "contracts.rules"),
        *("people.watchlists", "people.alerts", "people.groups", "market.snapshot", "market.history"),
    ],
)
@pytest.mark.parametrize("body", [b'{"unheard":"of"}', b'"text"', b"7", b'{"unheard":{"of":{"anything":1}}}'])
def test_an_answer_about_something_else_is_no_empty_one(name: str, body: bytes) -> None:
    got = DECODERS[name](body)
    assert isinstance(got, Unreadable), got


def test_a_delta_carries_only_what_it_names() -> None:
    row: Any = order_row({"orderId": "1370093239", "status": "Filled", "price": "", "filledQuantity": None})
    assert row.order_id == 1370093239
    assert row.carried == {"order_id", "status", "price"}  # a null quantity is no news, an empty price is


def test_a_snapshot_row_is_read_with_its_marks_and_suffixes() -> None:
    row: Any = snapshot_row(ROW)
    assert row.numbers == {"31": 168.42, "84": 168.41, "88": 1300.0, "87": 25_500_100.0, "83": 0.54}
    assert row.marks == {"31": "C"}
    assert row.fields["86"] == ""
    assert (row.availability, row.updated_ns, row.volume) == ("RpB", 1712596911593 * 1_000_000, 25_500_100.0)
    assert not row.cold
    assert not row.halted


@pytest.mark.parametrize("topic", ["smd+265598", "smd+265598@NASDAQ"])
def test_a_frame_without_conid_is_named_by_its_topic(topic: str) -> None:
    row: Any = snapshot_row({"topic": topic, "31": "H5"})
    assert (row.conid, row.halted) == (265598, True)


def test_a_preflight_answer_is_cold() -> None:
    row: Any = snapshot_row({"conid": 1, "conidEx": "1", "6119": "q1", "6509": "RpB", "server_id": "q1"})
    assert row.cold
