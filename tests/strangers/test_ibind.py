"""A client that nobody here wrote (ibind, from the package index) trades against the gateway over TLS.

What it believes is compared with what the exchange really holds. Its habits are its own: it matches the English words
of questions, reads the first of several messages, and takes any exception of a closed stream for a log line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import ibind
import pytest
from ibind import OrderRequest, QuestionType, events, subscriptions

from tests.served import PAPER, PATIENT, Served, served

AAPL: Final = 265598
# All that it knows how to be asked, each answered yes: a text of ours that it does not know raises an error.
YES: Final = dict.fromkeys(QuestionType, True)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = f"{PATIENT}market_risk = true\nstop_detail = true\n"  # under [gateway.questions]
    folder = tmp_path_factory.mktemp("gateway")
    with served(folder, "--speed", "20", "--pacing", "off", config=config) as running:
        yield running


@pytest.fixture(scope="module")
def client(gateway: Served) -> Iterator[Any]:
    made = ibind.IbkrClient(
        account_id=PAPER, url=gateway.url, cacert=str(gateway.ca), max_retries=0, timeout=20,
        auto_register_shutdown=False,
    )  # fmt: skip
    assert made.check_auth_status()
    made.initialize_brokerage_session()
    assert made.receive_brokerage_accounts().data["selectedAccount"] == PAPER
    made.portfolio_accounts()
    yield made
    made.close()


def request(**changed: Any) -> Any:
    """Ten shares at the market, as the stranger writes an order."""
    wanted: dict[str, Any] = {
        "conid": AAPL,
        "side": "BUY",
        "quantity": 10,
        "order_type": "MKT",
        "acct_id": PAPER,
        "tif": "DAY",
    }
    return OrderRequest(**(wanted | changed))


def far(name: str, **changed: Any) -> Any:
    """A limit that no market reaches: asked about, and then at rest."""
    return request(coid=name, order_type="LMT", price=100.0, **changed)


def until(check: Callable[[], Any]) -> Any:
    """Ask again until the answer is a yes, within bounds."""
    for _ in range(200):
        found = check()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail("it did not happen")


def arrived(gateway: Served, name: str) -> list[dict[str, Any]]:
    """All orders behind the curtain that came with a client order id."""
    return [one for one in gateway.state()["orders"] if one["cOID"] == name]


def row(gateway: Served, name: str) -> dict[str, Any]:
    """An order behind the curtain, by its client order id; there is exactly one."""
    (found,) = arrived(gateway, name)
    return found


def test_it_finds_a_session(client: Any) -> None:
    assert client.check_health()
    assert client.handle_auth_status()
    assert client.validate().data["RESULT"] is True
    assert client.initialize_brokerage_session().data["authenticated"] is True
    assert client.switch_account(PAPER).data


def test_it_finds_instruments(client: Any) -> None:
    assert client.stock_conid_by_symbol(["AAPL", "IBM"]).data == {"AAPL": AAPL, "IBM": 8314}
    (found,) = client.search_contract_by_symbol("AAPL").data
    months = next(part["months"] for part in found["sections"] if part["secType"] == "OPT")
    strikes = client.search_strikes_by_conid(str(AAPL), "OPT", months.split(";")[0]).data
    strike = str(strikes["call"][0])
    options = client.search_secdef_info_by_conid(str(AAPL), "OPT", months.split(";")[0], strike=strike, right="C").data
    assert {(one["symbol"], one["right"]) for one in options} == {("AAPL", "C")}
    assert client.security_future_by_symbol("ES").data["ES"]
    assert client.security_definition_by_conid([str(AAPL)]).data["secdef"][0]["ticker"] == "AAPL"
    assert client.contract_information_by_conid(str(AAPL)).data["con_id"] == AAPL
    assert client.info_and_rules_by_conid(str(AAPL), True).data["rules"]["canTradeAcctIds"] == [PAPER]
    assert "limit" in client.search_contract_rules(str(AAPL)).data["orderTypes"]
    assert client.trading_schedule_by_symbol("STK", "AAPL").data[0]["timezone"] == "America/New_York"
    assert client.currency_exchange_rate("USD", "USD").data["rate"] == 1


def test_it_reads_market_data(client: Any) -> None:
    client.live_marketdata_snapshot(str(AAPL), ["31", "84", "86"])
    quote = until(lambda: client.live_marketdata_snapshot_by_symbol("AAPL", ["31", "84", "86"])["AAPL"])
    assert float(quote["bid_price"]) <= float(quote["ask_price"])
    bars = client.marketdata_history_by_symbols(["AAPL", "IBM"], period="1h", bar="5min")
    # Before the open a share may go five minutes without a trade, and then it has no bar.
    assert {symbol: 8 < len(rows) <= 13 for symbol, rows in bars.items()} == {"AAPL": True, "IBM": True}
    assert all(bar["low"] <= bar["open"] <= bar["high"] for rows in bars.values() for bar in rows)
    assert client.marketdata_unsubscribe(str(AAPL))[str(AAPL)].data == {"success": True}
    assert client.marketdata_unsubscribe_all().data == {"unsubscribed": True}


def test_it_places_and_finds_the_fill_everywhere(client: Any, gateway: Served) -> None:
    before = gateway.state()
    placed = client.place_order(request(coid="fill"), YES).data
    until(lambda: row(gateway, "fill")["status"] == "Filled")
    state = gateway.state()
    assert int(placed["order_id"]) == row(gateway, "fill")["order_id"]
    held = state["positions"][str(AAPL)]
    assert held == before["positions"].get(str(AAPL), 0) + 10

    status = client.order_status(placed["order_id"]).data
    assert (status["order_status"], float(status["cum_fill"])) == ("Filled", 10)
    listed = until(lambda: client.live_orders().data["orders"])
    assert {str(one["orderId"]) for one in listed} >= {placed["order_id"]}
    trades = until(lambda: [one for one in client.trades().data if str(one["order_id"]) == placed["order_id"]])
    shown = {one["execution_id"]: one for one in state["executions"]}
    assert sum(one["size"] for one in trades) == 10
    assert all(one["price"] == shown[one["execution_id"]]["price"] for one in trades)

    client.invalidate_backend_portfolio_cache()
    assert [one["position"] for one in client.positions().data if one["conid"] == AAPL] == [held]
    assert [one["position"] for one in client.positions2().data if int(one["conid"]) == AAPL] == [held]
    assert client.positions_by_conid(PAPER, str(AAPL)).data[0]["position"] == held
    assert client.position_and_contract_info(str(AAPL)).data
    cash = until(lambda: _settled(client, gateway))
    assert client.portfolio_summary().data["totalcashvalue"]["amount"] == pytest.approx(cash, abs=0.01)
    assert client.account_summary().data["totalCashValue"] == pytest.approx(cash, abs=0.01)
    assert client.portfolio_account_allocation().data["assetClass"]["long"]["STK"] > 0
    assert until(lambda: client.account_profit_and_loss().data["upnl"])[f"{PAPER}.Core"]["nl"] > 0


def _settled(client: Any, gateway: Served) -> float | None:
    """The ledger's cash, once it agrees with the exchange to the cent (a commission may be on its way)."""
    cash = float(client.get_ledger().data["USD"]["cashbalance"])
    return cash if abs(cash - gateway.state()["cash"]["USD"]) < 0.01 else None


