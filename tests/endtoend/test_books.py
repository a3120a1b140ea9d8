"""Runs whose books have more than trades in them: interest, borrow fees, dividends, moving rates, margin, mergers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import app
from engine.config import load
from engine.domain.instrument import Instrument, SecType
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE
from engine.errors import InputError
from engine.journal.run import RunJournal
from engine.recording.head import Head
from engine.recording.writer import RecordingWriter, seal, write_head
from engine.report.document import result_document
from engine.report.statistics import work_out
from engine.report.wording import money_lines
from engine.runtime.outcome import Outcome
from tests.endtoend.small import LOOSE

D = Decimal
A = Instrument(conid=1, symbol="A", calendar="24/7")
B = Instrument(conid=2, symbol="B", calendar="24/7")
E = Instrument(conid=3, symbol="E", calendar="24/7", currency="EUR")
PAIR = Instrument(conid=4, symbol="EUR.USD", calendar="24/7", sec_type=SecType.CASH)
OPTION = Instrument(conid=5, symbol="O", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(100))
FRIDAY = 19_811 * NS_PER_DAY  # 2024-03-29, UTC
HOUR = 60 * NS_PER_MINUTE
Row = tuple[float, int, float]  # hours from Friday's midnight, conid, middle of the quote

STRATEGIES = """
from engine.strategy.api import Strategy

class Does(Strategy):
    \"\"\"At each time (hours), an order: symbol and signed units.\"\"\"
    def on_start(self):
        self.told = []
        self.todo = list(PLAN)
    def on_quote(self, quote):
        for at, symbol, units, limit in list(self.todo):
            if quote.ts_ns >= START + int(at * 3600) * 10**9:
                self.todo.remove((at, symbol, units, limit))
                trade = self.ctx.buy if units > 0 else self.ctx.sell
                trade(symbol, abs(units), limit=limit, tif="GTC" if limit else "DAY")
    def on_order(self, order):
        if not order.is_open:
            self.ctx.log("ended", coid=order.coid, why=order.reason, code=order.code)
