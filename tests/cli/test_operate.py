"""The operator's commands against a daemon that is played: pages at two widths, JSON, and exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.cli import run
from engine.journal.durable import DurableJournal
from engine.operator.folder import StateFolder
from engine.operator.lines import listen
from engine.operator.processes import alive, process
from engine.operator.protocol import Request, no_daemon, refused
from engine.operator.server import serve

ORDER = {
    "coid": "pulse-000001",
    "order_id": "1370093392",
    "conid": 8314,
    "symbol": "IBM",
    "side": "BUY",
    "quantity": "10",
    "filled": "4",
    "status": "working",
    "strategy": "pulse",
    "order_type": "LMT",
    "tif": "DAY",
    "limit_price": "188.87",
    "stop_price": None,
    "average_price": "188.8",
    "parent": None,
    "open": True,
    "code": "",
    "reason": "",
    "created": "2026-03-03T15:06:47+00:00",
    "updated": "2026-03-03T15:06:48+00:00",
}
STATUS = {
    "trading": "halted",
    "reasons": ["enough"],
    "name": "sim",
    "layers": [
        {"layer": "gateway", "up": True, "reason": ""},
        {"layer": "brokerage", "up": False, "reason": "competing session"},
    ],
    "orders": {"open": 1, "in_doubt": 0, "frozen": 0},
    "positions": 2,
    "penalty": "until ten only the keepalive is sent",
    "questions": [
        {"question": 4, "ids": ["o1"], "texts": ["sure?"], "coids": [], "until": "2026-03-03T15:06:50+00:00"}
    ],
    "alerts": [{"time": "2026-03-03T15:06:47+00:00", "code": "DOUBT", "sentence": "long in doubt", "coid": "s-1"}],
}
PNL = {
    "rows": [
        {
            "strategy": "pulse",
            "conid": 8314,
            "symbol": "IBM",
            "currency": "USD",
            "quantity": "10",
            "price": None,
            "realised": "-0.4",
            "unrealised": None,
        }
    ],
    "account": {"realised": "-0.40", "unrealised": "0.00", "fees": "1.00", "total": "-1.40", "complete": False},
    "cash": {"USD": "998000"},
}
SUPPRESSED = {"ids": ["o163"], "session": None, "warnings": ["o403 is suppressed, and no check of ours covers it"]}
ANSWERS: dict[str, Any] = {
    "status": STATUS,
    "orders": [ORDER],
    "positions": [
        {"conid": 8314, "symbol": "IBM", "strategy": "pulse", "quantity": "10", "avg_cost": "188.8", "currency": "USD"}
    ],
    "pnl": PNL,
    "halt": {"done": True, "trading": "halted", "cancelling": 1},
    "resume": {"done": True, "trading": "on", "lifted": True},
    "flatten": {"done": True, "trading": "reducing", "cancelling": 2, "closing": 1},
    "cancel-all": {"done": True, "trading": "on", "cancelling": 0},
    "suppress": SUPPRESSED,
    "answer": {"done": True},
    "stop": {"done": True, "daemon": "ended", "gateway": "ended", "guard": "ends"},
}


@contextmanager
def daemon(folder: StateFolder, answer: Callable[[Request], Any]) -> Iterator[list[Request]]:
    """Answer operators from a thread of its own, as another process would."""
    asked: list[Request] = []
    ready, token, scope = threading.Event(), list[trio.lowlevel.TrioToken](), trio.CancelScope()

    async def one(request: Request) -> Any:
        asked.append(request)
        return answer(request)

    async def main() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, listen(folder.operator_socket), one)
                token.append(trio.lowlevel.current_trio_token())
                ready.set()

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    try:
        assert ready.wait(30)
        yield asked
    finally:
        trio.from_thread.run_sync(scope.cancel, trio_token=token[0])
        thread.join()


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory(prefix="op") as name:
        yield StateFolder(Path(name))


@pytest.fixture
def ask(folder: StateFolder, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run a command line against the played daemon."""

    def one(*words: str) -> tuple[int, str, str]:
        code = run([*words, "--state-dir", str(folder.path)])
        said = capsys.readouterr()
        return code, said.out, said.err

    with daemon(folder, lambda request: ANSWERS[request.verb]):
        yield one


