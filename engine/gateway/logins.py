"""The paths of session life: tickle, status, init, logout, validation."""

from __future__ import annotations

from typing import Any, Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall


def _flag(call: Call, name: str, *, default: bool) -> bool:
    """A flag from the body (JSON or form), else from the query."""
    value: Any = call.body.get(name) if isinstance(call.body, dict) else None
    if value is None:
        value = call.first(name, str(default))
    return value is True or str(value).strip().lower() in ("true", "1")


def _tickle(hall: Hall, call: Call) -> Answer:
    session = hall.session
    body: dict[str, Any] = {
        "session": session.tickle_id,
        "ssoExpires": session.expires_ms(call.now_ns),
        "collission": False,
        "userId": session.user_id,
        "hmds": {"error": "no bridge"},
        "iserver": {"authStatus": session.status(call.now_ns)},
    }
    if hall.options.auth == "oauth1":
        del body["ssoExpires"]
    return Answer(body=body)


def _status(hall: Hall, call: Call) -> Answer:
    return Answer(body=hall.session.status(call.now_ns))


def _init(hall: Hall, call: Call) -> Answer:
    publish, compete = _flag(call, "publish", default=True), _flag(call, "compete", default=False)
    return hall.session.init(call.now_ns, publish=publish, compete=compete)


def _reauthenticate(hall: Hall, call: Call) -> Answer:
    hall.session.init(call.now_ns, publish=True, compete=False)
    return Answer(body={"message": "triggered"})


def _logout(hall: Hall, call: Call) -> Answer:
    hall.session.logout(call.now_ns)
    return Answer(body={"status": True})


def _validate(hall: Hall, call: Call) -> Answer:
    session = hall.session
    if hall.options.auth == "oauth1":
        return refusal(401, "not authenticated")
    return Answer(
        body={
            "USER_ID": session.user_id,
            "USER_NAME": session.username,
            "RESULT": True,
            "AUTH_TIME": (session.login_ns or call.now_ns) // 1_000_000,
            "SF_ENABLED": False,
            "IS_FREE_TRIAL": False,
            "CREDENTIAL": session.username,
            "IP": "127.0.0.1",
            "EXPIRES": session.expires_ms(call.now_ns),
            "QUALIFIED_FOR_MOBILE_AUTH": None,
            "LANDING_APP": "UNIVERSAL",
            "IS_MASTER": False,
            "lastAccessed": session.heard_ns // 1_000_000,
            "LOGIN_TYPE": 2 if session.is_paper else 1,
            "PAPER_USER_NAME": session.username if session.is_paper else "",
            "features": {
                "env": "PROD",
                "wlms": True,
                "realtime": True,
                "bond": True,
                "optionChains": True,
                "calendar": True,
                "newMf": True,
            },
            "region": "NJ",
        }
    )


_BOTH: Final = ("GET", "POST")

ROUTES: Final[tuple[Route, ...]] = (
    Route(methods=_BOTH, template="/tickle", handler=_tickle, tier=Tier.NONE),
    Route(methods=_BOTH, template="/iserver/auth/status", handler=_status, tier=Tier.NONE),
    Route(methods=("POST",), template="/iserver/auth/ssodh/init", handler=_init, tier=Tier.NONE),
    Route(methods=_BOTH, template="/iserver/reauthenticate", handler=_reauthenticate, tier=Tier.OUTER),
    Route(methods=_BOTH, template="/logout", handler=_logout, tier=Tier.NONE),
    Route(methods=_BOTH, template="/sso/validate", handler=_validate, tier=Tier.OUTER),
)