"""
CONFIG = """
name = "books"
[recording]
path = "data"
[account]
cash = { USD = 200_000 }
[[strategy]]
use = "./some.py:Does"
name = "does"
instruments = INSTRUMENTS
[risk.account]
LOOSE
[venue]
fills = "same_event"
fees = "none"
latency_ms = { place = 0, modify = 0, cancel = 0 }
"""
Plan = Sequence[tuple[float, str, int, float | None]]


def made(folder: Path, rows: Sequence[Row], plan: Plan, instruments: Sequence[Instrument], actions: str = "") -> None:
    rows = sorted(rows)
    middle = np.array([price for _, _, price in rows])
    root = folder / "data"
    write_head(root, Head(name="books", generated=True, instruments=tuple(instruments)))
    with RecordingWriter(root) as writer:
        writer.append(
            Kind.QUOTES,
            {
                "ts_ns": FRIDAY + np.array([round(at * 60) for at, _, _ in rows], np.int64) * NS_PER_MINUTE,
                "conid": np.array([conid for _, conid, _ in rows], np.int64),
                "bid": np.round(middle - 0.01, 4),
                "ask": np.round(middle + 0.01, 4),
                "bid_size": np.full(len(rows), 1e6),
                "ask_size": np.full(len(rows), 1e6),
            },
        )
    seal(root)
    if actions:
        (root / "corporate_actions.toml").write_text(actions)
    (folder / "some.py").write_text(f"PLAN = {list(plan)!r}\nSTART = {FRIDAY}\n{STRATEGIES}")
    traded = json.dumps(sorted({symbol for _, symbol, _, _ in plan}))
    (folder / "run.toml").write_text(CONFIG.replace("LOOSE", LOOSE).replace("INSTRUMENTS", traded))


def run(folder: Path, *changes: str) -> tuple[Outcome, list[tuple[int, str, str, Any]]]:
    with closing(RunJournal()) as journal:
        outcome = app.run(app.prepare(load(folder / "run.toml", list(changes))), journal)
        rows = [(ts, kind, name, json.loads(body)) for ts, kind, name, body in journal.rows()]
    assert dict(outcome.off) == {}
    return outcome, rows


def adds_up(outcome: Outcome) -> None:
    """The law by currency, what is owed on both sides; and the same in base currency, as the page shows it."""
    for row in outcome.currencies:
        earned = row.realised - row.fees + row.interest - row.borrow + row.dividends - row.withheld
        assert row.cash + row.owed + row.cost == row.deposits + earned
    document = result_document(outcome)
    parts = document["by_strategy"].values()
    interest = document["interest"] if not outcome.rated else document["pnl"] - sum(one["pnl"] for one in parts)
    assert sum(one["pnl"] for one in parts) + interest == pytest.approx(document["pnl"], abs=0.011)
    assert document["daily"][-1]["equity"] == pytest.approx(document["final_equity"], abs=0.011)
    for one in parts:
        whole = one["realised"] + one["unrealised"] - one["fees"] + one["dividends"] - one["borrow"]
        assert whole + one.get("currency_effect", 0.0) == pytest.approx(one["pnl"], abs=0.03)


def equity_at(outcome: Outcome, ts_ns: int) -> float:
    """The last point of the curve that is not after a time."""
    return float(outcome.equity.equity[outcome.equity.ts_ns <= ts_ns][-1])


SHORT: list[Row] = [(10 + 12 * at, 1, 30.01) for at in range(12)]  # from Friday 10:00 to Wednesday 22:00
FINANCED = ('books.financing="ibkr-pro-2026"', "books.benchmark.USD=4.83", "books.borrow.A=3.6")


def test_interest_and_borrow_fees_of_six_nights(tmp_path: Path) -> None:
    made(tmp_path, [*SHORT, (6 * 24 + 1, 1, 30.01)], [(10, "A", -100, None)], [A])
    outcome, rows = run(tmp_path, *FINANCED)
    # Sold at 30.00: cash 203,000. Collateral: 30.01 x 1.02 = 30.6102, so 31 x 100 = 3,100.
    # Interest: (203,000 - 3,100 - 10,000) x (4.83 - 0.50) % / 360 = 189,900 x 0.0433 / 360 = 22.84075 a night.
    # Fee: 3,100 x 3.6 % / 360 = 0.31 a night.
    # Nights to Saturday, Sunday, Monday are March's: 68.52225 and 0.93, paid as Wednesday the 3rd of April begins,
    # after the night to Wednesday has been counted. The night to Thursday has 67.59225 more:
    # 189,967.59225 x 0.0433 / 360 = 22.84887985 (rounded at the eighth place).
    (row,) = outcome.currencies
    assert row.interest == 5 * D("22.84075") + D("22.84887985")
    assert row.borrow == 6 * D("0.31")
    assert row.cash == 203_000 + D("68.52225") - D("0.93")
    assert row.owed == row.interest - row.borrow - D("67.59225")
    adds_up(outcome)
    assert (outcome.interest, outcome.borrow) == (row.interest, row.borrow)
    posted = [(ts - FRIDAY, body["kind"], body["cash"]) for ts, kind, _, body in rows if kind == "posted"]
    assert posted[:2] == [(NS_PER_DAY + 1, "borrow fee", "0"), (NS_PER_DAY + 1, "interest", "0")]
    paid = [one for one in posted if one[2] != "0"]
    assert paid == [(5 * NS_PER_DAY + 1, "borrow fee", "-0.93000000"), (5 * NS_PER_DAY + 1, "interest", "68.52225000")]
    lines = money_lines(outcome)
    assert (outcome.equity.ts_ns % NS_PER_DAY > 1).all()  # interest makes no points: a Sunday is no trading day
    assert set(lines) == {"USD interest", "USD borrow fees", "USD owed at the end"}
    assert any(name == "financing" and "ibkr-pro-2026" in said for name, said in outcome.assumptions)


def test_after_a_split_shares_are_borrowed_at_a_price_of_its_units(tmp_path: Path) -> None:
    """Short 100 at 50.00, ten for one on Saturday, and the next price on Monday evening.

    Friday: 100 x 51 = 5,100 at 3.6 % / 360: 0.51. Then 1,000 x 6 (102 % of 5.00, rounded up) = 6,000: 0.60 a night.
    """
    rows: list[Row] = [(9, 1, 50.0), (10, 1, 50.0), (92, 1, 5.0), *((9 + 6 * at, 2, 10.0) for at in range(15))]
    split = '[[splits]]\nconid = 1\nday = 2024-03-30\nratio = "10/1"\n'
    made(tmp_path, rows, [(9, "A", -100, None), (9, "B", 1, None)], [A, B], split)
    outcome, _ = run(tmp_path, *FINANCED)
    fees = [one.accrued for one in outcome.postings if one.kind == "borrow fee"]
    assert fees == [-D("0.51"), -D("0.60"), -D("0.60")]
    adds_up(outcome)


def test_without_the_setting_nothing_is_booked(tmp_path: Path) -> None:
    made(tmp_path, SHORT, [(10, "A", -100, None)], [A])
    outcome, rows = run(tmp_path)
    assert (outcome.postings, outcome.interest, outcome.borrow, money_lines(outcome)) == ((), D(0), D(0), {})
    assert {kind for _, kind, _, _ in rows} & {"posted", "action"} == set()


@pytest.mark.parametrize("change", ["replay.pipeline=fused", "replay.window=1", "replay.chunk=1", "replay.chunk=4"])
def test_wiring_changes_nothing(tmp_path: Path, change: str) -> None:
    rates = [(10 + 12 * at, 4, 1.05 + at / 100) for at in range(12)]
    euros = [(9.0, 3, 40.0), *((11 + 12 * at, 3, 40.0 + at) for at in range(12))]
    plan = [(10, "A", -100, None), (11, "E", 50, None), (60, "E", -20, None)]
    pay = '[[dividends]]\nconid = 1\nday = 2024-03-31\namount = "0.5"\npay_day = 2024-04-02\n'
    made(tmp_path, [*SHORT, *rates, *euros], plan, [A, E, PAIR], pay)
    settings = [*FINANCED, 'books.fx="recording"', "account.fx_rates.EUR=1.04", "books.withholding=0.15"]
    settings += ['books.margin="reg-t"', "risk.account.daily_loss_max=100_000"]
    base, _ = run(tmp_path, *settings)
    other, _ = run(tmp_path, *settings, change)
    assert base.postings
    assert base.rated
    assert (other.hash, other.currencies, other.rated) == (base.hash, base.currencies, base.rated)
    assert np.array_equal(other.equity.equity, base.equity.equity)
    adds_up(base)


def test_a_dividend_is_in_equity_from_the_ex_date_and_in_cash_from_the_pay_date(tmp_path: Path) -> None:
    pay = '[[dividends]]\nconid = 1\nday = 2024-03-30\namount = "0.5"\npay_day = PAY\n'
    made(tmp_path, SHORT, [(10, "A", 1000, None), (34, "A", -1000, None)], [A], pay.replace("PAY", "2024-04-01"))
    outcome, _ = run(tmp_path, "books.withholding=0.15")
    # Bought at 30.02, sold at 30.00 on Saturday: -20; 500 of dividends less 75.
    assert (outcome.pnl, outcome.dividends, outcome.withheld) == (D(405), D(500), D(75))
    # Held over the ex-date at a bid of 30.00: 20 down already.
    assert equity_at(outcome, FRIDAY + NS_PER_DAY) == pytest.approx(200_000 - 20)
    assert equity_at(outcome, FRIDAY + 34 * HOUR) == pytest.approx(200_000 - 20 + 425)
    assert outcome.currencies[0].cash == 200_405
    adds_up(outcome)
    (tmp_path / "data" / "corporate_actions.toml").write_text(pay.replace("PAY", "2024-04-20"))
    later, _ = run(tmp_path, "books.withholding=0.15")  # the run ends before it is paid
    assert (later.pnl, later.currencies[0].owed, later.currencies[0].cash) == (D(405), D(425), D(199_980))
    adds_up(later)


def test_rates_of_the_recordings_pair(tmp_path: Path) -> None:
    pair = [(9.0, 4, 1.10), (20.0, 4, 1.20), (30.0, 4, 1.30), (60.0, 4, 1.40)]
    euros = [(9.0, 3, 40.0), (11.0, 3, 40.0), (30.0, 3, 50.0), (60.0, 3, 50.0)]
    made(tmp_path, [*pair, *euros], [(10, "E", 100, None)], [E, PAIR])
    settings = ('books.fx="recording"', "account.fx_rates.EUR=1.0", "account.cash.EUR=10_000")
    outcome, rows = run(tmp_path, *settings)
    # Friday at 1.00, Saturday at 1.20 (Friday's last), Sunday at 1.30. 100 bought at 40.01, bid 39.99, then 49.99.
    assert outcome.deposit == 210_000
    assert equity_at(outcome, FRIDAY + NS_PER_DAY) == pytest.approx(200_000 + 9_998 * 1.00)
    assert equity_at(outcome, FRIDAY + 30 * HOUR - 1) == pytest.approx(200_000 + 9_998 * 1.00)  # no midnight is a point
    assert equity_at(outcome, FRIDAY + 40 * HOUR) == pytest.approx(200_000 + 10_998 * 1.20)
    assert outcome.final_equity == 200_000 + D(10_998) * D("1.3")
    assert [(ts - FRIDAY, unit, rate) for ts, unit, rate in outcome.rated] == [
        (NS_PER_DAY + 1, "EUR", D("1.2")),
        (2 * NS_PER_DAY + 1, "EUR", D("1.3")),
    ]
    assert [body["rate"] for _, kind, _, body in rows if kind == "action"] == ["1.2", "1.3"]
    euro = next(row for row in outcome.currencies if row.currency == "EUR")
    assert (euro.rate, euro.pnl, euro.unrealised) == (D("1.3"), D(998), D(998))
    assert money_lines(outcome)["EUR in USD"] == "1.3"
    assert any("Rates moved" in note for note in work_out(outcome).notes)
    adds_up(outcome)


def test_rates_of_a_dated_table(tmp_path: Path) -> None:
    euros = [(9.0, 3, 40.0), (11.0, 3, 40.0), (30.0, 3, 40.0), (60.0, 3, 40.0)]
    made(tmp_path, euros, [(10, "E", 100, None)], [E])
    row = '[[rates]]\ncurrency = "EUR"\n'
    days = (("2024-03-01", "1.08"), ("2024-03-20", "1.1"), ("2024-03-31", "1.2"), ("2024-05-01", "9"))
    table = "".join(f"{row}valid_from = {day}\nrate = {rate}\n" for day, rate in days)
    (tmp_path / "rates.toml").write_text(f'name = "mine"\n{table}')
    outcome, _ = run(tmp_path, 'books.fx="rates.toml"', "account.cash.EUR=10_000")
    assert outcome.deposit == 200_000 + 11_000
    assert outcome.final_equity == 200_000 + D(9_998) * D("1.2")
    assert [rate for _, _, rate in outcome.rated] == [D("1.2")]
    adds_up(outcome)
    with pytest.raises(InputError, match="no currency pair of EUR"):
        run(tmp_path, 'books.fx="recording"', "account.fx_rates.EUR=1")


@pytest.mark.parametrize(("most", "latched"), [("99_100", True), ("99_100.02", False)])
def test_interest_and_a_new_rate_at_one_midnight_count_once_each(tmp_path: Path, most: str, latched: bool) -> None:
    """A million euros earn 36 % / 360 = 1,000 a night. On Saturday a euro falls from 1.00 to 0.90: of 1,200,000 there
    are 200,000 + 1,001,000 x 0.90 = 1,100,900 left, less 0.01 for the spread."""
    (tmp_path / "euro.toml").write_text(
        'name = "euro"\n[[terms]]\ncurrency = "EUR"\nvalid_from = 2024-01-01\ncredit = [{ spread = 0 }]\n'
        '[[benchmarks]]\ncurrency = "EUR"\nvalid_from = 2024-01-01\nrate = 36\n'
    )
    rate = '[[rates]]\ncurrency = "EUR"\nvalid_from = {}\nrate = {}\n'
    (tmp_path / "fx.toml").write_text(
        'name = "fx"\nsource = "me"\n' + rate.format("2024-01-01", 1) + rate.format("2024-03-30", "0.9")
    )
    made(tmp_path, [(9, 1, 30.01), (10, 1, 30.01), (25, 1, 30.01)], [(9, "A", 1, None)], [A])
    settings = "account.cash={USD=200_000,EUR=1_000_000}", 'books.financing="./euro.toml"', 'books.fx="./fx.toml"'
    outcome, rows = run(tmp_path, *settings, f"risk.account.daily_loss_max={most}")
    assert outcome.final_equity == D("1100899.99") - D("0.01")  # it would be sold a cent lower
    assert [(ts - FRIDAY) // HOUR for ts, kind, _, _ in rows if kind == "latched"] == ([24] if latched else [])


def test_a_conversion_with_the_first_row_and_one_later(tmp_path: Path) -> None:
    made(tmp_path, SHORT, [(10, "A", 1, None)], [A])
    with (tmp_path / "run.toml").open("a") as config:
        for day, sell, amount, buy, bought in (
            ("2024-03-29", "USD", 10_800, "EUR", 10_000),
            ("2024-03-31", "EUR", 4_000, "USD", 4_400),
            ("2024-05-01", "EUR", 1, "USD", 1),
        ):
            config.write(f'[[books.conversions]]\nday = {day}\nsell = "{sell}"\namount = {amount}\n')
            config.write(f'buy = "{buy}"\nbought = {bought}\n')
    outcome, _ = run(tmp_path, "account.fx_rates.EUR=1.1")
    dollars, euros = (next(row for row in outcome.currencies if row.currency == unit) for unit in ("USD", "EUR"))
    assert (euros.cash, euros.deposits, dollars.deposits) == (D(6_000), D(6_000), D(193_600))
    # 10,000 euros for 10,800 are 200 gained at 1.10; the second is at the rate. The share: bought 30.02, bid 30.00.
    assert outcome.pnl == 200 - D("0.02")
    assert equity_at(outcome, FRIDAY + 11 * HOUR) == pytest.approx(200_200 - 0.02)
    for row in outcome.currencies:
        assert row.cash + row.owed + row.cost == row.deposits + row.realised - row.fees


def test_a_merger_and_an_expiry_end_orders_and_carry_positions(tmp_path: Path) -> None:
    quotes = [(9.0, 1, 30.0), (9.0, 2, 60.0), (9.0, 5, 2.0), (10.0, 1, 30.0), (11.0, 5, 2.0), (12.0, 2, 60.0)]
    later = [(25.0, 2, 62.0), (26.0, 1, 31.0), (27.0, 2, 64.0)]
    plan = [(10, "A", 101, None), (10, "A", 5, 1.0), (10, "O", -2, None), (26, "B", -50, None)]
    actions = """
