"""Security definitions as tables of a configuration: names, ticks, calendars, and what a venue's texts can't break."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.instruments import found, month_of, quoted, wrapped
from engine.domain.instrument import Instrument, PriceTick, SecType
from engine.recording.head import instrument_from
from engine.webapi.codecs import contracts
from engine.webapi.facts.contracts import SecurityDefinition


def definition(**told: Any) -> SecurityDefinition:
    row = {"conid": 1, "ticker": "X", "assetClass": "STK", "currency": "USD", "listingExchange": "NYSE"} | told
    (read,) = contracts.definitions(msgspec.json.encode({"secdef": [row]}))  # type: ignore[misc]
    return read


def pasted(row: SecurityDefinition, about: str = "") -> Instrument:
    (table,) = tomllib.loads(found(row, about=about).table(), parse_float=Decimal)["instrument"]
    return instrument_from(table, place="pasted")


def test_an_option_in_hong_kong() -> None:
    row = definition(
        conid=7, ticker="700", assetClass="OPT", currency="HKD", listingExchange="SEHK", expiry="20260330",
        putOrCall="P", strike="500", multiplier=100.0,
        incrementRules=[{"lowerEdge": 5.0, "increment": 0.05}, {"lowerEdge": 0.0, "increment": 0.01}],
    )  # fmt: skip
    assert pasted(row) == Instrument(
        conid=7,
        symbol="700-20260330-P500",
        sec_type=SecType.OPTION,
        currency="HKD",
        multiplier=Decimal(100),
        price_ticks=(PriceTick(Decimal(0), Decimal("0.01")), PriceTick(Decimal(5), Decimal("0.05"))),
        calendar="XHKG",
    )


@pytest.mark.parametrize(
    ("exchange", "calendar", "hours"),
    [("NASDAQ", "XNYS", (330, 240)), ("LSE", "XLON", (0, 0)), ("IBIS", "XETR", (0, 0)), ("MEXI", "?", (0, 0))],
)
def test_a_share_trades_by_the_calendar_of_its_listing(exchange: str, calendar: str, hours: tuple[int, int]) -> None:
    """One that is not known is no calendar, so that the daemon refuses it rather than trade by a wrong one."""
    made = pasted(definition(listingExchange=exchange))
    assert (made.calendar, made.outside_hours, made.exchange) == (calendar, hours, "SMART")


@given(text=st.text(max_size=40))
def test_no_text_of_the_venue_s_breaks_the_table(text: str) -> None:
    assert tomllib.loads(f"x = {quoted(text)}")["x"] == text
    row = definition(ticker=text, name=text, listingExchange=text)
    assert pasted(row, about=text).symbol == (row.ticker or "1")


def test_long_lists_are_broken() -> None:
    lines = wrapped([str(number) for number in range(100, 160)], "strikes:", 40)
    assert max(map(len, lines)) <= 40
    assert " ".join(lines).split()[1:] == [str(number) for number in range(100, 160)]
    assert month_of("20260320") == "MAR26"
