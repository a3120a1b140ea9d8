"""Secrets come from private files or the environment, and nobody sees them by accident."""

from __future__ import annotations

import base64
import copy
import pickle
from pathlib import Path
from shutil import which
from subprocess import run

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from engine.errors import ConfigError
from engine.webapi.keys import Secret, prime, read_secret, rsa_key

TOLD = "correct-horse-battery"


def private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_secret_hides_itself() -> None:
    secret = Secret(TOLD)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", repr({"a": [secret]}), "%s" % secret]  # noqa: UP031
    assert all("horse" not in text for text in shown)
    assert secret.reveal() == TOLD.encode()
    assert secret.text() == TOLD
    for writer in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be written down"):
            writer(secret)
    assert not hasattr(secret, "__dict__")


def test_a_file_of_its_owner_is_read_and_trimmed(tmp_path: Path) -> None:
    private(tmp_path / "key", f"{TOLD}\n".encode())
    assert read_secret("key", what="the key", folder=tmp_path).text() == TOLD


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_may_touch_is_refused_with_one_sentence(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "key", TOLD.encode(), mode)
    with pytest.raises(ConfigError) as caught:
        read_secret(str(path), what="the signature key")
    assert str(caught.value) == (
        f"{path}: the signature key: others may read this file (mode {mode:04o}); run chmod 600 on it"
    )


def test_missing_empty_large_and_strange_files_are_refused(tmp_path: Path) -> None:
    private(tmp_path / "empty", b" \n")
    private(tmp_path / "large", b"x" * 70_000)
    for name, sentence in (("none", "No such file"), ("empty", "empty"), ("large", "larger"), (".", "directory")):
        with pytest.raises(ConfigError, match=sentence) as caught:
            read_secret(name, what="the key", folder=tmp_path)
        assert caught.value.__cause__ is None


def test_the_environment_is_a_source() -> None:
    assert read_secret("env:THE_KEY", what="the key", environ={"THE_KEY": TOLD + "\n"}).text() == TOLD
    for environ in ({}, {"THE_KEY": "  "}):
        with pytest.raises(ConfigError, match="THE_KEY is not set"):
            read_secret("env:THE_KEY", what="the key", environ=environ)


def test_an_rsa_key_is_read_and_anything_else_is_not() -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert rsa_key(Secret(pem(key)), what="k").private_numbers() == key.private_numbers()
    with pytest.raises(ConfigError, match="not an RSA key"):
        rsa_key(Secret(pem(ec.generate_private_key(ec.SECP256R1()))), what="k")
    with pytest.raises(ConfigError, match="PEM form") as caught:
        rsa_key(Secret(TOLD), what="k")
    assert caught.value.__cause__ is None
    assert TOLD not in repr(caught.value)


@pytest.mark.skipif(which("openssl") is None, reason="openssl writes the parameters")
def test_a_prime_is_read_from_pem_and_from_hex(tmp_path: Path) -> None:
    # RFC 3526, group 14 (2048 bits), from the formula of its section 3.
    pi_bits = 124_476
    p = 2**2048 - 2**1984 - 1 + 2**64 * (int_pi(1918) + pi_bits)
    spec = f"asn1=SEQUENCE:dh\n[dh]\np=INTEGER:0x{p:x}\ng=INTEGER:5\n"
    (tmp_path / "spec").write_text(spec)
    der = tmp_path / "der"
    run(["openssl", "asn1parse", "-genconf", str(tmp_path / "spec"), "-out", str(der), "-noout"], check=True)
    body = base64.encodebytes(der.read_bytes())
    in_pem = b"-----BEGIN DH PARAMETERS-----\n" + body + b"-----END DH PARAMETERS-----\n"
    assert prime(Secret(in_pem), what="p") == (p, 5)
    in_hex = format(p, "x")
    assert prime(Secret("\n".join(in_hex[at : at + 64] for at in range(0, 512, 64))), what="p") == (p, 2)
    for bad in ("no hex", "ff", format(p + 1, "x"), "-----BEGIN DH PARAMETERS-----\nxx", in_pem[:200]):
        with pytest.raises(ConfigError):
            prime(Secret(bad), what="p")


def int_pi(bits: int) -> int:
    """floor(2**bits * pi), by Machin's formula with 64 bits to spare."""
    spare = 64
    one = 1 << (bits + spare)

    def arctan_inverse(x: int) -> int:
        total, term, n, sign = 0, one // x, 1, 1
        while term:
            total += sign * (term // n)
            term //= x * x
            n += 2
            sign = -sign
        return total

    return (4 * (4 * arctan_inverse(5) - arctan_inverse(239))) >> spare
