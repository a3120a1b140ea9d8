"""Every error the engine raises, grouped by what the caller must do next.

EngineError
    InputError              stop; a person mends the named file, key or value
        ConfigError         the configuration
        RecordingError      a recording, or a file to be imported
        StrategyError       a strategy that can't be found, built or trusted to go on
    IllegalTransition       an order was told something its state does not admit: freeze it, ask the venue
    InvariantBroken         our own bug: stop trading, keep the journal

Facts are fields; `str()` is one sentence for a person.
"""

from __future__ import annotations


class EngineError(Exception):
    """Root of everything raised on purpose."""


class InputError(EngineError):
    """A person gave something that can't be used.

    Args:
        problem: One clear sentence, without a full stop at its end.
        place: File, key or row the sentence is about; None if it names itself.
    """

    def __init__(self, problem: str, *, place: str | None = None) -> None:
        super().__init__(problem, place)
        self.problem = problem
        self.place = place

    def __str__(self) -> str:
        return self.problem if self.place is None else f"{self.place}: {self.problem}"


class ConfigError(InputError):
    """The configuration says something it may not."""


class RecordingError(InputError):
    """A recording or a source file can't be read as what it claims to be."""


class StrategyError(InputError):
    """A strategy can't be found, built or run."""


class IllegalTransition(EngineError):
    """An order was told something that its state does not admit; nothing was changed.

    Args:
        coid: Client order id.
        status: State the order is in.
        event: Name of the event that does not fit.
    """

    def __init__(self, *, coid: str, status: str, event: str) -> None:
        super().__init__(coid, status, event)
        self.coid = coid
        self.status = status
        self.event = event

    def __str__(self) -> str:
        return f"order {self.coid} is {self.status} and can't take {self.event}"


class InvariantBroken(EngineError):
    """Something that can't be has happened; the sentence says what."""
