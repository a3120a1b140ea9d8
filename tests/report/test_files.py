"""The folder of a run: what is in it can be read back, and a half-written one can't pass for a whole one."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.report import files
from engine.report.files import prepare, result_document, write
from tests.report.outcomes import at, big, fill, outcome

NAMES = {"fills.parquet", "orders.parquet", "equity.parquet", "manifest.json", "report.html", "result.json"}


def test_all_files_are_there_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    run = big(["2024-03-04"], ["AAPL"], 30)
    assert write(run, tmp_path) == tmp_path / "result.json"
    assert {path.name for path in tmp_path.iterdir()} == NAMES | {"mine.txt"}
    assert json.loads((tmp_path / "result.json").read_text()) == json.loads(json.dumps(result_document(run)))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["hash"] == run.hash
    assert manifest["seed"] == 7


def test_tables_hold_what_the_outcome_holds(tmp_path: Path) -> None:
    run = big(["2024-03-04"], ["AAPL", "MSFT"], 40)
    write(run, tmp_path)
    fills = pq.read_table(tmp_path / "fills.parquet").to_pylist()
    assert [row["exec_id"] for row in fills] == [row.fill.exec_id for row in run.fills]
    assert [row["price"] for row in fills] == [row.fill.price for row in run.fills]
    assert [row["realised"] for row in fills] == [row.realised for row in run.fills]
    assert json.loads(fills[0]["fee_lines"]) == [["commission", "1", "USD"]]
    orders = pq.read_table(tmp_path / "orders.parquet").to_pylist()
    assert [row["coid"] for row in orders] == [row.order.coid for row in run.orders]
    assert [row["state"] for row in orders] == [row.order.state.value for row in run.orders]
    assert [tuple(map(tuple, json.loads(row["history"]))) for row in orders] == [row.history for row in run.orders]
    assert orders[0]["stop_price"] is None
    equity = pq.read_table(tmp_path / "equity.parquet")
    assert equity.column("equity").to_numpy().tolist() == run.equity.equity.tolist()
    assert equity.column("pnl.maker").to_numpy().tolist() == run.equity.by_strategy["maker"].tolist()
    assert equity.column("ts").cast("int64").to_pylist() == run.equity.ts_ns.tolist()


def test_decimals_keep_twelve_places_and_times_their_nanosecond(tmp_path: Path) -> None:
    price = "98765432109876.123456789012"
    long = fill("BUY", "0.000000000001", price, realised="0.0000000000005", ts_ns=at("2024-03-04") + 1)
    write(outcome(fills=(long,)), tmp_path)
    table = pq.read_table(tmp_path / "fills.parquet")
    assert table.column("ts").cast("int64").to_pylist() == [at("2024-03-04") + 1]
    (row,) = table.drop_columns(["ts"]).to_pylist()
    assert row["price"] == Decimal(price)
    assert row["quantity"] == Decimal("0.000000000001")
    assert row["realised"] == 0  # half a unit of the last place goes to the even one


def test_the_same_outcome_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(big(["2024-03-04"], ["AAPL", "MSFT"], 60), tmp_path / name)
    for name in ("fills.parquet", "orders.parquet", "equity.parquet", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_without_anything_has_typed_tables(tmp_path: Path) -> None:
    write(outcome(), tmp_path)
    assert pq.read_table(tmp_path / "fills.parquet").num_rows == 0
    assert str(pq.read_schema(tmp_path / "fills.parquet").field("price").type) == "decimal128(38, 12)"


@pytest.mark.parametrize("broken", [1, 2, 3, 4, 5, 6])
def test_an_interrupted_write_leaves_no_result_and_no_debris(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    write(outcome([(at("2024-03-04 10:00"), 1001.0)]), tmp_path)
    rename = Path.replace
    calls: list[Path] = []

    def breaks(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == broken:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", breaks)
    with pytest.raises(KeyboardInterrupt):
        write(outcome([(at("2024-03-04 10:00"), 1002.0)]), tmp_path)
    assert not (tmp_path / "result.json").exists()
    assert {path.name for path in tmp_path.iterdir()} == NAMES - {"result.json"}


def test_the_result_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.replace
    order: list[str] = []

    def noted(self: Path, target: Path) -> Path:
        order.append(target.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write(outcome(), tmp_path)
    assert order[-1] == "result.json"
    assert set(order) == NAMES


def test_prepare_takes_the_old_result_away(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deep"
    prepare(folder)
    (folder / files.RESULT).write_text("{}")
    prepare(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match=r"out: the result can't be written: File exists"):
        write(outcome(), tmp_path / "out")


def test_a_name_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match="the result can't be written: Is a directory"):
        write(outcome(), tmp_path)
    assert not (tmp_path / "result.json").exists()
