"""docs/orders.md says of questions, conditions, states and journal rows what the code says.

`python -m tests.docs.test_orders_page` writes the two tables anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.domain.order import State
from engine.orders.questions import CONDITIONS, KNOWN

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "orders.md"
REPLIES = "<!-- replies: written by tests/docs/test_orders_page.py from engine/orders/questions.py -->"
CONDITION_MARK = "<!-- conditions -->"


def replies() -> str:
    """Every id that the venue is known to ask, with our default."""
    rows = ["| id | about | own check | we answer |", "|---|---|---|---|"]
    rows += [f"| {name} | {one.about} | {one.covered_by or 'no'} | {one.default} |" for name, one in KNOWN.items()]
    return "\n".join(rows)


def conditions() -> str:
    """Every condition that a rule may ask."""
    rows = ["| condition | holds if |", "|---|---|"]
    rows += [f"| `{name}` | {words} |" for name, words in CONDITIONS.items()]
    return "\n".join(rows)


def _between(text: str, mark: str, end: str) -> str:
    return text.split(mark, 1)[1].split(end, 1)[0].strip()


def test_every_question_stands_there_with_our_default() -> None:
    assert _between(PAGE.read_text(), REPLIES, "<!-- end of replies -->") == replies()


def test_every_condition_stands_there() -> None:
    assert _between(PAGE.read_text(), CONDITION_MARK, "<!-- end of conditions -->") == conditions()


def test_every_state_stands_there() -> None:
    told = re.findall(r"^\| `(\w+)` \|", _between(PAGE.read_text(), "| state |", "The table is"), re.MULTILINE)
    assert sorted(told) == sorted(str(state) for state in State)


def test_every_kind_of_row_of_the_order_desk_stands_there() -> None:
    """What the desk and its book write: the kinds as the source has them."""
    written = set()
    for file in (ROOT / "engine" / "orders").glob("*.py"):
        source = file.read_text()
        written |= set(re.findall(r"\.note\(\s*now_ns,\s*\"(\w+)\"", source))
        written |= set(re.findall(r"facts\.append\(\((?:now_ns|answer\.ts_ns), \"(\w+)\"", source))
    told = set(re.findall(r"`(\w+)`", _between(PAGE.read_text(), "| kind | what |", "\0")))
    rare = {"stale_answer", "row_unknown", "foreign", "shrunk"}  # of use to whoever reads the source
    assert written - told - rare == set()
    assert len(written) > 20


if __name__ == "__main__":
    page = PAGE.read_text()
    for mark, end, table in (
        (REPLIES, "<!-- end of replies -->", replies()),
        (CONDITION_MARK, "<!-- end of conditions -->", conditions()),
    ):
        head, rest = page.split(mark, 1)
        page = f"{head}{mark}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}"
    PAGE.write_text(page)
