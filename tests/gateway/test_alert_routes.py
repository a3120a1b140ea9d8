"""Alerts from their making to their end, and the assistant's own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.desk_fakes import AAPL, ACCOUNT
from tests.gateway.floor import Floor
from tests.gateway.published import deviations
from tests.gateway.recorded import misfits, recorded

BASE = f"/iserver/account/{ACCOUNT}/alert"

# The published document's own samples differ from its types here.
AGAINST_ITS_SAMPLES = {"alert_triggered", "conditions.condition_logic_bind", "conditions.condition_trigger_method"}


def alert(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An alert on AAPL above 1, unless told otherwise."""
    found = list(conditions) or [condition()]
    return {
        "alertName": "mine",
        "alertMessage": "look",
        "alertRepeatable": 0,
        "outsideRth": 1,
        "tif": "GTC",
        "conditions": found,
        **more,
    }


def condition(value: object = "1.00", operator: str = ">=", bind: str = "n", kind: int = 1) -> dict[str, Any]:
    return {
        "type": kind,
        "conidex": f"{AAPL}@SMART",
        "operator": operator,
        "triggerMethod": "0",
        "value": value,
        "logicBind": bind,
    }


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_an_alert_from_its_making_to_its_end(floor: Floor) -> None:
    made = floor.call("POST", BASE, alert(condition("9999.00"))).body
    assert misfits(made, recorded("POST-create-alert")) == []
    key = made["order_id"]
    (row,) = floor.get(f"{BASE}s")
    assert (row["order_id"], row["alert_active"], row["alert_triggered"]) == (key, 1, False)
    off = floor.call("POST", f"{BASE}/activate", {"alertId": key, "alertActive": 0}).body
    assert misfits(off, recorded("POST-activate-alert")) == []
    assert floor.get(f"{BASE}s")[0]["alert_active"] == 0
    detail = floor.get(f"/iserver/account/alert/{key}", type="Q")
    assert (detail["alert_message"], detail["conditions"][0]["condition_value"]) == ("look", "9999.00")
    assert detail["conditions"][0]["contract_description_1"] == "AAPL"
    changed = alert(condition("5.00"), orderId=key)
    assert floor.call("POST", BASE, changed).body["order_id"] == key
    assert len(floor.get(f"{BASE}s")) == 1
    assert floor.call("POST", BASE, changed | {"alertName": "other"}).body == {"error": "Alert name cannot be modified"}
    gone = floor.call("DELETE", f"{BASE}/{key}").body
    assert misfits(gone, recorded("DELETE-alert")) == []
    assert floor.get(f"{BASE}s") == []
    assert floor.call("DELETE", f"{BASE}/{key}").status == 503
    assert floor.call("POST", f"{BASE}/activate", {"alertId": key, "alertActive": 1}).status == 503
    assert "error" in floor.get(f"/iserver/account/alert/{key}")


def test_nought_is_all_of_them(floor: Floor) -> None:
    for _ in range(3):
        floor.call("POST", BASE, alert())
    floor.call("POST", f"{BASE}/activate", {"alertId": 0, "alertActive": 0})
    assert [row["alert_active"] for row in floor.get(f"{BASE}s")] == [0, 0, 0]
    floor.call("DELETE", f"{BASE}/0")
    assert floor.get(f"{BASE}s") == []


@pytest.mark.parametrize(
    ("conditions", "triggered"),
    [
        ([condition("1.00")], True),
        ([condition("1.00", "<=")], False),
        ([condition("9999.00", bind="a"), condition("1.00")], False),
        ([condition("9999.00", bind="o"), condition("1.00")], True),
        ([condition("1.00", bind="o"), condition("9999.00")], True),
        ([condition("1.00", bind="a"), condition("9999.00")], False),
        ([condition("20260303-15:00:00", kind=3)], True),
        ([condition("20260303-15:00:01", kind=3)], False),
        ([condition("*", kind=5)], False),
    ],
)
def test_what_triggers(floor: Floor, conditions: list[dict[str, Any]], triggered: bool) -> None:
    floor.call("POST", BASE, alert(*conditions))
    assert floor.get(f"{BASE}s")[0]["alert_triggered"] is triggered


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ({}, 400),
        (alert(tif="DAY"), 400),
        (alert(tif="GTD"), 400),
        (alert(tif="GTD", expireTime="tomorrow"), 400),
        (alert(alertName=""), 400),
        (alert() | {"conditions": []}, 400),
        (alert(condition("abc")), 500),
        (alert(condition(bind="a")), 500),
        (alert(condition(), condition()), 500),
        (alert(condition(operator="==")), 500),
        (alert(condition(kind=2)), 500),
        (alert() | {"conditions": [7]}, 500),
        (alert(orderId=77), 503),
    ],
)
def test_what_is_no_alert(floor: Floor, body: Any, status: int) -> None:
    assert floor.call("POST", BASE, body).status == status
    assert floor.get(f"{BASE}s") == []


def test_the_assistants_alert_is_always_there(floor: Floor) -> None:
    first = floor.get("/iserver/account/mta")
    floor.call("POST", f"{BASE}/activate", {"alertId": first["order_id"], "alertActive": 0})
    assert floor.get("/iserver/account/mta")["alert_active"] == 0
    floor.call("DELETE", f"{BASE}/{first['order_id']}")
    second = floor.get("/iserver/account/mta")
    assert (second["alert_active"], second["order_id"] != first["order_id"]) == (1, True)
    assert floor.get(f"{BASE}s") == []


def test_alerts_as_recorded_and_published(floor: Floor) -> None:
    key = floor.call("POST", BASE, alert()).body["order_id"]
    assert misfits(floor.get(f"{BASE}s"), recorded("GET-alerts-list")) == []
    for path, template in (
        (f"/iserver/account/alert/{key}", "/iserver/account/alert/{alertId}"),
        ("/iserver/account/mta", "/iserver/account/mta"),
    ):
        assert deviations("GET", template, floor.get(path)) <= AGAINST_ITS_SAMPLES
