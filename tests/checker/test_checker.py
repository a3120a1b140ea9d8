"""`engine check` on strategies that do what no backtest may be trusted with, and on ones that don't."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from datetime import date
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.checker import Finding, check_run
from engine.checker.elsewhere import SEEDS
from engine.config import load
from engine.domain.market import Kind
from tests.endtoend.small import walk, walking_bars, write_config, write_recording

HEAD = '''
import os, random, secrets, time, uuid
from datetime import date, datetime
from pathlib import Path
from random import Random
from engine.strategy.api import Strategy

class Base(Strategy):
    def on_start(self):
        self.n = 0
        self.dice = Random(5)

    def trade(self, yes=True):
        if yes:
            (self.ctx.sell if self.n % 2 else self.ctx.buy)("X", 1)
            self.n += 1

class Mine(Base):
    """What is checked."""
'''
_numbers = count()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recording(tmp_path / "data", {Kind.QUOTES: walk(300, 3)})
    return tmp_path


def findings(folder: Path, body: str, venue: str | None = None, hash_seeds: Sequence[int] = ()) -> list[Finding]:
    """Check a strategy of which this is the rest of the body."""
    name = f"mine{next(_numbers)}"
    (folder / f"{name}.py").write_text(HEAD + body)
    more = {} if venue is None else {"venue": venue}
    return check_run(load(write_config(folder, f"./{name}.py:Mine", **more)), hash_seeds=hash_seeds)


ON_TENTH = """
    def on_quote(self, quote):
        if round(quote.bid * 100) % 10 == 0:
            {0}
            self.trade()
"""
CLEAN = {
    "rows": """
    def on_quote(self, quote):
        self.trade(self.dice.random() < 0.05)
    def on_stop(self):
        self.ctx.save({"n": self.n})
        self.ctx.log("stopped")
""",
    "rows with answers": """
    def on_quote(self, quote):
        self.trade(round(quote.bid * 100) % 7 == 0)
    def on_fill(self, fill):
        self.ctx.set_timer("again", after_s=0.05)
    def on_timer(self, name):
        self.trade(self.n < 40)
""",
    "windows": """
    def on_window(self, window):
        for index, bid in enumerate(window.quotes.bid):
            if round(bid * 100) % 10 == 0:
                window.at(index)
                self.trade()
                return index
""",
}


@pytest.mark.parametrize("latency", [0, 40])
@pytest.mark.parametrize("body", CLEAN.values(), ids=CLEAN)
def test_a_clean_strategy_passes(folder: Path, body: str, latency: int) -> None:
    venue = f'fills = "conservative"\nlatency_ms = {{ place = {latency}, modify = {latency}, cancel = {latency} }}'
    assert findings(folder, body, venue) == []


def test_a_clean_strategy_passes_in_other_processes(folder: Path) -> None:
    assert findings(folder, CLEAN["rows"], hash_seeds=SEEDS) == []


def test_a_clean_strategy_on_bars_passes(folder: Path) -> None:
    for file in (folder / "data" / "quotes").iterdir():
        file.unlink()
    write_recording(folder / "data", {Kind.BARS: walking_bars(100, 3)})
    body = """
    def on_start(self):
        super().on_start()
        self.ctx.bars("X", "5min", "bars")
    def on_bar(self, bar):
        self.trade(bar.close > bar.open)
