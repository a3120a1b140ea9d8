"""All paths of the Web API: every module here exports `ROUTES`, and this one joins them."""

from __future__ import annotations

from typing import Final

from engine.gateway.calls import Route
from engine.gateway.routes import (
    accounts,
    advisor,
    alerts,
    contracts,
    discovery,
    forecast,
    fyi,
    history,
    marketdata,
    order_reads,
    orders,
    performance,
    portfolio,
    positions,
    preview,
    scanner,
    watchlists,
)

ALL_ROUTES: Final[tuple[Route, ...]] = (
    *accounts.ROUTES,
    *advisor.ROUTES,
    *alerts.ROUTES,
    *contracts.ROUTES,
    *discovery.ROUTES,
    *forecast.ROUTES,
    *fyi.ROUTES,
    *history.ROUTES,
    *marketdata.ROUTES,
    *order_reads.ROUTES,
    *orders.ROUTES,
    *performance.ROUTES,
    *portfolio.ROUTES,
    *positions.ROUTES,
    *preview.ROUTES,
    *scanner.ROUTES,
    *watchlists.ROUTES,
)
