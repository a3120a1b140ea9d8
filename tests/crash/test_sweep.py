"""Kill -9 at journalled steps and at any moment, against a gateway with faults: in the end both books agree.

A few in the ordinary run; `make campaign` kills 300 daemons, and trades six days full of faults with 2,000 orders each.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from engine.gateway.faults import Kind, read_script
from tests.crash.faulty import faulty_day
from tests.crash.plans import KINDS, faults
from tests.crash.sweep import sweep

CAMPAIGN = os.environ.get("FULLTICKET_CAMPAIGN") == "1"
campaign_only = pytest.mark.skipif(not CAMPAIGN, reason="long: make campaign")


def test_the_plans_know_every_kind_of_fault_that_the_gateway_has() -> None:
    assert set(KINDS) == set(get_args(Kind))
    scripts = [faults(1, number) for number in range(40)]
    for script in scripts:
        read_script(json.loads(json.dumps(script), parse_float=Decimal), place="a plan")  # the gateway takes it
    planned = Counter(entry["do"] for script in scripts for entry in script["fault"])
    assert set(planned) == set(KINDS)


def test_twenty_daemons_die_and_the_books_agree(tmp_path: Path) -> None:
    wrong, figures = sweep(tmp_path / "state", 1, 20)
    assert not wrong, "\n".join(wrong)
    _was_busy(figures, 20)


@campaign_only
@pytest.mark.parametrize("seed", range(2, 8))
def test_three_hundred_daemons_die_and_the_books_agree(tmp_path: Path, seed: int) -> None:
    wrong, figures = sweep(tmp_path / "state", seed, 50)
    assert not wrong, "\n".join(wrong)
    _was_busy(figures, 50)


def _was_busy(figures: dict[str, Any], many: int) -> None:
    """The day was no empty one: orders were written between kills, taken by the venue, and filled."""
    assert figures["written"] >= 4 * many
    assert figures["at_venue"] >= 2 * many
    assert figures["fills"] >= many


@campaign_only
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_long_day_of_faults_ends_with_equal_books(tmp_path: Path, seed: int) -> None:
    wrong, figures = faulty_day(tmp_path / "state", seed, orders=2_000)
    assert not wrong, "\n".join(wrong)
    assert figures["at_venue"] >= 1_000  # of the others most were refused: questions declined, sessions down
