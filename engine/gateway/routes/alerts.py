"""Alerts, kept on the shelf, and the Mobile Trading Assistant's single one.

An alert on a price or a time is looked at when it is read, and stays triggered from then on; others never trigger here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from engine.domain.moments import NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.fields import number, whole
from engine.gateway.hall import Hall
from engine.gateway.rows import contract_of, stamp

_MOST: Final = 100
_FIRST: Final = 1_408_549_184
_MTA: Final = 167_426_254
_FORM: Final = "%Y%m%d-%H:%M:%S"
_TYPES: Final = (1, 3, 4, 5, 6, 7, 8, 9)
_PRICE, _TIME = 1, 3


def _book(hall: Hall) -> dict[str, Any]:
    """`alerts` by id as text, the next id, and how often the assistant's alert was replaced."""
    found: dict[str, Any] = hall.shelf.setdefault("alerts", {"alerts": {}, "next": _FIRST, "mta": _MTA, "mta_on": 1})
    return found


def _mine(hall: Hall, account: str) -> dict[str, dict[str, Any]]:
    return {key: row for key, row in _book(hall)["alerts"].items() if row["account"] == account}


def _told(call: Call) -> dict[str, Any]:
    return call.body if isinstance(call.body, dict) else {}


def _known(hall: Hall, call: Call) -> bool:
    return call.params["accountId"] in hall.exchange.accounts


def save(hall: Hall, call: Call) -> Answer:
    """POST .../alert: make an alert, or change the one of `orderId`."""
    told, account = _told(call), call.params["accountId"]
    if not told or not _known(hall, call):
        return refusal(400, "Bad Request: an alert and an account are needed")
    conditions = told.get("conditions")
    name, message, tif = told.get("alertName"), told.get("alertMessage"), told.get("tif")
    if not isinstance(name, str) or not name or not isinstance(message, str) or tif not in ("GTC", "GTD"):
        return refusal(400, "Bad Request: alertName, alertMessage and tif GTC or GTD are needed")
    if tif == "GTD" and _moment(told.get("expireTime")) is None:
        return refusal(400, "Bad Request: a GTD alert needs expireTime")
    if not isinstance(conditions, list) or not conditions:
        return refusal(400, "Bad Request: conditions are needed")
    for place, condition in enumerate(conditions, start=1):
        wrong = _wrong(condition, last=place == len(conditions))
        if wrong is not None:
            return Answer(status=500, body={"error": f"Condition #{place}:{wrong}"})
    book = _book(hall)
    given = whole(told.get("orderId")) or 0
    if given == book["mta"]:
        book["mta"] += 1  # changing it makes a new one
        return Answer(body=_done(book["mta"], "Submitted") | {"order_status": None, "warning_message": None})
    known = book["alerts"].get(str(given))
    if given and (known is None or known["account"] != account):
        return refusal(503, "Service Unavailable")
    if known is not None and known["told"]["alertName"] != name:
        return Answer(status=500, body={"error": "Alert name cannot be modified"})
    if known is None and len(book["alerts"]) >= _MOST:
        return refusal(503, "Service Unavailable")
    key = given or book["next"]
    book["next"] += 0 if given else 1
    moment = stamp(hall.exchange.now_ns, _FORM)
    book["alerts"][str(key)] = {"account": account, "told": told, "active": 1, "time": moment, "triggered": False}
    answer = {"request_id": None, "order_id": key, "success": True, "text": "Submitted"}
    return Answer(body=answer | {"order_status": None, "warning_message": None})


def _moment(text: object) -> int | None:
    try:
        return int(datetime.strptime(str(text), _FORM).replace(tzinfo=UTC).timestamp()) * NS_PER_S
    except ValueError:
        return None


