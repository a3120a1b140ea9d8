"""The verbs for people against a gateway: what they print, what they leave there, and how they refuse."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.cli import run
from engine.daemon import config
from engine.domain.instrument import Instrument, PriceTick, SecType
from engine.recording.head import instrument_from
from tests.served import PAPER, PATIENT, Served, served

AAPL, IBM = 265598, 8314
ALERT = {
    "alertName": "high",
    "alertMessage": "AAPL is high",
    "alertRepeatable": 0,
    "outsideRth": 1,
    "tif": "GTC",
    "conditions": [
        {
            "type": 1, "conidex": f"{AAPL}@SMART", "operator": ">=", "triggerMethod": "0", "value": "500",
            "logicBind": "n",
        }
    ],
}  # fmt: skip
Engine = Callable[..., str]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("gateway"), "--pacing", "off", "--speed", "20", config=PATIENT) as running:
        yield running


@pytest.fixture
def engine(gateway: Served, capsys: pytest.CaptureFixture[str]) -> Engine:
    """Run a command that comes to a good end; what it printed."""

    def ran(*arguments: str) -> str:
        code = run([*arguments, "--gateway", gateway.url, "--gateway-ca", str(gateway.ca)])
        said = capsys.readouterr()
        assert (code, said.err) == (0, "")
        return said.out

    return ran


def instruments(text: str) -> list[Instrument]:
    """What a configuration would make of pasted text."""
    rows = tomllib.loads(text, parse_float=Decimal)["instrument"]
    return [instrument_from(row, place="pasted") for row in rows]


def test_a_share_is_ready_to_paste(engine: Engine, tmp_path: Path) -> None:
    text = engine("find", "aapl")
    assert instruments(text) == [Instrument(conid=AAPL, symbol="AAPL", outside_hours=(330, 240))]
    assert "# APPLE INC, NASDAQ\n# OPT: MAR26 APR26 MAY26 JUN26\n" in text
    file = tmp_path / "run.toml"
    file.write_text(f'name = "pasted"\n[account]\nid = "{PAPER}"\n[[strategy]]\nuse = "pulse"\nname = "beat"\n'
                    f'instruments = ["AAPL"]\n{text}')  # fmt: skip
    assert config.load(file).instruments["AAPL"].conid == AAPL


def test_a_futures_chain(engine: Engine) -> None:
    found = instruments(engine("find", "ES", "--type", "FUT"))
    assert len(found) == 5
    names = [one.symbol for one in found]
    assert names == sorted(set(names))
    assert found[0] == Instrument(
        conid=found[0].conid,
        symbol="ES-20260320",
        sec_type=SecType.FUTURE,
        multiplier=Decimal(50),
        price_ticks=(PriceTick(Decimal(0), Decimal("0.25")),),
        exchange="CME",
        calendar="CMES",
    )
    assert instruments(engine("find", "ES", "--type", "FUT", "--month", "jun26"))[0].symbol == "ES-20260618"


def test_an_option_chain_and_its_contracts(engine: Engine) -> None:
    chain = engine("find", "AAPL", "--type", "OPT", "--month", "APR26")
    assert tomllib.loads(chain) == {}  # nothing but comments
    strike = chain.partition("calls: ")[2].split()[0]
    pair = instruments(engine("find", "AAPL", "--type", "OPT", "--month", "APR26", "--strike", strike))
    assert [one.symbol.split("-")[2] for one in pair] == [f"C{strike}", f"P{strike}"]
    assert {(one.multiplier, one.sec_type) for one in pair} == {(Decimal(100), SecType.OPTION)}
    assert instruments(engine("find", "AAPL", "--type", "OPT", "--month", "APR26", "--strike", strike, "--right", "P"))[
        0
    ] == pair[1]  # fmt: skip


def test_other_ways_to_find(engine: Engine) -> None:
    (pair,) = instruments(engine("find", "EUR.USD", "--type", "CASH"))
    assert (pair.symbol, pair.sec_type, pair.calendar, pair.exchange) == ("EUR.USD", SecType.CASH, "24/5", "IDEALPRO")
    assert [one.conid for one in instruments(engine("find", "apple", "--name"))] == [AAPL]
    assert [one.conid for one in instruments(engine("find", "IBM", "--exchange", "nyse"))] == [IBM]
    told = json.loads(engine("find", "ES", "--json"))
    assert [row["sec_type"] for row in told["instruments"]] == ["IND"]
    assert told["instruments"][0]["derived"] == ["FUT: MAR26 JUN26 SEP26 DEC26 MAR27"]


def test_history(engine: Engine) -> None:
    told = json.loads(engine("history", "AAPL", "--period", "2d", "--bar", "1h", "--json"))
    assert told["conid"] == AAPL
    times = [bar["time"] for bar in told["bars"]]
    assert times == sorted(times)
    assert all(bar["low"] <= min(bar["open"], bar["close"]) <= bar["high"] for bar in told["bars"])
    page = engine("history", str(AAPL), "--period", "2d", "--bar", "1h").splitlines()
    assert page[1].split()[:2] == [times[0][:10], times[0][11:16]]
    assert page[-1] == f"AAPL ({AAPL}): {len(page) - 2} bars of 1h"
    before = json.loads(
        engine("history", "AAPL", "--period", "1d", "--bar", "1h", "--end", "2026-02-27T21:00Z", "--json")
    )
    assert {bar["time"][:10] for bar in before["bars"]} == {"2026-02-27"}


def test_fyi(engine: Engine) -> None:
    told = json.loads(engine("fyi", "--json"))
    (fresh,) = [row for row in told["notifications"] if not row["read"]]
    assert told["unread"] == 1
    assert json.loads(engine("fyi", "--unread", "--json"))["notifications"] == [fresh]
    assert json.loads(engine("fyi", "--mark-read", fresh["id"], "--unread", "--json")) == {
        "unread": 0,
        "notifications": [],
    }
    kinds = json.loads(engine("fyi", "--off", "pf", "--json"))["kinds"]
    assert [row["active"] for row in kinds if row["code"] == "PF"] == [False]
    kinds = json.loads(engine("fyi", "--on", "PF", "--json"))["kinds"]
    assert all(row["active"] for row in kinds)
    assert "Portfolio FYIs" in engine("fyi", "--kinds")


def test_alerts(engine: Engine, gateway: Served) -> None:
    with gateway.client() as client:
        client.get("/iserver/accounts")
        number = str(client.post(f"/iserver/account/{PAPER}/alert", json=ALERT).json()["order_id"])
    assert [row["name"] for row in json.loads(engine("alerts", "--json"))["alerts"]] == ["high"]
    assert json.loads(engine("alerts", number, "--pause", "--json"))["alert"]["active"] is False
    assert json.loads(engine("alerts", number, "--resume", "--json"))["alert"]["active"] is True
    page = engine("alerts", number, "--account", PAPER)
    assert page.startswith(f"{number} high: AAPL is high\n")
    assert "500" in page
    assert engine("alerts", number, "--delete").endswith("0 alerts\n")


def test_scanner(engine: Engine) -> None:
    scans = json.loads(engine("scanner", "--json"))["scans"]
    assert "TOP_PERC_GAIN" in {row["code"] for row in scans}
    rows = json.loads(engine("scanner", "top_perc_gain", "--json"))["rows"]
    assert AAPL in {row["conid"] for row in rows}
    assert json.loads(engine("scanner", "TOP_PERC_GAIN", "--filter", "priceAbove=100000", "--json"))["rows"] == []


def test_performance(engine: Engine, gateway: Served) -> None:
    ticket = {"conid": AAPL, "side": "BUY", "orderType": "MKT", "quantity": 3, "tif": "DAY"}
    with gateway.client() as client:
        client.get("/iserver/accounts")
        client.post(f"/iserver/account/{PAPER}/orders", json={"orders": [ticket]}).raise_for_status()
    gateway.advance(10)
    (bought,) = json.loads(engine("performance", "--transactions", str(AAPL), "--json"))["rows"]
    (execution,) = gateway.state()["executions"]
    assert (float(bought["quantity"]), float(bought["price"])) == (3, execution["price"])
    assert "1 transactions" in engine("performance", "--transactions", str(AAPL))
    days = json.loads(engine("performance", "--period", "7D", "--json"))["nav"]
    page = engine("performance", "--period", "7D").splitlines()
    assert len(page) == len(days["dates"]) + 2
    assert page[1].startswith("2026-02-24")
    assert {line.split()[0] for line in engine("performance", "--all-periods").splitlines()[1:]} >= {"1D", "1Y"}


def test_watchlists(engine: Engine) -> None:
    told = json.loads(engine("watchlists", "9", "--save", "mine", "--conids", f"{AAPL},{IBM}", "--json"))["list"]
    assert [(row["conid"], row["ticker"]) for row in told["items"]] == [(AAPL, "AAPL"), (IBM, "IBM")]
    assert [row["id"] for row in json.loads(engine("watchlists", "--json"))["lists"]] == ["9"]
    assert engine("watchlists", "9").endswith("9 mine\n")
    assert engine("watchlists", "9", "--delete").endswith("0 lists\n")


@pytest.mark.parametrize("width", [80, 140])
def test_pages_fit_their_terminal(engine: Engine, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for line in (
        "find AAPL --type OPT", "find ES --type FUT", "history AAPL", "fyi", "fyi --kinds", "alerts", "scanner",
        "scanner MOST_ACTIVE", "performance", "performance --all-periods", "watchlists",
    ):  # fmt: skip
        assert max(map(len, engine(*line.split()).splitlines())) <= width, line


def test_a_daemon_s_folder_names_its_gateway(
    gateway: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gateway.json").write_text(json.dumps({"url": gateway.url, "ca": str(gateway.ca)}))
    assert run(["find", "IBM", "--state-dir", str(tmp_path)]) == 0
    assert instruments(capsys.readouterr().out)[0].conid == IBM


def test_a_brokerage_session_that_is_down_is_opened(gateway: Served, engine: Engine) -> None:
    with gateway.client() as client:
        fault = {"fault": [{"do": "session-reset", "at_s": 0}]}
        client.post(f"{gateway.root}/sim/faults", json=fault).raise_for_status()
        gateway.advance(1)
        assert client.post("/iserver/auth/status", json={}).json()["authenticated"] is False
    assert instruments(engine("find", "IBM"))[0].conid == IBM


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["find", "NOSUCH"], "nothing is found for NOSUCH"),
        (["find", " "], "the symbol is empty"),
        (["find", "AAPL", "--type", "OPT", "--month", "DEC99"], "its months are MAR26, APR26, MAY26, JUN26"),
        (["find", "AAPL", "--type", "OPT", "--strike", "1"], "with the strike 1"),
        (["find", "AAPL", "--strike", "x"], "is no number"),
        (["find", "AAPL", "--account", "U1"], "the gateway has no account U1"),
        (["history", "NOSUCH"], "there is no stock NOSUCH"),
        (["history", "99"], "99"),
        (["history", "AAPL", "--bar", "7"], "is no span"),
        (["history", "AAPL", "--end", "soon"], "is no time"),
        (["fyi", "--on", "XX"], "there is no kind XX"),
        (["fyi", "--mark-read", "1"], "there is no notification 1"),
        (["alerts", "--delete"], "give its ID"),
        (["alerts", "5"], "no alert 5"),
        (["scanner", "NOSUCH"], "NOSUCH"),
        (["scanner", "TOP_PERC_GAIN", "--filter", "x"], "is no filter"),
        (["watchlists", "5"], "there is no watchlist 5"),
        (["watchlists", "x"], "is a number"),
        (["watchlists", "--delete"], "give the ID"),
        (["watchlists", "5", "--save", "mine"], "belong together"),
    ],
)
def test_bad_input_is_one_sentence(
    gateway: Served, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run([*arguments, "--gateway", gateway.url, "--gateway-ca", str(gateway.ca)]) == 2
    _one_sentence(capsys.readouterr(), said)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--gateway", "localhost:5000"], 2, "a base URL looks like"),
        (["--gateway", "https://localhost:9/v1/api"], 1, "nobody answers there"),
        (["--gateway-ca", "/nonexistent.pem"], 2, "/nonexistent.pem"),
        (["--state-dir", "/nonexistent"], 2, "it holds no gateway"),
        (["--state-dir", "/nonexistent", "--gateway", "https://localhost:9/v1/api"], 2, "not both"),
    ],
)
def test_a_gateway_that_can_t_be_used(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert run(["find", "AAPL", *arguments]) == code
    _one_sentence(capsys.readouterr(), said)


def test_a_certificate_nobody_vouches_for(gateway: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fyi", "--gateway", gateway.url]) == 1
    _one_sentence(capsys.readouterr(), "its certificate is not trusted")


def test_a_venue_that_is_asked_too_often(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(tmp_path) as running:
        asked = ["scanner", "--gateway", running.url, "--gateway-ca", str(running.ca)]
        assert run(asked) == 0
        capsys.readouterr()
        assert run([*asked, "--json"]) == 1
    _one_sentence(capsys.readouterr(), "too many requests")


def _one_sentence(said: Any, words: str) -> None:
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if not line.startswith(("Usage:", "Try ", "Error:")) and line]
    assert words in said.err
    assert len(lines) <= 1