@pytest.mark.parametrize(
    ("name", "changed", "asked"),
    [
        ("o163", {"order_type": "LMT", "price": 165.0}, {QuestionType.PRICE_PERCENTAGE_CONSTRAINT}),
        ("o382", {"order_type": "LMT", "price": 172.001}, {QuestionType.TICK_SIZE_LIMIT}),
        ("o383", {"quantity": 501, "order_type": "LMT", "price": 171.0}, {QuestionType.ORDER_SIZE_LIMIT}),
        ("o10151", {}, {QuestionType.MARKET_ORDER_CONFIRMATION}),
        (
            "stop",
            {"order_type": "STP", "price": 300.0},
            {QuestionType.STOP_ORDER_RISKS, QuestionType.STOP_VARIANT_ORDER_CONFIRMATION},
        ),
        (
            "o403",
            {"order_type": "STP", "price": 100.0},
            {
                QuestionType.STOP_ORDER_RISKS,
                QuestionType.STOP_VARIANT_ORDER_CONFIRMATION,
                QuestionType.TRIGGER_AND_FILL,
            },
        ),
        (
            "o10153",
            {"order_type": "LMT", "price": 100.0},
            {QuestionType.PRICE_PERCENTAGE_CONSTRAINT, QuestionType.MANDATORY_CAP_PRICE},
        ),
        (
            "o10164",
            {"quantity": None, "cash_qty": 500.0, "order_type": "LMT", "price": 171.0},
            {QuestionType.CASH_QUANTITY, QuestionType.CASH_QUANTITY_ORDER},
        ),
    ],
)
def test_its_words_for_a_question_are_ours(
    client: Any, gateway: Served, name: str, changed: dict[str, Any], asked: set[Any]
) -> None:
    """With the answers to these questions alone the order gets through; with one of them missing it does not."""
    for missing in asked:
        with pytest.raises(ValueError, match="No answer found"):
            client.place_order(request(coid=f"{name}-no", **changed), dict.fromkeys(asked - {missing}, True))
    left = arrived(gateway, f"{name}-no")  # at rest until the question expires
    assert {one["status"] for one in left} <= {"Inactive", "Cancelled"}
    assert {one["filled"] for one in left} == {0}
    placed = client.place_order(request(coid=name, **changed), dict.fromkeys(asked, True)).data
    assert int(placed["order_id"]) == row(gateway, name)["order_id"]


