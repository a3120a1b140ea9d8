"""The daemon's configuration: what is right is read, what is wrong is one sentence with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.daemon.config import Mode, StopPolicy, is_beside, is_direct, load, on_simulated_clock
from engine.errors import ConfigError
from engine.orders.replies import Stance

SIM = Path(__file__).parents[2] / "configs" / "sim.toml"
LEAST = """
name = "mine"
[[instrument]]
conid = 265598
symbol = "AAPL"
[[strategy]]
use = "pulse"
name = "p"
instruments = ["AAPL"]
"""
PAIR = (
    LEAST.replace('["AAPL"]', '["PAIR"]')
    + """
[[instrument]]
conid = 8314
symbol = "IBM"
[[instrument]]
conid = 99
symbol = "PAIR"
sec_type = "BAG"
legs = [[265598, 1], [8314, -1]]
"""
)
COMBO_ONLY = """
[risk.instrument.PAIR]
order_quantity_max = 1
order_notional_max = 1
position_max = 1
"""
LIVE = """
[gateway]
url = "https://localhost:5000/v1/api"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_the_shipped_one_is_read() -> None:
    settings = load(SIM)
    assert settings.mode is Mode.SIM
    assert {symbol: one.conid for symbol, one in settings.instruments.items()} == {
        "AAPL": 265598,
        "IBM": 8314,
        "SPY": 756733,
    }
    assert settings.gateway.speed == 20
    assert settings.stop.policy is StopPolicy.CANCEL
    assert settings.replies.rules["o163"].stance is Stance.CONFIRM_IF
    assert not is_direct(settings)


def test_little_is_enough(tmp_path: Path) -> None:
    settings = load(written(tmp_path, LEAST))
    assert settings.base.account.id == "DU1234567"
    assert settings.gateway.url is None
    assert settings.guard.silence_s == 10


def test_only_a_simulated_session_lets_account_figures_grow_old(tmp_path: Path) -> None:
    limits = "[risk.account]\norder_quantity_max = 1\norder_notional_max = 1\nposition_max = 1\n"
    for text, age in (
        (LEAST, 3_600),
        (LEAST + "[risk.account]\nsummary_age_max_s = 60\n", 60),
        ('mode = "paper"\n' + LEAST + LIVE + limits, None),
    ):
        assert load(written(tmp_path, text)).base.risk.account.summary_age_max_s == age


def test_paper_beside_a_simulated_gateway_goes_by_its_clock(tmp_path: Path) -> None:
    limits = "[risk.account]\norder_quantity_max = 1\norder_notional_max = 1\nposition_max = 1\n"
    paper = load(written(tmp_path, 'mode = "paper"\n' + LEAST + LIVE + "speed = 3\n" + limits))
    assert (paper.by_wall, is_beside(paper)) == (True, True)
    there = on_simulated_clock(paper)
    assert not there.by_wall
    assert there.mode is Mode.PAPER
    assert there.base.risk.account.summary_age_max_s == 3_600
    assert not load(SIM).by_wall
    assert not is_beside(load(SIM, ['gateway.url="https://api.ibkr.com/v1/api"']))


def test_an_override_wins_and_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST)
    assert load(path, ["gateway.speed=5"]).gateway.speed == 5
    with pytest.raises(ConfigError) as error:
        load(path, ["gateway.speed=-1"])
    assert error.value.place == "--set gateway.speed=-1"


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        (LEAST + "[gatway]\n", "gatway", "did you mean gateway"),
        (LEAST + "[recording]\n", "recording", "backtest"),
        (LEAST.replace('name = "mine"', ""), "name", "missing"),
        ('name = "x"\n', "instrument", "missing"),
        (LEAST.replace("265598", '"265598"'), "instrument.0", "conid"),
        (LEAST.replace('symbol = "AAPL"', 'symbol = ""'), "instrument.0", "symbol"),
        (LEAST + "[[instrument]]\nconid = 265598\nsymbol = 'B'\n", "instrument.1", "two instruments"),
        (LEAST + "[[instrument]]\nconid = 1\nsymbol = 'AAPL'\n", "instrument.1", "two instruments"),
        (LEAST.replace('["AAPL"]', '["APPL"]'), "strategy.p.instruments", "did you mean AAPL"),
        ('mode = "paper"\n' + LEAST + LIVE, "risk", "no limit of its own"),
        ('mode = "paper"\n' + PAIR + LIVE + COMBO_ONLY, "risk", "no limit of its own"),  # of its legs
        (LEAST + "[risk.instrument.IBM]\n", "risk.instrument.IBM", "no [[instrument]]"),
        (LEAST + "[replies]\no163 = 'yes'\n", "replies.o163", "none of"),
        (LEAST + "[suppress]\nids = ['163']\n", "suppress.ids", "no message id"),
        (LEAST + f"[suppress]\nids = {[f'o{n}' for n in range(60)]}\n", "suppress.ids", "60 ids"),
        (LEAST + "[gateway]\nauth = 'password'\n", "gateway.auth", "oauth1"),
        (LEAST + "[gateway]\nurl = 'http://example.org/v1/api'\n", "gateway.url", "this machine only"),
        (LEAST + "[gateway]\nsecret = 'x'\n", "gateway.secret", "unknown key"),
        (LEAST + "[guard]\nsilence_s = 0\n", "guard.silence_s", "from 0.2"),
        (LEAST + "[orders]\nsettle_s = 1\n", "orders.settle_s", "from 5"),
        (LEAST + "[orders.reconcile]\nmanual_trade = 'shrug'\n", "orders.reconcile.manual_trade", "shrug"),
        (LEAST + "[session]\ncompeting = 'fight'\n", "session.competing", "stand-down"),
        (LEAST + "[session]\ninits_per_hour = 0\n", "session.inits_per_hour", "at least 1"),
        (LEAST + "[stop]\npolicy = 'panic'\n", "stop.policy", "panic"),
        (LEAST + "[account]\nid = 'U1234567'\n", "account.id", "DU"),
        ('mode = "demo"\n' + LEAST, "mode", "sim, paper or live"),
        ('mode = "paper"\n' + LEAST, "gateway.url", "missing"),
        ('mode = "live"\n' + LEAST + LIVE, "account.id", "paper account"),
        ('mode = "paper"\n' + LEAST + LIVE + "[account]\nid = 'U1'\n", "account.id", "no paper account"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_key(tmp_path: Path, text: str, key: str, word: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert error.value.place == f"{path}: {key}"
    assert word in error.value.problem
    assert "\n" not in str(error.value)