def _wrong(condition: object, *, last: bool) -> str | None:
    if not isinstance(condition, dict) or whole(condition.get("type")) not in _TYPES:
        return "type is not one of " + ", ".join(map(str, _TYPES))
    bind = condition.get("logicBind")
    if bind not in ("a", "o", "n") or (bind == "n") != last:
        return f"can't recognize logicBind [{str(bind)[:20]}]"
    if condition.get("operator") not in (">=", "<=", None, ""):
        return f"can't recognize operator [{str(condition.get('operator'))[:20]}]"
    kind, value = whole(condition["type"]), condition.get("value")
    if kind == _PRICE and number(value) is None:
        return f"can't recognize value [{str(value)[:20]}]"
    return None


def _look(hall: Hall, row: dict[str, Any]) -> None:
    """Trigger an alert whose conditions hold now."""
    if row["triggered"] or not row["active"]:
        return
    held = True
    for condition in row["told"]["conditions"]:
        found = _holds(hall, condition)
        joined = condition.get("logicBind")
        held = held and found
        if joined == "o":
            if held:
                break
            held = True
    row["triggered"] = held


def _holds(hall: Hall, condition: dict[str, Any]) -> bool:
    kind, below = whole(condition["type"]), condition.get("operator") == "<="
    if kind == _PRICE:
        text = str(condition.get("conidex", "")).partition("@")[0]
        top = hall.exchange.top(int(text)) if text.isdecimal() and len(text) < 19 else None
        wanted = number(condition.get("value"))
        if top is None or wanted is None or top.last != top.last:
            return False
        return top.last <= float(wanted) if below else top.last >= float(wanted)
    if kind == _TIME:
        moment = _moment(condition.get("value"))
        if moment is None:
            return False
        return hall.exchange.now_ns <= moment if below else hall.exchange.now_ns >= moment
    return False


def listed(hall: Hall, call: Call) -> Answer:
    """GET .../alerts: all alerts of an account but the assistant's."""
    if not _known(hall, call):
        return refusal(400, "Bad Request: there is no such account")
    rows = []
    for key, row in _mine(hall, call.params["accountId"]).items():
        _look(hall, row)
        rows.append(
            {
                "order_id": int(key),
                "account": row["account"],
                "alert_name": row["told"]["alertName"],
                "alert_active": row["active"],
                "order_time": row["time"],
                "alert_triggered": row["triggered"],
                "alert_repeatable": _flag(row["told"], "alertRepeatable"),
            }
        )
    return Answer(body=rows)


def _flag(told: dict[str, Any], name: str) -> int:
    return int(bool(whole(told.get(name)) or told.get(name) is True))