[[mergers]]
conid = 1
day = 2024-03-30
into = 2
ratio = "1/2"
[[expiries]]
conid = 5
day = 2024-03-29
"""
    made(tmp_path, [*quotes, *later], plan, [A, B, OPTION], actions)
    outcome, rows = run(tmp_path, "account.cash.USD=100_000")
    # 101 A at 30.01 cost 3,031.01 and become 50.5 B; the half costs 3,031.01 x 0.5 / 50.5 = 30.01 and brings 30 (B's
    # last middle is 60). 50 B for 3,001.00 are sold at 61.99, B's bid then. 2 options at 1.99 x 100 end worthless: 398.
    profit = D("-0.01") + 50 * D("61.99") - 3001 + 398
    assert outcome.pnl == profit
    ended = {body["coid"]: body["why"] for _, kind, _, body in rows if kind == "log" and body.get("event") == "ended"}
    assert ended["does-000002"] == "merger"
    kinds = [(one.kind, one.conid, str(one.after)) for one in outcome.booked]
    assert kinds == [("expiry", 5, "0"), ("merger", 1, "0"), ("merger", 2, "50"), ("cash in lieu", 2, "50")]
    adds_up(outcome)
    trips = work_out(outcome).trips
    assert sum((trip.net for trip in trips), D(0)) == profit
    assert outcome.instruments.keys() == {1, 2, 5}


def test_what_is_traded_may_become_what_no_strategy_named(tmp_path: Path) -> None:
    actions = '[[spin_offs]]\nconid = 1\nday = 2024-03-30\ninto = 2\nratio = "1/10"\ncost_share = "0.1"\n'
    made(tmp_path, [*SHORT, (11.0, 2, 20.0), (50.0, 2, 25.0)], [(10, "A", 100, None)], [A, B, E], actions)
    outcome, _ = run(tmp_path)
    assert set(outcome.instruments) == {1, 2}
    held = {one.conid: (one.quantity, one.cost) for one in outcome.positions}
    assert held == {1: (D(100), D("2701.8")), 2: (D(10), D("300.2"))}  # 3,002 at nine tenths and a tenth
    assert outcome.pnl == 100 * D("30.00") + 10 * D("24.99") - 3002
    adds_up(outcome)


@pytest.mark.parametrize(
    ("margin", "units", "refused"),
    [
        # 200,000 of net worth; a share at 30.01 (the middle).
        ("cash", 6_664, False),  # 199,986.64
        ("cash", 6_665, True),  # 200,016.65
        ("cash", -1, True),
        ("reg-t", 13_328, False),  # half of 399,973.28
        ("reg-t", 13_330, True),
        ("reg-t", -13_328, False),
        ("reg-t", -13_330, True),
        ("portfolio", 44_429, False),  # 15 % of 1,333,314.29 = 199,997.14
        ("portfolio", 44_430, True),  # 200,001.65
        ("none", 44_430, False),
    ],
)
def test_margin_tiers_at_their_bound(tmp_path: Path, margin: str, units: int, refused: bool) -> None:
    made(tmp_path, [(9.0, 1, 30.01), *SHORT], [(10, "A", units, None)], [A])
    outcome, _ = run(tmp_path, f'books.margin="{margin}"')
    assert [one.code for one in outcome.refusals] == (["MARGIN"] if refused else [])


@pytest.mark.parametrize(
    ("ratio", "limit", "most", "refused"),
    [
        ("1/10", "risk.account.gross_max", "370_000", False),
        ("1/10", "risk.account.gross_max", "369_999", True),
        ("10/1", "risk.account.gross_max", "370_000", False),
        ("10/1", "risk.account.gross_max", "369_999", True),
        ("1/10", "risk.account.leverage_max", "1.9", False),  # of 199,970
        ("1/10", "risk.account.leverage_max", "1.8", True),
    ],
)
def test_until_its_next_price_what_has_split_is_at_stake_as_before(
    tmp_path: Path, ratio: str, limit: str, most: str, refused: bool
) -> None:
    """3,000 of A at 100.00, split on Saturday and not priced before Sunday noon; meanwhile 7,000 of B at 10.00."""
    rows: list[Row] = [(9, 1, 100.0), (10, 1, 100.0), (60, 1, 100.0), (11, 2, 10.0), (30, 2, 10.0), (61, 2, 10.0)]
    split = f'[[splits]]\nconid = 1\nday = 2024-03-30\nratio = "{ratio}"\n'
    made(tmp_path, rows, [(9, "A", 3000, None), (30, "B", 7000, None)], [A, B], split)
    outcome, _ = run(tmp_path, f"{limit}={most}")
    assert len(outcome.fills) == (1 if refused else 2)
    assert [one.code for one in outcome.refusals] == (["GROSS" if "gross" in limit else "LEVERAGE"] if refused else [])


def test_a_way_out_is_never_refused_for_margin_and_the_cushion_counts(tmp_path: Path) -> None:
    made(tmp_path, [(9.0, 1, 30.01), *SHORT], [(10, "A", 6_000, None), (22, "A", -6_000, None)], [A])
    outcome, _ = run(tmp_path, 'books.margin="cash"')
    assert (len(outcome.fills), outcome.refusals) == (2, ())
    outcome, _ = run(tmp_path, 'books.margin="cash"', "risk.account.margin_cushion_pct=10")
    assert [one.code for one in outcome.refusals] == ["MARGIN", "MARGIN"]  # 180,060 above 180,000; then a short
    assert "200000" not in outcome.refusals[0].sentence


@pytest.mark.parametrize(
    ("actions", "sentence"),
    [
        ("[[mergers]]\nconid = 1\nday = 2024-03-30\ninto = 3\nratio = 1", "different currencies"),
        ("[[mergers]]\nconid = 1\nday = 2024-03-30\ninto = 1\nratio = 1", "become itself"),
        ("[[mergers]]\nconid = 1\nday = 2024-03-30", "into and ratio, or cash"),
        ("[[mergers]]\nconid = 1\nday = 2024-03-30\ninto = 9\nratio = 1", "conid 9 is not among"),
        ("[[spin_offs]]\nconid = 1\nday = 2024-03-30\ninto = 2\nratio = 1\ncost_share = 1.5", "from 0 to 1"),
        ('[[exercises]]\nconid = 1\nday = 2024-03-30\nunderlying = 2\nstrike = 5\nright = "X"', "C, P"),
        ('[[exercises]]\nconid = 5\nday = 2024-03-30\nunderlying = 6\nstrike = 5\nright = "C"', "no whole number of"),
        ("[[dividends]]\nconid = 1\nday = 2024-03-30\namount = 1\npay_day = 2024-03-01", "before the ex-date"),
        ("[[expirys]]\nconid = 1", "did you mean expiries"),
    ],
)
def test_an_events_file_that_makes_no_sense_is_refused(tmp_path: Path, actions: str, sentence: str) -> None:
    odd = Instrument(conid=6, symbol="ODD", calendar="24/7", multiplier=D(30))
    made(tmp_path, SHORT, [(10, "A", 1, None)], [A, B, E, OPTION, odd], actions)
    with pytest.raises(InputError, match=sentence):
        run(tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('books.conversions=[{day=2024-03-29,sell="USD",amount=0,buy="EUR",bought=1}]', "above zero"),
        ('books.conversions=[{day=2024-03-29,sell="USD",amount=1,buy="USD",bought=1}]', "with itself"),
        ('books.financing="ibkr-pro"', "did you mean ibkr-pro-2026"),
        ('books.financing="absent.toml"', "no such file"),
        ('books.margin="regt"', "did you mean reg-t"),
        ("books.withholding=1.5", "below 1"),
        ("books.benchmark.USD=4", "would count for nothing"),
        ('books.fx="daily"', "not one of fixed, recording"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(tmp_path: Path, change: str, sentence: str) -> None:
    made(tmp_path, SHORT, [(10, "A", 1, None)], [A])
    with pytest.raises(InputError, match=sentence):
        run(tmp_path, change)
