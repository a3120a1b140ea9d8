"""The Client Portal Gateway: a person has logged in with a browser, and the gateway signs for us."""

from __future__ import annotations

from engine.webapi.auth import Asker, Handshake


class GatewayLogin:
    """Nothing to prove; fulfils `Authenticator`."""

    logs_in = False

    def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:  # noqa: ARG002
        """Return nothing: the gateway goes by our address and its cookies."""
        return {}

    async def login(self, ask: Asker) -> int | None:  # noqa: ARG002
        """Do nothing: a person logs in."""
        return None

    def websocket(self, session: str) -> Handshake:
        """Return the cookie with the bare session id."""
        return Handshake(headers=(("Cookie", f"api={session}"),))
