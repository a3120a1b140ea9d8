"""Parameters are filled from a table by their types, or refused with file, key and value."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import field, frozen, validators

from engine.errors import ConfigError
from engine.tables import structure, type_name


class Mode(Enum):
    CALM = "calm"
    WILD = "wild"


@frozen
class Band:
    low: float
    high: float


@frozen
class Params:
    fast: int = field(default=3, validator=validators.ge(1))
    size: Decimal = Decimal(1)
    decay: float = 0.5
    label: str | None = None
    live: bool = False
    mode: Mode = Mode.CALM
    side: Literal["buy", "sell"] = "buy"
    at: time = time(9, 30)
    bands: tuple[Band, ...] = ()
    pair: tuple[str, int] = ("x", 1)
    weights: dict[str, float] = field(factory=dict)
    file: Path = Path("none")
    slow: int = field(default=30)

    @slow.validator
    def _ordered(self, _: Any, value: int) -> None:
        if value <= self.fast:
            raise ValueError(f"slow must be above fast, {self.fast}, not {value}")


def read(table: dict[str, Any]) -> Params:
    return structure(table, Params, file="run.toml", key="strategy.one.params", folder=Path("there"))


def test_each_type_is_filled() -> None:
    table = {
        "fast": 5,
        "size": Decimal("0.10"),
        "decay": 1,
        "label": "a",
        "live": True,
        "mode": "wild",
        "side": "sell",
        "at": time(10, 0),
        "bands": [{"low": Decimal("1.5"), "high": 2}],
        "pair": ["y", 2],
        "weights": {"AAPL": Decimal("0.25")},
        "file": "data.csv",
    }
    assert read(table) == Params(
        fast=5,
        size=Decimal("0.10"),
        decay=1.0,
        label="a",
        live=True,
        mode=Mode.WILD,
        side="sell",
        at=time(10, 0),
        bands=(Band(1.5, 2.0),),
        pair=("y", 2),
        weights={"AAPL": 0.25},
        file=Path("there/data.csv"),
    )


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"fsat": 5}, "fsat: unknown key; did you mean fast?"),
        ({"fast": Decimal("5.0")}, "fast: must be a whole number, not 5.0"),
        ({"fast": "5"}, "fast: must be a whole number, not '5'"),
        ({"fast": True}, "fast: must be a whole number, not true"),
        ({"fast": 0}, "fast: 'fast' must be >= 1: 0"),
        ({"slow": 2}, "slow: slow must be above fast, 3, not 2"),
        ({"size": "1"}, "size: must be a number, not '1'"),
        ({"decay": Decimal("NaN")}, "decay: must be a finite number, not NaN"),
        ({"label": 5}, "label: must be a text in quotes, not 5"),
        ({"live": 1}, "live: must be true or false, not 1"),
        ({"mode": "mild"}, "mode: must be one of calm, wild, not 'mild'"),
        ({"side": "hold"}, "side: must be one of buy, sell, not 'hold'"),
        ({"at": "10:00"}, "at: must be a time of day without quotes, not '10:00'"),
        ({"bands": {"low": 1}}, "bands: must be a list, not a table"),
        ({"bands": [{"low": 1, "high": 2}, {"low": 1}]}, "bands.1.high: missing; it is required"),
        ({"bands": [{"low": 1, "hihg": 2}]}, "bands.0.hihg: unknown key; did you mean high?"),
        ({"bands": [5]}, "bands.0: must be a table, not 5"),
        ({"pair": ["x"]}, "pair: must be a list of 2, not ['x']"),
        ({"pair": ["x", "y"]}, "pair.1: must be a whole number, not 'y'"),
        ({"weights": {"AAPL": "x"}}, "weights.AAPL: must be a number, not 'x'"),
        ({"weights": 5}, "weights: must be a table, not 5"),
        ({"file": 5}, "file: must be a text in quotes, not 5"),
    ],
)
def test_what_does_not_fit_is_said_with_file_key_and_value(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(table)
    assert str(caught.value) == f"run.toml: strategy.one.params.{sentence}"


def test_a_type_that_toml_can_not_give() -> None:
    @frozen
    class Odd:
        back: complex

    with pytest.raises(ConfigError, match=r"run\.toml: params: a field of type .*complex.* can't be read from TOML"):
        structure({"back": 1}, Odd, file="run.toml", key="params", folder=Path())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (int, "int"),
        (float | None, "float | None"),
        (tuple[str, ...], "tuple[str, ...]"),
        (Literal["a"], "Literal['a']"),
        (Mode, "Mode"),
    ],
)
def test_types_are_named_as_they_are_written(kind: Any, name: str) -> None:
    assert type_name(kind) == name
