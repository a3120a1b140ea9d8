"""Paper and live can't be mixed up: mode, account id and what the session says of itself must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from engine.daemon.config import Mode
from engine.errors import InputError
from engine.webapi.facts.accounts import BrokerageAccounts

if TYPE_CHECKING:
    from engine.daemon.assembling import Daemon

LOOK_S: Final = 0.1
MISSED_MAX: Final = 2  # a session that has just opened may not have loaded its list


async def session_of(daemon: Daemon, *, tells_account: bool) -> None:
    """Wait until the session is up, and see that it is the one that is meant.

    Args:
        tells_account: The account has been among the session's once: a list that lacks it now is a fault of the
            venue's, and is waited for.

    Raises: InputError for a session of other money, or, where the account was never seen, of another account.
    """
    chores, base, mode = daemon.link.chores, daemon.settings.base, daemon.settings.mode
    async with trio.open_nursery() as nursery:

        async def look() -> None:
            while True:
                against(mode, base.account.id, chores.told, whole=False)
                if not tells_account and chores.told is not None and chores.missed >= MISSED_MAX:
                    has = ", ".join(chores.told.accounts)
                    raise InputError(f"the gateway's session has no such account; it has {has}", place=base.account.id)
                await trio.sleep(LOOK_S)

        nursery.start_soon(look)
        await daemon.link.supervisor.wait_up()
        nursery.cancel_scope.cancel()
    against(mode, base.account.id, chores.known, whole=True)


def against(mode: Mode, account: str, told: BrokerageAccounts | None, *, whole: bool) -> None:
    """Nothing, if what a session says of itself does not stand against the mode.

    Args:
        whole: It has said all it is going to say: in mode live silence is then against it.

    Raises: InputError.
    """
    paper = None if told is None else told.paper
    if mode is Mode.LIVE and (paper or (whole and paper is None)):
        said = "is a paper session" if paper else "does not say whether it is paper"
        raise InputError(f"the mode is live, and the session {said}", place=account)
    if mode is not Mode.LIVE and paper is False:
        raise InputError(f"the mode is {mode}, and the session is a live one", place=account)
