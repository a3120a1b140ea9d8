"""Alerts as the venue keeps them."""

from __future__ import annotations

from typing import Annotated

from engine.webapi import values
from engine.webapi.facts.wire import Fact, wire


class AlertRow(Fact, frozen=True, kw_only=True):
    """An alert in the list."""

    alert_id: Annotated[int, wire("order_id", "alert_id")]
    account: str = ""
    name: Annotated[str, wire("alert_name")] = ""
    active: Annotated[bool | None, wire("alert_active")] = None
    triggered: Annotated[bool | None, wire("alert_triggered")] = None
    repeats: Annotated[bool | None, wire("alert_repeatable")] = None
    ordered_ns: Annotated[int | None, wire("order_time", read=values.stamp_ns)] = None


class AlertCondition(Fact, frozen=True, kw_only=True):
    """One condition; `bind` is "a" (and), "o" (or), "n" (end), or as the venue prints it back."""

    type: Annotated[int | None, wire("condition_type")] = None
    conidex: str = ""
    description: Annotated[str, wire("contract_description_1")] = ""
    operator: Annotated[str, wire("condition_operator")] = ""
    value: Annotated[str, wire("condition_value")] = ""
    trigger: Annotated[str, wire("condition_trigger_method")] = ""
    bind: Annotated[str, wire("condition_logic_bind")] = ""
    zone: Annotated[str, wire("condition_time_zone")] = ""


class AlertDetail(Fact, frozen=True, kw_only=True):
    """One alert in full (also the Mobile Trading Assistant's)."""

    alert_id: Annotated[int, wire("order_id", "alert_id")]
    account: str = ""
    name: Annotated[str, wire("alertName", "alert_name")] = ""
    message: Annotated[str, wire("alert_message")] = ""
    active: Annotated[bool | None, wire("alert_active")] = None
    triggered: Annotated[bool | None, wire("alert_triggered")] = None
    repeats: Annotated[bool | None, wire("alert_repeatable")] = None
    tif: str = ""
    expires: Annotated[str, wire("expire_time")] = ""
    status: Annotated[str, wire("order_status")] = ""
    outside_rth: Annotated[bool | None, wire("condition_outside_rth")] = None
    email: Annotated[str, wire("alert_email")] = ""
    tool_id: int | None = None
    conditions: tuple[AlertCondition, ...] = ()


class AlertAnswer(Fact, frozen=True, kw_only=True):
    """Answer to a change; `alert_id` is the new number where one was made."""

    success: bool
    alert_id: Annotated[int | None, wire("order_id")] = None
    text: str = ""
    status: Annotated[str, wire("order_status")] = ""
    warning: Annotated[str, wire("warning_message")] = ""
