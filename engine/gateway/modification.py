"""The full-ticket rule: a modification repeats the whole ticket, with only what it wants changed.

Instructions that the original had must all be there; identifiers may be left out but not differ. What is refused is
told which field it is and why. Source: IBKR's text on modifying orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.domain.ticket import Tif
from engine.gateway.conidex import BadConidex, read_conidex
from engine.gateway.fields import FIELDS, absent, ill_typed, number, whole
from engine.gateway.records import LiveOrder
from engine.gateway.rows import contract_of
from engine.gateway.tickets import Draft, Problem, parse

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

IDENTIFIERS: Final = frozenset({"acctId", "cOID", "parentId", "ticker", "secType", "referrer"})
CHANGEABLE: Final = frozenset(
    {"quantity", "price", "auxPrice", "trailingAmt", "outsideRTH", "tif", "deactivated", "manualOrderTime"}
)
_INSTRUMENT: Final = ("conid", "conidex")


def modified(hall: Hall, order: LiveOrder, sent: object) -> Draft | Problem:
    """Read a modification of an order: the draft of its new, full ticket under the order's own names."""
    if not isinstance(sent, dict):
        return Problem(400, "Missing order parameters")
    wrong = ill_typed(sent)
    if wrong is not None:
        return Problem(400, f"Bad Request: {wrong[0]} must be {wrong[1]}", wrong[0])
    problem = _against(hall, order, sent)
    if problem is not None:
        return problem
    kept = {name: value for name, value in order.wire.items() if name in IDENTIFIERS and absent(sent, name)}
    draft = parse(hall, order.account, sent)
    if isinstance(draft, Problem):
        return draft
    old = order.ticket
    wanted = draft.ticket
    if wanted.tif is not old.tif and (wanted.tif in (Tif.IOC, Tif.OPG) or old.tif is Tif.OPG):
        return Problem(400, f"tif can't be changed from {old.tif} to {wanted.tif}", "tif")
    if draft.cash_quantity is not None:  # sized once, when it was placed
        wanted = msgspec.structs.replace(wanted, quantity=old.quantity)
    if wanted.quantity < order.filled:
        return Problem(400, f"quantity is the total: {order.filled:f} are filled already", "quantity")
    draft.ticket = msgspec.structs.replace(
        wanted, coid=old.coid, strategy=old.strategy, parent=old.parent, oca_group=old.oca_group, tag=old.tag
    )
    draft.wire = {**kept, **sent}
    draft.client_id = order.client_id
    draft.parent = None if order.parent_id is None else str(order.parent_id)
    return draft


def _against(hall: Hall, order: LiveOrder, sent: dict[str, Any]) -> Problem | None:
    """Compare field by field with the ticket as it was sent last."""
    problem = _instrument(hall, order, sent)
    if problem is not None:
        return problem
    for name in FIELDS:
        if name in _INSTRUMENT:
            continue
        old, new = order.wire.get(name), sent.get(name)
        if name in IDENTIFIERS:
            if not absent(sent, name) and not _names(hall, order, name, new):
                return Problem(400, f"{name} differs from the original order's", name)
        elif absent(order.wire, name):
            added = not absent(sent, name) and new is not False and (name, new) != ("listingExchange", "SMART")
            if added and name not in CHANGEABLE:
                return Problem(400, f"{name} was not in the original order and can't be added", name)
        elif absent(sent, name):
            return Problem(400, f"{name} is missing: a modification repeats the whole order ticket", name)
        elif name not in CHANGEABLE and not _same(old, new):
            return Problem(400, f"{name} of an order can't be changed", name)
    return None


def _instrument(hall: Hall, order: LiveOrder, sent: dict[str, Any]) -> Problem | None:
    given = [name for name in _INSTRUMENT if not absent(sent, name)]
    if not given:
        return Problem(400, "conid is missing: a modification repeats the whole order ticket", "conid")
    if len(given) == 2:
        return Problem(400, "conid and conidex can't both be given", "conidex")
    if _place(hall, sent) != _place(hall, order.wire):
        return Problem(400, f"{given[0]} of an order can't be changed", given[0])
    return None


def _place(hall: Hall, wire: dict[str, Any]) -> object:
    """What a ticket trades and where, whichever way it says so; SMART is where everything goes by itself."""
    text = wire.get("conidex")
    if not isinstance(text, str) or not text:
        return whole(wire.get("conid")), "SMART", ()
    try:
        named = read_conidex(text, hall.exchange.contracts)
    except BadConidex:
        return text
    return named.conid, named.exchange or "SMART", named.legs


def _names(hall: Hall, order: LiveOrder, name: str, new: object) -> bool:
    """Whether an identifier is the order's own."""
    if not absent(order.wire, name) and _same(order.wire[name], new):
        return True
    instrument = contract_of(hall, order.ticket.conid).instrument
    match name:
        case "acctId":
            return new == order.account
        case "ticker":
            return absent(order.wire, name) and new == instrument.symbol
        case "secType":
            return absent(order.wire, name) and str(new).rpartition(":")[2] == instrument.sec_type
        case "parentId":
            return order.parent_id is not None and str(new) == str(order.parent_id)
        case _:
            return False


def _same(old: object, new: object) -> bool:
    """Equal as values: `100`, `100.0` and `"100"` are one number."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    first, second = number(old), number(new)
    if first is not None and second is not None:
        return first == second
    if isinstance(old, str) and isinstance(new, str):
        return old.upper() == new.upper() if old in ("Buy", "Sell") or new in ("Buy", "Sell") else old == new
    return old == new
