"""What the gateway lists: shares by symbol, the ES futures chain, option chains, currency pairs and combos.

Conids of well-known instruments are IBKR's own; any other is a number worked out from what the contract is, so that it
is the same at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from zlib import crc32

from attrs import frozen

from engine.domain.instrument import Instrument, Leg, PriceTick, SecType
from engine.gateway.records import Contract

ES_INDEX: Final = 11004968
OUTSIDE_HOURS: Final = (330, 240)  # a US share's extended session, 04:00 to 20:00 New York
MONTHS: Final = "FGHJKMNQUVXZ"
_OPTION_MONTHS: Final = 4
_FUTURES: Final = 5
_STRIKES_WITHIN: Final = Decimal("0.15")


@frozen
class Known:
    """A share that everybody knows; `price` and `volatility` (of a day) are what its synthetic market starts with."""

    conid: int
    name: str
    listing: str
    sector: str
    category: str
    price: float
    volatility: float = 0.014


KNOWN: Final[Mapping[str, Known]] = {
    "AAPL": Known(265598, "APPLE INC", "NASDAQ", "Technology", "Computers", 171.0),
    "IBM": Known(8314, "INTL BUSINESS MACHINES CORP", "NYSE", "Technology", "Computers", 191.0, 0.011),
    "SPY": Known(756733, "SS SPDR S&P 500 ETF TRUST-US", "ARCA", "", "", 508.0, 0.009),
    "MSFT": Known(272093, "MICROSOFT CORP", "NASDAQ", "Technology", "Software", 402.0),
    "AMZN": Known(3691937, "AMAZON.COM INC", "NASDAQ", "Communications", "Internet", 178.0, 0.017),
    "NVDA": Known(4815747, "NVIDIA CORP", "NASDAQ", "Technology", "Semiconductors", 118.0, 0.025),
    "TSLA": Known(76792991, "TESLA INC", "NASDAQ", "Consumer, Cyclical", "Auto Manufacturers", 182.0, 0.03),
    "QQQ": Known(320227571, "INVESCO QQQ TRUST SERIES 1", "NASDAQ", "", "", 438.0, 0.011),
    "KO": Known(8894, "COCA-COLA CO/THE", "NYSE", "Consumer, Non-cyclical", "Beverages", 60.0, 0.008),
    "PEP": Known(11017, "PEPSICO INC", "NASDAQ", "Consumer, Non-cyclical", "Beverages", 165.0, 0.008),
    "XOM": Known(13977, "EXXON MOBIL CORP", "NYSE", "Energy", "Oil&Gas", 104.0, 0.013),
}
# Pairs by (currency, currency): conid, and the price that a synthetic market starts with.
PAIRS: Final[Mapping[tuple[str, str], tuple[int, float]]] = {
    ("EUR", "USD"): (12087792, 1.0850),
    ("GBP", "USD"): (12087797, 1.2700),
    ("AUD", "USD"): (14433401, 0.6550),
    ("USD", "JPY"): (15016059, 149.50),
    ("USD", "CAD"): (15016062, 1.3550),
    ("USD", "CHF"): (12087820, 0.8810),
}


def stable_conid(text: str, taken: Mapping[int, Contract], *, low: int = 100_000_000, span: int = 700_000_000) -> int:
    """A conid for something without one of IBKR's: the same text, the same number, unless it is taken."""
    conid = low + crc32(text.encode()) % span
    while conid in taken:
        conid += 1
    return conid


def share(symbol: str, taken: Mapping[int, Contract]) -> Contract:
    """A share in a US market; one that nobody knows bears its symbol as its name."""
    known = KNOWN.get(symbol)
    conid = stable_conid(symbol, taken) if known is None else known.conid
    return Contract(
        instrument=Instrument(conid=conid, symbol=symbol, outside_hours=OUTSIDE_HOURS),
        name=f"{symbol} CORP" if known is None else known.name,
        listing="NASDAQ" if known is None else known.listing,
        trading_class="NMS" if known is None or known.listing == "NASDAQ" else symbol,
        local_symbol=symbol,
        sector="" if known is None else known.sector,
        category="" if known is None else known.category,
    )


def listed(instrument: Instrument) -> Contract:
    """A recording's instrument, with what is known of it beyond its trading facts."""
    known = KNOWN.get(instrument.symbol)
    if known is not None and known.conid == instrument.conid:
        fresh = share(instrument.symbol, {})
        return Contract(
            instrument=instrument,
            name=fresh.name,
            listing=fresh.listing,
            trading_class=fresh.trading_class,
            local_symbol=instrument.symbol,
            sector=fresh.sector,
            category=fresh.category,
        )
    listing = instrument.exchange if instrument.exchange != "SMART" else "NASDAQ"
    return Contract(instrument=instrument, name=instrument.symbol, listing=listing, local_symbol=instrument.symbol)


def pair(base: str, quote: str) -> Contract:
    """A currency pair: units of `base`, priced in `quote`."""
    conid, price = PAIRS[base, quote]
    tick = Decimal("0.00005") if price < 20 else Decimal("0.005")
    return Contract(
        instrument=Instrument(
            conid=conid,
            symbol=f"{base}.{quote}",
            sec_type=SecType.CASH,
            currency=quote,
            price_ticks=(PriceTick(Decimal(0), tick),),
            exchange="IDEALPRO",
            calendar="24/5",
        ),
        name=f"{base}.{quote}",
        listing="IDEALPRO",
        trading_class=f"{base}.{quote}",
        local_symbol=f"{base}.{quote}",
    )


