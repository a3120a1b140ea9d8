"""A doctor's visit to the gateway: reads and one tickle, and what the answers say of TLS, clock, session and data."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from engine.daemon.config import Mode, RunSettings, is_direct
from engine.daemon.findings import Finding, Verdict, fail, ok, warn
from engine.errors import ConfigError
from engine.webapi import tls
from engine.webapi.budgets import DIRECT_PER_S, GATEWAY_PER_S
from engine.webapi.codecs import accounts as account_codec
from engine.webapi.codecs import market as market_codec
from engine.webapi.codecs import session as session_codec
from engine.webapi.facts.wire import Unreadable

LINES_MAX: Final = 100  # market data lines of a plain subscription; IBKR, "Market Data Lines"
ANSWER_S: Final = 10.0
BETWEEN_S: Final = 0.3  # between two requests: far below anybody's budget
COLD_S: Final = 1.2  # the first snapshot of an instrument only opens its line
_TIMELINE: Final = {
    "R": ("ok", "real time"),
    "D": ("warn", "delayed"),
    "Z": ("warn", "frozen"),
    "Y": ("warn", "frozen and delayed"),
    "N": ("fail", "not subscribed"),
}


class Visit:
    """A few requests to the gateway, one after the other, and what their answers say."""

    def __init__(
        self,
        settings: RunSettings,
        url: str,
        ca: Path | None,
        pinned: Path | None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._url = url
        self._trust = ca, pinned
        self._transport = transport
        self._paced = 0

    def findings(self) -> Iterator[Finding]:
        """All there is to say, until something makes the rest pointless."""
        if self._settings.gateway.auth != "gateway":
            mend = "engine doctor looks through a gateway; try the keys with engine run --mode paper"
            yield warn("session", f"it is opened with {self._settings.gateway.auth}, which is not looked at", mend)
            return
        ca, pinned = self._trust
        secure = self._url.startswith("https")
        try:
            verify: ssl.SSLContext | bool = tls.context(self._url, ca=ca, pinned=pinned) if secure else False
        except ConfigError as error:
            yield fail("tls", str(error), "mend the path in [gateway]: a certificate in PEM form")
            return
        with httpx.Client(base_url=self._url, verify=verify, timeout=ANSWER_S, transport=self._transport) as client:
            try:
                first = self._ask(client, "POST", "/tickle")
            except httpx.HTTPError as error:
                yield self._unreachable(error)
                return
            yield ok("gateway", f"{self._url} answers")
            yield (
                ok("tls", "its certificate is trusted")
                if secure
                else warn(
                    "tls", "plain http on this machine", "let the gateway listen with TLS (its conf.yaml: listenSsl)"
                )
            )
            try:
                yield from self._clock(client, first)
                yield from self._session(client, first)
            except httpx.HTTPError as error:
                yield fail("gateway", f"it stopped answering: {error}", "look at the gateway's own log")
            yield self._pacing()

    def _ask(self, client: httpx.Client, method: str, path: str, **query: str) -> httpx.Response:
        time.sleep(BETWEEN_S if self._transport is None else 0)
        answer = client.request(method, path, params=query, headers={"Content-Length": "0"} if method == "POST" else {})
        self._paced += answer.status_code == 429
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> Finding:
        place = urlsplit(self._url)
        host = f"{place.hostname}:{place.port or (443 if place.scheme == 'https' else 80)}"
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
            why = text.rsplit("certificate verify failed:", 1)[-1].split("(_ssl")[0].strip()
            mend = (
                f"openssl s_client -connect {host} </dev/null | openssl x509 > gateway.pem, compare its fingerprint "
                'with the gateway\'s own, then [gateway] pinned = "gateway.pem" (or ca = its authority)'
            )
            return fail("tls", f"the certificate of {host} is not trusted: {why}", mend)
        mend = "start the gateway (IBKR's: bin/run.sh root/conf.yaml), and look at host and port in [gateway] url"
        return fail("gateway", f"{host} does not answer: {text or type(error).__name__}", mend)

    # --- clock ----------------------------------------------------------------------------------------------------

    def _clock(self, client: httpx.Client, first: httpx.Response) -> Iterator[Finding]:
        if self._settings.mode is Mode.SIM:
            told = client.get(f"{self._url.split('/v1/', 1)[0]}/sim/clock")
            if told.status_code == 200:
                body = told.json()
                now = datetime.fromtimestamp(int(body["clock_ms"]) / 1000, UTC)
                yield ok("clock", f"the simulated gateway's: {now:%Y-%m-%d %H:%M} UTC, {float(body['rate']):g} times")
            else:
                mend = "this is no simulated gateway: say mode = paper, or start engine gateway"
                yield fail("clock", "the mode is sim, and nobody answers for the simulated clock", mend)
            return
        stamp = first.headers.get("date")
        if stamp is None:
            yield warn("clock", "the gateway does not tell the time", "compare with: timedatectl timesync-status")
            return
        yield skew(parsedate_to_datetime(stamp).timestamp(), time.time())

    # --- session, account, data -------------------------------------------------------------------------------------

    def _session(self, client: httpx.Client, first: httpx.Response) -> Iterator[Finding]:
        tickle = session_codec.tickle(first.content) if first.status_code == 200 else None
        root = self._url.split("/v1/", 1)[0]
        if tickle is None or isinstance(tickle, Unreadable):
            yield fail("login", f"nobody is logged in (HTTP status {first.status_code})", f"log in at {root}")
            return
        left = tickle.sso_left_ms
        yield ok("login", "somebody is logged in" + (f", for another {left // 60_000} min" if left else ""))
        answer = self._ask(client, "POST", "/iserver/auth/status")
        status = session_codec.auth_status(answer.content)
        if isinstance(status, Unreadable) or answer.status_code != 200:
            yield fail("brokerage", f"its state can't be read (HTTP status {answer.status_code})", f"log in at {root}")
            return
        if status.competing:
            mend = 'end the other session (TWS, mobile), or [session] competing = "steal"'
            yield fail("brokerage", "another session of the user holds it", mend)
            return
        if not status.usable:
            yield warn("brokerage", status.fail or status.message or "not open", "engine run opens it by itself")
            return
        yield ok("brokerage", "open, and nobody competes")
        yield from self._account(client)
        yield from self._entitlements(client)

    def _account(self, client: httpx.Client) -> Iterator[Finding]:
        answer = self._ask(client, "GET", "/iserver/accounts")
        known = account_codec.accounts(answer.content)
        wanted, mode = self._settings.base.account.id, self._settings.mode
        if isinstance(known, Unreadable) or answer.status_code != 200:
            yield fail("account", f"can't be read (HTTP status {answer.status_code})", "look at the gateway's own log")
        elif wanted not in known.accounts:
            mend = "mend [account] id, or log in as the user who has it"
            yield fail("account", f"{wanted} is none of this login's ({', '.join(known.accounts)})", mend)
        elif mode is Mode.LIVE and known.paper is not False:
            said = "is a paper account" if known.paper else "does not say whether it is paper"
            yield fail(
                "account", f"the mode is live, and {wanted} {said}", "log in to the live account, or mode = paper"
            )
        elif mode is not Mode.LIVE and known.paper is False:
            mend = "log in to the paper account; engine run refuses this"
            yield fail("account", f"the mode is {mode}, and {wanted} is a live account", mend)
        else:
            yield ok("account", f"{wanted}, {'live' if known.paper is False else 'paper'}, as mode {mode} wants it")

    def _entitlements(self, client: httpx.Client) -> Iterator[Finding]:
        plain = [one for one in self._settings.instruments.values() if not one.legs]
        if len(plain) > LINES_MAX:
            mend = "trade fewer, or buy Quote Booster packs"
            yield warn("data", f"{len(plain)} instruments, and a plain subscription has {LINES_MAX} lines", mend)
        plain = plain[:LINES_MAX]
        conids = ",".join(str(one.conid) for one in plain)
        told: dict[int, str] = {}
        for _ in range(2):
            answer = self._ask(client, "GET", "/iserver/marketdata/snapshot", conids=conids, fields="31,6509")
            rows = market_codec.snapshot(answer.content)
            if answer.status_code == 200 and not isinstance(rows, Unreadable):
                told.update({row.conid: row.availability for row in rows})
            if all(told.get(one.conid) for one in plain):
                break
            time.sleep(COLD_S if self._transport is None else 0)
        for one in plain:
            yield entitlement(one.symbol, told.get(one.conid, ""))

    def _pacing(self) -> Finding:
        per_s = DIRECT_PER_S if is_direct(self._settings) else GATEWAY_PER_S
        if self._paced:
            mend = "wait 15 minutes with everything off that uses this address: more requests prolong it"
            return fail("pacing", f"the gateway turned away {self._paced} of a few requests (429)", mend)
        return ok("pacing", f"{per_s} requests a second, and none of ours was turned away")


def skew(theirs_s: float, ours_s: float) -> Finding:
    """Our clock against the gateway's, which tells whole seconds."""
    off = ours_s - theirs_s
    seen = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the gateway's"
    mend = "let the system keep time: timedatectl set-ntp true"
    if abs(off) <= 2:
        return ok("clock", "agrees with the gateway's")
    return warn("clock", seen, mend) if abs(off) <= 30 else fail("clock", seen, mend)


def entitlement(symbol: str, letters: str) -> Finding:
    """What field 6509 says of an instrument's data: its first letter is the timeline."""
    known = _TIMELINE.get(letters[:1])
    if known is None:
        mend = "outside market hours that is usual; else look at Settings, Market Data Subscriptions"
        return warn(f"data {symbol}", "the venue does not say whether it is real time", mend)
    verdict, words = known
    if verdict == "ok":
        return ok(f"data {symbol}", words)
    mend = "subscribe in Client Portal (Settings, Market Data Subscriptions); paper shares the live user's by a setting"
    return Finding(f"data {symbol}", Verdict(verdict), f"{words}: orders on it are refused or late", mend)
