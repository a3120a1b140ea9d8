"""A modification that races a fill and a cancel, through a whole daemon: one true state, the same in both books."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.order import State
from tests.daemon.alongside import AAPL, alongside, held, told, until
from tests.served import PATIENT, Served, served

RACES = int(os.environ.get("ENGINE_RACES", "30"))
# At each timer an order at the touch, where the market may take it; a few moments later, in an order that chance gives,
# it is moved across, made larger and moved away, and cancelled.
RACER = """
from decimal import Decimal
from random import Random

from engine.strategy.api import Side, Strategy


class Quiet(Strategy):
    def on_start(self):
        self.chance, self.count, self.wishes = Random({seed}), 0, {{}}
        self.ctx.set_timer("next", after_s=1)

    def on_timer(self, name):
        ctx, aapl = self.ctx, self.ctx.instrument("AAPL")
        if name in self.wishes:
            self.wishes.pop(name)()
            return
        quote = ctx.quote(aapl)
        if quote is not None and self.count < {races}:
            self.count += 1
            buy = self.count % 2
            place, near, far = (ctx.buy, quote.bid, quote.ask) if buy else (ctx.sell, quote.ask, quote.bid)
            away = Decimal("0.05") * (-1 if buy else 1)
            near, far = Decimal(str(round(near, 2))), Decimal(str(round(far, 2)))
            coid = place(aapl, self.chance.randint(5, 40), limit=near)
            larger = self.chance.randint(5, 60)
            wishes = [
                lambda: ctx.modify(coid, limit=far - away),
                lambda: ctx.modify(coid, limit=near + away, quantity=Decimal(larger)),
                lambda: ctx.cancel(coid),
            ]
            self.chance.shuffle(wishes)
            at = 0.0
            for number, wish in enumerate(wishes):
                at += self.chance.choice((0.01, 0.05, 0.2, 1.0))
                self.wishes[f"{{coid}}/{{number}}"] = wish
                ctx.set_timer(f"{{coid}}/{{number}}", after_s=at)
        ctx.set_timer("next", after_s=3)
"""


def there(gateway: Served) -> dict[str, tuple[str, Decimal]]:
    return {one["cOID"]: (one["status"], Decimal(str(one["filled"]))) for one in gateway.state()["orders"]}


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_races_ends_in_one_true_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    racer = RACER.format(seed=seed, races=RACES)
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20", config=PATIENT) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, strategy=racer) as daemon:
            book = daemon.book.book
            coids = [f"quiet-{number:06d}" for number in range(1, RACES + 1)]
            await until(lambda: all(coid in book and not book[coid].is_open for coid in coids), 30.0 + RACES)
            books = there(gateway)
            known = {"Filled": State.FILLED, "Cancelled": State.CANCELLED}
            for coid in coids:
                if coid not in books:  # withdrawn, or refused by risk, before its ticket left
                    assert book[coid].state in (State.CANCELLED, State.REFUSED)
                    assert book[coid].filled == 0
                    continue
                status, filled = books[coid]
                order = book[coid]
                if order.state is State.REFUSED:  # it would have turned the position round, and so the venue asked
                    assert (order.code, status, filled) == ("DECLINED", "Cancelled", order.filled)
                    assert not filled
                    continue
                assert order.filled == filled, (coid, status)
                if status == "Filled" and order.reason.startswith("it had filled as "):  # its change came too late
                    assert order.state is State.CANCELLED
                    assert filled < order.ticket.quantity
                    continue
                assert order.state is known[status], (coid, status, order.reason)
            bought: Any = sum(book[coid].filled * book[coid].ticket.side.sign for coid in coids)
            await until(lambda: held(daemon, AAPL) == bought)  # the portfolio hears of it a turn later
            assert bought == Decimal(str(gateway.state()["positions"].get(str(AAPL), 0)))
            assert not told(daemon, "illegal")
            assert not daemon.book.frozen
            seen = {json.loads(body)["type"] for body in told(daemon, "answer")}
            assert {"Modified", "Filled", "Cancelled"} <= seen, "the races did not meet what they are for"
