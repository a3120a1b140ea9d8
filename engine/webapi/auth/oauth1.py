"""OAuth 1.0a, first party: a live session token from keys of the self-service page, then a signature a request."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import trio

from engine.errors import ConfigError, VenueRefused, VenueUnreachable
from engine.ports import Clock
from engine.webapi.auth import Asker, Handshake, signing
from engine.webapi.calls import Reply
from engine.webapi.keys import Secret
from engine.webapi.redaction import scrub

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SECOND = 1_000_000_000
PATH = "/oauth/live_session_token"
NAME = f"POST {PATH}"
STAMP_AGE_S = 10
STAMP_REST_NS = SECOND // 2
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def nonce() -> str:
    """Return 16 letters and digits that nobody used before."""
    return "".join(secrets.choice(ALPHABET) for _ in range(16))


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What the self-service page and our own key files gave. Nothing of it is ever shown."""

    consumer_key: str
    access_token: Secret
    access_token_secret: Secret  # base64, encrypted for the encryption key
    signature_key: RSAPrivateKey
    encryption_key: RSAPrivateKey
    prime: int
    generator: int = 2
    realm: str = "limited_poa"

    def __repr__(self) -> str:
        return "Material(hidden)"


class _Answer(msgspec.Struct):
    diffie_hellman_response: str
    live_session_token_signature: str
    live_session_token_expiration: int


class OAuth1:
    """Logs in for a live session token and signs with it; fulfils `Authenticator`.

    Args:
        base: As of the transport, such as `https://api.ibkr.com/v1/api`.
        query_signed: Query parameters are among the signed ones, as documented; a client that leaves them out is
            served too, so either may be what a host wants.
        make_nonce, make_secret: Chance, for tests to take away.

    Raises: ConfigError if the access token secret can't be decrypted with the encryption key.
    """

    logs_in = True

    def __init__(
        self,
        material: Material,
        base: str,
        clock: Clock,
        *,
        query_signed: bool = True,
        make_nonce: Callable[[], str] = nonce,
        make_secret: Callable[[], int] = lambda: secrets.randbits(256) | 1 << 255,
    ) -> None:
        self._material = material
        self._url = base + PATH
        self._clock = clock
        self._query_signed = query_signed
        self._nonce = make_nonce
        self._make_secret = make_secret
        self._stamp = self._signed_ns = 0
        self._live: Secret | None = None
        try:
            told = signing.decrypted(material.encryption_key, material.access_token_secret.text().strip())
        except ValueError:
            problem = "the access token secret can't be decrypted with the encryption key; is it whole?"
            raise ConfigError(problem) from None
        self._secret = Secret(told)

    def __repr__(self) -> str:
        return f"OAuth1(logged in: {self._live is not None})"

    def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:
        """Sign one request with the live session token. `url` is whole, without its query."""
        if self._live is None:
            raise VenueUnreachable(f"{method} request", "we are not logged in yet")
        parameters = self._parameters("HMAC-SHA256")
        signed = [*parameters.items(), *(query if self._query_signed else ())]
        base = signing.base_string(method, url, signed)
        parameters["oauth_signature"] = signing.hmac_signature(self._live.reveal(), base)
        return {"Authorization": signing.header(parameters, self._material.realm)}

    async def login(self, ask: Asker) -> int | None:
        """Agree on a new live session token; the one before it is dead from then on."""
        secret = self._make_secret()
        parameters = self._parameters("RSA-SHA256")
        headers = await trio.to_thread.run_sync(self._login_headers, parameters, secret)
        reply = await ask(NAME, "POST", self._url, headers=headers, content=None)
        if reply.status != 200:
            raise VenueRefused(NAME, _said(reply), status=reply.status)
        try:
            answer = msgspec.json.decode(reply.body, type=_Answer, strict=False)
            live = await trio.to_thread.run_sync(self._live_token, answer, secret)
        except (msgspec.MsgspecError, ValueError):
            raise VenueRefused(NAME, "its answer is no live session token", status=reply.status) from None
        if not signing.proves(live, self._material.consumer_key, answer.live_session_token_signature):
            problem = "its live session token is not ours: the access token secret, the prime or a key does not belong"
            raise VenueRefused(NAME, problem, status=reply.status)
        self._live = Secret(live)
        return answer.live_session_token_expiration * 1_000_000

    def websocket(self, session: str) -> Handshake:
        """Return the access token (not the live session token) and the cookie."""
        return Handshake(
            query=(("oauth_token", self._material.access_token.text()),), headers=(("Cookie", f"api={session}"),)
        )

    def _parameters(self, method: str) -> dict[str, str]:
        return {
            "oauth_consumer_key": self._material.consumer_key,
            "oauth_nonce": self._nonce(),
            "oauth_signature_method": method,
            "oauth_timestamp": str(self._timestamp()),
            "oauth_token": self._material.access_token.text(),
        }

    def _timestamp(self) -> int:
        """Return a stamp that is never lower than the one before, whatever the clock does: the venue refuses it.

        Requests overtake one another on their way. So while they leave in quick succession all carry one stamp, up to
        `STAMP_AGE_S` old; a new one is taken when the last has surely arrived.
        """
        now_ns = self._clock.now_ns()
        settled = now_ns - self._signed_ns >= STAMP_REST_NS
        if settled or now_ns // SECOND - self._stamp >= STAMP_AGE_S:
            self._stamp = max(self._stamp, now_ns // SECOND)
        self._signed_ns = now_ns
        return self._stamp

    def _login_headers(self, parameters: dict[str, str], secret: int) -> dict[str, str]:
        told = self._material
        parameters["diffie_hellman_challenge"] = signing.challenge(told.generator, secret, told.prime)
        prepend = self._secret.reveal().hex()
        base = signing.base_string("POST", self._url, list(parameters.items()), prepend=prepend)
        parameters["oauth_signature"] = signing.rsa_signature(told.signature_key, base)
        return {"Authorization": signing.header(parameters, told.realm)}

    def _live_token(self, answer: _Answer, secret: int) -> bytes:
        key = signing.shared(answer.diffie_hellman_response, secret, self._material.prime)
        return signing.live_session_token(key, self._secret.reveal())


def _said(reply: Reply) -> str:
    """Return what a refusal says, short and without secrets."""
    text = scrub(reply.body[:300].decode(errors="replace")).strip()
    return f"it refuses the login: {text}" if text else "it refuses the login"
