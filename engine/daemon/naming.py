"""What the configuration says of an instrument must be what the venue says of its conid.

A conid that was copied wrong trades something else; a wrong multiplier or currency makes every limit on money another.
So an instrument that does not agree is halted: its orders may be cancelled, and only the kill switch closes what is
held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import structlog
import trio

from engine.domain.instrument import Instrument, SecType
from engine.errors import VenueError
from engine.orders.actions import Alert
from engine.runtime.live.letters import InstrumentNow
from engine.webapi.endpoints.contracts import Contracts
from engine.webapi.facts.contracts import SecurityDefinition

if TYPE_CHECKING:
    from engine.daemon.assembling import Daemon

LIMIT_S: Final = 5.0  # of the wall: a start does not wait longer for it
_MULTIPLIED: Final = frozenset({SecType.OPTION, SecType.FUTURE, SecType.FUTURE_OPTION})

log = structlog.get_logger()


async def check_names(daemon: Daemon) -> None:
    """Ask once what each conid is, halt what does not agree, and tell people."""
    instruments = {conid: one for conid, one in daemon.settings.by_conid.items() if not one.legs}
    try:
        with trio.fail_after(LIMIT_S):
            rows = await Contracts(daemon.link.scheduler).definitions(tuple(instruments))
    except (VenueError, trio.TooSlowError) as error:
        log.warning("instruments_not_checked", problem=str(error) or "no answer in time")
        return
    for conid, sentence in disagreements(instruments, rows).items():
        daemon.misnamed[conid] = sentence
        daemon.people.alert(Alert("INSTRUMENT", sentence), daemon.clock.now_ns())
        daemon.nursery.tell_risk(InstrumentNow(conid, True, sentence))


def disagreements(instruments: Mapping[int, Instrument], rows: Iterable[SecurityDefinition]) -> dict[int, str]:
    """Why instruments must not be traded, by conid, in a sentence each.

    Args:
        rows: What the venue says (GET /trsrv/secdef); what a row leaves open agrees. None at all say nothing.
    """
    known = {row.conid: row for row in rows}
    found = {}
    for conid, instrument in instruments.items() if known else ():
        row = known.get(conid)
        if row is None:
            found[conid] = f"the venue knows no instrument with the conid {conid}, here {instrument.symbol}"
            continue
        differs = [
            f"{what} {theirs}, not {ours}"
            for what, theirs, ours in _figures(instrument, row)
            if theirs and _plain(theirs) != _plain(ours)
        ]
        if differs:
            found[conid] = f"the conid {conid} ({instrument.symbol}) has at the venue the {' and the '.join(differs)}"
    return found


def _figures(instrument: Instrument, row: SecurityDefinition) -> Iterable[tuple[str, str, str]]:
    """What can be held against one another: its name, what the venue says, what the configuration says."""
    yield "kind", row.asset_class, instrument.sec_type
    yield "currency", row.currency, instrument.currency
    if instrument.sec_type is SecType.STOCK:
        yield "symbol", row.ticker, instrument.symbol
    if instrument.sec_type in _MULTIPLIED and row.multiplier:
        yield "multiplier", f"{row.multiplier.normalize():f}", f"{instrument.multiplier.normalize():f}"


def _plain(text: str) -> str:
    """Without what is written in several ways: BRK B, BRK.B."""
    return "".join(letter for letter in text.upper() if letter.isalnum())
