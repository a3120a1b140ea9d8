"""Answers against IBKR's published document; each place where they differ stands here with its reason.

Every published path that the gateway serves is asked, in both profiles, and every good answer is held to the document.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import pytest

from engine.gateway.logins import ROUTES
from engine.gateway.routes import ALL_ROUTES
from tests.gateway.desk_fakes import ACCOUNT
from tests.gateway.published import deviations, published
from tests.gateway.publishing import Day, shape

NUMBER = "recorded as a number, published as a text"
LABEL = "published with a single value or a few; recorded, or in IBKR's text, with this one"
SAMPLE = "IBKR's own sample is of this type"
MONEY = "a currency is a text; the document calls it a number"
SHAPE = "recorded and documented as an object"

COUNTS: Final = ("conid", "filledQuantity", "remainingQuantity", "totalSize", "lastExecutionTime_r")

# "METHOD template" -> place of a deviation -> why; `*` is any one key.
REASONS: Final[dict[str, dict[str, str]]] = {
    "GET /iserver/account/orders": {f"orders.{key}": NUMBER for key in COUNTS},
    "GET /iserver/account/trades": {"conid": NUMBER, "price": NUMBER},
    "GET /iserver/account/order/status/{}": {"side": LABEL},
    "GET /iserver/account/alert/{}": {
        "alert_triggered": SAMPLE,
        "conditions.condition_logic_bind": SAMPLE,
        "conditions.condition_trigger_method": SAMPLE,
    },
    "GET /iserver/account/mta": {"alert_triggered": SAMPLE, "conditions.condition_logic_bind": SAMPLE},
    "GET /fyi/deliveryoptions": {"E.A": SAMPLE},
    "GET /fyi/notifications": {"R": SAMPLE},
    "GET /iserver/contract/{}/algos": {"algos.parameters.required": "a text in the reference's own samples"},
    "GET /portfolio/accounts": {"businessType": LABEL, "tradingType": LABEL},
    "GET /portfolio/subaccounts": {"businessType": LABEL, "tradingType": LABEL},
    "GET /portfolio/subaccounts2": {"subaccounts.businessType": LABEL, "subaccounts.tradingType": LABEL},
    "GET /portfolio/{}/meta": {"businessType": LABEL, "tradingType": LABEL},
    "GET /portfolio/{}/summary": {"*.currency": MONEY},
    "GET /portfolio/{}/position/{}": {"strike": NUMBER},
    "GET /portfolio/{}/positions/{}": {"strike": NUMBER},
    "GET /portfolio/positions/{}": {ACCOUNT: SHAPE},
    "GET /portfolio2/{}/positions": {"conid": "a text on this surface, unlike on any other"},
    "GET /trsrv/secdef": {"secdef.displayRule": SHAPE},
}
# Published, and served by someone else: the doors of the OAuth modes have tests of their own.
ELSEWHERE: Final = ("/oauth/", "/oauth2/")
# Published, and not served: they need a contract with IBKR, or are no part of the Web API's trading side.
ABSENT: Final = ("/gw/", "/fa/")
# Served, and not in the document, although IBKR's texts or clients in use have them.
UNPUBLISHED: Final = {
    "GET /fyi/notifications/more",
    "GET /hmds/auth/init",
    "GET /hmds/history",
    "GET /iserver/account/{}/order/status/{}",
    "GET /iserver/auth/status",
    "GET /iserver/marketdata/{}/unsubscribe",
    "GET /iserver/reauthenticate",
    "GET /logout",
    "GET /md/regsnapshot",
    "GET /portfolio2/{}/positions/{}",
    "GET /tickle",
    "POST /hmds/auth/init",
    "POST /hmds/scanner",
    "POST /iserver/reauthenticate",
    "POST /pa/summary",
    "POST /portfolio/allocation",
    "POST /sso/validate",
    "POST /trsrv/secdef",
}
SERVED: Final = {shape(f"{method} {route.template}") for route in (*ROUTES, *ALL_ROUTES) for method in route.methods}


@cache
def day(profile: str) -> Day:
    made = Day(profile)
    made.live()
    return made


def found(profile: str) -> dict[str, set[str]]:
    """Deviations of a day's answers, by "METHOD template"."""
    told = day(profile).told
    places: dict[str, set[str]] = {}
    for key, named in published().items():
        if key in told:
            method, _, template = named.partition(" ")
            places[key] = {place for body in told[key] for place in deviations(method, template, body)}
    return places


def listed(key: str, place: str) -> bool:
    """Whether a deviation stands in the list."""
    known = REASONS.get(key, {})
    return place in known or f"*.{place.rpartition('.')[2]}" in known


def test_every_published_path_is_served() -> None:
    away = (*ELSEWHERE, *ABSENT)
    assert {key for key in published() if not key.split(" ")[1].startswith(away)} - SERVED == set()
    assert SERVED - set(published()) == UNPUBLISHED


@pytest.mark.parametrize("profile", ["observed", "documented"])
def test_every_answer_is_as_published_or_listed(profile: str) -> None:
    asked = found(profile)
    # Only users with dynamic accounts, which none here has, are answered by these.
    dynamic = {"GET /iserver/account/search/{}", "POST /iserver/dynaccount"}
    assert (set(published()) & SERVED) - set(asked) == dynamic
    unlisted = {(key, place) for key, places in asked.items() for place in places if not listed(key, place)}
    assert unlisted == set()


def test_no_reason_is_listed_in_vain() -> None:
    seen = [found(profile) for profile in ("observed", "documented")]
    for key, reasons in REASONS.items():
        places = {place for one in seen for place in one[key]}
        for place in reasons:
            assert any(place in (one, f"*.{one.rpartition('.')[2]}") for one in places), (key, place)
