"""A run over a split and dividends: equity goes on without a step, and a loop that knows no engine agrees."""

from __future__ import annotations

import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from engine import app
from engine.config import load
from engine.domain.instrument import Instrument
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.errors import InputError
from engine.journal.run import RunJournal
from engine.recording.head import Head
from engine.recording.writer import RecordingWriter, seal, write_head
from engine.report.document import result_document
from engine.runtime.outcome import Outcome
from tests.endtoend.small import LOOSE

X = Instrument(conid=7, symbol="X", calendar="24/7")
Z = Instrument(conid=8, symbol="Z", calendar="24/7")
MIDNIGHT = 19_787 * NS_PER_DAY  # 2024-03-05, UTC
# Quotes of X as traded: minutes from the split's midnight, and the bid; the ask is two cents higher. Z is always 10.00.
QUOTES = [(-30, 30.00), (-20, 30.30), (-10, 30.60), (5, 20.40), (10, 20.50), (1450, 20.00), (1460, 20.10)]
OTHERS = [-31, -15, -5, 1, 2, 3, 7, 1439, 1441, 1455]
ACTIONS = """
[[splits]]
conid = 7
day = 2024-03-05
ratio = "3/2"
[[dividends]]
conid = 7
day = 2024-03-05
amount = "0.30"
[[dividends]]
conid = 7
day = 2024-03-06
amount = "0.25"
"""
STRATEGIES = """
from engine.strategy.api import Strategy

class Holds(Strategy):
    def on_start(self):
        self.heard = []
    def on_quote(self, quote):
        if quote.conid != 7:
            return
        if not self.heard:
            self.heard.append("bought")
            self.ctx.buy("X", 11)
            self.ctx.buy("X", 5, limit=1.00, tif="GTC")
            self.ctx.buy("Z", 1, limit=1.00, tif="GTC")
        elif quote.bid == 20.10:
            self.ctx.sell("X", self.ctx.position("X").quantity)
    def on_order(self, order):
        if not order.is_open:
            position = self.ctx.position("X")
            self.ctx.log("closed", coid=order.coid, why=order.reason, units=str(position.quantity))

class Shorts(Strategy):
    def on_quote(self, quote):
        if quote.conid == 7 and not self.ctx.position("X").quantity:
            self.ctx.sell("X", 4)
"""
CONFIG = """
name = "actions"
[recording]
path = "data"
[account]
cash = { USD = 1_000 }
[[strategy]]
use = "./some.py:Holds"
name = "long"
instruments = ["X", "Z"]
[[strategy]]
use = "./some.py:Shorts"
name = "short"
instruments = ["X"]
[risk.account]
LOOSE
[venue]
fills = "same_event"
fees = "none"
latency_ms = { place = 0, modify = 0, cancel = 0 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = sorted([(at, 7, bid) for at, bid in QUOTES] + [(at, 8, 10.0) for at in OTHERS])
    bids = np.array([bid for _, _, bid in rows])
    root = tmp_path / "data"
    write_head(root, Head(name="actions", generated=True, instruments=(X, Z)))
    with RecordingWriter(root) as writer:
        writer.append(
            Kind.QUOTES,
            {
                "ts_ns": MIDNIGHT + np.array([at for at, _, _ in rows], np.int64) * NS_PER_MINUTE,
                "conid": np.array([conid for _, conid, _ in rows], np.int64),
                "bid": bids,
                "ask": np.round(bids + 0.02, 2),
                "bid_size": np.full(len(rows), 1e6),
                "ask_size": np.full(len(rows), 1e6),
            },
        )
    seal(root)
    (root / "corporate_actions.toml").write_text(ACTIONS)
    (tmp_path / "some.py").write_text(STRATEGIES)
    (tmp_path / "run.toml").write_text(CONFIG.replace("LOOSE", LOOSE))
    return tmp_path


def run(folder: Path, *changes: str) -> tuple[Outcome, list[tuple[int, str, str, str]]]:
    with closing(RunJournal()) as journal:
        outcome = app.run(app.prepare(load(folder / "run.toml", list(changes))), journal)
        rows = [(ts, kind, name, body.decode()) for ts, kind, name, body in journal.rows()]
    assert dict(outcome.off) == {}
    return outcome, rows


def plain_equity(ts_ns: int) -> float:
    """What the account is worth at a time, by a loop over quotes and actions: long 11 bought, short 4 sold at the first
    quote, 11 x 3/2 = 16 and half a share paid out, 4 x 3/2 = 6; the long is sold at the last quote."""
    cash, long, short, bid, ask = 1000.0, 0.0, 0.0, 0.0, 0.0
    day = NS_PER_DAY // NS_PER_MINUTE
    story = sorted([(at, 1, price) for at, price in QUOTES] + [(0.0, 0, 0.0), (float(day), 0, 0.0)])
    for at, quoted, price in story:
        if MIDNIGHT + at * NS_PER_MINUTE > ts_ns:
            break
        if quoted:
            bid, ask = price, round(price + 0.02, 2)
            if at == -30:
                cash, long, short = cash - 11 * ask + 4 * bid, 11.0, 4.0
            elif price == 20.10:
                cash, long = cash + 16 * bid, 0.0
        elif at == 0:
            cash += 0.30 * (long - short)
            bid, ask = bid - 0.30, ask - 0.30  # what was said before has the dividend in it
            mid = (bid + ask) / 2
            cash += 0.5 * mid / 1.5
            long, short, bid, ask = 16.0, 6.0, bid / 1.5, ask / 1.5
        else:
            cash += 0.25 * (long - short)
            bid, ask = bid - 0.25, ask - 0.25
    return cash + long * bid - short * ask


def test_equity_goes_on_over_split_and_dividends(folder: Path) -> None:
    outcome, _ = run(folder)
    curve = outcome.equity
    assert len(curve.ts_ns) > 15
    for ts_ns, equity in zip(curve.ts_ns.tolist(), curve.equity.tolist(), strict=True):
        if ts_ns not in (MIDNIGHT + 1, MIDNIGHT + NS_PER_DAY + 1):  # the loop has them at the very midnight
            assert equity == pytest.approx(plain_equity(ts_ns), abs=1e-8), (ts_ns - MIDNIGHT) / NS_PER_MINUTE
    # Nothing has happened in X from the last quote of before to the first one after, but half a spread on half an old
    # share.
    before, after = (curve.equity[curve.ts_ns <= MIDNIGHT + at * NS_PER_MINUTE][-1] for at in (0, 4))
    assert after - before == pytest.approx(0.5 * 0.01 / 1.5, abs=1e-8)
    assert [(one.strategy, one.kind, str(one.cash)) for one in outcome.booked] == [
        ("long", "dividend", "3.30"),
        ("short", "dividend", "-1.20"),
        ("long", "split", "0"),
        ("long", "cash in lieu", "10.10333333"),  # half of 2/3 of 30.61 less 0.30
        ("short", "split", "0"),
        ("long", "dividend", "4.00"),
        ("short", "dividend", "-1.50"),
    ]
    assert outcome.dividends == Decimal("4.60")


def test_the_account_adds_up_to_the_last_digit(folder: Path) -> None:
    outcome, _ = run(folder)
    realised = sum(position.realised for position in outcome.positions)
    cost = sum(position.cost for position in outcome.positions)
    held = {(one.strategy, one.conid): one.quantity for one in outcome.positions}
    assert held == {("long", 7): 0, ("short", 7): -6}
    cash: Decimal | int = sum(
        -fill.fill.quantity * fill.fill.price * (1 if fill.fill.side == "BUY" else -1) for fill in outcome.fills
    )
    cash = cash + 1000 + sum(one.cash for one in outcome.booked)
    assert cash + cost == outcome.deposit + realised - outcome.fees + outcome.dividends
    document = result_document(outcome)
    assert document["dividends"] == 4.6
    assert document["exact"]["dividends"] == "4.60"
    assert len(document["corporate_actions"]) == 7
    parts = document["by_strategy"]
    assert (parts["long"]["dividends"], parts["short"]["dividends"]) == (7.3, -2.7)
    whole = sum(part["pnl"] for part in parts.values())
    assert whole == pytest.approx(document["pnl"], abs=0.011)
    by_parts = sum(part["realised"] + part["unrealised"] - part["fees"] + part["dividends"] for part in parts.values())
    assert by_parts == pytest.approx(document["pnl"], abs=0.03)
    (trip,) = (one for one in [document["statistics"]] if one["round_trips"] == 1)
    # The long's trip: sold 16 at 20.10, bought 11 at 30.02, dividends 3.30 + 4.00, and what the half share brought.
    assert trip["best_trip"] == pytest.approx(16 * 20.10 - 11 * 30.02 + 7.30 + 10.10333333, abs=1e-6)


def test_the_resting_order_goes_and_its_strategy_sees_the_new_position(folder: Path) -> None:
    _, rows = run(folder)
    told = [json.loads(body) for _, kind, name, body in rows if kind == "log" and name == "long"]
    assert [(one["coid"], one["why"], one["units"]) for one in told] == [
        ("long-000001", "", "11"),
        ("long-000002", "split", "16"),
        ("long-000004", "", "0"),
    ]
    kinds = [(ts - MIDNIGHT, kind, name) for ts, kind, name, _ in rows if kind in ("action", "booked")]
    assert kinds[:7] == [
        (1, "action", "7"),
        (1, "action", "7"),
        *[(1, "booked", name) for name in ("long", "short", "long", "long", "short")],
    ]


@pytest.mark.parametrize(
    "change",
    ["replay.pipeline=fused", "replay.window=1", "replay.chunk=1", "replay.chunk=3", "replay.chunk=7"],
)
def test_wiring_changes_nothing(folder: Path, change: str) -> None:
    base, _ = run(folder)
    other, _ = run(folder, change)
    assert other.hash == base.hash
    assert np.array_equal(other.equity.ts_ns, base.equity.ts_ns)
    assert np.array_equal(other.equity.equity, base.equity.equity)


def test_adjusted_prices_split_nothing_and_pay_the_dividend_of_before_a_new_share(folder: Path) -> None:
    outcome, _ = run(folder, "recording.adjust_splits=true")
    assert [(one.strategy, one.kind, str(one.cash)) for one in outcome.booked] == [
        ("long", "dividend", "2.20000000"),  # 11 new shares were 22/3 old ones, at 0.30
        ("short", "dividend", "-0.80000000"),
        ("long", "dividend", "2.75"),
        ("short", "dividend", "-1.00"),
    ]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ('recording.end="2024-03-04T23:59"', set()),
        ('recording.start="2024-03-05"', {"dividend"}),  # begins with the day of the split
        ('recording.end="2024-03-05T12:00"', {"dividend", "split", "cash in lieu"}),
    ],
)
def test_only_what_comes_due_within_the_run_counts(folder: Path, change: str, kinds: set[str]) -> None:
    outcome, _ = run(folder, change)
    assert {one.kind for one in outcome.booked} == kinds


def test_a_dividend_in_a_currency_without_a_price_is_refused(folder: Path) -> None:
    path = folder / "data" / "corporate_actions.toml"
    path.write_text(path.read_text() + 'currency = "EUR"\n')
    with pytest.raises(InputError, match="EUR is held, traded or paid"):
        run(folder)
    outcome, _ = run(folder, "account.fx_rates.EUR=1.5")
    assert outcome.dividends == Decimal("2.10") + Decimal("2.50") * Decimal("1.5")


def test_the_checker_finds_nothing_in_it(folder: Path) -> None:
    from engine.checker import check_run

    assert check_run(load(folder / "run.toml")) == []


def test_times_are_those_of_the_recordings_zone(folder: Path) -> None:
    head = folder / "data" / "recording.toml"
    head.write_text(head.read_text().replace('time_zone = "UTC"', 'time_zone = "Europe/Berlin"'))
    prepared = app.prepare(load(folder / "run.toml"))
    assert [one.ts_ns for one in prepared.actions][:1] == [MIDNIGHT + 23 * 3600 * NS_PER_S + 1]
