"""FYI notifications: a handful from before the gateway's start, their kinds, disclaimers and delivery.

What the user did to them (read, accepted, switched) is kept on the shelf.
"""

from __future__ import annotations

from typing import Any, Final

from engine.domain.moments import NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.rows import stamp

_HOUR_S: Final = 3_600
_MOST: Final = 10
_MOST_DEVICES: Final = 20
# Kinds by IBKR's codes: a name, and what it tells of.
KINDS: Final = {
    "BA": ("Borrow Availability", "shares that can be borrowed now after a short sale was turned away"),
    "CA": ("Comparable Algo", "an algo that might have served an order as well"),
    "DA": ("Dividends Advisory", "dividends of what you hold, before their ex-date"),
    "EA": ("Upcoming Earnings", "earnings announcements of what you hold"),
    "MF": ("Mutual Fund Advisory", "funds like those you hold that cost less"),
    "OE": ("Option or Future Expiration", "options and futures of yours that expire soon"),
    "PF": ("Portfolio FYIs", "recent events in what you hold"),
    "PR": ("Portfolio Builder Rebalance", "portfolios that are due to be rebalanced"),
    "PS": ("Possible Savings", "ways of trading that would have cost less"),
    "PT": ("Position Transfer", "settings worth a look after positions were transferred"),
    "SE": ("Suspend Order on Event", "orders held back around an economic event"),
    "SG": ("Short Term Gain", "positions that turn into long-term ones soon"),
    "SM": ("System Messages", "maintenance and changes of the system"),
    "T2": ("T+2 Short Settlement", "short sales and how they settle"),
    "TO": ("Takeover", "takeovers announced for what you hold"),
    "UA": ("User Alert", "alerts that you set up"),
    "M8": ("Dividend Withholding", "withholding tax on dividends of some contracts"),
    "DL": ("Data Lines", "market data lines in use"),
    "CB": ("Corporate Bonds", "bonds of companies whose shares you hold"),
    "MS": ("Margin Status", "margin that comes near its limit"),
    "TD": ("Trading Days", "holidays and half days of markets you trade in"),
    "ST": ("Settlement", "trades that have not settled as planned"),
    "TI": ("Tax Information", "tax forms that are ready"),
    "CT": ("Contract Changes", "splits and other changes of contracts you hold"),
}
# Notifications, newest first: hours before the start, kind, title, text, whether it has been read.
_NOTICES: Final = (
    (2, "PF", "FYI: Changes in what you hold", "<html>Ratings of a company you hold have changed.</html>", 0),
    (26, "EA", "FYI: Upcoming earnings", "<html>A company you hold announces its earnings this week.</html>", 1),
    (50, "SM", "FYI: Weekend maintenance", "<html>Some services pause on Saturday evening.</html>", 1),
    (74, "DA", "FYI: Dividends ahead", "<html>A company you hold goes ex-dividend soon.</html>", 1),
    (98, "MF", "FYI: Cheaper funds", "<html>A fund with a similar record costs less than one you hold.</html>", 1),
)  # fmt: skip
_DISCLAIMER: Final = (
    "This notification is for your information. It is no recommendation and no offer to buy, sell or hold anything; "
    "you decide on your own trades."
)
_EDITED: Final = {"V": 1, "T": 10}


def _kept(hall: Hall) -> dict[str, Any]:
    found: dict[str, Any] = hall.shelf.setdefault("fyi", {"read": [], "off": [], "accepted": [], "email": True})
    return found


def _notices(hall: Hall) -> list[dict[str, Any]]:
    """All notifications of kinds that are switched on, newest first."""
    kept = _kept(hall)
    rows = []
    for number, (hours, code, title, text, read) in enumerate(_NOTICES):
        moment_s = hall.exchange.start_ns // NS_PER_S - hours * _HOUR_S
        name = f"{stamp(moment_s * NS_PER_S, '%Y%m%d')}{47_509_444 + number}"
        rows.append(
            {
                "R": 1 if read or name in kept["read"] else 0,
                "D": f"{moment_s}.0",
                "MS": title,
                "MD": text,
                "ID": name,
                "HT": 0,
                "FC": code,
            }
        )
    return [row for row in rows if row["FC"] not in kept["off"]]


def unread(hall: Hall, call: Call) -> Answer:
    """GET /fyi/unreadnumber: how many are unread."""
    del call
    return Answer(body={"BN": sum(1 for row in _notices(hall) if not row["R"])})


def _codes(call: Call, name: str) -> set[str]:
    return {code.strip() for text in call.query.get(name, []) for code in text.split(",") if code.strip()}


def notifications(hall: Hall, call: Call) -> Answer:
    """GET /fyi/notifications: at most `max` (10), of the kinds included and not excluded, after `id`."""
    include, exclude = _codes(call, "include"), _codes(call, "exclude")
    most = call.first("max", str(_MOST))
    rows = [row for row in _notices(hall) if (not include or row["FC"] in include) and row["FC"] not in exclude]
    after = [at for at, row in enumerate(rows) if row["ID"] == call.first("id")]
    if after:
        rows = rows[after[0] + 1 :]
    return Answer(body=rows[: min(_MOST, int(most)) if most.isdecimal() and len(most) < 9 else _MOST])


