"""What is answered to the venue's questions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.brokerage import Question
from engine.errors import ConfigError
from engine.orders.questions import CONDITIONS, KNOWN
from engine.orders.replies import Stance, read_policy, uncovered

PRICE = "The following order exceeds the price percentage limit: 3%"
NO_DATA = "You are submitting an order without market data."


def question(*pairs: tuple[str, str]) -> Question:
    return Question(reply_id="r", message_ids=tuple(i for i, _ in pairs if i), texts=tuple(text for _, text in pairs))


def test_a_condition_confirms_only_where_it_holds() -> None:
    policy = read_policy({})
    asked = question(("o163", PRICE))
    assert policy.rule_on(asked, {"collar": True}).stance is Stance.CONFIRM
    assert policy.rule_on(asked, {"collar": False}).stance is Stance.DECLINE
    assert policy.rule_on(asked, {}).stance is Stance.DECLINE  # not known is no


def test_every_message_must_be_confirmed() -> None:
    policy = read_policy({"o354": "confirm"})
    both = question(("o163", PRICE), ("o354", NO_DATA))
    assert policy.rule_on(both, {"collar": True}).stance is Stance.CONFIRM
    assert policy.rule_on(both, {"collar": False}).stance is Stance.DECLINE


def test_a_decline_outweighs_a_person() -> None:
    policy = read_policy({"o354": "ask", "o383": "decline"})
    assert policy.rule_on(question(("o354", NO_DATA)), {}).stance is Stance.ASK
    assert policy.rule_on(question(("o354", NO_DATA), ("o383", "order size")), {}).stance is Stance.DECLINE


@pytest.mark.parametrize(
    "asked",
    [
        question(),
        question(("", "an unnumbered question")),
        question(("o9999", "a new question")),
        question(("o163", "Your order will be sold to the highest bidder")),  # the id of another text
        Question(reply_id="r", message_ids=("o163",), texts=()),  # an id without its text
    ],
    ids=["empty", "no id", "unknown id", "rotated text", "no text"],
)
def test_what_is_not_known_is_declined_and_told(asked: Question) -> None:
    ruling = read_policy({}).rule_on(asked, dict.fromkeys(CONDITIONS, True))
    assert ruling.stance is Stance.DECLINE
    assert ruling.unexpected


def test_a_text_of_ones_own_replaces_the_known_one() -> None:
    policy = read_policy({"o163": {"rule": "confirm", "text": "house rule"}})
    assert policy.rule_on(question(("o163", "a House Rule of yours")), {}).stance is Stance.CONFIRM
    assert policy.rule_on(question(("o163", PRICE)), {}).stance is Stance.DECLINE


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"o163": "confrim"}, "replies.o163"),
        ({"o163": "confirm-if weather"}, "replies.o163"),
        ({"o163": 3}, "replies.o163"),
        ({"o163": {"rule": "confirm", "text": "("}}, "replies.o163"),
        ({"o163": {"rule": "confirm", "txt": "x"}}, "replies.o163"),
        ({"163": "confirm"}, "replies.163"),
        ({"default": "confirm"}, "replies.default"),
        ({"ask_s": 0}, "replies.ask_s"),
        ({"ask_s": True}, "replies.ask_s"),
        ({"rounds_max": 0}, "replies.rounds_max"),
        ({"rounds_max": 2.5}, "replies.rounds_max"),
    ],
)
def test_a_bad_rule_names_its_key(table: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_policy(table)
    assert error.value.place == key


@given(
    ids=st.lists(st.sampled_from([*KNOWN, "", "o1", "p99"]), max_size=4),
    texts=st.lists(st.text(max_size=40), max_size=4),
    held=st.sets(st.sampled_from(list(CONDITIONS))),
)
def test_nothing_is_confirmed_without_a_rule_for_each_message(ids: list[str], texts: list[str], held: set[str]) -> None:
    ruling = read_policy({}).rule_on(
        Question(reply_id="r", message_ids=tuple(ids), texts=tuple(texts)), dict.fromkeys(held, True)
    )
    if ruling.stance is Stance.CONFIRM:
        assert len(ids) == len(texts) > 0
        assert all(KNOWN[i].fits(text) for i, text in zip(ids, texts, strict=True))
        assert all(KNOWN[i].default.removeprefix("confirm-if ") in held for i in ids)


def test_every_built_in_condition_exists() -> None:
    for known in KNOWN.values():
        assert known.covered_by is None or known.covered_by in CONDITIONS
        assert known.default == "decline" or known.default.removeprefix("confirm-if ") in CONDITIONS


def test_suppressing_what_nothing_covers_is_warned_about() -> None:
    assert uncovered(("o163", "o451")) == []
    unknown, bond = uncovered(("o77", "o10082"))
    assert "o77" in unknown
    assert "called bond" in bond
