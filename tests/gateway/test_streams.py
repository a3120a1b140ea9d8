"""The websocket without a socket: who is let in, what each topic tells and when, and what ends a stream."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from attrs import evolve

from engine.gateway.boxes import Client, session_id
from engine.gateway.faults import read_script
from engine.gateway.options import Options, SessionRules, Streams
from engine.gateway.records import ExecutionNews, News, OrderNews, QuoteNews
from engine.gateway.requests import Request
from tests.gateway.fakes import AAPL, ACCOUNT, SECOND, UNPACED, FakeClock, FakeExchange, execution, order, shell


class Desk:
    """A gateway without sockets and one websocket client that is let in."""

    def __init__(self, options: Options = UNPACED, *, primed: bool = True, cookie: str | None = None) -> None:
        self.exchange, self.clock = FakeExchange(), FakeClock()
        self.shell = shell(options, exchange=self.exchange, clock=self.clock)
        self.shell.present()
        if primed:
            self.shell.hall.memory.primed.add("accounts")
        self.hall = self.shell.hall
        self.client = self.join(self.hall.session.tickle_id if cookie is None else cookie)
        self.hello = self.heard()

    def join(self, cookie: str) -> Client:
        """Connect once more."""
        headers = {"cookie": f"x-sess-uuid=0.1; api={cookie}"} if cookie else {}
        request = Request(method="GET", path="/v1/api/ws", query="", headers=headers, body=b"", peer="127.0.0.1")
        client = self.shell.join(lambda: None, request)
        assert isinstance(client, Client)
        return client

    def say(self, text: str) -> list[Any]:
        """Send a message and return what is heard at once."""
        self.shell.receive(self.client, text)
        return self.heard()

    def wait(self, seconds: float, *news: News) -> list[Any]:
        """Let time pass, with news at its end."""
        self.clock.pass_s(seconds)
        self.exchange.coming += news
        self.shell.tick()
        return self.heard()

    def quote(self, seconds: float, **values: str) -> list[Any]:
        """Let a quote change after some time."""
        self.exchange.values |= {tag[1:]: value for tag, value in values.items()}
        return self.wait(seconds, QuoteNews(ts_ns=self.clock.at, conid=AAPL))

    def heard(self, client: Client | None = None) -> list[Any]:
        """Empty the box; heartbeats left out."""
        box = (client or self.client).box
        frames = [frame.decode() if frame == b"ech+hb" else msgspec.json.decode(frame) for frame in box]
        box.clear()
        return [frame for frame in frames if not (isinstance(frame, dict) and "hb" in frame)]

    def step(self, order_id: int, status: str, filled: int = 0) -> OrderNews:
        """News of an order, and the order as it then is."""
        self.exchange.live[order_id] = order(order_id, status=status, filled=filled, client_id="my-coid")
        return OrderNews(ts_ns=self.clock.at, order_id=order_id, account=ACCOUNT, status=status, filled=Decimal(filled))


def _options(profile: Any = "observed", **streams: Any) -> Options:
    return evolve(UNPACED, profile=profile, streams=Streams(**streams))


# -- the door ----------------------------------------------------------------------------------------------------------


def test_a_cookie_lets_in() -> None:
    hello = Desk().hello
    assert [frame["topic"] for frame in hello] == ["system", "act", "sts"]
    assert hello[0] == {"topic": "system", "success": "simuser", "isFT": False, "isPaper": True}
    assert hello[1]["args"]["accounts"] == [ACCOUNT]
    args = hello[2]["args"]
    assert (args["authenticated"], args["connected"], args["established"], args["competing"]) == (True,) * 3 + (False,)


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        ("abc", "abc"),
        ('{"session":"abc"}', "abc"),
        ("%7B%22session%22%3A%22abc%22%7D", "abc"),
        ('{"session":7}', ""),
        ("{broken", ""),
        ("[1]", "[1]"),
    ],
)
def test_the_cookie_is_bare_or_json(cookie: str, found: str) -> None:
    assert session_id(cookie) == found


def test_without_a_session_it_waits_and_a_first_message_lets_in() -> None:
    desk = Desk(cookie="")
    assert desk.hello == [{"message": "waiting for session"}]
    assert desk.say("sor+{}") == [{"message": "waiting for session"}]
    assert desk.say('{"session":"0"}') == [{"message": "waiting for session"}]
    frames = desk.say(f'{{"session":"{desk.hall.session.tickle_id}"}}')
    assert [frame["topic"] for frame in frames] == ["system", "act", "sts"]


def test_a_session_of_yesterday_does_not_let_in() -> None:
    desk = Desk()
    old = desk.hall.session.tickle_id
    desk.hall.session.login(desk.clock.at, open_brokerage=True)
    assert desk.heard(desk.join(old)) == [{"message": "waiting for session"}]


# -- signs of life -----------------------------------------------------------------------------------------------------


def test_heartbeats_come_every_ten_seconds() -> None:
    desk = Desk()
    desk.clock.pass_s(9.9)
    desk.shell.tick()
    assert len(desk.client.box) == 0
    desk.clock.pass_s(0.1)
    desk.shell.tick()
    beat = msgspec.json.decode(desk.client.box[0])
    assert beat == {"topic": "system", "hb": desk.clock.at // 1_000_000}


@pytest.mark.parametrize("tics", [1, 4])
def test_tic_is_answered_and_never_twice_alike(tics: int) -> None:
    desk = Desk(_options(tics=tics))
    first, second = desk.say("tic"), desk.say("tic")
    assert len(first) == len(second) == tics
    assert all(frame["alive"] and frame["id"] == desk.hall.session.tickle_id for frame in first)
    accessed = [frame["lastAccessed"] for frame in first + second]
    assert len(set(accessed)) == 2 * tics
    assert accessed == sorted(accessed)


def test_an_echo_is_plain_text() -> None:
    assert Desk().say("ech+hb") == ["ech+hb"]


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_no_accounts_no_data() -> None:
    desk = Desk(primed=False)
    assert desk.say(f'smd+{AAPL}+{{"fields":["31"]}}') == [
        {"error": "No accounts", "code": 500, "topic": f"smd+{AAPL}"}
    ]


@pytest.mark.parametrize(
    "message",
    [
        "smd+1+{}",
        "smd+abc+{}",
        "xyz+{}",
        "ssd+DU9+{}",
        "sbd+DU9+265598",
        "smd+265598+{not json",
        "smd+",
        "+",
        "smd+99999999999999999999+{}",
    ],
)
def test_a_bad_topic_is_told(message: str) -> None:
    (frame,) = Desk().say(message)
    assert frame["error"]
    assert frame["code"] in (400, 500)


# -- quotes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        'smd+265598+{"fields":' + "[" * 50_000,
        '{"a":' * 50_000,
        f'ssd+{ACCOUNT}+{{"keys":5,"fields":{{}}}}',
        f'sld+{ACCOUNT}+{{"keys":null,"fields":"x"}}',
        'smd+265598+{"fields":7}',
    ],
)
def test_nonsense_is_survived(message: str) -> None:
    line = Desk()
    line.say(message)
    line.wait(15)
    assert line.client.closing is None
    assert line.say("tic")[-1]["alive"] is True


def test_quotes_first_whole_then_what_changed_twice_a_second() -> None:
    desk = Desk()
    (first,) = desk.say(f'smd+{AAPL}+{{"fields":["31","84","86"]}}')
    assert {tag: first[tag] for tag in ("31", "84", "86")} == {"31": "168.42", "84": "168.41", "86": "168.43"}
    assert (first["topic"], first["conidEx"], first["6119"]) == (f"smd+{AAPL}", str(AAPL), "q1")
    assert desk.quote(0.1, _84="168.40") == []
    assert desk.quote(0.1, _84="168.39") == []
    (second,) = desk.quote(0.3, _86="168.44")
    assert (second["84"], second["86"]) == ("168.39", "168.44")
    assert "31" not in second
    assert desk.quote(10) == []  # nothing changed


def test_a_stream_ends_silently_and_a_new_one_is_whole_again() -> None:
    desk = Desk(evolve(UNPACED, session=SessionRules(stream_s=600, idle_s=1e6)))
    desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    assert desk.quote(599, _31="1")
    assert desk.quote(1, _31="2") == []
    assert desk.quote(60, _31="3") == []
    (again,) = desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    assert again["31"] == "3"


def test_fields_are_the_union_of_what_was_asked_anywhere() -> None:
    desk = Desk()
    desk.hall.memory.fields[str(AAPL)] = {"84": desk.clock.at}
    (frame,) = desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    assert "84" in frame
    assert set(desk.hall.memory.fields[str(AAPL)]) == {"31", "84"}


def test_unsubscribing_is_silent() -> None:
    desk = Desk()
    desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    assert desk.say(f"umd+{AAPL}+{{}}") == []
    assert desk.quote(1, _31="1") == []


def test_a_combo_with_signs_is_no_end_of_the_topic() -> None:
    (frame,) = Desk().say('smd+28812380;;;265598/+1,8314/-1+{"fields":["31"]}')
    assert frame["topic"] == "smd+28812380;;;265598/+1,8314/-1"


def test_depth_is_whole_and_only_when_changed() -> None:
    desk = Desk()
    (frame,) = desk.say(f"sbd+{ACCOUNT}+{AAPL}")
    assert frame["topic"] == f"sbd+{ACCOUNT}+{AAPL}"
    assert [(row["row"], row["focus"], row["price"], row["bid"], row["ask"]) for row in frame["data"]] == [
        (1, 0, "168.43", "", "300"),
        (2, 1, "168.41", "200", ""),
        (3, 0, "168.40", "100", ""),
    ]
    assert desk.quote(1) == []
    assert desk.say(f"ubd+{ACCOUNT}") == []
    assert not desk.client.feeds


# -- orders ------------------------------------------------------------------------------------------------------------


def test_an_order_is_told_whole_once_then_by_its_changes() -> None:
    desk = Desk()
    assert desk.say("sor+{}") == []
    steps = [desk.step(7, status) for status in ("PendingSubmit", "PreSubmitted", "Submitted")]
    (frame,) = desk.wait(0.05, *steps)
    full, name, second, third = frame["args"]
    assert (full["orderId"], full["status"], full["order_ref"], full["totalSize"]) == (
        7,
        "PendingSubmit",
        "my-coid",
        100,
    )
    assert "status" not in name
    assert name["orderId"] == 7
    assert (second["status"], third["status"]) == ("PreSubmitted", "Submitted")
    assert "order_ref" not in second
    assert "filledQuantity" not in third
    (frame,) = desk.wait(1, desk.step(7, "Submitted", 40))
    (fill,) = frame["args"]
    assert (fill["filledQuantity"], fill["remainingQuantity"], fill["sizeAndFills"]) == (40, 60, "40/100")
    assert "status" not in fill


def test_a_subscription_finds_orders_named_or_whole() -> None:
    for profile, told in (("observed", None), ("documented", "Submitted")):
        desk = Desk(_options(profile))
        desk.step(7, "Submitted")
        (frame,) = desk.say("sor+{}")
        assert [(row["orderId"], row.get("status")) for row in frame["args"]] == [(7, told)]


def test_a_filtered_read_silences_orders_until_forced() -> None:
    desk = Desk()
    desk.say("sor+{}")
    desk.hall.memory.silent = True
    assert desk.wait(1, desk.step(7, "Submitted")) == []
    desk.hall.memory.silent = False
    (frame,) = desk.wait(1, desk.step(7, "Cancelled"))
    assert (frame["args"][0]["status"], frame["args"][0]["order_ref"]) == ("Cancelled", "my-coid")  # whole: it is new


def test_filters_lose_what_they_do_not_name() -> None:
    desk = Desk()
    desk.say('sor+{"filters":["filled"]}')
    assert desk.wait(1, desk.step(7, "Submitted")) == []
    (frame,) = desk.wait(1, desk.step(7, "Filled", 100))
    assert frame["args"][0]["status"] == "Filled"


# -- executions --------------------------------------------------------------------------------------------------------


def test_an_execution_comes_without_its_commission_and_again_with_it() -> None:
    desk = Desk()
    assert desk.say("str+{}") == [{"topic": "str", "args": []}]
    fill = execution(1, ts_ns=desk.clock.at)
    (first,) = desk.wait(0.1, ExecutionNews(ts_ns=fill.ts_ns, execution=fill, commission_known=False))
    (second,) = desk.wait(2, ExecutionNews(ts_ns=fill.ts_ns + 2 * SECOND, execution=fill, commission_known=True))
    (bare,), (whole,) = first["args"], second["args"]
    assert "commission" not in bare
    assert whole["commission"] == "1.01"
    assert {**bare, "commission": "1.01"} == whole
    assert desk.say("utr") == []
    assert desk.wait(1, ExecutionNews(ts_ns=fill.ts_ns, execution=fill, commission_known=True)) == []


def test_past_executions_are_replayed_unless_told_not_to() -> None:
    desk = Desk()
    desk.exchange.fills = [execution(2, ts_ns=desk.clock.at - 1), execution(1, ts_ns=desk.clock.at - 9 * SECOND)]
    (frame,) = desk.say('str+{"realtimeUpdatesOnly":false,"days":7}')
    assert [row["execution_id"][-2:] for row in frame["args"]] == ["01", "02"]
    assert ["commission" in row for row in frame["args"]] == [True, False]  # the second is not two seconds old
    assert desk.say('str+{"realtimeUpdatesOnly":true}') == []


# -- accounts ----------------------------------------------------------------------------------------------------------


def test_profit_once_a_second_when_it_changed() -> None:
    desk = Desk()
    (frame,) = desk.say("spl")
    assert frame["args"][f"{ACCOUNT}.Core"] == {
        "rowType": 1,
        "dpl": 0.0,
        "nl": 1e6,
        "upl": 0.0,
        "uel": 1e6,
        "el": 1e6,
        "mv": 0.0,
    }
    assert desk.wait(1) == []
    desk.exchange.daily = Decimal("-12.5")
    assert desk.wait(0.5) == []
    (frame,) = desk.wait(0.5)
    assert frame["args"][f"{ACCOUNT}.Core"]["dpl"] == -12.5


def test_unsubscribing_from_summary_and_ledger_is_answered() -> None:
    desk = Desk()
    desk.say(f"ssd+{ACCOUNT}+{{}}")
    assert desk.say(f"usd+{ACCOUNT}") == [{"result": "unsubscribed from summary"}]
    assert desk.say(f"uld+{ACCOUNT}+{{}}") == [{"result": "unsubscribed from ledger"}]


# -- histories ---------------------------------------------------------------------------------------------------------


def test_a_history_is_answered_once_and_five_may_be_open() -> None:
    desk = Desk()
    ids = []
    for _ in range(5):
        (frame,) = desk.say(f'smh+{AAPL}+{{"period":"1d","bar":"1h","outsideRth":false}}')
        assert frame["topic"] == f"smh+{AAPL}"
        assert frame["query"]["period"] == ["1d"]
        ids.append(frame["serverId"])
    assert len(set(ids)) == 5
    (refused,) = desk.say(f"smh+{AAPL}+{{}}")
    assert refused["error"]
    assert desk.say(f"umh+{ids[0]}") == [{"message": f"Unsubscribed {ids[0]}"}]
    (frame,) = desk.say(f"smh+{AAPL}+{{}}")
    assert "error" not in frame


# -- the session -------------------------------------------------------------------------------------------------------


def test_all_subscriptions_end_with_the_brokerage_session() -> None:
    desk = Desk()
    desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    desk.say("sor+{}")
    desk.hall.session.drop(desk.clock.at)
    (sts,) = desk.wait(0.1)
    assert sts["args"]["authenticated"] is False
    assert desk.wait(1, desk.step(7, "Submitted")) == []
    desk.hall.session.init(desk.clock.at, publish=True, compete=False)
    assert desk.wait(10) == []  # its return is not pushed
    assert desk.wait(1, desk.step(7, "Cancelled")) == []
    (refused,) = desk.say(f"smd+{AAPL}+{{}}")
    assert refused["error"] == "No accounts"  # a new session has to ask for them again


def test_a_rival_shows_as_a_partial_status() -> None:
    desk = Desk()
    desk.hall.session.rival(desk.clock.at, stays_s=5)
    frames = desk.wait(0.1)
    assert [frame["args"] for frame in frames][-1] == {"competing": True}
    assert [frame["args"] for frame in desk.wait(5)] == [{"competing": False}]


def test_a_lost_login_needs_a_new_session() -> None:
    desk = Desk()
    desk.hall.session.lose(desk.clock.at)
    frames = desk.wait(0.1)
    assert frames[-2]["args"]["connected"] is False
    assert frames[-1] == {"message": "waiting for session"}
    desk.wait(130)
    assert desk.say("tic") == [{"message": "waiting for session"}]
    assert desk.say(f'{{"session":"{desk.hall.session.tickle_id}"}}')[0]["topic"] == "system"


# -- notifications, mishaps, bounds ------------------------------------------------------------------------------------


def test_prompts_and_bulletins_reach_everybody() -> None:
    for profile in ("observed", "documented"):
        desk = Desk(_options(profile))
        prompt = {"orderId": 7, "reqId": "1", "text": "?", "options": ["Yes", "No"]}
        desk.hall.prompts.append(prompt)
        desk.hall.bulletins.append({"id": "1", "message": "hello"})
        ntf, blt = desk.wait(0.1)
        assert ntf == {"topic": "ntf", "args": [prompt] if profile == "observed" else prompt}
        assert blt == {"topic": "blt", "args": {"id": "1", "message": "hello"}}


def _arm(desk: Desk, **fault: Any) -> None:
    desk.shell.faults.load(read_script([fault], place="test"), desk.clock.at)


def test_frames_can_be_silent_doubled_or_out_of_order() -> None:
    desk = Desk()
    desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    _arm(desk, do="silent", on="smd", count=1)
    assert desk.quote(1, _31="1") == []
    _arm(desk, do="duplicate", on="smd+265598", count=1)
    assert [frame["31"] for frame in desk.quote(1, _31="2")] == ["2", "2"]
    _arm(desk, do="reorder", on="smd", count=1)
    assert desk.quote(1, _31="3") == []
    assert [frame["31"] for frame in desk.quote(1, _31="4")] == ["4", "3"]


def test_a_late_commission_is_put_off() -> None:
    desk = Desk()
    _arm(desk, do="late-commission", seconds=5)
    fill = execution(1, ts_ns=desk.clock.at)
    desk.say('str+{"realtimeUpdatesOnly":true}')
    assert len(desk.wait(0, ExecutionNews(ts_ns=fill.ts_ns, execution=fill, commission_known=False))) == 1
    assert desk.wait(2, ExecutionNews(ts_ns=fill.ts_ns, execution=fill, commission_known=True)) == []
    assert desk.wait(4.9) == []
    (frame,) = desk.wait(0.1)
    assert frame["args"][0]["commission"] == "1.01"
    assert desk.wait(10) == []


def test_who_reads_slowly_gets_fewer_quotes() -> None:
    desk = Desk(evolve(UNPACED, session=SessionRules(stream_s=1e6, idle_s=1e6)))
    desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    for number in range(3_000):
        desk.exchange.values["31"] = str(number)
        desk.exchange.coming.append(QuoteNews(ts_ns=desk.clock.at, conid=AAPL))
        desk.clock.pass_s(1)
        desk.shell.hall.session.heard(desk.clock.at)
        desk.shell.tick()
    assert 1_000 <= len(desk.client.box) < 1_400  # heartbeats are not put off
    assert desk.client.closing is None


def test_who_does_not_read_is_cut_off() -> None:
    desk = Desk(_options(backlog=10))
    for _ in range(11):
        desk.shell.receive(desk.client, "tic")
    assert desk.client.closing == 1008
    assert not desk.client.box


def test_subscriptions_end_with_the_connection() -> None:
    desk = Desk()
    desk.say(f'smd+{AAPL}+{{"fields":["31"]}}')
    desk.shell.streams.leave(desk.client)
    other = desk.client = desk.join(desk.hall.session.tickle_id)
    desk.heard()
    assert desk.quote(1, _31="1") == []
    assert not other.feeds