@pytest.mark.parametrize("verb", [*ANSWERS])
def test_json_is_the_answer_as_it_came(ask: Callable[..., tuple[int, str, str]], verb: str) -> None:
    words = ["answer", "4", "yes"] if verb == "answer" else [verb]
    code, out, err = ask(*words, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == ANSWERS[verb]


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("verb", ["status", "orders", "positions", "pnl"])
def test_pages_keep_within_the_terminal_and_cut_nothing_off(
    ask: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, verb: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = ask(verb)
    assert code == 0
    assert max(len(line.rstrip()) for line in out.splitlines()) <= columns
    assert "…" not in out
    whole = re.sub(r"\s+", " ", out)
    for word in {
        "status": [
            "trading is halted",
            "enough",
            "brokerage down competing session",
            "question 4",
            "DOUBT",
            "until ten only the keepalive",
        ],
        "orders": ["pulse-000001 BUY 10 IBM 4 working"],
        "positions": ["IBM 10 188.8 USD pulse"],
        "pnl": ["pulse IBM 10 none -0.4 unknown USD", "total -1.40", "998000 USD"],
    }[verb]:
        assert word in whole
    if verb == "orders":
        assert ("1370093392" in out) == (columns == 140)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["halt", "--why", "enough"], "halted; 1 order being cancelled\n"),
        (["resume"], "trading is on\n"),
        (["flatten"], "flattening; 2 orders being cancelled; 1 position to close\n"),
        (["cancel-all"], "no order is open\n"),
        (["answer", "4", "no"], "question 4 is answered: no\n"),
        (["stop"], "daemon: ended\nguard: ends\ngateway: ended\n"),
        (
            ["suppress"],
            "suppressed: o163\nno session has the list now; the next one begins with it\n"
            "warning: o403 is suppressed, and no check of ours covers it\n",
        ),
    ],
)
def test_commands_say_what_became_of_them(
    ask: Callable[..., tuple[int, str, str]], words: list[str], said: str
) -> None:
    assert ask(*words) == (0, said, "")


def test_what_was_asked_is_what_was_meant(folder: StateFolder) -> None:
    with daemon(folder, lambda request: ANSWERS[request.verb]) as asked:
        for words in (
            ["orders", "--open"],
            ["halt", "--why", "x y"],
            ["halt", "--flatten"],
            ["suppress", "o1,o2", "o3"],
            ["suppress", "reset"],
            ["suppress"],
            ["answer", "4", "no"],
        ):
            assert run([*words, "--state-dir", str(folder.path)]) == 0
    assert [dict(one.args) for one in asked] == [
        {"open": True},
        {"why": "x y", "flatten": False},
        {"why": "", "flatten": True},
        {"ids": ["o1", "o2", "o3"], "reset": False},
        {"ids": None, "reset": True},
        {"ids": None, "reset": False},
        {"question": 4, "yes": False},
    ]


