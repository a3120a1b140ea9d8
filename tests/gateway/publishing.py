"""A day at the gateway that asks every published path that it serves at least once, and keeps all good answers."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any, Final

from engine.gateway.calls import Answer
from engine.gateway.logins import ROUTES
from engine.gateway.options import Options, Questions
from engine.gateway.routes import ALL_ROUTES
from engine.gateway.routing import Table
from tests.gateway.desk_fakes import AAPL, ACCOUNT, limit, market
from tests.gateway.floor import Floor

SECOND: Final = "DU1234568"
CHAIN: Final = {"conid": str(AAPL), "sectype": "OPT", "month": "MAR26"}
ALERT: Final = {
    "alertName": "mine",
    "alertMessage": "look",
    "alertRepeatable": 0,
    "outsideRth": 1,
    "tif": "GTC",
    "conditions": [
        {
            "type": 1, "conidex": f"{AAPL}@SMART", "operator": ">=", "triggerMethod": "0", "value": "500",
            "logicBind": "n",
        }
    ],
}  # fmt: skip


def shape(key: str) -> str:
    """ "METHOD template" with one sign for every id: their names are a matter of taste."""
    return re.sub(r"\{\w+\}", "{}", key)


class Day(Floor):
    """A floor that keeps the body of every good answer by "METHOD template" (as `shape` writes it)."""

    def __init__(self, profile: Any) -> None:
        self.told: dict[str, list[Any]] = defaultdict(list)
        super().__init__(
            Options(profile=profile, accounts=2, questions=Questions(prompt_percent=Decimal(45)))  # p12 far away
        )
        self._table = Table((*ROUTES, *ALL_ROUTES))

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        answer = super().call(method, path, body, **query)
        found = self._table.find(method, path)
        assert not isinstance(found, int)
        if answer.status == 200:
            self.told[shape(f"{method} {found[0].template}")].append(answer.body)
        return answer

    def post(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """Body of a good write."""
        answer = self.call(method, path, {} if body is None else body)
        assert answer.status == 200, (path, answer)
        return answer.body

    def live(self) -> None:
        """All of it."""
        self._session()
        order = self._orders()
        self._reads(order)
        self._lists()
        self._alerts_and_fyi()
        self._groups()
        self.post("/logout")

    def _session(self) -> None:
        self.post("/tickle")
        self.post("/iserver/auth/status")
        self.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True})
        self.get("/sso/validate")
        self.get("/iserver/accounts")
        self.post("/iserver/account", {"acctId": SECOND})
        self.post("/iserver/account", {"acctId": ACCOUNT})

    def _confirmed(self, path: str, body: Any) -> Any:
        answer = self.post(path, body)
        while isinstance(answer, list) and "messageIds" in answer[0]:
            answer = self.post(f"/iserver/reply/{answer[0]['id']}", {"confirmed": True})
        return answer[0] if isinstance(answer, list) else answer

    def _orders(self) -> int:
        """A position, questions, a prompt, a change, a cancel, a refusal; the id of an order that works."""
        place, order = f"/iserver/account/{ACCOUNT}/orders", f"/iserver/account/{ACCOUNT}/order"
        self._confirmed(place, {"orders": [market(quantity=10, cOID="held")]})
        self.wait(5)
        far = limit(price=165, tif="DAY")
        self._confirmed(place, {"orders": [far | {"cOID": "changed"}]})
        self.wait(1)
        changed = self._confirmed(place, {"orders": [far | {"cOID": "works"}]})
        self.wait(1)
        self._confirmed(f"{order}/{changed['order_id']}", far | {"quantity": 2})
        self.wait(1)
        self.post(f"{order}/{changed['order_id']}", method="DELETE")
        self.wait(1)
        prompt = self._confirmed(place, {"orders": [limit(price=80)]})
        told = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": prompt["options"][-1]}
        self.post("/iserver/notification", told)
        self.post(place, {"orders": [market(quantity=1_000_000)]})  # more than the account can pay for
        self.post(f"{place}/whatif", {"orders": [limit()]})
        self.post("/iserver/questions/suppress", {"messageIds": ["o163"]})
        self.post("/iserver/questions/suppress/reset")
        return max(one.order_id for one in self.exchange.orders(ACCOUNT) if one.open)

    def _reads(self, order: int) -> None:
        for _ in range(2):  # the first read of some is cold
            self.get("/iserver/account/orders")
            self.get("/iserver/account/trades")
            self.get("/iserver/account/pnl/partitioned")
            self.get("/iserver/marketdata/snapshot", conids=f"{AAPL}", fields="31,84,86,85,88,87,83,7295,7308")
            self.get(f"/portfolio/{ACCOUNT}/positions/0")
            self.get(f"/portfolio2/{ACCOUNT}/positions")
            self.get(f"/iserver/contract/{AAPL}/algos", addParams="1", addDescription="1")
        self.get(f"/iserver/account/order/status/{order}")
        for part in ("", "/available_funds", "/balances", "/margins", "/market_value"):
            self.get(f"/iserver/account/{ACCOUNT}/summary{part}")
        self.get(f"/acesws/{ACCOUNT}/signatures-and-owners")
        self.get("/iserver/marketdata/history", conid=f"{AAPL}", period="1d", bar="1h")
        self.post("/iserver/marketdata/unsubscribe", {"conid": AAPL})
        self.get("/iserver/marketdata/unsubscribeall")
        self.get("/iserver/secdef/search", symbol="AAPL")
        self.post("/iserver/secdef/search", {"symbol": "AAPL"})
        self.get("/iserver/secdef/strikes", **CHAIN)
        self.get("/iserver/secdef/info", **CHAIN, right="C")
        self.get("/iserver/secdef/bond-filters", symbol="BOND", issuerId="e1400715")
        self.get(f"/iserver/contract/{AAPL}/info")
        self.get(f"/iserver/contract/{AAPL}/info-and-rules", isBuy="true")
        self.post("/iserver/contract/rules", {"conid": AAPL, "isBuy": True})
        self.get("/iserver/currency/pairs", currency="USD")
        self.get("/iserver/exchangerate", source="EUR", target="USD")
        self.get("/trsrv/secdef", conids=f"{AAPL},8314")
        self.get("/trsrv/stocks", symbols="AAPL")
        self.get("/trsrv/futures", symbols="ES")
        self.get("/trsrv/all-conids", exchange="NASDAQ")
        self.get("/trsrv/secdef/schedule", assetClass="STK", symbol="AAPL")
        self.get("/contract/trading-schedule", conid=f"{AAPL}")
        self.get("/portfolio/accounts")
        self.get("/portfolio/subaccounts")
        self.get("/portfolio/subaccounts2", page="0")
        for part in ("meta", "ledger", "summary", "allocation", "combo/positions", f"position/{AAPL}"):
            self.get(f"/portfolio/{ACCOUNT}/{part}")
        self.get(f"/portfolio/positions/{AAPL}")
        self.post(f"/portfolio/{ACCOUNT}/positions/invalidate")
        accounts = {"acctIds": [ACCOUNT]}
        self.post("/pa/performance", accounts | {"period": "1M"})
        self.post("/pa/allperiods", accounts)
        self.post("/pa/transactions", accounts | {"conids": [AAPL], "currency": "USD", "days": 30})
        self.get("/iserver/scanner/params")
        scan = {"instrument": "STK", "type": "TOP_PERC_GAIN", "location": "STK.US.MAJOR", "filter": []}
        self.post("/iserver/scanner/run", scan)
        tree = self.get("/forecast/category/tree")["categories"]
        market_conid = str(next(one["markets"][0]["conid"] for one in tree.values() if "markets" in one))
        event = self.get("/forecast/contract/market", underlyingConid=market_conid)["contracts"][0]
        for part in ("details", "rules", "schedules"):
            self.get(f"/forecast/contract/{part}", conid=str(event["conid"]))

    def _lists(self) -> None:
        self.post("/iserver/watchlist", {"id": "77", "name": "mine", "rows": [{"C": AAPL}, {"H": ""}]})
        self.get("/iserver/watchlists", SC="USER_WATCHLIST")
        for _ in range(2):  # sparse at first
            self.get("/iserver/watchlist", id="77")
        answer = self.call("DELETE", "/iserver/watchlist", id="77")
        assert answer.status == 200

    def _alerts_and_fyi(self) -> None:
        base = f"/iserver/account/{ACCOUNT}/alert"
        number = self.post(base, ALERT)["order_id"]
        self.get(f"{base}s")
        self.get(f"/iserver/account/alert/{number}", type="Q")
        self.get("/iserver/account/mta")
        self.post(f"{base}/activate", {"alertId": number, "alertActive": 0})
        self.post(f"{base}/{number}", method="DELETE")
        self.get("/fyi/unreadnumber")
        notice = self.get("/fyi/notifications", max="10")[0]["ID"]
        self.post(f"/fyi/notifications/{notice}", method="PUT")
        self.get("/fyi/settings")
        self.post("/fyi/settings/PF", {"enabled": True})
        self.get("/fyi/disclaimer/PF")
        self.post("/fyi/disclaimer/PF", method="PUT")
        self.get("/fyi/deliveryoptions")
        assert self.call("PUT", "/fyi/deliveryoptions/email", {}, enabled="true").status == 200
        self.post("/fyi/deliveryoptions/device", {"devicename": "p", "deviceId": "d", "uiName": "p", "enabled": True})
        self.get("/fyi/deliveryoptions")
        self.call("DELETE", "/fyi/deliveryoptions/d")

    def _groups(self) -> None:
        base = "/iserver/account/allocation"
        team = {"name": "team", "default_method": "E", "accounts": [{"name": ACCOUNT}, {"name": SECOND}]}
        self.get(f"{base}/accounts")
        self.post(f"{base}/group", team)
        self.get(f"{base}/group")
        self.post(f"{base}/group/single", {"name": "team"})
        self.post(f"{base}/group", team | {"prev_name": "team", "name": "crew"}, method="PUT")
        self.post(f"{base}/group/delete", {"name": "crew"})
        presets = self.get(f"{base}/presets")
        self.post(f"{base}/presets", presets)
