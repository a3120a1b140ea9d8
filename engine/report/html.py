"""The run as one HTML file that needs nothing else: no network, no second file. Text and tables are written here, the
charts are drawn by the script from embedded JSON. Whatever a user named is escaped in both places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final

from engine.report.charts import TIMELINE_ORDERS, chart_data, charted, loose
from engine.report.figures import plain
from engine.report.markup import capped, definitions, definitions_wide, embed, profit, section, table, tone_class
from engine.report.quality import SERIES_HEAD, facts, findings, series_rows
from engine.report.statistics import Statistics
from engine.report.trips import Trip
from engine.report.wording import (
    DASH,
    MINUS,
    Line,
    bookings,
    day_line,
    duration,
    groups,
    moment,
    money,
    money_lines,
    number,
    percent,
    quality_lines,
    tone,
)
from engine.runtime.outcome import Outcome

ROWS: Final = 60  # of any table
_OPEN_CHARTS: Final = 6
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def page(outcome: Outcome, statistics: Statistics) -> str:
    """Return the whole page."""
    static = files("engine.report") / "static"
    template = Template((static / "template.html").read_text(encoding="utf-8"))
    body = "\n".join(
        part
        for part in (
            _header(outcome, statistics),
            _tiles(outcome, statistics),
            _alerts(outcome, statistics),
            _curves(outcome),
            _figures(statistics),
            _price_charts(outcome),
            _timeline(outcome),
            _months(statistics),
            _parts("By strategy", "Strategy", statistics.by_strategy),
            _parts("By instrument", "Instrument", statistics.by_instrument),
            _falls(statistics),
            _trips(outcome, statistics),
            _orders_and_costs(outcome, statistics),
            _facts("Assumptions", outcome.assumptions),
            _quality(outcome, statistics.zone),
            _facts("Run", [("hash", outcome.hash or DASH), *quality_lines(plain(outcome.manifest))], folded=True),
        )
        if part
    )
    return template.substitute(
        title=escape(f"{outcome.settings.name}: result"),
        style=(static / "page.css").read_text(encoding="utf-8"),
        body=body,
        data=embed(chart_data(outcome, statistics)),
        script=(static / "charts.js").read_text(encoding="utf-8"),
    )


def _header(outcome: Outcome, statistics: Statistics) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in outcome.events_by_kind.items() if count)
    zone = statistics.zone
    span = f"{moment(outcome.start_ns, zone)} to {moment(outcome.end_ns, zone)} {zone}"
    days = len(statistics.days)
    return (
        f"<header><h1>{escape(outcome.settings.name)}</h1>"
        f"<p>{escape(span)} · {days:,} trading day{'' if days == 1 else 's'} · "
        f"{outcome.events:,} events{f' ({escape(kinds)})' if kinds else ''} · "
        f"replayed in {outcome.run_s:.2f} s, {outcome.total_s:.2f} s with reading</p>"
        f'<p class="soft small">Run hash <span class="code">{escape(outcome.hash or DASH)}</span></p></header>'
    )


def _tiles(outcome: Outcome, statistics: Statistics) -> str:
    figures = statistics.figures
    currency = outcome.settings.account.base_currency
    pnl = float(outcome.pnl)
    tiles = (
        Line(f"Profit and loss, {currency}", money(pnl, sign=True), tone(pnl)),
        Line("Return", percent(figures["total_return"].value, sign=True), tone(pnl)),
        Line(f"Final equity, {currency}", money(float(outcome.final_equity))),
        Line("Sharpe, yearly", number(figures["sharpe"].value), tone(figures["sharpe"].value)),
        Line("Max drawdown", percent(figures["max_drawdown"].value)),
        Line("Round trips won", f"{percent(figures['win_rate'].value)} of {len(statistics.trips):,}"),
        Line("Orders and fills", f"{len(outcome.orders):,} / {len(outcome.fills):,}"),
        Line(f"Fees, {currency}", money(float(outcome.fees))),
    )
    return (
        '<div class="tiles">'
        + "".join(
            f"<div><b{tone_class(tile.tone)}>{escape(tile.text)}</b><span>{escape(tile.label)}</span></div>"
            for tile in tiles
        )
        + "</div>"
    )


def _alerts(outcome: Outcome, statistics: Statistics) -> str:
    alerts = [f"Strategy {name} was switched off: {why}" for name, why in outcome.off.items()]
    alerts += [f"Strategy {name} heard nothing: it {why}" for name, why in outcome.deaf.items()]
    alerts += [f"Data: {sentence}" for sentence in findings(outcome.quality)]
    alerts += statistics.notes
    if not alerts:
        return ""
    return (
        '<div class="alert" role="alert"><b>Please note</b><ul>'
        + "".join(f"<li>{escape(alert)}</li>" for alert in alerts)
        + "</ul></div>"
    )


def _canvas(name: str, label: str) -> str:
    return f'<div class="chart" data-chart="{escape(name)}" aria-label="{escape(label)}"></div>'


def _curves(outcome: Outcome) -> str:
    hint = "Wheel: zoom. Drag: choose a stretch. Shift and wheel, or arrow keys: move. Double click: all."
    tools = (
        f'<div class="tools"><span class="soft small">{hint}</span>'
        '<button type="button" id="zoom-out">Show all</button></div>'
    )
    strategies = _canvas("strategies", "Profit by strategy") if len(outcome.equity.by_strategy) > 1 else ""
    if strategies:
        strategies = f"<h3>Profit by strategy, fees taken off</h3>{strategies}"
    currency = escape(outcome.settings.account.base_currency)
    return section(
        "Equity and drawdown",
        f"{tools}<h3>Equity, {currency}</h3>{_canvas('equity', 'Equity')}"
        f"<h3>Drawdown, % of the highest equity so far</h3>{_canvas('drawdown', 'Drawdown')}{strategies}",
        long=True,
    )


def _figures(statistics: Statistics) -> str:
    made = groups(statistics)
    made[0][1].append(day_line("Best day", statistics.best_day))
    made[0][1].append(day_line("Worst day", statistics.worst_day))
    inner = "".join(f"<div><h3>{escape(title)}</h3>{definitions(lines)}</div>" for title, lines in made)
    return section("Figures", f'<div class="groups">{inner}</div>')


def _price_charts(outcome: Outcome) -> str:
    lines = charted(outcome)
    if not lines and not outcome.indicators:
        return ""
    charts = []
    for at, line in enumerate(lines):
        symbol = outcome.instruments[line.conid].symbol
        charts.append(f"<h3>{escape(symbol)}</h3>{_canvas(f'price-{at}', f'Price of {symbol} with trades')}")
    if loose(outcome):
        charts.append(f"<h3>Indicators</h3>{_canvas('loose', 'Indicators')}")
    first, rest = "".join(charts[:_OPEN_CHARTS]), "".join(charts[_OPEN_CHARTS:])
    folded = f"<details><summary>{len(charts) - _OPEN_CHARTS} more</summary>{rest}</details>" if rest else ""
    note = capped(len(lines), len(outcome.prices), "instruments")
    return section("Prices, trades and indicators", f'{first}{folded}<p class="soft small">{note}</p>', long=True)


def _timeline(outcome: Outcome) -> str:
    if not outcome.orders:
        return ""
    shown = capped(min(TIMELINE_ORDERS, len(outcome.orders)), len(outcome.orders), "orders")
    note = f'<p class="soft small">{shown} Spread evenly over the run.</p>' if shown else ""
    return section("Order life cycle", f"{_canvas('timeline', 'Orders over time')}{note}")


def _months(statistics: Statistics) -> str:
    if not statistics.months:
        return ""
    seen = [abs(value) for row in statistics.months for value in row.months if value is not None]
    largest = max(seen, default=0.0) or 1.0

    def cell(value: float | None, css: str = "") -> str:
        if value is None:
            return f'<td class="soft {css}">{DASH}</td>'
        share = min(1.0, abs(value) / largest) * 55
        shade = f"color-mix(in srgb, var({'--good' if value >= 0 else '--bad'}) {share:.0f}%, transparent)"
        style = "" if css or value == 0 else f' style="background:{shade}"'
        return f'<td class="{css}"{style}>{escape(percent(value, sign=True))}</td>'

    head = "".join(f"<th>{name}</th>" for name in ("", *_MONTHS, "Year"))
    rows = "".join(
        f"<tr><th>{row.year}</th>{''.join(cell(value) for value in row.months)}{cell(row.total, 'total')}</tr>"
        for row in statistics.months
    )
    grid = f'<table class="heat"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return section("Monthly returns", f'<div class="wide">{grid}</div>')


def _parts(title: str, what: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Make the table by strategy or by instrument."""
    if not rows:
        return ""
    drawdown = any("max_drawdown" in row for row in rows.values())
    head = [what, "P&L", "Realised", "Unrealised", "Fees", "Slippage", "Orders", "Fills", "Refused", "Round trips"]
    head += ["Win rate", "Profit factor", "Traded", "Max fall" if drawdown else "Held at end"]
    cells = [
        [
            escape(name) + (' <span class="bad">switched off</span>' if row.get("off") else ""),
            profit(row["pnl"]),
            profit(row["realised"]),
            profit(row["unrealised"]),
            money(row["fees"]),
            money(row["slippage"]),
            f"{row['orders']:,}",
            f"{row['fills']:,}",
            f"{row['refused']:,}",
            f"{row['round_trips']:,}",
            percent(row["win_rate"]),
            number(row["profit_factor"]),
            money(row["traded"]),
            money(row["max_drawdown"]) if drawdown else _units(row["quantity"]),
        ]
        for name, row in list(rows.items())[:ROWS]
    ]
    return section(title, table(head, cells, shown=capped(len(cells), len(rows), "rows")))