def test_refused_bad_and_nobody_there_have_codes_of_their_own(
    folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def no(request: Request) -> Any:
        raise refused("the books differ") if request.verb == "resume" else no_daemon("the daemon is gone")

    where = ["--state-dir", str(folder.path)]
    with daemon(folder, no):
        assert run(["resume", *where]) == 1
        assert run(["pnl", *where]) == 3
        assert run(["answer", "4", "perhaps", *where]) == 2
        assert run(["suppress", "reset", "o1", *where]) == 2
        assert run(["status", "--state-dir", ""]) == 2
    assert run(["status", *where]) == 3
    assert run(["stop", *where]) == 3
    (folder.path / "file").touch()
    assert run(["status", "--state-dir", str(folder.path / "file")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    for sentence in (
        "engine: the books differ\n",
        "engine: the daemon is gone\n",
        f"engine: no daemon runs on the state folder {folder.path}\n",
        f"engine: {folder.path}/file: this is a file, not a state folder\n",
    ):
        assert sentence in said.err


def test_stop_ends_by_signal_what_no_guard_answers_for(folder: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        one = process(child.pid)
        assert one is not None
        folder.note_process("gateway", one)
        assert run(["stop", "--state-dir", str(folder.path)]) == 0
        assert not alive(one)
        child.kill()
    assert capsys.readouterr().out == "gateway: ended\n"
    assert run(["stop", "--state-dir", str(folder.path)]) == 3


# --- the journal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(folder: StateFolder) -> StateFolder:
    journal = DurableJournal(folder.journal)
    journal.write(
        [
            (1_000_000_000, "operator", "operator", {"verb": "halt", "args": {}}),
            (2_000_000_000, "latch", "operator", {"latch": "set", "level": "halted", "reason": "enough"}),
        ]
    )
    journal.close()
    return folder


def test_the_journal_is_shown_and_verified_without_a_daemon(
    kept: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--state-dir", str(kept.path)]
    assert run(["journal", "show", *where]) == 0
    assert re.sub(r"\s+", " ", capsys.readouterr().out) == (
        "row time (UTC) kind name says 1 00:00:01 operator operator an operator said halt"
        " 2 00:00:02 latch operator trading halted: enough "
    )
    assert run(["journal", "show", "--json", "--kind", "latch", *where]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["seq"], row["kind"], row["body"]["reason"]) == (2, "latch", "enough")
    assert run(["journal", "verify", *where]) == 0
    assert capsys.readouterr().out == f"{kept.journal}: whole, 2 rows\n"


def test_a_journal_that_was_changed_is_found(kept: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    with sqlite3.connect(kept.journal) as database:
        database.execute("DELETE FROM facts WHERE seq = 1")
        database.execute("UPDATE facts SET body = '1' WHERE seq = 2")
    database.close()
    assert run(["journal", "verify", "--json", "--state-dir", str(kept.path)]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["findings"]


def test_no_journal_no_such_order_and_a_damaged_page_are_one_sentence_each(
    kept: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["why", "s-1", "--state-dir", str(kept.path)]) == 2
    assert run(["why", "s-1", "--state-dir", str(kept.path / "none")]) == 2
    kept.journal.write_bytes(b"not a database, but long enough to be one" * 200)
    for words in (["why", "s-1"], ["journal", "show"], ["journal", "verify"]):
        assert run([*words, "--state-dir", str(kept.path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ", 2)[2] for line in said[:2]] == [
        "the journal knows no order s-1",
        "there is no such journal",
    ]
    assert len(said) == 5
    assert all("the journal is damaged (file is not a database)" in line for line in said[2:])


def test_the_risk_table_says_where_the_file_differs_from_what_is_in_force(
    folder: StateFolder, ask: Callable[..., tuple[int, str, str]]
) -> None:
    config = folder.path / "run.toml"
    config.write_text(
        'name = "x"\n[account]\nid = "DU1"\n[gateway]\nurl = "https://localhost:5000/v1/api"\n'
        '[[instrument]]\nconid = 1\nsymbol = "ACME"\n[risk.account]\nposition_max = 60\n'
        '[[strategy]]\nuse = "strategies.pulse:Pulse"\nname = "a"\ninstruments = ["ACME"]\n'
    )
    force = {"limit": "position_max = 500", "source": "risk.account", "waits": None}
    with daemon(folder, lambda request: {"R10": {"used": "3", "left": "497", "refused": 0, **force}}):
        code, out, _ = ask("risk", "show", str(config))
        _, told, _ = ask("risk", "show", str(config), "--json")
    assert code == 0
    assert "position_max = 500" in out
    assert out.splitlines()[-1] == "R10: the file says position_max = 60: not read yet"
    row = json.loads(told)[9]
    assert (row["limit"], row["used"], row["left"], row["note"]) == (
        "position_max = 500", "3", "497", "the file says position_max = 60: not read yet",
    )  # fmt: skip
    code, out, _ = ask("risk", "show", str(config))
    assert "position_max = 60" in out  # no daemon: the file's
