"""Market scanners: what may be asked, and what was found."""

from __future__ import annotations

from typing import Annotated

from engine.webapi.facts.wire import Fact, wire


class ScanType(Fact, frozen=True, kw_only=True):
    """A scan that can be run, and for which instruments."""

    code: str
    name: Annotated[str, wire("display_name")] = ""
    instruments: tuple[str, ...] = ()


class ScanInstrument(Fact, frozen=True, kw_only=True):
    """A kind of instrument and the filters that apply to it."""

    type: str
    name: Annotated[str, wire("display_name")] = ""
    filters: tuple[str, ...] = ()


class ScanFilter(Fact, frozen=True, kw_only=True):
    """A filter and the type of its value."""

    code: str
    name: Annotated[str, wire("display_name")] = ""
    group: str = ""
    type: str = ""


class ScanPlace(Fact, frozen=True, kw_only=True):
    """A location at the lowest level of the tree that is read: exchanges or groups of them."""

    type: str
    name: Annotated[str, wire("display_name")] = ""


class ScanRegion(Fact, frozen=True, kw_only=True):
    """A location with those below it."""

    type: str
    name: Annotated[str, wire("display_name")] = ""
    locations: tuple[ScanPlace, ...] = ()


class ScanTree(Fact, frozen=True, kw_only=True):
    """The uppermost level of locations."""

    type: str
    name: Annotated[str, wire("display_name")] = ""
    locations: tuple[ScanRegion, ...] = ()


class ScannerParameters(Fact, frozen=True, kw_only=True):
    """GET /iserver/scanner/params: large, and allowed once in 15 minutes."""

    scans: Annotated[tuple[ScanType, ...], wire("scan_type_list")]
    instruments: Annotated[tuple[ScanInstrument, ...], wire("instrument_list")] = ()
    filters: Annotated[tuple[ScanFilter, ...], wire("filter_list")] = ()
    locations: Annotated[tuple[ScanTree, ...], wire("location_tree")] = ()


class ScanRow(Fact, frozen=True, kw_only=True):
    """A contract that was found, best first."""

    conid: Annotated[int, wire("con_id", "contractID", "conid")]
    symbol: str = ""
    company: Annotated[str, wire("company_name")] = ""
    exchange: Annotated[str, wire("listing_exchange")] = ""
    sec_type: str = ""
    description: Annotated[str, wire("contract_description_1")] = ""
    value: Annotated[str, wire("scan_data")] = ""
    seen: Annotated[str, wire("inScanTime")] = ""


class Scan(Fact, frozen=True, kw_only=True):
    """A scan's result; `column` names what `ScanRow.value` is."""

    rows: Annotated[tuple[ScanRow, ...], wire("contracts")]
    column: Annotated[str, wire("scan_data_column_name")] = ""
