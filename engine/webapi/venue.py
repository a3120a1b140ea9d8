"""Facts of the Web API into the values that actors know, and back. Pure; absent stays None."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.domain import brokerage as b
from engine.domain.ticket import OrderType
from engine.webapi.facts.orders import (
    Acknowledged,
    CancelAnswer,
    CancelInDoubt,
    CancelTaken,
    Execution,
    InDoubt,
    OrderRow,
    OrderStatus,
    PlacementRow,
    Prompt,
    Question,
    RefusedRow,
    WhatIf,
    side,
)
from engine.webapi.facts.portfolio import PortfolioPosition

# How order types read back (protocol, section 4.5), without case, blanks and underscores.
_TYPES: Final = {
    "market": OrderType.MARKET,
    "mkt": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "lmt": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stp": OrderType.STOP,
    "stoplimit": OrderType.STOP_LIMIT,
    "stplmt": OrderType.STOP_LIMIT,
    "trail": OrderType.TRAIL,
    "trailingstop": OrderType.TRAIL,
    "trailllmt": OrderType.TRAIL_LIMIT,
    "traillmt": OrderType.TRAIL_LIMIT,
    "trailinglimit": OrderType.TRAIL_LIMIT,
    "trailingstoplimit": OrderType.TRAIL_LIMIT,
    "midprice": OrderType.MIDPRICE,
    "moc": OrderType.MARKET_ON_CLOSE,
    "marketonclose": OrderType.MARKET_ON_CLOSE,
    "loc": OrderType.LIMIT_ON_CLOSE,
    "limitonclose": OrderType.LIMIT_ON_CLOSE,
}
_ONE_PRICE_IS_STOP: Final = frozenset({OrderType.STOP, OrderType.TRAIL})


def order_type(*words: str | None) -> str | None:
    """Our word for an order type, from the first of the venue's words that can be read."""
    for word in words:
        if word:
            found = _TYPES.get("".join(word.replace("_", " ").split()).lower())
            if found is not None:
                return found
    return None


def order(row: OrderRow, *, seen_ns: int, from_stream: bool, whole: OrderRow | None = None) -> b.VenueOrder:
    """An order row, or a delta of one: what it does not carry is None.

    Args:
        whole: All that is known of the order: it says what a delta's price is the price of.
    """
    kind = order_type(row.original_type, row.order_type)
    limit, stop = row.price, row.stop_price
    known = kind if kind is not None or whole is None else order_type(whole.original_type, whole.order_type)
    if known in _ONE_PRICE_IS_STOP:
        limit, stop = None, row.price if row.price is not None else row.stop_price
    return b.VenueOrder(
        order_id=str(row.order_id),
        account=row.account,
        coid=row.order_ref,
        parent_id=None if row.parent_id is None else str(row.parent_id),
        oca_group=row.oca_group,
        conid=row.conid,
        conidex=row.conidex,
        side=None if row.side is None else side(row.side),
        order_type=kind,
        tif=row.tif,
        status=row.status,
        ccp_status=row.ccp_status,
        total=row.total,
        filled=row.filled,
        remaining=row.remaining,
        limit_price=limit,
        stop_price=stop,
        outside_rth=row.outside_rth,
        average_price=row.average_price,
        reason=row.reason,
        seen_ns=seen_ns,
        from_stream=from_stream,
    )


def order_page(page: OrderStatus, *, seen_ns: int) -> b.VenueOrder:
    """An order's own page."""
    return b.VenueOrder(
        order_id=str(page.order_id),
        account=page.account or None,
        conid=page.conid,
        conidex=page.conidex or None,
        side=side(page.side),
        order_type=order_type(page.order_type),
        tif=page.tif or None,
        status=page.status or None,
        total=page.total,
        filled=page.filled,
        remaining=page.remaining,
        limit_price=page.limit_price,
        stop_price=page.stop_price,
        outside_rth=page.outside_rth,
        average_price=page.average_price,
        seen_ns=seen_ns,
    )


