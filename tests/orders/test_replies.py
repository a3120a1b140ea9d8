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


def test_a_ruling_says_which_rule_and_why() -> None:
    policy = read_policy({"o354": "ask", "o901": "confirm", "o902": " decline "})
    for asked, holds, told in (
        ((("o901", "x"),), {}, (Stance.CONFIRM, "replies.o901", "every message has a rule that confirms", False)),
        (
            (("o901", "x"), ("o163", PRICE)),
            {"collar": True},
            (Stance.CONFIRM, "replies.o901, built in", "every message has a rule that confirms", False),
        ),
        (
            (("o163", PRICE),),
            {},
            (Stance.DECLINE, "built in", f"o163 is confirmed only if {CONDITIONS['collar']}", False),
        ),
        ((("o902", "x"),), {}, (Stance.DECLINE, "replies.o902", "o902 by rule: decline", False)),
        ((("o354", NO_DATA),), {}, (Stance.ASK, "replies.o354", "o354 by rule: ask", False)),
        (
            (("o354", NO_DATA), ("o901", "x"), ("o354", NO_DATA)),
            {},
            (Stance.ASK, "replies.o354", "o354 by rule: ask", False),
        ),
        ((("o77", "x"),), {}, (Stance.DECLINE, "default", "the message id o77 has no rule", True)),
        ((("", "x"),), {}, (Stance.DECLINE, "default", "a message has no id", True)),
        ((), {}, (Stance.DECLINE, "empty", "the question says nothing", True)),
        (
            (("o163", "other words"),),
            {"collar": True},
            (Stance.DECLINE, "built in", "the text of o163 does not read as that question does", True),
        ),
    ):
        ruling = policy.rule_on(question(*asked), holds)
        assert (ruling.stance, ruling.rule, ruling.reason, ruling.unexpected) == told


def test_what_has_no_rule_may_be_put_to_a_person_and_never_confirmed() -> None:
    policy = read_policy({"default": "ask", "o901": "confirm", "o902": "decline"})
    assert policy.rule_on(question(("o77", "x")), {}).stance is Stance.ASK
    assert policy.rule_on(question(("o901", "x"), ("o77", "x")), {}).stance is Stance.ASK
    assert policy.rule_on(question(("o77", "x"), ("o902", "x")), {}).stance is Stance.DECLINE


def test_more_ids_than_texts_and_more_texts_than_ids_are_each_looked_at() -> None:
    policy = read_policy({"o901": "confirm"})
    for ids, texts in ((("o901", "o902"), ("x",)), (("o901",), ("x", "y"))):
        asked = Question(reply_id="r", message_ids=ids, texts=texts)
        assert policy.rule_on(asked, {}).stance is Stance.DECLINE


def test_times_and_bounds_of_the_table() -> None:
    plain = read_policy({})
    assert (plain.ask_s, plain.rounds_max, plain.default) == (5.0, 8, Stance.DECLINE)
    said = read_policy({"ask_s": 600, "rounds_max": 20, "default": "decline"})
    assert (said.ask_s, said.rounds_max, said.default) == (600.0, 20, Stance.DECLINE)
    assert read_policy({"ask_s": 0.5, "rounds_max": 1}).ask_s == 0.5
    bad: tuple[dict[str, object], ...] = (
        {"ask_s": 600.1}, {"ask_s": "5"}, {"rounds_max": 21}, {"rounds_max": True}, {"default": 3},
        {"o163": {"text": "x"}}, {"o163": {"rule": "ask", "text": 3}}, {"o163": {"rule": 3}}, {"o163x": "ask"},
    )  # fmt: skip
    for table in bad:
        with pytest.raises(ConfigError):
            read_policy(table)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("ask_s", 0, "replies.ask_s.*must be a number of seconds above 0, at most 600"),
        ("rounds_max", 21, "replies.rounds_max.*must be a whole number from 1 to 20"),
        ("default", "confirm", 'replies.default.*must be "decline" or "ask": what is unknown is never confirmed'),
        ("163", "confirm", "replies.163.*is no message id .such as o163., nor default, ask_s or rounds_max"),
        ("o163", {"rule": "ask", "text": 7}, "replies.o163.*text must be a pattern"),
        ("o163", {"text": "x"}, "replies.o163.*must be a rule, or a table with rule and text"),
        ("o163", "confirm-if mood", "replies.o163.*'mood' is none of collar, "),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_at_its_key(key: str, value: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_policy({key: value})


def test_a_text_is_known_in_capitals_too() -> None:
    shouted = question(("o163", PRICE.upper()))
    assert read_policy({}).rule_on(shouted, {"collar": True}).stance is Stance.CONFIRM
