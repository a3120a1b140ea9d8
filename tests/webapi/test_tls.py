"""Trust over real TLS sockets: by authority, by pinned certificate, and not at all."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio
import trustme

from engine.errors import ConfigError, VenueUnreachable
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.clock import RatedClock
from engine.webapi.rest import Rest
from engine.webapi.tls import checked_base, context, is_loopback

CALL = Call(method="POST", template="/x", path="/x", kind=Kind.ORDER_WRITE, urgency=Urgency.PLACE)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.3.2.1", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["api.ibkr.com", "localhost.evil.com", "10.0.0.1", "0.0.0.0", "::", "", "127.0.0.1.nip.io"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_bases() -> None:
    assert checked_base("https://localhost:5000/v1/api/") == "https://localhost:5000/v1/api"
    assert checked_base("http://127.0.0.1:5000/v1/api") == "http://127.0.0.1:5000/v1/api"
    for bad in ("http://api.ibkr.com/v1/api", "localhost:5000", "ftp://localhost", "https://", "https://u:p@localhost",
                "https://localhost?x=1", "https://localhost:99999", "https://[::1"):  # fmt: skip
        with pytest.raises(ConfigError):
            checked_base(bad)


async def served(certificate: trustme.LeafCert, verify: ssl.SSLContext) -> bytes:
    """One request to a TLS server with this certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await stream.receive_some(65_536)
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except trio.BrokenResourceError:
            pass  # the client did not trust us

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, server, host="127.0.0.1")
        port = listeners[0].transport_listener.socket.getsockname()[1]  # type: ignore[attr-defined]
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        try:
            async with Rest(f"https://127.0.0.1:{port}", RatedClock(0), verify=verify) as transport:
                return (await transport.call(CALL)).body
        except VenueUnreachable as exc:
            return str(exc).encode()
        finally:
            nursery.cancel_scope.cancel()


LOCAL = "https://127.0.0.1:5000"


async def test_an_authority_from_a_file_is_trusted_with_its_names(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    verify = context(LOCAL, ca=tmp_path / "ca.pem")
    assert await served(ca.issue_cert("127.0.0.1"), verify) == b"ok"
    assert b"not trusted" in await served(ca.issue_cert("elsewhere.example"), verify)
    assert b"not trusted" in await served(trustme.CA().issue_cert("127.0.0.1"), verify)


async def test_a_pinned_certificate_is_trusted_whatever_its_name(tmp_path: Path) -> None:
    ca = trustme.CA()
    leaf, other = ca.issue_cert("somebody.example"), ca.issue_cert("somebody.example")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf.pem"))
    verify = context(LOCAL, pinned=tmp_path / "leaf.pem")
    assert await served(leaf, verify) == b"ok"
    assert b"not trusted" in await served(other, verify)


async def test_the_systems_authorities_do_not_know_our_gateway() -> None:
    assert b"not trusted" in await served(trustme.CA().issue_cert("127.0.0.1"), context(LOCAL))


def test_no_way_leads_to_unverified(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "no.pem").write_text("no")
    for made in (context(LOCAL), context(LOCAL, ca=tmp_path / "ca.pem"), context(LOCAL, pinned=tmp_path / "ca.pem"),
                 context("https://api.ibkr.com/v1/api", ca=tmp_path / "ca.pem")):  # fmt: skip
        assert made.verify_mode is ssl.CERT_REQUIRED
    assert context("https://api.ibkr.com/v1/api", ca=tmp_path / "ca.pem").check_hostname
    assert context("https://api.ibkr.com/v1/api").check_hostname
    with pytest.raises(ConfigError, match="this machine only"):
        context("https://api.ibkr.com/v1/api", pinned=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="not both"):
        context(LOCAL, ca=tmp_path / "ca.pem", pinned=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="not a certificate"):
        context(LOCAL, ca=tmp_path / "no.pem")
    with pytest.raises(ConfigError, match="No such file"):
        context(LOCAL, pinned=tmp_path / "none.pem")
