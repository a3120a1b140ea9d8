"""Checks that installed packages offer: in the order of their names, and refused with where they come from."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from engine.domain.messages import Refusal
from engine.errors import ConfigError
from engine.risk import plugins
from engine.risk.catalogue import Kind, Row, is_set, row, row_of
from engine.risk.plugins import GROUP, as_row, installed
from tests.risk.made import D, new
from tests.risk.test_catalogue import ask, change, make


def odd(ticket: Any, exposure: Any, market: Any, bounds: Any) -> Refusal | None:
    """Odd quantities are unlucky.

    What follows is for whoever reads the source.
    """
    return Refusal("ODD", "even", str(ticket.quantity), "the quantity is odd") if ticket.quantity % 2 else None


def large(ticket: Any, exposure: Any, market: Any, bounds: Any) -> Refusal | None:
    return Refusal("LARGE", "9", str(ticket.quantity), "it is large") if ticket.quantity > 9 else None


ROW = Row(code="TWO", name="two", kind=Kind.GATE, sentence="two at once", checks=(odd, large), new_only=True)


def offer(monkeypatch: pytest.MonkeyPatch, **found: Any) -> None:
    """Packages are installed that offer these; an error is what loading comes to."""

    class Offered(EntryPoint):
        def load(self) -> Any:
            one = found[self.name]
            if isinstance(one, Exception):
                raise one
            return one

    offered = [Offered(name, f"mine:{name}", GROUP) for name in found]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [one for one in offered if one.group == group])


def test_they_are_asked_in_the_order_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, zeta=odd, alpha=large, middle=ROW)
    rows = installed()
    assert [(one.code, one.source) for one in rows] == [
        ("alpha", "mine:alpha"),
        ("TWO", "mine:middle"),
        ("zeta", "mine:zeta"),
    ]
    assert rows[2].sentence == "Odd quantities are unlucky"
    assert rows[0].sentence == "alpha"  # it says nothing of itself
    assert (rows[2].name, rows[2].kind, [check.__name__ for check in rows[2].checks]) == ("zeta", Kind.GATE, ["odd"])


def broken(ticket: Any, exposure: Any, market: Any, bounds: Any) -> Refusal | None:
    raise ValueError("boo")


@pytest.mark.parametrize("found", [broken, Row(code="mine", kind=Kind.GATE, name="x", sentence="x", checks=(broken,))])
def test_one_that_raises_refuses_and_says_which_it_was(found: Any) -> None:
    (check,) = as_row("mine", found, source="mine:x").checks
    nothing: Any = None
    line = broken.__code__.co_firstlineno + 1
    sentence = f"the check mine could not say: ValueError: boo (test_plugins.py, line {line})"
    assert check(new(), nothing, nothing, nothing) == Refusal("CHECK_FAILED", "an answer", "none", sentence)


@pytest.mark.parametrize("said", [False, True, "the quantity is odd", ("ODD", "even", "1", "odd")])
def test_one_that_says_neither_nothing_nor_a_refusal_refuses(said: Any) -> None:
    rows = (as_row("mine", lambda ticket, exposure, market, bounds: said, source="mine:x"),)
    assert ask(make(plugins=rows), new()) == "CHECK_FAILED"


@pytest.mark.parametrize("error", [ImportError("no module named mine"), AttributeError("mine has no odd")])
def test_one_that_can_not_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    offer(monkeypatch, broken=error)
    with pytest.raises(ConfigError, match=f"entry point broken.*{error}"):
        installed()


@pytest.mark.parametrize(
    ("name", "found", "problem"),
    [
        ("R1", odd, "mine:x.*R1 is a code of the engine's own table"),
        ("mine", Row(code="R7", name="x", kind=Kind.GATE, sentence="x"), "mine:x.*mine is a code of the engine's own"),
        ("mine", 7, "mine:x.*must be a check or a row of checks"),
    ],
)
def test_what_is_no_row_is_refused_with_its_source(name: str, found: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        as_row(name, found, source="mine:x")


def test_a_row_for_new_orders_does_not_judge_modifications() -> None:
    gate = make(plugins=(as_row("TWO", ROW, source="mine:two"),))
    first = new(8)
    assert [ask(gate, new(7)), ask(gate, new(10)), ask(gate, first)] == ["ODD", "LARGE", "ok"]
    assert change(gate, first.coid, quantity=D(7)) == "ok"
    both = make(plugins=(as_row("odd", odd, source="mine:odd"), as_row("large", large, source="mine:large")))
    assert [ask(both, new(7)), ask(both, new(10)), ask(both, new(8))] == ["ODD", "LARGE", "ok"]


def test_a_check_is_found_behind_its_row() -> None:
    rows = (as_row("odd", odd, source="mine:odd"), as_row("large", large, source="mine:large"))
    assert [row_of(check, rows).code for one in rows for check in one.checks] == ["odd", "large"]
    assert [row(code).name for code in ("R1", "R7", "R48")] == ["order quantity", "order rate", "self-assessment"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("allowed", "NOT_ALLOWED"), ("exchanges", "NOT_ALLOWED"), ("order_types", "TERMS"), ("tifs", "TERMS")],
)
def test_an_empty_list_of_what_is_allowed_allows_nothing(name: str, code: str) -> None:
    nothing: dict[str, Any] = {name: ()}
    assert ask(make(**nothing), new()) == code
    assert is_set(name, ())
    assert not is_set("restricted", ())


def test_refusals_of_a_plugin_are_counted_by_its_row_whatever_their_code() -> None:
    gate = make(plugins=(as_row("odd", odd, source="mine:odd"), as_row("large", large, source="mine:large")))
    first = new(8)
    assert [ask(gate, new(7)), ask(gate, new(10)), ask(gate, new(9)), ask(gate, first)] == ["ODD", "LARGE", "ODD", "ok"]
    assert gate.account.plugins_refused == {("odd", "ODD"): 2, ("large", "LARGE"): 1}
    assert change(gate, first.coid, quantity=D(7)) == "ODD"
    assert ask(gate, new(8, coid=first.coid)) == "ID"  # not a plugin's
    assert gate.account.plugins_refused == {("odd", "ODD"): 3, ("large", "LARGE"): 1}
