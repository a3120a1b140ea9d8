"""Frames as the protocol has them, made up for these tests: one of every kind, and what each is to be read as."""

from __future__ import annotations

from typing import Any

SMD = {
    "topic": "smd+265598",
    "conid": 265598,
    "conidEx": "265598",
    "server_id": "q2",
    "6119": "q2",
    "6509": "RpB",
    "_updated": 1_712_000_000_123,
    "31": "190.25",
    "84": "190.20",
    "86": "190.30",
    "88": "1,200",
    "85": "300",
    "7059": "100",
    "7762": "5000000",
}
ORDER = {
    "acct": "DU1",
    "conid": 265598,
    "orderId": 77,
    "order_ref": "s-000001",
    "side": "BUY",
    "origOrderType": "LIMIT",
    "price": "1.00",
    "totalSize": 5.0,
    "filledQuantity": 0.0,
    "remainingQuantity": 5.0,
    "status": "Submitted",
    "order_ccp_status": "Submitted",
}
EXECUTION = {
    "execution_id": "0000e0d5.1.01.01",
    "conid": 265598,
    "side": "B",
    "size": 5.0,
    "price": "190.25",
    "order_id": 77,
    "order_ref": "s-000001",
    "account": "DU1",
    "trade_time_r": 1_712_000_000_000,
}
BARS = {
    "topic": "smh+265598",
    "serverId": "20477",
    "barLength": 60,
    "data": [{"o": 1.0, "h": 3.0, "l": 0.5, "c": 2.0, "v": 10, "t": 1_712_000_000_000}],
}
PROMPT = {"id": "n2", "title": "t", "text": "Well?", "orderId": 5, "reqId": "22", "options": ["Yes", "No"]}

# What is sent, and the kinds of what it is read as.
FRAMES: dict[str, tuple[Any, list[str]]] = {
    "waiting": ({"message": "waiting for session"}, ["Waiting"]),
    "system": ({"topic": "system", "success": "joe", "isFT": False, "isPaper": True}, ["Welcome"]),
    "heartbeat": ({"topic": "system", "hb": 1_712_000_000_000}, ["Heartbeat"]),
    "act": (
        {"topic": "act", "args": {"accounts": ["DU1"], "selectedAccount": "DU1", "isPaper": True}},
        ["AccountsNow"],
    ),
    "sts": ({"topic": "sts", "args": {"authenticated": True, "competing": False, "connected": True}}, ["Pushed"]),
    "sts partial": ({"topic": "sts", "args": {"competing": False}}, ["Pushed"]),
    "sts empty": ({"topic": "sts", "args": {"message": ""}}, ["Pushed"]),
    "tic": ({"topic": "tic", "alive": True, "id": "0" * 32, "lastAccessed": 1_712_000_000_001}, ["Alive"]),
    "smd": (SMD, ["Market"]),
    "smd without conid": ({"topic": "smd+8314", "31": "C168.42"}, ["Market"]),
    "smd empty": ({"topic": "smd"}, []),
    "smd of nothing": ({"topic": "smd", "31": "5"}, ["Unreadable"]),
    "smh": (BARS, ["Bars"]),
    "sor": ({"topic": "sor", "args": [ORDER, {"orderId": "77", "status": "Filled"}]}, ["Orders"]),
    "sor ids only": ({"topic": "sor", "args": [{"acct": "DU1", "conid": 1, "orderId": 77}]}, ["Orders"]),
    "str": ({"topic": "str", "args": [EXECUTION]}, ["Trades"]),
    "str empty": ({"topic": "str", "args": []}, ["Trades"]),
    "spl": ({"topic": "spl", "args": {"DU1.Core": {"rowType": 1, "dpl": -12.5, "nl": 1e4}}}, ["Pnl"]),
    "ssd": (
        {"topic": "ssd+DU1", "result": [{"key": "Cushion", "timestamp": 1_712_000_000, "value": "1"}]},
        ["Summary"],
    ),
    "sld": ({"topic": "sld+DU1", "result": [{"key": "LedgerListUSD", "cashbalance": 2.1e8}]}, ["Summary"]),
    "sbd": (
        {"topic": "sbd+DU1+265598", "data": [{"row": 1, "focus": 0, "price": "9.6", "bid": "3", "ask": ""}]},
        ["Depth"],
    ),
    "ntf": ({"topic": "ntf", "args": {"id": "n1", "title": "t", "text": "x", "url": "u"}}, ["Notification"]),
    "ntf two": ({"topic": "ntf", "args": [{"id": "n1", "text": "x"}, PROMPT]}, ["Notification", "Notification"]),
    "blt": ({"topic": "blt", "args": {"id": "b1", "message": "m"}}, ["Bulletin"]),
    "error": ({"error": "No accounts", "code": 500, "topic": "smd"}, ["Trouble"]),
    "error topic": ({"topic": "error", "message": "invalid topic", "code": 400}, ["Trouble"]),
    "unsubscribed": ({"result": "unsubscribed from summary"}, ["Ended"]),
    "unsubscribed history": ({"message": "Unsubscribed 20477"}, ["Ended"]),
    "unheard of": ({"topic": "zzz", "args": {}}, ["Unreadable"]),
}
