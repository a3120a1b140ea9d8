"""Sample answers by shape, made up for these tests, and a caller that hands out what a test gives it."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from engine.webapi import values
from engine.webapi.calls import Call, Reply
from engine.webapi.codecs import (
    accounts,
    contracts,
    errors,
    market,
    orders,
    people,
    placement,
    portfolio,
    scanner,
    session,
)
from engine.webapi.facts.wire import Fact, Unreadable, Wire
from engine.webapi.values import Money

Decoder = Callable[[bytes], object]

MODULES = (session, accounts, market, orders, contracts, portfolio, scanner, people, errors)


def _takes_a_body(member: object) -> bool:
    return inspect.isfunction(member) and list(inspect.signature(member).parameters) == ["body"]


# Every decoder of an answer, by name; the fuzz and the recorded exchanges run over all of them.
DECODERS: dict[str, Decoder] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": decoder
    for module in MODULES
    for name, decoder in inspect.getmembers(module, _takes_a_body)
}
DECODERS |= {
    "placement.placement": lambda body: placement.placement(200, body),
    "placement.placement 400": lambda body: placement.placement(400, body),
    "placement.reply": lambda body: placement.reply(200, body, confirmed=True),
    "placement.cancel": lambda body: placement.cancel(200, body),
    "errors.said": lambda body: errors.said(body, 400),
    # Frames of the websocket reach these with JSON that is parsed already.
    "frames": lambda body: _frame(msgspec.json.decode(body)) if _is_json(body) else None,
}


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True


def _frame(value: object) -> object:
    return (
        session.auth_status_of(value),
        accounts.pnl_of(value),
        market.snapshot_row(value),
        market.history_of(value),
        market.depth_of(value),
        orders.order_row(value),
        orders.executions_of(value),
        portfolio.ledger_rows(value),
        portfolio.summary_rows(value),
    )


ORDER: dict[str, Any] = {
    "acct": "DU1",
    "account": "DU1",
    "conid": 265598,
    "conidex": "265598@NASDAQ",
    "orderId": 1370093239,
    "order_ref": "s-000001",
    "ticker": "AAPL",
    "secType": "STK",
    "side": "BUY",
    "orderType": "Limit",
    "origOrderType": "LIMIT",
    "price": "165.00",
    "totalSize": 5.0,
    "remainingQuantity": 4.0,
    "filledQuantity": 1.0,
    "avgPrice": "164.9",
    "status": "Submitted",
    "order_ccp_status": "Submitted",
    "timeInForce": "CLOSE",
    "outsideRTH": False,
    "lastExecutionTime_r": 1702317649000,
}
TRADE: dict[str, Any] = {
    "execution_id": "0000e0d5.6576fd38.01.01",
    "symbol": "AAPL",
    "conid": "265598",
    "side": "S",
    "size": 5.0,
    "price": "192.26",
    "order_ref": "s-000001",
    "order_id": 1743789,
    "trade_time": "20231211-18:00:49",
    "trade_time_r": 1702317649000,
    "commission": "1.01",
    "account": "DU1",
    "liquidation_trade": "0",
}
ACKNOWLEDGED: dict[str, Any] = {
    "order_id": "1370093239",
    "order_status": "PreSubmitted",
    "encrypt_message": "1",
    "local_order_id": "s-000001",
}
QUESTION: dict[str, Any] = {
    "id": "07a13a5a-4a48-44a5-bb25-5ab37b79186c",
    "message": ["The price is 3% off.", "Sure?"],
    "isSuppressed": False,
    "messageIds": ["o163"],
}
FAILED: dict[str, Any] = {
    "order_id": "-1",
    "order_status": "Failed",
    "error": None,
    "warning_message": "-1",
    "text": "Order couldn't be submitted: Parent order ID=x isn't recognized.",
}
PROMPT: dict[str, Any] = {
    "orderId": 123456789,
    "reqId": "22170",
    "dismissable": [],
    "text": "Use the Price Management Algo?",
    "options": ["Use on this order", "Do not use"],
    "type": "M",
    "messageId": "p12",
    "prompt": True,
}
ROW: dict[str, Any] = {
    "conid": 265598,
    "conidEx": "265598",
    "server_id": "q1",
    "6119": "q1",
    "6509": "RpB",
    "_updated": 1712596911593,
    "31": "C168.42",
    "84": "168.41",
    "88": "1,300",
    "87": "25.5M",
    "87_raw": 25500100.0,
    "83": "0.54%",
    "86": "",
}
# One answer each of the richer shapes; the fuzz takes them apart.
SAMPLES: tuple[Any, ...] = (
    {"orders": [ORDER], "snapshot": True},
    [TRADE],
    [ACKNOWLEDGED, QUESTION, FAILED],
    PROMPT,
    [ROW],
    {"error": "no"},
    {
        "session": "a" * 32,
        "iserver": {"authStatus": {"authenticated": True, "connected": True}},
        "hmds": {"error": "x"},
    },
    {
        "data": [{"t": 1775136600000, "o": 1.5, "h": 2, "l": 1, "c": "1.75", "v": 10.25}],
        "symbol": "AAPL",
        "barLength": 60,
    },
    [{"conid": "756733", "position": 5.0, "avgCost": None, "mktPrice": 471.16, "strike": "0", "timestamp": 1702582321}],
    {"USD": {"cashbalance": 1.5, "currency": "USD", "key": "LedgerList", "timestamp": 1702582321}},
    {"upnl": {"DU1.Core": {"dpl": -12.5, "nl": 10000.0}}},
    {"call": [1, 2.5], "put": []},
    {"schedules": {"20260402": {"liquid_hours": [{"opening": 1775136600, "closing": 1775160000}]}}},
    {"Contracts": {"Contract": [{"contractID": "1", "inScanTime": "x"}]}},
    {"data": {"user_lists": [{"id": "1"}], "deleted": "1"}},
    {"DU1": {"1D": {"nav": [1], "dates": ["20260401"]}}, "included": ["DU1"]},
    {"amount": {"amount": "1,977.60 USD (10 Shares)", "commission": "1 USD"}, "error": None, "warn": "21/x"},
    "The answer was taken.",
)


class Handed:
    """A caller that answers each call with what `answer` makes of it, and keeps the calls."""

    def __init__(self, answer: Callable[[Call], Reply | Exception]) -> None:
        self._answer = answer
        self.calls: list[Call] = []

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:
        """Note the call and answer it."""
        self.calls.append(call)
        answer = self._answer(call)
        if isinstance(answer, Exception):
            raise answer
        return answer


def replied(body: object, status: int = 200) -> Reply:
    """A reply with a JSON body, or with bytes as they are."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Reply(status=status, body=raw, content_type="application/json", sent_ns=100, heard_ns=200)


