"""One door from money to floats, for figures that are only looked at: what is close to a limit is compared exactly."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Final

BLUR: Final = 1e-9  # of a price: well above what float arithmetic loses
# A look-up costs a fifth of the way from Decimal to float, which leads over a text.
number: Final[Callable[[Decimal], float]] = lru_cache(maxsize=65_536)(float)
