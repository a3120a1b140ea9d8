"""The simulated exchange: matching, latency, queues, fees and slippage. Pure: no clock, no chance, no files."""

from engine.venue.fees import FeeSchedule
from engine.venue.sim import SimVenue

__all__ = ["FeeSchedule", "SimVenue"]
