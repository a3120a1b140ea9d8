"""Session endpoints."""

from __future__ import annotations

from engine.webapi.calls import Kind, Urgency
from engine.webapi.codecs import orders as texts
from engine.webapi.codecs import session as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.orders import Submitted
from engine.webapi.facts.session import AuthStatus, LoggedOut, SsoSession, Tickle


class Session(Group):
    """Keeping the two tiers of a session alive."""

    async def tickle(self, *, deadline_ns: int | None = None) -> Tickle:
        """Keep the session alive; brings the websocket's session id and the authentication state."""
        call = build("POST", "/tickle", Kind.IDEMPOTENT, Urgency.ACCOUNT)
        return await self._ask(call, codec.tickle, deadline_ns=deadline_ns)

    async def status(self, *, deadline_ns: int | None = None) -> AuthStatus:
        """Ask how the brokerage session stands."""
        call = build("POST", "/iserver/auth/status", Kind.READ, Urgency.ACCOUNT)
        return await self._ask(call, codec.auth_status, deadline_ns=deadline_ns)

    async def init(self, *, compete: bool, deadline_ns: int | None = None) -> AuthStatus:
        """Open the brokerage session. An answer with `authenticated` false is a failure, whatever its HTTP status."""
        body = {"publish": True, "compete": compete}
        call = build("POST", "/iserver/auth/ssodh/init", Kind.IDEMPOTENT, Urgency.ACCOUNT, body=body)
        return await self._ask(call, codec.auth_status, deadline_ns=deadline_ns)

    async def logout(self) -> LoggedOut:
        """End both tiers; the next start needs a login."""
        return await self._ask(build("POST", "/logout", Kind.IDEMPOTENT, Urgency.ACCOUNT), codec.logged_out)

    async def sso(self) -> SsoSession:
        """Read the single sign-on's clock (gateway and OAuth 2.0; once a minute)."""
        return await self._ask(build("GET", "/sso/validate", Kind.READ, Urgency.ACCOUNT), codec.sso_session)

    async def reauthenticate(self) -> Submitted:
        """Ask for the old way of re-authentication; deprecated, `init` is to be preferred."""
        call = build("POST", "/iserver/reauthenticate", Kind.IDEMPOTENT, Urgency.ACCOUNT)
        return await self._ask(call, texts.submitted)
