"""All websocket clients: who is let in, what they subscribed to, and the frames that wait for each.

Pure: messages, news and moments in, encoded frames in bounded boxes out. A task a client carries its box to the
socket; another wakes for `next_due_ns`. Nothing here knows of sockets.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from engine.gateway import frames
from engine.gateway.boxes import Client, session_id
from engine.gateway.faults import Faults
from engine.gateway.feeds import (
    AccountFeed,
    DepthFeed,
    Feed,
    Fetch,
    Frame,
    OrderFeed,
    ProfitFeed,
    QuoteFeed,
    Snapshot,
    TradeFeed,
    texts,
)
from engine.gateway.hall import Hall
from engine.gateway.records import ExecutionNews, News, OrderNews, QuoteNews
from engine.gateway.session import Turn

_S: Final = 1_000_000_000
_HISTORIES: Final = 5
_SLOW: Final = 1_000  # frames waiting, from which on a client's quotes are put off
_GOES: Final = {"umd": "smd", "uor": "sor", "upl": "spl", "ubd": "sbd"}


class Streams:
    """The registry.

    Args:
        hall: The gateway's middle.
        faults: Asked about every frame.
        snapshot: Prints market data fields.
        fetch: Reads a path of the REST surface, for what both show.
        history: Reads a history for `smh`; parameters in, body out, or a text that says why not.
    """

    def __init__(
        self,
        hall: Hall,
        faults: Faults,
        snapshot: Snapshot,
        fetch: Fetch,
        history: Callable[[int, Mapping[str, Any]], dict[str, Any] | str],
    ) -> None:
        self._hall = hall
        self._faults = faults
        self._snapshot = snapshot
        self._fetch = fetch
        self._history = history
        self.clients: list[Client] = []
        self._due: list[tuple[int, int, Client, Feed]] = []
        self._seq = 0
        self._by_conid: dict[int, list[tuple[Client, QuoteFeed | DepthFeed]]] = {}
        self._server_ids = 0

    # -- connections ---------------------------------------------------------------------------------------------

    def join(self, wake: Callable[[], None], cookie: str, now_ns: int) -> Client:
        """Take a new connection with the value of its `api` cookie ("" for none)."""
        client = Client(wake, self._hall.options.streams.backlog)
        client.beat_ns = now_ns + self._beat_gap
        self.clients.append(client)
        if not self._authorise(client, cookie, now_ns):
            self._send(client, {"message": "waiting for session"}, now_ns)
        return client

    def leave(self, client: Client) -> None:
        """Forget a connection and all its subscriptions."""
        self._unsubscribe_all(client)
        self.clients.remove(client)

    def _authorise(self, client: Client, said: str, now_ns: int) -> bool:
        if not said or not self._hall.session.connected or session_id(said) != self._hall.session.tickle_id:
            return False
        if client.authorised:
            return True
        client.authorised = True
        self._send(client, frames.system(self._hall), now_ns)
        if self._hall.session.usable(now_ns):
            self._send(client, {"topic": "act", "args": self._fetch("/iserver/accounts")}, now_ns)
        self._send(client, frames.full_status(self._hall, now_ns), now_ns)
        return True

    # -- messages from a client ----------------------------------------------------------------------------------

    def receive(self, client: Client, text: str, now_ns: int) -> None:
        """Act on one message; what it asks for lies in the client's box afterwards."""
        text = text.strip()
        if text.startswith("{"):
            if not self._authorise(client, text, now_ns):
                self._send(client, {"message": "waiting for session"}, now_ns)
        elif text == "ech+hb":
            client.put(b"ech+hb")
        elif not client.authorised:
            self._send(client, {"message": "waiting for session"}, now_ns)
        elif text == "tic":
            for _ in range(self._hall.options.streams.tics):
                client.accessed_ms = max(client.accessed_ms + 1, now_ns // 1_000_000)
                self._send(client, frames.tick_answer(self._hall, client.accessed_ms), now_ns)
        else:
            self._topic(client, text, now_ns)

    def _topic(self, client: Client, text: str, now_ns: int) -> None:
        # A combo's ratios may be written with a plus, so the argument ends where the JSON begins, not at a plus.
        head, brace, tail = text.partition("+{")
        try:
            wanted = msgspec.json.decode("{" + tail) if brace else {}
        except (msgspec.DecodeError, RecursionError):
            self._refuse(client, head, "argument is not valid JSON", now_ns, code=400)
            return
        topic, _, argument = head.strip().rstrip("+").partition("+")
        if topic in ("umd", "uor", "upl", "ubd", "utr", "umh", "usd", "uld"):
            self._unsubscribe(client, topic, argument, now_ns)
            return
        if not self._hall.session.usable(now_ns):
            self._refuse(client, head, "no bridge", now_ns)
        elif "accounts" not in self._hall.memory.primed:
            self._refuse(client, head, "No accounts", now_ns)
        else:
            self._subscribe(client, topic, argument, wanted, now_ns)

    def _subscribe(self, client: Client, topic: str, argument: str, wanted: Frame, now_ns: int) -> None:
        hall = self._hall
        feed: Feed
        match topic:
            case "smd":
                conid = self._conid(argument)
                if conid is None:
                    return self._refuse(client, f"smd+{argument}", "invalid conid", now_ns)
                known = hall.memory.fields.setdefault(argument, {})
                for name in texts(wanted.get("fields")):
                    known.setdefault(name, now_ns)
                feed = QuoteFeed(hall, argument, conid, self._snapshot, now_ns)
            case "sbd":
                account, _, place = argument.partition("+")
                conid = self._conid(place.partition("+")[0])
                if conid is None or account not in hall.exchange.accounts:
                    return self._refuse(client, f"sbd+{argument}", "invalid account or conid", now_ns)
                feed = DepthFeed(hall, f"sbd+{argument}", conid, now_ns)
            case "sor":
                feed = OrderFeed(hall, texts(wanted.get("filters")), now_ns)
            case "str":
                days = wanted.get("days", 1)
                days = min(7, max(1, days)) if type(days) is int else 1
                feed = TradeFeed(hall, days, replay=wanted.get("realtimeUpdatesOnly") is not True, now_ns=now_ns)
            case "spl":
                feed = ProfitFeed(hall, now_ns)
            case "ssd" | "sld":
                if argument not in hall.exchange.accounts:
                    return self._refuse(client, f"{topic}+{argument}", "invalid account", now_ns)
                feed = AccountFeed(hall, topic, argument, self._fetch, wanted, now_ns)
            case "smh":
                return self._answer_history(client, argument, wanted, now_ns)
            case _:
                return self._refuse(client, topic, "invalid topic", now_ns, code=400)
        self._drop(client, feed.topic)
        client.feeds[feed.topic] = feed
        if isinstance(feed, QuoteFeed | DepthFeed):
            self._by_conid.setdefault(feed.conid, []).append((client, feed))
        self._tell(client, feed, now_ns)
        return None

    def _answer_history(self, client: Client, argument: str, wanted: Frame, now_ns: int) -> None:
        conid = self._conid(argument)
        if conid is None:
            return self._refuse(client, f"smh+{argument}", "invalid conid", now_ns)
        if len(client.histories) >= _HISTORIES:
            return self._refuse(client, f"smh+{argument}", "too many open histories", now_ns, code=429)
        body = self._history(conid, wanted)
        if isinstance(body, str):
            return self._refuse(client, f"smh+{argument}", body, now_ns)
        self._server_ids += 1
        server_id = str(20_000 + self._server_ids)
        client.histories.add(server_id)
        self._send(client, {**body, "serverId": server_id, "topic": f"smh+{argument}"}, now_ns)
        return None

    def _unsubscribe(self, client: Client, topic: str, argument: str, now_ns: int) -> None:
        match topic:
            case "utr":
                self._drop(client, "str")
            case "umh":
                if argument in client.histories:
                    client.histories.discard(argument)
                    self._send(client, {"message": f"Unsubscribed {argument}"}, now_ns)
            case "usd" | "uld":
                self._drop(client, f"s{topic[1:]}+{argument}")
                what = "summary" if topic == "usd" else "ledger"
                self._send(client, {"result": f"unsubscribed from {what}"}, now_ns)
            case "ubd":
                for name in [name for name in client.feeds if name.startswith(f"sbd+{argument}")]:
                    self._drop(client, name)
            case _:
                goes = _GOES[topic]
                self._drop(client, f"{goes}+{argument}" if argument else goes)

    def _conid(self, text: str) -> int | None:
        head = text.partition("@")[0]
        found = int(head) if head.isdecimal() and len(head) < 19 else None
        return found if found in self._hall.exchange.contracts else None

    # -- news and time -------------------------------------------------------------------------------------------

    def hear(self, news: Iterable[News], turns: Iterable[Turn], now_ns: int) -> None:
        """Turn what happened since the last call into frames."""
        for turn in turns:
            self._turned(turn, now_ns)
        if not self.clients:
            return
        steps: list[OrderNews] = []
        fills: list[ExecutionNews] = []
        for item in news:
            match item:
                case QuoteNews(conid=conid):
                    for client, feed in self._by_conid.get(conid, ()):
                        feed.disturb(now_ns)
                        self._remind(client, feed)
                case OrderNews():
                    steps.append(item)
                case ExecutionNews():
                    fills.append(item)
        for client in self.clients:
            for topic, rows in (("sor", steps), ("str", fills)):
                feed_ = client.feeds.get(topic)
                if not rows or feed_ is None:
                    continue
                # What was there when they subscribed is told first.
                self._tell(client, feed_, now_ns)
                told = feed_.hear(steps) if isinstance(feed_, OrderFeed) else []
                told = feed_.hear(fills) if isinstance(feed_, TradeFeed) else told
                self._send_all(client, told, now_ns)

    def _turned(self, turn: Turn, now_ns: int) -> None:
        match turn.what:
            case "opened":
                self._hall.renew_memory()
                for client in self.clients:
                    self._unsubscribe_all(client)
            case "dropped" | "competing":
                for client in self.clients:
                    self._unsubscribe_all(client)
        for client in [client for client in self.clients if client.authorised]:
            if turn.what == "competing" and self._hall.options.observed:
                self._send(client, {"topic": "sts", "args": {"competing": True}}, now_ns)
            elif turn.what == "alone" and self._hall.options.observed:
                self._send(client, {"topic": "sts", "args": {"competing": False}}, now_ns)
            elif turn.what != "opened" or not self._hall.options.observed:
                # Gateways have been seen not to push that a session is back; a client has to ask.
                self._send(client, frames.full_status(self._hall, now_ns), now_ns)
            if turn.what == "lost":
                client.authorised = False
                self._send(client, {"message": "waiting for session"}, now_ns)

    def tick(self, now_ns: int) -> None:
        """Make the frames that are due by `now_ns`."""
        for client in self.clients:
            if client.beat_ns <= now_ns:
                client.beat_ns = now_ns + self._beat_gap
                if client.authorised:
                    self._send(client, frames.heartbeat(now_ns), now_ns)
        due = self._due
        while due and due[0][0] <= now_ns:
            _, _, client, feed = heapq.heappop(due)
            feed.queued = False
            if feed.dead or client.feeds.get(feed.topic) is not feed:
                continue
            if isinstance(feed, QuoteFeed) and len(client.box) >= _SLOW:
                # Whoever reads slowly gets fewer quotes, not old ones.
                feed.due_ns = now_ns + self._patience
            self._tell(client, feed, now_ns)
        hall = self._hall
        while hall.prompts:
            prompt = hall.prompts.pop(0)
            self._broadcast({"topic": "ntf", "args": [prompt] if hall.options.observed else prompt}, now_ns)
        while hall.bulletins:
            self._broadcast({"topic": "blt", "args": hall.bulletins.pop(0)}, now_ns)

    def next_due_ns(self) -> int | None:
        """The moment at which `tick` next has something to do, as far as is known."""
        moments = [client.beat_ns for client in self.clients]
        if self._due:
            moments.append(self._due[0][0])
        return min(moments, default=None)

    # -- frames --------------------------------------------------------------------------------------------------

    @property
    def _patience(self) -> int:
        """How long a slow client's quotes are put off; not at all would be a busy loop."""
        return max(int(self._hall.options.streams.conflation_s * _S), 10_000_000)

    @property
    def _beat_gap(self) -> int:
        return int(self._hall.options.streams.heartbeat_s * _S)

    def _tell(self, client: Client, feed: Feed, now_ns: int) -> None:
        if feed.due_ns is not None and feed.due_ns <= now_ns:
            self._send_all(client, feed.tell(now_ns), now_ns)
            if feed.dead:
                self._drop(client, feed.topic)
        self._remind(client, feed)

    def _remind(self, client: Client, feed: Feed) -> None:
        if feed.due_ns is not None and not feed.queued and not feed.dead:
            feed.queued = True
            self._seq += 1
            heapq.heappush(self._due, (feed.due_ns, self._seq, client, feed))

    def _drop(self, client: Client, topic: str) -> None:
        feed = client.feeds.pop(topic, None)
        if feed is None:
            return
        feed.dead = True
        if isinstance(feed, QuoteFeed | DepthFeed):
            rest = [(owner, one) for owner, one in self._by_conid[feed.conid] if one is not feed]
            self._by_conid[feed.conid] = rest

    def _unsubscribe_all(self, client: Client) -> None:
        for topic in list(client.feeds):
            self._drop(client, topic)
        client.histories.clear()

    def _refuse(self, client: Client, topic: str, error: str, now_ns: int, *, code: int = 500) -> None:
        self._send(client, {"error": error, "code": code, "topic": topic}, now_ns)

    def _broadcast(self, frame: Frame, now_ns: int) -> None:
        for client in self.clients:
            if client.authorised:
                self._send(client, frame, now_ns)

    def _send_all(self, client: Client, told: list[Frame], now_ns: int) -> None:
        for frame in told:
            self._send(client, frame, now_ns)

    def _send(self, client: Client, frame: Frame, now_ns: int) -> None:
        client.send(frame, self._faults.on_frame(str(frame.get("topic", "")), now_ns))
