"""Session answers. Excerpts of these bodies are left out: they hold the websocket's session id."""

from __future__ import annotations

from engine.webapi import values
from engine.webapi.codecs import reading
from engine.webapi.facts.session import AuthStatus, LoggedOut, SsoSession, Tickle
from engine.webapi.facts.wire import Unreadable


def _bare(got: Unreadable) -> Unreadable:
    return Unreadable(reason=got.reason)


def auth_status_of(value: object) -> AuthStatus | Unreadable:
    """Read an authentication state from parsed JSON (`auth/status`, `ssodh/init`, a tickle, the args of `sts`)."""
    got = reading.fact(AuthStatus, value)
    return _bare(got) if isinstance(got, Unreadable) else got


def auth_status(body: bytes) -> AuthStatus | Unreadable:
    """POST /iserver/auth/status and /iserver/auth/ssodh/init: needs at least one of the flags to be there."""
    value = reading.parse(body)
    got = auth_status_of(value) if not isinstance(value, Unreadable) else _bare(value)
    if isinstance(got, AuthStatus) and got.authenticated is None and got.connected is None and not got.fail:
        return Unreadable(reason="AuthStatus: no authenticated")
    return got


def tickle(body: bytes) -> Tickle | Unreadable:
    """POST /tickle. The failure form {"error": ...} is no tickle: the endpoint raises it as a refusal."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return _bare(value)
    if not isinstance(value, dict):
        return Unreadable(reason="Tickle: not an object")
    iserver, hmds = value.get("iserver"), value.get("hmds")
    status = auth_status_of(iserver.get("authStatus")) if isinstance(iserver, dict) else None
    session = values.identifier(value.get("session")) or ""
    if not session and not isinstance(status, AuthStatus):
        return Unreadable(reason="Tickle: neither session nor authStatus")
    return Tickle(
        session=session,
        status=status if isinstance(status, AuthStatus) else None,
        history_error=(values.text(hmds.get("error")) or "") if isinstance(hmds, dict) else "",
        sso_left_ms=values.integer(value.get("ssoExpires")),
        collision=values.flag(value.get("collission", value.get("collision"))),
        user_id=values.integer(value.get("userId")),
    )


def sso_session(body: bytes) -> SsoSession | Unreadable:
    """GET /sso/validate."""
    got = reading.one(SsoSession)(body)
    if isinstance(got, SsoSession) and got.valid is None and got.expires_ms is None:
        return Unreadable(reason="SsoSession: no RESULT")
    return _bare(got) if isinstance(got, Unreadable) else got


logged_out = reading.one(LoggedOut)
