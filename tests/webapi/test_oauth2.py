"""OAuth 2.0: what is sent, checked piece by piece without the library that wrote it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from engine.errors import VenueRefused, VenueUnreachable
from engine.webapi.auth import Authenticator
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.auth.oauth2 import Material, OAuth2
from engine.webapi.calls import Reply
from engine.webapi.clock import RatedClock

S = 1_000_000_000
START_S = 1_700_000_000
BASE = "https://api.ibkr.com/v1/api"
KEY = rsa.generate_private_key(65537, 2048)
MATERIAL = Material(client_id="Client-1", key_id="main", key=KEY, credential="someuser", ip="192.0.2.7")


def part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token: str) -> dict[str, object]:
    head, body, signature = token.split(".")
    KEY.public_key().verify(part(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256())
    assert json.loads(part(head)) == {"alg": "RS256", "kid": "main", "typ": "JWT"}
    told: dict[str, object] = json.loads(part(body))
    return told


class Venue:
    """Answers both requests and keeps them."""

    def __init__(self, *answers: Reply) -> None:
        good = [
            Reply(status=200, body=b'{"access_token":"first-token","token_type":"Bearer","expires_in":86399}'),
            Reply(status=200, body=b'{"active":true,"access_token":"second-token","token_type":"Bearer"}'),
        ]
        self.answers = list(answers) or good
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    async def ask(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        assert method == "POST"
        self.asked.append((name, url, dict(headers), content or b""))
        return self.answers[len(self.asked) - 1]


async def test_a_login_asks_for_a_token_and_then_for_a_session(autojump_clock: trio.abc.Clock) -> None:
    venue, login = Venue(), OAuth2(MATERIAL, BASE, RatedClock(START_S * S))
    expires_ns = await login.login(venue.ask)
    (name, url, headers, content), (sso_name, sso_url, sso_headers, sso_content) = venue.asked
    assert (name, url) == ("POST /oauth2/api/v1/token", "https://api.ibkr.com/oauth2/api/v1/token")
    assert headers == {"Content-Type": "application/x-www-form-urlencoded"}
    form = {key: values[0] for key, values in parse_qs(content.decode(), strict_parsing=True).items()}
    claims = claims_of(form.pop("client_assertion"))
    assert form == {
        "grant_type": "client_credentials",
        "scope": "sso-sessions.write",
        "client_id": "Client-1",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert claims == {
        "iss": "Client-1", "sub": "Client-1", "aud": "/token", "exp": START_S + 60, "iat": START_S - 10,
    }  # fmt: skip
    assert (sso_name, sso_url) == ("POST /gw/api/v1/sso-sessions", "https://api.ibkr.com/gw/api/v1/sso-sessions")
    assert sso_headers == {"Content-Type": "application/jwt", "Authorization": "Bearer first-token"}
    assert claims_of(sso_content.decode()) == {
        "iss": "Client-1", "credential": "someuser", "ip": "192.0.2.7",
        "iat": START_S - 10, "exp": START_S - 10 + 86_400,
    }  # fmt: skip
    assert login.headers("GET", BASE, ()) == {"Authorization": "Bearer second-token"}
    assert expires_ns == (START_S - 10 + 86_399) * S
    assert login.websocket("0a").query == (("bearer_token", "second-token"),)
    assert login.websocket("0a").headers == (("Cookie", "api=0a"),)
    assert "second-token" not in f"{login!r} {login.__dict__!r} {MATERIAL!r} {login.websocket('0a')!r}"


def test_the_websockets_parameter_has_a_second_name() -> None:
    login = OAuth2(MATERIAL, BASE, GOOD_FOR_NOTHING, socket_name="sessionToken")
    assert login.websocket("0a").query[0][0] == "sessionToken"


class _NoClock:
    def now_ns(self) -> int:
        raise AssertionError

    async def sleep(self, seconds: float) -> None:
        raise AssertionError

    async def sleep_until(self, moment_ns: int) -> None:
        raise AssertionError


GOOD_FOR_NOTHING = _NoClock()


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ((Reply(status=400, body=b'{"title":"invalid_client"}'),), "invalid_client"),
        ((Reply(status=200, body=b"<html>"),), "holds no token"),
        ((Reply(status=200, body=b'{"access_token":"t"}'), Reply(status=403, body=b"insufficient scope")), "scope"),
        ((Reply(status=200, body=b'{"access_token":"t"}'), Reply(status=200, body=b'{"active":true}')), "no token"),
        (
            (
                Reply(status=200, body=b'{"access_token":"t"}'),
                Reply(status=200, body=b'{"active":false,"access_token":"u"}'),
            ),
            "not active",
        ),
    ],
)
async def test_refusals(answers: tuple[Reply, ...], problem: str) -> None:
    login = OAuth2(MATERIAL, BASE, RatedClock(START_S * S))
    with pytest.raises(VenueRefused, match=problem):
        await login.login(Venue(*answers).ask)
    with pytest.raises(VenueUnreachable, match="not logged in"):
        login.headers("GET", BASE, ())


async def test_a_persons_login_needs_nothing_of_us() -> None:
    login: Authenticator = GatewayLogin()
    assert not login.logs_in
    assert await login.login(Venue().ask) is None
    assert login.headers("GET", BASE, ()) == {}
    assert login.websocket("0a").headers == (("Cookie", "api=0a"),)
    assert login.websocket("0a").query == ()
