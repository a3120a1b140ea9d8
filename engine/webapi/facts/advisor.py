"""Allocation groups, presets and models of advisors."""

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
    request_id: Annotated[int | None, wire("reqID")] = None
    text: Annotated[str, wire("error")] = ""


class Presets(Fact, frozen=True, kw_only=True):
    """How group orders behave by default."""

    method: Annotated[str, wire("default_method_for_all")] = ""
    group_auto_close: Annotated[bool | None, wire("group_auto_close_positions")] = None
    group_proportional: Annotated[bool | None, wire("group_proportional_allocation")] = None
    profiles_auto_close: Annotated[bool | None, wire("profiles_auto_close_positions")] = None
    strict_credit_check: bool | None = None


class ModelHead(Fact, frozen=True, kw_only=True):
    """A model portfolio."""

    name: Annotated[str, wire("model")]
    description: Annotated[str, wire("desc")] = ""
    net_liquidation: Annotated[Decimal | None, wire("nlv")] = None
    accounts: Annotated[int | None, wire("numAccounts")] = None
    static: Annotated[bool | None, wire("isStatic")] = None
    mismatch: bool | None = None


class Models(Fact, frozen=True, kw_only=True):
    """All model portfolios."""

    models: tuple[ModelHead, ...]
    currency: Annotated[str, wire("baseCcy")] = ""
    master: Annotated[str, wire("masterAccount")] = ""
