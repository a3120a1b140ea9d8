"""What may be traded now, as people are told it: the trading state, and beside it the latches that risk has set.

Risk's latches are its own (`Account.held`): of the account, or of one strategy. One that has ended by time is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.domain.moments import iso
from engine.operator.trading import TradingDesk, TradingState
from engine.risk.account import ACCOUNT, Held, Level

_STATES: Final = {Level.HALTED: TradingState.HALTED, Level.REDUCING: TradingState.REDUCING}
_SAID: Final = {"halted": "halted", "reducing": "reduce-only"}


def in_force(held: Mapping[str, Held], now_ns: int) -> dict[str, Held]:
    """Of risk's latches those that hold now, by owner."""
    return {owner: one for owner, one in held.items() if one.until_ns is None or now_ns < one.until_ns}


def state_of(trading: TradingDesk, held: Mapping[str, Held], now_ns: int) -> TradingState:
    """What the account may trade: the stricter of the trading state and of risk's latch on the account."""
    of_account = in_force(held, now_ns).get(ACCOUNT)
    if of_account is None or trading.state is TradingState.HALTED:
        return trading.state
    return _STATES[of_account.level]


def reasons_of(trading: TradingDesk, held: Mapping[str, Held], now_ns: int) -> list[str]:
    """Why the account may not trade all, in sentences; none if it may."""
    found = [latch.reason for latch in trading.latches]
    of_account = in_force(held, now_ns).get(ACCOUNT)
    if of_account is not None:
        found.append(of_account.sentence)
    return found or ([trading.reason] if trading.reason else [])


def rows_of(trading: TradingDesk, held: Mapping[str, Held], now_ns: int) -> list[dict[str, Any]]:
    """All latches in force for JSON, the trading state's first; `owner` and `code` are of risk's alone.

    `owner` is a strategy, or "" for the account; `until` None: until a person resumes.
    """
    of_state = [
        {"level": str(one.level), "source": one.source, "reason": one.reason, "since": iso(one.ts_ns)}
        for one in trading.latches
    ]
    return of_state + [
        {
            "level": str(_STATES[one.level]),
            "source": f"risk {owner}".strip(),
            "reason": one.sentence,
            "since": iso(one.ts_ns),
            "owner": owner,
            "code": one.code,
            "until": None if one.until_ns is None else iso(one.until_ns),
        }
        for owner, one in in_force(held, now_ns).items()
    ]


def sentence(latch: Mapping[str, Any]) -> str:
    """One of `rows_of` for a person: who may trade what, by whom and since when, and why."""
    who = latch.get("owner") or "the account"
    by = f"risk, {latch['code']}" if "code" in latch else latch["source"]
    until = f" until {_stamp(latch['until'])}" if latch.get("until") else ""
    level = _SAID.get(latch["level"], latch["level"])
    return f"{who} is {level} ({by}) since {_stamp(latch['since'])}{until}: {latch['reason']}"


def _stamp(time: str) -> str:
    """Date and time of day of an ISO stamp, to the second."""
    return f"{time[:10]} {time[11:19]}"


def begun(trading: TradingDesk, held: Mapping[str, Held], now_ns: int) -> str:
    """What a start says when the venue's books agree: the account's state, and each latch that holds."""
    first = f"trading is {state_of(trading, held, now_ns)}"
    latches = [sentence(one) for one in rows_of(trading, held, now_ns)]
    return "; ".join((f"{first}: {latches[0]}", *latches[1:], "`engine resume` lifts it")) if latches else first
