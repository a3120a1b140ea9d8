"""The command `engine`: parses, calls, prints; and turns whatever went wrong into one sentence and an exit code.

Exit codes: 0 done, 2 bad input or usage, 3 no daemon (where one is spoken to), 130 stopped by Ctrl-C, 143 by SIGTERM,
1 anything else (refusals, and findings, where a command looks for some). With ENGINE_TRACEBACK=1 in the environment the
traceback comes along. Commands are imported when they are called, so that `engine --help` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from engine.cli.lazy import LazyGroup
from engine.errors import EngineError, InputError
from engine.stopping import INTERRUPTED, obey


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"engine {version('fullticket')}")
        context.exit()


@click.group(
    cls=LazyGroup,
    commands_at={
        "backtest": ("engine.cli.backtest:backtest", "Run strategies on a recording."),
        "check": ("engine.cli.check:check", "Look for look-ahead and other things a backtest can't be trusted with."),
        "gateway": ("engine.cli.gateway:gateway", "Serve a simulated IBKR Web API to trade against."),
        "run": ("engine.cli.run:run", "Trade: a simulated market, a paper account, or a live one."),
        "doctor": ("engine.cli.doctor:doctor", "Check machine, gateway, session and account of a configuration."),
        "find": ("engine.cli.find:find", "Find contracts by symbol, ready to paste into a configuration."),
        "history": ("engine.cli.history:history", "Show past bars of an instrument."),
        "fyi": ("engine.cli.fyi:fyi", "Show the venue's notifications."),
        "alerts": ("engine.cli.alerts:alerts", "Show the account's alerts at the venue."),
        "scanner": ("engine.cli.scanner:scanner", "Run a market scan."),
        "performance": ("engine.cli.performance:performance", "Show the account's value and return by day."),
        "watchlists": ("engine.cli.watchlists:watchlists", "Show the watchlists kept at the venue."),
        "recording": ("engine.cli.recording:recording", "Import recordings, and look at what is in them."),
        "status": ("engine.cli.operate:status", "Show whether the daemon trades, and how each layer does."),
        "orders": ("engine.cli.operate:orders", "List the orders of the venue's day."),
        "positions": ("engine.cli.operate:positions", "List what each strategy holds."),
        "pnl": ("engine.cli.operate:pnl", "Show profit, fees and cash."),
        "why": ("engine.cli.journal:why", "Tell the whole story of one order."),
        "halt": ("engine.cli.operate:halt", "Send no new order, cancel what is open, until resume."),
        "resume": ("engine.cli.operate:resume", "Lift every halt."),
        "flatten": ("engine.cli.operate:flatten", "Cancel all orders and close every position."),
        "cancel-all": ("engine.cli.operate:cancel_all", "Cancel all orders; trading goes on."),
        "suppress": ("engine.cli.operate:suppress", "Show or set which questions the venue need not ask."),
        "answer": ("engine.cli.operate:answer", "Answer a question of the venue's, yes or no."),
        "alive": ("engine.cli.operate:alive", "Say that somebody looks after the daemon: its timer begins anew."),
        "drill": ("engine.cli.drill:drill", "Practise the kill switch on a simulated market, and time it."),
        "confirm": ("engine.cli.operate:confirm", "Let limits count that SIGHUP found looser in the file."),
        "stop": ("engine.cli.stop:stop", "End the daemon, its guard and the gateway it started."),
        "journal": ("engine.cli.journal:journal", "Read or check the daemon's journal."),
        "risk": ("engine.cli.risk:risk", "Show every limit and what is used of it; explain a verdict."),
        "replay": ("engine.cli.replay:replay", "Run a recorded live session again and compare every decision."),
        "strategies": ("engine.cli.strategies:strategies", "List the installed strategies and their parameters."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Version.")
def cli() -> None:
    """Trade IBKR accounts with full-ticket orders: live, on paper, simulated or on recordings, through one pipeline."""


def main() -> NoReturn:
    """Run the command line of this process and end it."""
    obey()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; what went wrong is one sentence on stderr."""
    try:
        code = cli.main(list(arguments), prog_name="engine", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.Abort as exc:
        return _say(exc, "stopped by Ctrl-C", INTERRUPTED)
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except BaseExceptionGroup as group:
        return _fail(_only(group))
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001  # the last door: no traceback reaches a person
        return _fail(exc)


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take the exception to report out of a nursery's group: Ctrl-C before bad input before anything else."""
    for kind in (KeyboardInterrupt, InputError, EngineError):
        part = group.subgroup(kind)
        if part is not None:
            return _leaf(part)
    return _leaf(group)


def _leaf(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def _fail(exc: BaseException) -> int:
    match exc:
        case SystemExit():
            raise exc
        case KeyboardInterrupt():
            return _say(exc, "stopped by Ctrl-C", INTERRUPTED)
        case InputError():
            return _say(exc, str(exc), 2)
        case EngineError():
            return _say(exc, str(exc), 1)
        case BrokenPipeError():
            # Whoever read our output has left; nothing more can be said, not even at exit, when stdout is flushed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        case _:
            hint = "" if _wants_traceback() else "; ENGINE_TRACEBACK=1 shows where"
            return _say(exc, f"{type(exc).__name__}: {exc}{hint}", 1)


def _say(exc: BaseException, sentence: str, code: int) -> int:
    if _wants_traceback():
        import traceback

        traceback.print_exception(exc)
    click.echo(f"engine: {' '.join(sentence.split())}", err=True)
    return code


def _wants_traceback() -> bool:
    return os.environ.get("ENGINE_TRACEBACK") == "1"
