"""What one websocket frame says. Total: text or bytes in, a frame or `Unreadable` out, never an exception.

Frames may come as text or as bytes with JSON inside; the echo `ech+hb` is no JSON at all. A frame of a topic nobody
knows is `Unreadable`, with its topic as the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from engine.webapi import values
from engine.webapi.codecs import reading
from engine.webapi.codecs.accounts import pnl_of
from engine.webapi.codecs.market import depth_of, history_of, snapshot_row
from engine.webapi.codecs.orders import execution, order_row
from engine.webapi.codecs.session import auth_status_of
from engine.webapi.facts.accounts import BrokerageAccounts, PnlRow
from engine.webapi.facts.market import DepthRow, History, SnapshotRow
from engine.webapi.facts.orders import Execution, OrderRow, Prompt
from engine.webapi.facts.session import AuthStatus
from engine.webapi.facts.wire import Unreadable


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the server's."""


class Waiting(Frame, frozen=True, kw_only=True):
    """The socket is not authorised yet."""


class Heartbeat(Frame, frozen=True, kw_only=True):
    """Sent every ten seconds."""

    server_ns: int | None = None


class Alive(Frame, frozen=True, kw_only=True):
    """Answer to `tic`; the gateway says each several times, told apart by `accessed_ns`."""

    alive: bool | None = None
    accessed_ns: int | None = None


class Echo(Frame, frozen=True, kw_only=True):
    """Answer to `ech+hb`: the text itself."""


class Welcome(Frame, frozen=True, kw_only=True):
    """The user behind the socket, told once after connecting."""

    username: str
    paper: bool | None = None


class AccountsNow(Frame, frozen=True, kw_only=True):
    """`act`: accounts, after connecting and when they change."""

    accounts: BrokerageAccounts


class Pushed(Frame, frozen=True, kw_only=True):
    """`sts`: the brokerage session; what the frame leaves out is None."""

    status: AuthStatus


class Market(Frame, frozen=True, kw_only=True):
    """`smd`: what changed of one line. `name` is the line as it was subscribed to: a conid, perhaps with its exchange,
    or a combo's `conidex`."""

    row: SnapshotRow
    name: str


class Bars(Frame, frozen=True, kw_only=True):
    """`smh`: the one answer of a history subscription, which `history.server_id` ends. `name` as subscribed to."""

    name: str
    history: History


class Orders(Frame, frozen=True, kw_only=True):
    """`sor`: rows in order; several states of one order may be among them. What is `unreadable` is news all the same:
    the lists have to be read."""

    rows: tuple[OrderRow, ...]
    unreadable: int = 0


class Trades(Frame, frozen=True, kw_only=True):
    """`str`: executions, each told at least twice."""

    rows: tuple[Execution, ...]
    unreadable: int = 0


class Pnl(Frame, frozen=True, kw_only=True):
    """`spl`: profit and loss by account or model."""

    rows: dict[str, PnlRow]


class Summary(Frame, frozen=True, kw_only=True):
    """`ssd` or `sld`: rows of an account's summary or ledger, each by its key; values as they came."""

    topic: str
    account: str
    rows: dict[str, dict[str, object]]


class Depth(Frame, frozen=True, kw_only=True):
    """`sbd`: rows of a book."""

    account: str
    conid: int
    rows: tuple[DepthRow, ...]


class Notification(Frame, frozen=True, kw_only=True):
    """`ntf`: something to be shown; `prompt` where one of its options is wanted."""

    notice_id: str
    title: str
    text: str
    url: str = ""
    prompt: Prompt | None = None


class Bulletin(Frame, frozen=True, kw_only=True):
    """`blt`: a bulletin of the exchange's or the broker's."""

    bulletin_id: str
    text: str


class Trouble(Frame, frozen=True, kw_only=True):
    """The server could not do what was asked: a bad subscription, no accounts, no permission."""

    text: str
    topic: str = ""
    code: int | None = None


class Ended(Frame, frozen=True, kw_only=True):
    """A subscription has ended at our wish."""

    text: str


Said = (
    Waiting
    | Heartbeat
    | Alive
    | Echo
    | Welcome
    | AccountsNow
    | Pushed
    | Market
    | Bars
    | Orders
    | Trades
    | Pnl
    | Summary
    | Depth
    | Notification
    | Bulletin
    | Trouble
    | Ended
    | Unreadable
)
ECHO: Final = b"ech+hb"


def read(raw: str | bytes) -> list[Said]:
    """Read one frame; a frame of several notices gives several."""
    body = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    if body.strip() == ECHO:
        return [Echo()]
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return [value]
    if not isinstance(value, dict):
        return [Unreadable(reason="the frame is no object", excerpt=reading.excerpt(value))]
    return _read(value)


def _read(value: dict[str, object]) -> list[Said]:
    topic = values.text(value.get("topic")) or ""
    name = topic.partition("+")[0]
    if "error" in value and value.get("error") is not None:
        code = values.integer(value.get("code"))
        return [Trouble(text=values.text(value["error"]) or "no reason given", topic=topic, code=code)]
    reader = TOPICS.get(name)
    if reader is not None:
        return reader(topic, value)
    message = values.text(value.get("message"))
    if message is not None and "waiting for session" in message.lower():
        return [Waiting()]
    if message is not None and message.lower().startswith("unsubscribed"):
        return [Ended(text=message)]
    result = values.text(value.get("result"))
    if result is not None and "unsubscribed" in result.lower():
        return [Ended(text=result)]
    return [Unreadable(reason=f"the topic {name[:20]!r} is not known", excerpt=reading.excerpt(value))]


