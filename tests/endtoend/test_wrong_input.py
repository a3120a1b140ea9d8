"""Wrong input of every kind: one clear sentence with its place, exit code 2, and nothing that looks like a result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.cli import run
from engine.domain.market import Kind
from tests.endtoend.small import walk, write_config, write_recording

STRATEGY = """
from attrs import field, frozen
from engine.strategy.api import Strategy

@frozen
class Params:
    size: int = 1

class Mine(Strategy[Params]):
    Params = Params

    def on_quote(self, quote):
        self.ctx.buy("X", self.params.size)
"""
Spoil = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_recording(tmp_path / "data", {Kind.QUOTES: walk(50, 2)})
    (tmp_path / "mine.py").write_text(STRATEGY)
    write_config(tmp_path, "./mine.py:Mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def swap(file: str, old: str, new: str) -> Spoil:
    """Replace a text in a file."""

    def spoil(folder: Path) -> None:
        path = folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return spoil


def strategy(body: str) -> Spoil:
    """Give the strategy other handlers."""

    def spoil(folder: Path) -> None:
        (folder / "mine.py").write_text(STRATEGY + body)

    return spoil


def sealed(folder: Path) -> Path:
    (path,) = (folder / "data" / "quotes").glob("*.parquet")
    return path


def column(name: str, row: int, value: float) -> Spoil:
    """Put another value into a row of the sealed day, with the file's own schema and marks."""

    def spoil(folder: Path) -> None:
        path = sealed(folder)
        table = pq.read_table(path)
        values: Any = table[name].to_numpy().copy()
        values[row] = value
        place = table.schema.get_field_index(name)
        pq.write_table(table.set_column(place, table.schema.field(name), pa.array(values)), path)

    return spoil


def cut_short(folder: Path) -> None:
    path = sealed(folder)
    path.write_bytes(path.read_bytes()[:-300])


def garbled(folder: Path) -> None:
    """Bytes in the middle changed: the footer is whole, the data is not."""
    path = sealed(folder)
    whole = bytearray(path.read_bytes())
    whole[20:400] = b"\xff" * 380
    path.write_bytes(bytes(whole))


def no_parquet(folder: Path) -> None:
    sealed(folder).write_bytes(b"ts,bid,ask\n1,2,3\n")


def other_column(folder: Path) -> None:
    path = sealed(folder)
    pq.write_table(pq.read_table(path).rename_columns(["ts_ns", "conid", "bid", "offer", "bid_size", "ask_size"]), path)


def nan_print(folder: Path) -> None:
    """Prints beside the quotes, one of them without a price."""
    quotes = pq.read_table(sealed(folder))
    count = 3
    block = {"ts_ns": quotes["ts_ns"].to_numpy()[:count], "conid": quotes["conid"].to_numpy()[:count]}
    block |= {"price": np.full(count, 9.0), "size": np.full(count, 1.0), "sampled": np.zeros(count, bool)}
    write_recording(folder / "data", {Kind.TRADES: block})
    (path,) = (folder / "data" / "trades").glob("*.parquet")
    table = pq.read_table(path)
    place = table.schema.get_field_index("price")
    pq.write_table(table.set_column(place, table.schema.field("price"), pa.array([9.0, np.nan, 9.0])), path)


