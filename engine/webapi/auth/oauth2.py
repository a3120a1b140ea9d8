"""OAuth 2.0: a client assertion for an access token, that for an SSO session, whose bearer goes with every request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import trio

from engine.errors import VenueRefused, VenueUnreachable
from engine.ports import Clock
from engine.webapi.auth import Asker, Handshake
from engine.webapi.calls import Reply
from engine.webapi.keys import Secret
from engine.webapi.redaction import scrub

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SECOND = 1_000_000_000
TOKEN_PATH = "/oauth2/api/v1/token"
SSO_PATH = "/gw/api/v1/sso-sessions"
SCOPE = "sso-sessions.write"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_S = 60
SSO_LIFE_S = 86_400
BACKDATE_S = 10  # a clock that is a little ahead of the venue's must not date its claims into the future


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies us. `credential` is the IBKR username, `ip` the address our calls come from."""

    client_id: str
    key_id: str
    key: RSAPrivateKey
    credential: str
    ip: str

    def __repr__(self) -> str:
        return "Material(hidden)"


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int | None = None


class _Sso(msgspec.Struct):
    access_token: str
    active: bool = True


Told = TypeVar("Told", _Token, _Sso)


class OAuth2:
    """Logs in for a bearer; fulfils `Authenticator`.

    Args:
        base: As of the transport; the token and SSO addresses lie beside `/v1/api` on its host.
        socket_name: The websocket's query parameter: `bearer_token` by the schema, `sessionToken` by the change log.
    """

    logs_in = True

    def __init__(self, material: Material, base: str, clock: Clock, *, socket_name: str = "bearer_token") -> None:
        parts = urlsplit(base)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._material = material
        self._clock = clock
        self._socket_name = socket_name
        self._bearer: Secret | None = None

    def __repr__(self) -> str:
        return f"OAuth2(logged in: {self._bearer is not None})"

    def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:  # noqa: ARG002
        """Return the bearer."""
        if self._bearer is None:
            raise VenueUnreachable(f"{method} request", "we are not logged in yet")
        return {"Authorization": f"Bearer {self._bearer.text()}"}

    async def login(self, ask: Asker) -> int | None:
        """Get an access token, then an SSO session; its end is the earlier of what was asked for and what is told."""
        now_s = self._clock.now_ns() // SECOND
        form = {
            "grant_type": "client_credentials",
            "scope": SCOPE,
            "client_id": self._material.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": await trio.to_thread.run_sync(self._assertion, now_s),
        }
        reply = await ask(
            f"POST {TOKEN_PATH}",
            "POST",
            self._origin + TOKEN_PATH,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        token = _read(reply, _Token, TOKEN_PATH)
        now_s = self._clock.now_ns() // SECOND
        claims = await trio.to_thread.run_sync(self._sso_claims, now_s)
        reply = await ask(
            f"POST {SSO_PATH}",
            "POST",
            self._origin + SSO_PATH,
            headers={"Content-Type": "application/jwt", "Authorization": f"Bearer {token.access_token}"},
            content=claims.encode(),
        )
        sso = _read(reply, _Sso, SSO_PATH)
        if not sso.active:
            raise VenueRefused(f"POST {SSO_PATH}", "its session is not active", status=reply.status)
        self._bearer = Secret(sso.access_token)
        life_s = SSO_LIFE_S if token.expires_in is None else min(SSO_LIFE_S, token.expires_in)
        return (now_s - BACKDATE_S + life_s) * SECOND

    def websocket(self, session: str) -> Handshake:
        """Return the bearer as a query parameter, and the cookie."""
        bearer = self._bearer.text() if self._bearer else ""
        return Handshake(query=((self._socket_name, bearer),), headers=(("Cookie", f"api={session}"),))

    def _assertion(self, now_s: int) -> str:
        who = self._material.client_id
        return self._signed({"iss": who, "sub": who, "aud": "/token", "exp": now_s + ASSERTION_LIFE_S}, now_s)

    def _sso_claims(self, now_s: int) -> str:
        told = self._material
        # A day from its date of issue, not from now: longer is refused.
        ends_s = now_s - BACKDATE_S + SSO_LIFE_S
        claims = {"iss": told.client_id, "credential": told.credential, "ip": told.ip, "exp": ends_s}
        return self._signed(claims, now_s)

    def _signed(self, claims: dict[str, Any], now_s: int) -> str:
        import jwt

        dated = {**claims, "iat": now_s - BACKDATE_S}
        return jwt.encode(dated, self._material.key, algorithm="RS256", headers={"kid": self._material.key_id})


def _read(reply: Reply, kind: type[Told], path: str) -> Told:
    name = f"POST {path}"
    if reply.status not in (200, 201):
        text = scrub(reply.body[:300].decode(errors="replace")).strip()
        raise VenueRefused(
            name, f"it refuses the login: {text}" if text else "it refuses the login", status=reply.status
        )
    try:
        return msgspec.json.decode(reply.body, type=kind, strict=False)
    except msgspec.MsgspecError:
        raise VenueRefused(name, "its answer holds no token", status=reply.status) from None