def mark(hall: Hall, call: Call) -> Answer:
    """PUT /fyi/notifications/{notificationId}: it has been read."""
    name = call.params["notificationId"]
    if name not in [row["ID"] for row in _notices(hall)]:
        return refusal(400, "Bad Request: there is no such notification")
    if name not in _kept(hall)["read"]:
        _kept(hall)["read"].append(name)
    return Answer(body={"V": 1, "T": 5, "P": {"R": 1, "ID": name}})


def settings(hall: Hall, call: Call) -> Answer:
    """GET /fyi/settings: the kinds; `A` on or off, `H` whether the disclaimer was accepted."""
    del call
    kept = _kept(hall)
    return Answer(
        body=[
            {
                "FC": code,
                "H": int(code in kept["accepted"]),
                "A": int(code not in kept["off"]),
                "FD": f"Notify me of {what}.",
                "FN": name,
            }
            for code, (name, what) in KINDS.items()
        ]
    )


def switch(hall: Hall, call: Call) -> Answer:
    """POST /fyi/settings/{typecode}: switch a kind on or off."""
    code, enabled = call.params["typecode"], call.body.get("enabled") if isinstance(call.body, dict) else None
    if code not in KINDS or not isinstance(enabled, bool):
        return refusal(400, "Bad Request: typecode and enabled are needed")
    off = _kept(hall)["off"]
    if enabled and code in off:
        off.remove(code)
    elif not enabled and code not in off:
        off.append(code)
    return Answer(body=dict(_EDITED))


def disclaimer(hall: Hall, call: Call) -> Answer:
    """GET /fyi/disclaimer/{typecode}: its text."""
    del hall
    code = call.params["typecode"]
    if code not in KINDS:
        return refusal(400, "Bad Request: there is no such typecode")
    return Answer(body={"FC": code, "DT": _DISCLAIMER})


def accept(hall: Hall, call: Call) -> Answer:
    """PUT /fyi/disclaimer/{typecode}: accept it."""
    code = call.params["typecode"]
    if code not in KINDS:
        return refusal(400, "Bad Request: there is no such typecode")
    if code not in _kept(hall)["accepted"]:
        _kept(hall)["accepted"].append(code)
    return Answer(body=dict(_EDITED))


def _devices(hall: Hall) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = hall.shelf.setdefault("devices", {})
    return found


def delivery(hall: Hall, call: Call) -> Answer:
    """GET /fyi/deliveryoptions: by e-mail (`M`), and to which devices."""
    del call
    return Answer(body={"M": int(_kept(hall)["email"]), "E": list(_devices(hall).values())})


def email(hall: Hall, call: Call) -> Answer:
    """PUT /fyi/deliveryoptions/email?enabled=: by e-mail or not."""
    wanted = call.first("enabled").lower()
    if wanted not in ("true", "false"):
        return refusal(400, "Bad Request: enabled must be true or false")
    _kept(hall)["email"] = wanted == "true"
    return Answer(body=dict(_EDITED))


def device(hall: Hall, call: Call) -> Answer:
    """POST /fyi/deliveryoptions/device: add a device, or change it."""
    told = call.body if isinstance(call.body, dict) else {}
    name, known = told.get("deviceId"), _devices(hall)
    if not isinstance(name, str) or not name or len(name) > 200 or not isinstance(told.get("enabled"), bool):
        return refusal(400, "Bad Request: deviceId and enabled are needed")
    if name not in known and len(known) >= _MOST_DEVICES:
        return refusal(400, f"Bad Request: there are {_MOST_DEVICES} devices already")
    shown = {"NM": str(told.get("deviceName", ""))[:100], "I": name, "UI": str(told.get("uiName", ""))[:100]}
    known[name] = shown | {"A": int(told["enabled"])}
    return Answer(body=dict(_EDITED))


def remove(hall: Hall, call: Call) -> Answer:
    """DELETE /fyi/deliveryoptions/{deviceId}: the answer has no body."""
    if _devices(hall).pop(call.params["deviceId"], None) is None:
        return refusal(400, "Bad Request: there is no such device")
    return Answer(text="")


def _route(method: str, template: str, handler: Any) -> Route:
    return Route(methods=(method,), template=f"/fyi/{template}", handler=handler, tier=Tier.OUTER)


ROUTES: Final[tuple[Route, ...]] = (
    _route("GET", "unreadnumber", unread),
    _route("GET", "notifications", notifications),
    _route("GET", "notifications/more", notifications),
    _route("PUT", "notifications/{notificationId}", mark),
    _route("GET", "settings", settings),
    _route("POST", "settings/{typecode}", switch),
    _route("GET", "disclaimer/{typecode}", disclaimer),
    _route("PUT", "disclaimer/{typecode}", accept),
    _route("GET", "deliveryoptions", delivery),
    _route("PUT", "deliveryoptions/email", email),
    _route("POST", "deliveryoptions/device", device),
    _route("DELETE", "deliveryoptions/{deviceId}", remove),
)