VALUES: dict[object, Any] = {Decimal: "1,234.5", float: 2.5, int: "7", str: "word", bool: 1, Money: "5 USD"}


def sample_of(kind: type[Fact]) -> dict[str, Any]:
    """An object on the wire that has every field of a fact, worked out from its declaration."""
    sample: dict[str, Any] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        meta = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Wire)]
        key = (meta[0].keys or (name,))[0] if meta else name
        sample.setdefault(key, _value(hint, meta))  # two fields may read one key
    return sample


def _value(hint: Any, meta: list[Wire]) -> Any:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if meta and meta[0].read is values.stamp_ns:
        return "20251219-10:00:00"
    if meta and meta[0].read is not None:
        return 1702317649 if hint in (int, int | None) else "20251219"
    inner = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) in (Union, types.UnionType):
        return _value(inner[0], [])
    if get_origin(hint) is tuple:
        return [_value(inner[0], [])]
    if get_origin(hint) is dict:
        return {"DU1": _value(inner[1], [])}
    return sample_of(hint) if isinstance(hint, type) and issubclass(hint, Fact) else VALUES[hint]


def kinds(root: type[Fact] = Fact) -> list[type[Fact]]:
    """Every fact there is."""
    return [kind for each in root.__subclasses__() for kind in (each, *kinds(each))]


def wrapped(one: dict[str, Any]) -> list[Any]:
    """The ways in which answers hold their facts."""
    held = ["matchedAccounts", "algos", "secdef", "bondFilters", "data", "accounts", "subaccounts", "orders"]
    return [
        one,
        [one],
        {"x": one},
        {"x": [one]},
        {"categories": {"x": one}},
        {"upnl": {"x": one}},
        {"data": {"user_lists": [one]}},
        {"data": one},
        {"Contracts": {"Contract": [one]}},
        {"x": {"1D": one}, "included": ["x"]},
        *({key: [one], "metadata": {"total": 1}, "snapshot": True} for key in held),
    ]


def fitting(decode: Decoder, bodies: list[bytes]) -> list[bytes]:
    """Those bodies that a decoder reads as something."""
    read = [(body, decode(body)) for body in bodies]
    return [body for body, got in read if got is not None and got not in ((), {}) and not isinstance(got, Unreadable)]
