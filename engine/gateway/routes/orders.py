"""Order requests: place, answer, modify, cancel, suppress, prompts."""

from __future__ import annotations

from typing import Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.records import LiveOrder
from engine.gateway.rows import conid_of

_MOST_SUPPRESSED: Final = 51  # ids that one session may suppress, as IBKR's reference says


def place(hall: Hall, call: Call) -> Answer:
    """POST .../orders: one order, one bracket or one OCA group."""
    return hall.desk.place(hall, call.params["accountId"], call.body)


def reply(hall: Hall, call: Call) -> Answer:
    """POST /iserver/reply/{replyId}: confirm or decline a question."""
    return hall.desk.reply(hall, call.params["replyId"], call.body)


def modify(hall: Hall, call: Call) -> Answer:
    """POST .../order/{orderId}: a modification by full ticket."""
    return hall.desk.modify(hall, call.params["accountId"], call.params["orderId"], call.body)


def cancel(hall: Hall, call: Call) -> Answer:
    """DELETE .../order/{orderId}: ask for a cancellation; -1 for all of the account."""
    hall.desk.settle(hall)
    account, wanted = call.params["accountId"], call.params["orderId"]
    if account not in hall.exchange.accounts:
        return refusal(400, f"Bad Request: accountId is not valid: {account}")
    if wanted == "-1":
        return _cancel_all(hall, account)
    order = hall.exchange.order(int(wanted)) if wanted.isdecimal() and len(wanted) < 19 else None
    if order is None or order.account != account:
        status = 400 if hall.options.observed else 200  # the published sample has no error status
        return Answer(status=status, body={"error": f"OrderID {wanted} doesn't exist"})
    if order.parked or order.status == "Inactive":
        return Answer(status=400, body={"error": "Order is inactive"})
    if not order.open:
        return Answer(status=400, body={"error": f"OrderID {wanted} is {order.status} and can't be cancelled"})
    hall.exchange.cancel(order.order_id)
    return _submitted(hall, order)


def _submitted(hall: Hall, order: LiveOrder) -> Answer:
    """The request was taken. An order that died at once is told without conid and account, as recorded."""
    gone = hall.options.observed and order.status == "Cancelled"
    return Answer(
        body={
            "msg": "Request was submitted",
            "order_id": order.order_id,
            "conid": -1 if gone else conid_of(order)[0],
            "account": None if gone else order.account,
        }
    )


def _cancel_all(hall: Hall, account: str) -> Answer:
    """Cancel what works, and discard what has not reached the venue: nothing of the account may come alive later."""
    hall.desk.drop(hall, account)
    for order in hall.exchange.orders(account):
        if not order.open:  # looked at one by one: an entry takes its exits along
            continue
        if order.parked or order.deactivated:
            hall.exchange.discard(order.order_id, "Order was cancelled before it was transmitted")
        else:
            hall.exchange.cancel(order.order_id)
    named = None if hall.options.observed else account
    return Answer(body={"msg": "Request was submitted", "order_id": -1, "conid": -1, "account": named})


def suppress(hall: Hall, call: Call) -> Answer:
    """POST /iserver/questions/suppress: ids are added to what the session suppresses already; any text is taken."""
    ids = call.body.get("messageIds") if isinstance(call.body, dict) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
        return refusal(500, "Internal Server Error: messageIds must be a list of ids that is not empty")
    wanted = hall.memory.suppressed | set(ids)
    if len(wanted) > _MOST_SUPPRESSED:
        return refusal(500, f"Internal Server Error: at most {_MOST_SUPPRESSED} message ids can be suppressed")
    hall.memory.suppressed = wanted
    return Answer(body={"status": "submitted"})


def reset(hall: Hall, call: Call) -> Answer:
    """POST /iserver/questions/suppress/reset: have every question asked again."""
    del call
    hall.memory.suppressed = set()
    return Answer(body={"status": "submitted"})


def notification(hall: Hall, call: Call) -> Answer:
    """POST /iserver/notification: choose an option of a prompt."""
    return hall.desk.answer_prompt(hall, call.body)


_ACCOUNT: Final = "/iserver/account/{accountId}"

ROUTES: Final[tuple[Route, ...]] = (
    Route(methods=("POST",), template=f"{_ACCOUNT}/orders", handler=place, tier=Tier.BROKERAGE, after_accounts=True),
    Route(
        methods=("POST",),
        template=f"{_ACCOUNT}/order/{{orderId}}",
        handler=modify,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
    Route(
        methods=("DELETE",),
        template=f"{_ACCOUNT}/order/{{orderId}}",
        handler=cancel,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
    Route(methods=("POST",), template="/iserver/reply/{replyId}", handler=reply, tier=Tier.BROKERAGE),
    Route(methods=("POST",), template="/iserver/questions/suppress", handler=suppress, tier=Tier.BROKERAGE),
    Route(methods=("POST",), template="/iserver/questions/suppress/reset", handler=reset, tier=Tier.BROKERAGE),
    Route(methods=("POST",), template="/iserver/notification", handler=notification, tier=Tier.BROKERAGE),
)
