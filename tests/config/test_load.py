"""A configuration is read exactly, or turned down with file, key and value."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import load
from engine.errors import ConfigError
from engine.settings import Limits, Pipeline, Settings

SOUND = """
name = "demo"
seed = 7

[recording]
path = "data"
start = 2024-08-08
instruments = ["AAPL", "MSFT"]

[account]
id = "DU7"
cash = { USD = 1_000_000, EUR = 0.10 }

[[strategy]]
use = "strategies.ema_cross:EmaCross"
name = "ema"
instruments = ["AAPL"]
params = { fast = 10, decay = 0.94 }

[[strategy]]
use = "./mine.py:Mine"
name = "mine"
instruments = ["MSFT"]

[risk.account]
order_notional_max = 50_000.01
[risk.strategy.ema]
open_orders_max = 3
[risk.instrument."BRK.B"]
tick_and_lot = false

[venue]
latency_ms = { place = 2.5 }
slippage = "bps"
slippage_size = 1

[replay]
pipeline = "fused"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


def read(folder: Path, text: str = SOUND, *overrides: str) -> Settings:
    (folder / "run.toml").write_text(text, encoding="utf-8")
    return load(folder / "run.toml", overrides)


def refused(folder: Path, text: str, *overrides: str) -> str:
    """The sentence, without the folder that pytest made up."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, *overrides)
    return str(caught.value).replace(f"{folder}/", "")


def test_everything_lands_where_it_belongs(folder: Path) -> None:
    settings = read(folder)
    assert (settings.name, settings.seed, settings.source) == ("demo", 7, folder / "run.toml")
    assert settings.recording.path == folder / "data"
    assert settings.recording.start == "2024-08-08"
    assert settings.recording.instruments == ("AAPL", "MSFT")
    assert settings.account.cash == {"USD": Decimal(1_000_000), "EUR": Decimal("0.10")}
    assert [one.name for one in settings.strategies] == ["ema", "mine"]
    assert settings.strategies[0].params == {"fast": 10, "decay": Decimal("0.94")}
    assert settings.risk.account.order_notional_max == Decimal("50000.01")
    assert settings.risk.strategy == {"ema": Limits(open_orders_max=3)}
    assert settings.risk.instrument == {"BRK.B": Limits(tick_and_lot=False)}
    assert settings.venue.latency_ms.place == 2.5
    assert settings.venue.latency_ms.cancel == 40.0
    assert settings.venue.slippage_size == 1.0
    assert isinstance(settings.venue.slippage_size, float)
    assert settings.replay.pipeline is Pipeline.FUSED


# What is put in place of what, and the whole sentence that must come of it.
WRONG = [
    ("seed = 7", "sed = 7", "run.toml: sed: unknown key; did you mean seed?"),
    ("seed = 7", 'mode = "sim"', "run.toml: mode: unknown key; it belongs to engine run"),
    ('name = "demo"', "", "run.toml: name: missing; it is required"),
    ('name = "demo"', "name = 5", "run.toml: name: must be a text in quotes, not 5"),
    ('name = "demo"', 'name = "a/b"', "run.toml: name: must be made of letters, digits, '-', '_' and '.', not 'a/b'"),
    ("seed = 7", "seed = true", "run.toml: seed: must be a whole number, not true"),
    ("seed = 7", "seed = -1", "run.toml: seed: must be 0 or more, not -1"),
    ("[recording]", "[recordings]", "run.toml: recordings: unknown key; did you mean recording?"),
    ('path = "data"', "", "run.toml: recording.path: missing; it is required"),
    ('path = "data"', "path = 5", "run.toml: recording.path: must be a text in quotes, not 5"),
    ('path = "data"', 'path = "dta"', "run.toml: recording.path: there is no such folder: dta"),
    ('path = "data"', f'path = "{"x" * 300}"', "run.toml: recording.path: there is no such folder: xxx"),
    (
        "start = 2024-08-08",
        'start = "8 Aug"',
        "run.toml: recording.start: must be a date or a time as in 2024-08-08T09:30:00, not '8 Aug'",
    ),
    (
        "start = 2024-08-08",
        "start = 2024-08-08\nend = 2024-08-07",
        "run.toml: recording.end: 2024-08-07 is not after start, 2024-08-08T00:00:00",
    ),
    ('["AAPL", "MSFT"]', '"AAPL"', "run.toml: recording.instruments: must be a list, not 'AAPL'"),
    ('["AAPL", "MSFT"]', '["AAPL", 5]', "run.toml: recording.instruments.1: must be a text in quotes, not 5"),
    ('["AAPL", "MSFT"]', '["MSFT"]', "run.toml: strategy.ema.instruments: 'AAPL' is not among recording.instruments"),
    ("USD = 1_000_000", "usd = 1", "run.toml: account.cash.usd: must be a currency's code as in USD, not 'usd'"),
    ("USD = 1_000_000", "USD = -1", "run.toml: account.cash.USD: must be 0 or more, not -1"),
    ("USD = 1_000_000", "USD = nan", "run.toml: account.cash.USD: must be a finite number, not NaN"),
    ("USD = 1_000_000", 'USD = "1"', "run.toml: account.cash.USD: must be a number, not '1'"),
    ("USD = 1_000_000", "USD = 1e40", "run.toml: account.cash.USD: is too large a number: 1E+40"),
    ("USD = 1_000_000", "USD = 1e400", "run.toml: account.cash.USD: is too large a number: 1E+400"),
    ("USD = 1_000_000", f"USD = 1{'0' * 40}", "run.toml: account.cash.USD: is too large a number: 1000"),
    ("USD = 1_000_000", "USD = 1e-40", "run.toml: account.cash.USD: has more decimals than can be added exactly"),
    ("USD = 1_000_000", "USD = 1e99999999999999999999", "run.toml: is not valid TOML: there is a number that is far"),
    ("seed = 7", f"seed = {'9' * 5000}", "run.toml: is not valid TOML: there is a number that is far too long"),
    ("seed = 7", f"seed = 0x{'f' * 5000}", "run.toml: seed: is too large a number: a number of hundreds of digits"),
    ("seed = 7", f"seed = {'[' * 5000}", "run.toml: is not valid TOML: lists or tables lie too deep in one another"),
    ("place = 2.5", "place = 1e12", "run.toml: venue.latency_ms.place: is more than a day: 1000000000000.0"),
    ("place = 2.5", "place = -inf", "run.toml: venue.latency_ms.place: must be a finite number, not -Infinity"),
    ("slippage_size = 1", "slippage_size = 1e9", "run.toml: venue.slippage_size: must be from 0 to 10,000, not 1000"),
    ('pipeline = "fused"', "window = -5", "run.toml: replay.window: must be from 1 to 10,000,000 rows, not -5"),
    ('pipeline = "fused"', "chunk = 1000000000000", "run.toml: replay.chunk: must be from 1 to 10,000,000 rows"),
    ('pipeline = "fused"', "hang_limit_s = 1e-9", "run.toml: replay.hang_limit_s: must be from 0.01 to 86,400 s, not"),
    ("start = 2024-08-08", "start = 9999-12-31", "run.toml: recording.start: must be from 1970 to 2261, not '9999-12"),
    (
        'name = "mine"',
        'name = "ema"',
        "run.toml: strategy.ema.name: two strategies are named 'ema'; each copy needs a name of its own",
    ),
    ('name = "mine"', "", "run.toml: strategy.1.name: missing; it is required"),
    (
        'instruments = ["MSFT"]',
        "instruments = []",
        "run.toml: strategy.mine.instruments: is empty; a strategy needs at least one instrument",
    ),
    ("params =", "parms =", "run.toml: strategy.ema.parms: unknown key; did you mean params?"),
    (
        "order_notional_max",
        "order_notional_mx",
        "run.toml: risk.account.order_notional_mx: unknown key; did you mean order_notional_max?",
    ),
    ("50_000.01", "-1", "run.toml: risk.account.order_notional_max: must be 0 or more, not -1"),
    (
        "open_orders_max = 3",
        "open_orders_max = 3.0",
        "run.toml: risk.strategy.ema.open_orders_max: must be a whole number, not 3.0",
    ),
    ("[risk.strategy.ema]", "[risk.strategy.emma]", "run.toml: risk.strategy.emma: there is no strategy 'emma'"),
    (
        "tick_and_lot = false",
        "tick_and_lot = 0",
        "run.toml: risk.instrument.BRK.B.tick_and_lot: must be true or false, not 0",
    ),
    ("place = 2.5", "place = -1", "run.toml: venue.latency_ms.place: must be 0 or more, not -1.0"),
    ("place = 2.5", "palce = 1", "run.toml: venue.latency_ms.palce: unknown key; did you mean place?"),
    ("{ place = 2.5 }", "40", "run.toml: venue.latency_ms: must be a table, not 40"),
    (
        'slippage = "bps"',
        'slippage = "bp"',
        "run.toml: venue.slippage: 'bp' is not one of none, ticks, bps, half_spread, square_root; did you mean bps?",
    ),
    ("slippage_size = 1", "slippage_size = 1e999", "run.toml: venue.slippage_size: is too large a number: 1E+999"),
    ("slippage_size = 1", 'fees = "mine.toml"', "run.toml: venue.fees: there is no such file: mine.toml"),
    (
        "slippage_size = 1",
        "participation = { bar = 0 }",
        "run.toml: venue.participation.bar: must be above 0 and at most 1, not 0.0",
    ),
    ('"fused"', '"fast"', "run.toml: replay.pipeline: must be one of channels, fused, not 'fast'"),
    ('pipeline = "fused"', "window = 0", "run.toml: replay.window: must be from 1 to 10,000,000 rows, not 0"),
    ('pipeline = "fused"', "chunk = 0", "run.toml: replay.chunk: must be from 1 to 10,000,000 rows, not 0"),
    ("[replay]\npipeline", "[report]\ntrading_days = 0\n[replay]\npipeline", "run.toml: report.trading_days: must be"),
    ("[replay]\npipeline", "[replay\npipeline", "run.toml: is not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), WRONG, ids=[f"{old} -> {new}" for old, new, _ in WRONG])
def test_what_is_wrong_is_said_with_file_key_and_value(folder: Path, old: str, new: str, sentence: str) -> None:
    assert old in SOUND
    said = refused(folder, SOUND.replace(old, new, 1))
    assert "\n" not in said
    assert said.startswith(sentence)


def test_a_configuration_without_strategies(folder: Path) -> None:
    said = refused(folder, SOUND[: SOUND.index("[[strategy]]")])
    assert said == "run.toml: strategy: missing; there must be at least one [[strategy]]"
    said = refused(folder, SOUND[: SOUND.index("[[strategy]]")] + "[strategy]\nname = 'x'")
    assert said == "run.toml: strategy: must be written [[strategy]], one for each copy"


def test_a_file_that_is_none(folder: Path) -> None:
    for path, sentence in [
        (folder / "absent.toml", "absent.toml: there is no such file"),
        (folder / "data", "data: this is a folder, not a configuration file"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value) == f"{folder}/{sentence}"
    (folder / "run.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(byte 8\)"):
        load(folder / "run.toml")


def test_set_reads_values_as_toml_or_takes_them_as_texts(folder: Path) -> None:
    settings = read(
        folder,
        SOUND,
        "strategy.ema.params.fast=5",
        "strategy.1.params.label=a b",
        "strategy.mine.params.list=[1, 2]",
        "name=other",
        "risk.account.order_quantity_max = 1.50",
        'risk.instrument."BRK.B".restricted=["BRK.B"]',
        "report.trading_days=365",
        "venue.latency_ms.place=1",
        "venue.latency_ms.place=2",
    )
    assert settings.strategies[0].params["fast"] == 5
    assert settings.strategies[1].params == {"label": "a b", "list": [1, 2]}
    assert settings.name == "other"
    assert settings.risk.account.order_quantity_max == Decimal("1.50")
    assert settings.risk.instrument["BRK.B"].restricted == ("BRK.B",)
    assert settings.report.trading_days == 365
    assert settings.venue.latency_ms.place == 2.0


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed", "--set seed: must be written KEY=VALUE"),
        ("=5", "--set =5: '' is no dotted key"),
        ("#=5", "--set #=5: '#' is no dotted key"),
        ("[seed]#=5", "--set [seed]#=5: '[seed]#' is no dotted key"),
        ("a b=5", "--set a b=5: 'a b' is no dotted key"),
        ("strategy.emma.use=x", "--set strategy.emma.use=x: there is no strategy 'emma'; did you mean ema?"),
        ("strategy.2.use=x", "--set strategy.2.use=x: there is no strategy '2'; known: ema, mine"),
        ("strategy.ema=5", "--set strategy.ema=5: strategy is a list of tables; say which, and which key"),
        ("seed.x=5", "--set seed.x=5: seed is a value, not a table"),
        ("replay.window=0", "--set replay.window=0: must be from 1 to 10,000,000 rows, not 0"),
        ("strategy.0.instruments=AAPL", "--set strategy.0.instruments=AAPL: must be a list, not 'AAPL'"),
        ("risk.acount.tick_and_lot=true", "run.toml: risk.acount: unknown key; did you mean account?"),
    ],
)
def test_a_wrong_set_is_named_as_such(folder: Path, override: str, sentence: str) -> None:
    assert refused(folder, SOUND, override) == sentence


@given(value=st.integers(0, 13).flatmap(lambda places: st.decimals(0, 10**15 - 1, places=places)))
def test_decimals_are_read_exactly(tmp_path_factory: pytest.TempPathFactory, value: Decimal) -> None:
    folder = tmp_path_factory.mktemp("exact")
    (folder / "data").mkdir()
    written = f"{value:f}"
    settings = read(folder, SOUND.replace("50_000.01", written if "." in written else f"{written}.0"))
    assert settings.risk.account.order_notional_max == value


@given(text=st.text())
def test_any_text_at_all_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    (folder / "data").mkdir()
    said = None
    try:
        read(folder, SOUND, f"strategy.ema.params.x={text}", text)
    except ConfigError as exc:
        said = str(exc)
    assert said is None or said.startswith(("--set ", str(folder)))