def _system(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    if "hb" in value:
        return [Heartbeat(server_ns=values.ms_ns(value["hb"]))]
    user = values.text(value.get("success"))
    if user is not None:
        return [Welcome(username=user, paper=values.flag(value.get("isPaper")))]
    return [Unreadable(reason="a system frame without user and heartbeat", excerpt=reading.excerpt(value))]


def _act(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    read = reading.fact(BrokerageAccounts, value.get("args"))
    return [read if isinstance(read, Unreadable) else AccountsNow(accounts=read)]


def _sts(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    args = value.get("args")
    if not isinstance(args, dict):
        return [Unreadable(reason="an sts frame without its flags", excerpt=reading.excerpt(value))]
    read = auth_status_of(args)
    if isinstance(read, Unreadable):  # a partial one, such as {"message": ""}: it tells of no flag
        return [Pushed(status=AuthStatus())]
    return [Pushed(status=read)]


def _tic(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    return [Alive(alive=values.flag(value.get("alive")), accessed_ns=values.ms_ns(value.get("lastAccessed")))]


def _smd(topic: str, value: dict[str, object]) -> list[Said]:
    row = snapshot_row(value)
    if isinstance(row, Unreadable):
        # Updates without a conid occur, and they are empty: there is nothing in them to be missed.
        return [row] if any(tag.isdigit() for tag in value) else []
    return [Market(row=row, name=topic.partition("+")[2] or row.conidex or str(row.conid))]


def _smh(topic: str, value: dict[str, object]) -> list[Said]:
    name = topic.partition("+")[2] or values.identifier(value.get("conid")) or ""
    history = history_of(value)
    if not name:
        return [Unreadable(reason="bars of no conid", excerpt=reading.excerpt(value))]
    return [history if isinstance(history, Unreadable) else Bars(name=name, history=history)]


def _sor(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    rows = [order_row(item) for item in _news(value)]
    good = tuple(row for row in rows if isinstance(row, OrderRow))
    return [Orders(rows=good, unreadable=len(rows) - len(good))]


def _str(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    rows = [execution(item) for item in _news(value)]
    good = tuple(row for row in rows if isinstance(row, Execution))
    return [Trades(rows=good, unreadable=len(rows) - len(good))]


def _spl(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    rows = pnl_of(value.get("args"))
    return [rows if isinstance(rows, Unreadable) else Pnl(rows=rows)]


def _keyed(topic: str, value: dict[str, object]) -> list[Said]:
    name, _, account = topic.partition("+")
    rows = {}
    for item in _list(value.get("result")):
        if isinstance(item, dict) and (key := values.text(item.get("key"))) is not None:
            rows[key] = {str(name): one for name, one in item.items()}
    return [Summary(topic=name, account=account, rows=rows)]


def _sbd(topic: str, value: dict[str, object]) -> list[Said]:
    parts = topic.split("+")
    conid = values.integer(parts[2]) if len(parts) > 2 else None
    rows = depth_of(value.get("data"))
    if conid is None or isinstance(rows, Unreadable):
        return [Unreadable(reason="a book of no conid, or no rows", excerpt=reading.excerpt(value))]
    return [Depth(account=parts[1], conid=conid, rows=rows)]


def _ntf(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    return [_notice(item) for item in _list(value.get("args")) if isinstance(item, dict)]


def _notice(item: Mapping[str, object]) -> Notification:
    text = values.text(item.get("text")) or ""
    options = tuple(word for one in _list(item.get("options")) if (word := values.text(one)) is not None)
    request_id = values.identifier(item.get("reqId"))
    prompt = None
    if request_id is not None and options:
        prompt = Prompt(
            order_id=values.integer(item.get("orderId")),
            request_id=request_id,
            text=text,
            options=options,
            message_id=values.text(item.get("messageId")) or "",
        )
    return Notification(
        notice_id=values.identifier(item.get("id")) or "",
        title=values.text(item.get("title")) or "",
        text=text,
        url=values.text(item.get("url")) or "",
        prompt=prompt,
    )


def _blt(topic: str, value: dict[str, object]) -> list[Said]:
    del topic
    found: list[Said] = []
    for item in _list(value.get("args")):
        if isinstance(item, dict):
            bulletin_id = values.identifier(item.get("id")) or ""
            found.append(Bulletin(bulletin_id=bulletin_id, text=values.text(item.get("message")) or ""))
    return found


def _error(topic: str, value: dict[str, object]) -> list[Said]:
    text = values.text(value.get("message")) or "no reason given"
    return [Trouble(text=text, topic=topic, code=values.integer(value.get("code")))]


def _news(value: dict[str, object]) -> list[object]:
    """The rows of `args`. Something else in their place is kept, to be counted as what can't be read."""
    args = value.get("args")
    return _list(args) if args is None or isinstance(args, list | dict) else [args]


def _list(value: object) -> list[object]:
    """A list as it is, one object as a list of it, anything else as none."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) and value else []


TOPICS: Final[Mapping[str, Callable[[str, dict[str, object]], list[Said]]]] = {
    "system": _system,
    "act": _act,
    "sts": _sts,
    "tic": _tic,
    "smd": _smd,
    "smh": _smh,
    "sor": _sor,
    "str": _str,
    "spl": _spl,
    "ssd": _keyed,
    "sld": _keyed,
    "sbd": _sbd,
    "ntf": _ntf,
    "blt": _blt,
    "error": _error,
}
