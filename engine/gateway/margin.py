"""What an account is worth and what its positions bind, by simple rates.

Shares bind `initial` and `maintenance` of their value, long or short. A long option binds all of its value. A short one
binds its value and a fifth of its underlying's. Futures bind 5 % of what they stand for (maintenance 4.5 %), currency
pairs 3 %. Legs bind as if they stood alone. Buying power is four times what is available, as in a margin account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from attrs import frozen

from engine.domain.instrument import SecType
from engine.gateway.accounts import UNPAID, ZERO, Account
from engine.gateway.records import Contract, Funds

_CENT: Final = Decimal("0.01")
_FUTURE: Final = (Decimal("0.05"), Decimal("0.045"))
_PAIR: Final = (Decimal("0.03"), Decimal("0.03"))
_SHORT_OPTION: Final = Decimal("0.2")
_LEVERAGE: Final = 4
Price = Callable[[int], Decimal | None]
Rate = Callable[[str], Decimal]


@frozen
class Rules:
    """Rates of shares, and where prices and currency rates come from."""

    initial: Decimal
    maintenance: Decimal
    base: str
    price: Price
    rate: Rate
    contracts: Mapping[int, Contract]

    def bound(self, conid: int, quantity: Decimal) -> tuple[Decimal, Decimal] | None:
        """Initial and maintenance margin of a position, in base currency; None if its price is not known."""
        if not quantity:
            return ZERO, ZERO
        contract = self.contracts[conid]
        instrument = contract.instrument
        if instrument.legs:
            both = ZERO, ZERO
            for leg in instrument.legs:
                part = self.bound(leg.conid, quantity * leg.ratio)
                if part is None:
                    return None
                both = both[0] + part[0], both[1] + part[1]
            return both
        price = self.price(conid)
        if price is None:
            return None
        value = abs(quantity * price * instrument.multiplier) * self.rate(instrument.currency)
        if instrument.sec_type in (SecType.OPTION, SecType.FUTURE_OPTION):
            if quantity > 0:
                return value, value
            under = self.price(contract.underlying)
            extra = ZERO if under is None else under * instrument.multiplier * -quantity * _SHORT_OPTION
            whole = value + extra * self.rate(instrument.currency)
            return whole, whole
        first, second = self.initial, self.maintenance
        if instrument.sec_type is SecType.FUTURE:
            first, second = _FUTURE
        elif instrument.sec_type is SecType.CASH:
            first, second = _PAIR
        return value * first, value * second

    def added(self, account: Account, conid: int, units: Decimal) -> tuple[Decimal, Decimal] | None:
        """What margin grows by if signed units are traded; below zero where a position shrinks."""
        instrument = self.contracts[conid].instrument
        legs = [(leg.conid, leg.ratio * units) for leg in instrument.legs] or [(conid, units)]
        first = second = ZERO
        for one, quantity in legs:
            held = account.quantity(one)
            before, after = self.bound(one, held), self.bound(one, held + quantity)
            if before is None or after is None:
                return None
            first += after[0] - before[0]
            second += after[1] - before[1]
        return first, second

    def funds(self, account: Account) -> Funds:
        """The account's figures in base currency, to the cent."""
        cash = sum((amount * self.rate(currency) for currency, amount in account.cash.items()), ZERO)
        stock = gross = unrealised = initial = maintenance = net = ZERO
        for position in account.open_positions():
            instrument = self.contracts[position.conid].instrument
            price = self.price(position.conid)
            worth = position.cost if price is None else price * position.quantity * instrument.multiplier
            rate = self.rate(instrument.currency)
            value, gain = worth * rate, (worth - position.cost) * rate
            net += gain if instrument.sec_type in UNPAID else value
            stock += value if instrument.sec_type is SecType.STOCK else ZERO
            gross += abs(value)
            unrealised += gain
            bound = self.bound(position.conid, position.quantity) or (abs(value), abs(value))
            initial += bound[0]
            maintenance += bound[1]
        net += cash
        realised = sum((amount * self.rate(currency) for currency, amount in account.day_realised.items()), ZERO)
        available = max(ZERO, net - initial)
        return Funds(
            base=self.base,
            net_liquidation=cents(net),
            cash=cents(cash),
            stock_value=cents(stock),
            position_value=cents(gross),
            initial_margin=cents(initial),
            maintenance_margin=cents(maintenance),
            available=cents(available),
            excess_liquidity=cents(net - maintenance),
            buying_power=cents(available * _LEVERAGE),
            unrealised=cents(unrealised),
            realised=cents(realised),
            daily=cents(net - account.day_value),
        )


def cents(amount: Decimal) -> Decimal:
    """An amount as statements show it."""
    return amount.quantize(_CENT, ROUND_HALF_EVEN)
