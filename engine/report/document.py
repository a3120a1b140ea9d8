"""The result as one JSON document: every figure of the page, for programs. Strict JSON: no NaN, no infinity."""

from __future__ import annotations

from typing import Any

from engine.report.drawdowns import Drawdown
from engine.report.figures import cents, iso, plain
from engine.report.statistics import DayResult, Statistics, work_out
from engine.runtime.outcome import CurrencyRow, Outcome


def result_document(outcome: Outcome, statistics: Statistics | None = None) -> dict[str, Any]:
    """Return what `result.json` and `--json` hold; `docs/results.md` describes it.

    Money is a number rounded to cents, exact decimals are strings under `exact`. A statistic that can't be computed is
    None under `statistics`, with its reason under `reasons`.

    Args:
        statistics: The figures, where the caller has worked them out already.
    """
    seen = work_out(outcome) if statistics is None else statistics
    settings = outcome.settings
    document = {
        "name": settings.name,
        "hash": outcome.hash,
        "start": iso(outcome.start_ns),
        "end": iso(outcome.end_ns),
        "zone": seen.zone,
        "currency": settings.account.base_currency,
        "events": outcome.events,
        "events_by_kind": outcome.events_by_kind,
        "run_s": outcome.run_s,
        "total_s": outcome.total_s,
        "orders": len(outcome.orders),
        "fills": len(outcome.fills),
        "deposit": cents(outcome.deposit),
        "final_equity": cents(outcome.final_equity),
        "pnl": cents(outcome.pnl),
        "fees": cents(outcome.fees),
        "dividends": cents(outcome.dividends),
        "tax_withheld": cents(outcome.withheld),
        "interest": cents(outcome.interest),
        "borrow_fees": cents(outcome.borrow),
        "exact": {
            "deposit": str(outcome.deposit),
            "final_equity": str(outcome.final_equity),
            "pnl": str(outcome.pnl),
            "fees": str(outcome.fees),
            "dividends": str(outcome.dividends),
            "tax_withheld": str(outcome.withheld),
            "interest": str(outcome.interest),
            "borrow_fees": str(outcome.borrow),
            "fees_by_line": {line: str(amount) for line, amount in outcome.fees_by_line.items()},
        },
        "statistics": {
            "trading_days": len(seen.days),
            "round_trips": len(seen.trips),
            "open_round_trips": seen.open_trips,
            **{name: figure.value for name, figure in seen.figures.items()},
        },
        "reasons": {name: figure.why for name, figure in seen.figures.items() if figure.value is None},
        "notes": seen.notes,
        "best_day": _day(seen.best_day),
        "worst_day": _day(seen.worst_day),
        "daily": [
            {"date": date.isoformat(), "equity": round(close, 2), "pnl": round(profit, 2)}
            for date, close, profit in zip(
                seen.days.dates, seen.days.closes.tolist(), seen.days.profits.tolist(), strict=True
            )
        ],
        "monthly": [{"year": row.year, "months": row.months, "total": row.total} for row in seen.months],
        "worst_drawdowns": [_fall(fall) for fall in seen.worst_drawdowns],
        "by_strategy": seen.by_strategy,
        "by_instrument": seen.by_instrument,
        "by_currency": {row.currency: _books(row) for row in outcome.currencies},
        "rates": [{"time": iso(ts_ns), "currency": unit, "rate": str(rate)} for ts_ns, unit, rate in outcome.rated],
        "orders_by_state": seen.orders_by_state,
        "refusals": seen.refusals,
        "venue_refusals": seen.venue_refusals,
        "counts": outcome.counts,
        "fees_by_line": {line: cents(amount) for line, amount in outcome.fees_by_line.items()},
        "corporate_actions": [
            {
                "time": iso(one.ts_ns),
                "strategy": one.strategy,
                "instrument": outcome.instruments[one.conid].symbol,
                "kind": one.kind,
                "before": str(one.before),
                "after": str(one.after),
                "cash": str(one.cash),
                "currency": one.currency,
            }
            for one in outcome.booked
        ],
        "assumptions": [{"name": name, "value": value} for name, value in outcome.assumptions],
        "quality": outcome.quality,
        "off": outcome.off,
        "deaf": outcome.deaf,
    }
    result: dict[str, Any] = plain(document)
    return result


def _books(row: CurrencyRow) -> dict[str, Any]:
    """The books in one currency, exactly, as decimal strings."""
    shown = {
        "rate": row.rate,
        "deposits": row.deposits,
        "cash": row.cash,
        "owed": row.owed,
        "cost": row.cost,
        "realised": row.realised,
        "unrealised": row.unrealised,
        "fees": row.fees,
        "interest": row.interest,
        "borrow_fees": row.borrow,
        "dividends": row.dividends,
        "tax_withheld": row.withheld,
        "pnl": row.pnl,
    }
    exact: dict[str, Any] = {name: None if amount is None else str(amount) for name, amount in shown.items()}
    exact["fees_by_line"] = {line: str(amount) for line, amount in row.fees_by_line.items()}
    return exact


def _day(day: DayResult | None) -> dict[str, Any] | None:
    if day is None:
        return None
    return {"date": day.date, "pnl": round(day.pnl, 2), "return": day.change}


def _fall(fall: Drawdown) -> dict[str, Any]:
    return {
        "depth": fall.depth,
        "amount": round(fall.amount, 2),
        "peak": iso(fall.peak_ns),
        "trough": iso(fall.trough_ns),
        "recovery": None if fall.recovery_ns is None else iso(fall.recovery_ns),
    }
