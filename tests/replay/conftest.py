"""What the tests of the ring share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from engine.runtime import backtest


@pytest.fixture(autouse=True, scope="module")
def garbage_stays() -> Iterator[None]:
    """A run begins by collecting garbage: of a whole test process that takes longer than the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "_rare_collections", nullcontext)
        yield
