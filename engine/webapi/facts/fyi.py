"""Notifications (FYI), their settings and how they are delivered."""

from __future__ import annotations

from typing import Annotated

from engine.webapi import values
from engine.webapi.facts.wire import Fact, wire


class Unread(Fact, frozen=True, kw_only=True):
    """How many notifications are unread."""

    count: Annotated[int, wire("BN")]


class Notification(Fact, frozen=True, kw_only=True):
    """One notification; `text` holds HTML and must be escaped before it is shown."""

    id: Annotated[str, wire("ID", read=values.identifier)]
    read: Annotated[bool | None, wire("R")] = None
    title: Annotated[str, wire("MS")] = ""
    text: Annotated[str, wire("MD")] = ""
    code: Annotated[str, wire("FC")] = ""
    told_ns: Annotated[int | None, wire("D", read=values.epoch_ns)] = None


class FyiSetting(Fact, frozen=True, kw_only=True):
    """One kind of notification: `active` if it is sent, `accepted` if its disclaimer was."""

    code: Annotated[str, wire("FC")]
    name: Annotated[str, wire("FN")] = ""
    description: Annotated[str, wire("FD")] = ""
    accepted: Annotated[bool | None, wire("H")] = None
    active: Annotated[bool | None, wire("A")] = None


class Disclaimer(Fact, frozen=True, kw_only=True):
    """The text to be accepted before a kind of notification is shown."""

    code: Annotated[str, wire("FC")] = ""
    text: Annotated[str, wire("DT")]


class Device(Fact, frozen=True, kw_only=True):
    """A device that notifications go to."""

    id: Annotated[str, wire("I", read=values.identifier)]
    name: Annotated[str, wire("NM")] = ""
    shown_as: Annotated[str, wire("UI")] = ""
    active: Annotated[bool | None, wire("A")] = None


class Delivery(Fact, frozen=True, kw_only=True):
    """Where notifications go: by e-mail, and to which devices."""

    email: Annotated[bool | None, wire("M")] = None
    devices: Annotated[tuple[Device, ...], wire("E")] = ()


class MarkedItem(Fact, frozen=True, kw_only=True):
    """The notification that was marked."""

    id: Annotated[str, wire("ID")] = ""
    read: Annotated[bool | None, wire("R")] = None


class FyiDone(Fact, frozen=True, kw_only=True):
    """Answer to a change; `version` and `took_ms` say nothing about its success beyond that there is an answer."""

    version: Annotated[int | None, wire("V")] = None
    took_ms: Annotated[int | None, wire("T")] = None
    item: Annotated[MarkedItem | None, wire("P")] = None
