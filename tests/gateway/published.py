"""IBKR's published OpenAPI document as a yardstick for answers; skips where it is absent.

The document forbids null nearly everywhere although nulls are usual, so null passes. Where it wants exactly one of
several shapes, its shapes overlap and a right answer fits several: one at least has to fit. Everything else that an
answer has and the document does not allow is named by its place, without positions in lists.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator, ValidationError

FILE: Final = Path(__file__).parents[3] / "shared" / "openapi" / "ibkr-webapi-2.29.0.json.gz"


@cache
def _document() -> Any:
    if not FILE.exists():
        pytest.skip("IBKR's published document is not here")
    return json.loads(gzip.decompress(FILE.read_bytes()))


def _resolved(part: Any, depth: int = 0) -> Any:
    """The part with its references replaced; one that leads nowhere, or too deep, allows anything."""
    if isinstance(part, list):
        return [_resolved(one, depth) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" not in part:
        return {"anyOf" if key == "oneOf" else key: _resolved(value, depth) for key, value in part.items()}
    found = _document()
    for name in part["$ref"].split("/")[1:]:
        found = found.get(name, {})
    return _resolved(found, depth + 1) if depth < 12 else {}


def schema(method: str, template: str) -> Any:
    """What a good answer of a path may be. Raises: KeyError for a path that is not published."""
    answers = _document()["paths"][template][method.lower()]["responses"]
    return _resolved(answers["200"].get("content", {}).get("application/json", {}).get("schema", {}))


@cache
def published() -> dict[str, str]:
    """Every published request: "METHOD template" with one sign for ids -> as the document writes it."""
    return {
        re.sub(r"\{\w+\}", "{}", f"{method.upper()} {path}"): f"{method.upper()} {path}"
        for path, operations in _document()["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "delete")
    }


def deviations(method: str, template: str, body: Any) -> set[str]:
    """Places of a body that the document does not allow, such as `orders.conid`; the whole body is ``."""
    return set(_places(schema(method, template), json.loads(json.dumps(body))))


def _places(wanted: Any, body: Any) -> Iterator[str]:
    for error in Draft7Validator(wanted).iter_errors(body):
        yield from _wrong(error)


def _wrong(error: ValidationError) -> list[str]:
    """Places that an error is about; where no shape of several fits, those of the one that fits best."""
    if error.validator == "anyOf":
        shapes: dict[Any, list[str]] = {number: [] for number in range(len(error.validator_value))}
        for one in error.context:
            shapes[one.schema_path[0]] += _wrong(one)
        return min(shapes.values(), key=len)
    if error.instance is None:
        return []
    return [".".join(str(step) for step in error.absolute_path if not isinstance(step, int))]