def execution(row: Execution, *, heard_ns: int) -> b.VenueExecution:
    """An execution; `heard_ns` where it does not tell its time."""
    return b.VenueExecution(
        execution_id=row.execution_id,
        order_id="" if row.order_id is None else str(row.order_id),
        account=row.account or None,
        coid=row.order_ref,
        conid=row.conid,
        side=row.side,
        size=row.size,
        price=row.price,
        ts_ns=row.moment_ns or heard_ns,
        commission=row.commission,
        liquidation=row.liquidation is True,
    )


def position(row: PortfolioPosition) -> b.VenuePosition:
    """A position."""
    return b.VenuePosition(
        conid=row.conid,
        quantity=row.quantity,
        average_cost=row.average_cost,
        currency=row.currency or None,
    )


def question(row: Question) -> b.Question:
    """A question."""
    return b.Question(reply_id=row.reply_id, message_ids=row.message_ids, texts=row.messages)


def prompt(row: Prompt) -> b.Prompted:
    """An offer."""
    return b.Prompted(
        order_id="" if row.order_id is None else str(row.order_id),
        request_id=row.request_id,
        text=row.text,
        options=row.options,
        message_id=row.message_id,
    )


def preview(told: WhatIf) -> b.Preview:
    """A preview."""
    cost, equity, initial, maintenance = told.amount, told.equity, told.initial, told.maintenance
    return b.Preview(
        error=told.error,
        warnings=told.warnings or ((told.warning,) if told.warning else ()),
        commission=None if cost is None or cost.commission is None else cost.commission.amount,
        equity_after=None if equity is None or equity.after is None else equity.after.amount,
        initial_change=None if initial is None or initial.change is None else initial.change.amount,
        initial_after=None if initial is None or initial.after is None else initial.after.amount,
        maintenance_after=None if maintenance is None or maintenance.after is None else maintenance.after.amount,
    )


def write_answer(rows: Iterable[PlacementRow], *, tickets: int = 1) -> b.WriteAnswer:
    """The rows of an answer to an order write of so many tickets; what no row speaks of is in doubt.

    Something that can't be read never proves a refusal, and a refusal of one ticket never proves that of another.
    """
    taken: list[b.LegTaken] = []
    refused: list[b.LegRefused] = []
    questions: list[b.Question] = []
    doubts: list[str] = []
    offers: list[b.Prompted] = []
    whole = False  # a refusal of all that was asked for
    for row in rows:
        match row:
            case Acknowledged():
                taken.append(
                    b.LegTaken(
                        order_id=str(row.order_id),
                        status=row.status,
                        coid=row.coid,
                        parent_id=None if row.parent_id is None else str(row.parent_id),
                        text=row.text,
                    )
                )
            case RefusedRow():
                parent = None if row.parent_id is None else str(row.parent_id)
                refused.append(b.LegRefused(reason=row.reason, coid=row.coid, parent=parent))
                whole = whole or not row.of_one_ticket
            case Question():
                questions.append(question(row))
            case Prompt():
                offers.append(prompt(row))
            case InDoubt():
                doubts.append(row.reason)
    if not taken and not questions and not doubts:
        if offers and not refused:
            return offers[0]
        if len(refused) == 1 and (whole or tickets == 1):
            return b.AllRefused(reason=refused[0].reason)
    if questions and not (taken or refused or doubts or offers):
        return b.Asked(questions=tuple(questions))
    refused += [b.LegRefused(reason=offer.text) for offer in offers]  # its other answers are lost with the group
    if doubts:
        refused = [leg for leg in refused if leg.coid is not None]  # the others may be anybody's
    if not (taken or refused or questions):
        return b.Unclear(reason="; ".join(doubts) or "the answer is empty")
    return b.Answered(taken=tuple(taken), refused=tuple(refused), questions=tuple(questions))


def cancel_answer(answer: CancelAnswer) -> b.CancelAnswer:
    """The answer to a cancel."""
    match answer:
        case CancelTaken(at_once=at_once):
            return b.CancelTaken(at_once=at_once)
        case CancelInDoubt(reason=reason):
            return b.Unclear(reason=reason)
        case _:
            return b.CancelTurnedDown(reason=answer.reason, unknown_order=answer.unknown, inactive=answer.inactive)
