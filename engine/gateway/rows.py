"""Rows as the Web API prints them: live orders, `sor` deltas, order status, trades.

Which number is a JSON number and which a string follows recorded answers in profile `observed` and IBKR's samples in
`documented`. Known differences of the two: a recorded trade has its `price` as a number, the sample as a string;
recorded DAY orders read `CLOSE`; `price`, `isEventTrading` and `position` are missing in the samples.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, Final

from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderType, Side, Tif
from engine.gateway.records import Contract, Execution, LiveOrder

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

# By order type: `origOrderType`, and the words of `orderType`.
TYPES: Final = {
    OrderType.MARKET: ("MARKET", "Market"),
    OrderType.LIMIT: ("LIMIT", "Limit"),
    OrderType.STOP: ("STOP", "Stop"),
    OrderType.STOP_LIMIT: ("STOP_LIMIT", "Stop Limit"),
    OrderType.TRAIL: ("TRAILING_STOP", "Trailing Stop"),
    OrderType.TRAIL_LIMIT: ("TRAILING_STOP_LIMIT", "Trailing Stop Limit"),
    OrderType.MIDPRICE: ("MIDPRICE", "MidPrice"),
    OrderType.MARKET_ON_CLOSE: ("MARKETONCLOSE", "Market On Close"),
    OrderType.LIMIT_ON_CLOSE: ("LIMITONCLOSE", "Limit On Close"),
}
# By status: the word of `order_ccp_status`, the code of order status, background and foreground.
_LOOKS: Final = {
    "Filled": ("Filled", "2", "#FFFFFF", "#000000"),
    "Submitted": ("Submitted", "0", "#000000", "#00F000"),
    "PreSubmitted": ("PreSubmitted", "0", "#000000", "#0080FF"),
    "PendingSubmit": ("Pending Submit", "A", "#000000", "#FFFF00"),
    "PendingCancel": ("Pending Cancel", "6", "#000000", "#FF8000"),
    "PreCancelled": ("Pre Cancelled", "6", "#000000", "#FF8000"),
    "Cancelled": ("Cancelled", "4", "#FFFFFF", "#AA0000"),
    "Rejected": ("Rejected", "8", "#FFFFFF", "#AA0000"),
    "Inactive": ("Inactive", "8", "#FFFFFF", "#AA0000"),
}
_ENDED: Final = ("Filled", "Cancelled", "Rejected")
_LISTINGS: Final = {"NASDAQ": "NASDAQ.NMS"}  # as IBKR prints the primary exchange of a share


def contract_of(hall: Hall, conid: int) -> Contract:
    """A contract; one that has expired since it was traded is known by its conid only."""
    known = hall.exchange.contracts.get(conid)
    return known or Contract(instrument=Instrument(conid=conid, symbol=str(conid)), name="", listing="")


def size_text(quantity: Decimal) -> str:
    """A quantity without needless zeros and never with an exponent: `5`, `0.0066`."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def price_text(instrument: Instrument, price: Decimal) -> str:
    """A price with as many digits as its tick has, more where it needs them (an average): `165.00`, `192.2575`."""
    tick = instrument.tick_at(price)
    exponent = tick.normalize().as_tuple().exponent
    digits = max(0, -exponent) if isinstance(exponent, int) else 0
    rounded = price.quantize(Decimal(1).scaleb(-max(digits, 6)), rounding=ROUND_HALF_EVEN)
    whole, _, rest = f"{rounded:f}".partition(".")
    rest = rest.rstrip("0").ljust(digits, "0")
    return f"{whole}.{rest}" if rest else whole


def stamp(ts_ns: int, form: str) -> str:
    """A time as text, UTC: `%y%m%d%H%M%S` in orders, `%Y%m%d-%H:%M:%S` in trades."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).strftime(form)


def listing(contract: Contract) -> str:
    """The primary exchange in IBKR's spelling."""
    if contract.instrument.sec_type is SecType.STOCK:
        return _LISTINGS.get(contract.listing, contract.listing)
    return contract.listing


