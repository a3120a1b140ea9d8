"""Order tickets off the wire: any JSON in, a `Draft` or a `Problem` out, never an exception.

Types are IBKR's (numbers also as numeric strings, as the wire takes them); `null` and `""` are as good as absent.
What the simulated venue can't do is refused with a sentence. Funds, questions and brackets are the desk's.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.domain.instrument import Instrument, SecType
from engine.domain.ticket import BadTicket, OrderTicket, OrderType, Side, Tif, TrailUnit
from engine.gateway.conidex import BadConidex, Named, read_conidex
from engine.gateway.fields import absent, ill_typed, number, whole
from engine.gateway.records import Contract
from engine.gateway.touch import Touch, touch

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

# Algos that a ticket may name. They execute as their plain order type: the venue plays no algo.
ALGOS: Final = frozenset(
    {"Adaptive", "Vwap", "Twap", "ArrivalPx", "ClosePx", "DarkIce", "PctVol", "PctVolPx", "PctVolSz", "PctVolTm", "AD"}
)
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL, "Buy": Side.BUY, "Sell": Side.SELL}
_TYPES: Final = {kind.value: kind for kind in OrderType}
_TIFS: Final = {tif.value: tif for tif in Tif}
BAD_PRICE: Final = "Invalid price"
_COID_LENGTH: Final = 64
_AT_CLOSE: Final = (OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE)
_STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL, OrderType.TRAIL_LIMIT)
# By type: which of price and auxPrice it needs, and which it may have besides.
_PRICES: Final = {
    OrderType.MARKET: ((), ()),
    OrderType.MARKET_ON_CLOSE: ((), ()),
    OrderType.LIMIT: (("price",), ()),
    OrderType.LIMIT_ON_CLOSE: (("price",), ()),
    OrderType.STOP: (("price",), ()),
    OrderType.STOP_LIMIT: (("price", "auxPrice"), ()),
    OrderType.TRAIL: (("trailingAmt", "trailingType"), ("price",)),
    OrderType.TRAIL_LIMIT: (("trailingAmt", "trailingType", "price"), ("auxPrice",)),
    OrderType.MIDPRICE: ((), ("price",)),
}


class Problem(msgspec.Struct, frozen=True):
    """Why a ticket is refused: HTTP status, sentence, and the field where there is one to blame.

    With status 200 the sentence goes out as `{"error": ...}`, as the venue words what is wrong with an order itself.
    """

    status: int
    text: str
    field: str = ""


class Draft(msgspec.Struct, kw_only=True):
    """A ticket that was read. `ticket` lies on the instrument's ticks; `off_tick` says that the wire's did not."""

    wire: dict[str, Any]
    ticket: OrderTicket
    contract: Contract
    client_id: str | None = None
    parent: str | None = None  # `parentId` as sent: a cOID, or an order id
    single_group: bool = False
    deactivated: bool = False
    cash_quantity: Decimal | None = None
    off_tick: bool = False


class _Refused(Exception):
    def __init__(self, status: int, text: str, field: str = "") -> None:
        super().__init__(text)
        self.problem = Problem(status, text, field)


def parse(hall: Hall, account: str, raw: object) -> Draft | Problem:
    """Read one ticket for an account of the exchange."""
    if not isinstance(raw, dict):
        return Problem(400, "Missing order parameters")
    try:
        return _parse(hall, account, raw)
    except _Refused as refused:
        return refused.problem
    except BadTicket as bad:
        return Problem(200, f"Order couldn't be submitted: {str(bad).partition(': ')[2]}.")


def _parse(hall: Hall, account: str, raw: dict[str, Any]) -> Draft:
    wrong = ill_typed(raw)
    if wrong is not None:
        raise _Refused(400, f"Bad Request: {wrong[0]} must be {wrong[1]}", wrong[0])
    if not absent(raw, "acctId") and raw["acctId"] != account:
        raise _Refused(400, f"Bad Request: accountId is not valid: {raw['acctId'][:40]}", "acctId")
    for name in ("orderType", "side", "tif"):
        if absent(raw, name):
            raise _Refused(400, f"Missing order parameters: {name}", name)
    side = _SIDES.get(raw["side"])
    if side is None:
        raise _Refused(400, f"Bad Request: side must be BUY or SELL, not {raw['side'][:20]!r}", "side")
    kind = _TYPES.get(raw["orderType"])
    if kind is None:
        raise _Refused(200, f"Order type {raw['orderType'][:20]!r} is not supported.", "orderType")
    contract = _contract(hall, raw)
    instrument = contract.instrument
    tif = _tif(raw["tif"], kind, instrument)
    _check_rules(raw, kind, side, instrument)
    prices = _prices(raw, kind, side, instrument)
    market = touch(hall.exchange, instrument.conid)
    quantity, cash = _quantity(raw, side, instrument, prices.get("limit_price"), market)
    ticket = OrderTicket(
        coid="new",
        strategy="web",
        account=account,
        conid=instrument.conid,
        side=side,
        order_type=kind,
        quantity=quantity,
        tif=tif,
        outside_rth=bool(raw.get("outsideRTH")),
        trail_unit=TrailUnit.PERCENT if raw.get("trailingType") == "%" else TrailUnit.AMOUNT,
        **prices,
    )
    snapped = on_ticks(ticket, instrument)
    client_id = raw.get("cOID") or None
    if client_id is not None and len(client_id) > _COID_LENGTH:
        raise _Refused(400, f"Bad Request: cOID has more than {_COID_LENGTH} characters", "cOID")
    parent = None if absent(raw, "parentId") else str(raw["parentId"])
    return Draft(
        wire=dict(raw),
        ticket=snapped,
        contract=contract,
        client_id=client_id,
        parent=parent,
        single_group=bool(raw.get("isSingleGroup")),
        deactivated=bool(raw.get("deactivated")),
        cash_quantity=cash,
        off_tick=snapped != ticket,
    )


def _contract(hall: Hall, raw: dict[str, Any]) -> Contract:
    contracts = hall.exchange.contracts
    if absent(raw, "conid") == absent(raw, "conidex"):
        text = "Missing order parameters: conid" if absent(raw, "conid") else "conid and conidex can't both be given"
        raise _Refused(400, text, "conid")
    if absent(raw, "conidex"):
        conid = whole(raw["conid"])
    else:
        try:
            named = read_conidex(raw["conidex"], contracts)
        except BadConidex as bad:
            raise _Refused(200, str(bad), "conidex") from None
        conid = _combo(hall, named) if named.legs else named.conid
    contract = contracts.get(conid) if conid is not None else None
    if contract is None:
        raise _Refused(200, f"no sec defs returned forSecDef {conid}", "conid")
    if not absent(raw, "secType"):
        told = raw["secType"].rpartition(":")[2]
        if told != contract.instrument.sec_type:
            raise _Refused(200, f"secType {raw['secType'][:30]!r} is not that of conid {conid}", "secType")
    return contract


def _combo(hall: Hall, named: Named) -> int:
    try:
        return hall.exchange.combo(named.legs, named.currency)
    except ValueError as bad:
        raise _Refused(200, f"Invalid combo: {bad}", "conidex") from None


def _tif(text: str, kind: OrderType, instrument: Instrument) -> Tif:
    if text == "PAX" and instrument.sec_type is SecType.CRYPTO:
        return Tif.GTC
    tif = _TIFS.get(text)
    if tif is None:
        raise _Refused(200, f"Time in force {text[:20]!r} is not supported for {instrument.symbol}.", "tif")
    if kind in _AT_CLOSE and tif is not Tif.DAY:
        raise _Refused(200, f"{kind} takes the time in force DAY only.", "tif")
    if kind in _STOPS and tif in (Tif.IOC, Tif.OPG):
        raise _Refused(200, f"{kind} can't have the time in force {tif}.", "tif")
    return tif


def _check_rules(raw: dict[str, Any], kind: OrderType, side: Side, instrument: Instrument) -> None:
    """What goes together and what does not."""
    if instrument.sec_type is SecType.INDEX:
        raise _Refused(200, f"{instrument.symbol} is an index and can't be traded.", "conid")
    if kind is OrderType.STOP and raw.get("outsideRTH"):
        raise _Refused(200, "STP orders can't trade outside regular hours; STOP_LIMIT can.", "outsideRTH")
    futures = instrument.sec_type in (SecType.FUTURE, SecType.FUTURE_OPTION)
    if futures and instrument.currency == "USD" and raw.get("manualIndicator") is None:
        raise _Refused(200, "Orders on US futures need manualIndicator (CME rule 536-B).", "manualIndicator")
    if instrument.sec_type is SecType.COMBO and kind not in (OrderType.MARKET, OrderType.LIMIT):
        raise _Refused(200, f"A combo takes MKT and LMT orders, not {kind}.", "orderType")
    if raw.get("allOrNone"):
        raise _Refused(200, "allOrNone is not supported.", "allOrNone")
    if (raw.get("isCcyConv") or not absent(raw, "fxQty")) and instrument.sec_type is not SecType.CASH:
        raise _Refused(200, "fxQty and isCcyConv belong to currency pairs.", "fxQty")
    if not absent(raw, "cashQty") and side is Side.SELL:
        raise _Refused(200, "Cash order quantity can not be set for sell order", "cashQty")
    if not absent(raw, "strategy"):
        if raw["strategy"] not in ALGOS:
            raise _Refused(200, f"Algo {raw['strategy'][:30]!r} is not supported.", "strategy")
        if kind not in (OrderType.MARKET, OrderType.LIMIT):
            raise _Refused(200, f"{kind} takes no algo.", "strategy")
    elif not absent(raw, "strategyParameters"):
        raise _Refused(400, "Bad Request: strategyParameters without a strategy", "strategyParameters")


def _prices(raw: dict[str, Any], kind: OrderType, side: Side, instrument: Instrument) -> dict[str, Any]:
    """The prices of a ticket by the names of `OrderTicket`."""
    needs, may = _PRICES[kind]
    for name in ("price", "auxPrice", "trailingAmt", "trailingType"):
        if absent(raw, name):
            if name in needs:
                raise _Refused(400, f"Missing order parameters: {kind} needs {name}", name)
        elif name not in needs and name not in may:
            raise _Refused(200, f"{kind} takes no {name}.", name)
    values = {name: number(raw.get(name)) for name in ("price", "auxPrice", "trailingAmt")}
    for name, value in values.items():
        offset = kind is OrderType.TRAIL_LIMIT and name == "price"
        signed = instrument.sec_type in (SecType.COMBO, SecType.FUTURE) and name != "trailingAmt"
        if value is not None and value <= 0 and not signed and not offset:
            raise _Refused(200, f"{BAD_PRICE}: {name} must be above zero, not {value:f}.", name)
    price, aux, trail = values["price"], values["auxPrice"], values["trailingAmt"]
    if not absent(raw, "trailingType") and raw["trailingType"] not in ("amt", "%"):
        raise _Refused(400, "Bad Request: trailingType must be amt or %", "trailingType")
    match kind:
        case OrderType.STOP:
            return {"stop_price": price}
        case OrderType.STOP_LIMIT:
            return {"limit_price": price, "stop_price": aux}
        case OrderType.TRAIL:
            return {"stop_price": price, "trail": trail}
        case OrderType.TRAIL_LIMIT:
            return {"stop_price": aux, "trail": trail, "limit_offset": _offset(price, aux, side)}
        case OrderType.LIMIT | OrderType.LIMIT_ON_CLOSE | OrderType.MIDPRICE:
            return {"limit_price": price}
        case _:
            return {}


def _offset(price: Decimal | None, stop: Decimal | None, side: Side) -> Decimal | None:
    """How far the limit of a TRAILLMT lies beyond its stop.

    IBKR's texts call `price` the limit and the offset alike: less than half of the stop, or without a stop, it can
    only be an offset.
    """
    if price is None or stop is None or 2 * abs(price) < abs(stop):
        return price
    return (price - stop) * side.sign


def _quantity(
    raw: dict[str, Any], side: Side, instrument: Instrument, limit: Decimal | None, market: Touch
) -> tuple[Decimal, Decimal | None]:
    """Units of the order, and the money it was sized by, if it was."""
    given = [name for name in ("quantity", "cashQty", "fxQty") if not absent(raw, name)]
    if not given:
        raise _Refused(400, "Missing order parameters: quantity", "quantity")
    if len(given) > 1:
        raise _Refused(400, f"Bad Request: {' and '.join(given)} can't both be given", given[1])
    amount = number(raw[given[0]])
    if amount is None or amount <= 0:
        raise _Refused(200, f"Invalid quantity: {given[0]} must be above zero.", given[0])
    increment = instrument.size_increment
    if given[0] != "cashQty":
        if amount % increment:
            raise _Refused(200, f"The quantity must be a multiple of {increment:f}.", given[0])
        return amount, None
    if instrument.sec_type not in (SecType.STOCK, SecType.CASH, SecType.CRYPTO):
        raise _Refused(200, f"cashQty can't size an order in {instrument.symbol}.", "cashQty")
    price = limit if limit is not None else market.price(buy=side is Side.BUY)
    if price is None or price <= 0:
        raise _Refused(200, f"cashQty needs a price of {instrument.symbol}, and there is none.", "cashQty")
    units = (amount / (price * instrument.multiplier) / increment).to_integral_value(rounding=ROUND_FLOOR) * increment
    if units <= 0:
        raise _Refused(200, f"The cash quantity {amount:f} is less than one unit of {instrument.symbol}.", "cashQty")
    return units, amount


def on_ticks(ticket: OrderTicket, instrument: Instrument) -> OrderTicket:
    """Return the ticket with its prices on the tick table: a limit never for the worse, a stop to the nearest tick."""
    changes: dict[str, Any] = {}
    for name in ("limit_price", "stop_price"):
        price: Decimal | None = getattr(ticket, name)
        if price is None or instrument.on_tick(price):
            continue
        way = ROUND_HALF_EVEN
        if name == "limit_price":
            way = ROUND_FLOOR if ticket.side is Side.BUY else ROUND_CEILING
        tick = instrument.tick_at(price)
        changes[name] = (price / tick).to_integral_value(rounding=way) * tick
    return msgspec.structs.replace(ticket, **changes) if changes else ticket
