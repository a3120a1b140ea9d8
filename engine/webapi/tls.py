"""Whom a connection trusts. There is no switch that turns verification off, on any host.

The Client Portal Gateway shows a certificate of its own making: it is trusted by file, either the authority that signed
it (`ca`) or, on loopback only, the very certificate (`pinned`), whose name then does not matter.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine, without asking a resolver."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def checked_base(url: str) -> str:
    """Return a base URL such as `https://localhost:5000/v1/api` without a slash at its end.

    Raises: ConfigError if it is none, holds a user or a query, or is plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigError(f"not a URL: {url!r}") from None
    if parts.scheme not in ("https", "http") or not host or not port_is_fine:
        raise ConfigError(f"a base URL looks like https://localhost:5000/v1/api, not {url!r}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("a base URL holds no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"plain http is for this machine only, and {host} is another")
    return url.rstrip("/")


def context(base_url: str, *, ca: Path | None = None, pinned: Path | None = None) -> ssl.SSLContext:
    """Make the TLS context for a base URL.

    Args:
        ca: Certificates (PEM) of the authorities to trust instead of the system's.
        pinned: The one certificate (PEM) to trust; loopback only.

    Raises: ConfigError if a file can't be read, both are given, or a pin is meant for another machine.
    """
    host = urlsplit(base_url).hostname or ""
    if ca is not None and pinned is not None:
        raise ConfigError("give an authority or a pinned certificate, not both")
    if pinned is not None and not is_loopback(host):
        raise ConfigError(f"a pinned certificate is for this machine only, and {host} is another", place=str(pinned))
    made = ssl.create_default_context() if ca is None and pinned is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    file = ca or pinned
    if file is not None:
        _trust(made, file)
    if pinned is not None:
        made.check_hostname = False  # its name is whatever the gateway's author wrote; the certificate is the proof
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate that is no authority may be trusted itself
    return made


def _trust(made: ssl.SSLContext, file: Path) -> None:
    try:
        made.load_verify_locations(cafile=str(file))
    except ssl.SSLError:
        raise ConfigError("not a certificate in PEM form", place=str(file)) from None
    except OSError as exc:
        raise ConfigError(exc.strerror or "can't be read", place=str(file)) from None
