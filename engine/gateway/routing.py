"""The one routing table: a path of the Web API to its row, with the path's ids.

A tree over segments; a literal segment goes before a name in braces, so `/iserver/account/orders` is never taken for an
account called "orders".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from engine.gateway.calls import Route

PREFIXES: Final = ("/v1/api", "/v1/portal")
# IBKR's text names four paths otherwise than its reference does; whoever copies them from there is served as well.
_ALSO: Final = {
    "iserver/trades": "iserver/account/trades",
    "iserver/orders": "iserver/account/orders",
    "iserver/secdef/rules": "iserver/contract/rules",
    "trsv/secdef": "trsrv/secdef",
}


class _Node:
    __slots__ = ("literals", "names", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.names: _Node | None = None
        self.routes: list[tuple[Route, tuple[str, ...]]] = []


class Table:
    """Routes by path; templates lie below the base path. Of two rows with the same method and shape the first counts.

    A path id may begin with a colon, as the official examples write it (`/:accountId`).
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.template.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.names = node.names or _Node()
                node = node.names
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes.append((route, tuple(names)))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | int:
        """Look up a path below the base, as it came (still percent-encoded).

        Returns: the row and the path's ids; or 404 for a path that is not there, 405 for one without this method.
        """
        path = path.strip("/")
        segments = _ALSO.get(path, path).split("/")
        wrong_method = False
        for node, values in self._walk(self._root, segments, 0):
            for route, names in node.routes:
                if method in route.methods:
                    return route, dict(zip(names, map(_clean, values), strict=True))
                wrong_method = True
        return 405 if wrong_method else 404

    def _walk(self, node: _Node, segments: list[str], at: int) -> list[tuple[_Node, list[str]]]:
        if at == len(segments):
            return [(node, [])] if node.routes else []
        found = []
        literal = node.literals.get(segments[at])
        if literal is not None:
            found += self._walk(literal, segments, at + 1)
        if node.names is not None and segments[at]:
            found += [(end, [segments[at], *values]) for end, values in self._walk(node.names, segments, at + 1)]
        return found


def _clean(value: str) -> str:
    return unquote(value).removeprefix(":")


def below_base(path: str) -> str | None:
    """Cut the base path off; None for a path that is not below it."""
    for prefix in PREFIXES:
        if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
            return path[len(prefix) :] or "/"
    return None
