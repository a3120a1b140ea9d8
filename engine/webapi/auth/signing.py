"""The arithmetic of OAuth 1.0a as IBKR speaks it, step by step; plain functions over bytes and numbers.

Source: RFC 5849 with IBKR's extension (RSA-SHA256, a Diffie-Hellman challenge, HMAC-SHA256 with the live session
token). Where IBKR's own description differs from the RFC, the description is followed: one percent-encoding over the
joined parameters, form style.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Pairs = Sequence[tuple[str, str]]


def base_string(method: str, url: str, parameters: Pairs, *, prepend: str = "") -> str:
    """Return what is signed: method, URL without query, and all parameters sorted; the realm is not among them.

    `prepend` is the decrypted access token secret in hex, for the request of a live session token only.
    """
    joined = "&".join(f"{name}={value}" for name, value in sorted(parameters))
    return f"{prepend}{method.upper()}&{quote_plus(url)}&{quote_plus(joined)}"


def header(parameters: Mapping[str, str], realm: str) -> str:
    """Return the Authorization header; the signature among the parameters is percent-encoded already."""
    told = {"realm": realm}
    rows = [*told.items(), *sorted(parameters.items())]
    return "OAuth " + ", ".join(f'{name}="{value}"' for name, value in rows)


def rsa_signature(key: RSAPrivateKey, base: str) -> str:
    """Return the percent-encoded RSA-SHA256 (PKCS #1 v1.5) signature of a base string."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return quote_plus(base64.b64encode(key.sign(base.encode(), PKCS1v15(), SHA256())))


def hmac_signature(live_session_token: bytes, base: str) -> str:
    """Return the percent-encoded HMAC-SHA256 signature; the token is given as bytes, not as base64."""
    return quote_plus(base64.b64encode(hmac.digest(live_session_token, base.encode(), hashlib.sha256)))


def decrypted(key: RSAPrivateKey, access_token_secret: str) -> bytes:
    """Return the access token secret, decrypted with the encryption key. Raises: ValueError if it is no such thing."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    return key.decrypt(base64.b64decode(access_token_secret, validate=True), PKCS1v15())


def challenge(generator: int, secret: int, prime: int) -> str:
    """Return A = g^a mod p in hex: our half of the key exchange.

    Python's own powers: the protocol wants finite-field Diffie-Hellman, which cryptography is giving up, and of the
    exchange there is nothing but this line and the next function.
    """
    return format(pow(generator, secret, prime), "x")


def shared(response: str, secret: int, prime: int) -> bytes:
    """Return K = B^a mod p as bytes. Raises: ValueError if B is no number between 2 and p - 2."""
    other = int(response, 16)
    if not 1 < other < prime - 1:
        raise ValueError("a response outside the group")
    return java_bytes(pow(other, secret, prime))


def java_bytes(number: int) -> bytes:
    """Return a number >= 0 as Java's BigInteger.toByteArray does: big-endian with room for a sign bit.

    So 0x7f is one byte and 0x80 two, the first of them zero.
    """
    return number.to_bytes(number.bit_length() // 8 + 1)


def live_session_token(key: bytes, secret: bytes) -> bytes:
    """Return the live session token: HMAC-SHA1 with the shared key over the decrypted secret."""
    return hmac.digest(key, secret, hashlib.sha1)


def proves(live_session_token: bytes, consumer_key: str, signature: str) -> bool:
    """Whether the venue's signature (hex) shows that it has the same live session token."""
    wanted = hmac.digest(live_session_token, consumer_key.encode(), hashlib.sha1).hex()
    return hmac.compare_digest(wanted.encode(), signature.strip().lower().encode())