def _units(quantity: float) -> str:
    """Write a quantity without needless zeros, with a true minus sign."""
    return f"{quantity:,.12g}".replace("-", MINUS)


def _falls(statistics: Statistics) -> str:
    if not statistics.worst_drawdowns:
        return ""
    zone = statistics.zone
    rows = [
        [
            percent(fall.depth),
            money(fall.amount),
            moment(fall.peak_ns, zone),
            moment(fall.trough_ns, zone),
            moment(fall.recovery_ns, zone) if fall.recovery_ns else "not yet",
            duration(((fall.recovery_ns or fall.trough_ns) - fall.peak_ns) / 1e9) if fall.recovery_ns else DASH,
        ]
        for fall in statistics.worst_drawdowns
    ]
    return section("Worst drawdowns", table(("Depth", "Amount", "Peak", "Trough", "Recovered", "Lasted"), rows, left=0))


def _trips(outcome: Outcome, statistics: Statistics) -> str:
    """Make the table of the round trips that mattered most: the largest by size of their net result."""
    if not statistics.trips:
        return ""
    ranked = sorted(statistics.trips, key=lambda trip: (-abs(trip.net), trip.closed_ns, trip.strategy))[:20]
    rows = [_trip_row(outcome, statistics.zone, trip) for trip in ranked]
    head = ("Strategy", "Instrument", "Opened", "Closed", "Held", "Most held", "Realised", "Fees", "Net")
    shown = capped(len(rows), len(statistics.trips), "round trips, the largest by net result,")
    return section("Round trips that mattered most", table(head, rows, left=2, shown=shown))


