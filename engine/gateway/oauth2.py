"""The door of OAuth 2.0: a signed assertion buys an access token, that one an SSO session, and its bearer all else."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from engine.gateway.calls import Answer
from engine.gateway.requests import Request

_S: Final = 1_000_000_000
_LIFE_S: Final = 86_399
_DAY_S: Final = 86_400
_SKEW_S: Final = 60
_SCOPE: Final = "sso-sessions.write"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_PATH: Final = "/oauth2/api/v1/token"
_SESSION_PATH: Final = "/gw/api/v1/sso-sessions"


@frozen(kw_only=True)
class Client:
    """What the server knows of its one client."""

    client_id: str
    key_id: str
    key: RSAPublicKey
    credential: str  # the username whose session it may open


class OAuth2Keeper:
    """Checks assertions (RS256) and bearers.

    Args:
        client: The client.
        draw: Random bytes.
        wall_s: The wall's time. A signed claim is good if it is by our clock or by the wall's: a client may live by
            either.
    """

    def __init__(self, client: Client, draw: Callable[[int], bytes], wall_s: Callable[[], float]) -> None:
        self._client = client
        self._draw = draw
        self._wall_s = wall_s
        self._access: dict[str, int] = {}  # access token -> its end
        self._bearer = ""
        self._expires_ns = 0
        self.logged_in: Callable[[int], None] = lambda _: None

    def endpoint(self, request: Request, now_ns: int) -> Answer | None:
        """Give out access tokens and open SSO sessions."""
        path = request.path.rstrip("/")
        if path not in (_TOKEN_PATH, _SESSION_PATH):
            return None
        if request.method != "POST":
            return _problem(405, "/method-not-allowed", "use POST")
        return self._grant(request, now_ns) if path == _TOKEN_PATH else self._session(request, now_ns)

    def refuses(self, request: Request, now_ns: int) -> Answer | None:
        """Check the bearer of a request."""
        if self._good(_bearer(request), now_ns):
            return None
        return _problem(401, "/unauthorized", "access token request is invalid")

    def refuses_socket(self, request: Request, now_ns: int) -> Answer | None:
        """A websocket carries the bearer in its query, under either of two names, or in the header."""
        query = dict(request.pairs)
        said = query.get("bearer_token") or query.get("sessionToken") or _bearer(request)
        return None if self._good(said, now_ns) else _problem(401, "/unauthorized", "no session")

    def kept(self) -> Any:
        """Tokens and bearer with their ends."""
        return {"access": self._access, "bearer": self._bearer, "expires_ns": self._expires_ns}

    def restore(self, kept: Any) -> None:
        """Take up tokens and bearer."""
        self._access, self._bearer, self._expires_ns = dict(kept["access"]), kept["bearer"], kept["expires_ns"]

    def _good(self, said: str, now_ns: int) -> bool:
        return bool(self._bearer) and now_ns < self._expires_ns and hmac.compare_digest(said, self._bearer)

    def _grant(self, request: Request, now_ns: int) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != _ASSERTION:
            return _problem(400, "/invalid-request", "grant_type or client_assertion_type is not supported")
        if form.get("scope") != _SCOPE:
            return _problem(403, "/insufficient-scope", "insufficient scope")
        claims = self._claims(form.get("client_assertion", ""), now_ns, audience="/token")
        client_id = self._client.client_id
        if claims is None or not claims.get("sub") == form.get("client_id") == client_id:
            return _problem(400, "/invalid-client", "client_assertion is invalid")
        token = self._draw(24).hex()
        self._access = {one: end for one, end in self._access.items() if end > now_ns}
        self._access[token] = now_ns + _LIFE_S * _S
        body = {"access_token": token, "token_type": "Bearer", "scope": _SCOPE, "expires_in": _LIFE_S}
        return Answer(body=body)

    def _session(self, request: Request, now_ns: int) -> Answer:
        if self._access.get(_bearer(request), 0) <= now_ns:
            return _problem(401, "/unauthorized", "access token request is invalid")
        claims = self._claims(request.body.decode(errors="replace").strip(), now_ns, audience=None)
        if claims is None:
            return _problem(400, "/invalid-argument", "the body is not a JWT signed by the client")
        if claims.get("credential") != self._client.credential or not claims.get("ip"):
            return _problem(
                400, "/invalid-argument", "credential and ip are required, and the credential must be known"
            )
        self._bearer = self._draw(24).hex()
        self._expires_ns = now_ns + _DAY_S * _S
        self.logged_in(now_ns)
        return Answer(body={"active": True, "access_token": self._bearer, "token_type": "Bearer"})

    def _claims(self, token: str, now_ns: int, *, audience: str | None) -> dict[str, Any] | None:
        """The claims of a token that our client signed, for now and not longer than a day; None otherwise."""
        options: Any = {
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "verify_aud": audience is not None,
        }
        try:
            if jwt.get_unverified_header(token).get("kid") != self._client.key_id:
                return None
            claims: dict[str, Any] = jwt.decode(
                token, self._client.key, algorithms=["RS256"], audience=audience, options=options
            )
        except jwt.PyJWTError:
            return None
        issued, ends = claims.get("iat"), claims.get("exp")
        if not (isinstance(issued, int | float) and isinstance(ends, int | float) and issued < ends <= issued + _DAY_S):
            return None
        clocks = (now_ns / _S, self._wall_s())
        if claims.get("iss") != self._client.client_id or not any(issued - _SKEW_S <= t < ends for t in clocks):
            return None
        return claims


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme == "Bearer" else ""


def _problem(status: int, kind: str, detail: str) -> Answer:
    return Answer(status=status, body={"type": kind, "title": kind[1:], "status": status, "detail": detail})
