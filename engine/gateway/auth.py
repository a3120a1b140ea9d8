"""Who is calling: the door of the gateway when a person has logged in, and what every door can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from engine.gateway.calls import Answer
from engine.gateway.requests import Request


class Keeper(Protocol):
    """A way to log in. `logged_in` is called with the present when a client has begun an outer session."""

    logged_in: Callable[[int], None]

    def endpoint(self, request: Request, now_ns: int) -> Answer | None:
        """Answer a path that belongs to the login itself; None for any other path."""

    def refuses(self, request: Request, now_ns: int) -> Answer | None:
        """Why a request of the Web API is not admitted; None if it is."""

    def refuses_socket(self, request: Request, now_ns: int) -> Answer | None:
        """The same for a websocket's handshake."""

    def kept(self) -> Any:
        """What a restart of the gateway goes on from, as JSON."""

    def restore(self, kept: Any) -> None:
        """Take up what `kept` gave."""


class GatewayKeeper:
    """The Client Portal Gateway's way: a person has logged in, callers are known by their address.

    Args:
        allowed: Networks that may call, such as `127.0.0.0/8`.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = [ip_network(text) for text in allowed]
        self.logged_in: Callable[[int], None] = lambda _: None

    def endpoint(self, request: Request, now_ns: int) -> Answer | None:  # noqa: ARG002
        """There is none."""
        return None

    def refuses(self, request: Request, now_ns: int) -> Answer | None:  # noqa: ARG002
        """Refuse strangers, in words for a browser."""
        peer = ip_address(request.peer or "127.0.0.1")
        if any(peer in network for network in self._allowed):
            return None
        return Answer(status=403, text="<html><body><h1>Access Denied</h1></body></html>")

    def refuses_socket(self, request: Request, now_ns: int) -> Answer | None:
        """As any request."""
        return self.refuses(request, now_ns)

    def kept(self) -> Any:
        """Nothing."""
        return None

    def restore(self, kept: Any) -> None:
        """Nothing."""
