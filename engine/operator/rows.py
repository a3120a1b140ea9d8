"""What operators see of orders, positions and profit: plain rows, amounts as decimal strings, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Any, Final

from engine.domain.instrument import Instrument
from engine.domain.moments import iso
from engine.domain.order import Order
from engine.domain.view import MarketView
from engine.orders.live import Waiting
from engine.portfolio.books import Portfolio
from engine.portfolio.commissions import open_estimates

_GRAIN: Final = Decimal("1e-8")
_CENT: Final = Decimal("0.01")
_ZERO: Final = Decimal(0)

Row = dict[str, Any]


def plain(amount: Decimal | None) -> str | None:
    """A decimal without exponent and without zeros that say nothing; None stays None."""
    if amount is None:
        return None
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def order_row(order: Order, instruments: Mapping[int, Instrument], held: Waiting | None = None) -> Row:
    """One order; `held` is what it waits for before it may leave."""
    ticket = order.ticket
    known = instruments.get(ticket.conid)
    average = order.average_price
    return {
        "coid": order.coid,
        "order_id": order.venue_id or None,
        "conid": ticket.conid,
        "symbol": None if known is None else known.symbol,
        "side": str(ticket.side),
        "quantity": plain(ticket.quantity),
        "filled": plain(order.filled),
        "status": str(order.state),
        "strategy": ticket.strategy,
        "order_type": str(ticket.order_type),
        "tif": str(ticket.tif),
        "limit_price": plain(ticket.limit_price),
        "stop_price": plain(ticket.stop_price),
        "average_price": None if average is None else plain(average.quantize(_GRAIN, ROUND_HALF_EVEN)),
        "parent": ticket.parent,
        "open": order.is_open,
        "code": order.code if held is None else held.refusal.code,
        "reason": order.reason if held is None else f"held: {held.refusal.sentence}",
        "question": held.number if held is not None and held.person else None,
        "created": iso(order.created_ns),
        "updated": iso(order.updated_ns),
    }


def day_rows(
    orders: Iterable[Order],
    day_ns: int,
    instruments: Mapping[int, Instrument],
    *,
    only_open: bool = False,
    held: Mapping[str, Waiting] = MappingProxyType({}),
) -> list[Row]:
    """Orders that are open, or of which anything was heard since `day_ns`, oldest first; `held` by coid."""
    return [
        order_row(order, instruments, held.get(order.coid))
        for order in orders
        if order.is_open or (not only_open and order.updated_ns >= day_ns)
    ]


def position_rows(portfolio: Portfolio) -> list[Row]:
    """What each strategy holds; `avg_cost` is per unit, with the multiplier, without fees."""
    return [
        {
            "conid": conid,
            "symbol": portfolio.instruments[conid].symbol,
            "strategy": strategy,
            "quantity": plain(held.quantity),
            "avg_cost": plain((held.cost / held.quantity).quantize(_GRAIN, ROUND_HALF_EVEN)),
            "currency": portfolio.instruments[conid].currency,
        }
        for (strategy, conid), held in sorted(portfolio.holdings.items())
        if held.quantity
    ]


def pnl_document(portfolio: Portfolio, view: MarketView) -> Row:
    """Profit by strategy and instrument in the instrument's currency, and the account's sums in base currency.

    `unrealised` is None where an instrument has no price; then the account's is the sum of what is known and
    `complete` is false. Fees, interest and dividends are the account's, and in no row.
    """
    rows, realised_base, unrealised_base, complete = [], _ZERO, _ZERO, True
    for (strategy, conid), held in sorted(portfolio.holdings.items()):
        instrument = portfolio.instruments[conid]
        rate = portfolio.rates[instrument.currency]
        unrealised: Decimal | None = _ZERO
        price: Decimal | None = None
        if held.quantity:
            known = view.price(conid)
            # A middle of two prices, in floats, shows their dust.
            price = None if known is None else Decimal(known[0]).quantize(_GRAIN, ROUND_HALF_EVEN)
            unrealised = None if price is None else held.quantity * price * instrument.multiplier - held.cost
        realised_base += held.realised * rate
        if unrealised is None:
            complete = False
        else:
            unrealised_base += unrealised * rate
        rows.append(
            {
                "strategy": strategy,
                "conid": conid,
                "symbol": instrument.symbol,
                "currency": instrument.currency,
                "quantity": plain(held.quantity),
                "price": plain(price),
                "realised": plain(held.realised),
                "unrealised": plain(unrealised),
            }
        )
    fees = _in_base(portfolio, portfolio.fees_by_currency)
    interest, dividends = _in_base(portfolio, portfolio.interest), _in_base(portfolio, portfolio.dividends)
    return {
        "rows": rows,
        "account": {
            "realised": _money(realised_base),
            "unrealised": _money(unrealised_base),
            "fees": _money(fees),
            "interest": _money(interest),
            "dividends": _money(dividends),
            "total": _money(realised_base + unrealised_base - fees + interest + dividends),
            "complete": complete,
        },
        "cash": {currency: plain(amount) for currency, amount in sorted(portfolio.cash.items())},
        "by_currency": {currency: _books(portfolio, currency) for currency in sorted(portfolio.cash)},
    }


def _in_base(portfolio: Portfolio, amounts: Mapping[str, Decimal]) -> Decimal:
    return sum((amount * portfolio.rates[currency] for currency, amount in amounts.items()), _ZERO)


def _books(portfolio: Portfolio, currency: str) -> Row:
    """What the account has in one currency; `estimated` are fees that no commission has confirmed yet."""
    realised = [h.realised for (_, c), h in portfolio.holdings.items() if portfolio.instruments[c].currency == currency]
    rate = portfolio.rates.get(currency)
    return {
        "cash": plain(portfolio.cash[currency]),
        "rate": plain(rate),
        "realised": plain(sum(realised, _ZERO)),
        "fees": plain(portfolio.fees_by_currency.get(currency, _ZERO)),
        "estimated": plain(open_estimates(portfolio).get(currency, _ZERO)),
        "interest": plain(portfolio.interest.get(currency, _ZERO)),
        "dividends": plain(portfolio.dividends.get(currency, _ZERO)),
    }


def _money(amount: Decimal) -> str:
    return format(amount.quantize(_CENT, ROUND_HALF_EVEN), "f")
