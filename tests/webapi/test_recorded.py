"""Each recorded exchange of a real account is read by the client method whose request it answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.webapi.calls import Reply
from engine.webapi.facts.orders import Acknowledged, CancelTaken, Question
from engine.webapi.facts.wire import Fact
from tests.webapi.everything import CONDITION, WIRE, Client, Doing
from tests.webapi.made import Handed
from tests.webapi.recorded import exchanges, needs_exchanges

A, D = "U1234567", "DU9999999"
# By name of the exchange: who asks for it. Arguments are those of the recorded path.
ASKED: dict[str, Doing] = {
    "GET-account-summary-available-funds": lambda c: c.accounts.available_funds(A),
    "GET-account-summary-balances": lambda c: c.accounts.balances(A),
    "GET-account-summary": lambda c: c.accounts.summary(A),
    "GET-iserver-accounts": lambda c: c.accounts.accounts(),
    "GET-search-dynamic-account": lambda c: c.accounts.search("U123"),
    "GET-signatures-and-owners": lambda c: c.accounts.signatures(A),
    "POST-set-dynamic-account": lambda c: c.accounts.set_dynamic(A),
    "POST-switch-account": lambda c: c.accounts.switch(A),
    "DELETE-alert": lambda c: c.alerts.delete(D, 100001),
    "GET-alerts-list": lambda c: c.alerts.listed(D),
    "POST-activate-alert": lambda c: c.alerts.activate(D, 100001),
    "POST-create-alert": lambda c: c.alerts.save(D, name="n", message="m", conditions=_conditions()),
    "GET-contract-info-and-rules": lambda c: c.contracts.info_and_rules(265598),
    "GET-contract-info": lambda c: c.contracts.info(756733),
    "GET-currency-pairs": lambda c: c.contracts.currency_pairs("USD"),
    "GET-exchangerate": lambda c: c.contracts.exchange_rate("USD", "EUR"),
    "GET-secdef-search": lambda c: c.discovery.search("SPY"),
    "GET-secdef-strikes": lambda c: c.discovery.strikes(756733, sec_type="OPT", month="JAN27"),
    "GET-trsrv-all-conids": lambda c: c.discovery.all_conids("NASDAQ"),
    "GET-trsrv-futures": lambda c: c.discovery.futures(["ES"]),
    "GET-trsrv-stocks": lambda c: c.discovery.stocks(["AAPL"]),
    "POST-contract-rules": lambda c: c.contracts.rules(756733),
    "POST-secdef-search": lambda c: c.discovery.search_posted("AAPL"),
    "GET-category-tree": lambda c: c.discovery.forecast_categories(),
    "GET-contract-details": lambda c: c.discovery.forecast_details(722489372),
    "GET-contract-rules": lambda c: c.discovery.forecast_rules(722489372),
    "GET-contract-schedules": lambda c: c.discovery.forecast_schedule(722489372),
    "GET-market": lambda c: c.discovery.forecast_market(658663572),
    "DELETE-device": lambda c: c.fyi.delete_device("test-device-001"),
    "GET-delivery-options": lambda c: c.fyi.delivery(),
    "GET-disclaimer": lambda c: c.fyi.disclaimer("BA"),
    "GET-notifications": lambda c: c.fyi.notifications(),
    "GET-settings": lambda c: c.fyi.settings(),
    "GET-unread-count": lambda c: c.fyi.unread(),
    "POST-register-device": lambda c: c.fyi.set_device(device_id="d", name="n", shown_as="u", enabled=True),
    "POST-update-setting": lambda c: c.fyi.set_enabled("BA", enabled=True),
    "PUT-mark-disclaimer-read": lambda c: c.fyi.accept_disclaimer("BA"),
    "PUT-mark-notification-read": lambda c: c.fyi.mark_read("2026040190532092"),
    "PUT-set-email-delivery": lambda c: c.fyi.set_email(enabled=True),
    "GET-scanner-params": lambda c: c.scanner.parameters(),
    "GET-snapshot": lambda c: c.market.snapshot([756733], ["31"], tries=1),
    "GET-unsubscribeall": lambda c: c.market.unsubscribe_all(),
    "POST-scanner-run": lambda c: c.scanner.run(instrument="STK", scan="TOP_PERC_GAIN", location="STK.US.MAJOR"),
    "POST-unsubscribe": lambda c: c.market.unsubscribe(756733),
    "DELETE-cancel-order": lambda c: c.orders.cancel(A, 602801486),
    "GET-live-orders-empty": lambda c: c.orders.live(),
    "GET-live-orders": lambda c: c.orders.live(),
    "GET-trades-empty": lambda c: c.orders.trades(),
    "GET-trades": lambda c: c.orders.trades(),
    "POST-dismiss-notification": lambda c: c.orders.answer_prompt(order_id=1, request_id="1", option="Yes"),
    "POST-modify-order-submitted": lambda c: c.orders.modify(A, 473740665, WIRE),
    "POST-place-order-confirmation": lambda c: c.orders.place(A, [WIRE]),
    "POST-place-order-submitted": lambda c: c.orders.place(A, [WIRE]),
    "POST-reply-submitted": lambda c: c.orders.reply("test-reply-id-001", confirmed=True),
    "GET-iserver-account-pnl-partitioned": lambda c: c.accounts.pnl(),
    "GET-portfolio-accounts": lambda c: c.portfolio.accounts(),
    "GET-portfolio-allocation": lambda c: c.portfolio.allocation(A),
    "GET-portfolio-combo-positions-empty": lambda c: c.portfolio.combos(A),
    "GET-portfolio-ledger": lambda c: c.portfolio.ledger(A),
    "GET-portfolio-meta": lambda c: c.portfolio.meta(A),
    "GET-portfolio-position-by-conid": lambda c: c.portfolio.position(A, 756733),
    "GET-portfolio-positions-by-conid": lambda c: c.portfolio.position_by_account(756733),
    "GET-portfolio-positions-empty": lambda c: c.portfolio.positions_page(A, 999),
    "GET-portfolio-positions-page0": lambda c: c.portfolio.positions(A),
    "GET-portfolio-subaccounts": lambda c: c.portfolio.subaccounts(),
    "GET-portfolio-summary": lambda c: c.portfolio.summary(A),
    "POST-pa-allperiods": lambda c: c.performance.all_periods([A]),
    "POST-pa-performance": lambda c: c.performance.performance([A], "1M"),
    "POST-portfolio-consolidated-allocation": lambda c: c.portfolio.joint_allocation([A]),
    "POST-portfolio-invalidate": lambda c: c.portfolio.invalidate(A),
    "GET-auth-status": lambda c: c.session.status(),
    "POST-suppress-reset": lambda c: c.orders.reset_suppression(),
    "POST-suppress": lambda c: c.orders.suppress(["o163"]),
    "POST-tickle": lambda c: c.session.tickle(),
    "DELETE-watchlist": lambda c: c.watchlists.delete("99999"),
    "GET-watchlists": lambda c: c.watchlists.listed(),
    "POST-create-watchlist": lambda c: c.watchlists.save("99999", "Capture Test", []),
}
# Answers that say there is nothing: what is read of them is empty.
EMPTY = {"GET-iserver-account-pnl-partitioned", "GET-portfolio-combo-positions-empty", "GET-portfolio-positions-empty"}
# The published document and we ask by POST what was recorded by GET.
BY_POST = {"GET-auth-status"}


def _conditions() -> list[Any]:
    return [CONDITION]


async def asked(exchange: dict[str, Any]) -> tuple[Any, Handed]:
    """Have the client ask for a recorded exchange and return what it read."""
    body = msgspec.json.encode(exchange["body"])
    handed = Handed(lambda _call: Reply(status=exchange["status"], body=body, sent_ns=1, heard_ns=2))
    return await ASKED[exchange["name"]](Client(handed)), handed


def _numbered() -> list[Any]:
    return [pytest.param(each, id=f"{at}-{each['name']}") for at, each in enumerate(exchanges())]


@needs_exchanges
@pytest.mark.parametrize("exchange", _numbered())
async def test_a_recorded_exchange_is_asked_for_and_read(exchange: dict[str, Any]) -> None:
    got, handed = await asked(exchange)
    path = exchange["request"]["Path"].removeprefix("/v1/api").partition("?")[0]
    assert {call.path for call in handed.calls} == {path}
    method = "POST" if exchange["name"] in BY_POST else exchange["request"]["Methods"][0]
    assert {call.method for call in handed.calls} == {method}
    if exchange["name"] in EMPTY:
        assert got in ((), {})
    else:
        assert got not in ((), {}, None)
    if isinstance(got, Fact) and exchange["body"]:
        read = (getattr(got, name) for name in got.__struct_fields__)
        assert any(value not in (None, "", (), {}) for value in read)


@needs_exchanges
def test_all_of_them_are_known() -> None:
    assert len(exchanges()) == 79
    assert {each["name"] for each in exchanges()} == set(ASKED)


def named(name: str) -> dict[str, Any]:
    """A recorded exchange by its name."""
    return next(each for each in exchanges() if each["name"] == name)


@needs_exchanges
async def test_what_they_say_of_orders() -> None:
    live, _ = await asked(named("GET-live-orders"))
    (row,) = live.value.rows
    raw = named("GET-live-orders")["body"]["orders"][0]
    assert (row.order_id, row.conid, row.status, row.tif) == (raw["orderId"], raw["conid"], raw["status"], "CLOSE")
    assert (float(row.filled), float(row.remaining), row.price) == (1.0, 0.0, None)
    assert not live.value.snapshot

    trades, _ = await asked(named("GET-trades"))
    (execution,) = trades.value.rows
    assert (execution.side, str(execution.price), execution.commission) == ("BUY", "647.09", None)

    (question,), _ = await asked(named("POST-place-order-confirmation"))
    assert isinstance(question, Question)
    assert question.message_ids == ("o354",)
    (acknowledged,), _ = await asked(named("POST-modify-order-submitted"))
    assert isinstance(acknowledged, Acknowledged)
    assert acknowledged.order_id == 555666777
    gone, _ = await asked(named("DELETE-cancel-order"))
    assert gone == CancelTaken(order_id=602801486, at_once=True, text="Request was submitted")


@needs_exchanges
async def test_what_they_say_of_money() -> None:
    ledger, _ = await asked(named("GET-portfolio-ledger"))
    raw = named("GET-portfolio-ledger")["body"]
    assert {name: float(row.cash) for name, row in ledger.items()} == {
        name: row["cashbalance"] for name, row in raw.items()
    }
    positions, _ = await asked(named("GET-portfolio-positions-page0"))
    raw_rows = named("GET-portfolio-positions-page0")["body"]
    assert [(row.conid, float(row.quantity), float(row.average_cost)) for row in positions] == [
        (row["conid"], row["position"], row["avgCost"]) for row in raw_rows
    ]
