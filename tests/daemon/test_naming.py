"""What a conid is at the venue against what the configuration calls it."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from engine.daemon import naming
from engine.daemon.naming import check_names, disagreements
from engine.domain.instrument import Instrument, Leg, SecType
from engine.errors import VenueError, VenueRefused
from engine.runtime.live.letters import InstrumentNow
from engine.webapi.facts.contracts import SecurityDefinition

IBM = Instrument(conid=8314, symbol="IBM")
BRK = Instrument(conid=72063691, symbol="BRK.B")
FUTURE = Instrument(conid=5, symbol="ESZ6", sec_type=SecType.FUTURE, multiplier=Decimal(50))


def row(conid: int = 8314, **told: Any) -> SecurityDefinition:
    return SecurityDefinition(
        conid=conid, **{"ticker": "IBM", "asset_class": "STK", "currency": "USD", "multiplier": Decimal(0), **told}
    )


@pytest.mark.parametrize(
    ("instrument", "told"),
    [
        (IBM, row()),
        (IBM, row(ticker="", asset_class="", currency="")),  # what it leaves open agrees
        (BRK, row(72063691, ticker="BRK B")),
        (FUTURE, row(5, ticker="ES", asset_class="FUT", multiplier=Decimal("50.0"))),  # its symbol is ours to choose
        (FUTURE, row(5, ticker="ES", asset_class="FUT", multiplier=None)),
    ],
)
def test_what_agrees_is_traded(instrument: Instrument, told: SecurityDefinition) -> None:
    assert disagreements({instrument.conid: instrument}, [told]) == {}


@pytest.mark.parametrize(
    ("instrument", "told", "words"),
    [
        (IBM, row(ticker="INTC"), "the symbol INTC, not IBM"),
        (IBM, row(currency="EUR"), "the currency EUR, not USD"),
        (IBM, row(asset_class="OPT", currency="EUR"), "the kind OPT, not STK and the currency EUR, not USD"),
        (FUTURE, row(5, asset_class="FUT", multiplier=Decimal(5)), "the multiplier 5, not 50"),
        (BRK, row(), "the venue knows no instrument with the conid 72063691, here BRK.B"),
    ],
)
def test_what_does_not_is_told_in_a_sentence(instrument: Instrument, told: SecurityDefinition, words: str) -> None:
    found = disagreements({instrument.conid: instrument}, [told])
    assert list(found) == [instrument.conid]
    assert words in found[instrument.conid]


def test_an_answer_without_a_row_says_nothing() -> None:
    assert disagreements({8314: IBM}, []) == {}


class Asked:
    """A venue that is asked what conids are."""

    def __init__(self, answer: list[SecurityDefinition] | VenueError | None) -> None:
        self.answer = answer
        self.conids: tuple[int, ...] = ()
        self.told: list[InstrumentNow] = []
        self.alerts: list[tuple[str, str]] = []
        combo = Instrument(conid=-9, symbol="PAIR", sec_type=SecType.COMBO, legs=(Leg(8314, 1), Leg(72063691, -1)))
        self.daemon: Any = SimpleNamespace(
            settings=SimpleNamespace(by_conid={one.conid: one for one in (IBM, BRK, combo)}),
            link=SimpleNamespace(scheduler=self),
            misnamed={},
            clock=SimpleNamespace(now_ns=lambda: 7),
            people=SimpleNamespace(alert=lambda alert, _: self.alerts.append((alert.code, alert.sentence))),
            nursery=SimpleNamespace(tell_risk=self.told.append),
        )

    async def definitions(self, conids: tuple[int, ...]) -> list[SecurityDefinition]:
        self.conids = conids
        if isinstance(self.answer, VenueError):
            raise self.answer
        if self.answer is None:
            await trio.sleep_forever()
        assert self.answer is not None
        return self.answer


@pytest.fixture(autouse=True)
def contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "Contracts", lambda asked: asked)


async def test_an_instrument_that_is_another_is_halted_and_people_are_told() -> None:
    asked = Asked([row(ticker="INTC"), row(72063691, ticker="BRK B")])
    await check_names(asked.daemon)
    assert asked.conids == (8314, 72063691)  # a combo's conid is our own
    sentence = "the conid 8314 (IBM) has at the venue the symbol INTC, not IBM"
    assert asked.told == [InstrumentNow(8314, True, sentence)]
    assert asked.alerts == [("INSTRUMENT", sentence)]
    assert asked.daemon.misnamed == {8314: sentence}


@pytest.mark.parametrize("answer", [VenueRefused("GET /trsrv/secdef", "no", status=500), None])
async def test_a_venue_that_does_not_say_holds_up_no_start(
    answer: VenueError | None, autojump_clock: trio.testing.MockClock
) -> None:
    asked = Asked(answer)
    await check_names(asked.daemon)
    assert trio.current_time() <= naming.LIMIT_S
    assert asked.told == []
    assert asked.daemon.misnamed == {}