def conid_of(order: LiveOrder) -> tuple[int, str]:
    """`conid` and `conidex` as they are read back: of a combo the currency's spread conid and the string as sent."""
    sent = order.wire.get("conidex")
    if not isinstance(sent, str):
        return order.ticket.conid, str(order.ticket.conid)
    head = sent.partition(";")[0].partition("@")[0].strip()
    return (int(head) if ";" in sent and head.isdecimal() else order.ticket.conid), sent


def ccp_word(order: LiveOrder, status: str) -> str:
    """The second status word, such as `Pending Submit` while a question is open."""
    if order.ccp_status and status == order.status:
        return order.ccp_status
    return _LOOKS[status][0] if status in _LOOKS else status


def _fills(order: LiveOrder, filled: Decimal) -> str:
    total = order.ticket.quantity
    return f"{size_text(filled)}/{size_text(total)}" if 0 < filled < total else size_text(total)


def _price_sent(order: LiveOrder) -> Decimal | None:
    """What the ticket has in `price`: a limit, a cap, or the stop of a stop order."""
    ticket = order.ticket
    return ticket.limit_price if ticket.limit_price is not None else ticket.stop_price


def description(order: LiveOrder, instrument: Instrument, *, symbol: bool, status: str) -> str:
    """Words for people, such as `Bought 1 SPY Market, Day`."""
    ticket = order.ticket
    done = status == "Filled"
    buy = ticket.side is Side.BUY
    word = ("Bought" if buy else "Sold") if done else ("Buy" if buy else "Sell")
    price = _price_sent(order)
    parts = [
        word,
        size_text(ticket.quantity),
        *([instrument.symbol] if symbol else []),
        TYPES[ticket.order_type][1],
        *([price_text(instrument, price)] if price is not None else []),
    ]
    return f"{' '.join(parts)}, {'Day' if ticket.tif is Tif.DAY else tif_text(order)}"


def tif_text(order: LiveOrder) -> str:
    """The time in force as sent (`PAX` stays `PAX`)."""
    sent = order.wire.get("tif")
    return sent if isinstance(sent, str) else str(order.ticket.tif)


def oca_id(hall: Hall, order: LiveOrder) -> str | None:
    """Explicit groups are named after their first order, the exits of a bracket after its entry."""
    if order.oca_group is not None:
        members = [o.order_id for o in hall.exchange.orders(order.account) if o.oca_group == order.oca_group]
        return f"oco-{min(members, default=order.order_id)}"
    return str(order.parent_id) if order.parent_id is not None else None


def order_identity(hall: Hall, order: LiveOrder) -> dict[str, Any]:
    """The `sor` row that only says which order there is."""
    conid, conidex = conid_of(order)
    row: dict[str, Any] = {"acct": order.account, "conid": conid, "conidex": conidex, "orderId": order.order_id}
    return row | {"isEventTrading": "0"} if hall.options.observed else row


