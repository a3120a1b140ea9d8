"""FYI: unread counts, lists, settings, disclaimers and delivery."""

from __future__ import annotations

import msgspec
import pytest

from tests.gateway.floor import Floor
from tests.gateway.published import deviations
from tests.gateway.recorded import misfits, recorded


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_reading_the_one_that_is_unread(floor: Floor) -> None:
    assert floor.get("/fyi/unreadnumber") == {"BN": 1}
    rows = floor.get("/fyi/notifications")
    assert [row["FC"] for row in rows if not row["R"]] == ["PF"]
    assert [float(row["D"]) for row in rows] == sorted((float(row["D"]) for row in rows), reverse=True)
    assert max(float(row["D"]) for row in rows) < floor.exchange.now_ns / 1e9
    name = rows[0]["ID"]
    done = floor.call("PUT", f"/fyi/notifications/{name}").body
    assert done == {"V": 1, "T": 5, "P": {"R": 1, "ID": name}}
    assert floor.get("/fyi/unreadnumber") == {"BN": 0}
    assert floor.call("PUT", "/fyi/notifications/1").status == 400


def test_lists_are_bounded_filtered_and_go_on(floor: Floor) -> None:
    everything = [row["ID"] for row in floor.get("/fyi/notifications")]
    first = floor.get("/fyi/notifications", max="2")
    assert [row["ID"] for row in first] == everything[:2]
    more = floor.get("/fyi/notifications/more", id=first[-1]["ID"])
    assert [row["ID"] for row in more] == everything[2:]
    assert {row["FC"] for row in floor.get("/fyi/notifications", include="EA,SM")} == {"EA", "SM"}
    assert "EA" not in {row["FC"] for row in floor.get("/fyi/notifications", exclude="EA")}


def test_kinds_are_switched_and_disclaimers_accepted(floor: Floor) -> None:
    assert floor.call("POST", "/fyi/settings/PF", {"enabled": False}).body == {"V": 1, "T": 10}
    assert floor.get("/fyi/unreadnumber") == {"BN": 0}
    assert floor.call("PUT", "/fyi/disclaimer/PF").body == {"V": 1, "T": 10}
    (row,) = [row for row in floor.get("/fyi/settings") if row["FC"] == "PF"]
    assert (row["A"], row["H"]) == (0, 1)
    floor.call("POST", "/fyi/settings/PF", {"enabled": True})
    assert floor.get("/fyi/unreadnumber") == {"BN": 1}
    for body in (None, {}, {"enabled": "true"}, {"enabled": 1}):
        assert floor.call("POST", "/fyi/settings/PF", body).status == 400
    for method, path in (("POST", "settings"), ("GET", "disclaimer"), ("PUT", "disclaimer")):
        assert floor.call(method, f"/fyi/{path}/XX", {"enabled": True}).status == 400


def test_where_they_go(floor: Floor) -> None:
    assert floor.get("/fyi/deliveryoptions") == {"M": 1, "E": []}
    assert floor.call("PUT", "/fyi/deliveryoptions/email", enabled="false").status == 200
    told = {"deviceName": "phone", "deviceId": "apn://1", "uiName": "Phone", "enabled": True}
    assert floor.call("POST", "/fyi/deliveryoptions/device", told).body == {"V": 1, "T": 10}
    assert floor.get("/fyi/deliveryoptions") == {"M": 0, "E": [{"NM": "phone", "I": "apn://1", "UI": "Phone", "A": 1}]}
    gone = floor.call("DELETE", "/fyi/deliveryoptions/apn:%2F%2F1")
    assert (gone.status, gone.text) == (200, "")
    assert floor.call("DELETE", "/fyi/deliveryoptions/apn:%2F%2F1").status == 400
    assert floor.call("PUT", "/fyi/deliveryoptions/email", enabled="maybe").status == 400
    assert floor.call("POST", "/fyi/deliveryoptions/device", {"deviceId": "x"}).status == 400


def test_the_shelf_can_be_kept_as_json(floor: Floor) -> None:
    name = floor.get("/fyi/notifications")[0]["ID"]
    floor.call("PUT", f"/fyi/notifications/{name}")
    floor.hall.shelf = msgspec.json.decode(msgspec.json.encode(floor.hall.shelf))
    assert floor.get("/fyi/unreadnumber") == {"BN": 0}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("GET-unread-count", "/fyi/unreadnumber"),
        ("GET-notifications", "/fyi/notifications"),
        ("GET-settings", "/fyi/settings"),
        ("GET-disclaimer", "/fyi/disclaimer/BA"),
        ("GET-delivery-options", "/fyi/deliveryoptions"),
    ],
)
def test_as_recorded_and_published(floor: Floor, name: str, path: str) -> None:
    body = floor.get(path)
    assert misfits(body, recorded(name)) == []
    published = deviations("GET", path.replace("/BA", "/{typecode}"), body)
    assert published - {"R"} == set()  # whether one was read: 0 or 1 in the samples and on the wire
