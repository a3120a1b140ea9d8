"""OAuth 1.0a: each step against openssl or arithmetic of its own, then whole logins against a venue written here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from subprocess import run
from urllib.parse import unquote_plus

import pytest
import trio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, VenueRefused, VenueUnreachable
from engine.webapi.auth import Authenticator, signing
from engine.webapi.auth.oauth1 import Material, OAuth1, nonce
from engine.webapi.calls import Reply
from engine.webapi.clock import RatedClock
from engine.webapi.keys import Secret

S = 1_000_000_000
START_S = 1_700_000_000
BASE = "https://api.ibkr.com/v1/api"
URL = f"{BASE}/oauth/live_session_token"
SIGNING, ENCRYPTION = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
P = 2**1279 - 1  # a Mersenne prime: large enough, and known without a table
TOKEN_SECRET = bytes(range(7, 39))
TOKEN = "a0b1c2d3e4f5a6b7c8d9"
needs_openssl = pytest.mark.skipif(which("openssl") is None, reason="openssl works out the other side")


def openssl(*arguments: str, text: bytes) -> bytes:
    return run(["openssl", *arguments], input=text, check=True, capture_output=True).stdout


def material(**changes: object) -> Material:
    encrypted = ENCRYPTION.public_key().encrypt(TOKEN_SECRET, padding.PKCS1v15())
    facts: dict[str, object] = {
        "consumer_key": "TESTKEY01",
        "access_token": Secret(TOKEN),
        "access_token_secret": Secret(base64.b64encode(encrypted)),
        "signature_key": SIGNING,
        "encryption_key": ENCRYPTION,
        "prime": P,
        **changes,
    }
    return Material(**facts)  # type: ignore[arg-type]


def parameters_of(authorization: str) -> dict[str, str]:
    assert authorization.startswith("OAuth ")
    return dict(re.findall(r'(\w+)="([^"]*)"', authorization))


# -- single steps -----------------------------------------------------------------------------------------------------


def test_the_base_string_by_hand() -> None:
    told = [("oauth_token", "t"), ("oauth_nonce", "n"), ("conids", "1,2"), ("oauth_signature_method", "HMAC-SHA256")]
    assert signing.base_string("get", "https://localhost:5000/v1/api/iserver/marketdata/snapshot", told) == (
        "GET&https%3A%2F%2Flocalhost%3A5000%2Fv1%2Fapi%2Fiserver%2Fmarketdata%2Fsnapshot"
        "&conids%3D1%2C2%26oauth_nonce%3Dn%26oauth_signature_method%3DHMAC-SHA256%26oauth_token%3Dt"
    )
    assert signing.base_string("POST", "http://h", [("a", "b")], prepend="0a1b") == "0a1bPOST&http%3A%2F%2Fh&a%3Db"


def test_unreserved_characters_stay_and_all_others_go() -> None:
    # RFC 5849, 3.6: letters, digits, "-", ".", "_" and "~" are not encoded; all else is, in capitals.
    encoded = signing.base_string("G", "aZ09-._~ü/:", [])
    assert encoded == "G&aZ09-._~%C3%BC%2F%3A&"


def test_the_header_is_sorted_behind_its_realm() -> None:
    assert signing.header({"oauth_token": "t", "oauth_nonce": "n"}, "limited_poa") == (
        'OAuth realm="limited_poa", oauth_nonce="n", oauth_token="t"'
    )


@needs_openssl
def test_openssl_accepts_our_rsa_signature(tmp_path: Path) -> None:
    public = SIGNING.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "public").write_bytes(public)
    (tmp_path / "signature").write_bytes(base64.b64decode(unquote_plus(signing.rsa_signature(SIGNING, "POST&a&b"))))
    verify = ("dgst", "-sha256", "-verify", str(tmp_path / "public"), "-signature", str(tmp_path / "signature"))
    assert b"Verified OK" in openssl(*verify, text=b"POST&a&b")


@needs_openssl
def test_openssl_makes_the_same_hmac() -> None:
    key = bytes(range(20))
    told = openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary", text=b"GET&x&y")
    assert base64.b64decode(unquote_plus(signing.hmac_signature(key, "GET&x&y"))) == told


@needs_openssl
def test_openssl_makes_the_same_live_session_token() -> None:
    key, secret = b"\x00\x80\x01", b"secret bytes"
    told = openssl("dgst", "-sha1", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary", text=secret)
    assert signing.live_session_token(key, secret) == told
    proof = openssl("dgst", "-sha1", "-mac", "HMAC", "-macopt", f"hexkey:{told.hex()}", "-binary", text=b"TESTKEY01")
    assert signing.proves(told, "TESTKEY01", proof.hex())
    assert signing.proves(told, "TESTKEY01", proof.hex().upper() + "\n")
    assert not signing.proves(told, "TESTKEY02", proof.hex())
    assert not signing.proves(told, "TESTKEY01", "ü")


@needs_openssl
def test_openssl_encrypts_what_we_decrypt(tmp_path: Path) -> None:
    public = ENCRYPTION.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "public").write_bytes(public)
    told = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", str(tmp_path / "public"), text=TOKEN_SECRET)
    assert signing.decrypted(ENCRYPTION, base64.b64encode(told).decode()) == TOKEN_SECRET


@pytest.mark.parametrize(
    ("number", "there"),
    [(0, "00"), (1, "01"), (0x7F, "7f"), (0x80, "0080"), (0xFF, "00ff"), (0x100, "0100"), (0x7FFF, "7fff"),
     (0x8000, "008000"), (0xFFF, "0fff"), (2**2048 - 1, "00" + "ff" * 256), (2**2047 - 1, "7f" + "ff" * 255)],
)  # fmt: skip
def test_bytes_as_java_has_them(number: int, there: str) -> None:
    assert signing.java_bytes(number).hex() == there


@given(st.integers(0, 2**600))
def test_java_bytes_are_the_number_with_a_clear_sign_bit_and_no_byte_too_many(number: int) -> None:
    made = signing.java_bytes(number)
    assert int.from_bytes(made, "big", signed=True) == number
    assert len(made) == 1 or int.from_bytes(made[1:], "big", signed=True) != number


@given(a=st.integers(2, 2**64), b=st.integers(2, 2**64))
def test_both_sides_of_the_exchange_agree(a: int, b: int) -> None:
    # 2 ** (a * b) mod p, worked out without either public half: 2 has order 1279 modulo 2 ** 1279 - 1.
    theirs = format(1 << (b % 1279), "x")
    if int(theirs, 16) in (1, P - 1):
        return
    assert signing.shared(theirs, a, P) == signing.java_bytes(1 << (a * b % 1279))
    assert int(signing.challenge(2, a, P), 16) == 1 << (a % 1279)


def test_a_response_outside_the_group_is_refused() -> None:
    for bad in ("0", "1", format(P - 1, "x"), format(P, "x"), "-5", "zz", ""):
        with pytest.raises(ValueError):  # noqa: PT011 - any of its sentences
            signing.shared(bad, 5, P)


def test_nonces_are_sixteen_letters_and_digits() -> None:
    made = {nonce() for _ in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(r"[A-Za-z0-9]{16}", one) for one in made)


# -- a venue ----------------------------------------------------------------------------------------------------------


class Venue:
    """The other side, from the description alone."""

    def __init__(self, b: int = 0xBEEF) -> None:
        self.b = b
        self.live = b""
        self.stamps: list[int] = []
        self.nonces: set[str] = set()
        self.answer: Reply | None = None
        self.changes: dict[str, object] = {}

    async def ask(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        assert (name, method, url, content) == ("POST /oauth/live_session_token", "POST", URL, None)
        if self.answer is not None:
            return self.answer
        told = self.checked(headers["Authorization"], "RSA-SHA256")
        signature = base64.b64decode(unquote_plus(told.pop("oauth_signature")), validate=True)
        signed = self.base("POST", URL, told, {})
        SIGNING.public_key().verify(signature, (TOKEN_SECRET.hex() + signed).encode(), padding.PKCS1v15(), SHA256())
        k = pow(int(told["diffie_hellman_challenge"], 16), self.b, P)
        digits = format(k, "x")
        digits = "0" * (len(digits) % 2) + digits
        digits = "00" + digits if int(digits[0], 16) >= 8 else digits
        self.live = hmac.new(bytes.fromhex(digits), TOKEN_SECRET, hashlib.sha1).digest()
        body = {
            "diffie_hellman_response": format(pow(2, self.b, P), "x"),
            "live_session_token_signature": hmac.new(self.live, b"TESTKEY01", hashlib.sha1).hexdigest(),
            "live_session_token_expiration": (START_S + 86_400) * 1000,
        }
        return Reply(status=200, body=json.dumps({**body, **self.changes}).encode())

    def checked(self, authorization: str, method: str) -> dict[str, str]:
        told = parameters_of(authorization)
        assert told.pop("realm") == "limited_poa"
        assert told["oauth_consumer_key"] == "TESTKEY01"
        assert told["oauth_token"] == TOKEN
        assert told["oauth_signature_method"] == method
        assert re.fullmatch(r"\d{10}", told["oauth_timestamp"])
        assert not self.stamps or int(told["oauth_timestamp"]) >= self.stamps[-1]
        self.stamps.append(int(told["oauth_timestamp"]))
        assert told["oauth_nonce"] not in self.nonces
        self.nonces.add(told["oauth_nonce"])
        return told

    @staticmethod
    def base(method: str, url: str, told: Mapping[str, str], query: Mapping[str, str]) -> str:
        def code(text: str) -> str:
            return "".join(c if re.fullmatch(r"[A-Za-z0-9._~-]", c) else f"%{ord(c):02X}" for c in text)

        pairs = "&".join(f"{k}={v}" for k, v in sorted({**told, **query}.items()))
        return f"{method}&{code(url)}&{code(pairs)}"

    def accepts(self, authorization: str, method: str, url: str, query: Mapping[str, str]) -> bool:
        told = self.checked(authorization, "HMAC-SHA256")
        signature = unquote_plus(told.pop("oauth_signature"))
        wanted = hmac.new(self.live, self.base(method, url, told, query).encode(), hashlib.sha256).digest()
        return base64.b64encode(wanted).decode() == signature


@pytest.mark.parametrize("b", [3, 0xBEEF, 2**255 + 12345])
async def test_a_login_and_signed_requests(b: int, autojump_clock: trio.abc.Clock) -> None:
    for number in range(12):  # several secrets, so that odd lengths and sign bits occur
        venue = Venue(b + number)
        login: Authenticator = OAuth1(material(), BASE, RatedClock(START_S * S))
        expires_ns = await login.login(venue.ask)
        assert expires_ns == (START_S + 86_400) * S
        url = f"{BASE}/iserver/marketdata/snapshot"
        query = (("conids", "1,2"), ("fields", "31"))
        signed = login.headers("GET", url, query)["Authorization"]
        assert venue.accepts(signed, "GET", url, dict(query))
        signed = login.headers("POST", f"{BASE}/tickle", ())["Authorization"]
        assert venue.accepts(signed, "POST", f"{BASE}/tickle", {})
        # Changed on its way: refused.
        signed = login.headers("GET", url, query)["Authorization"]
        assert not venue.accepts(signed, "GET", url, {"conids": "1", "fields": "31"})


async def test_the_query_may_stay_unsigned(autojump_clock: trio.abc.Clock) -> None:
    venue = Venue()
    login = OAuth1(material(), BASE, RatedClock(START_S * S), query_signed=False)
    await login.login(venue.ask)
    signed = login.headers("GET", f"{BASE}/x", (("a", "1"),))["Authorization"]
    assert venue.accepts(signed, "GET", f"{BASE}/x", {})


async def test_stamps_never_fall_and_rest_while_requests_are_on_their_way(autojump_clock: trio.abc.Clock) -> None:
    clock = RatedClock(START_S * S)
    login, venue = OAuth1(material(), BASE, clock), Venue()
    await login.login(venue.ask)

    def stamp() -> int:
        told = parameters_of(login.headers("GET", f"{BASE}/x", ())["Authorization"])
        return int(told["oauth_timestamp"]) - START_S

    await trio.sleep(1)
    seen = []
    for _ in range(100):  # ten a second for ten seconds: a stamp lasts up to ten
        seen.append(stamp())
        await trio.sleep(0.1)
    assert set(seen) == {1}
    await trio.sleep(0.6)
    assert stamp() == 11
    clock.set((START_S - 500) * S, 1)
    await trio.sleep(5)
    assert stamp() == 11


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"live_session_token_signature": "00" * 20}, "not ours"),
        ({"diffie_hellman_response": "1"}, "no live session token"),
        ({"diffie_hellman_response": "xyz"}, "no live session token"),
        ({"live_session_token_expiration": None}, "no live session token"),
    ],
)
async def test_an_answer_that_proves_nothing_is_refused(change: dict[str, object], problem: str) -> None:
    venue = Venue()
    venue.changes = change
    login = OAuth1(material(), BASE, RatedClock(START_S * S))
    with pytest.raises(VenueRefused, match=problem):
        await login.login(venue.ask)
    with pytest.raises(VenueUnreachable, match="not logged in"):
        login.headers("GET", BASE, ())


async def test_a_refusal_is_quoted_without_secrets() -> None:
    venue = Venue()
    venue.answer = Reply(
        status=401, body=b'{"error":"LST failed, error: No access secret key found ' + b"ab" * 16 + b'"}'
    )
    login = OAuth1(material(), BASE, RatedClock(START_S * S))
    with pytest.raises(VenueRefused, match="No access secret key found") as caught:
        await login.login(venue.ask)
    assert caught.value.status == 401
    assert "abab" not in str(caught.value)


def test_a_secret_that_is_not_whole_is_refused_at_once() -> None:
    whole = material().access_token_secret.text()
    for broken in (whole[:-5], whole[:40], "!!!", ""):
        with pytest.raises(ConfigError, match="decrypted"):
            OAuth1(material(access_token_secret=Secret(broken)), BASE, RatedClockLess())


class RatedClockLess:
    """A clock for what never asks it."""

    def now_ns(self) -> int:
        raise AssertionError

    async def sleep(self, seconds: float) -> None:
        raise AssertionError

    async def sleep_until(self, moment_ns: int) -> None:
        raise AssertionError


async def test_nothing_secret_shows() -> None:
    told = material()
    login, venue = OAuth1(told, BASE, RatedClock(START_S * S)), Venue()
    await login.login(venue.ask)
    shown = f"{told!r} {told} {login!r} {login.__dict__!r} {login.websocket('abcdef')!r}"
    for secret in (TOKEN, TOKEN_SECRET.hex(), repr(TOKEN_SECRET), venue.live.hex(), repr(venue.live), "abcdef"):
        assert secret not in shown


def test_the_websocket_gets_the_access_token_and_the_session() -> None:
    handshake = OAuth1(material(), BASE, RatedClockLess()).websocket("0a")
    assert handshake.query == (("oauth_token", TOKEN),)
    assert handshake.headers == (("Cookie", "api=0a"),)
