"""The fault script as decisions: what matches, how often, when, and the same from the same seed."""

from __future__ import annotations

import pytest

from engine.errors import ConfigError
from engine.gateway.faults import Faults, read_script
from engine.tables import toml
from tests.gateway.fakes import SECOND, START_NS

PLACE = "POST /iserver/account/{accountId}/orders"


def _loaded(text: str) -> Faults:
    faults = Faults()
    faults.load(read_script(toml(text), place="faults.toml"), START_NS)
    return faults


def _kinds(faults: Faults, key: str, seconds: float = 0) -> list[str]:
    return [fault.do for fault in faults.on_request(key, START_NS + int(seconds * SECOND))]


def test_skip_and_count() -> None:
    faults = _loaded(f'[[fault]]\ndo = "drop"\non = "{PLACE}"\nskip = 2\ncount = 3')
    assert [len(_kinds(faults, PLACE)) for _ in range(8)] == [0, 0, 1, 1, 1, 0, 0, 0]
    assert _kinds(faults, "GET /tickle") == []
    assert faults.report() == [{"do": "drop", "on": PLACE, "seen": 5, "struck": 3}]


def test_without_a_count_it_strikes_every_time_in_its_part_of_the_day() -> None:
    faults = _loaded('[[fault]]\ndo = "status"\non = "GET *"\nstatus = 429\nfrom_s = 10\nuntil_s = 20')
    struck = [bool(_kinds(faults, "GET /tickle", second)) for second in (0, 9.9, 10, 19.9, 20, 100)]
    assert struck == [False, False, True, True, False, False]


def test_names_match_by_pattern_with_braces_as_they_are() -> None:
    faults = _loaded('[[fault]]\ndo = "reset"\non = "* /iserver/account/{accountId}/order*"')
    assert _kinds(faults, PLACE) == ["reset"]
    assert _kinds(faults, "DELETE /iserver/account/{accountId}/order/{orderId}") == ["reset"]
    assert _kinds(faults, "GET /iserver/account/orders") == []


def test_before_and_after() -> None:
    faults = _loaded(
        '[[fault]]\ndo = "delay"\n[[fault]]\ndo = "status"\n[[fault]]\ndo = "drop"\n'
        '[[fault]]\ndo = "drop"\nwhen = "before"\n[[fault]]\ndo = "status"\nwhen = "after"'
    )
    found = faults.on_request(PLACE, START_NS)
    assert [fault.before for fault in found] == [True, True, False, True, False]


def test_the_same_seed_strikes_the_same_and_an_entry_more_changes_nothing() -> None:
    one = '[[fault]]\ndo = "drop"\nprobability = 0.3'
    first, again = _loaded("seed = 4\n" + one), _loaded("seed = 4\n" + one)
    other = _loaded("seed = 5\n" + one)
    more = _loaded("seed = 4\n" + one + '\n[[fault]]\ndo = "delay"\nprobability = 0.5')
    runs = [[("drop" in _kinds(faults, PLACE)) for _ in range(300)] for faults in (first, again, other, more)]
    assert runs[0] == runs[1] == runs[3] != runs[2]
    assert 60 < sum(runs[0]) < 120


def test_frames_are_named_in_full_or_by_topic() -> None:
    faults = _loaded('[[fault]]\ndo = "silent"\non = "smd+265598"\n[[fault]]\ndo = "duplicate"\non = "str"')
    assert [fault.do for fault in faults.on_frame("smd+265598", START_NS)] == ["silent"]
    assert faults.on_frame("smd+8314", START_NS) == []
    assert [fault.do for fault in faults.on_frame("str", START_NS)] == ["duplicate"]
    assert _kinds(faults, "str") == []


def test_moments_come_once_and_in_order() -> None:
    faults = _loaded(
        '[[fault]]\ndo = "competing-login"\nat_s = 20\n[[fault]]\ndo = "session-reset"\nat_s = 5\n'
        '[[fault]]\ndo = "bulletin"\nat_s = 5\ntext = "hello"'
    )
    assert faults.next_due_ns() == START_NS + 5 * SECOND
    assert faults.due(START_NS + 4 * SECOND) == []
    assert [fault.do for fault in faults.due(START_NS + 30 * SECOND)] == [
        "session-reset",
        "bulletin",
        "competing-login",
    ]
    assert faults.due(START_NS + 40 * SECOND) == []
    assert faults.next_due_ns() is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('[[fault]]\ndo = "drp"', "faults.fault.0.do: must be one of"),
        ('[[fault]]\ndo = "drop"\nskp = 1', "unknown key; did you mean skip?"),
        ('[[fault]]\ndo = "drop"\ncount = 0', "must be >= 1"),
        ('[[fault]]\ndo = "drop"\nprobability = 1.5', "must be <= 1"),
        ('[[fault]]\ndo = "status"\nstatus = 200', "must be >= 400"),
        ("[[fault]]\nseconds = 1", "do: missing"),
        ("fault = 3", "must be a list"),
        ('[[fault]]\ndo = "drop"\non = 3', "must be a text"),
    ],
)
def test_a_bad_script_is_refused_whole(script: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_script(toml(script), place="faults.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("faults.toml: ")


def test_a_bare_list_is_a_script() -> None:
    assert [fault.do for fault in read_script([{"do": "drop"}], place="x").fault] == ["drop"]
