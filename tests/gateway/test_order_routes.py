"""Reading orders back, cancelling, previews; and the keys and types of recorded and published answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pytest
from attrs import evolve

from engine.domain.instrument import Instrument, PriceTick
from engine.gateway.rows import order_delta, order_identity, price_text, size_text
from tests.gateway.desk_fakes import AAPL, ACCOUNT, DARK, QUIET, SPY, START_NS, Bench, Profile, limit, market
from tests.gateway.recorded import misfits, recorded

ORDERS: Final = "/iserver/account/orders"
TRADES: Final = "/iserver/account/trades"


def muted(bench: Bench) -> bool:
    """Whether the `sor` topic is silent."""
    return bench.hall.memory.silent


def test_the_first_read_of_a_session_knows_nothing() -> None:
    bench = Bench()
    order_id = bench.placed(limit())
    assert bench.call("GET", ORDERS).body == {"orders": [], "snapshot": False}
    warm = bench.call("GET", ORDERS).body
    assert ([row["orderId"] for row in warm["orders"]], warm["snapshot"]) == ([order_id], True)
    bench.hall.renew_memory()
    assert bench.call("GET", ORDERS).body["snapshot"] is False


def test_a_filtered_read_is_falsely_empty_once_and_mutes_the_stream() -> None:
    bench = Bench()
    bench.placed(limit())
    dead = bench.placed(limit())
    bench.exchange.cancel(dead)
    bench.orders()
    assert not muted(bench)
    assert bench.call("GET", ORDERS, filters="cancelled").body == {"orders": [], "snapshot": False}
    assert muted(bench)
    assert [row["orderId"] for row in bench.call("GET", ORDERS, filters="cancelled").body["orders"]] == [dead]
    bench.call("GET", ORDERS)
    assert muted(bench)  # a plain read does not cure it
    assert bench.call("GET", ORDERS, force="True").body == {"orders": [], "snapshot": False}
    assert not muted(bench)
    assert len(bench.call("GET", ORDERS).body["orders"]) == 2


@pytest.mark.parametrize("filters", ["Submitted,Cancelled", ["submitted", "cancelled"], "submitted, cancelled,"])
def test_filters_come_in_many_forms(filters: str | list[str]) -> None:
    bench = Bench()
    bench.placed(limit())
    bench.exchange.cancel(bench.placed(limit()))
    bench.exchange.fill(bench.placed(limit()), 100)
    for _ in range(3):
        answer = bench.call("GET", ORDERS, filters=filters)
    assert {row["status"] for row in answer.body["orders"]} == {"Submitted", "Cancelled"}


def test_sorted_by_time_open_orders_come_first() -> None:
    bench = Bench()
    ids = []
    for _ in range(4):
        ids.append(bench.placed(limit()))
        bench.wait(1)
    bench.exchange.cancel(ids[0])
    for _ in range(2):
        answer = bench.call("GET", ORDERS, filters="sort_by_time")
    assert [row["orderId"] for row in answer.body["orders"]] == [*ids[1:], ids[0]]


def test_at_most_a_thousand_rows_the_newest() -> None:
    bench = Bench()
    first = bench.placed(limit())
    for _ in range(1_000):
        last = bench.placed(limit())
    rows = bench.orders()
    assert (len(rows), rows[0]["orderId"], rows[-1]["orderId"]) == (1_000, first + 1, last)


def test_reads_follow_the_selected_account_or_the_one_asked_for() -> None:
    bench = Bench(accounts=[ACCOUNT, "DU1234568"])
    bench.place(limit(), account="DU1234568")
    assert bench.orders() == []
    assert len(bench.call("GET", ORDERS, accountId="DU1234568").body["orders"]) == 1
    bench.hall.memory.selected = "DU1234568"
    assert len(bench.orders()) == 1
    assert bench.call("GET", ORDERS, accountId="U9").status == 400
    assert bench.call("GET", TRADES, accountId="U9").status == 400


def test_the_official_read_has_rows_at_once_in_profile_documented() -> None:
    bench = Bench("documented")
    bench.exchange.fill(bench.placed(market(side="SELL", quantity=5, tif="GTC", cOID="Order123")), 5, "192.26")
    body = bench.call("GET", ORDERS, filters="filled", force="true", accountId=ACCOUNT).body
    assert body == {
        "orders": [
            {
                "acct": ACCOUNT,
                "conidex": "265598",
                "conid": 265598,
                "account": ACCOUNT,
                "orderId": 987655,
                "cashCcy": "USD",
                "sizeAndFills": "5",
                "orderDesc": "Sold 5 Market, GTC",
                "description1": "AAPL",
                "ticker": "AAPL",
                "secType": "STK",
                "listingExchange": "NASDAQ.NMS",
                "remainingQuantity": 0.0,
                "filledQuantity": 5.0,
                "totalSize": 5.0,
                "companyName": "APPLE INC",
                "status": "Filled",
                "order_ccp_status": "Filled",
                "avgPrice": "192.26",
                "origOrderType": "MARKET",
                "supportsTaxOpt": "1",
                "lastExecutionTime": "240311140000",
                "orderType": "Market",
                "bgColor": "#FFFFFF",
                "fgColor": "#000000",
                "order_ref": "Order123",
                "timeInForce": "GTC",
                "lastExecutionTime_r": START_NS // 1_000_000,
                "side": "SELL",
            }
        ],
        "snapshot": True,
    }


def test_a_live_order_as_it_is_printed() -> None:
    bench = Bench()
    bench.placed(limit(quantity=5, tif="GTC", conidex="265598@NASDAQ", conid=None))
    bench.exchange.fill(987655, 1, "164.9")
    (row,) = bench.orders()
    told: dict[str, Any] = {
        "sizeAndFills": "1/5",
        "orderDesc": "Buy 5 AAPL Limit 165.00, GTC",
        "price": "165.00",
        "avgPrice": "164.90",
    }
    told |= {"conidex": "265598@NASDAQ", "conid": AAPL, "remainingQuantity": 4.0, "filledQuantity": 1.0}
    told |= {"status": "Submitted", "orderType": "Limit", "origOrderType": "LIMIT", "timeInForce": "GTC"}
    assert {key: row[key] for key in told} == told
    bench.placed(market())
    assert (bench.orders()[1]["price"], bench.orders()[1]["timeInForce"]) == ("", "CLOSE")
    bench.placed(limit(orderType="STOP_LIMIT", price=171, auxPrice=170))
    assert (bench.orders()[2]["price"], bench.orders()[2]["auxPrice"]) == ("171.00", "170.00")


def test_a_combo_is_one_row_under_its_spread_conid() -> None:
    bench = Bench()
    text = "28812380;;;265598/1,756733/-1"
    bench.placed(limit(conid=None, conidex=text, price=-331.5))
    (row,) = bench.orders()
    assert (row["conid"], row["conidex"], row["secType"], row["price"]) == (28812380, text, "BAG", "-331.50")


@pytest.mark.parametrize(
    ("price", "wanted"),
    [("165", "165.00"), ("0.5", "0.5000"), ("164.9", "164.90"), ("192.2575", "192.2575"), ("0.33333333", "0.333333")],
)
def test_prices_have_the_digits_of_their_tick(price: str, wanted: str) -> None:
    ticks = (PriceTick(Decimal(0), Decimal("0.0001")), PriceTick(Decimal(1), Decimal("0.01")))
    assert price_text(Instrument(conid=1, symbol="X", price_ticks=ticks), Decimal(price)) == wanted


@pytest.mark.parametrize(
    ("size", "wanted"), [("5", "5"), ("5.0", "5"), ("100", "100"), ("1E+2", "100"), ("0.0066", "0.0066")]
)
def test_sizes_have_no_needless_digits(size: str, wanted: str) -> None:
    assert size_text(Decimal(size)) == wanted


def test_a_delta_has_only_what_is_new() -> None:
    bench = Bench()
    order = bench.exchange.live[bench.placed(limit())]
    hall, filled = bench.hall, Decimal(40)
    assert set(order_delta(hall, order, "Submitted", Decimal(0), old_status="PreSubmitted", old_filled=Decimal(0))) == {
        "orderId",
        "status",
        "order_ccp_status",
        "bgColor",
        "fgColor",
    }
    bench.exchange.fill(order.order_id, 40, "165")
    assert order_delta(hall, order, "Submitted", filled, old_status="Submitted", old_filled=Decimal(0)) == {
        "orderId": order.order_id,
        "sizeAndFills": "40/100",
        "remainingQuantity": 60.0,
        "filledQuantity": 40.0,
        "avgPrice": "165.00",
    }
    same = order_delta(hall, order, "Submitted", filled, old_status="Submitted", old_filled=filled)
    assert same == {"orderId": order.order_id}
    assert set(order_identity(hall, order)) == {"acct", "conid", "conidex", "orderId", "isEventTrading"}


def test_order_status_in_both_forms_of_its_path() -> None:
    bench = Bench()
    order_id = bench.placed(limit(cOID="mine"))
    bench.exchange.fill(order_id, 40)
    for path in (f"/iserver/account/order/status/{order_id}", f"/iserver/account/:{ACCOUNT}/order/status/:{order_id}"):
        row = bench.call("GET", path).body
        assert (row["size"], row["total_size"], row["cum_fill"]) == ("60.0", "100.0", "40.0")
        assert (row["side"], row["order_status"], row["order_ccp_status"], row["tif"]) == ("B", "Submitted", "1", "DAY")
        assert (row["limit_price"], row["average_price"]) == ("165.00", "168.43")
        assert not {"cOID", "order_ref", "local_order_id"} & set(row)
    bench.exchange.fill(order_id, 60)
    row = bench.call("GET", f"/iserver/account/order/status/{order_id}").body
    assert (row["size"], row["order_ccp_status"], row["order_not_editable"]) == ("0.0", "2", True)


@pytest.mark.parametrize(("profile", "status"), [("observed", 400), ("documented", 503)])
@pytest.mark.parametrize("order_id", ["1", "abc", "9" * 40])
def test_the_status_of_an_order_that_is_not_there(profile: Profile, status: int, order_id: str) -> None:
    assert Bench(profile).call("GET", f"/iserver/account/order/status/{order_id}").status == status


def test_cancel_is_a_request() -> None:
    bench = Bench("documented")
    order_id = bench.placed(limit())
    answer = bench.call("DELETE", f"/iserver/account/:{ACCOUNT}/order/:{order_id}", manualIndicator="true")
    assert answer.body == {"msg": "Request was submitted", "order_id": order_id, "conid": AAPL, "account": ACCOUNT}
    assert bench.exchange.live[order_id].status == "Cancelled"


def test_a_cancel_that_takes_effect_at_once_names_no_conid() -> None:
    bench = Bench()
    order_id = bench.placed(limit())
    answer = bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert answer.body == {"msg": "Request was submitted", "order_id": order_id, "conid": -1, "account": None}
    again = bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert again.status == 400


@pytest.mark.parametrize("order_id", ["7", "abc", "-2", "9" * 40])
def test_a_cancel_of_nothing(order_id: str) -> None:
    path = f"/iserver/account/{ACCOUNT}/order/{order_id}"
    observed = Bench().call("DELETE", path)
    assert (observed.status, observed.body) == (400, {"error": f"OrderID {order_id} doesn't exist"})
    assert Bench("documented").call("DELETE", path).status == 200
    assert Bench().call("DELETE", "/iserver/account/U9/order/7").status == 400


def test_minus_one_cancels_everything_of_the_account() -> None:
    bench = Bench(accounts=[ACCOUNT, "DU1234568"])
    bench.placed(limit())
    bench.placed(limit(deactivated=True))
    bench.place(limit(), account="DU1234568")
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/-1")
    assert [order.account for order in bench.exchange.live.values() if order.open] == ["DU1234568"]
    assert bench.reply(asked).status == 400


def test_the_first_trades_are_empty_and_days_stick() -> None:
    bench = Bench()
    order_id = bench.placed(limit())
    bench.exchange.fill(order_id, 40)
    assert bench.call("GET", TRADES + "/").body == []
    assert len(bench.call("GET", TRADES).body) == 1
    bench.wait(3 * 86_400)
    assert bench.call("GET", TRADES, days="1").body == []
    assert bench.call("GET", TRADES).body == []  # the 1 of before
    assert len(bench.call("GET", TRADES, days="7").body) == 1
    for days in ("0", "8", "x", "-1", "1.5"):
        assert bench.call("GET", TRADES, days=days).status == 400
    assert len(bench.call("GET", TRADES).body) == 1


def test_a_commission_is_told_late() -> None:
    bench = Bench("documented")
    bench.exchange.fill(bench.placed(limit(side="SELL", quantity=5, cOID="Order123")), 5, "192.26")
    (row,) = bench.call("GET", TRADES).body
    assert "commission" not in row
    bench.wait(2)
    (row,) = bench.call("GET", TRADES).body
    told = {"commission": "1.01", "side": "S", "size": 5.0, "price": "192.26", "net_amount": 961.3}
    told |= {"order_description": "Sold 5 @ 192.26 on ISLAND", "trade_time": "20240311-14:00:00"}
    told |= {"order_ref": "Order123", "order_id": 987655, "trade_time_r": START_NS // 1_000_000}
    assert {key: row[key] for key in told} == told


def test_a_preview_is_made_of_display_strings_and_lists_nothing() -> None:
    bench = Bench()
    body = {"orders": [limit(price=197.76, quantity=10)]}
    assert bench.call("POST", f"/iserver/account/{ACCOUNT}/orders/whatif", body).body == {
        "amount": {"amount": "1,977.60 USD (10 Shares)", "commission": "1 USD", "total": "1,978.60 USD"},
        "equity": {"current": "215,415", "change": "-1", "after": "215,414"},
        "initial": {"current": "1,000", "change": "652", "after": "1,652"},
        "maintenance": {"current": "900", "change": "590", "after": "1,490"},
        "position": {"current": "0", "change": "10", "after": "10"},
        "warn": None,
        "error": None,
    }
    assert bench.exchange.live == {}


def test_previews_of_what_would_be_refused() -> None:
    bench = Bench(room=Decimal(10))
    path = f"/iserver/account/{ACCOUNT}/orders/whatif"
    assert "insufficient" in bench.call("POST", path, {"orders": [limit()]}).body["error"]
    assert bench.call("POST", path, {"orders": [limit(conid=0)]}).status == 400
    assert bench.call("POST", path, {"orders": []}).status == 400
    assert bench.call("POST", path.replace(ACCOUNT, "U9"), {"orders": [limit()]}).status == 400
    dark = bench.call("POST", path, {"orders": [market(conid=DARK)]}).body
    assert (dark["warn"][:3], dark["amount"]["total"]) == ("21/", "- USD")
    bench.hall.memory.suppressed.add("o354")
    assert bench.call("POST", path, {"orders": [market(conid=DARK)]}).body["warn"] is None


# Recorded answers


def bench_with_a_fill() -> Bench:
    bench = Bench()
    bench.exchange.fill(bench.placed(market(conid=SPY, quantity=1, cOID="Order123")), 1, "647.09")
    return bench


@pytest.mark.parametrize("name", ["GET-live-orders-empty", "GET-live-orders"])
def test_live_orders_as_recorded(name: str) -> None:
    bench = bench_with_a_fill()
    bench.call("GET", ORDERS)
    assert misfits(bench.call("GET", ORDERS).body, recorded(name)) == []


def test_trades_as_recorded() -> None:
    bench = bench_with_a_fill()
    assert bench.call("GET", TRADES).body == recorded("GET-trades-empty")
    answer = bench.call("GET", TRADES).body
    assert answer
    assert misfits(answer, recorded("GET-trades")) == []


def test_acknowledgements_questions_and_cancels_as_recorded() -> None:
    bench = Bench()
    assert misfits(bench.place(limit()).body, recorded("POST-place-order-submitted")) == []
    assert misfits(bench.modify(987655, limit()).body, recorded("POST-modify-order-submitted")) == []
    asked = bench.place(limit(conid=DARK)).body
    theirs = recorded("POST-place-order-confirmation")
    assert misfits(asked, theirs) == []
    assert asked[0]["message"] == theirs[0]["message"]
    assert misfits(bench.reply(asked[0]["id"]).body, recorded("POST-reply-submitted")) == []
    cancel = bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/987655")
    assert misfits(cancel.body, recorded("DELETE-cancel-order")) == []


def test_a_notification_is_answered_as_recorded() -> None:
    bench = Bench(questions=evolve(QUIET, prompt_percent=Decimal(5)))
    prompt = bench.place(limit(price=100)).body
    told = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": "Do not use"}
    assert bench.call("POST", "/iserver/notification", told).body == recorded("POST-dismiss-notification")
