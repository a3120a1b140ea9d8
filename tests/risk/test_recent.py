"""Own prices that walk: what some prices at once leave is what they leave one by one."""

from __future__ import annotations

from random import Random

import pytest

from engine.risk.recent import WALK_MAX, Walk

START_NS = 10**12


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (1, 1, 4), (5, 2, 1), (WALK_MAX, 1), (WALK_MAX - 1, 300)])
def test_some_prices_at_once_are_the_same_as_one_by_one(sign: int, sizes: tuple[int, ...]) -> None:
    random, at_once, singly, now_ns = Random(3), Walk(sign), Walk(sign), START_NS
    for size in sizes:
        prices = [100.0 + random.randrange(-8, 9) / 4.0 for _ in range(size)]
        times = [now_ns + number for number in range(size)]
        now_ns += size
        at_once.extend(times, prices)
        for at_ns, price in zip(times, prices, strict=True):
            singly.add(price, at_ns)
        assert (at_once.sent, at_once.total, at_once.last) == (singly.sent, singly.total, singly.last)
    assert len(at_once.sent) == min(sum(sizes), WALK_MAX)


def test_a_walk_is_the_sum_of_its_steps_the_worse_way() -> None:
    for sign, prices, total in ((1, (100.0, 101.0, 99.5, 100.25), 1.75), (-1, (100.0, 101.0, 99.5, 100.25), 1.5)):
        walk = Walk(sign)
        walk.extend([START_NS + number for number in range(4)], list(prices))
        assert (walk.total, walk.last) == (total, 100.25)
        walk.forget(START_NS)  # and with the first price the step from it
        assert walk.total == total - (1.0 if sign == 1 else 0.0)
        walk.forget(START_NS + 2)
        assert (walk.total, walk.last, len(walk.sent)) == (0.0, 100.25, 1)
        walk.forget(START_NS + 3)
        assert walk.last != walk.last
        assert not walk.sent