def order_row(
    hall: Hall, order: LiveOrder, *, status: str | None = None, filled: Decimal | None = None
) -> dict[str, Any]:
    """The full row of a live order, of `/iserver/account/orders` and of its first `sor` frame.

    `status` and `filled` are those of an earlier step where news of several steps are told; None: as of now.
    """
    contract = contract_of(hall, order.ticket.conid)
    instrument = contract.instrument
    ticket = order.ticket
    observed = hall.options.observed
    status = order.status if status is None else status
    filled = order.filled if filled is None else filled
    conid, conidex = conid_of(order)
    last_ns = order.last_execution_ns or order.created_ns
    price = _price_sent(order)
    row: dict[str, Any] = {
        "acct": order.account,
        "conidex": conidex,
        "conid": conid,
        "account": order.account,
        "orderId": order.order_id,
        "cashCcy": instrument.currency,
        "sizeAndFills": _fills(order, filled),
        "orderDesc": description(order, instrument, symbol=observed, status=status),
        "description1": instrument.symbol,
        "ticker": instrument.symbol,
        "secType": str(instrument.sec_type),
        "listingExchange": listing(contract),
        "remainingQuantity": float(ticket.quantity - filled),
        "filledQuantity": float(filled),
        "totalSize": float(ticket.quantity),
        "companyName": contract.name,
        "status": status,
        "order_ccp_status": ccp_word(order, status),
        "origOrderType": TYPES[ticket.order_type][0],
        "supportsTaxOpt": "1" if instrument.sec_type is SecType.STOCK else "0",
        "lastExecutionTime": stamp(last_ns, "%y%m%d%H%M%S"),
        "orderType": TYPES[ticket.order_type][1],
        **_colours(status),
        "timeInForce": "CLOSE" if observed and ticket.tif is Tif.DAY else tif_text(order),
        "lastExecutionTime_r": last_ns // 1_000_000,
        "side": str(ticket.side),
    }
    if observed:
        row |= {"isEventTrading": "0", "price": "", "outsideRTH": ticket.outside_rth}
    if price is not None:
        row["price"] = price_text(instrument, price)
    if ticket.limit_price is not None and ticket.stop_price is not None:
        row["auxPrice"] = price_text(instrument, ticket.stop_price)
    if order.average_price is not None:
        row["avgPrice"] = price_text(instrument, order.average_price)
    if instrument.sec_type not in (SecType.STOCK, SecType.CASH):
        row["description2"] = contract.trading_class or contract.name
    cash = order.wire.get("cashQty")
    if cash is not None:
        row["totalCashSize"] = float(cash)
    if order.client_id is not None:
        row["order_ref"] = order.client_id
    if order.parent_id is not None:
        row["parentId"] = order.parent_id
    group = oca_id(hall, order)
    if group is not None:
        row["ocaGroupId"] = group
    if order.reason and status in ("Cancelled", "Rejected", "Inactive"):
        row["order_cancellation_by_system_reason"] = order.reason
    return row


def order_delta(
    hall: Hall,
    order: LiveOrder,
    status: str,
    filled: Decimal,
    *,
    old_status: str | None = None,
    old_filled: Decimal | None = None,
) -> dict[str, Any]:
    """A later `sor` row: the id and only what is not as it was told last (None: nothing was told)."""
    row: dict[str, Any] = {"orderId": order.order_id}
    if status != old_status:
        row |= {"status": status, "order_ccp_status": ccp_word(order, status), **_colours(status)}
        if order.reason and status in ("Cancelled", "Rejected", "Inactive"):
            row["order_cancellation_by_system_reason"] = order.reason
    if filled != old_filled and (filled or old_filled is not None):
        row |= {
            "sizeAndFills": _fills(order, filled),
            "remainingQuantity": float(order.ticket.quantity - filled),
            "filledQuantity": float(filled),
        }
        if order.average_price is not None:
            instrument = contract_of(hall, order.ticket.conid).instrument
            row["avgPrice"] = price_text(instrument, order.average_price)
    return row


def _colours(status: str) -> dict[str, str]:
    look = _LOOKS.get(status, _LOOKS["Inactive"])
    return {"bgColor": look[2], "fgColor": look[3]}


def _code(order: LiveOrder) -> str:
    """The one-letter code that order status has in place of a word: FIX tag 39, as far as samples tell."""
    if order.parked or order.deactivated:
        return "A"
    if order.status == "Submitted" and order.filled:
        return "1"
    return _LOOKS[order.status][1] if order.status in _LOOKS else "0"


