"""Subscriptions on virtual time, against a server that ends streams without a word."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.webapi.stream.registry import Registry, StreamRules

S = 1_000_000_000
NOON = 1_700_000_000 * S
RULES = StreamRules()
# From the last frame of a stream that brought data until it is opened again, and until its silence is told.
FOUND_S = RULES.silent_s + 1
TOLD_S = RULES.silent_s + sum(RULES.proof_s * number for number in (1, 2, 3)) + 4


class Server:
    """Holds streams: one more than one a line is an error, and each ends unsaid when it is 600 seconds old."""

    def __init__(self, life_s: float = 600.0) -> None:
        self.life_s = life_s
        self.open: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.deaf: set[str] = set()  # lines that bring nothing whatever is asked
        self.oldest_s = 0.0

    def take(self, messages: list[str], now_ns: int) -> list[str]:
        """Act on messages; return the lines that answer with a first frame."""
        first = []
        for message in messages:
            topic, _, rest = message.partition("+")
            self.counts[topic] += 1
            name = rest.partition("+")[0]
            if topic == "umd":
                self.open.pop(name, None)
            elif topic == "smd":
                assert name not in self.open or self.age_s(name, now_ns) >= self.life_s, "two streams of one line"
                assert json.loads(rest.partition("+")[2]) == {"fields": ["31", "84"]}
                self.open[name] = now_ns
                if name not in self.deaf:
                    first.append(name)
        return first

    def age_s(self, name: str, now_ns: int) -> float:
        return (now_ns - self.open[name]) / S

    def speaks(self, name: str, now_ns: int) -> bool:
        if name in self.open:
            self.oldest_s = max(self.oldest_s, self.age_s(name, now_ns))
        return name in self.open and name not in self.deaf and self.age_s(name, now_ns) < self.life_s

    def drop(self) -> None:
        self.open.clear()


def registry(rules: StreamRules = RULES, closed: tuple[int, int] = (0, 0)) -> Registry:
    """Markets are open but between these two seconds after noon."""

    def is_open(name: str, now_ns: int) -> bool:
        return not closed[0] <= (now_ns - NOON) / S < closed[1]

    return Registry(rules, fields=lambda name: ("31", "84"), is_open=is_open)


class World:
    """A registry and a server, second by second."""

    def __init__(self, reg: Registry, lines: list[str]) -> None:
        self.reg, self.server, self.now_ns = reg, Server(), NOON
        self.reg.want_quotes(lines, NOON)
        self.lines = lines
        self.told_ns: dict[str, int] = {}
        self.connect()

    def connect(self) -> None:
        self.deliver(self.reg.connected(self.now_ns))

    def lose(self) -> None:
        self.server.drop()
        self.reg.lost()

    def deliver(self, messages: list[str]) -> None:
        for name in self.server.take(messages, self.now_ns):
            self.reg.heard(self.now_ns)
            self.reg.quoted(name, self.now_ns)

    def second(self, busy: set[str]) -> None:
        """One second: busy lines bring a frame if their stream lives; then the registry looks around."""
        self.now_ns += S
        for name in self.lines:
            if self.server.speaks(name, self.now_ns) and name in busy:
                self.reg.heard(self.now_ns)
                self.reg.quoted(name, self.now_ns)
        self.deliver(self.reg.due(self.now_ns))
        for name in self.reg.silent:
            self.told_ns.setdefault(name, self.now_ns)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_never_two_streams_never_too_old_never_a_flood(seed: int) -> None:
    """Two hours of lines that are busy, quiet, deaf or die, through losses of the connection."""
    chance = Random(seed)
    lines = [str(number) for number in range(4)]
    world = World(registry(closed=(3_000, 4_000) if chance.random() < 0.3 else (0, 0)), lines)
    seconds, losses = 7_200, 0
    busy = set(lines)
    for _ in range(seconds):
        roll = chance.random()
        if roll < 0.002:
            busy = {name for name in lines if chance.random() < 0.7}
        elif roll < 0.003:
            world.server.deaf = {name for name in lines if chance.random() < 0.3}
        elif roll < 0.0035:
            world.lose()
            losses += 1
            world.connect()
        elif roll < 0.004:
            world.server.open.pop(chance.choice(lines), None)  # dies unsaid
        world.second(busy)
    assert world.server.oldest_s < 600
    hours = seconds / 3600
    # A line that answers is opened at the shortest once a minute, a deaf one some 26 times in its first hour.
    assert world.server.counts["smd"] <= len(lines) * (60 * hours + 1 + losses)
    assert world.server.counts["umd"] <= world.server.counts["smd"]
    assert world.server.counts["tic"] <= 120 * hours + losses


def test_a_stream_is_renewed_before_its_end_with_the_union_of_fields() -> None:
    world = World(registry(), ["1"])
    for _ in range(3_600):
        world.second({"1"})
        assert world.server.speaks("1", world.now_ns)  # it never lapses
    assert world.server.counts["smd"] == 1 + 3_600 // 510
    assert world.server.oldest_s == 510


def test_a_stream_that_dies_unsaid_is_opened_again_within_its_bound() -> None:
    world = World(registry(), ["1"])
    for _ in range(100):
        world.second({"1"})
    world.server.open.clear()
    died_ns = world.now_ns
    while "1" not in world.server.open:
        world.second({"1"})
    assert RULES.silent_s <= (world.now_ns - died_ns) / S <= FOUND_S
    assert world.told_ns == {}  # it came back at once
    world.second({"1"})
    assert world.reg.unproved(world.now_ns) == ()


def test_silence_that_lasts_is_told_within_its_bound_and_its_end_says_since_when() -> None:
    world = World(registry(), ["1", "2"])
    for _ in range(100):
        world.second({"1", "2"})
    world.server.deaf = {"1"}
    last_ns = world.now_ns
    while not world.told_ns:
        world.second({"1", "2"})
    assert RULES.silent_s <= (world.told_ns["1"] - last_ns) / S <= TOLD_S
    assert world.reg.silent == {"1": last_ns}
    assert world.reg.unproved(world.now_ns) == ("1",)
    world.server.deaf = set()
    assert world.reg.quoted("1", world.now_ns) == last_ns
    assert world.reg.quoted("1", world.now_ns) is None
    assert world.reg.silent == {}


def test_a_new_stream_has_to_prove_itself_soon() -> None:
    world = World(registry(), [])
    world.server.deaf = {"1"}
    world.deliver(world.reg.want_quotes(["1"], world.now_ns))
    opened_ns = world.now_ns
    while world.server.counts["smd"] < 2:
        world.second(set())
    assert (world.now_ns - opened_ns) / S == RULES.proof_s
    while not world.told_ns:
        world.second(set())
    assert (world.told_ns["1"] - opened_ns) / S == RULES.proof_s * (1 + 2 + 3)


def test_a_renewal_has_to_prove_itself_soon() -> None:
    world = World(registry(), ["1"])
    while world.server.counts["smd"] < 2:
        world.server.deaf = {"1"} if world.server.age_s("1", world.now_ns) > 508 else set()
        world.second({"1"})
    renewed_ns = world.now_ns
    while world.server.counts["smd"] < 3:
        world.second({"1"})
    assert (world.now_ns - renewed_ns) / S == RULES.proof_s


def test_a_quiet_name_is_left_alone_for_longer_each_time() -> None:
    world = World(registry(), ["1"])
    for _ in range(3_600):
        world.second(set())  # nothing but first frames
    assert world.told_ns == {}
    # After 60, 120, 240 and 480 seconds of silence, and from then on by renewals at the latest.
    assert world.server.counts["smd"] <= 1 + 4 + (3_600 - 900) // 480
    world.second({"1"})
    world.second({"1"})
    opened = world.server.counts["smd"]
    for _ in range(61):
        world.second(set())
    assert world.server.counts["smd"] == opened + 1  # it has moved: silence counts again


def test_nothing_is_missed_while_the_market_is_shut_nor_at_its_bell() -> None:
    world = World(registry(closed=(100, 2_000)), ["1", "2"])
    world.server.deaf = {"1"}
    for second in range(2_005):
        world.second({"1", "2"} if second < 100 else set())
    shut_smd = world.server.counts["smd"]
    assert shut_smd <= 2 * (1 + 2_005 // 510) + 3  # renewals, and what was asked before the bell
    assert world.told_ns.get("2") is None
    for _ in range(55):
        world.second({"2"})
    assert world.server.counts["smd"] <= shut_smd + 2 + 2


def test_all_comes_back_with_the_connection_orders_first() -> None:
    reg = registry()
    assert reg.want("orders", "sor+{}", "uor+{}") == []
    assert reg.want_quotes(["1"], NOON) == []
    assert reg.due(NOON + 100 * S) == []
    assert not reg.dead(NOON + 100 * S)
    first = reg.connected(NOON)
    assert first == ["sor+{}", 'smd+1+{"fields":["31","84"]}']
    assert reg.want_quotes(["1", "2"], NOON) == ['smd+2+{"fields":["31","84"]}']
    assert reg.want("profit", "spl+{}", "upl+{}") == ["spl+{}"]
    reg.lost()
    assert reg.drop("profit") == []
    assert reg.drop_quotes("1") == []
    assert reg.connected(NOON + S) == ["sor+{}", 'smd+2+{"fields":["31","84"]}']
    assert reg.drop_quotes("2") == ["umd+2+{}"]
    assert reg.drop("orders") == ["uor+{}"]
    assert reg.drop("orders") == reg.drop_quotes("2") == []


@pytest.mark.parametrize("silent_s", [28, 29])
def test_a_link_without_any_frame_is_dead(silent_s: int) -> None:
    reg = registry()
    reg.connected(NOON)
    reg.heard(NOON + 5 * S)
    assert reg.dead(NOON + (5 + silent_s) * S) == (silent_s > RULES.dead_s)
    reg.lost()
    assert not reg.dead(NOON + 99 * S)


def test_our_sign_of_life_goes_out_at_least_once_a_minute() -> None:
    world = World(registry(), [])
    for _ in range(120):
        world.second(set())
    assert world.server.counts["tic"] == 120 / RULES.tic_s
