"""Secrets: where they may come from, and a type that shows them to nobody who does not ask by name.

A secret is named by where it is (`env:NAME` or a path), never by itself, so that it can't stand in a config. A file
must belong to its owner alone.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

HIDDEN = "[hidden]"
SIZE_LIMIT = 65_536  # bytes; a key is a few thousand


class Secret:
    """Bytes that hide themselves: `repr`, `str`, formatting and pickling never tell them; `reveal` does."""

    __slots__ = ("_told",)

    def __init__(self, value: bytes | str) -> None:
        self._told = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """Return the bytes themselves."""
        return self._told

    def text(self) -> str:
        """Return them as text. Raises: ConfigError if they are none."""
        try:
            return self._told.decode()
        except UnicodeDecodeError:
            raise ConfigError("a secret that should be text holds other bytes") from None

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._told == other._told

    def __hash__(self) -> int:
        return hash((Secret, self._told))

    def __bool__(self) -> bool:
        return bool(self._told)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be written down")


def read_secret(
    source: str, *, what: str, folder: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Secret:
    """Read a secret from `env:NAME` or from a file that only its owner can read.

    Args:
        source: `env:NAME`, or a path; a relative one lies below `folder`.
        what: Name of the secret for the person who has to mend it, such as "the signature key".

    Raises: ConfigError if it is not there, is empty, or others can read the file.
    """
    if source.startswith("env:"):
        name = source.removeprefix("env:")
        value = environ.get(name, "")
        if not value.strip():
            raise ConfigError(f"{what}: the environment variable {name} is not set or empty")
        return Secret(value.strip())
    path = (folder or Path()) / Path(source).expanduser()
    secret = Secret(_private_bytes(path, what).strip())
    if not secret:
        raise ConfigError(f"{what}: the file is empty", place=str(path))
    return secret


def _private_bytes(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            # Asked of the open file, so that it can't be swapped between the question and the reading.
            facts = os.fstat(file.fileno())
            if os.name == "posix" and stat.S_IMODE(facts.st_mode) & 0o077:
                mode = format(stat.S_IMODE(facts.st_mode), "04o")
                raise ConfigError(
                    f"{what}: others may read this file (mode {mode}); run chmod 600 on it", place=str(path)
                )
            content = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as exc:
        said = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a file that can be read"
        raise ConfigError(f"{what}: {said}", place=str(path)) from None
    if len(content) > SIZE_LIMIT:
        raise ConfigError(f"{what}: larger than any key is", place=str(path))
    return content


def rsa_key(secret: Secret, *, what: str) -> RSAPrivateKey:
    """Read an RSA private key from PEM text without a passphrase. Raises: ConfigError, which never quotes the key."""
    # Imported late: every start of the program reads this module for its logs, few need keys.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(secret.reveal(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"{what}: not a private key in PEM form without a passphrase") from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{what}: not an RSA key")
    return key


def prime(secret: Secret, *, what: str) -> tuple[int, int]:
    """Read a Diffie-Hellman prime and its generator: `DH PARAMETERS` in PEM form, or the prime alone in hex (then 2).

    Raises: ConfigError.
    """
    told = secret.reveal()
    if told.startswith(b"-----BEGIN"):
        return _dh_parameters(told, what)
    try:
        p = int(b"".join(told.split()), 16)
    except ValueError:
        raise ConfigError(f"{what}: neither DH PARAMETERS in PEM form nor a prime in hex") from None
    return _likely(p, what), 2


def _likely(p: int, what: str) -> int:
    # Not a proof of primality; it catches a truncated or mistyped number, as Fermat's test with base 2 does.
    if p.bit_length() < 1024 or pow(2, p - 1, p) != 1:
        raise ConfigError(f"{what}: not a prime of 1024 bits or more")
    return p


def _dh_parameters(pem: bytes, what: str) -> tuple[int, int]:
    # PKCS #3: SEQUENCE { INTEGER p, INTEGER g, ... }. Read by hand because cryptography gives up finite-field
    # Diffie-Hellman, which this protocol still asks for.
    try:
        der = base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-----")))
        tag, content, _ = _der(der)
        first, p, rest = _der(content)
        second, g, _ = _der(rest)
        if (tag, first, second) != (0x30, 0x02, 0x02):
            raise ValueError
    except (ValueError, IndexError):
        raise ConfigError(f"{what}: not Diffie-Hellman parameters in PEM form") from None
    return _likely(int.from_bytes(p), what), int.from_bytes(g)


def _der(data: bytes) -> tuple[int, bytes, bytes]:
    """Split the first element off: its tag, its content, and what follows. Raises: IndexError, ValueError."""
    size, start = data[1], 2
    if size & 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(data[2:start])
    if len(data) < start + size:
        raise ValueError
    return data[0], data[start : start + size], data[start + size :]
