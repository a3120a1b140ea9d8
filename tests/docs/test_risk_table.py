"""The table of `docs/risk.md` is the catalogue's."""

from __future__ import annotations

from pathlib import Path

from engine.risk.catalogue import TABLE

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
            assert shown.startswith("off") is (value is None or value == ()), name