def test_it_says_no(client: Any, gateway: Served) -> None:
    with pytest.raises(RuntimeError, match="not given a positive reply"):
        client.place_order(far("declined"), {QuestionType.PRICE_PERCENTAGE_CONSTRAINT: False})
    assert [one["filled"] for one in arrived(gateway, "declined")] == [0]
    assert row(gateway, "declined")["status"] in ("Inactive", "Cancelled")


def test_it_suppresses_and_resets(client: Any, gateway: Served) -> None:
    client.suppress_messages([ibind.question_type_to_message_id(kind) for kind in (
        QuestionType.PRICE_PERCENTAGE_CONSTRAINT, QuestionType.MANDATORY_CAP_PRICE)])  # fmt: skip
    client.place_order(far("unasked"), {})
    assert row(gateway, "unasked")["filled"] == 0
    client.reset_suppressed_messages()
    with pytest.raises(ValueError, match="Percentage constraint"):
        client.place_order(far("asked again"), {})


def test_it_modifies_and_cancels(client: Any, gateway: Served) -> None:
    placed = client.place_order(far("changed", tif="GTC"), YES).data
    client.modify_order(placed["order_id"], far("changed", tif="GTC", quantity=4), YES)
    assert row(gateway, "changed")["quantity"] == 4
    assert float(client.order_status(placed["order_id"]).data["total_size"]) == 4
    client.cancel_order(placed["order_id"])
    until(lambda: row(gateway, "changed")["status"] == "Cancelled")
    with pytest.raises(ibind.ExternalBrokerError, match="can't be cancelled"):
        client.cancel_order(placed["order_id"])


def test_a_client_order_id_is_taken_once(client: Any, gateway: Served) -> None:
    """It reads the words of the refusal, and says that the order is already registered."""
    client.place_order(far("once"), YES)
    with pytest.raises(ibind.ExternalBrokerError, match="already registered"):
        client.place_order(far("once"), YES)
    row(gateway, "once")


def test_it_places_a_bracket_and_previews(client: Any) -> None:
    both = client.place_order(
        [far("parent"), request(order_type="LMT", price=900.0, side="SELL", parent_id="parent")], YES
    ).data
    (child,) = [one for one in both if "parent_order_id" in one]
    (parent,) = [one for one in both if one is not child]
    assert child["parent_order_id"] == parent["order_id"]
    preview = client.whatif_order(request(quantity=3)).data
    assert preview["error"] is None
    assert "(3 Shares)" in preview["amount"]["amount"]


def test_it_keeps_a_watchlist(client: Any) -> None:
    client.create_watchlist("77", "mine", [{"C": AAPL}, {"H": ""}])
    assert "77" in {one["id"] for one in client.get_all_watchlists().data["data"]["user_lists"]}
    assert client.get_watchlist_information("77").data["instruments"][0]["conid"] == AAPL
    assert client.delete_watchlist("77").data["data"] == {"deleted": "77"}