def status_row(hall: Hall, order: LiveOrder) -> dict[str, Any]:
    """The answer of `/iserver/account/order/status/{orderId}`: sizes and prices are strings, `size` is what remains."""
    contract = contract_of(hall, order.ticket.conid)
    instrument = contract.instrument
    ticket = order.ticket
    conid, conidex = conid_of(order)
    look = _LOOKS.get(order.status, _LOOKS["Inactive"])
    words = description(order, instrument, symbol=False, status=order.status)
    with_symbol = description(order, instrument, symbol=True, status=order.status)
    fixed = not order.open
    row: dict[str, Any] = {
        "sub_type": None,
        "request_id": str(order.order_id % 1_000),
        "server_id": "0",
        "order_id": order.order_id,
        "conidex": conidex,
        "conid": conid,
        "symbol": instrument.symbol,
        "side": "B" if ticket.side is Side.BUY else "S",
        "contract_description_1": instrument.symbol,
        "listing_exchange": listing(contract),
        "option_acct": "c",
        "company_name": contract.name,
        "size": str(float(order.remaining if order.open else 0)),
        "total_size": str(float(ticket.quantity)),
        "currency": instrument.currency,
        "account": order.account,
        "order_type": TYPES[ticket.order_type][0],
        "cum_fill": str(float(order.filled)),
        "order_status": order.status,
        "order_ccp_status": _code(order),
        "order_status_description": f"Order {order.reason or order.status}" if fixed else f"Order {order.status}",
        "tif": tif_text(order),
        "fg_color": look[3],
        "bg_color": look[2],
        "order_not_editable": fixed,
        "editable_fields": "" if fixed else "quantity,price,auxPrice,tif",
        "cannot_cancel_order": fixed or order.parked,
        "deactivate_order": order.deactivated,
        "sec_type": str(instrument.sec_type),
        "available_chart_periods": "#R|1",
        "order_description": words,
        "order_description_with_contract": with_symbol,
        "alert_active": 1,
        "child_order_type": "A" if order.parent_id is not None else "0",
        "order_clearing_account": order.account,
        "size_and_fills": _fills(order, order.filled),
        "exit_strategy_display_price": price_text(instrument, order.average_price or _price_sent(order) or Decimal(0)),
        "exit_strategy_chart_description": with_symbol,
        "exit_strategy_tool_availability": "1",
        "allowed_duplicate_opposite": True,
        "order_time": stamp(order.created_ns, "%y%m%d%H%M%S"),
    }
    if ticket.limit_price is not None:
        row["limit_price"] = price_text(instrument, ticket.limit_price)
    if ticket.stop_price is not None:
        row["stop_price"] = price_text(instrument, ticket.stop_price)
    if order.average_price is not None:
        row["average_price"] = price_text(instrument, order.average_price)
    group = oca_id(hall, order)
    if group is not None:
        row["oca_group_id"] = group
    return row


def trade_row(hall: Hall, execution: Execution, *, with_commission: bool) -> dict[str, Any]:
    """One execution, of `/iserver/account/trades` and of `str`; `commission` is absent until it is known."""
    contract = contract_of(hall, execution.conid)
    instrument = contract.instrument
    buy = execution.side.upper().startswith("B")
    price = price_text(instrument, execution.price)
    observed = hall.options.observed
    row: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "symbol": instrument.symbol,
        "supports_tax_opt": "1" if instrument.sec_type is SecType.STOCK else "0",
        "side": "B" if buy else "S",
        "order_description": f"{'Bought' if buy else 'Sold'} {size_text(execution.size)} @ {price} on "
        f"{execution.exchange}",
        "order_id": execution.order_id,
        "trade_time": stamp(execution.ts_ns, "%Y%m%d-%H:%M:%S"),
        "trade_time_r": execution.ts_ns // 1_000_000,
        "size": float(execution.size),
        "price": float(execution.price) if observed else price,
        "submitter": hall.session.username,
        "exchange": execution.exchange,
        "net_amount": float(execution.size * execution.price * instrument.multiplier),
        "account": execution.account,
        "accountCode": execution.account,
        "account_allocation_name": execution.account,
        "company_name": contract.name,
        "contract_description_1": instrument.symbol,
        "sec_type": str(instrument.sec_type),
        "listing_exchange": listing(contract),
        "conid": execution.conid,
        "conidEx": str(execution.conid),
        "clearing_id": "IB",
        "clearing_name": "IB",
        "liquidation_trade": "1" if execution.liquidation else "0",
        "is_event_trading": "0",
    }
    if observed:
        held = (p.quantity for p in hall.exchange.positions(execution.account) if p.conid == execution.conid)
        row["position"] = size_text(next(held, Decimal(0)))
    if execution.client_id is not None:
        row["order_ref"] = execution.client_id
    if with_commission:
        row["commission"] = size_text(execution.commission)
    return row