def _trip_row(outcome: Outcome, zone: str, trip: Trip) -> list[str]:
    return [
        escape(trip.strategy),
        escape(outcome.instruments[trip.conid].symbol),
        moment(trip.opened_ns, zone, seconds=True),
        moment(trip.closed_ns, zone, seconds=True),
        duration((trip.closed_ns - trip.opened_ns) / 1e9),
        _units(float(trip.quantity)),
        money(float(trip.realised), sign=True),
        money(float(trip.fees)),
        profit(float(trip.net)),
    ]


def _orders_and_costs(outcome: Outcome, statistics: Statistics) -> str:
    """Make the small tables of counts: order ends, refusals, fees by line, the simulator's tallies."""
    sentences = {row.code: row.sentence for row in reversed(outcome.refusals)}
    blocks = []

    def block(title: str, lines: Iterable[tuple[str, str, str]], empty: str) -> None:
        made = [Line(label, text, 0, why) for label, text, why in lines]
        inner = definitions(made[:ROWS]) if made else f'<p class="soft">{escape(empty)}</p>'
        blocks.append(f"<div><h3>{escape(title)}</h3>{inner}</div>")

    block("Orders by end", ((k, f"{n:,}", "") for k, n in statistics.orders_by_state.items()), "No order.")
    block(
        "Refused by the risk gate",
        ((code, f"{count:,}", sentences.get(code, "")) for code, count in statistics.refusals.items()),
        "Nothing was refused.",
    )
    if statistics.venue_refusals:
        block("Refused by the venue", ((k, f"{n:,}", "") for k, n in statistics.venue_refusals.items()), "")
    fees = [(line, money(float(amount)), "") for line, amount in outcome.fees_by_line.items()]
    block("Fees by line", [*fees, ("total", money(float(outcome.fees)), "")] if fees else [], "No fee.")
    done = bookings(outcome)
    if done:
        block("Corporate actions", ((name, text, "") for name, text in done.items()), "")
    moved = money_lines(outcome)
    if moved:
        block("Money by currency", ((name, text, "") for name, text in moved.items()), "")
    tallies = ((name.replace("_", " "), f"{count:,}", "") for name, count in outcome.counts.items())
    block("Simulator's tallies", tallies, "None.")
    return section("Orders, refusals and fees", f'<div class="groups">{"".join(blocks)}</div>')


def _quality(outcome: Outcome, zone: str) -> str:
    """Make the data-quality card: what is known of the recording, and a row for each instrument and kind."""
    quality = outcome.quality
    if not quality:
        return ""
    rows = [[escape(cell) for cell in row] for row in series_rows(quality, zone)]
    shown = capped(min(ROWS, len(rows)), len(rows), "rows")
    grid = table(SERIES_HEAD, rows[:ROWS], left=2, shown=shown) if rows else ""
    return section("Data quality", definitions_wide(facts(quality)) + grid)


def _facts(title: str, lines: Iterable[tuple[str, str]], *, folded: bool = False) -> str:
    """Make a list of names and values."""
    pairs = list(lines)
    if not pairs:
        return ""
    inner = definitions_wide(pairs)
    if folded:
        inner = f"<details><summary>Hash and manifest</summary>{inner}</details>"
    return section(title, inner, long=True)
