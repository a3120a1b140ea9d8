"""Notifications; each path allowed once a second."""

from __future__ import annotations

from collections.abc import Sequence

from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import people as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.fyi import Delivery, Disclaimer, FyiDone, FyiSetting, Notification, Unread


def _read(template: str, query: dict[str, object] | None = None, **params: object) -> Call:
    return build("GET", template, Kind.READ, Urgency.SCANNER, params=params, query=query)


def _write(
    method: str,
    template: str,
    body: object = None,
    query: dict[str, object] | None = None,
    **params: object,
) -> Call:
    return build(method, template, Kind.OTHER_WRITE, Urgency.SCANNER, params=params, query=query, body=body)


class Fyi(Group):
    """Notifications, their kinds, and where they go."""

    async def unread(self) -> Unread:
        """Count unread notifications."""
        return await self._ask(_read("/fyi/unreadnumber"), codec.unread)

    async def notifications(
        self, *, most: int = 10, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> tuple[Notification, ...]:
        """List recent notifications, newest first, of the kinds included or without those excluded."""
        query: dict[str, object] = {"max": most, "include": include or None, "exclude": exclude or None}
        return await self._ask(_read("/fyi/notifications", query), codec.notifications)

    async def more(self, last_id: str) -> tuple[Notification, ...]:
        """List the notifications after the last one known."""
        return await self._ask(_read("/fyi/notifications/more", {"id": last_id}), codec.notifications)

    async def mark_read(self, notification_id: str) -> FyiDone:
        """Mark one notification as read."""
        call = _write("PUT", "/fyi/notifications/{notificationID}", notificationID=notification_id)
        return await self._ask(call, codec.fyi_done)

    async def settings(self) -> tuple[FyiSetting, ...]:
        """List the kinds of notifications."""
        return await self._ask(_read("/fyi/settings"), codec.settings)

    async def set_enabled(self, code: str, *, enabled: bool) -> FyiDone:
        """Switch a kind of notification on or off."""
        call = _write("POST", "/fyi/settings/{typecode}", {"enabled": enabled}, typecode=code)
        return await self._ask(call, codec.fyi_done)

    async def disclaimer(self, code: str) -> Disclaimer:
        """Read the disclaimer of a kind."""
        return await self._ask(_read("/fyi/disclaimer/{typecode}", typecode=code), codec.disclaimer)

    async def accept_disclaimer(self, code: str) -> FyiDone:
        """Accept the disclaimer of a kind."""
        return await self._ask(_write("PUT", "/fyi/disclaimer/{typecode}", typecode=code), codec.fyi_done)

    async def delivery(self) -> Delivery:
        """Read where notifications go."""
        return await self._ask(_read("/fyi/deliveryoptions"), codec.delivery)

    async def set_email(self, *, enabled: bool) -> FyiDone:
        """Switch delivery by e-mail on or off."""
        call = _write("PUT", "/fyi/deliveryoptions/email", query={"enabled": enabled})
        return await self._ask(call, codec.fyi_done)

    async def set_device(self, *, device_id: str, name: str, shown_as: str, enabled: bool) -> FyiDone:
        """Add a device, or switch it on or off."""
        body = {"deviceName": name, "deviceId": device_id, "uiName": shown_as, "enabled": enabled}
        return await self._ask(_write("POST", "/fyi/deliveryoptions/device", body), codec.fyi_done)

    async def delete_device(self, device_id: str) -> FyiDone:
        """Take a device away."""
        call = _write("DELETE", "/fyi/deliveryoptions/{deviceId}", deviceId=device_id)
        return await self._ask(call, codec.fyi_done)
