"""What an order is asked before it may work: triggers, ids and texts of the reply messages.

Real clients match on the English words, so the phrases that they look for stand here as IBKR writes them. Stages are
asked one after another, each with an id of its own; messages of one stage come together. Listed by IBKR but never asked
here, because nothing in this market can raise them: o2136, o10082, o10332, o10333, o10334, o10335, o10336.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from attrs import frozen

from engine.domain.instrument import Instrument, SecType
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.gateway.options import Questions
from engine.gateway.rows import listing, price_text, size_text
from engine.gateway.tickets import Draft
from engine.gateway.touch import Touch

SURE: Final = "Are you sure you want to submit this order?"
NO_DATA: Final = (
    "You are submitting an order without market data. We strongly recommend against this as it may result in "
    f"erroneous and unexpected trades.\n{SURE}"
)
PROMPT: Final = (
    "If your order is not immediately executable, our systems may, depending on market conditions, reject your order "
    "if its limit price is more than the allowed amount away from the reference price at that time. If this happens, "
    "you will not receive a fill. This is a control designed to ensure that we comply with our regulatory obligations "
    "to avoid submitting disruptive orders to the marketplace.\nUse the Price Management Algo?"
)
_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL, OrderType.TRAIL_LIMIT)
_HUNDRED: Final = Decimal(100)


@frozen
class Message:
    """One warning: its id, and its words."""

    id: str
    text: str


Stage = tuple[Message, ...]


@frozen
class Asked:
    """What the triggers look at.

    `old` is the ticket that a modification replaces; `held` the position; `blind`: play an instrument without data.
    """

    draft: Draft
    touch: Touch
    held: Decimal
    rules: Questions
    old: OrderTicket | None = None
    group: bool = False
    blind: bool = False

    @property
    def ticket(self) -> OrderTicket:
        """The wanted ticket."""
        return self.draft.ticket

    @property
    def instrument(self) -> Instrument:
        """What it trades."""
        return self.draft.contract.instrument

    @property
    def title(self) -> str:
        """The order as a question names it: `BUY 650 AAPL NASDAQ.NMS`."""
        name = f"{self.instrument.symbol} {listing(self.draft.contract)}".strip()
        return f"{self.ticket.side} {size_text(self.ticket.quantity)} {name}"

    @property
    def new_price(self) -> bool:
        """Whether its prices were not asked about before."""
        return self.old is None or self.old.limit_price != self.ticket.limit_price

    @property
    def new_size(self) -> bool:
        """Whether its size was not asked about before."""
        return self.old is None or self.old.quantity != self.ticket.quantity

    def off_market(self) -> Decimal:
        """How far its limit lies from the market, in percent of the market; 0 without either."""
        limit, market = self.ticket.limit_price, self.touch.middle
        if limit is None or not market:
            return Decimal(0)
        return abs((limit - market) / market) * _HUNDRED


def _price_percent(asked: Asked) -> str | None:
    if not asked.new_price or asked.off_market() <= asked.rules.price_percent:
        return None
    limit = asked.ticket.limit_price
    assert limit is not None
    return (
        f'The following order "{asked.title} @ {price_text(asked.instrument, limit)}" price exceeds \n'
        f"the Percentage constraint of {size_text(asked.rules.price_percent)}%.\n{SURE}"
    )


def _no_data(asked: Asked) -> str | None:
    unseen = asked.rules.no_data and not asked.touch.known
    return NO_DATA if (unseen or asked.blind) and asked.old is None else None


def _off_tick(asked: Asked) -> str | None:
    if not asked.draft.off_tick or not asked.new_price:
        return None
    price = asked.ticket.limit_price if asked.ticket.limit_price is not None else asked.ticket.stop_price
    tick = asked.instrument.tick_at(price if price is not None else Decimal(0))
    return f'The following order "{asked.title}" price exceeds the Tick Size Limit of {tick:f}.\n{SURE}'


def _size(asked: Asked) -> str | None:
    if not asked.new_size or asked.ticket.quantity <= asked.rules.size_limit:
        return None
    limit = f"{asked.rules.size_limit:,f}"
    return f'The following order "{asked.title}" size exceeds the Size Limit of {limit}.\n{SURE}'


def _value(asked: Asked) -> str | None:
    ticket = asked.ticket
    price = ticket.limit_price if ticket.limit_price is not None else asked.touch.price(buy=ticket.side is Side.BUY)
    if price is None or not (asked.new_size or asked.new_price):
        return None
    value = abs(price) * ticket.quantity * asked.instrument.multiplier
    if value <= asked.rules.value_limit:
        return None
    currency = asked.instrument.currency
    return (
        f'The following order "{asked.title}" value estimate of {value:,.2f} {currency} exceeds \n'
        f"the Total Value Limit of {asked.rules.value_limit:,f} {currency}.\n{SURE}"
    )


def _cross_side(asked: Asked) -> str | None:
    ticket, held = asked.ticket, asked.held
    against = held > 0 if ticket.side is Side.SELL else held < 0
    child = asked.draft.parent is not None
    if not asked.rules.cross_side or not asked.new_size or child or not against or ticket.quantity <= abs(held):
        return None
    return (
        f'The following order "{asked.title}" is larger than the position of {size_text(held)} that it closes, and '
        f"would open one on the other side.\n{SURE}"
    )


def _market_risk(asked: Asked) -> str | None:
    if not asked.rules.market_risk or asked.old is not None or asked.ticket.order_type is not OrderType.MARKET:
        return None
    return (
        "<h4>Market Order Confirmation</h4>A Market Order is an instruction to trade your order at any available price "
        f"in the market; it may be filled far from the last price.\n{SURE}"
    )


def _crypto(asked: Asked) -> str | None:
    crypto = asked.instrument.sec_type is SecType.CRYPTO and asked.ticket.order_type is OrderType.MARKET
    if not crypto or asked.old is not None:
        return None
    return f"Market orders for cryptocurrency may be filled at prices far from the one displayed.\n{SURE}"


def _stop_risk(asked: Asked) -> str | None:
    if not asked.rules.stop_risk or asked.old is not None or asked.ticket.order_type not in _STOPS:
        return None
    return (
        "You are about to submit a stop order. Please be aware of the various stop order types available and the risks "
        f"associated with each one.\n{SURE}"
    )


def _stop_detail(asked: Asked) -> str | None:
    if not asked.rules.stop_detail or asked.old is not None or asked.ticket.order_type not in _STOPS:
        return None
    return (
        "<h4>Stop Variant Order Confirmation</h4>A Stop Order - i.e. a Stop (Market) Order - is an instruction to buy "
        'or sell at the market price once your trigger ("stop") price is reached; it may be filled far from there.\n'
        f"{SURE}"
    )


def _stop_triggers(asked: Asked) -> str | None:
    ticket, touch = asked.ticket, asked.touch
    stop = ticket.stop_price
    moved = asked.old is None or asked.old.stop_price != stop
    if not asked.rules.stop_triggers or stop is None or ticket.order_type not in _STOPS or not moved:
        return None
    if asked.draft.parent is not None:
        return None  # it waits for its entry, and the market will have moved by then
    market = touch.price(buy=ticket.side is Side.BUY)
    if market is None or (stop > market if ticket.side is Side.BUY else stop < market):
        return None
    return f"This order will most likely trigger and fill immediately.\n{SURE}"


def _market_cap(asked: Asked) -> str | None:
    ticket = asked.ticket
    late = ticket.order_type is OrderType.MARKET and not asked.touch.open_market and asked.old is None
    far = asked.new_price and asked.off_market() > asked.rules.cap_percent
    if not asked.rules.market_cap or not (late or far):
        return None
    return (
        "<h4>Confirm Mandatory Cap Price</h4>To avoid trading at a price that is not consistent with a fair and "
        "orderly market, IB may set a cap (for a buy order) or a floor (for a sell order). THIS MAY CAUSE AN ORDER "
        "THAT WOULD OTHERWISE BE MARKETABLE TO NOT BE TRADED."
    )


def _cash_details(asked: Asked) -> str | None:
    if asked.draft.cash_quantity is None or asked.old is not None:
        return None
    return (
        "Traders are responsible for understanding cash quantity details, which are provided on a best efforts basis "
        "only."
    )


def _cash_simulated(asked: Asked) -> str | None:
    if asked.draft.cash_quantity is None or asked.old is not None:
        return None
    return (
        "<h4>Cash Quantity Order Confirmation</h4>Orders that express size using a monetary value (cash quantity) are "
        "provided on a non-guaranteed basis. The order is sized once, by the price of the moment, and rounded down."
    )


def _fraction(asked: Asked) -> str | None:
    quantity = asked.ticket.quantity
    if not asked.ticket.outside_rth or quantity == quantity.to_integral_value() or not asked.new_size:
        return None
    return f"{asked.instrument.symbol} does not trade in fractions outside regular trading hours.\n{SURE}"


def _size_change(asked: Asked) -> str | None:
    if asked.old is None or not asked.new_size:
        return None
    change = abs(asked.ticket.quantity - asked.old.quantity) / asked.old.quantity * _HUNDRED
    if change <= asked.rules.size_change_percent:
        return None
    return (
        f'The following order "{asked.title}" size modification exceeds the size modification limit of '
        f"{size_text(asked.rules.size_change_percent)}%.\n{SURE}"
    )


def _accounts(asked: Asked) -> str | None:
    if not asked.group:
        return None
    return (
        "This order will be distributed over multiple accounts. We strongly suggest you familiarize yourself with our "
        "allocation facilities before submitting orders."
    )


_Trigger = tuple[str, Callable[[Asked], str | None]]
_STAGES: Final[tuple[tuple[_Trigger, ...], ...]] = (
    (("p6", _accounts),),
    (("o163", _price_percent),),
    (("o354", _no_data),),
    (("o382", _off_tick),),
    (("o383", _size), ("o451", _value)),
    (("o10138", _size_change),),
    (("o2137", _cross_side),),
    (("o2165", _fraction),),
    (("o10151", _market_risk), ("o10288", _crypto)),
    (("o10331", _stop_risk),),
    (("o10152", _stop_detail),),
    (("o403", _stop_triggers),),
    (("o10164", _cash_details),),
    (("o10223", _cash_simulated),),
    (("o10153", _market_cap),),
)


def stages(asked: Asked, suppressed: set[str]) -> list[Stage]:
    """All that an order will be asked, in order, without what the session has suppressed."""
    found: list[Stage] = []
    for triggers in _STAGES:
        texts = ((name, trigger(asked)) for name, trigger in triggers if name not in suppressed)
        stage = tuple(Message(name, text) for name, text in texts if text is not None)
        if stage:
            found.append(stage)
    return found


def wants_prompt(asked: Asked, suppressed: set[str]) -> bool:
    """Whether a limit is so far away that the order is refused with the offer of a price algo (p12)."""
    percent = asked.rules.prompt_percent
    if not percent or "p12" in suppressed or not asked.new_price or asked.draft.wire.get("useAdaptive"):
        return False
    return asked.off_market() > percent
