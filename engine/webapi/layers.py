"""The layers of a session as people are told of them: up or not, why, and since when."""

from __future__ import annotations

from engine.webapi.sessionfacts import Layer, LayerHealth


class Layers:
    """One row a layer. A layer that goes down takes those above with it; one that comes up proves those below."""

    def __init__(self, now_ns: int) -> None:
        self._rows = {
            layer: LayerHealth(layer=layer, up=False, reason="not tried yet", since_ns=now_ns) for layer in Layer
        }

    def is_up(self, layer: Layer) -> bool:
        """Whether this layer stands."""
        return self._rows[layer].up

    def rows(self) -> tuple[LayerHealth, ...]:
        """All layers, lowest first."""
        return tuple(self._rows.values())

    def why_down(self) -> str:
        """Return the reason of the lowest layer that is down."""
        return next((row.reason for row in self._rows.values() if not row.up), "")

    def up(self, layer: Layer, reason: str, now_ns: int) -> None:
        """It stands, and so do those below."""
        for below in Layer:
            if below < layer and not self._rows[below].up:
                self._set(below, True, "answers", now_ns)
        self._set(layer, True, reason, now_ns)

    def down(self, layer: Layer, reason: str, now_ns: int) -> None:
        """It does not, and nothing above can."""
        self._set(layer, False, reason, now_ns)
        for above in Layer:
            if above > layer and self._rows[above].up:
                self._set(above, False, f"the {layer.name.lower()} layer is down", now_ns)

    def _set(self, layer: Layer, up: bool, reason: str, now_ns: int) -> None:
        before = self._rows[layer]
        since_ns = before.since_ns if before.up == up else now_ns
        self._rows[layer] = LayerHealth(layer=layer, up=up, reason=reason, since_ns=since_ns)
