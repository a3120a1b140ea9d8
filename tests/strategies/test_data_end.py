"""A run whose recording ends before the close: what its end says, in any wiring and window."""

from __future__ import annotations

from attrs import evolve

from engine.domain.order import Order, State
from engine.settings import Pipeline
from engine.strategy.api import Quote, Strategy

from .ring import CLOSE, OPEN, Ring, Run, S, quote

MIN = 60 * S
NS_CLOSE = CLOSE - OPEN


class Evening(Strategy[None]):
    """Wants to act before the close, and leaves one order of each kind."""

    def on_start(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.ctx.before_close(5, "flat")
        self.ctx.before_close(60, "hour")
        self.ctx.after_open(1, "early")
        self.ctx.after_open(389.5, "late")

    def on_quote(self, quote: Quote) -> None:
        if not self.ctx.orders():
            self.ctx.sell("AAA", 10, order_type="MOC")
            self.ctx.buy("AAA", 20, limit=9.0)
            self.ctx.buy("AAA", 30, limit=8.0, tif="GTC")

    def on_calendar(self, name: str) -> None:
        self.heard.append((name, self.ctx.now_ns - OPEN))

    def on_order(self, order: Order) -> None:
        if not order.is_open:
            self.heard.append((f"{order.coid} {order.reason}", self.ctx.now_ns - OPEN))


def run(ring: Ring) -> Run:
    return ring.run(Evening, None, [quote(0, 10.0, 10.1), quote(NS_CLOSE - 30 * MIN, 10.0, 10.1)])


def test_the_end_is_told_after_the_last_row_and_counted() -> None:
    done = run(Ring())
    assert done.strategy.heard == [
        ("early", MIN),
        ("hour", NS_CLOSE - 60 * MIN),
        ("s-000001 data_end", NS_CLOSE + 1),
        ("s-000002 day", NS_CLOSE + 1),
    ]
    assert [order.state for order in done.orders] == [State.CANCELLED, State.CANCELLED, State.WORKING]
    counts = done.result.counts
    names = ("expired_past_data", "auctions_past_data", "timers_past_data", "open_at_end")
    assert [counts[name] for name in names] == [1, 1, 2, 1]


def test_wiring_changes_nothing_of_it() -> None:
    base = run(Ring()).result.hash
    assert run(evolve(Ring(), pipeline=Pipeline.CHANNELS)).result.hash == base
    assert run(evolve(Ring(), cuts=(1,))).result.hash == base
