"""Tickets on the wire and back: the full ticket each time, exact numbers, the price fields that each order type has.

    MKT, MOC        no price                      LMT, LOC   price
    STP             price = stop                  STOP_LIMIT price = limit, auxPrice = stop
    MIDPRICE        price = cap, if any           TRAIL      trailingAmt, trailingType, price = first stop, if any
    TRAILLMT        trailingAmt, trailingType, price = limit offset, auxPrice = first stop, if any

IBKR's texts leave open whether a TRAILLMT's `price` is its limit or the offset of it; the offset is meant here.
`outsideRTH` is always written, as a modification must repeat every key of the placement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from engine.domain.instrument import Instrument, SecType
from engine.domain.ticket import BadTicket, OrderTicket, OrderType, Side, Tif, TrailUnit
from engine.webapi import values
from engine.webapi.conidex import combo, conidex
from engine.webapi.facts.wire import Unreadable

# A United States rule (CME 536-B) has orders in futures say whether a person made them.
SAYS_WHO: Final = frozenset({SecType.FUTURE, SecType.FUTURE_OPTION})
_PRICE_IS_STOP: Final = frozenset({OrderType.STOP, OrderType.TRAIL})


def plain_number(value: Decimal) -> Decimal:
    """Return the same number so that JSON prints it without an exponent (from a millionth up)."""
    return Decimal(format(value, "f"))


def says_who(instrument: Instrument) -> bool:
    """Whether orders in it, and their cancels, must carry `manualIndicator`."""
    return instrument.sec_type in SAYS_WHO


def to_wire(
    ticket: OrderTicket, instrument: Instrument, *, operator: str | None = None, named: bool | None = None
) -> dict[str, object]:
    """Write one ticket.

    Args:
        operator: `extOperator` of orders in futures, where the account needs one.
        named: Whether to send `cOID`; None: unless it is a bracket's child, which IBKR wants to be without.

    Raises: conidex.NoCombo if the instrument is a combo that can't be written.
    """
    wire: dict[str, object] = {"acctId": ticket.account}
    if instrument.legs:
        wire["conidex"] = conidex(instrument)  # a conid beside it has it refused
    else:
        wire["conid"] = ticket.conid
    if named if named is not None else ticket.parent is None:
        wire["cOID"] = ticket.coid
    if ticket.parent is not None:
        wire["parentId"] = ticket.parent
    wire["orderType"] = ticket.order_type
    wire["side"] = ticket.side
    wire["tif"] = ticket.tif
    wire["quantity"] = plain_number(ticket.quantity)
    wire["outsideRTH"] = ticket.outside_rth
    for key, price in _prices(ticket).items():
        if price is not None:
            wire[key] = plain_number(price)
    if ticket.trail is not None:
        wire["trailingAmt"] = plain_number(ticket.trail)
        wire["trailingType"] = ticket.trail_unit
    if ticket.oca_group is not None and ticket.parent is None:  # exits of a bracket cancel one another anyway
        wire["isSingleGroup"] = True
    if says_who(instrument):
        wire["manualIndicator"] = False
        if operator is not None:
            wire["extOperator"] = operator
    return wire


def _prices(ticket: OrderTicket) -> dict[str, Decimal | None]:
    if ticket.order_type is OrderType.TRAIL_LIMIT:
        return {"price": ticket.limit_offset, "auxPrice": ticket.stop_price}
    if ticket.order_type in _PRICE_IS_STOP:
        return {"price": ticket.stop_price}
    return {"price": ticket.limit_price, "auxPrice": ticket.stop_price}


def orders_body(wires: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the body of a placement: one ticket, or those of one bracket or OCA group, parent first.

    Raises: ValueError if the tickets do not belong together; unrelated ones must be sent one by one.
    """
    if not wires:
        raise ValueError("a placement needs a ticket")
    if len(wires) > 1 and not all(wire.get("isSingleGroup") for wire in wires):
        parent = wires[0].get("cOID")
        if parent is None or any(wire.get("parentId") != parent for wire in wires[1:]):
            raise ValueError("tickets of one placement must be a bracket, its parent first, or an OCA group")
    return {"orders": [dict(wire) for wire in wires]}


def from_wire(
    wire: Mapping[str, object],
    *,
    coid: str,
    strategy: str,
    instrument: Instrument,
    oca_group: str | None = None,
    tag: str = "",
) -> OrderTicket | Unreadable:
    """Read one ticket as `to_wire` writes it; what only we know of it comes from the arguments.

    `Unreadable` if it names another instrument, or is no ticket.
    """
    if not _names(wire, instrument):
        return Unreadable(reason="the ticket names another instrument")
    try:
        kind, side = OrderType(str(wire.get("orderType"))), Side(str(wire.get("side")))
        tif, unit = Tif(str(wire.get("tif", "DAY"))), TrailUnit(str(wire.get("trailingType", "amt")))
    except ValueError:
        return Unreadable(reason="the ticket's orderType, side, tif or trailingType is unknown")
    price, aux = values.decimal(wire.get("price")), values.decimal(wire.get("auxPrice"))
    limit: Decimal | None = price
    stop, offset = aux, None
    if kind is OrderType.TRAIL_LIMIT:
        limit, offset = None, price
    elif kind in _PRICE_IS_STOP:
        limit, stop = None, price
    try:
        return OrderTicket(
            coid=coid,
            strategy=strategy,
            account=values.text(wire.get("acctId")) or "",
            conid=instrument.conid,
            side=side,
            order_type=kind,
            quantity=values.decimal(wire.get("quantity")) or Decimal(0),
            tif=tif,
            limit_price=limit,
            stop_price=stop,
            trail=values.decimal(wire.get("trailingAmt")),
            trail_unit=unit,
            limit_offset=offset,
            outside_rth=values.flag(wire.get("outsideRTH")) is True,
            parent=values.text(wire.get("parentId")),
            oca_group=oca_group,
            tag=tag,
        )
    except BadTicket:
        return Unreadable(reason="the ticket contradicts itself")


def _names(wire: Mapping[str, object], instrument: Instrument) -> bool:
    if not instrument.legs:
        return values.integer(wire.get("conid")) == instrument.conid
    written = wire.get("conidex")
    found = combo(written) if isinstance(written, str) else None
    return found is not None and found.legs == instrument.legs
