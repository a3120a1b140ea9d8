"""The HTML page: one file, nothing from outside, nothing of a user's taken for markup, bounded."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import Instrument
from engine.domain.order import State
from engine.report.charts import FILL_MARKS, INDICATOR_LINES, PRICE_CHARTS, TIMELINE_ORDERS, chart_data, fair_share
from engine.report.html import page
from engine.report.markup import embed
from engine.report.quality import facts, findings, series_rows
from engine.report.statistics import work_out
from engine.runtime.outcome import IndicatorSeries, Outcome, PriceSeries, RefusalRow
from tests.report.outcomes import at, big, fill, order, outcome, settings

HOSTILE = """</script><script>alert(1)</script><!-- <b title='x' "y">&amp;\u2028"""
VOID = {"meta", "link", "br", "img"}


class Reader(HTMLParser):
    """Collects text, elements and the embedded data, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.attributes += attrs
        if tag not in VOID:
            self.open.append("data" if ("id", "run-data") in attrs else tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() in (tag, "data")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "data":
            self.data += data
        elif self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(run: Outcome) -> tuple[Reader, str]:
    text = page(run, work_out(run))
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader, text


def hostile() -> Outcome:
    run = big(["2024-03-04"], ["AAPL"], 30)
    instruments = {1: Instrument(conid=1, symbol=HOSTILE)}
    fills = tuple(evolve(row, strategy=HOSTILE) for row in run.fills)
    line = run.indicators[0]
    return evolve(
        run,
        settings=settings((HOSTILE,), name=HOSTILE),
        instruments=instruments,
        fills=fills,
        orders=(order(HOSTILE, State.CANCELLED, strategy=HOSTILE, history=((at("2024-03-04"), "created", HOSTILE),)),),
        refusals=(RefusalRow(ts_ns=1, strategy=HOSTILE, coid="x", code=HOSTILE, sentence=HOSTILE),),
        equity=evolve(run.equity, by_strategy={HOSTILE: run.equity.equity, "b": run.equity.cash}),
        indicators=(IndicatorSeries(strategy=HOSTILE, conid=None, name=HOSTILE, ts_ns=line.ts_ns, value=line.value),),
        fees_by_line={HOSTILE: run.fees},
        counts={HOSTILE: 1},
        off={HOSTILE: HOSTILE},
        assumptions=((HOSTILE, HOSTILE),),
        quality={HOSTILE: [HOSTILE], "findings": [HOSTILE]},
        manifest={HOSTILE: {HOSTILE: HOSTILE}},
        hash=HOSTILE,
    )


def test_nothing_a_user_named_becomes_markup() -> None:
    tame, _ = read(evolve(hostile(), settings=settings((HOSTILE,), name="tame")))
    reader, text = read(hostile())
    assert reader.count["script"] == tame.count["script"] == 2
    assert reader.count == tame.count
    assert "<script>alert" not in text
    assert not any(name == "title" for name, _ in reader.attributes)
    assert HOSTILE in "".join(reader.text)
    data = json.loads(reader.data)
    assert HOSTILE in data["names"]
    assert data["prices"][0]["symbol"] == HOSTILE
    assert data["timeline"]["orders"][0]["said"] == [HOSTILE]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["</script", "<!--"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_embedded_json_reads_back_and_holds_no_markup(value: Any) -> None:
    text = embed(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_nothing_comes_from_outside() -> None:
    reader, text = read(big(["2024-03-04", "2024-03-05"], ["AAPL", "MSFT"], 60))
    assert not re.search(r"(https?|wss?|ftp)://|//cdn|@import|url\(", text)
    links = [value for name, value in reader.attributes if name in ("src", "href", "action", "srcset")]
    assert links == ["data:,"]
    assert "default-src 'none'" in text


def test_the_page_says_what_was_run() -> None:
    run = big(["2024-03-04", "2024-03-05"], ["AAPL", "MSFT"], 60, off={"maker": "it raised KeyError: 'AAPL'"})
    reader, _ = read(run)
    words = " ".join(reader.text)
    for wanted in (
        run.hash,
        "Strategy maker was switched off: it raised KeyError: 'AAPL'",
        "price_collar",
        "Too far.",
        "capped fills",
        "ibkr-us-fixed-2026",
        "AAPL quotes: 2 gaps longer than 60 s",
        "3.11.9",
        "Mar",
    ):
        assert wanted in words
    charts = [value for name, value in reader.attributes if name == "data-chart"]
    assert charts == ["equity", "drawdown", "strategies", "price-0", "price-1", "timeline"]


def test_a_long_run_stays_a_small_page() -> None:
    days = ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08"]
    run = big(days, [f"S{i:02d}" for i in range(20)], 20_000)
    reader, text = read(run)
    assert len(text.encode()) < 2_000_000
    data = json.loads(reader.data)
    assert len(data["timeline"]["orders"]) == TIMELINE_ORDERS
    assert sum(len(line["fills"]["dt"]) for line in data["prices"]) <= FILL_MARKS
    assert sum(line["fills"]["of"] for line in data["prices"]) == len(run.fills)
    assert f"{TIMELINE_ORDERS:,} of 20,000 orders shown." in " ".join(reader.text)


def test_many_instruments_are_capped_and_said() -> None:
    reader, text = read(big(["2024-03-04"], [f"S{i:03d}" for i in range(120)], 2_000))
    assert len(text.encode()) < 2_000_000
    data = json.loads(reader.data)
    assert len(data["prices"]) == PRICE_CHARTS
    lines = len(data["loose"]) + sum(len(one["over"]) + len(one["below"]) for one in data["prices"])
    assert lines <= INDICATOR_LINES
    words = " ".join(reader.text)
    assert f"{PRICE_CHARTS} of 120 instruments shown." in words
    assert "60 of 120 rows shown." in words


def test_a_run_without_anything_is_still_a_page() -> None:
    reader, _ = read(outcome())
    data = json.loads(reader.data)
    assert data["equity"]["v"] == [1000.0]  # the deposit
    assert data["prices"] == []
    assert "No order." in " ".join(reader.text)


def test_equity_extremes_survive_and_nights_are_breaks() -> None:
    run = big(["2024-03-04", "2024-03-05", "2024-03-06"], ["AAPL"], 20)
    spike = run.equity.equity.copy()
    spike[500] = 2e6
    spiked = evolve(run, equity=evolve(run.equity, equity=spike))
    data = chart_data(spiked, work_out(spiked))
    assert max(data["equity"]["v"]) == 2e6
    assert len(data["breaks"]) == 2
    close, reopen = data["breaks"][0]
    assert close == at("2024-03-04 16:00") / 1e6
    assert at("2024-03-05 09:29") / 1e6 < reopen <= at("2024-03-05 09:31") / 1e6


def test_an_indicator_lies_over_the_price_only_on_its_scale() -> None:
    times = np.arange(50, dtype=np.int64) * 10**9
    price = PriceSeries(conid=1, ts_ns=times, price=np.linspace(100, 110, 50))

    def line(name: str, value: float, conid: int | None = 1) -> IndicatorSeries:
        values = np.full(50, value)
        values[0] = np.nan
        return IndicatorSeries(strategy="one", conid=conid, name=name, ts_ns=times, value=values)

    run = outcome(prices=(price,), indicators=(line("mean", 104.0), line("z", 1.5), line("pnl", 1.0, None)))
    data = chart_data(run, work_out(run))
    (drawn,) = data["prices"]
    assert [one["name"] for one in drawn["over"]] == ["one mean"]
    assert [one["name"] for one in drawn["below"]] == ["one z"]
    assert drawn["below"][0]["v"][:2] == [None, 1.5]
    assert [one["name"] for one in data["loose"]] == ["one pnl"]


def test_fills_are_drawn_where_they_happened() -> None:
    start = at("2024-03-04 10:00")
    price = PriceSeries(conid=1, ts_ns=np.array([start, start + 10**9], np.int64), price=np.array([10.0, 10.5]))
    run = outcome(
        prices=(price,),
        fills=(
            fill("BUY", 5, "10.01", ts_ns=start),
            fill("SELL", 5, "10.49", ts_ns=start + 7 * 10**8, realised="2.4"),
        ),
    )
    marks = chart_data(run, work_out(run))["prices"][0]["fills"]
    assert (marks["t0"], marks["dt"]) == (start // 10**6, [0, 700])
    assert (marks["price"], marks["size"], marks["realised"]) == ([10.01, 10.49], [5.0, -5.0], [0.0, 2.4])


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(0, 200))
def test_a_fair_share_fits_and_could_not_be_larger(counts: list[int], total: int) -> None:
    share = fair_share(counts, total)
    assert sum(min(count, share) for count in counts) <= total
    if sum(counts) > total:
        assert sum(min(count, share + 1) for count in counts) > total


@pytest.mark.parametrize(
    ("quality", "sentences"),
    [
        ({}, []),
        ({"findings": ["a gap"]}, ["a gap"]),
        ({"findings": "a gap"}, ["a gap"]),
        ({"findings": {"gaps": 2, "crossed": 0}}, ["gaps 2"]),
        ({"findings": {"gaps": 0}}, []),
        ({"findings": [{"kind": "gap", "rows": 2}]}, ["kind gap, rows 2"]),
        ({"series": [{"symbol": "IBM", "kind": "quotes", "findings": {"gaps": 2}}]}, ["IBM quotes: gaps 2"]),
        ({"problems": ("torn.arrow: cut short",), "findings": {"unreadable": 1}}, ["torn.arrow: cut short"]),
    ],
)
def test_findings_in_any_shape_are_said(quality: dict[str, Any], sentences: list[str]) -> None:
    assert findings(quality) == sentences


def test_a_recordings_quality_is_a_table() -> None:
    quality = {
        "name": "demo",
        "generated": True,
        "series": [
            {
                "symbol": "IBM",
                "kind": "quotes",
                "rows": 41_929,
                "first_ns": at("2024-03-05 09:30"),
                "last_ns": at("2024-03-07 16:00"),
                "findings": {"gaps": 1},
                "notes": {"one-sided": 7},
                "gaps": [{"start_ns": 0, "end_ns": 90 * 10**9}],
            }
        ],
        "problems": [],
        "findings": {"gaps": 1},
    }
    (row,) = series_rows(quality, "America/New_York")
    when = ["2024-03-05 09:30", "2024-03-07 16:00"]
    assert row == ["IBM", "quotes", "41,929", *when, "1 min 30 s", "gaps 1", "one-sided 7"]
    assert facts(quality) == [("name", "demo"), ("generated", "True")]


def test_the_static_parts_are_beside_the_code() -> None:
    import engine.report

    static = Path(engine.report.__file__).parent / "static"
    assert {path.name for path in static.iterdir()} >= {"template.html", "page.css", "charts.js", "__init__.py"}
