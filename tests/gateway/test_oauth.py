"""The OAuth doors, against signatures that are made here from the published steps, with no code of the engine's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.errors import InputError
from engine.gateway import credentials
from engine.gateway.calls import Answer
from engine.gateway.config import OAuth
from engine.gateway.oauth1 import OAuth1Keeper, java_bytes
from engine.gateway.oauth2 import OAuth2Keeper
from engine.gateway.requests import Request
from tests.gateway.fakes import START_NS

HOST = "127.0.0.1:5000"
LST = "/v1/api/oauth/live_session_token"


class Signer:
    """A client of OAuth 1.0a made from the file in the state folder."""

    def __init__(self, folder: Path) -> None:
        self.facts: dict[str, Any] = json.loads((folder / "oauth1.json").read_text())
        self.signature_key: Any = load_pem_private_key((folder / "signature_key.pem").read_bytes(), None)
        encryption_key: Any = load_pem_private_key((folder / "encryption_key.pem").read_bytes(), None)
        self.secret: bytes = encryption_key.decrypt(
            base64.b64decode(self.facts["access_token_secret"]), padding.PKCS1v15()
        )
        self.token = b""
        self.count = 0
        self.stamp = 1_700_000_000

    def request(
        self, method: str, path: str, query: dict[str, str] | None = None, *, host: str = HOST, **more: str
    ) -> Request:
        """A signed request: RSA where `diffie_hellman_challenge` is among `more`, else HMAC."""
        self.count += 1
        first = "diffie_hellman_challenge" in more
        said = {
            "oauth_consumer_key": self.facts["consumer_key"],
            "oauth_nonce": f"n{self.count:015d}",
            "oauth_signature_method": "RSA-SHA256" if first else "HMAC-SHA256",
            "oauth_timestamp": str(self.stamp),
            "oauth_token": self.facts["access_token"],
            **more,
        }
        listed = sorted({**said, **(query or {})}.items())
        base = "&".join(
            (method, quote_plus(f"https://{HOST}{path}"), quote_plus("&".join(f"{k}={v}" for k, v in listed)))
        )
        if first:
            signed = self.signature_key.sign((self.secret.hex() + base).encode(), padding.PKCS1v15(), SHA256())
        else:
            signed = hmac.new(self.token, base.encode(), hashlib.sha256).digest()
        said["oauth_signature"] = quote_plus(base64.b64encode(signed).decode())
        said["realm"] = self.facts["realm"]
        header = "OAuth " + ", ".join(f'{k}="{v}"' for k, v in sorted(said.items()))
        return Request(
            method=method,
            path=path,
            query=urlencode(query or {}),
            headers={"host": host, "authorization": header},
            body=b"",
            peer="127.0.0.1",
            server=HOST,
        )

    def log_in(self, keeper: OAuth1Keeper, private: int = 0xC0FFEE) -> dict[str, Any]:
        """Ask for a live session token, work it out, and check the server's own signature of it."""
        prime = int(self.facts["dh_prime"], 16)
        answer = keeper.endpoint(
            self.request("POST", LST, diffie_hellman_challenge=f"{pow(2, private, prime):x}"), START_NS
        )
        assert answer is not None
        assert answer.status == 200, answer.body
        shared = pow(int(answer.body["diffie_hellman_response"], 16), private, prime)
        digits = f"{shared:x}"
        digits = digits if len(digits) % 2 == 0 else "0" + digits
        octets = bytes.fromhex(digits)
        octets = b"\x00" + octets if octets[0] >= 0x80 else octets
        self.token = hmac.new(octets, self.secret, hashlib.sha1).digest()
        proof = hmac.new(self.token, self.facts["consumer_key"].encode(), hashlib.sha1).hexdigest()
        assert proof == answer.body["live_session_token_signature"]
        return dict(answer.body)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the keys of both ways; making keys takes a while."""
    folder = tmp_path_factory.mktemp("keys")
    credentials.consumer(OAuth(), folder)
    credentials.client(OAuth(), folder, "simuser")
    return folder


@pytest.fixture
def first(folder: Path) -> tuple[Signer, OAuth1Keeper]:
    """A client and a door."""
    draws = iter(range(3, 10_000))
    keeper = OAuth1Keeper(credentials.consumer(OAuth(), folder)[0], lambda n: next(draws).to_bytes(n, "big"))
    return Signer(folder), keeper


def _status(answer: Answer | None) -> int:
    return 200 if answer is None else answer.status


def test_keys_belong_to_their_owner_and_stay(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    credentials.consumer(OAuth(), folder)
    credentials.client(OAuth(), folder, "simuser")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in folder.iterdir())


def test_the_prime_is_safe() -> None:
    # A Fermat test to a few bases is proof enough against a slip of the hand in one of 512 digits.
    prime = int(credentials.PRIME_2048, 16)
    assert prime.bit_length() == 2048
    assert all(pow(base, n - 1, n) == 1 for n in (prime, prime // 2) for base in (2, 3, 5, 7))


def test_a_signed_client_gets_in(first: tuple[Signer, OAuth1Keeper]) -> None:
    signer, keeper = first
    logins: list[int] = []
    keeper.logged_in = logins.append
    assert _status(keeper.refuses(signer.request("GET", "/v1/api/tickle"), START_NS)) == 401
    answer = signer.log_in(keeper)
    assert logins == [START_NS]
    assert answer["live_session_token_expiration"] == START_NS // 1_000_000 + 86_400_000
    for query in (None, {"conids": "265598,8314", "fields": "31,84"}):
        request = signer.request("GET", "/v1/api/iserver/marketdata/snapshot", query)
        assert keeper.refuses(request, START_NS) is None
    # A client may write IBKR's host into its header, and leave the query out of what it signs.
    assert keeper.refuses(signer.request("GET", "/v1/api/tickle", host="api.ibkr.com"), START_NS) is None
    unsigned_query = signer.request("GET", "/v1/api/iserver/account/orders")
    unsigned_query.query = "force=true"
    assert keeper.refuses(unsigned_query, START_NS) is None
    assert _status(keeper.refuses(signer.request("GET", "/v1/api/tickle"), START_NS + 86_400 * 10**9)) == 401


def test_many_tokens_whatever_their_top_bit(first: tuple[Signer, OAuth1Keeper]) -> None:
    signer, keeper = first
    for private in range(5, 25):
        signer.log_in(keeper, private)


@pytest.mark.parametrize("number", [1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000])
def test_bytes_as_java_has_them(number: int) -> None:
    octets = java_bytes(number)
    assert int.from_bytes(octets, "big", signed=True) == number
    assert len(octets) == 1 or int.from_bytes(octets[1:], "big", signed=True) != number


def test_what_is_not_right_stays_out(first: tuple[Signer, OAuth1Keeper]) -> None:
    signer, keeper = first
    signer.log_in(keeper)
    good = signer.request("GET", "/v1/api/tickle")
    assert keeper.refuses(good, START_NS) is None
    assert _status(keeper.refuses(good, START_NS)) == 401  # the nonce was used
    signer.stamp -= 1
    assert _status(keeper.refuses(signer.request("GET", "/v1/api/tickle"), START_NS)) == 401  # time goes back
    signer.stamp += 2
    for change in (("limited_poa", "other"), (signer.facts["access_token"], "ff" * 10), ("HMAC-SHA256", "RSA-SHA256")):
        bad = signer.request("GET", "/v1/api/tickle")
        bad.headers["authorization"] = bad.headers["authorization"].replace(*change)
        assert _status(keeper.refuses(bad, START_NS)) == 401
    moved = signer.request("GET", "/v1/api/tickle")
    moved.path = "/v1/api/logout"
    assert _status(keeper.refuses(moved, START_NS)) == 401
    signer.token = bytes(20)
    assert _status(keeper.refuses(signer.request("GET", "/v1/api/tickle"), START_NS)) == 401
    assert (
        _status(
            keeper.refuses(Request(method="GET", path="/v1/api/tickle", query="", headers={}, body=b"", peer=""), 0)
        )
        == 401
    )


def test_a_new_token_ends_the_old_one(first: tuple[Signer, OAuth1Keeper]) -> None:
    signer, keeper = first
    signer.log_in(keeper)
    old = signer.token
    signer.log_in(keeper)
    new, signer.token = signer.token, old
    assert _status(keeper.refuses(signer.request("GET", "/v1/api/tickle"), START_NS)) == 401
    signer.token = new
    assert keeper.refuses(signer.request("GET", "/v1/api/tickle"), START_NS) is None


def test_third_party_tokens_are_not_played(first: tuple[Signer, OAuth1Keeper]) -> None:
    signer, keeper = first
    for path in ("/v1/api/oauth/request_token", "/v1/api/oauth/access_token"):
        answer = keeper.endpoint(signer.request("POST", path), START_NS)
        assert answer is not None
        assert answer.status == 503
        assert "third-party" in answer.body["error"]


def test_the_socket_carries_the_access_token(first: tuple[Signer, OAuth1Keeper]) -> None:
    signer, keeper = first
    signer.log_in(keeper)
    for token, status in ((signer.facts["access_token"], 200), ("0" * 20, 401)):
        handshake = Request(
            method="GET", path="/v1/api/ws", query=f"oauth_token={token}", headers={}, body=b"", peer="127.0.0.1"
        )
        assert _status(keeper.refuses_socket(handshake, START_NS)) == status


# -- OAuth 2.0 ---------------------------------------------------------------------------------------------------------

NOW = START_NS // 10**9


def _jwt(folder: Path, **claims: Any) -> str:
    key = (folder / "client_key.pem").read_text()
    whole = {"iss": "sim-client", "iat": NOW - 10, "exp": NOW + 50, **claims}
    return jwt.encode({k: v for k, v in whole.items() if v is not None}, key, "RS256", headers={"kid": "main"})


def _grant(folder: Path, **changes: Any) -> Request:
    claims = {"sub": "sim-client", "aud": "/token"} | changes
    form = {
        "grant_type": "client_credentials",
        "scope": "sso-sessions.write",
        "client_id": "sim-client",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": _jwt(folder, **claims),
    }
    return Request(
        method="POST",
        path="/oauth2/api/v1/token",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
        peer="127.0.0.1",
    )


@pytest.fixture
def second(folder: Path) -> OAuth2Keeper:
    """A door of OAuth 2.0."""
    draws = iter(range(3, 10_000))
    client = credentials.client(OAuth(), folder, "simuser")[0]
    return OAuth2Keeper(client, lambda n: next(draws).to_bytes(n, "big"), lambda: 0.0)


def _session(keeper: OAuth2Keeper, folder: Path, token: str, **claims: Any) -> Answer:
    body = _jwt(folder, **({"credential": "simuser", "ip": "127.0.0.1"} | claims))
    request = Request(
        method="POST",
        path="/gw/api/v1/sso-sessions",
        query="",
        headers={"content-type": "application/jwt", "authorization": f"Bearer {token}"},
        body=body.encode(),
        peer="127.0.0.1",
    )
    answer = keeper.endpoint(request, START_NS)
    assert answer is not None
    return answer


def test_an_assertion_buys_a_session(second: OAuth2Keeper, folder: Path) -> None:
    logins: list[int] = []
    second.logged_in = logins.append
    granted = second.endpoint(_grant(folder), START_NS)
    assert granted is not None
    assert (granted.status, granted.body["token_type"], granted.body["expires_in"]) == (200, "Bearer", 86_399)
    token = granted.body["access_token"]
    assert _session(second, folder, "wrong").status == 401
    assert _session(second, folder, token, credential="somebody").status == 400
    assert _session(second, folder, token, ip=None).status == 400
    assert logins == []
    answer = _session(second, folder, token)
    assert (answer.status, answer.body["active"], logins) == (200, True, [START_NS])
    for bearer, status in ((answer.body["access_token"], 200), (token, 401), ("", 401)):
        headers = {"authorization": f"Bearer {bearer}"}
        call = Request(method="GET", path="/v1/api/tickle", query="", headers=headers, body=b"", peer="127.0.0.1")
        assert _status(second.refuses(call, START_NS)) == status
        for name in ("bearer_token", "sessionToken"):
            socket = Request(method="GET", path="/v1/api/ws", query=f"{name}={bearer}", headers={}, body=b"", peer="")
            assert _status(second.refuses_socket(socket, START_NS)) == status


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "/other"},
        {"iss": "x"},
        {"sub": "x"},
        {"exp": NOW - 1},
        {"iat": NOW + 600, "exp": NOW + 700},
        {"exp": None},
    ],
)
def test_a_bad_assertion_buys_nothing(second: OAuth2Keeper, folder: Path, change: dict[str, Any]) -> None:
    answer = second.endpoint(_grant(folder, **change), START_NS)
    assert answer is not None
    assert answer.status == 400


def test_a_given_key_must_be_one(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    with pytest.raises(InputError, match=r"bad\.pem: is not an RSA key"):
        credentials.client(OAuth(client_key=bad), tmp_path, "simuser")
