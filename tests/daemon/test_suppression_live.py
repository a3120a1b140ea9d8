"""The suppression list over the wire: whole for each session, changed whole, taken back when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.alongside import Stranger, alongside, market, place, told, until, until_stored
from tests.served import served

LARGE = 501  # above what the gateway takes without a question
LIST = '[suppress]\nids = ["o383", "o451", "o10335"]\n'


async def test_each_session_has_the_whole_list_and_what_it_has_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with (
            alongside(monkeypatch, tmp_path / "run", gateway, LIST, said=said) as daemon,
            Stranger(gateway) as person,
        ):
            # o10335 has no check of ours behind it; the size and the value of an order are limited by ours.
            (warning,) = [one for one in said if one.startswith("warning")]
            assert "o10335" in warning
            number = 0

            async def asked() -> int:
                """Trade once more; how many questions the venue has asked so far."""
                nonlocal number
                number += 1
                coid = f"quiet-{number:06d}"
                place(daemon, market(coid, quantity=LARGE + number))  # never twice the same ticket
                await until_stored(daemon, coid, "Filled")
                return len(told(daemon, "question"))

            assert daemon.operator.suppression.shown()["session"] == ["o383", "o451", "o10335"]
            assert await asked() == 0
            await daemon.operator.suppress((), reset=True)
            assert daemon.operator.suppression.shown()["session"] == []
            assert await asked() == 1
            await daemon.operator.suppress(("o383", "o451"), reset=False)
            assert await asked() == 1
            # A session that begins anew has forgotten all of it, and is given the list in force.
            before = len(told(daemon, "session"))
            heard = len(told(daemon, "availability"))
            await person.log_out()
            await until(lambda: len(told(daemon, "session")) > before and '"up":true' in told(daemon, "session")[-1])
            await until(lambda: _live(told(daemon, "availability")[heard:]))  # as risk wants data
            assert daemon.operator.suppression.shown()["session"] == ["o383", "o451"]
            assert await asked() == 1


async def test_a_list_that_an_earlier_daemon_gave_the_session_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "gateway", "--synthetic", "AAPL,IBM", "--speed", "20") as gateway:
        async with alongside(monkeypatch, tmp_path / "run", gateway, LIST):
            pass
        async with alongside(monkeypatch, tmp_path / "run", gateway) as daemon:
            place(daemon, market("quiet-000001", quantity=LARGE))
            await until_stored(daemon, "quiet-000001", "Filled")
            assert "o383" in told(daemon, "question")[0]


def _live(said: list[str]) -> bool:
    """Whether the data of both instruments were said to be in real time, and nothing else since."""
    return len(said) >= 2 and all(body.startswith('"R') for body in said[-2:])