"""
    assert findings(folder, body, 'fills = "next_open"') == []


@pytest.mark.parametrize(
    ("call", "kind", "name"),
    [
        ("time.time()", "clock", "time"),
        ("time.perf_counter_ns()", "clock", "perf_counter_ns"),
        ("time.process_time()", "clock", "process_time"),
        ("datetime.now()", "clock", "now"),
        ("date.today()", "clock", "today"),
        ("random.random()", "chance", "random"),
        ("random.randint(1, 2)", "chance", "Random.randint"),
        ("random.shuffle([1, 2])", "chance", "shuffle"),
        ("os.urandom(1)", "chance", "urandom"),
        ("uuid.uuid4()", "chance", "uuid4"),
        ("secrets.token_hex()", "chance", "token_hex"),
        ("random.SystemRandom().random()", "chance", "Random.__init__"),
        ("Random()", "chance", "Random.__init__"),
    ],
)
def test_clocks_and_dice_are_caught_in_the_act_even_if_nothing_follows_from_them(
    folder: Path, call: str, kind: str, name: str
) -> None:
    found = findings(folder, ON_TENTH.format(call))
    assert {one.kind for one in found} == {kind}
    line = HEAD.count("\n") + 4
    assert found[0].sentence.startswith("strategy s asks ")
    assert f"{name} at mine" in found[0].sentence
    assert found[0].sentence.endswith(f".py:{line}")


def test_chance_that_nobody_sees_called_shows_in_two_runs_that_differ(folder: Path) -> None:
    body = """
    seen = []
    def on_quote(self, quote):
        self.seen.append(quote.bid)  # the class's own list: it outlives the run
        self.trade(len(self.seen) % 70 == 0)
"""
    (found,) = findings(folder, body)
    assert found.kind == "chance"
    assert found.sentence.startswith("two equal runs differ: ")


def test_a_count_of_calls_of_on_window_depends_on_windows(folder: Path) -> None:
    body = """
    def on_window(self, window):
        self.n += 1
        if self.n % 2:
            self.ctx.buy("X", 1)
            return 0
"""
    (found,) = findings(folder, body)
    assert found.kind == "window"
    assert found.sentence.startswith("cut into windows of up to 1 rows, ")


def test_a_window_handler_that_uses_the_windows_last_row_is_caught(folder: Path) -> None:
    body = """
    def on_window(self, window):
        bids = window.quotes.bid
        for index, bid in enumerate(bids):
            if bid < bids[-1]:  # up from here
                window.at(index)
                self.trade()
                return index
"""
    found = findings(folder, body)
    assert {one.kind for one in found} & {"window", "look-ahead"}


READING = {
    "open": "open(DATA / 'recording.toml').close()",
    "read_bytes": "next((DATA / 'quotes').glob('*.parquet')).read_bytes()",
    "listdir": "os.listdir(os.path.relpath(DATA))",
    "pyarrow": "pq.read_table(str(DATA) + '/quotes')",
}


@pytest.mark.parametrize("when", ["imported", "started", "traded"])
@pytest.mark.parametrize("how", READING.values(), ids=READING)
def test_hands_in_the_recordings_own_files_are_caught(folder: Path, how: str, when: str) -> None:
    if when == "imported" and how.startswith("pq"):
        pytest.skip("a C library that opens a file while modules are imported is not seen")
    text = HEAD.replace(
        "class Mine", f"import pyarrow.parquet as pq\nDATA = Path({str(folder)!r}) / 'data'\nclass Mine"
    )
    if when == "imported":
        text = text.replace("class Mine", f"{how}\nclass Mine")
    if when == "started":
        text = text.replace("self.n = 0", f"self.n = 0; {how}")
    text += ON_TENTH.format(how if when == "traded" else "pass")
    name = f"mine{next(_numbers)}"
    (folder / f"{name}.py").write_text(text)
    found = check_run(load(write_config(folder, f"./{name}.py:Mine")), hash_seeds=())
    assert {one.kind for one in found} == {"look-ahead"}
    assert f"strategy s goes to the files of the recording itself at {name}.py:" in found[0].sentence


def test_other_files_are_the_authors_own_business(folder: Path) -> None:
    (folder / "weights.txt").write_text("3")
    (folder / "data2").mkdir()
    body = f"""
    def on_start(self):
        super().on_start()
        self.weight = int(Path({str(folder)!r}, "weights.txt").read_text())
        os.listdir({str(folder / "data2")!r})
    def on_quote(self, quote):
        self.trade(round(quote.bid * 100) % 10 == self.weight)
"""
    assert findings(folder, body) == []


def test_a_strategy_that_is_switched_off_is_no_clean_one(folder: Path) -> None:
    body = """
    def on_quote(self, quote):
        raise SystemExit(0)
