"""The table of `docs/risk.md` is the catalogue's."""

from __future__ import annotations

from pathlib import Path

from attrs import fields

from engine.risk.catalogue import TABLE
from engine.settings import Limits

PAGE = Path(__file__).resolve().parents[2] / "docs" / "risk.md"


def test_every_row_of_the_catalogue_stands_in_the_page_with_its_codes_and_limits() -> None:
    lines = {cells[1].strip(): cells for line in PAGE.read_text().splitlines() if len(cells := line.split("|")) == 7}
    for row in TABLE:
        _, _, kind, what, codes, default, _ = lines[row.code]
        assert kind.strip() == str(row.kind)
        assert what.strip() == f"{row.name}: {row.sentence}"
        assert codes.strip() == (", ".join(row.codes) or "-")
        for name, value in row.default.items():
            shown = default.split(f"`{name}`: ")[1].split("<br>")[0].strip()
            assert shown.removesuffix(" (session)").removesuffix(" (60)") == _told(value), name


def _told(value: object) -> str:
    if value is None or value == ():
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}"


def test_every_limit_that_a_configuration_may_set_stands_in_a_row() -> None:
    assert {name for row in TABLE for name in row.limits} == {one.name for one in fields(Limits)}
