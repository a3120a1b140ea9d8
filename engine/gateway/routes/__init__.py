"""All paths of the Web API: every module here exports `ROUTES`, and this one joins them."""

from __future__ import annotations

from typing import Final

from engine.gateway.calls import Route

ALL_ROUTES: Final[tuple[Route, ...]] = ()
