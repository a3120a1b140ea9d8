"""Laws of the desk under any sequence of requests: nothing is sent twice, nothing is lost from the list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.gateway.calls import Answer
from engine.gateway.options import Questions
from tests.gateway.desk_fakes import AAPL, ACCOUNT, DARK, SPY, Bench, Profile, limit

RULES = Questions(size_limit=Decimal(150), size_change_percent=Decimal(10), prompt_percent=Decimal(60))
COIDS = st.sampled_from([None, "a", "b", "c"])
CONIDS = st.sampled_from([AAPL, AAPL, DARK, SPY, 99])


class DeskLife(RuleBasedStateMachine):
    """The model: which requests were made, and how many orders each may have brought to life."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.ids: list[str] = []
        self.prompts: list[dict[str, Any]] = []
        self.acknowledged: set[int] = set()
        self.allowed = 0  # how many orders may be at the venue, at most

    @initialize(profile=st.sampled_from(["observed", "documented"]), late=st.sampled_from([0.0, 0.5]))
    def begin(self, profile: Profile, late: float) -> None:
        self.bench = Bench(profile, questions=evolve(RULES, late_live=late))

    def hear(self, answer: Answer) -> None:
        """Keep ids of questions and prompts, and the orders that were acknowledged as more than refused."""
        assert answer.status in (200, 400, 500, 503)
        rows = answer.body if isinstance(answer.body, list) else [answer.body]
        for row in rows:
            if not isinstance(row, dict):
                continue
            if "messageIds" in row:
                assert row["messageIds"]
                assert len(row["messageIds"]) == len(row["message"])
                self.ids.append(row["id"])
            elif row.get("prompt"):
                self.prompts.append(row)
            elif row.get("order_id", "-1") not in ("-1", -1):
                self.acknowledged.add(int(row["order_id"]))

    @rule(coid=COIDS, conid=CONIDS, quantity=st.sampled_from([1, 100, 151]), price=st.sampled_from([50, 160, 165.005]))
    def place(self, coid: str | None, conid: int, quantity: int, price: float) -> None:
        self.allowed += 1
        self.hear(self.bench.place(limit(cOID=coid, conid=conid, quantity=quantity, price=price)))

    @rule(coid=st.sampled_from(["a", "b", "p", "q"]), conid=CONIDS, price=st.sampled_from([180, 150, -1]))
    def place_bracket(self, coid: str, conid: int, price: float) -> None:
        self.allowed += 3
        exits = [limit(side="SELL", price=180, parentId=coid)]
        exits.append(limit(side="SELL", price=price, orderType="STP", parentId=coid, conid=conid))
        self.hear(self.bench.place(limit(cOID=coid), *exits))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), confirmed=st.sampled_from([True, True, True, False, "true", None]))
    def reply(self, data: st.DataObject, confirmed: object) -> None:
        self.hear(self.bench.reply(data.draw(st.sampled_from(self.ids)), confirmed))

    @precondition(lambda self: self.prompts)
    @rule(data=st.data(), option=st.sampled_from(["Use on this order", "Always use", "Do not use", "x"]))
    def answer_prompt(self, data: st.DataObject, option: str) -> None:
        prompt = data.draw(st.sampled_from(self.prompts))
        told = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": option}
        self.hear(self.bench.call("POST", "/iserver/notification", told))

    @precondition(lambda self: self.bench.exchange.live)
    @rule(data=st.data(), change=st.sampled_from([{}, {"price": 166}, {"quantity": 160}, {"side": "SELL"}]))
    def modify(self, data: st.DataObject, change: dict[str, Any]) -> None:
        order = data.draw(st.sampled_from(list(self.bench.exchange.live.values())))
        self.hear(self.bench.modify(order.order_id, order.wire | change))

    @precondition(lambda self: self.bench.exchange.live)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from([-1, *self.bench.exchange.live]))
        self.bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/{order_id}")

    @precondition(lambda self: self.bench.exchange.open_orders())
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.bench.exchange.open_orders()))
        self.bench.exchange.fill(order.order_id, int(order.remaining))

    @rule(seconds=st.sampled_from([0.5, 5.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.bench.wait(seconds)

    @rule()
    def new_session(self) -> None:
        self.bench.hall.renew_memory()

    @rule(name=st.sampled_from(["o354", "o383", "o163", "p12"]))
    def suppress(self, name: str) -> None:
        self.bench.call("POST", "/iserver/questions/suppress", {"messageIds": [name]})

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        released = self.bench.exchange.released
        assert len(released) == len(set(released))
        assert len(released) <= self.allowed

    @invariant()
    def a_client_id_names_one_order_that_the_venue_had(self) -> None:
        exchange = self.bench.exchange
        names = [exchange.live[order_id].client_id for order_id in exchange.released]
        given = [name for name in names if name is not None]
        assert len(given) == len(set(given)), given

    @invariant()
    def every_acknowledged_order_is_listed(self) -> None:
        assert self.acknowledged <= set(self.bench.exchange.live)
        listed = {row["orderId"] for row in self.bench.orders()}
        assert self.acknowledged | set(self.bench.exchange.released) <= listed

    @invariant()
    def a_parked_order_is_not_at_the_venue(self) -> None:
        for order in self.bench.exchange.live.values():
            assert order.parked == (order.ccp_status == "Pending Submit")
            assert not (order.parked and order.order_id in self.bench.exchange.released)


TestDeskLife = DeskLife.TestCase
TestDeskLife.settings = settings(stateful_step_count=40)
