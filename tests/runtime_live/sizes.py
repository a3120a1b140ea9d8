"""How much the parts of a thing hold: entries of every container that can be reached from it, by where it lies."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Set
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

_PLAIN = (str, bytes, int, float, Enum, type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


def sizes(**roots: Any) -> Counter[str]:
    """Entries by path; what lies in a container is summed under its own path with `[]`."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = deque(roots.items())  # breadth first: what lies in many places counts in the nearest
    while waiting:
        path, one = waiting.popleft()
        if one is None or isinstance(one, _PLAIN) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            found[path] += len(one)
            waiting += ((f"{path}[]", value) for value in one.values())
        elif isinstance(one, Set | list | deque | tuple):
            found[path] += len(one)
            waiting += ((f"{path}[]", value) for value in one)
        else:
            waiting += ((f"{path}.{name}", value) for name, value in _parts(one))
    return found


def _parts(one: Any) -> Iterator[tuple[str, Any]]:
    names = {name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())}
    for name in sorted({*names, *getattr(one, "__dict__", ())} - {"__weakref__", "__dict__"}):
        if hasattr(one, name):
            yield name, getattr(one, name)
