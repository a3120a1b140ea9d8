"""Whatever goes wrong is one sentence on stderr and an exit code; help and version need nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

import click
import pytest

from engine import cli as package
from engine.cli import run
from engine.errors import ConfigError, InvariantBroken, StrategyError
from engine.stopping import INTERRUPTED

HEAVY = ("numpy", "pandas", "pyarrow", "trio", "rich", "cattrs", "attrs", "msgspec", "structlog", "exchange_calendars")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `engine check` raise what a test wants."""

    def arrange(exc: BaseException) -> None:
        @click.command()
        def broken() -> None:
            raise exc

        monkeypatch.setattr("engine.cli.lazy.LazyGroup.get_command", lambda *_: broken)

    return arrange


@pytest.mark.parametrize(
    ("exc", "code", "said"),
    [
        (ConfigError("missing", place="run.toml: name"), 2, "engine: run.toml: name: missing\n"),
        (StrategyError("no such\n  class"), 2, "engine: no such class\n"),
        (InvariantBroken("cash is gone"), 1, "engine: cash is gone\n"),
        (ZeroDivisionError("by zero"), 1, "engine: ZeroDivisionError: by zero; ENGINE_TRACEBACK=1 shows where\n"),
        (KeyboardInterrupt(), INTERRUPTED, "\nengine: stopped by Ctrl-C\n"),
        (ExceptionGroup("nursery", [ValueError("x"), ConfigError("bad")]), 2, "engine: bad\n"),
        (
            BaseExceptionGroup("outer", [ConfigError("bad"), BaseExceptionGroup("inner", [KeyboardInterrupt()])]),
            INTERRUPTED,
            "engine: stopped by Ctrl-C\n",
        ),
        (ExceptionGroup("nursery", [ValueError("x")]), 1, "engine: ValueError: x; ENGINE_TRACEBACK=1 shows where\n"),
    ],
)
def test_each_kind_of_failure_has_its_code_and_sentence(
    failing: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    exc: BaseException,
    code: int,
    said: str,
) -> None:
    failing(exc)
    assert run(["check"]) == code
    printed = capsys.readouterr()
    assert printed.err == said
    assert printed.out == ""


def test_the_traceback_comes_only_when_asked_for(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(ConfigError("bad"))
    monkeypatch.setenv("ENGINE_TRACEBACK", "1")
    assert run(["check"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("\nengine: bad\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bactest"], "There is no command 'bactest'. Did you mean backtest?"),
        (["recording", "improt"], "There is no command 'improt'. Did you mean import?"),
        (["backtest"], "Missing argument 'CONFIG'"),
        (["backtest", "x.toml", "--pipeline", "tubes"], "'tubes' is not one of 'channels', 'fused'"),
        (["backtest", "x.toml", "--window", "0"], "0 is not in the range x>=1"),
        (["backtest", "absent.toml"], "engine: absent.toml: there is no such file"),
        (["check", "absent.toml"], "engine: absent.toml: there is no such file"),
        (["--nonsense"], "No such option '--nonsense'"),
    ],
)
def test_bad_usage_ends_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"engine {version('fullticket')}\n"


@pytest.mark.parametrize("command", [[], *[[name] for name in package.cli.list_commands(click.Context(package.cli))]])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys; from engine.cli import run; code = run(sys.argv[1:]);"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]; assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: engine")


def test_a_reader_that_has_left_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", "from engine.cli import main; main()", "strategies", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""
