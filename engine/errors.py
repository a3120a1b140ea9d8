"""Every error the engine raises, grouped by what the caller must do next.

EngineError
    InputError              stop; a person mends the named file, key or value
        ConfigError         the configuration
        RecordingError      a recording, or a file to be imported
        StrategyError       a strategy that can't be found, built or trusted to go on
    VenueError              the other side of the Web API
        VenueUnreachable    nothing was sent: the same call may be made again
        AnswerLost          sent, no answer that can be read: ask the venue, never send it again
        VenueRefused        it said no: tell whoever asked why
    JournalFull             the disk takes no more: only what lowers risk goes out
    CoidUsed                a client order id was given twice: that order must not go out
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


class VenueError(EngineError):
    """A request to the Web API did not come to a good end.

    Args:
        request: Method and path template, such as `POST /iserver/reply/{replyId}`; nothing secret.
        problem: One clear sentence, without a full stop at its end.
    """

    def __init__(self, request: str, problem: str) -> None:
        super().__init__(request, problem)
        self.request = request
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.request}: {self.problem}"


class VenueUnreachable(VenueError):
    """Nothing of the request left us, or it is one that may be repeated: the same call may be made again."""


class AnswerLost(VenueError):
    """The request may have arrived and its answer is unknown: ask the venue, never send it again."""


class VenueRefused(VenueError):
    """The venue answered no.

    Args:
        request: As above.
        problem: What it said.
        status: HTTP status; 200 where the refusal stands in a good answer's body.
    """

    def __init__(self, request: str, problem: str, *, status: int) -> None:
        super().__init__(request, problem)
        self.status = status


class JournalFull(EngineError):
    """The disk takes no more: nothing of what was to be stored was."""


class CoidUsed(EngineError):
    """A client order id was to be sent that has been sent before: nothing was stored, and the order must not go out."""


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
