"""What every test shares: how hard Hypothesis searches.

`ci` draws the same examples each time, so that a red test is red for everybody. `campaign` (`make campaign`) searches
wider, from a new seed each time; what it finds becomes an example of its own.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A deadline is a timed assertion: it fails on a busy machine, and says nothing about the code.
settings.register_profile(
    "ci", max_examples=50, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "campaign", max_examples=2_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("campaign" if os.environ.get("FULLTICKET_CAMPAIGN") == "1" else "ci")
