"""What the session endpoints tell: authentication state, the tickle, the single sign-on clock."""

from __future__ import annotations

from typing import Annotated

from engine.webapi import values
from engine.webapi.facts.wire import Fact, wire


class ServerInfo(Fact, frozen=True, kw_only=True):
    """The brokerage server behind the session."""

    name: Annotated[str, wire("serverName")] = ""
    version: Annotated[str, wire("serverVersion")] = ""


class AuthStatus(Fact, frozen=True, kw_only=True):
    """State of the brokerage session; flags are three-valued: None where the answer (or `sts` frame) left one out."""

    authenticated: bool | None = None
    connected: bool | None = None
    established: bool | None = None
    competing: bool | None = None
    message: str = ""
    fail: str = ""
    server: Annotated[ServerInfo | None, wire("serverInfo")] = None

    @property
    def usable(self) -> bool:
        """Whether orders may go out: authenticated, nobody competing, and established where the server says so."""
        return self.authenticated is True and self.established is not False and self.competing is not True


class Tickle(Fact, frozen=True, kw_only=True):
    """A tickle's answer. `session` opens the websocket and is a secret: it stays out of `repr`."""

    session: str = ""
    status: AuthStatus | None = None
    history_error: str = ""  # "no bridge" is normal on a healthy session
    sso_left_ms: int | None = None
    collision: bool | None = None
    user_id: int | None = None

    def __repr__(self) -> str:
        return f"Tickle(session={'***' if self.session else ''!r}, status={self.status!r})"


class SsoSession(Fact, frozen=True, kw_only=True):
    """The single sign-on's own clock. `expires_ms` is what is left of it in milliseconds, 0 when the login is over."""

    valid: Annotated[bool | None, wire("RESULT")] = None
    user_id: Annotated[int | None, wire("USER_ID")] = None
    user_name: Annotated[str, wire("USER_NAME")] = ""
    paper_user_name: Annotated[str, wire("PAPER_USER_NAME")] = ""
    expires_ms: Annotated[int | None, wire("EXPIRES")] = None
    authenticated_ns: Annotated[int | None, wire("AUTH_TIME", read=values.epoch_ns)] = None
    login_type: Annotated[int | None, wire("LOGIN_TYPE", "loginType")] = None
    region: str = ""

    @property
    def paper(self) -> bool | None:
        """Whether a paper login is behind it; None where that can't be read."""
        return {1: False, 2: True}.get(self.login_type or 0)


class LoggedOut(Fact, frozen=True, kw_only=True):
    """Answer to a logout."""

    status: Annotated[bool | None, wire("status", "confirmed")] = None