def test_it_reads_performance_and_scans(client: Any) -> None:
    assert client.account_performance(PAPER, "1M").data["included"] == [PAPER]
    assert client.transaction_history(PAPER, str(AAPL), "USD", 5).data["currency"] == "USD"
    assert client.scanner_parameters().data["scan_type_list"]
    assert client.market_scanner("STK", "TOP_PERC_GAIN", "STK.US.MAJOR").data["contracts"]


def test_it_streams(client: Any, gateway: Served) -> None:
    sink = ibind.QueueSink()
    stream = ibind.IbkrWsClient(
        account_id=PAPER, url=f"wss{gateway.url.removeprefix('https')}/ws", ibkr_client=client, cacert=str(gateway.ca),
        sink=sink,
    )  # fmt: skip
    wanted = {
        events.MarketData: subscriptions.MarketDataSubscription(conid=str(AAPL), fields=["31", "84", "86"]),
        events.Orders: subscriptions.OrdersSubscription(),
        events.Trades: subscriptions.TradesSubscription(),
        events.Pnl: subscriptions.PnlSubscription(),
        events.AccountSummary: subscriptions.AccountSummarySubscription(account_id=PAPER),
        events.AccountLedger: subscriptions.AccountLedgerSubscription(account_id=PAPER),
        events.MarketHistory: subscriptions.MarketHistorySubscription(conid=str(AAPL), period="1d", bar="1h"),
        events.PriceLadder: subscriptions.PriceLadderSubscription(conid=str(AAPL), account_id=PAPER),
    }
    queues = {kind: sink.new_queue_accessor(kind) for kind in (*wanted, events.IbkrError, events.GenericIbkrEvent)}
    assert stream.start()
    try:
        assert stream.wait_all([stream.subscribe(one) for one in wanted.values()], 10) == []
        assert stream.tic()["alive"] is True
        client.place_order(request(coid="streamed"), YES)
        order = row(gateway, "streamed")["order_id"]
        until(lambda: _told(queues[events.Orders], "orderId", order, "Filled"))
        until(lambda: _told(queues[events.Trades], "order_id", order))
        for kind in set(wanted) - {events.Orders, events.Trades}:
            assert until(queues[kind].get).data, kind
        for kind in (events.MarketData, events.AccountSummary, events.AccountLedger, events.MarketHistory):
            assert stream.unsubscribe(wanted[kind]).wait(10), kind
        assert queues[events.IbkrError].empty()
        assert queues[events.GenericIbkrEvent].empty()
    finally:
        stream.shutdown()  # False where its own threads did not end within its patience


def _told(queue: Any, key: str, order_id: int, status: str | None = None) -> bool:
    """Whether a frame speaks of an order (with a status); reads what has come."""
    while (event := queue.get()) is not None:
        for one in event.data["args"]:
            if str(one.get(key)) == str(order_id) and (status is None or one.get("status") == status):
                return True
    return False


@pytest.mark.skipif(find_spec("Crypto") is None, reason="its OAuth needs pycryptodome, which we don't")
def test_it_signs_its_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ibind.oauth.oauth1a import OAuth1aConfig

    with served(tmp_path, "--auth", "oauth1", "--speed", "20", "--pacing", "off", config=PATIENT) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca))  # with OAuth it takes no authority as an argument
        told = json.loads((tmp_path / "oauth1.json").read_text())
        config = OAuth1aConfig(
            oauth_rest_url=f"{running.url}/", access_token=told["access_token"], maintain_oauth=False,
            access_token_secret=told["access_token_secret"], consumer_key=told["consumer_key"],
            dh_prime=told["dh_prime"], encryption_key_fp=told["encryption_key"],
            signature_key_fp=told["signature_key"], realm=told["realm"],
        )  # fmt: skip
        client = ibind.IbkrClient(
            account_id=PAPER, use_oauth=True, oauth_config=config, max_retries=0, auto_register_shutdown=False
        )
        assert until(client.check_auth_status)
        running.advance(10)  # an init's bridge settles
        assert client.receive_brokerage_accounts().data["selectedAccount"] == PAPER
        assert client.live_marketdata_snapshot([str(AAPL)], ["31", "84"]).data[0]["conid"] == AAPL
        client.place_order(far("signed"), YES)
        row(running, "signed")
        client.close()
