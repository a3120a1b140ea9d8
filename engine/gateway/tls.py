"""The gateway's certificate: one of its own making, or files that a person gives."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import trustme

from engine.errors import InputError

CA_FILE: Final = "ca.pem"
_LEAF_FILE: Final = "gateway.pem"


def own_certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """Make a CA and a certificate for loopback and `host`, once a state folder; a restart shows the same one.

    Returns: the server's context, and the file with the CA that clients are to trust.
    """
    authority, leaf = folder / CA_FILE, folder / _LEAF_FILE
    if not (authority.is_file() and leaf.is_file()):
        ca = trustme.CA(organization_name="engine simulated gateway")
        names = dict.fromkeys(("localhost", "127.0.0.1", "::1", host))
        certificate = ca.issue_cert(*(name for name in names if name not in ("", "0.0.0.0", "::")))
        leaf.touch(mode=0o600)
        certificate.private_key_and_cert_chain_pem.write_to_path(leaf)
        ca.cert_pem.write_to_path(authority)
    return _context(leaf, None), authority


def given_certificate(certificate: Path, key: Path) -> ssl.SSLContext:
    """Load certificate and key files. Raises: InputError that names the file."""
    for file in (certificate, key):
        if not file.is_file():
            raise InputError("there is no such file", place=str(file))
    try:
        return _context(certificate, key)
    except (ssl.SSLError, OSError) as exc:
        raise InputError("is not a certificate in PEM form with its key", place=str(certificate)) from exc


def _context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
