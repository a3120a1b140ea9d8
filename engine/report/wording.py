"""How figures are called and written, the same on the terminal and on the HTML page."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from engine.portfolio.money import DIVIDEND, TAX
from engine.report.figures import Figure
from engine.report.statistics import DayResult, Statistics
from engine.runtime.outcome import Outcome

DASH: Final = "–"
MINUS: Final = "−"


class Line(NamedTuple):
    """One figure of a page: its label, its text, whether it is good (1), bad (-1) or neither, and why it is unknown."""

    label: str
    text: str
    tone: int = 0
    why: str = ""


def number(value: float | None, places: int = 2, *, sign: bool = False) -> str:
    """Write a number with thousands separators and a true minus sign; None as a dash."""
    if value is None:
        return DASH
    text = f"{value:{'+' if sign else ''},.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = f"{0:.{places}f}"  # neither -0.00 nor +0.00
    return text.replace("-", MINUS)


def money(value: float | None, *, sign: bool = False) -> str:
    """Write money to the cent; the currency is said once a page."""
    return number(value, 2, sign=sign)


def percent(value: float | None, *, sign: bool = False) -> str:
    """Write a fraction as a percentage; small ones with more places, so that they do not vanish."""
    if value is None:
        return DASH
    share = value * 100
    places = 2 if share == 0 or abs(share) >= 0.01 else 4
    return f"{number(share, places, sign=sign)}%"


def duration(seconds: float | None) -> str:
    """Write a span of time with its two leading units."""
    if seconds is None:
        return DASH
    if seconds < 1:
        return f"{seconds * 1000:,.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days:,} d {hours} h"


def moment(ts_ns: int | None, zone: str, *, seconds: bool = False) -> str:
    """Write a time in a zone, to the minute or the second; None as a dash."""
    if ts_ns is None:
        return DASH
    whole = datetime.fromtimestamp(0, ZoneInfo("UTC")) + timedelta(seconds=ts_ns // 1_000_000_000)
    return whole.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def tone(value: float | None) -> int:
    """Say whether a number that should be high is good (1), bad (-1) or neither."""
    return 0 if value is None or value == 0 else 1 if value > 0 else -1


_GROUPS: Final = (
    (
        "Return",
        (
            ("total_return", "Total return", "gain"),
            ("cagr", "CAGR", "gain"),
            ("sharpe", "Sharpe", "score"),
            ("sortino", "Sortino", "score"),
            ("calmar", "Calmar", "score"),
        ),
    ),
    (
        "Risk",
        (
            ("volatility", "Volatility, yearly", "share"),
            ("max_drawdown", "Max drawdown", "share"),
            ("max_drawdown_daily", "Max drawdown, daily closes", "share"),
            ("time_in_market", "Time in market", "share"),
            ("exposure_mean", "Exposure, mean", "share"),
            ("exposure_max", "Exposure, largest", "share"),
        ),
    ),
    (
        "Round trips",
        (
            ("win_rate", "Win rate", "share"),
            ("profit_factor", "Profit factor", "ratio"),
            ("expectancy", "Expectancy", "profit"),
            ("average_win", "Average win", "profit"),
            ("average_loss", "Average loss", "profit"),
            ("payoff_ratio", "Payoff ratio", "ratio"),
            ("best_trip", "Best", "profit"),
            ("worst_trip", "Worst", "profit"),
            ("holding_s", "Mean holding time", "time"),
        ),
    ),
    (
        "Execution and cost",
        (
            ("fill_ratio", "Fill ratio, orders", "share"),
            ("quantity_fill_ratio", "Fill ratio, quantity", "share"),
            ("traded", "Traded notional", "money"),
            ("turnover", "Turnover, times equity", "ratio"),
            ("turnover_yearly", "Turnover, yearly", "ratio"),
            ("slippage", "Slippage, cost", "money"),
            ("slippage_bp", "Slippage, bp of notional", "ratio"),
            ("fees_bp", "Fees, bp of notional", "ratio"),
        ),
    ),
)


def _written(figure: Figure, kind: str) -> tuple[str, int]:
    value = figure.value
    match kind:
        case "gain":
            return percent(value, sign=True), tone(value)
        case "share":
            return percent(value), 0
        case "score":
            return number(value), tone(value)
        case "profit":
            return money(value, sign=True), tone(value)
        case "money":
            return money(value), 0
        case "time":
            return duration(value), 0
        case _:
            return number(value), 0


def groups(statistics: Statistics) -> list[tuple[str, list[Line]]]:
    """Return every single figure under its heading, in the order of the page."""
    made = []
    for title, wanted in _GROUPS:
        lines = []
        for name, label, kind in wanted:
            figure = statistics.figures[name]
            text, good = _written(figure, kind)
            lines.append(Line(label, text, good, figure.why))
        # A reason that several figures in a row share is said once, under the last of them.
        after = [*(line.why for line in lines[1:]), ""]
        lines = [line._replace(why="") if line.why == why else line for line, why in zip(lines, after, strict=True)]
        made.append((title, lines))
    made[2][1].insert(0, Line("Closed", f"{len(statistics.trips):,}"))
    if statistics.open_trips:
        made[2][1].insert(1, Line("Still open", f"{statistics.open_trips:,}"))
    return made


def day_line(label: str, day: DayResult | None) -> Line:
    """Make the line of the best or worst day."""
    if day is None:
        return Line(label, DASH, 0, "there is no trading day")
    return Line(f"{label}, {day.date}", money(day.pnl, sign=True), tone(day.pnl))


def quality_lines(quality: object, path: str = "") -> list[tuple[str, str]]:
    """Flatten a data-quality value into (name, text) lines; nested names are joined by a space."""
    if isinstance(quality, dict):
        return [line for key, item in quality.items() for line in quality_lines(item, f"{path} {key}".strip())]
    if isinstance(quality, list):
        if all(not isinstance(item, dict | list) for item in quality):
            return [(path, ", ".join(map(str, quality)) or "none")]
        return [line for item in quality for line in quality_lines(item, path)]
    if isinstance(quality, float):
        return [(path, number(quality, 4))]
    if isinstance(quality, int) and not isinstance(quality, bool):
        return [(path, number(quality, 0))]
    return [(path, DASH if quality is None else str(quality))]


def bookings(outcome: Outcome) -> dict[str, str]:
    """What corporate actions did: dividends by instrument in base currency, and how many positions splits changed."""
    rates = outcome.rates
    paid: dict[str, Decimal] = {}
    splits: dict[str, int] = {}
    for one in outcome.booked:
        symbol = outcome.instruments[one.conid].symbol
        if one.kind not in ("dividend", "cash in lieu"):
            what = f"positions split, {symbol}" if one.kind == "split" else f"{one.kind}, {symbol}"
            splits[what] = splits.get(what, 0) + 1
        else:
            kind = "dividends" if one.kind == "dividend" else one.kind
            paid[f"{kind}, {symbol}"] = paid.get(f"{kind}, {symbol}", Decimal(0)) + one.cash * rates[one.currency]
    for posting in outcome.postings:
        amount = (posting.cash + posting.accrued) * rates[posting.currency]
        if posting.kind in (DIVIDEND, TAX) and amount:
            symbol = outcome.instruments[posting.conid].symbol
            name = f"{'dividends' if posting.kind == DIVIDEND else posting.kind}, {symbol}"
            paid[name] = paid.get(name, Decimal(0)) + amount
    lines = {name: money(float(amount), sign=True) for name, amount in paid.items()}
    return {**lines, **{name: f"{count:,}" for name, count in splits.items()}}


def money_lines(outcome: Outcome) -> dict[str, str]:
    """Interest, borrow fees, dividends and tax by currency, those that are not zero; and with several currencies, or
    where rates moved, each one's cash, profit, fees by line and the rate used."""
    rows = outcome.currencies
    base = outcome.settings.account.base_currency
    several = any(row.currency != base for row in rows)
    lines: dict[str, str] = {}
    for row in rows:
        unit = row.currency
        shown: list[tuple[str, Decimal | None]] = []
        if several:
            shown += [("cash", row.cash), ("profit", row.pnl)]
            shown += [(f"fees, {line}", -amount) for line, amount in row.fees_by_line.items()]
        shown += [
            ("interest", row.interest),
            ("borrow fees", -row.borrow),
            ("dividends", row.dividends),
            ("tax withheld", -row.withheld),
            ("owed at the end", row.owed),
        ]
        lines.update({f"{unit} {name}": money(float(amount), sign=True) for name, amount in shown if amount})
        if unit != base:
            lines[f"{unit} in {base}"] = f"{row.rate.normalize():f}"
    return lines
