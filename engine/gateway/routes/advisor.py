"""Advisors' allocation groups and presets. Groups stand in `hall.shelf["groups"]`, where the desk looks for them."""

from __future__ import annotations

from typing import Any, Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.fields import number
from engine.gateway.groups import METHODS, WEIGHED
from engine.gateway.hall import Hall

_MOST: Final = 200
_PRESETS: Final = {
    "default_method_for_all": "AvailableEquity",
    "group_auto_close_positions": False,
    "group_proportional_allocation": False,
    "profiles_auto_close_positions": False,
    "strict_credit_check": False,
}


def accounts(hall: Hall, call: Call) -> Answer:
    """GET .../allocation/accounts: what each account could take."""
    del call
    rows = []
    for name in hall.exchange.accounts:
        funds = hall.exchange.funds(name)
        figures = {"NetLiquidation": funds.net_liquidation, "AvailableEquity": funds.available}
        data = [{"key": key, "value": f"{amount:.2f}"} for key, amount in figures.items()]
        rows.append({"name": name, "data": data})
    return Answer(body={"accounts": rows})


def _groups(hall: Hall) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = hall.shelf.setdefault("groups", {})
    return found


def listing(hall: Hall, call: Call) -> Answer:
    """GET .../allocation/group: all groups."""
    del call
    rows = [
        {"allocation_method": group["default_method"], "size": len(group["accounts"]), "name": name}
        for name, group in _groups(hall).items()
    ]
    return Answer(body={"data": rows})


def _told(call: Call) -> dict[str, Any]:
    return call.body if isinstance(call.body, dict) else {}


def single(hall: Hall, call: Call) -> Answer:
    """POST .../allocation/group/single: one group."""
    found = _groups(hall).get(str(_told(call).get("name")))
    return refusal(400, "Bad Request: there is no such group") if found is None else Answer(body=found)


def create(hall: Hall, call: Call) -> Answer:
    """POST .../allocation/group: make a group."""
    group = _read(hall, call)
    if isinstance(group, str):
        return refusal(400, f"Bad Request: {group}")
    if group["name"] in _groups(hall):
        return refusal(400, "Bad Request: there is such a group already")
    if len(_groups(hall)) >= _MOST:
        return refusal(400, f"Bad Request: there are {_MOST} groups already")
    _groups(hall)[group["name"]] = group
    return Answer(body={"success": True})


def change(hall: Hall, call: Call) -> Answer:
    """PUT .../allocation/group: replace a group; `prev_name` renames it."""
    group = _read(hall, call)
    if isinstance(group, str):
        return refusal(400, f"Bad Request: {group}")
    before = str(_told(call).get("prev_name") or group["name"])
    if before not in _groups(hall):
        return refusal(400, "Bad Request: there is no such group")
    if group["name"] != before and group["name"] in _groups(hall):
        return refusal(400, "Bad Request: there is such a group already")
    del _groups(hall)[before]
    _groups(hall)[group["name"]] = group
    return Answer(body={"success": True})


def delete(hall: Hall, call: Call) -> Answer:
    """POST .../allocation/group/delete: end a group; orders that were placed for it stay."""
    if _groups(hall).pop(str(_told(call).get("name")), None) is None:
        return refusal(400, "Bad Request: there is no such group")
    return Answer(body={"success": True})


def _read(hall: Hall, call: Call) -> dict[str, Any] | str:
    """A group off the wire, or what is wrong with it."""
    told = _told(call)
    name, method, members = told.get("name"), told.get("default_method"), told.get("accounts")
    if not isinstance(name, str) or not name or len(name) > 64 or name in hall.exchange.accounts:
        return "name must be a text of its own"
    if method not in METHODS:
        return f"default_method must be one of {', '.join(METHODS)}"
    if not isinstance(members, list) or not members:
        return "accounts must be a list"
    rows: list[dict[str, Any]] = []
    for member in members:
        account = member.get("name") if isinstance(member, dict) else None
        if account not in hall.exchange.accounts or account in [row["name"] for row in rows]:
            return "accounts must name accounts of this user, each once"
        row: dict[str, Any] = {"name": account}
        if method in WEIGHED:
            amount = number(member.get("amount"))
            if amount is None or amount <= 0:
                return f"the method {method} needs an amount above zero for each account"
            row["amount"] = member["amount"]
        rows.append(row)
    return {"name": name, "accounts": rows, "default_method": method}


def presets(hall: Hall, call: Call) -> Answer:
    """GET .../allocation/presets: how group orders behave by default."""
    del call
    return Answer(body=_PRESETS | hall.shelf.get("presets", {}))


def set_presets(hall: Hall, call: Call) -> Answer:
    """POST .../allocation/presets: change what is given."""
    told = _told(call)
    for name, value in told.items():
        if name not in _PRESETS or type(value) is not type(_PRESETS[name]):
            return refusal(400, f"Bad Request: {str(name)[:40]} is no preset or not of its type")
    hall.shelf["presets"] = hall.shelf.get("presets", {}) | told
    return Answer(body={"success": True})


_BASE: Final = "/iserver/account/allocation"


def _route(method: str, template: str, handler: Any) -> Route:
    return Route(methods=(method,), template=f"{_BASE}/{template}", handler=handler, tier=Tier.BROKERAGE)


ROUTES: Final[tuple[Route, ...]] = (
    _route("GET", "accounts", accounts),
    _route("GET", "group", listing),
    _route("POST", "group", create),
    _route("PUT", "group", change),
    _route("POST", "group/single", single),
    _route("POST", "group/delete", delete),
    _route("GET", "presets", presets),
    _route("POST", "presets", set_presets),
)