def remove(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def same(folder: Path) -> None:
    """Nothing is spoilt; the words on the command line are wrong."""


CASES: dict[str, tuple[Spoil, list[str], list[str]]] = {
    "unknown key": (swap("run.toml", "[venue]", "[venue]\nfilling = 1"), [], ["run.toml: venue.filling", "fills"]),
    "unknown table": (swap("run.toml", "[venue]", "[venu]"), [], ["run.toml: venu", "did you mean venue"]),
    "unknown key of --set": (same, ["--set", "venue.fils=touch"], ["--set venue.fils", "did you mean fills"]),
    "no configuration": (remove("run.toml"), [], ["run.toml: there is no such file"]),
    "no TOML": (swap("run.toml", "[venue]", "[venue"), [], ["run.toml: is not valid TOML", "line"]),
    "no recording": (
        swap("run.toml", 'path = "data"', 'path = "dta"'),
        [],
        ["run.toml: recording.path: there is no such folder: dta"],
    ),
    "a folder that is none": (remove("data/recording.toml"), [], ["data: is not a recording"]),
    "bad type": (swap("run.toml", 'name = "small"', "name = 7"), [], ["run.toml: name", "must be a text", "7"]),
    "bad type in a table": (same, ["--set", "replay.window=wide"], ["replay.window", "wide"]),
    "bad type of a parameter": (same, ["--set", "strategy.s.params.size=big"], ["strategy.s.params.size", "big"]),
    "unknown parameter": (same, ["--set", "strategy.s.params.sise=1"], ["params.sise", "did you mean size"]),
    "bad time": (same, ["--set", "recording.start=yesterday"], ["recording.start", "yesterday"]),
    "a span without rows": (same, ["--set", "recording.start=2031-01-01"], ["no row", "start and end"]),
    "bad time zone": (
        swap("data/recording.toml", 'time_zone = "UTC"', 'time_zone = "America/New_Yrok"'),
        [],
        ["recording.toml", "there is no time zone 'America/New_Yrok'", "America/New_York"],
    ),
    "bad calendar": (
        swap("data/recording.toml", '"24/7"', '"XNYZ"'),
        [],
        ["recording.toml", "no trading calendar 'XNYZ'", "did you mean XN"],
    ),
    "unsorted": (column("ts_ns", 20, 0), [], ["2024-03-05.parquet: "]),
    "unsorted within a day": (column("ts_ns", 40, 1_709_650_801_000_000_000), [], [".parquet: time goes back in row"]),
    "NaN": (nan_print, [], ["trades/2024-03-05.parquet: price is NaN in row 2"]),
    "a date that is none": (column("ts_ns", 0, 5), [], ["2024-03-05.parquet: holds rows of another UTC day"]),
    "a price beyond reason": (column("bid", 30, 1e300), [], ["2024-03-05.parquet: bid is 1e+300 in row 31"]),
    "a currency that is none": (
        swap("data/recording.toml", 'currency = "USD"', 'currency = "Dollar"'),
        [],
        ["recording.toml, instruments[0]: currency must be a code as in USD, not 'Dollar'"],
    ),
    "a stray file": (
        lambda folder: (folder / "data/quotes/notes.txt").write_text("x"),
        [],
        ["notes.txt: does not belong there: the files of a recording are named YYYY-MM-DD.parquet"],
    ),
    "negative price": (column("bid", 30, -1.0), [], ["2024-03-05.parquet: bid is -1 in row 31"]),
    "infinite price": (column("ask", 30, np.inf), [], ["2024-03-05.parquet: ask is infinite in row 31"]),
    "unknown conid": (column("conid", 30, 99), [], ["2024-03-05.parquet: ", "99", "row 31"]),
    "corrupt": (garbled, [], ["2024-03-05.parquet: is damaged"]),
    "truncated": (cut_short, [], ["2024-03-05.parquet: is no whole Parquet file"]),
    "no Parquet at all": (no_parquet, [], ["2024-03-05.parquet: is no whole Parquet file"]),
    "a column is missing": (other_column, [], ["2024-03-05.parquet: column ask is missing"]),
    "unknown instrument": (
        swap("run.toml", '["X"]', '["Y"]'),
        [],
        ["strategy.s.instruments", "no instrument 'Y'", "X"],
    ),
    "no such module": (swap("run.toml", "./mine.py", "nowhere.mine"), [], ["strategy.s.use", "nowhere"]),
    "no such class": (swap("run.toml", ":Mine", ":Mein"), [], ["strategy.s.use", "Mein", "did you mean Mine"]),
    "a module that raises": (strategy("1 / 0\n"), [], ["strategy.s.use", "ZeroDivisionError", "mine.py"]),
    "no Python": (strategy("class :\n"), [], ["strategy.s.use", "mine.py", "syntax"]),
    "no strategy": (swap("run.toml", ":Mine", ":Params"), [], ["strategy.s.use", "Params"]),
    "raises when made": (
        strategy("    def __init__(self, ctx, params):\n        raise KeyError('x')\n"),
        [],
        ["run.toml: strategy s: can't be made: KeyError"],
    ),
    "refuses when made": (
        strategy(
            "    def __init__(self, ctx, params):\n"
            "        from engine.strategy.api import StrategyError\n"
            "        raise StrategyError('needs two')\n"
        ),
        [],
        ["run.toml: strategy s: needs two"],
    ),
    "a pair of one": (
        swap("run.toml", "./mine.py:Mine", "strategies.pairs:Pairs"),
        [],
        ["run.toml: strategy s: a pair has two instruments, not 1"],
    ),
    "no length of bars": (
        swap("run.toml", "./mine.py:Mine", "strategies.ema_cross:EmaCross"),
        ["--set", "strategy.s.params={ length = '5mn' }"],
        ["run.toml: strategy.s.params.length", "'5mn' is no bar length"],
    ),
    "bars of a million days": (
        swap("run.toml", "./mine.py:Mine", "strategies.pairs:Pairs"),
        ["--set", "strategy.s.params.length=1000000d"],
        ["strategy.s.params.length", "at most 366 days, not '1000000d'"],
    ),
    "loops on its own orders": (
        strategy("    def on_order(self, order):\n        self.ctx.buy('X', 1)\n"),
        [],
        ["run.toml: strategy s: loops on its own orders", "at 2024-03-05T15:00:00"],
    ),
    "loops on what is refused": (
        strategy("    def on_order(self, order):\n        self.ctx.buy('X', 10**9)\n"),
        [],
        ["strategy s: loops on its own orders"],
    ),
    "hangs": (
        strategy("    def on_start(self):\n        while True: pass\n"),
        ["--set", "replay.hang_limit_s=0.05"],
        ["run.toml: strategy s: a handler has not come back for 0.05 s", "at 2024-03-05T15:00:00"],
    ),
    "unknown fill rule": (same, ["--set", "venue.fills=tuch"], ["venue.fills", "touch"]),
    "unknown fees": (same, ["--set", "venue.fees=free"], ["run.toml: venue.fees", "'free'"]),
    "a currency without a price": (
        same,
        ["--set", "account.cash={ USD = 1, EUR = 1 }"],
        ["run.toml: account.fx_rates", "EUR"],
    ),
    "a place that can't be written": (same, ["--out", "run.toml"], ["run.toml", "can't be written"]),
}


@pytest.mark.parametrize(("spoil", "words", "parts"), CASES.values(), ids=CASES)
def test_wrong_input_is_one_sentence_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Spoil, words: list[str], parts: list[str]
) -> None:
    spoil(folder)
    out = [] if "--out" in words else ["--out", "out"]
    assert run(["backtest", "run.toml", "--json", "--no-progress", *out, *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("engine: ")
    assert said.err.count("\n") == 1
    assert len(said.err) < 500
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err, said.err
    assert not (folder / "out" / "result.json").exists()


def test_a_strategy_that_raises_is_switched_off_and_the_page_and_the_document_say_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strategy("    def on_fill(self, fill):\n        raise ValueError('no luck')\n")(folder)
    assert run(["backtest", "run.toml", "--no-progress", "--out", "out"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "switched off" in said.out
    assert "no luck" in " ".join(said.out.split())
    assert "ValueError: no luck (mine.py:15)" in (folder / "out" / "result.json").read_text()


def test_in_a_process_of_its_own_too_no_traceback_reaches_a_person(folder: Path) -> None:
    column("bid", 30, -1.0)(folder)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "engine"), "backtest", "run.toml", "--out", "out"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "engine: data/quotes/2024-03-05.parquet: bid is -1 in row 31\n"
