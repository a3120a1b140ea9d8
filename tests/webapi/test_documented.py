"""The page on the Web API names every method of the client, with what it really sends."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import VenueError
from engine.gateway.logins import ROUTES
from engine.gateway.routes import ALL_ROUTES
from engine.webapi.stream.frames import TOPICS
from tests.webapi.everything import EVERY, Client
from tests.webapi.made import Handed, replied

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webapi.md").read_text(encoding="utf-8")
ROWS = {
    found[3]: (found[1], found[2], found[4])
    for found in re.finditer(
        r"^\| ([A-Z]+) \| `([^`]+)` \| `([^`]+)` \| (read|idempotent|[a-z]+ write) \|", PAGE, re.MULTILINE
    )
}
# Methods that read every page of another one.
PAGED = {"portfolio.positions": "portfolio.positions_page", "portfolio.all_subaccounts": "portfolio.subaccounts_page"}


def test_the_page_names_every_method_and_no_other() -> None:
    assert ROWS.keys() | PAGED.keys() == EVERY.keys()


@pytest.mark.parametrize("name", EVERY)
async def test_the_page_says_what_a_method_sends(name: str) -> None:
    handed = Handed(lambda _call: replied({}))
    with suppress(VenueError):
        await EVERY[name](Client(handed))
    call = handed.calls[0]
    assert ROWS[PAGED.get(name, name)] == (call.method, call.template, call.kind.value)


def unnamed(template: str) -> str:
    """A path with one sign for every id: their names are a matter of taste."""
    return re.sub(r"\{\w+\}", "{}", template)


def test_the_page_names_every_handler_of_the_gateway() -> None:
    cells = r"^\| ([A-Z]+) \| `(/[^`]+)` \| (?:`[^`]+` \| [a-z ]+ \| )?`([a-z_]+\.[a-z_]+)` \|"
    page = {(found[1], unnamed(found[2])): found[3] for found in re.finditer(cells, PAGE, re.MULTILINE)}
    served = {
        (method, unnamed(route.template)): f"{route.handler.__module__.rpartition('.')[2]}."
        f"{route.handler.__name__.lstrip('_')}"
        for route in (*ROUTES, *ALL_ROUTES)
        for method in route.methods
    }
    assert page == served
    assert {(method, unnamed(path)) for method, path, _ in ROWS.values()} <= served.keys()


def test_the_page_names_every_topic() -> None:
    assert set(re.findall(r"^\| `([a-z]{3,6})` \| ", PAGE, re.MULTILINE)) == set(TOPICS)
