"""What the client's methods send, how often, and what they raise for each kind of answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.errors import AnswerLost, VenueError, VenueRefused, VenueUnreachable
from engine.webapi.calls import Call, Kind, Reply, Urgency
from engine.webapi.endpoints.base import stamp
from engine.webapi.endpoints.orders import ALL_ORDERS
from engine.webapi.facts.orders import Acknowledged, CancelRefused, InDoubt, RefusedRow
from engine.webapi.fields import FieldUnion, TooManyFields
from tests.webapi.everything import EVERY, WIRE, Client
from tests.webapi.made import ACKNOWLEDGED, QUESTION, Handed, replied

ORDER_WRITES = {"orders.place", "orders.modify", "orders.reply", "orders.answer_prompt"}
OTHER_WRITES = {
    *("alerts.save", "alerts.activate", "alerts.delete"),
    *("fyi.mark_read", "fyi.set_enabled", "fyi.accept_disclaimer", "fyi.set_email", "fyi.set_device"),
    *("fyi.delete_device", "watchlists.save", "watchlists.delete"),
    *("advisor.create", "advisor.change", "advisor.delete", "advisor.set_presets"),
}
WRITES = ORDER_WRITES | OTHER_WRITES
REPEATABLE = sorted(EVERY.keys() - WRITES)


async def outcome(name: str, reply: Reply | Exception) -> tuple[Any, Handed]:
    """What a method returns or raises when it is given one answer, and the calls it made."""
    handed = Handed(lambda _call: reply)
    try:
        return await EVERY[name](Client(handed)), handed
    except VenueError as error:
        return error, handed


def test_every_method_of_every_group_is_tried_here() -> None:
    groups = Client(Handed(lambda _call: replied({}))).groups()
    methods = {
        f"{name}.{member}"
        for name, group in groups.items()
        for member, what in inspect.getmembers(group, inspect.iscoroutinefunction)
        if not member.startswith("_")
    }
    assert methods == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
async def test_a_request_says_what_its_silence_means(name: str) -> None:
    _, handed = await outcome(name, replied({}))
    kinds = {call.kind for call in handed.calls}
    if name in ORDER_WRITES:
        assert kinds == {Kind.ORDER_WRITE}
    elif name in OTHER_WRITES:
        assert kinds == {Kind.OTHER_WRITE}
    else:
        assert kinds <= {Kind.READ, Kind.IDEMPOTENT}
        assert handed.calls[0].method != "PUT"


@pytest.mark.parametrize("name", EVERY)
async def test_a_path_is_its_template_filled_in(name: str) -> None:
    _, handed = await outcome(name, replied({}))
    for call in handed.calls:
        assert "{" not in call.path
        assert len(call.path.split("/")) == len(call.template.split("/"))
        for part, wanted in zip(call.path.split("/"), call.template.split("/"), strict=True):
            assert part == wanted or wanted.startswith("{")


@pytest.mark.parametrize("name", sorted(WRITES))
@pytest.mark.parametrize(
    "reply",
    [
        replied(b"<html>"),
        replied(b""),
        replied({}),
        replied({"error": "no"}, 401),
        replied({"error": "no"}, 500),
        replied({"error": "no"}, 503),
        replied(b"", 504),
        AnswerLost("POST /x", "silence"),
        VenueUnreachable("POST /x", "no connection"),
    ],
)
async def test_a_write_goes_out_once_whatever_comes(name: str, reply: Reply | Exception) -> None:
    _, handed = await outcome(name, reply)
    assert len(handed.calls) == 1


@pytest.mark.parametrize("name", sorted(ORDER_WRITES))
@pytest.mark.parametrize("status", [200, 302, 400, 401, 408, 410, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"{", b"<html>login</html>", b"{}", b"[]", b"null"])
async def test_an_order_write_without_a_readable_answer_is_lost(name: str, status: int, body: bytes) -> None:
    got, _ = await outcome(name, replied(body, status))
    assert isinstance(got, AnswerLost)


@pytest.mark.parametrize("name", sorted(ORDER_WRITES))
@pytest.mark.parametrize("status", [401, 410, 500, 503])
async def test_an_order_write_that_met_no_session_is_lost(name: str, status: int) -> None:
    got, _ = await outcome(name, replied({"error": "whatever it says", "statusCode": status}, status))
    assert isinstance(got, AnswerLost)


@pytest.mark.parametrize("name", ["orders.place", "orders.modify"])
async def test_an_order_write_that_was_turned_away_is_refused(name: str) -> None:
    got, _ = await outcome(name, replied({"error": "Missing order parameters"}, 400))
    assert isinstance(got, VenueRefused)
    assert (got.status, got.problem) == (400, "Missing order parameters")


@pytest.mark.parametrize("name", ["orders.place", "orders.modify", "orders.reply"])
async def test_rows_of_an_answer_are_returned(name: str) -> None:
    got, _ = await outcome(name, replied([ACKNOWLEDGED, {"error": "x"}, {"what": 1}]))
    assert [type(row) for row in got] == [Acknowledged, RefusedRow, InDoubt]
    got, _ = await outcome(name, replied({"error": "no funds"}))
    assert got == (RefusedRow(reason="no funds"),)


async def test_a_no_may_be_repeated_and_a_yes_not() -> None:
    handed = Handed(lambda _call: replied(b"", 503))
    with pytest.raises(VenueUnreachable):
        await Client(handed).orders.reply("r", confirmed=False)
    with pytest.raises(AnswerLost):
        await Client(handed).orders.reply("r", confirmed=True)
    assert [call.kind for call in handed.calls] == [Kind.IDEMPOTENT, Kind.ORDER_WRITE]
    assert [call.body for call in handed.calls] == [{"confirmed": False}, {"confirmed": True}]
    assert {call.urgency for call in handed.calls} == {Urgency.REPLY}


NEVER_REFUSES = {"orders.cancel", "contracts.rules", "orders.what_if"}  # an error is a part of their answer


@pytest.mark.parametrize("name", [name for name in REPEATABLE if name not in NEVER_REFUSES])
async def test_a_refusal_in_a_good_answer_is_raised(name: str) -> None:
    got, _ = await outcome(name, replied({"error": "Please query /accounts first"}))
    assert isinstance(got, VenueRefused)
    assert (got.status, got.problem) == (200, "Please query /accounts first")


@pytest.mark.parametrize("name", [name for name in REPEATABLE if name != "orders.cancel"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_refused_read_tells_its_status(name: str, status: int) -> None:
    got, _ = await outcome(name, replied({"error": "no", "statusCode": status}, status))
    assert isinstance(got, VenueRefused)
    assert (got.status, got.problem) == (status, "no")


@pytest.mark.parametrize("name", REPEATABLE)
@pytest.mark.parametrize("status", [302, 408, 429, 502, 503, 504])
async def test_a_read_that_met_a_busy_server_may_be_made_again(name: str, status: int) -> None:
    got, _ = await outcome(name, replied({"error": "busy"}, status))
    assert isinstance(got, VenueUnreachable)


@pytest.mark.parametrize(
    ("name", "how_often"), [("performance.performance", "1 in 15 min"), ("portfolio.accounts", "1 in 5 s")]
)
async def test_who_asks_too_often_hears_how_often_he_may(name: str, how_often: str) -> None:
    got, _ = await outcome(name, replied({"error": "too many requests"}, 429))
    assert isinstance(got, VenueUnreachable)
    assert got.problem == f"too many requests (the venue takes {how_often})"


TEXTS = {"orders.cancel", "market.snapshot"}  # a cancel's answer is a fact of its own; no rows are silence


@pytest.mark.parametrize("name", [name for name in REPEATABLE if name not in TEXTS])
@pytest.mark.parametrize("body", [b"", b"{", b"<html>login</html>", b"5"])
async def test_a_read_that_cannot_be_read_may_be_made_again(name: str, body: bytes) -> None:
    got, _ = await outcome(name, replied(body))
    assert isinstance(got, VenueUnreachable)
    assert "login" not in str(got), "an error tells nothing of an answer's own text"


@pytest.mark.parametrize("name", sorted(OTHER_WRITES))
@pytest.mark.parametrize(
    ("status", "raised"), [(400, VenueRefused), (429, VenueRefused), (500, VenueRefused), (503, AnswerLost)]
)
async def test_other_writes_tell_a_no_from_silence(name: str, status: int, raised: type[Exception]) -> None:
    got, _ = await outcome(name, replied({"error": "no"}, status))
    assert isinstance(got, raised)


@pytest.mark.parametrize("name", sorted(OTHER_WRITES))
async def test_another_write_with_an_answer_that_cannot_be_read_is_lost(name: str) -> None:
    got, _ = await outcome(name, replied(b"<html>"))
    assert isinstance(got, AnswerLost)


async def test_a_failed_alert_says_why() -> None:
    got, _ = await outcome("alerts.save", replied({"success": False, "text": "Alert name cannot be modified"}))
    assert isinstance(got, VenueRefused)
    assert got.problem == "Alert name cannot be modified"


# Orders


async def test_cancels_come_before_all_else_when_urgent() -> None:
    handed = Handed(lambda _call: replied({"msg": "Request was submitted", "order_id": 7}))
    orders = Client(handed).orders
    await orders.cancel("DU1", 7)
    await orders.cancel("DU1", ALL_ORDERS, urgent=True, says_who=True)
    first, second = handed.calls
    assert (first.urgency, first.path, first.query) == (Urgency.CANCEL, "/iserver/account/DU1/order/7", ())
    assert (second.urgency, second.path) == (Urgency.HALT, "/iserver/account/DU1/order/-1")
    assert second.query == (("manualIndicator", "false"),)
    assert first.body is None


async def test_a_cancel_of_a_dead_order_is_an_answer_and_not_an_error() -> None:
    got, _ = await outcome("orders.cancel", replied({"error": "OrderID 7 doesn't exist"}, 400))
    assert got == CancelRefused(reason="OrderID 7 doesn't exist", unknown=True)


async def test_trades_always_name_their_days_and_orders_are_never_filtered() -> None:
    handed = Handed(lambda _call: replied([]))
    client = Client(handed)
    await client.orders.trades()
    await client.orders.live()
    assert [call.query for call in handed.calls] == [(("days", "7"),), ()]


async def test_reads_of_orders_tell_when_they_were_asked() -> None:
    got, _ = await outcome("orders.live", replied({"orders": [], "snapshot": True}))
    assert (got.asked_ns, got.heard_ns) == (100, 200)
    assert got.value.snapshot


async def test_suppressions_are_sorted_bounded_and_not_empty() -> None:
    handed = Handed(lambda _call: replied({"status": "submitted"}))
    orders = Client(handed).orders
    await orders.suppress(["o354", "o163", "o354"])
    assert handed.calls[0].body == {"messageIds": ["o163", "o354"]}
    for wrong in ([], [f"o{number}" for number in range(52)]):
        with pytest.raises(ValueError, match="1 to 51"):
            await orders.suppress(wrong)


async def test_a_preview_with_an_error_is_still_a_preview() -> None:
    got, _ = await outcome("orders.what_if", replied({"error": "Cash needed: 5"}))
    assert got.error == "Cash needed: 5"
    got, _ = await outcome(
        "orders.what_if",
        replied({"amount": {"commission": "1 USD", "total": "1,978.60 USD"}, "error": None, "warn": "21/x"}),
    )
    assert str(got.amount.total.amount) == "1978.60"
    assert (got.amount.commission.currency, got.warning, got.error) == ("USD", "21/x", "")


async def test_a_prompt_is_answered_with_a_text() -> None:
    for body in (b'"Request was submitted"', b"Success"):
        got, _ = await outcome("orders.answer_prompt", replied(body))
        assert got in ("Request was submitted", "Success")


async def test_names_in_a_path_are_escaped() -> None:
    handed = Handed(lambda _call: replied([QUESTION]))
    await Client(handed).orders.place("my group/1", [WIRE])
    assert handed.calls[0].path == "/iserver/account/my%20group%2F1/orders"


# Market data


def snapshots(*answers: object) -> tuple[Handed, Callable[[Call], Reply]]:
    """A caller that gives one answer after the other, the last one for ever."""
    left = list(answers)

    def answer(_call: Call) -> Reply:
        return replied(left.pop(0) if len(left) > 1 else left[0])

    return Handed(answer), answer


COLD = {"conid": 1, "conidEx": "1"}


async def test_the_first_snapshot_is_asked_again_until_there_is_data() -> None:
    handed, _ = snapshots([COLD], [{**COLD, "6509": "RpB"}], [{**COLD, "31": "5"}], [{**COLD, "84": "4"}])
    client = Client(handed)
    got = await client.market.snapshot([1], ["31", "84"], need=["84"])
    assert got.rows["1"].numbers == {"31": 5.0, "84": 4.0}
    assert got.silent == ()
    assert len(handed.calls) == 4
    assert client.clock.waits == [0.5] * 3


async def test_a_conid_that_stays_silent_is_named() -> None:
    handed, _ = snapshots([COLD, {"conid": 2, "conidEx": "2@NYSE", "31": "6"}])
    got = await Client(handed).market.snapshot([1, "2@NYSE", 3], ["31"], tries=3)
    assert list(got.rows) == ["2@NYSE"]
    assert got.silent == ("1", "3")
    # Only those that are waited for are asked for again.
    assert [dict(call.query)["conids"] for call in handed.calls] == ["1,2@NYSE,3", "1,3", "1,3"]


async def test_fields_are_the_union_of_all_that_was_ever_wanted() -> None:
    handed, _ = snapshots([{**COLD, "31": "5"}])
    market = Client(handed).market
    market.fields.want(["1"], ["7295"])  # as a subscription would
    await market.snapshot([1], ["31"])
    await market.snapshot([1], ["84"])
    assert [dict(call.query)["fields"] for call in handed.calls] == ["31,7295", "31,84,7295"]


async def test_many_conids_are_cut_into_calls() -> None:
    def answer(call: Call) -> Reply:
        return replied([{"conid": int(each), "31": "1"} for each in dict(call.query)["conids"].split(",")])

    handed = Handed(answer)
    got = await Client(handed).market.snapshot(list(range(1, 251)), ["31"])
    assert [len(dict(call.query)["conids"].split(",")) for call in handed.calls] == [100, 100, 50]
    assert len(got.rows) == 250


def test_no_more_fields_than_a_request_takes() -> None:
    union = FieldUnion()
    union.want(["1"], [str(tag) for tag in range(50)])
    with pytest.raises(TooManyFields, match="more than 50 fields of conid 1"):
        union.want(["2", "1"], ["99"])
    assert union.of("2") == ()  # nothing was added
    union.released("1")
    assert union.of("1") == ()


async def test_a_field_that_became_empty_takes_its_number_away() -> None:
    handed, _ = snapshots([{**COLD, "31": "C5"}], [{**COLD, "31": "", "84": "4"}])
    got = await Client(handed).market.snapshot([1], ["31"], need=["84"])
    assert (got.rows["1"].numbers, got.rows["1"].marks) == ({"84": 4.0}, {})


async def test_closing_a_stream_that_is_not_open_is_done() -> None:
    handed = Handed(lambda _call: replied({"error": "unknown"}, 500))
    client = Client(handed)
    client.market.fields.want(["1"], ["31"])
    assert (await client.market.unsubscribe(1)).done
    assert client.market.fields.of("1") == ()


async def test_history_sends_its_parameters_as_documented() -> None:
    body = {"data": [{"t": 1775136600000, "o": 646.42, "c": 646.86, "h": 647.47, "l": 646.38, "v": 17219.125}]}
    got, handed = await outcome("market.history", replied({**body, "volumeFactor": 40, "priceFactor": 100}))
    assert handed.calls[0].query == (
        ("conid", "265598"),
        ("period", "1d"),
        ("bar", "1h"),
        ("startTime", "20231211-18:00:49"),
        ("outsideRth", "true"),
        ("source", "Midpoint"),
        ("direction", "1"),
    )
    (bar,) = got.bars
    assert (bar.start_ns, bar.open, bar.close, bar.volume) == (1775136600000 * 10**6, 646.42, 646.86, 17219.125)
    assert got.volume_factor == 40.0


def test_a_stamp_is_utc() -> None:
    assert stamp(0) == "19700101-00:00:00"


# What comes in parts


async def test_definitions_are_asked_for_200_at_a_time() -> None:
    handed = Handed(
        lambda call: replied({"secdef": [{"conid": int(each)} for each in dict(call.query)["conids"].split(",")]})
    )
    got = await Client(handed).contracts.definitions([*range(1, 452), 1])
    assert [row.conid for row in got] == list(range(1, 452))
    assert [len(dict(call.query)["conids"].split(",")) for call in handed.calls] == [200, 200, 51]


async def test_positions_are_read_to_the_last_page() -> None:
    def answer(call: Call) -> Reply:
        page = int(call.path.rpartition("/")[2])
        return replied([{"conid": page * 100 + at, "position": 1} for at in range(100 if page < 2 else 7)])

    got = await Client(Handed(answer)).portfolio.positions("DU1")
    assert [row.conid for row in got] == list(range(207))


async def test_a_list_that_never_ends_is_given_up() -> None:
    handed = Handed(lambda _call: replied([{"conid": at, "position": 1} for at in range(100)]))
    with pytest.raises(VenueUnreachable, match="does not end"):
        await Client(handed).portfolio.positions("DU1")
    endless = Handed(lambda _call: replied({"subaccounts": [{"id": "DU1"}]}))
    with pytest.raises(VenueUnreachable, match="does not end"):
        await Client(endless).portfolio.all_subaccounts()


async def test_subaccounts_are_read_to_their_total() -> None:
    def answer(call: Call) -> Reply:
        page = int(dict(call.query)["page"])
        rows = [{"accountId": f"DU{page * 20 + at}"} for at in range(20 if page < 2 else 5)]
        return replied({"metadata": {"total": 45, "pageSize": 20, "pageNum": page}, "subaccounts": rows})

    handed = Handed(answer)
    assert len(await Client(handed).portfolio.all_subaccounts()) == 45
    assert len(handed.calls) == 3


async def test_algos_are_asked_for_again_while_the_list_is_cold() -> None:
    handed, _ = snapshots({"algos": []}, {"algos": [{"id": "Vwap", "name": "VWAP"}]})
    (algo,) = await Client(handed).contracts.algos(1)
    assert algo.id == "Vwap"
    with pytest.raises(ValueError, match="at most 8"):
        await Client(handed).contracts.algos(1, [str(number) for number in range(9)])


async def test_an_alert_ends_its_conditions() -> None:
    handed = Handed(lambda _call: replied({"success": True, "order_id": 5, "text": "Submitted"}))
    await EVERY["alerts.save"](Client(handed))
    body: Any = msgspec.json.decode(msgspec.json.encode(handed.calls[0].body))
    assert [condition["logicBind"] for condition in body["conditions"]] == ["a", "n"]
    assert (body["tif"], body["expireTime"], body["orderId"]) == ("GTD", "20231211-18:00:49", 9)
    with pytest.raises(ValueError, match="needs a condition"):
        await Client(handed).alerts.save("DU1", name="n", message="m", conditions=[])


async def test_a_watchlist_needs_a_number_for_its_id() -> None:
    handed = Handed(lambda _call: replied({}))
    with pytest.raises(ValueError, match="must be a number"):
        await Client(handed).watchlists.save("mine", "n", [1])
    assert handed.calls == []
