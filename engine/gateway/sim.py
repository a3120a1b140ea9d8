"""`/sim`: a look behind the curtain for tests, at the server's root, unpaced and without a session."""

from __future__ import annotations

import json
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final

from engine.errors import ConfigError
from engine.gateway.calls import Answer, refusal
from engine.gateway.faults import read_script
from engine.gateway.requests import Request
from engine.gateway.shell import Shell

_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_FARTHEST_NS: Final = 366 * 86_400 * _NS_PER_S


def answer_sim(shell: Shell, request: Request) -> Answer | None:
    """Answer a path below `/sim`; None for any other path."""
    if not request.path.startswith("/sim/"):
        return None
    if not shell.options.behind_the_curtain or not ip_address(request.peer or "127.0.0.1").is_loopback:
        return refusal(404, "Resource not found")
    try:
        body = json.loads(request.body, parse_float=Decimal) if request.body.strip() else {}
    except (ValueError, RecursionError):
        return refusal(400, "body is not valid JSON")
    match request.method, request.path.rstrip("/"):
        case "GET", "/sim/state":
            return _state(shell)
        case "GET", "/sim/clock":
            return _clock(shell)
        case "POST", "/sim/clock":
            return _set_clock(shell, body)
        case "GET", "/sim/faults":
            return Answer(body={"faults": shell.faults.report()})
        case "POST", "/sim/faults":
            return _script(shell, body)
        case "DELETE", "/sim/faults":
            shell.faults.clear()
            return Answer(body={"faults": []})
        case _, "/sim/state" | "/sim/clock" | "/sim/faults":
            return refusal(405, "Method not allowed")
    return refusal(404, "Resource not found")


def _state(shell: Shell) -> Answer:
    now = shell.present()
    body = {
        "clock_ms": now // _MS,
        "rate": shell.clock.rate,
        **shell.exchange.state(),
        "requests": dict(shell.requests),
    }
    return Answer(body=body)


def _clock(shell: Shell) -> Answer:
    return Answer(body={"clock_ms": shell.present() // _MS, "rate": shell.clock.rate})


def _set_clock(shell: Shell, body: Any) -> Answer:
    """`clock_ms` or `advance_s` jump forward, `rate` changes the speed."""
    known = {"clock_ms", "advance_s", "rate"}
    if not isinstance(body, dict) or not body or not set(body) <= known:
        return refusal(400, f"give {', '.join(sorted(known))}")
    if not all(isinstance(value, int | Decimal) and not isinstance(value, bool) for value in body.values()):
        return refusal(400, "clock_ms, advance_s and rate are numbers")
    try:
        if "rate" in body:
            shell.clock.set_rate(float(body["rate"]))
        if "clock_ms" in body:
            _jump(shell, body["clock_ms"] * _MS)
        if "advance_s" in body:
            _jump(shell, shell.clock.now_ns() + body["advance_s"] * _NS_PER_S)
    except (ValueError, OverflowError) as exc:
        return refusal(400, str(exc))
    answer = _clock(shell)
    shell.tick()
    shell.disturbed()
    return answer


def _jump(shell: Shell, to_ns: Decimal | int) -> None:
    """Every minute on the way is played. Raises: ValueError for the past, or for a jump that would take for ever."""
    if to_ns > shell.clock.now_ns() + _FARTHEST_NS:
        raise ValueError("the clock goes forward by 366 days at most")
    shell.clock.jump(int(to_ns))


def _script(shell: Shell, body: Any) -> Answer:
    """Arm a script: the TOML's shape as JSON, or a bare list of faults."""
    try:
        script = read_script(body, place="/sim/faults")
    except ConfigError as exc:
        return refusal(400, str(exc))
    shell.faults.load(script, shell.present())
    shell.disturbed()
    return Answer(body={"faults": shell.faults.report()})
