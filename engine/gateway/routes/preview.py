"""The what-if preview: what an order would cost and change, in display strings; nothing is listed by it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instrument import Instrument, SecType
from engine.gateway.acks import refused
from engine.gateway.bundles import read_bundle, tickets_of
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.groups import members
from engine.gateway.hall import Hall
from engine.gateway.records import NewOrder
from engine.gateway.rows import size_text
from engine.gateway.tickets import Draft, Problem
from engine.gateway.touch import touch

_NO_DATA: Final = (
    "21/You are trying to submit an order without having market data for this instrument. \nIB strongly recommends "
    "against this kind of blind trading which may result in \nerroneous or unexpected trades."
)
_UNITS: Final = {SecType.STOCK: "Shares", SecType.CASH: "Units", SecType.CRYPTO: "Units", SecType.COMBO: "Combos"}


def what_if(hall: Hall, call: Call) -> Answer:
    """POST .../orders/whatif: preview of an order, or of a bracket's entry."""
    named = call.params["accountId"]
    raws = tickets_of(call.body)
    if raws is None:
        return refusal(400, "Missing order parameters")
    account = named if named in hall.exchange.accounts else next(iter(members(hall, named)), None)
    if account is None:
        return refusal(400, f"Bad Request: accountId is not valid: {named}")
    bundle = read_bundle(hall, account, raws)
    if isinstance(bundle, Problem):
        return refusal(400, bundle.text) if bundle.field in ("conid", "conidex") else refused(bundle)
    draft = next((part.draft for part in bundle.parts if part.draft is not None), None)
    if draft is None:
        return refusal(400, "Missing order parameters")
    return Answer(body=_preview(hall, account, draft))


def _preview(hall: Hall, account: str, draft: Draft) -> dict[str, object]:
    ticket, instrument = draft.ticket, draft.contract.instrument
    order = NewOrder(
        account=account,
        ticket=msgspec.structs.replace(ticket, account=account),
        wire=draft.wire,
        client_id=draft.client_id,
    )
    initial, maintenance, commission = hall.exchange.margin_change(order)
    funds = hall.exchange.funds(account)
    held = sum((p.quantity for p in hall.exchange.positions(account) if p.conid == ticket.conid), Decimal(0))
    market = touch(hall.exchange, ticket.conid)
    quiet = "o354" in hall.memory.suppressed
    return {
        "amount": _amount(draft, instrument, market.price(buy=ticket.side.sign > 0), commission),
        "equity": _change(funds.net_liquidation, -commission),
        "initial": _change(funds.initial_margin, initial),
        "maintenance": _change(funds.maintenance_margin, maintenance),
        "position": _change(held, ticket.side.sign * ticket.quantity),
        "warn": None if market.known or quiet else _NO_DATA,
        "error": hall.exchange.unaffordable(order),
    }


def _amount(draft: Draft, instrument: Instrument, market: Decimal | None, commission: Decimal) -> dict[str, str]:
    ticket, currency = draft.ticket, instrument.currency
    price = ticket.limit_price if ticket.limit_price is not None else market
    units = f"({size_text(ticket.quantity)} {_UNITS.get(instrument.sec_type, 'Contracts')})"
    fee = f"{_grouped(commission)} {currency}"
    if price is None:
        return {"amount": f"- {currency} {units}", "commission": fee, "total": f"- {currency}"}
    money = price * ticket.quantity * instrument.multiplier
    total = money + commission * ticket.side.sign
    return {"amount": f"{money:,.2f} {currency} {units}", "commission": fee, "total": f"{total:,.2f} {currency}"}


def _grouped(value: Decimal) -> str:
    """At most two digits after the point, none that say nothing: `1,978.6`, `1`, `-0.35`."""
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _change(current: Decimal, change: Decimal) -> dict[str, str]:
    return {"current": _grouped(current), "change": _grouped(change), "after": _grouped(current + change)}


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        methods=("POST",),
        template="/iserver/account/{accountId}/orders/whatif",
        handler=what_if,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
)
