"""The JSON document: strict, complete, and right on a small run worked out on paper."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.order import State
from engine.report.document import result_document
from engine.report.figures import Figure, iso, known, plain
from engine.report.statistics import work_out
from engine.runtime.outcome import Outcome, Position, RefusalRow
from tests.report.outcomes import at, big, curve, fill, order, outcome, settings


def strict(value: object) -> Any:
    """Through JSON and back; NaN and infinity raise."""
    return json.loads(json.dumps(value, allow_nan=False))


def two_days() -> Outcome:
    """Buy 10 at 10 and sell 10 at 12 on day one; buy 5 at 20 on day two and hold, marked at 19."""
    points = [
        (at("2024-03-04 10:00"), 999.0),
        (at("2024-03-04 10:30"), 1018.0),
        (at("2024-03-05 10:00"), 1017.0),
        (at("2024-03-05 10:30"), 1012.0),
    ]
    sent = ((points[0][0], "created", ""), (points[0][0], "sent", ""), (points[0][0] + 1, "filled", ""))
    return outcome(
        points,
        equity=curve(points, [100.0, 0.0, 100.0, 95.0], {"one": [-1.0, 18.0, 17.0, 12.0]}),
        fees=Decimal(3),
        fees_by_line={"commission": Decimal(3)},
        fills=(
            fill("BUY", 10, "10", ts_ns=points[0][0], reference=9.9),
            fill("SELL", 10, "12", ts_ns=points[1][0], realised="20", reference=12.0),
            fill("BUY", 5, "20", ts_ns=points[2][0]),
        ),
        orders=(
            order("one-0", State.FILLED, quantity=10, filled=10, history=sent),
            order("one-1", State.REFUSED, history=sent[:1], code="collar"),
        ),
        refusals=(RefusalRow(ts_ns=points[0][0], strategy="one", coid="one-1", code="collar", sentence="Too far."),),
        positions=(
            Position(
                strategy="one",
                conid=1,
                quantity=Decimal(5),
                cost=Decimal(100),
                realised=Decimal(20),
                mark=Decimal(19),
            ),
        ),
        counts={"capped_fills": 1},
        assumptions=(("fills", "touch"),),
    )


def test_a_small_run_agrees_with_paper() -> None:
    document = strict(result_document(two_days()))
    assert document["final_equity"] == 1012.0
    assert document["pnl"] == 12.0
    assert document["exact"]["pnl"] == "12.0"
    assert (document["orders"], document["fills"], document["events"], document["run_s"]) == (2, 3, 10, 0.5)
    seen = document["statistics"]
    assert seen["total_return"] == pytest.approx(0.012)
    assert seen["max_drawdown"] == pytest.approx(6 / 1018)
    assert seen["max_drawdown_daily"] == pytest.approx(6 / 1018)
    assert (seen["trading_days"], seen["round_trips"], seen["open_round_trips"]) == (2, 1, 1)
    assert seen["expectancy"] == 18.0  # 20 realised less two fees of 1
    assert seen["traded"] == 320.0
    assert seen["turnover"] == pytest.approx(320 / 1015)
    assert seen["slippage"] == pytest.approx(1.0)
    assert seen["slippage_bp"] == pytest.approx(1 / (99 + 120) * 10_000)
    assert seen["fees_bp"] == pytest.approx(3 / 320 * 10_000)
    assert seen["fill_ratio"] == 1.0
    assert seen["time_in_market"] == 1.0
    assert document["best_day"] == {"date": "2024-03-04", "pnl": 18.0, "return": pytest.approx(0.018)}
    assert document["worst_day"]["pnl"] == -6.0
    assert document["refusals"] == {"collar": 1}
    assert document["venue_refusals"] == {}
    assert document["counts"] == {"capped_fills": 1}
    assert document["fees_by_line"] == {"commission": 3.0}
    assert document["assumptions"] == [{"name": "fills", "value": "touch"}]
    assert document["monthly"][0]["months"][2] == pytest.approx(0.012)
    fall, fee = document["worst_drawdowns"]
    assert fee["amount"] == 1.0
    assert (fall["amount"], fall["recovery"]) == (6.0, None)
    assert fall["peak"] == "2024-03-04T15:30:00+00:00"


def test_parts_add_up_to_the_whole() -> None:
    document = strict(result_document(two_days()))
    mine = document["by_strategy"]["one"]
    assert (mine["pnl"], mine["realised"], mine["unrealised"], mine["fees"]) == (12.0, 20.0, -5.0, 3.0)
    assert (mine["orders"], mine["sent"], mine["refused"], mine["max_drawdown"]) == (2, 1, 1, 6.0)
    apple = document["by_instrument"]["AAPL"]
    assert (apple["pnl"], apple["quantity"], apple["refused"], apple["conid"]) == (12.0, 5.0, 1, 1)


def test_a_position_without_a_mark_has_no_profit() -> None:
    run = two_days()
    unmarked = Position(
        strategy="one", conid=1, quantity=Decimal(5), cost=Decimal(100), realised=Decimal(20), mark=None
    )
    document = result_document(outcome([], positions=(unmarked,), fills=run.fills))
    assert document["by_instrument"]["AAPL"]["pnl"] is None


def test_what_is_unknown_is_none_with_a_reason() -> None:
    document = strict(result_document(outcome([(at("2024-03-04 10:00"), 1001.0)])))
    unknown = {name for name, value in document["statistics"].items() if value is None}
    assert unknown == set(document["reasons"])
    assert {"cagr", "sharpe", "sortino", "calmar", "volatility", "win_rate", "profit_factor", "slippage"} <= unknown
    assert document["reasons"]["sharpe"] == "needs at least two trading days"
    assert document["statistics"]["total_return"] == pytest.approx(0.001)


def test_a_run_without_data_or_deposit_is_still_a_document() -> None:
    assert strict(result_document(outcome()))["best_day"] is None
    empty = strict(result_document(outcome([(at("2024-03-04 10:00"), 0.0)], deposit="0")))
    assert empty["statistics"]["max_drawdown"] is None
    assert empty["worst_drawdowns"] == []


VALUES = st.one_of(st.floats(-1e300, 1e300), st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1e308]))


@given(st.lists(VALUES, min_size=1, max_size=12), st.sampled_from(["0", "1000", "-5"]))
def test_no_equity_can_break_strict_json(values: list[float], deposit: str) -> None:
    start = at("2024-03-04 10:00")
    points = [(start + i * 7 * 3600 * 10**9, value) for i, value in enumerate(values)]
    run = outcome(points, deposit=deposit, final_equity=Decimal(deposit))
    with np.errstate(all="ignore"):
        document = result_document(run)
    strict(document)


def test_quality_and_names_of_any_kind_become_json() -> None:
    odd = {"gap": math.nan, "rows": np.int64(3), "list": (Decimal("1.10"), np.array([1.0, math.inf]))}
    assert plain(odd) == {"gap": None, "rows": 3, "list": ["1.10", [1.0, None]]}
    strict(result_document(outcome(quality=odd, off={"one": "it raised"})))


def test_iso_and_known() -> None:
    assert iso(1_709_564_400_123_456_789) == "2024-03-04T15:00:00.123456+00:00"
    assert known(math.inf) == Figure(None, "too large to be a number")


def test_a_reader_is_warned_of_short_runs_other_money_and_missing_references() -> None:
    notes = work_out(two_days()).notes
    assert notes[0].startswith("CAGR and the ratios are yearly figures from 2 trading days")
    assert notes[1].startswith("1 of 3 fills have no reference price")
    foreign = work_out(outcome(fills=two_days().fills, settings=settings(account=_euros())))
    assert foreign.notes[-1] == "Other currencies are counted at one fixed rate for the whole run: USD at 0.5."
    assert foreign.by_instrument["AAPL"]["fees"] == 1.5


def _euros() -> Any:
    from engine.settings import AccountSettings

    return AccountSettings(base_currency="EUR", fx_rates={"USD": Decimal("0.5")})


def test_symbols_that_occur_twice_are_told_apart() -> None:
    run = big(["2024-03-04"], ["X", "X"], 40)
    rows = result_document(run)["by_instrument"]
    assert set(rows) == {"X (1)", "X (2)"}
    assert sum(row["fills"] for row in rows.values()) == len(run.fills)


def test_what_the_end_of_the_data_left_open_is_said() -> None:
    counts = {"expired_past_data": 2, "auctions_past_data": 1, "timers_past_data": 1, "open_at_end": 1_500}
    notes = work_out(evolve(two_days(), counts=counts)).notes
    assert notes[-2:] == (
        "The recording ended before the close: 2 orders expired at the close without the data to be filled by; 1 order "
        "for the close cancelled for want of a closing print; 1 calendar event of that session never came.",
        "1,500 orders were still open when the recording ended.",
    )
    assert work_out(evolve(two_days(), counts=dict.fromkeys(counts, 0))).notes == work_out(two_days()).notes
