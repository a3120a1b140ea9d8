"""docs/results.md describes every figure and every column that a run writes."""

from __future__ import annotations

import re
from pathlib import Path

from engine.report.document import result_document
from engine.report.tables import equity_table, fills_table, orders_table
from tests.report.outcomes import big

TEXT = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`]+)`", TEXT))
RUN = big(["2024-03-04", "2024-03-05"], ["AAPL"], 20)


def test_every_figure_is_described() -> None:
    document = result_document(RUN)
    assert set(document) - NAMED == set()
    assert set(document["statistics"]) - NAMED == {"trading_days"}  # said by the conventions
    for table in ("by_strategy", "by_instrument"):
        for row in document[table].values():
            assert set(row) - NAMED == set()


def test_every_column_is_described() -> None:
    for table in (fills_table(RUN), orders_table(RUN), equity_table(RUN)):
        assert {name for name in table.column_names if not name.startswith("pnl.")} - NAMED == set()
    assert "pnl.NAME" in NAMED
