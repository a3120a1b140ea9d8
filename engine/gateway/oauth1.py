"""The door of OAuth 1.0a, first party: every signature is checked here, and the Diffie-Hellman exchange is done.

Source: IBKR's OAuth 1.0a extended text. Not played: the third-party flow (request and access tokens).
"""

from __future__ import annotations

import base64
import hmac
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote_plus, unquote

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from engine.gateway.calls import Answer, refusal
from engine.gateway.requests import Request

_DAY_NS: Final = 86_400_000_000_000
_NONCES: Final = 10_000
_GENERATOR: Final = 2
_TOKEN_PATH: Final = "/oauth/live_session_token"
_THIRD_PARTY: Final = ("/oauth/request_token", "/oauth/access_token")


@frozen(kw_only=True)
class Consumer:
    """What the server knows of its one client. `secret` is the access token secret, decrypted."""

    consumer_key: str
    access_token: str
    secret: bytes
    signature_key: RSAPublicKey
    dh_prime: int

    @property
    def realm(self) -> str:
        """The realm that belongs to the key."""
        return "test_realm" if self.consumer_key == "TESTCONS" else "limited_poa"


class OAuth1Keeper:
    """Checks RSA-SHA256 on the request for a live session token and HMAC-SHA256 on all others.

    Args:
        consumer: The client.
        draw: Random bytes.
    """

    def __init__(self, consumer: Consumer, draw: Callable[[int], bytes]) -> None:
        self._consumer = consumer
        self._draw = draw
        self._token = b""
        self._expires_ns = 0
        self._last_stamp = 0
        self._nonces: deque[str] = deque(maxlen=_NONCES)
        self._seen: set[str] = set()
        self.logged_in: Callable[[int], None] = lambda _: None

    def endpoint(self, request: Request, now_ns: int) -> Answer | None:
        """Give out live session tokens."""
        path = request.path.rstrip("/")
        if path.endswith(_THIRD_PARTY):
            return refusal(503, "third-party OAuth is not available here; start with an access token")
        if not path.endswith(_TOKEN_PATH):
            return None
        if request.method != "POST":
            return refusal(405, "Method not allowed")
        said = header_parameters(request)
        problem = self._problem(request, said, "RSA-SHA256", self._rsa)
        if problem is not None:
            return refusal(401, problem)
        prime = self._consumer.dh_prime
        try:
            challenge = int(said.get("diffie_hellman_challenge", ""), 16)
        except ValueError:
            return refusal(401, "invalid diffie_hellman_challenge")
        if not 1 < challenge < prime - 1:
            return refusal(401, "invalid diffie_hellman_challenge")
        private = int.from_bytes(self._draw(32), "big")
        shared = java_bytes(pow(challenge, private, prime))
        self._token = hmac.digest(shared, self._consumer.secret, "sha1")
        self._expires_ns = now_ns + _DAY_NS
        self.logged_in(now_ns)
        return Answer(
            body={
                "diffie_hellman_response": f"{pow(_GENERATOR, private, prime):x}",
                "live_session_token_signature": hmac.digest(
                    self._token, self._consumer.consumer_key.encode(), "sha1"
                ).hex(),
                "live_session_token_expiration": self._expires_ns // 1_000_000,
            }
        )

    def refuses(self, request: Request, now_ns: int) -> Answer | None:
        """Check the signature of a request."""
        if not self._token or now_ns >= self._expires_ns:
            return refusal(401, "not authenticated")
        problem = self._problem(request, header_parameters(request), "HMAC-SHA256", self._hmac)
        return None if problem is None else refusal(401, problem)

    def refuses_socket(self, request: Request, now_ns: int) -> Answer | None:
        """A websocket carries the access token in its query."""
        given = dict(request.pairs).get("oauth_token", "")
        if self._token and now_ns < self._expires_ns and hmac.compare_digest(given, self._consumer.access_token):
            return None
        return refusal(401, "not authenticated")

    def kept(self) -> Any:
        """The live session token and its end."""
        return {"token": self._token.hex(), "expires_ns": self._expires_ns}

    def restore(self, kept: Any) -> None:
        """Take up a live session token."""
        self._token, self._expires_ns = bytes.fromhex(kept["token"]), kept["expires_ns"]

    def _problem(
        self, request: Request, said: dict[str, str], method: str, fits: Callable[[str, bytes], bool]
    ) -> str | None:
        """What is wrong with a request's authorisation; None if nothing is."""
        consumer = self._consumer
        if said.get("realm") != consumer.realm:
            return "invalid realm"
        if said.get("oauth_consumer_key") != consumer.consumer_key:
            return "invalid consumer"
        if said.get("oauth_token") != consumer.access_token:
            return "invalid token"
        if said.get("oauth_signature_method") != method:
            return "invalid signature method"
        stamp, nonce = said.get("oauth_timestamp", ""), said.get("oauth_nonce", "")
        if not (stamp.isdecimal() and len(stamp) == 10 and int(stamp) >= self._last_stamp):
            return "invalid timestamp"
        if not (nonce.isalnum() and len(nonce) <= 64) or nonce in self._seen:
            return "invalid nonce"
        try:
            signature = base64.b64decode(said.get("oauth_signature", ""), validate=True)
        except ValueError:
            return "invalid signature"
        if not any(fits(base, signature) for base in base_strings(request, said)):
            return "invalid signature"
        self._last_stamp = int(stamp)
        if len(self._nonces) == _NONCES:
            self._seen.discard(self._nonces[0])
        self._nonces.append(nonce)
        self._seen.add(nonce)
        return None

    def _rsa(self, base: str, signature: bytes) -> bool:
        text = (self._consumer.secret.hex() + base).encode()
        try:
            self._consumer.signature_key.verify(signature, text, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def _hmac(self, base: str, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(self._token, base.encode(), "sha256"), signature)


def header_parameters(request: Request) -> dict[str, str]:
    """The parameters of `Authorization: OAuth k="v", ...`, percent-decoded; {} if there is none."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme != "OAuth":
        return {}
    found = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        found[name] = unquote(value.strip().strip('"'))
    return found


def base_strings(request: Request, said: dict[str, str]) -> list[str]:
    """What the client may have signed.

    The address has several spellings, because some clients write IBKR's own host into the header while they talk to
    ours; and sources disagree whether the query belongs to the parameters.
    """
    own = {name: value for name, value in said.items() if name not in ("realm", "oauth_signature")}
    queries = [request.pairs, []] if request.query else [[]]
    found = []
    for url in request.urls:
        for pairs in queries:
            listed = sorted([*own.items(), *pairs])
            joined = "&".join(f"{name}={value}" for name, value in listed)
            found.append(f"{request.method}&{quote_plus(url)}&{quote_plus(joined)}")
    return found


def java_bytes(number: int) -> bytes:
    """A number above zero as `BigInteger.toByteArray` has it: a leading zero byte where the top bit is set."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
