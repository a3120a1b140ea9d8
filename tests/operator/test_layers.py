"""How layers are shown: behind the first that is down nothing is known to be up."""

from __future__ import annotations

from engine.domain.brokerage import SessionNow
from engine.operator.layers import SESSION, Layers


def test_what_lies_behind_a_layer_that_is_down_waits_for_it() -> None:
    layers = Layers()
    assert layers.rows() == []
    layers.session(SessionNow(ts_ns=1, up=False, layer="brokerage", reason="competing"))
    assert [(row["layer"], row["up"], row["reason"]) for row in layers.rows()] == [
        ("gateway", True, ""),
        ("outer", True, ""),
        ("brokerage", False, "competing"),
        ("accounts", False, "waits for brokerage"),
        ("stream", False, "waits for brokerage"),
        ("data", False, "waits for brokerage"),
    ]
    layers.set("journal", False, "the disk is full")
    layers.session(SessionNow(ts_ns=2, up=True, layer=""))
    assert [row["layer"] for row in layers.rows()] == [*SESSION, "journal"]
    assert [row["layer"] for row in layers.rows() if not row["up"]] == ["journal"]
