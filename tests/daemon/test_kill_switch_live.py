"""The kill switch over the wire: whatever is broken, all orders die and the venue holds nothing in the end."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from engine.runtime.live import cutting, nursery
from tests.daemon.alongside import alongside, place, resting, told, until, until_order
from tests.daemon.killed import (
    FLATTENS,
    PATIENT,
    SPEED,
    assert_a_restart_stays_halted,
    assert_all_is_dead,
    hold,
    mend,
    strike,
    until_flat,
    written,
)
from tests.served import served

serving = partial(served, config=PATIENT)
SIM = ("--synthetic", "AAPL,IBM", "--speed", SPEED)
_HANGS = """
from pathlib import Path

from engine.strategy.api import Strategy


class Quiet(Strategy):
    asked = ()

    def on_quote(self, quote):
        if not self.asked and self.ctx.quote("AAPL"):
            price = round(self.ctx.quote("AAPL").bid * 0.8)
            resting = [self.ctx.buy("AAPL", 5 + extra, limit=price) for extra in range(2)]
            self.asked = (self.ctx.buy("AAPL", 30), *resting)

    def on_order(self, order):
        rest = [one for one in self.ctx.orders() if str(one.state) == "working"]
        if self.ctx.position("AAPL").quantity == 30 and len(rest) == 2:
            Path(__file__).with_name("state").joinpath("halt").touch()
            while True:
                pass
"""


async def test_a_file_halts_cancels_by_one_request_and_flattens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = FLATTENS.replace("[kill]", "[kill]\ncancel_all_above = 1")
    with serving(tmp_path / "gateway", *SIM) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, many) as daemon:
            far = await hold(daemon)
            for number in (2, 3, 4):
                place(daemon, resting(f"quiet-00000{number}", far, quantity=number))
                await until_order(daemon, f"quiet-00000{number}", lambda one: str(one.state) == "working")
            daemon.folder.halt_file.touch()
            await until_flat(daemon)
            assert_all_is_dead(daemon, gateway)
            assert len(told(daemon, "cancel_all_sent")) == 1
            assert told(daemon, "cancel_sent") == []
            assert "remove it first" in daemon.switch.may_resume()
            daemon.folder.halt_file.unlink()
            assert daemon.trading.state == "halted"
            assert (await daemon.operator.resume())["trading"] == "on"


async def test_pulled_while_a_question_waits_for_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = FLATTENS + '[replies]\no163 = "ask"\nask_s = 600\n'
    with serving(tmp_path / "gateway", *SIM) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, asks) as daemon:
            far = await hold(daemon)
            place(daemon, resting("quiet-000002", far))
            place(daemon, resting("quiet-000003", far, quantity=3))  # it waits for the round
            await until(lambda: daemon.people.open_questions(daemon.clock.now_ns()))
            daemon.folder.halt_file.touch()
            await until_flat(daemon)
            assert_all_is_dead(daemon, gateway)
            assert "quiet-000003" not in written(daemon)[0]
            assert (await daemon.operator.status())["questions"] == []
            daemon.folder.halt_file.unlink()
        await assert_a_restart_stays_halted(monkeypatch, tmp_path / "run", gateway, asks)


async def test_pulled_while_a_yes_is_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order goes live after the halt, by a reply that left before it: it dies all the same."""
    late = {"do": "delay", "on": "POST /iserver/reply/{replyId}", "seconds": 8, "skip": 1, "count": 1}
    with serving(tmp_path / "gateway", *SIM) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, FLATTENS) as daemon:
            far = await hold(daemon)
            strike(gateway, late)  # o163 is confirmed at once, o10153 late
            place(daemon, resting("quiet-000002", far))
            await until(lambda: len(told(daemon, "reply")) == 2)
            daemon.folder.halt_file.touch()
            await until(lambda: daemon.trading.state == "halted")
            assert told(daemon, "answer_to_write")[-1].count("o10153") == 1  # the yes has not been answered
            await until_flat(daemon)
            assert_all_is_dead(daemon, gateway)
            daemon.folder.halt_file.unlink()


async def test_pulled_with_a_websocket_that_is_dead_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame is lost and every new connection is as dead; requests are answered."""
    with serving(tmp_path / "gateway", *SIM) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, FLATTENS) as daemon:
            far = await hold(daemon)
            for number in (2, 3):
                place(daemon, resting(f"quiet-00000{number}", far, quantity=number))
                await until_order(daemon, f"quiet-00000{number}", lambda one: str(one.state) == "working")
            strike(gateway, {"do": "silent"}, {"do": "drop-connections", "on": "ws"})
            await until(lambda: not daemon.link.supervisor.health().up)
            place(daemon, resting("quiet-000004", far))
            await until_order(daemon, "quiet-000004", lambda one: str(one.state) == "refused")
            daemon.folder.halt_file.touch()
            await until_flat(daemon)
            assert not daemon.link.supervisor.health().up  # it has been so all the time
            assert_all_is_dead(daemon, gateway)
            daemon.folder.halt_file.unlink()
        mend(gateway)
        await assert_a_restart_stays_halted(monkeypatch, tmp_path / "run", gateway, FLATTENS)


async def test_pulled_with_full_queues_of_wanted_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What risk has approved waits for the round, and nearly as many orders as there is room for wait for risk."""
    monkeypatch.setattr(nursery, "ROOM", 600)
    roomy = FLATTENS + "[risk.strategy.quiet]\nopen_orders_max = 5_000\norders_per_minute_max = 50_000\n"
    with serving(tmp_path / "gateway", *SIM) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, roomy) as daemon:
            far = await hold(daemon)
            # No two are alike, or they were held for a person.
            wanted = (resting(f"quiet-{n:06}", far - n // 100, quantity=1 + n % 100) for n in range(2, 5_000))
            for _ in range(40):  # as many as may be open
                place(daemon, next(wanted))
            await until(lambda: sum(str(one.state) == "working" for one in daemon.book.book.values()) >= 2)
            while daemon.nursery.waiting() < 550:  # the rest is for what the feed and the venue tell meanwhile
                place(daemon, next(wanted))
            await daemon.operator.kill("test", "the queues are full", flatten=True)
            await until_flat(daemon)
            assert_all_is_dead(daemon, gateway)
            before, _ = written(daemon)
            assert 2 <= len(before) < 50
            codes = {one.code for one in daemon.book.book.values() if one.coid not in before and one.code}
            assert codes == {"HALTED", "TRADING"}
        await assert_a_restart_stays_halted(monkeypatch, tmp_path / "run", gateway, roomy)


async def test_pulled_while_a_strategy_hangs_in_a_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there before the loop begins, and so before the switch can see it."""
    monkeypatch.setattr(cutting, "HANDLER_LIMIT_S", 1.0)
    with serving(tmp_path / "gateway", *SIM) as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, FLATTENS, strategy=_HANGS) as daemon:
            await until_flat(daemon)
            assert_all_is_dead(daemon, gateway)
            assert "has not come back" in (daemon.host.seats["quiet"].off or "")
            daemon.folder.halt_file.unlink()
