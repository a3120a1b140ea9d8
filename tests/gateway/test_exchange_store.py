"""The state folder: a killed gateway goes on from its books, and a second gateway on it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.domain.instrument import Leg
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.ticket import OrderType, Tif
from engine.errors import InputError
from engine.gateway.exchange import SimExchange
from engine.gateway.options import Options
from engine.gateway.store import FILE
from tests.gateway.exchanges import AAPL, ACCOUNT, after, order, place, steps, synthetic, until

S = NS_PER_S
ROOT = Path(__file__).parents[2]


def killed(exchange: SimExchange) -> None:
    """End as a killed process does: nothing more is written, and the lock is gone with its process."""
    assert exchange._store is not None
    exchange._store.close()


def again(folder: Path, **more: Any) -> SimExchange:
    return synthetic("AAPL", "IBM", state_dir=folder, **more)


def far(exchange: SimExchange, share: str) -> str:
    """A limit that is not reached: a part of the bid."""
    top = exchange.top(AAPL)
    assert top is not None
    return f"{Decimal(str(top.bid)) * Decimal(share):.2f}"


def test_books_orders_ids_and_clock_go_on(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    bought, resting = place(exchange, order(client_id="a"), order("BUY", 10, far(exchange, "0.9"), client_id="b"))
    exchange.advance(exchange.now_ns + 5 * S)
    parked = exchange.register(order("SELL", 3, client_id="c")).order_id
    exchange.save()
    before = exchange.state(), exchange.now_ns, exchange.funds(ACCOUNT), exchange.executions(ACCOUNT, 1)
    killed(exchange)

    exchange = again(tmp_path)
    assert (exchange.state(), exchange.now_ns, exchange.funds(ACCOUNT), exchange.executions(ACCOUNT, 1)) == before
    found = exchange.order(parked)
    assert found is not None
    assert (found.parked, found.wire) == (True, {"side": "SELL", "quantity": 3.0})
    (fresh,) = place(exchange, order("SELL", 100))
    assert fresh == parked + 1
    after(exchange, 1)
    names = [one.execution_id for one in exchange.executions(ACCOUNT, 1)]
    assert len(set(names)) == len(names) == 2
    exchange.cancel(resting)
    assert steps(after(exchange, 1), resting)[-1] == "Cancelled"
    assert [one["order_id"] for one in exchange.state()["orders"]] == [bought, resting, parked, fresh]


def test_a_full_disk_does_not_stop_the_exchange_and_nothing_is_missing_once_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange = again(tmp_path)
    exchange.save()
    assert exchange._store is not None
    database = exchange._store._db
    used = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {used}")
    for number in range(200):
        place(exchange, order(client_id=f"a{number}"))
        exchange.save()
    after(exchange, 60)
    exchange.save()
    assert "the state is not saved: database or disk is full" in capsys.readouterr().err
    database.execute(f"PRAGMA max_page_count = {used + 1000}")
    exchange.save()
    before = exchange.state()
    assert len(before["orders"]) == 200
    killed(exchange)
    assert again(tmp_path).state() == before


def test_the_market_is_the_same_after_a_restart(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    exchange.advance(exchange.now_ns + 1_000 * S + 123)
    shown = [exchange.top(conid) for conid in (AAPL, 8314)]
    exchange.save()
    killed(exchange)
    later = again(tmp_path)
    assert [later.top(conid) for conid in (AAPL, 8314)] == shown
    exchange_again = synthetic("AAPL", "IBM")
    for one in (later, exchange_again):
        one.advance(exchange.now_ns + 400 * S)
    assert later.top(AAPL) == exchange_again.top(AAPL)


def test_a_working_order_fills_after_a_restart(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    top = exchange.top(AAPL)
    assert top is not None
    (one,) = place(exchange, order("BUY", 200, f"{top.bid - 0.05:.2f}", tif=Tif.GTC))
    exchange.advance(exchange.now_ns + S // 10)
    exchange.save()
    killed(exchange)
    exchange = again(tmp_path)
    news = after(exchange, 6 * 3600)
    found = exchange.order(one)
    assert found is not None
    assert (found.status, found.filled) == ("Filled", Decimal(200))
    assert steps(news, one)[-1] == "Filled"
    assert sum(fill.size for fill in exchange.executions(ACCOUNT, 1)) == 200


def test_what_was_on_its_way_to_the_venue_arrives_after_a_restart(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    limit = far(exchange, "0.9")
    changed, ended = place(exchange, order("BUY", 10, limit), order("BUY", 20, limit))
    after(exchange, 1)
    found = exchange.order(changed)
    assert found is not None
    exchange.modify(changed, msgspec.structs.replace(found.ticket, quantity=Decimal(15)), {"quantity": 15})
    exchange.cancel(ended)
    (late,) = place(exchange, order("BUY", 30, limit))
    exchange.save()  # nothing of this has reached the venue
    killed(exchange)
    exchange = again(tmp_path)
    news = after(exchange, 1)
    assert steps(news, ended) == ["Cancelled"]
    assert steps(news, late)[-1] == "Submitted"
    found = exchange.order(changed)
    assert found is not None
    assert (found.status, found.ticket.quantity, found.wire) == ("Submitted", Decimal(15), {"quantity": 15})


def test_a_bracket_whose_entry_has_filled_keeps_its_exits(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    entry = exchange.register(order("BUY", 10)).order_id
    target = exchange.register(order("SELL", 10, far(exchange, "1.2"), parent=entry)).order_id
    stop = exchange.register(
        order("SELL", 10, parent=entry, order_type=OrderType.STOP, stop_price=far(exchange, "0.8"))
    ).order_id
    exchange.release([entry, target, stop])
    after(exchange, 1)
    exchange.save()
    killed(exchange)
    exchange = again(tmp_path)
    top = exchange.top(AAPL)
    found = exchange.order(target)
    assert top is not None
    assert found is not None
    nearer = msgspec.structs.replace(found.ticket, limit_price=Decimal(f"{top.bid - 0.05:.2f}"))
    exchange.modify(target, nearer, {})
    news = after(exchange, 5)
    assert steps(news, target)[-1] == "Filled"
    assert steps(news, stop) == ["Cancelled"]
    assert exchange.state()["positions"] == {}


def test_a_child_finds_an_entry_that_filled_before_the_restart(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    (entry,) = place(exchange, order("BUY", 10))
    after(exchange, 1)
    (early,) = place(exchange, order("SELL", 4, parent=entry))
    after(exchange, 1)
    exchange.save()
    killed(exchange)
    exchange = again(tmp_path)
    (late,) = place(exchange, order("SELL", 10, parent=entry))
    after(exchange, 5)
    found = [exchange.order(number) for number in (early, late)]
    # An exit sells no more than its entry has bought, less what other exits sold; with nothing left it ends.
    assert [(one.status, one.filled) for one in found if one is not None] == [
        ("Filled", Decimal(4)),
        ("Cancelled", Decimal(6)),
    ]
    assert exchange.state()["positions"] == {}


def last(exchange: SimExchange) -> Decimal:
    top = exchange.top(AAPL)
    assert top is not None
    return Decimal(f"{top.last:.2f}")


def test_a_trail_goes_on_from_the_furthest_price_it_has_seen(tmp_path: Path) -> None:
    plain, kept = synthetic("AAPL", "IBM"), again(tmp_path)
    highest = Decimal(0)
    number = 0
    for exchange in (plain, kept):
        (number,) = place(exchange, order("SELL", 100, order_type=OrderType.TRAIL, trail="0.80", tif=Tif.GTC))
        highest = last(exchange)
        while highest - last(exchange) < Decimal("0.50"):  # far enough for a trail that began anew to be seen
            after(exchange, 5)
            highest = max(highest, last(exchange))
    assert plain.now_ns == kept.now_ns
    kept.save()
    killed(kept)
    kept = again(tmp_path)
    assert kept._venue._floor.orders[str(number)].extreme >= float(highest)
    ends = []
    for exchange in (plain, kept):
        while not exchange.executions(ACCOUNT, 1):
            after(exchange, 60)
        (fill,) = exchange.executions(ACCOUNT, 1)
        ends.append((fill.ts_ns, fill.price))
    assert ends[0] == ends[1]


def is_working(exchange: SimExchange, number: int) -> bool:
    found = exchange.order(number)
    return found is not None and found.status == "Submitted"


def test_a_stop_that_has_triggered_stays_so(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    stop = last(exchange) - Decimal("0.10")
    (one,) = place(
        exchange,
        order("SELL", 10, f"{stop + 5}", order_type=OrderType.STOP_LIMIT, stop_price=f"{stop}", tif=Tif.GTC),
    )
    until(exchange, partial(is_working, exchange, one))
    until(exchange, lambda: last(exchange) > stop + Decimal("0.10"))  # so that it would not trigger again
    exchange.save()
    killed(exchange)
    exchange = again(tmp_path)
    after(exchange, 1)
    found = exchange.order(one)
    assert found is not None
    assert found.status == "Submitted"
    assert exchange._venue.triggered(str(one)) == (True, stop + 5)


def test_a_combo_and_an_option_are_known_after_a_restart(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    calls = [one.instrument.conid for one in exchange.contracts.values() if one.right == "C" and one.underlying == AAPL]
    conid = exchange.combo([Leg(calls[20], 1), Leg(calls[21], -1)], "USD")
    place(exchange, order("BUY", 2, conid=conid))
    after(exchange, 60)
    held = exchange.state()["positions"]
    assert held == {str(calls[20]): 2, str(calls[21]): -2}
    exchange.advance(exchange.now_ns + 2 * NS_PER_DAY)
    exchange.save()
    value = exchange.funds(ACCOUNT)
    killed(exchange)
    exchange = again(tmp_path)
    assert conid in exchange.contracts
    assert exchange.state()["positions"] == held
    assert exchange.funds(ACCOUNT) == value


def test_a_second_gateway_refuses_in_one_sentence(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    with pytest.raises(InputError, match="another gateway works in this state folder"):
        again(tmp_path)
    exchange.close()
    again(tmp_path).close()


def test_another_market_is_refused(tmp_path: Path) -> None:
    again(tmp_path).close()
    with pytest.raises(InputError, match="begun with another market, --synthetic AAPL,IBM --seed 7"):
        synthetic("SPY", state_dir=tmp_path)
    with pytest.raises(InputError, match="begun with another market"):
        again(tmp_path, options=Options(seed=8))


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(InputError, match="can't be read"):
        again(tmp_path)


def test_no_market_and_two_markets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a recording or the symbols"):
        synthetic("AAPL", recording=tmp_path)


def test_what_the_shell_keeps_comes_back(tmp_path: Path) -> None:
    exchange = again(tmp_path)
    exchange.keep("session", {"until_ns": 12, "who": ["x"]})
    exchange.save()
    killed(exchange)
    exchange = again(tmp_path)
    assert exchange.kept("session") == {"until_ns": 12, "who": ["x"]}
    assert exchange.kept("nothing") is None


CHILD = """
import sys
from pathlib import Path
from typing import Any
from tests.gateway.exchanges import after, order, place, synthetic
exchange = synthetic("AAPL", state_dir=Path(sys.argv[1]))
while True:
    place(exchange, order("BUY", 1))
    after(exchange, 1)
    exchange.save()
    print(exchange.state()["positions"]["265598"], flush=True)  # told only after it was saved
"""


def test_nothing_that_was_told_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()
    last = int(rest[-1]) if rest else told[-1]
    exchange = synthetic("AAPL", state_dir=tmp_path)
    assert exchange.state()["positions"][str(AAPL)] in (last, last + 1)
    listed = {conid: one.instrument for conid, one in exchange.contracts.items()}
    assert not any(exchange.books[ACCOUNT].balance(listed).values())
    exchange.close()
