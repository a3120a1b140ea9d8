"""The keys of the OAuth modes: given by the config, else made once and kept in the state folder for a client to use.

The folder then holds `oauth1.json` or `oauth2.json` with what a client has to be told, and its private keys beside it;
all readable by their owner only.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from engine.errors import ConfigError, InputError
from engine.gateway.config import OAuth
from engine.gateway.oauth1 import Consumer
from engine.gateway.oauth2 import Client

# The 2048-bit group of RFC 3526, section 3: a safe prime that needs no minutes to find.
PRIME_2048: Final = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF"
)
_BITS: Final = 2048


def consumer(oauth: OAuth, folder: Path) -> tuple[Consumer, Path]:
    """The client of OAuth 1.0a, and the file that tells it what it needs."""
    file = folder / "oauth1.json"
    told = _read(file)
    token = oauth.access_token or told.get("access_token") or secrets.token_hex(10)
    prime = oauth.dh_prime or told.get("dh_prime") or PRIME_2048.lower()
    signature = _given(oauth.signature_key) or _own(folder / "signature_key.pem").public_key()
    encryption = _given(oauth.encryption_key) or _own(folder / "encryption_key.pem").public_key()
    secret = oauth.access_token_secret or _read(folder / "secret.json").get("secret") or secrets.token_hex(32)
    try:
        plain, modulus = bytes.fromhex(secret), int(prime, 16)
    except ValueError as exc:
        raise ConfigError("access_token_secret and dh_prime are hex digits", place="gateway.oauth") from exc
    encrypted = told.get("access_token_secret")
    if not encrypted or oauth.access_token_secret:
        encrypted = base64.b64encode(encryption.encrypt(plain, padding.PKCS1v15())).decode()
    _write(folder / "secret.json", {"secret": secret})
    made = Consumer(
        consumer_key=oauth.consumer_key,
        access_token=token,
        secret=plain,
        signature_key=signature,
        dh_prime=modulus,
    )
    facts = {
        "consumer_key": oauth.consumer_key,
        "realm": made.realm,
        "access_token": token,
        "access_token_secret": encrypted,
        "dh_prime": prime,
        "dh_generator": 2,
        "signature_key": None if oauth.signature_key else str(folder / "signature_key.pem"),
        "encryption_key": None if oauth.encryption_key else str(folder / "encryption_key.pem"),
    }
    _write(file, facts)
    return made, file


def client(oauth: OAuth, folder: Path, credential: str) -> tuple[Client, Path]:
    """The client of OAuth 2.0, and the file that tells it what it needs."""
    key = _given(oauth.client_key) or _own(folder / "client_key.pem").public_key()
    file = folder / "oauth2.json"
    facts = {
        "client_id": oauth.client_id,
        "client_key_id": oauth.client_key_id,
        "credential": credential,
        "client_key": None if oauth.client_key else str(folder / "client_key.pem"),
    }
    _write(file, facts)
    made = Client(client_id=oauth.client_id, key_id=oauth.client_key_id, key=key, credential=credential)
    return made, file


def _given(file: Path | None) -> RSAPublicKey | None:
    """The public key in a file, which may hold the private one."""
    if file is None:
        return None
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise InputError(f"can't be read: {exc.strerror}", place=str(file)) from exc
    try:
        key = load_pem_public_key(data) if b"PUBLIC KEY" in data else load_pem_private_key(data, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise InputError("is not an RSA key in PEM form without a password", place=str(file)) from exc
    if not isinstance(key, RSAPublicKey):
        raise InputError("is not an RSA key", place=str(file))
    return key


def _own(file: Path) -> RSAPrivateKey:
    """Our own key for the client, made once."""
    if file.is_file():
        key = load_pem_private_key(file.read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        return key
    key = generate_private_key(public_exponent=65_537, key_size=_BITS)
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return key


def _read(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_bytes()) if file.is_file() else {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, facts: dict[str, Any]) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
