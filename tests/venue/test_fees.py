"""Fee schedules: IBKR's own examples, tiers, caps, regulatory lines, and files that say what they may not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.facts import LegExecution
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.sessions import Sessions
from engine.errors import ConfigError
from engine.settings import VenueSettings
from engine.venue import FeeSchedule, SimVenue
from engine.venue.book import Book
from engine.venue.fees import FeeLedger, Section, Table, Tier
from engine.venue.floor import Floor
from engine.venue.rules import fill_rule
from engine.venue.schedules import SHIPPED, load_fees, parse
from engine.venue.working import LIMIT, WorkingOrder
from tests.venue.driving import ticket

DAY = 86_400_000_000_000
JAN_2026 = 1_767_225_600_000_000_000  # 2026-01-01T00:00Z
Lines = dict[str, Decimal]


def instrument(
    kind: SecType = SecType.STOCK, symbol: str = "X", currency: str = "USD", multiplier: int = 1
) -> Instrument:
    return Instrument(conid=1, symbol=symbol, sec_type=kind, currency=currency, multiplier=Decimal(multiplier))


class Till:
    """Charges executions one after another."""

    def __init__(self, schedule: FeeSchedule | str, *traded: Instrument) -> None:
        self.traded = traded or (instrument(),)
        fees = load_fees(schedule) if isinstance(schedule, str) else schedule
        self.ledger = FeeLedger(fees, {one.conid: one for one in self.traded})
        floor = Floor(fill_rule("conservative"), VenueSettings(), None, None, 0)
        self.book = Book(floor, self.traded[-1], Sessions.round_the_clock())

    def order(self, side: str = "BUY") -> WorkingOrder:
        return WorkingOrder(ticket("a", side, 1, "1.00"), self.book, 1, LIMIT, side == "BUY", Decimal(1), 1.0)

    def charge(self, order: WorkingOrder, quantity: str, price: str, ts_ns: int = JAN_2026) -> Lines:
        lines = self.ledger.charge(order, Decimal(quantity), Decimal(price), (), ts_ns)
        return {name: amount for name, amount, _ in lines}


@pytest.mark.parametrize(
    ("quantity", "price", "commission"),
    [
        ("100", "25", "1.00"),  # IBKR's three examples
        ("1000", "25", "5.00"),
        ("1000", "0.25", "2.50"),
        ("10", "5", "0.50"),  # 1 % of 50 lies below the minimum, and rules
        ("0.5", "100", "0.01"),  # fraction of a share
        ("1", "100", "1.00"),
    ],
)
def test_fixed_stock_commission(quantity: str, price: str, commission: str) -> None:
    till = Till("ibkr-us-fixed-2026")
    assert till.charge(till.order(), quantity, price)["commission"] == Decimal(commission)


def test_fixed_stock_regulatory_lines() -> None:
    till = Till("ibkr-us-fixed-2026")
    assert till.charge(till.order(), "1000", "25") == {"commission": Decimal(5), "cat": Decimal("0.072")}
    assert till.charge(till.order("SELL"), "1000", "25") == {
        "commission": Decimal(5),
        "sec": Decimal("0.695"),  # 25,000 x 0.0000278
        "taf": Decimal("0.166"),
        "cat": Decimal("0.072"),
    }
    assert till.charge(till.order("SELL"), "100000", "25")["taf"] == Decimal("8.30")


def test_partial_fills_of_one_order_pay_what_the_whole_pays() -> None:
    till = Till("ibkr-us-fixed-2026")
    order = till.order()
    found = [till.charge(order, "50", "25").get("commission", Decimal(0)) for _ in range(5)]
    assert found == [Decimal(1), 0, 0, 0, Decimal("0.25")]  # 250 x 0.005 = 1.25
    order = till.order()
    capped = [till.charge(order, "10", "5").get("commission") for _ in range(3)]
    assert capped == [Decimal("0.50"), Decimal("0.50"), None]  # 1 % of 50, of 100; then the minimum of 1.00 rules


def test_rounding_does_not_pile_up() -> None:
    till = Till("ibkr-us-fixed-2026")
    order = till.order()
    cat = sum((till.charge(order, "1", "25").get("cat", Decimal(0)) for _ in range(1000)), Decimal(0))
    assert cat == Decimal("0.072")  # 1,000 x 0.000072, each below half of 0.0001


def test_tiered_stock_by_the_month() -> None:
    till = Till("ibkr-us-tiered-2026")
    assert till.charge(till.order(), "50", "25")["commission"] == Decimal("0.35")
    # 299,950 more at 0.0035, the next 50 at 0.0020.
    assert till.charge(till.order(), "300000", "25")["commission"] == Decimal("1049.825") + Decimal("0.1")
    assert till.charge(till.order(), "1000", "25")["commission"] == Decimal(2)
    assert till.charge(till.order(), "1000", "25", JAN_2026 + 31 * DAY)["commission"] == Decimal("3.5")  # February


def test_tiered_stock_passes_on() -> None:
    till = Till("ibkr-us-tiered-2026")
    assert till.charge(till.order(), "10000", "25") == {
        "commission": Decimal(35),
        "clearing": Decimal(2),
        "nyse_pass_through": Decimal("0.0061"),  # 35 x 0.000175 = 0.006125
        "finra_pass_through": Decimal("0.0197"),  # 35 x 0.000563 = 0.019705
        "cat": Decimal("0.72"),
    }
    assert till.charge(till.order(), "10000", "0.01")["clearing"] == Decimal("0.5")  # at most half a percent of 100


@pytest.mark.parametrize(
    ("name", "traded", "quantity", "price", "commission"),
    [
        ("fixed", instrument(SecType.OPTION, multiplier=100), "10", "0.10", "6.50"),
        ("fixed", instrument(SecType.OPTION, multiplier=100), "10", "0.09", "5.00"),
        ("fixed", instrument(SecType.OPTION, multiplier=100), "10", "0.04", "2.50"),
        ("fixed", instrument(SecType.OPTION, multiplier=100), "1", "1.00", "1.00"),
        ("fixed", instrument(SecType.FUTURE, "ES", multiplier=50), "3", "5000", "2.55"),
        ("fixed", instrument(SecType.FUTURE, "MES", multiplier=5), "3", "5000", "0.75"),
        ("fixed", instrument(SecType.FUTURE, "E7"), "2", "1.1", "1.00"),
        ("fixed", instrument(SecType.FUTURE, "M6E"), "2", "1.1", "0.30"),
        ("fixed", instrument(SecType.FUTURE_OPTION), "2", "10", "1.70"),
        ("tiered", instrument(SecType.FUTURE, "ES"), "1500", "5000", "1175.00"),  # 850 + 500 x 0.65
        ("tiered", instrument(SecType.FUTURE, "MES"), "1500", "5000", "350.00"),  # 250 + 500 x 0.20
        ("fixed", instrument(SecType.CASH, "EUR.USD"), "100000", "1.1", "2.20"),
        ("fixed", instrument(SecType.CASH, "EUR.USD"), "10000", "1.1", "2.00"),
        ("fixed", instrument(SecType.CASH, "USD.JPY", "JPY"), "200000", "150", "4.00"),  # of 200,000 dollars
        ("fixed", instrument(SecType.CRYPTO, "BTC"), "1", "50000", "90.00"),
        ("fixed", instrument(SecType.CRYPTO, "BTC"), "0.001", "50000", "0.50"),  # 1 % rules
        ("fixed", instrument(SecType.CRYPTO, "BTC"), "0.01", "50000", "1.75"),
        ("fixed", instrument(currency="CAD"), "50", "30", "1.00"),
        ("tiered", instrument(currency="CAD"), "1000", "30", "8.00"),
    ],
)
def test_other_products(name: str, traded: Instrument, quantity: str, price: str, commission: str) -> None:
    till = Till(f"ibkr-us-{name}-2026", traded)
    assert till.charge(till.order(), quantity, price)["commission"] == Decimal(commission)


def test_option_lines() -> None:
    till = Till("ibkr-us-fixed-2026", instrument(SecType.OPTION, multiplier=100))
    assert till.charge(till.order("SELL"), "10", "2.00") == {
        "commission": Decimal("6.50"),
        "orf": Decimal("0.2685"),
        "occ": Decimal("0.20"),
        "taf": Decimal("0.0279"),
        "cat": Decimal("0.048"),
        "sec": Decimal("0.0556"),  # of 2,000
    }


def test_fx_tier_with_its_own_minimum() -> None:
    till = Till("ibkr-us-fixed-2026", instrument(SecType.CASH, "EUR.USD"))
    till.charge(till.order(), "1000000000", "1")
    assert till.charge(till.order(), "1000", "1")["commission"] == Decimal("1.50")


def test_a_lower_tier_minimum_gives_nothing_back() -> None:
    section = Section(currency="USD", tiers=(Tier(upto=Decimal(5), minimum=Decimal(2)), Tier(minimum=Decimal(1))))
    till = Till(
        FeeSchedule(name="f", tables=(Table(valid_from=date(2020, 1, 1), sections={SecType.STOCK: (section,)}),))
    )
    order = till.order()
    assert till.charge(order, "5", "1") == {"commission": Decimal(2)}
    assert till.charge(order, "5", "1") == {}


def test_combo_is_charged_by_its_legs() -> None:
    stock, option = instrument(), Instrument(conid=2, symbol="O", sec_type=SecType.OPTION, multiplier=Decimal(100))
    combo = Instrument(conid=3, symbol="C", sec_type=SecType.COMBO, legs=(Leg(1, 100), Leg(2, -1)))
    till = Till("ibkr-us-fixed-2026", stock, option, combo)
    legs = (LegExecution(1, Decimal(200), Decimal(25)), LegExecution(2, Decimal(-2), Decimal(1)))
    lines = till.ledger.charge(till.order(), Decimal(2), Decimal(2400), legs, JAN_2026)
    assert [(name, str(amount)) for name, amount, _ in lines if name in ("commission", "sec")] == [
        ("commission", "1.0000"),
        ("commission", "1.3000"),
        ("sec", "0.0056"),  # the sold leg alone: 200 x 0.0000278
    ]


def test_tables_follow_the_day() -> None:
    def table(day: date, rate: str) -> Table:
        return Table(
            valid_from=day,
            sections={SecType.STOCK: (Section(currency="USD", tiers=(Tier(rate=Decimal(rate)),)),)},
        )

    till = Till(FeeSchedule(name="f", tables=(table(date(2026, 1, 1), "1"), table(date(2026, 1, 3), "2"))))
    for day, rate in ((date(2020, 5, 5), 1), (date(2026, 1, 2), 1), (date(2026, 1, 3), 2), (date(2027, 1, 1), 2)):
        ts_ns = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000
        assert till.charge(till.order(), "1", "1", ts_ns)["commission"] == rate


def test_an_instrument_that_the_schedule_does_not_know() -> None:
    with pytest.raises(ConfigError, match="has nothing for X"):
        SimVenue(
            instruments={1: instrument(currency="EUR")},
            settings=VenueSettings(),
            sessions={"XNYS": Sessions.round_the_clock()},
            fees=load_fees("ibkr-us-fixed-2026"),
            seed=0,
        )


# Files


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_schedules_name_their_source(name: str) -> None:
    schedule = load_fees(name)
    assert schedule.name == name
    assert "interactivebrokers" in schedule.source
    assert schedule.tables[0].valid_from == date(2026, 1, 1)


def test_no_fees() -> None:
    assert load_fees("none").tables == ()


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_fees(str(path)).tables[0].sections[SecType.STOCK][0].tiers == (Tier(rate=Decimal("0.1")),)


GOOD = """
name = "mine"
source = "me"
[[table]]
valid_from = 2026-01-01
[[table.STK]]
currency = "USD"
symbols = ["X"]
of_value = false
tiers = [{ rate = 0.1 }]
extras = [{ name = "rebate", per_unit = -0.1, sells_only = true }]
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "mine"', "name = ", "f: this is no TOML"),
        ('name = "mine"', "name = 3", "f: name must be a text, not 3"),
        ("[[table]]", "[[tabel]]", "f: unknown key 'tabel'; did you mean table?"),
        ("2026-01-01", "3", "f: table 1: valid_from must be a date, not 3"),
        ("[[table.STK]]", "[[table.STOCK]]", "f: table 1: unknown key 'STOCK'"),
        ("[[table.STK]]", "[table.STK]", "f: table 1: STK must be a list of tables"),
        ('currency = "USD"', "", "f: table 1: STK: currency is missing"),
        ("rate = 0.1", "rate = true", "f: table 1: STK: tiers: rate must be a number, not True"),
        ("rate = 0.1", "rate = -1", "f: table 1: STK: tiers: rate must be a number not below zero, not -1"),
        ("rate = 0.1", "upto = 5, rate = 0.1", "f: table 1: STK: tiers go up, and the last one has no upto"),
        ("rate = 0.1", "upto = 5", "f: table 1: STK: tiers: a tier needs a rate or by_premium"),
        (
            "rate = 0.1",
            "by_premium = [{from = 1, rate = 1}, {from = 0, rate = 1}]",
            "f: table 1: STK: tiers: by_premium goes from the lowest premium up",
        ),
        ('symbols = ["X"]', "symbols = 3", "f: table 1: STK: symbols must be a list of texts"),
        ("of_value = false", "of_value = 0", "f: table 1: STK: of_value must be true or false, not 0"),
    ],
)
def test_a_file_that_says_what_it_may_not(old: str, new: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace(old, new), place="f")
    assert str(caught.value).startswith(sentence)


def test_tables_in_order_and_at_least_one() -> None:
    with pytest.raises(ConfigError, match="oldest"):
        parse(GOOD + "[[table]]\nvalid_from = 2025-01-01\n", place="f")
    with pytest.raises(ConfigError, match="at least one"):
        parse('name = "a"\nsource = "b"\n', place="f")


def test_a_schedule_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean ibkr-us-fixed-2026"):
        load_fees("ibkr-us-fixed")
    with pytest.raises(ConfigError, match="there are ibkr-us-fixed-2026"):
        load_fees("zzz")
    with pytest.raises(ConfigError, match="can't be read"):
        load_fees(str(tmp_path / "no.toml"))
