"""What people keep at the venue: alerts, notifications, watchlists, advisors' groups."""

from __future__ import annotations

from engine.webapi.codecs import reading
from engine.webapi.facts.advisor import AdvisorDone, AllocatableAccount, Group, GroupHead, Presets
from engine.webapi.facts.alerts import AlertAnswer, AlertDetail, AlertRow
from engine.webapi.facts.fyi import Delivery, Disclaimer, FyiDone, FyiSetting, Notification, Unread
from engine.webapi.facts.watchlists import Watchlist, WatchlistGone, WatchlistHead
from engine.webapi.facts.wire import Unreadable

alerts = reading.many(AlertRow)
alert = reading.one(AlertDetail)
alert_answer = reading.one(AlertAnswer)

unread = reading.one(Unread)
notifications = reading.many(Notification)
settings = reading.many(FyiSetting)
disclaimer = reading.one(Disclaimer)
delivery = reading.one(Delivery)

watchlists = reading.many(WatchlistHead, "data", "user_lists")
watchlist = reading.one(Watchlist)

allocatable = reading.many(AllocatableAccount, "accounts")
groups = reading.many(GroupHead, "data")
group = reading.one(Group)
advisor_done = reading.one(AdvisorDone)
presets = reading.one(Presets)


def fyi_done(body: bytes) -> FyiDone | Unreadable:
    """Read the answer to a change of notifications; taking a device away answers with an empty body."""
    if body.strip() in (b"", b'""', b"null"):
        return FyiDone()
    return reading.one(FyiDone)(body)


def watchlist_gone(body: bytes) -> WatchlistGone | Unreadable:
    """DELETE /iserver/watchlist."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    return reading.fact(WatchlistGone, value.get("data") if isinstance(value, dict) else value)