# Expiries


def third_friday(year: int, month: int, trades: Callable[[date], bool]) -> date:
    """The month's expiry: its third Friday, or the trading day before it."""
    first = date(year, month, 1)
    day = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
    while not trades(day):
        day -= timedelta(days=1)
    return day


def expiries(after: date, months: Sequence[int], count: int, trades: Callable[[date], bool]) -> list[date]:
    """The next `count` expiries in some months of the year, not before `after`."""
    found: list[date] = []
    year, month = after.year, after.month
    while len(found) < count:
        if month in months and (day := third_friday(year, month, trades)) >= after:
            found.append(day)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def futures(today: date, trades: Callable[[date], bool]) -> Iterator[Contract]:
    """The E-mini S&P 500 chain: its index, and the next quarterly contracts."""
    yield Contract(
        instrument=Instrument(conid=ES_INDEX, symbol="ES", sec_type=SecType.INDEX, exchange="CME", calendar="CMES"),
        name="E-mini S&P 500",
        listing="CME",
        trading_class="ES",
        local_symbol="ES",
    )
    for day in expiries(today, (3, 6, 9, 12), _FUTURES, trades):
        month = f"{day:%Y%m}"
        yield Contract(
            instrument=Instrument(
                conid=stable_conid(f"ES {month}", {}, low=400_000_000, span=300_000_000),
                symbol="ES",
                sec_type=SecType.FUTURE,
                multiplier=Decimal(50),
                price_ticks=(PriceTick(Decimal(0), Decimal("0.25")),),
                exchange="CME",
                calendar="CMES",
            ),
            name="E-mini S&P 500",
            listing="CME",
            underlying=ES_INDEX,
            expiry=f"{day:%Y%m%d}",
            last_trading=f"{day:%Y%m%d}",
            trading_class="ES",
            local_symbol=f"ES{MONTHS[day.month - 1]}{day.year % 10}",
        )


def spacing(price: float) -> Decimal:
    """How far strikes lie apart."""
    for below, step in ((25, "0.5"), (100, "1"), (250, "2.5")):
        if price < below:
            return Decimal(step)
    return Decimal(5)


def options(
    underlying: Contract, price: float, today: date, trades: Callable[[date], bool], taken: Mapping[int, Contract]
) -> Iterator[Contract]:
    """Calls and puts on a share: the next monthly expiries, strikes around a price."""
    stock = underlying.instrument
    step = spacing(price)
    low = (Decimal(price) * (1 - _STRIKES_WITHIN) / step).to_integral_value()
    high = (Decimal(price) * (1 + _STRIKES_WITHIN) / step).to_integral_value()
    made: dict[int, Contract] = {}
    for day in expiries(today, range(1, 13), _OPTION_MONTHS, trades):
        for number in range(max(1, int(low)), int(high) + 1):
            strike = (number * step).normalize()
            for right in "CP":
                name = f"{stock.symbol:<6}{day:%y%m%d}{right}{int(strike * 1000):08d}"
                conid = stable_conid(name, made, low=800_000_000, span=1_200_000_000)
                if conid in taken:
                    continue  # listed on an earlier day
                contract = made[conid] = Contract(
                    instrument=Instrument(
                        conid=conid, symbol=stock.symbol, sec_type=SecType.OPTION, multiplier=Decimal(100)
                    ),
                    name=underlying.name,
                    listing="AMEX",
                    underlying=stock.conid,
                    expiry=f"{day:%Y%m%d}",
                    last_trading=f"{day:%Y%m%d}",
                    strike=Decimal(f"{strike:f}"),
                    right=right,
                    trading_class=stock.symbol,
                    local_symbol=name,
                    sector=underlying.sector,
                    category=underlying.category,
                )
                yield contract


def combo(legs: Sequence[Leg], currency: str, contracts: Mapping[int, Contract]) -> Contract:
    """A combo of listed legs, priced in their currency; its tick is the finest of theirs.

    Raises: ValueError, in one sentence, for legs that can't make a combo.
    """
    if len(legs) < 2:
        raise ValueError("a combo needs two legs or more")
    parts = []
    for leg in legs:
        contract = contracts.get(leg.conid)
        if contract is None:
            raise ValueError(f"no contract has the conid {leg.conid}")
        if contract.instrument.currency != currency or contract.instrument.legs:
            raise ValueError(f"{contract.local_symbol} can't be a leg of a combo in {currency}")
        parts.append(contract)
    if len({part.instrument.calendar for part in parts}) > 1:
        raise ValueError("the legs of a combo must trade at the same hours")
    name = ",".join(f"{leg.conid}/{leg.ratio}" for leg in legs)
    first = parts[0]
    tick = min(step.tick for part in parts for step in part.instrument.price_ticks)
    return Contract(
        instrument=Instrument(
            conid=stable_conid(f"{currency} {name}", {}, low=2_000_000_001, span=140_000_000),
            symbol=first.instrument.symbol,
            sec_type=SecType.COMBO,
            currency=currency,
            multiplier=first.instrument.multiplier,
            price_ticks=(PriceTick(Decimal(0), tick),),
            calendar=first.instrument.calendar,
            outside_hours=first.instrument.outside_hours,
            legs=tuple(legs),
        ),
        name=first.name,
        listing="SMART",
        trading_class="COMB",
        local_symbol=name,
    )