"""
    (found,) = findings(folder, body)
    assert found.kind == "switched off"
    assert "SystemExit" in found.sentence


def test_the_order_of_a_set_is_seen_under_other_hash_seeds(folder: Path) -> None:
    body = """
    def on_quote(self, quote):
        if round(quote.bid * 100) % 10 == 0:
            names = list({"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"})
            self.ctx.buy("X", 1 + names.index("alpha"))
"""
    (found,) = findings(folder, body, hash_seeds=SEEDS)
    assert found.kind == "hash seed"
    assert "with PYTHONHASHSEED=" in found.sentence
    assert "becomes approved of s-000001" in found.sentence


def test_a_run_that_only_another_hash_seed_breaks_is_told(folder: Path) -> None:
    body = """
    def on_start(self):
        super().on_start()
        if os.environ.get("PYTHONHASHSEED") == "2":
            raise SystemExit(3)
    def on_quote(self, quote):
        self.trade(round(quote.bid * 100) % 10 == 0)
"""
    (found,) = findings(folder, body, hash_seeds=SEEDS)
    assert found.kind == "hash seed"
    assert found.sentence.startswith("with PYTHONHASHSEED=2 ")


# The run of the folder's recording is on 2024-03-05, from 15:00 UTC on for some seconds.
LATER: dict[str, tuple[str, Callable[[Path], object]]] = {
    "dates": ("Path({0!r}).read_text()", lambda path: path.write_text("when,close\n2024-03-06,1\n")),
    "times": ("Path({0!r}).open().close()", lambda path: path.write_text("20240305 15:00:02,1\n")),
    "epochs": ("os.close(os.open({0!r}, os.O_RDONLY))", lambda path: path.write_text("1709650802000,1\n")),
    "gz": (
        "gzip.open({0!r}).close()",
        lambda path: path.write_bytes(gzip.compress(b"x\n" * 9_000_000 + b"2024-03-06,1")),
    ),
    "parquet": ("pq.read_table({0!r})", lambda path: pq.write_table(pa.table({"t": [1709650802000000000]}), path)),
    "parquet of dates": (
        "pq.read_table({0!r})",
        lambda path: pq.write_table(pa.table({"t": [date(2024, 3, 6)]}), path),
    ),
    "numpy": ("np.load({0!r})", lambda path: np.save(path, np.array(["2024-03-05T15:00:02"], "M8[s]"))),
    "pandas": ("pd.read_csv({0!r})", lambda path: path.write_text("when,close\n2024-03-06,1\n")),
}
READER = "import gzip\nimport numpy as np\nimport pandas as pd\nimport pyarrow.parquet as pq\n"


@pytest.mark.parametrize(("how", "make"), LATER.values(), ids=LATER)
def test_a_file_with_later_times_is_later_data_wherever_it_lies(
    folder: Path, how: str, make: Callable[[Path], object]
) -> None:
    path = folder / "prices.npy"
    make(path)
    name = f"mine{next(_numbers)}"
    text = READER + HEAD + ON_TENTH.format("pass")
    (folder / f"{name}.py").write_text(text.replace("self.n = 0", f"self.n = 0; {how.format(str(path))}"))
    found = check_run(load(write_config(folder, f"./{name}.py:Mine")), hash_seeds=())
    assert {one.kind for one in found} == {"look-ahead"}
    assert found[0].sentence.startswith(f"strategy s reads prices.npy at {name}.py:")
    assert "after the run's first row" in found[0].sentence


@pytest.mark.parametrize(
    "content",
    [
        "2024-03-05 14:59:59,1\n",
        "1709650799\n",
        "2024-03-04\n",
        "2031-01-01\n",
        "8.1709650802\n",
        "20240399\n",
        "3 2 1\n",
    ],
)
def test_a_file_of_earlier_times_or_none_is_the_authors_own_business(folder: Path, content: str) -> None:
    (folder / "prices.csv").write_text(content)
    body = f"""
    def on_start(self):
        super().on_start()
        Path({str(folder / "prices.csv")!r}).read_text()
        Path({str(folder / "notes.csv")!r}).write_text("2024-03-06")
    def on_quote(self, quote):
        self.trade(round(quote.bid * 100) % 10 == 0)
"""
    assert findings(folder, body) == []
