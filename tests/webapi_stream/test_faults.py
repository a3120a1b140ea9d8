"""The link against a gateway that cuts, silences, doubles, reorders and delays: nothing is lost or counted twice."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from engine.domain import brokerage as b
from engine.domain.depth import Depth
from engine.domain.market import Bar, Quote, Trade
from engine.errors import AnswerLost, VenueRefused
from engine.webapi.sessionfacts import Layer
from engine.webapi.stream.registry import StreamRules
from tests.webapi_stream.linked import AAPL, IBM, PLACE, Linked, linked, ticket


def executions(it: Linked) -> dict[str, list[b.VenueExecution]]:
    """What was told of each execution, in order."""
    found: dict[str, list[b.VenueExecution]] = {}
    for one in it.of(b.VenueExecution):
        found.setdefault(one.execution_id, []).append(one)
    return found


async def filled(it: Linked, coid: str) -> b.VenueExecution:
    await it.until(lambda: [one for one in it.of(b.VenueExecution) if one.coid == coid])
    return next(one for one in it.of(b.VenueExecution) if one.coid == coid)  # type: ignore[no-any-return]


async def agrees(it: Linked) -> None:
    """Every execution of the gateway was told once without news of it, and its commission at the end."""
    truth = {row["execution_id"]: row for row in (await it.truth())["executions"]}
    await it.until(
        lambda: set(executions(it)) == set(truth) and all(rows[-1].commission for rows in executions(it).values())
    )
    for name, rows in executions(it).items():
        assert len(rows) <= 2
        assert {row.size for row in rows} == {Decimal(str(truth[name]["size"]))}
        assert {row.price for row in rows} == {Decimal(str(truth[name]["price"]))}
        assert len({row.commission for row in rows}) == len(rows)


@pytest.mark.parametrize("fault", ["drop-connections", "competing-login", "session-lost"])
async def test_fills_while_we_are_away_are_told_when_we_are_back(fault: str, tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        await it.until_up()
        quote = await it.fresh(Quote)
        answer = await it.place(ticket("s-000001"))
        assert isinstance(answer, b.Answered), answer
        await filled(it, "s-000001")
        # It rests at the bid, where the market comes by behind our back.
        resting = await it.place(ticket("s-000002", limit=f"{quote.bid:.2f}"))
        assert isinstance(resting, b.Answered), resting
        entry: dict[str, object] = {"do": fault, "at_s": 0}
        await it.faults({**entry, "seconds": 60} if fault == "competing-login" else entry)
        await it.until_down()
        await it.until_up()
        await it.fresh(Quote)
        await agrees(it)
        again = await it.place(ticket("s-000003"))
        assert isinstance(again, b.Answered), again
        await filled(it, "s-000003")
        await agrees(it)


async def test_a_link_that_stalls_is_found_dead_and_replaced(tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        await it.until_up()
        await it.fresh(Quote)
        await it.faults({"do": "stall-connections", "at_s": 0})
        await it.until_down()
        await it.until_up()
        await it.fresh(Quote)


async def test_a_silent_stream_is_told_and_its_gap_is_filled(tmp_path: Path) -> None:
    rules = StreamRules(silent_s=20, proof_s=10)
    async with linked(tmp_path, stream=rules) as it:
        await it.until_up()
        await it.until(lambda: it.link.supervisor.health().layers[Layer.DATA].up)
        await it.faults({"do": "silent", "on": "smd+265598"})
        await it.until(lambda: not it.link.supervisor.health().layers[Layer.DATA].up)
        assert it.link.supervisor.health().up  # orders may go on: they are judged by the age of the data
        assert list(it.link.registry.silent) == ["265598"]
        silent_s = it.link.data.silent_s(AAPL.conid)
        assert silent_s is not None
        assert silent_s > 20
        await it.fresh(Quote, conid=IBM.conid)
        before = len(it.market)
        start_ns = it.clock.now_ns()
        await it.until(lambda: it.clock.now_ns() - start_ns > 90 * 10**9)
        await it.mended()
        await it.until(lambda: it.link.supervisor.health().layers[Layer.DATA].up)
        # The bars of the gap may have come while the line was being mended.
        await it.until(lambda: any(isinstance(one, Bar) for one in it.market[before:]))
        assert {one.span_ns for one in it.market[before:] if isinstance(one, Bar)} == {60 * 10**9}
        assert {type(one) for one in it.market[before:] if not isinstance(one, b.Availability)} <= {Bar, Quote, Trade}


async def test_frames_doubled_and_out_of_order_count_once(tmp_path: Path) -> None:
    noisy = [
        {"do": "duplicate", "on": "s*", "probability": 0.5},
        {"do": "reorder", "on": "s*", "probability": 0.3},
        {"do": "late-commission", "seconds": 20},
    ]
    async with linked(tmp_path, script=noisy) as it:
        await it.until_up()
        for number in range(1, 6):
            assert isinstance(await it.place(ticket(f"s-{number:06}")), b.Answered)
        await it.until(lambda: len({one.coid for one in it.of(b.VenueExecution)}) == 5)
        await agrees(it)
        assert any(rows[0].commission is None for rows in executions(it).values())
        quotes = [one for one in it.market if isinstance(one, Quote)]
        assert all(first != second for first, second in pairwise(quotes))
        assert all(one.sampled for one in it.market if isinstance(one, Trade))
        known = await it.link.broker.executions()
        assert isinstance(known, b.ExecutionsKnown)
        assert {one.execution_id for one in known.executions} == set(executions(it))


async def test_an_order_whose_answer_was_dropped_is_found_in_the_list_and_was_sent_once(tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        await it.until_up()
        quote = await it.fresh(Quote)
        await it.faults({"do": "drop", "on": PLACE, "when": "after", "count": 1})
        with pytest.raises(AnswerLost):
            await it.place(ticket("s-000001", limit=f"{quote.bid * 0.99:.2f}"))
        known = await it.link.broker.orders()
        while isinstance(known, b.NotYetKnown):
            await it.clock.sleep_until(known.again_ns)
            known = await it.link.broker.orders()
        (row,) = known.orders
        assert (row.coid, row.total, row.side) == ("s-000001", Decimal(10), "BUY")
        assert await it.asked(PLACE) == 1
        assert len((await it.truth())["orders"]) == 1
        told = await it.link.broker.cancel(row.order_id, urgent=True)
        assert isinstance(told, b.CancelTaken)
        await it.until(lambda: [one for one in it.of(b.VenueOrder) if one.status == "Cancelled"])


async def test_prompts_and_bulletins_are_told_once(tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        await it.until_up()
        await it.faults(
            {"do": "bulletin", "at_s": 0, "text": "Markets close early"},
            {"do": "prompt", "at_s": 0, "text": "Really?", "options": ["Yes", "No"]},
            {"do": "duplicate", "on": "ntf"},
            {"do": "duplicate", "on": "blt"},
        )
        await it.until(lambda: len(it.of(b.Notice)) >= 2)
        await it.fresh(Quote)
        notices = {one.kind: one for one in it.of(b.Notice)}
        assert len(it.of(b.Notice)) == 2
        assert notices["bulletin"].text == "Markets close early"
        prompt = notices["notification"].prompt
        assert prompt is not None
        assert prompt.options == ("Yes", "No")
        with pytest.raises(VenueRefused, match="there is no prompt"):  # a played one has no order behind it
            await it.link.broker.answer_prompt(prompt, "Yes")


async def test_books_and_past_bars_over_the_socket(tmp_path: Path) -> None:
    async with linked(tmp_path) as it:
        await it.link.data.subscribe_depth([AAPL])
        await it.until_up()
        found = await it.fresh(Depth)
        assert len(found.bids) > 1
        assert found.bids[0].price < found.asks[0].price
        assert [level.price for level in found.bids] == sorted((level.price for level in found.bids), reverse=True)
        histories = it.link.data._histories
        for _ in range(7):  # at most five are open at a time: each is ended
            page = await histories.ask("265598", period="1h", bar="1min", bar_s=60)
            assert page.bar_s == 60
            assert page.bars
