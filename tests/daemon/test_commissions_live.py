"""A commission that comes late takes the place of its estimate: in the books, in the journal, over a restart."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from engine.daemon.recovering import read_books
from engine.portfolio.commissions import open_estimates
from engine.portfolio.identity import gaps
from tests.daemon.alongside import Stranger, alongside, market, place, told, until, until_stored
from tests.served import served

DEAR = """
name = "dear"
source = "made up, so that an estimate can be told from a commission"
[[table]]
valid_from = 2020-01-01
[[table.STK]]
currency = "USD"
tiers = [{ rate = 0 }]
minimum = 77.00
"""


async def test_a_late_commission_replaces_its_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "dear.toml").write_text(DEAR)
    # Commissions are told two seconds of the gateway's clock after the fill, which runs as the wall does.
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "1") as gateway:
        more = '[orders]\nfee_estimate = "dear.toml"\n'
        async with alongside(monkeypatch, tmp_path / "run", gateway, more) as daemon, Stranger(gateway) as person:
            books = daemon.books.portfolio
            place(daemon, market("quiet-000001"))
            await until_stored(daemon, "quiet-000001", "Filled")
            fills = [json.loads(body) for body in told(daemon, "answer") if '"Filled"' in body]
            assert sum(Decimal(fee[1]) for fill in fills for fee in fill["fees"]) == 77
            assert all(fill["flags"] == ["estimated_fees"] for fill in fills[:1])
            await until(lambda: told(daemon, "fee"))
            await until(lambda: not open_estimates(books))
            paid = sum((Decimal(json.loads(body)["amount"]) for body in told(daemon, "fee")), Decimal(0))
            assert 0 < paid < 77
            assert (books.fees_by_currency["USD"], gaps(books)) == (paid, {})
            there = (await person.state())["cash"]["USD"]
            assert books.cash["USD"] == pytest.approx(Decimal(str(there)), abs=Decimal("0.01"))
            again = read_books(daemon.journal, daemon.settings.by_conid, {"USD": Decimal(1)})
            assert again.portfolio.cash == books.cash
            assert again.portfolio.fees_by_currency == books.fees_by_currency
            assert open_estimates(again.portfolio) == {}
