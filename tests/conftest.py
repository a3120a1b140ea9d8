"""What every test shares: how hard Hypothesis searches, and the law that every portfolio has to keep.

`ci` draws the same examples each time, so that a red test is red for everybody. `campaign` (`make campaign`) searches
wider, from a new seed each time; what it finds becomes an example of its own.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from engine.portfolio.books import Portfolio
from engine.portfolio.identity import gaps, units_apart

# A deadline is a timed assertion: it fails on a busy machine, and says nothing about the code.
settings.register_profile(
    "ci", max_examples=50, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "campaign", max_examples=2_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# A mutant that is found dead needs no smallest example.
settings.register_profile("mutation", parent=settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate))
_PROFILES = {"1": "campaign", "mutation": "mutation"}
settings.load_profile(_PROFILES.get(os.environ.get("FULLTICKET_CAMPAIGN", ""), "ci"))


def _balanced(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and afterwards the books must balance: in every test, after everything that is ever booked."""

    @functools.wraps(method)
    def booked(books: Portfolio, *args: Any, **more: Any) -> Any:
        said = method(books, *args, **more)
        assert not gaps(books), f"after {method.__name__} the books do not balance: {gaps(books)}"
        assert not units_apart(books), f"after {method.__name__} units are apart: {units_apart(books)}"
        return said

    return booked


for _name in ("hear", "adjust", "post", "charge", "deposit", "take_over"):
    setattr(Portfolio, _name, _balanced(getattr(Portfolio, _name)))
