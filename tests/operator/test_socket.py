"""The operator's socket: what is asked is answered, what can't be used is refused, nobody else may speak."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.operator.client import ask
from engine.operator.folder import StateFolder, socket_address, state_folder
from engine.operator.lines import call, listen
from engine.operator.processes import Process, this_process
from engine.operator.protocol import (
    REPLY_MAX,
    REQUEST_MAX,
    Code,
    NotDone,
    Request,
    read_reply,
    read_request,
    refused,
    request,
    write_reply,
    write_request,
)
from engine.operator.server import AT_ONCE, serve


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory(prefix="op") as name:  # a socket's path has to be short
        yield StateFolder(Path(name))


async def echo(asked: Request) -> Any:
    if asked.verb == "resume":
        raise refused("the books differ")
    if asked.verb == "stop":
        raise ZeroDivisionError("a fault")
    if asked.verb == "why":
        raise InputError("the journal knows no order", place="j.db")
    if asked.verb == "pnl":
        return "x" * REPLY_MAX
    return {"verb": asked.verb, "args": dict(asked.args)}


@asynccontextmanager
async def serving(folder: StateFolder) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, listen(folder.operator_socket), echo)
        yield
        nursery.cancel_scope.cancel()


async def test_what_is_asked_is_answered(folder: StateFolder) -> None:
    async with serving(folder):
        assert await ask(folder, request("orders", {"open": True})) == {"verb": "orders", "args": {"open": True}}
        assert await ask(folder, request("halt", {})) == {"verb": "halt", "args": {"why": "", "flatten": False}}


@pytest.mark.parametrize(
    ("verb", "args", "code", "sentence"),
    [
        ("resume", {}, Code.REFUSED, "the books differ"),
        ("stop", {}, Code.REFUSED, "a fault of our own: ZeroDivisionError: a fault"),
        ("why", {"order": "x"}, Code.BAD, "j.db: the journal knows no order"),
        ("pnl", {}, Code.REFUSED, "the answer is too long; narrow the question"),
    ],
)
async def test_a_refusal_has_its_kind_and_its_sentence(
    folder: StateFolder, verb: str, args: dict[str, Any], code: Code, sentence: str
) -> None:
    async with serving(folder):
        with pytest.raises(NotDone) as problem:
            await ask(folder, request(verb, args))
        assert (problem.value.code, str(problem.value)) == (code, sentence)
        assert await ask(folder, request("status", {})) == {"verb": "status", "args": {}}  # it serves on


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"hello\n", "this is no request: "),
        (b'{"v":2,"verb":"status"}\n', "the request speaks version 2 of the protocol, this is version 1"),
        (b'{"v":1,"verb":"buy"}\n', "there is no verb 'buy'"),
        (b'{"v":1,"verb":"halt","args":{"who":"me"}}\n', "halt: Object contains unknown field `who`"),
        (b'{"v":1,"verb":"answer","args":{"question":"1","yes":true}}\n', "answer: Expected `int`, got `str`"),
        (b'{"v":1,"verb":"halt","args":{"why":"' + b"x" * 501 + b'"}}\n', "halt: a reason may have 500 characters"),
        (b"\xff\xfe\n", "this is no request: "),
        (b"x" * (REQUEST_MAX + 70_000), f"a request may have {REQUEST_MAX} bytes"),
    ],
)
async def test_what_can_t_be_used_is_refused_in_a_sentence(folder: StateFolder, line: bytes, sentence: str) -> None:
    async with serving(folder):
        lines = await call(folder.operator_socket, REPLY_MAX)
        assert lines is not None
        await lines.send(line)
        reply = await lines.receive()
        assert reply is not None
        with pytest.raises(NotDone) as problem:
            read_reply(reply)
        assert problem.value.code is Code.BAD
        assert str(problem.value).startswith(sentence)
        await lines.aclose()


async def test_only_so_many_may_call_at_once(folder: StateFolder) -> None:
    async with serving(folder):
        held = [await call(folder.operator_socket, REPLY_MAX) for _ in range(AT_ONCE)]
        for lines in held:
            assert lines is not None
            await lines.send(write_request(request("status", {})))
            assert await lines.receive() is not None
        with pytest.raises(NotDone, match="more than 16 callers at once"):
            await ask(folder, request("status", {}))
        for lines in held:
            assert lines is not None
            await lines.aclose()


async def test_the_socket_is_its_owner_s_alone_and_replaces_a_dead_one(folder: StateFolder) -> None:
    folder.operator_socket.write_text("left over")
    async with serving(folder):
        mode = folder.operator_socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        await ask(folder, request("status", {}))


async def test_nobody_there_is_no_daemon(folder: StateFolder) -> None:
    for path in (folder.path, folder.path / "nowhere"):
        with pytest.raises(NotDone) as problem:
            await ask(StateFolder(path), request("status", {}))
        assert problem.value.code is Code.NO_DAEMON
    file = folder.path / "file"
    file.touch()
    with pytest.raises(InputError, match="this is a file, not a state folder"):
        await ask(StateFolder(file), request("status", {}))


async def test_one_that_hangs_up_and_one_that_is_slow(folder: StateFolder) -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, hang_up, [listen(folder.operator_socket)])
        with pytest.raises(NotDone, match="went away before it answered"):
            await ask(folder, request("status", {}))
        nursery.cancel_scope.cancel()

    async def never(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, never, [listen(folder.operator_socket)])
        with pytest.raises(NotDone, match=r"no answer within 0\.05 s"):
            await ask(folder, request("status", {}), limit_s=0.05)
        nursery.cancel_scope.cancel()


# --- the lines ------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_data_comes_back_from_a_reply(data: Any) -> None:
    line = write_reply(data)
    assert line.count(b"\n") == 1
    assert read_reply(line) == data


@given(st.text(max_size=500))
def test_a_request_comes_back_as_it_went(why: str) -> None:
    wanted = request("halt", {"why": why})
    assert read_request(write_request(wanted)) == wanted


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_bad_request(line: bytes) -> None:
    codes = []
    try:
        read_request(line)
    except NotDone as problem:
        codes.append(problem.code)
    assert set(codes) <= {Code.BAD}


# --- the folder -----------------------------------------------------------------------------------------------------


def test_a_path_that_no_socket_can_have_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 120)
    with pytest.raises(
        InputError, match="bytes long, a socket's may have 103: give a state folder with a shorter path"
    ):
        socket_address(deep / "operator.sock")
    deep.mkdir()
    monkeypatch.chdir(deep)  # from here its name is short
    assert socket_address(deep / "operator.sock") == "operator.sock"


def test_a_folder_is_held_by_one(folder: StateFolder) -> None:
    with folder.held("daemon"):
        assert folder.process("daemon") == this_process()
        with pytest.raises(InputError, match=f"another daemon runs on this state folder, process {os.getpid()}"):  # noqa: SIM117
            with folder.held("daemon"):
                pass
        with folder.held("guard"):  # another role
            pass
    assert folder.process("daemon") is None
    with folder.held("daemon"):
        pass


def test_a_number_that_another_process_has_now_is_nobody(folder: StateFolder) -> None:
    folder.note_process("gateway", Process(os.getpid(), "long ago"))
    assert folder.process("gateway") is None
    (folder.path / "gateway.pid").write_bytes(b"{torn")
    assert folder.process("gateway") is None
    (folder.path / "gateway.pid").write_bytes(msgspec.json.encode({"pid": "x", "started": 1}))
    assert folder.process("gateway") is None


def test_the_folder_is_given_or_named_by_the_environment_or_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_STATE_DIR", "/there")
    assert state_folder(Path("mine")).path == Path("mine")
    assert state_folder(None).path == Path("/there")
    monkeypatch.delenv("ENGINE_STATE_DIR")
    assert state_folder(None).path == Path("state")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file, not a state folder"):
        StateFolder(tmp_path / "file").make()
