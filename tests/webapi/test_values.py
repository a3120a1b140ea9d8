"""Readers of single values: the forms of the Web API, and that nothing whatever makes them raise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.webapi import values
from engine.webapi.values import Money, Quoted

D = Decimal
READERS = (
    *(values.decimal, values.number, values.integer, values.identifier, values.text, values.flag, values.quoted),
    *(values.money, values.ms_ns, values.s_ns, values.epoch_ns, values.stamp_ns, values.day),
)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("1,300", D(1300)),
        ("1,234.56", D("1234.56")),
        (12, D(12)),
        (D("165.10"), D("165.10")),
        ("-3.5", D("-3.5")),
        ("2.1E8", D("2.1E8")),
        (" 7 ", D(7)),
        (0, D(0)),
        ("", None),
        ("-", None),
        ("N/A", None),
        ("n/a", None),
        (None, None),
        (True, None),
        ("25.5M", None),  # money has no suffixes: a display text must not become an amount
        ("0x10", None),
        ("1e999999", None),
        ("9" * 65, None),
        (2**63, None),
        ("Infinity", None),
        ("NaN", None),
        ("\u0661", None),  # a digit, but not one of ours
        ([1], None),
    ],
)
def test_decimal_reads_what_is_a_number_and_nothing_else(given: object, read: Decimal | None) -> None:
    assert values.decimal(given) == read


def test_a_printed_price_stays_exact() -> None:
    assert str(values.decimal("165.10")) == "165.10"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("25.5M", 25_500_000.0),
        ("1.2K", 1_200.0),
        ("1.1B", 1_100_000_000.0),
        ("3T", 3e12),
        ("0.54%", 0.54),
        ("2.1E8", 210_000_000.0),
        (D("0.56"), 0.56),
        ("1,300", 1300.0),
        ("M", None),
        ("", None),
        ("1e400", None),
        (D("1e400"), None),
    ],
)
def test_number_reads_suffixes_and_percents(given: object, read: float | None) -> None:
    assert values.number(given) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("C168.42", Quoted(168.42, "C")),
        ("H168.42", Quoted(168.42, "H")),
        ("168.42", Quoted(168.42)),
        ("C", Quoted(None)),
        ("CALL", Quoted(None)),
        ("C-1.5", Quoted(-1.5, "C")),
        ("", Quoted(None)),
        (D(5), Quoted(5.0)),
    ],
)
def test_a_mark_before_a_price_is_kept_apart(given: object, read: Quoted) -> None:
    assert values.quoted(given) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("1,977.60 USD (10 Shares)", Money(D("1977.60"), "USD")),
        ("825,208 USD", Money(D(825208), "USD")),
        ("-1", Money(D(-1))),
        ("1 USD ... 3 USD", None),
        ("-", None),
        ("", None),
        (5, Money(D(5))),
        (None, None),
    ],
)
def test_money_reads_one_printed_amount(given: object, read: Money | None) -> None:
    assert values.money(given) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [("12", 12), (12, 12), (D("12.0"), 12), ("1,234", 1234), ("12.5", None), (True, None), ("", None), (2**63, None)],
)
def test_integer_reads_whole_numbers(given: object, read: int | None) -> None:
    assert values.integer(given) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        *((True, True), ("true", True), (1, True), ("1", True), ("Y", True), (0, False), ("0", False), ("no", False)),
        *((2, None), ("", None), (None, None), ([], None)),
    ],
)
def test_flag_reads_every_spelling(given: object, read: bool | None) -> None:
    assert values.flag(given) is read


# 2023-12-11 18:00:49 UTC is 1702317649 seconds after 1970: 19702 days and 64849 seconds.
MOMENT = (19702 * 86_400 + 64_849) * 1_000_000_000


@pytest.mark.parametrize(
    "printed",
    ["231211180049", "20231211-18:00:49", "20231211180049", "2023-12-11 18:00:49", "2023-12-11T18:00:49", 231211180049],
)
def test_every_printed_time_is_the_same_moment(printed: object) -> None:
    assert values.stamp_ns(printed) == MOMENT


def test_times_by_magnitude() -> None:
    assert values.epoch_ns(1702317649) == values.epoch_ns("1702317649.0") == MOMENT
    assert values.epoch_ns(1702317649000) == values.ms_ns("1702317649000") == MOMENT
    assert values.ms_ns(0) is None
    assert values.stamp_ns("20231311-18:00:49") is None
    assert values.stamp_ns("20231211") is None
    assert values.stamp_ns("20231211-18:00") == MOMENT - 49_000_000_000


@pytest.mark.parametrize(
    ("given", "read"),
    [(20251219, "20251219"), ("2025-12-19", "20251219"), ("20250231", None), ("DEC25", None), (None, None)],
)
def test_day(given: object, read: str | None) -> None:
    assert values.day(given) == read


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80) | st.decimals() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@given(value=ANYTHING)
def test_no_value_makes_a_reader_raise(reader: Any, value: object) -> None:
    reader(value)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@given(word=st.from_regex(r"[CH+-]?[0-9.,]{0,12}[eE]?[-+]?[0-9]{0,9} ?[KMBT%]?( USD)?", fullmatch=True))
def test_nothing_like_a_number_makes_a_reader_raise(reader: Any, word: str) -> None:
    reader(word)


@given(exact=st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_number_and_its_text_are_read_alike(exact: Decimal) -> None:
    assert values.decimal(str(exact)) == values.decimal(exact) == exact
    assert values.decimal(f"{exact:,}") == exact
    assert values.number(str(exact)) == float(exact)
