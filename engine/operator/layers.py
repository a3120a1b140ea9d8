"""How each layer does: those of the session in the order in which they come up, then the engine's own."""

from __future__ import annotations

from typing import Any, Final

from engine.domain.brokerage import SessionNow

# The first that is not up is what those behind it wait for.
SESSION: Final = ("gateway", "outer", "brokerage", "accounts", "stream", "data")


class Layers:
    """Told by whoever knows, asked by operators. A layer nobody has spoken of is not shown."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[bool, str]] = {}

    def session(self, now: SessionNow) -> None:
        """How the session does."""
        down = False
        for layer in SESSION:
            if not now.up and layer == now.layer:
                down = True
                self._layers[layer] = (False, now.reason)
            else:
                self._layers[layer] = (not down, f"waits for {now.layer}" if down else "")

    def set(self, layer: str, up: bool, reason: str = "") -> None:
        """How a layer of our own does: journal, guard, a strategy, an instrument's data, the loop."""
        self._layers[layer] = (up, reason)

    def rows(self) -> list[dict[str, Any]]:
        """For `engine status`."""
        return [{"layer": name, "up": up, "reason": reason} for name, (up, reason) in self._layers.items()]
