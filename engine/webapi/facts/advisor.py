"""Allocation groups and presets of advisors."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from engine.webapi.facts.wire import Fact, wire


class AccountFigure(Fact, frozen=True, kw_only=True):
    """One figure of an account that can be allocated to, as printed."""

    key: str
    value: str = ""


class AllocatableAccount(Fact, frozen=True, kw_only=True):
    """An account that orders can be spread to."""

    name: str
    figures: Annotated[tuple[AccountFigure, ...], wire("data")] = ()


class GroupHead(Fact, frozen=True, kw_only=True):
    """A group in the list."""

    name: str
    method: Annotated[str, wire("allocation_method")] = ""
    size: int | None = None


class GroupMember(Fact, frozen=True, kw_only=True):
    """An account of a group; `amount` where the method needs one."""

    name: str
    amount: Decimal | None = None


class Group(Fact, frozen=True, kw_only=True):
    """One group. Methods: A available equity, E equal, N net liquidation, C cash, P percent, R ratio, S shares."""

    name: str
    method: Annotated[str, wire("default_method")] = ""
    accounts: tuple[GroupMember, ...] = ()


class AdvisorDone(Fact, frozen=True, kw_only=True):
    """Answer to a change."""

    success: bool | None = None


class Presets(Fact, frozen=True, kw_only=True):
    """How group orders behave by default."""

    method: Annotated[str, wire("default_method_for_all")] = ""
    group_auto_close: Annotated[bool | None, wire("group_auto_close_positions")] = None
    group_proportional: Annotated[bool | None, wire("group_proportional_allocation")] = None
    profiles_auto_close: Annotated[bool | None, wire("profiles_auto_close_positions")] = None
    strict_credit_check: bool | None = None