def detail(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/alert/{alertId}: one alert; an unknown one is told with status 200."""
    row = _book(hall)["alerts"].get(call.params["alertId"])
    if row is None:
        return Answer(body={"error": f"Alert {call.params['alertId'][:20]} doesn't exist"})
    _look(hall, row)
    told = row["told"]
    extra = {"alert_email": told.get("email"), "alert_message": told["alertMessage"], "alert_name": told["alertName"]}
    extra |= {"alert_triggered": row["triggered"], "tif": told["tif"], "expire_time": told.get("expireTime")}
    extra |= {"alert_repeatable": _flag(told, "alertRepeatable"), "alert_send_message": _flag(told, "sendMessage")}
    extra |= {"alert_show_popup": _flag(told, "showPopup"), "condition_outside_rth": _flag(told, "outsideRth")}
    conditions = [_condition(hall, one) for one in told["conditions"]]
    return Answer(body=_detail(int(call.params["alertId"]), row["account"], row["active"], conditions) | extra)


def _condition(hall: Hall, told: dict[str, Any]) -> dict[str, Any]:
    text = str(told.get("conidex", ""))
    conid = whole(text.partition("@")[0])
    return {
        "condition_type": whole(told["type"]),
        "conidex": text,
        "contract_description_1": contract_of(hall, conid).instrument.symbol if conid else "Unknown",
        "condition_operator": told.get("operator"),
        "condition_trigger_method": told.get("triggerMethod"),
        "condition_value": str(told.get("value")),
        "condition_logic_bind": told.get("logicBind"),
        "condition_time_zone": told.get("timeZone"),
    }


def _detail(key: int, account: str, active: int, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "account": account,
        "order_id": key,
        "alert_name": "MTA (AutoAlert)",
        "tif": "GTC",
        "expire_time": None,
        "alert_active": active,
        "alert_repeatable": 1,
        "alert_email": None,
        "alert_send_message": 1,
        "alert_message": None,
        "alert_show_popup": 0,
        "alert_play_audio": None,
        "order_status": "Submitted",
        "alert_triggered": False,
        "fg_color": "#FFFFFF",
        "bg_color": "#0000CC",
        "order_not_editable": False,
        "itws_orders_only": 0,
        "alert_mta_currency": None,
        "alert_mta_defaults": None,
        "tool_id": None,
        "time_zone": None,
        "alert_default_type": None,
        "condition_size": len(conditions),
        "condition_outside_rth": 0,
        "conditions": conditions,
    }


def assistant(hall: Hall, call: Call) -> Answer:
    """GET /iserver/account/mta: the Mobile Trading Assistant's alert, of which there is always one."""
    del call
    condition = {"type": 5, "conidex": "*@*", "value": "*", "logicBind": "n"}
    body = _detail(_book(hall)["mta"], hall.exchange.accounts[0], _book(hall)["mta_on"], [_condition(hall, condition)])
    return Answer(body=body | {"alert_mta_currency": hall.options.base, "time_zone": "all timezones"})


def activate(hall: Hall, call: Call) -> Answer:
    """POST .../alert/activate: switch an alert on or off; the id 0 means all."""
    key, active = whole(_told(call).get("alertId")), whole(_told(call).get("alertActive"))
    if key is None or active not in (0, 1):
        return refusal(400, "Bad Request: alertId and alertActive are needed")
    if key == _book(hall)["mta"]:
        _book(hall)["mta_on"] = active
        return Answer(body=_done(key, "Request was submitted"))
    rows = _chosen(hall, call, key)
    if rows is None:
        return _missing(hall)
    for row in rows.values():
        row["active"] = active
    return Answer(body=_done(key, "Request was submitted"))


def delete(hall: Hall, call: Call) -> Answer:
    """DELETE .../alert/{alertId}: end an alert; the id 0 means all, the assistant's is only reset."""
    key = whole(call.params["alertId"])
    book = _book(hall)
    if key == book["mta"]:
        book["mta"], book["mta_on"] = book["mta"] + 1, 1
        return Answer(body=_done(book["mta"], "Request was submitted"))
    rows = _chosen(hall, call, key)
    if rows is None or key is None:
        return _missing(hall)
    for name in rows:
        del book["alerts"][name]
    return Answer(body=_done(key, "Request was submitted"))


def _chosen(hall: Hall, call: Call, key: int | None) -> dict[str, dict[str, Any]] | None:
    rows = _mine(hall, call.params["accountId"])
    if key == 0:
        return rows
    return {str(key): rows[str(key)]} if str(key) in rows else None


def _missing(hall: Hall) -> Answer:
    return refusal(503, "Service Unavailable") if hall.options.observed else refusal(500, "there is no such alert")


def _done(key: int, text: str) -> dict[str, Any]:
    return {"request_id": None, "order_id": key, "success": True, "text": text, "failure_list": None}


_ACCOUNT: Final = "/iserver/account/{accountId}"


def _route(method: str, template: str, handler: Any) -> Route:
    return Route(methods=(method,), template=template, handler=handler, tier=Tier.BROKERAGE)


ROUTES: Final[tuple[Route, ...]] = (
    _route("POST", f"{_ACCOUNT}/alert", save),
    _route("GET", f"{_ACCOUNT}/alerts", listed),
    _route("GET", "/iserver/account/alert/{alertId}", detail),
    _route("GET", "/iserver/account/mta", assistant),
    _route("POST", f"{_ACCOUNT}/alert/activate", activate),
    _route("DELETE", f"{_ACCOUNT}/alert/{{alertId}}", delete),
)
