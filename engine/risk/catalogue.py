"""The one table of risk: R1 to R48, what each limits, how it acts, and which checks are behind it.

A `gate` row judges orders; a `monitor` watches and tells; a `latch` forbids until it is lifted. A user adds a row of
his own by an entry point of the group `engine.risk_checks` (`engine.risk.plugins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen

from engine.domain.instrument import Instrument
from engine.risk import checks, conduct, derivatives, pricing, sums, venueside
from engine.risk.checks import Check
from engine.risk.limits import DEFAULTS, LIVE_DEFAULTS, Bounds


class Kind(StrEnum):
    """How a row acts."""

    GATE = "gate"
    MONITOR = "monitor"
    LATCH = "latch"


@frozen(kw_only=True)
class Row:
    """One row of the table.

    `limits` are keys of `[risk.*]`; a row of ours is asked where one of them is set, a row of a plugin always. `codes`
    are those of its refusals. `live` rows need a venue's word and are not asked in a backtest. `new_only` rows don't
    judge modifications. `elsewhere` names what acts where neither check nor limit of this package does.
    """

    code: str
    name: str
    kind: Kind
    sentence: str
    limits: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    codes: tuple[str, ...] = ()
    live: bool = False
    new_only: bool = False
    elsewhere: str = ""
    source: str = field(default="engine")

    @property
    def default(self) -> dict[str, Any]:
        """The defaults of its limits: what holds everywhere, and what a session adds."""
        found = {}
        for name in self.limits:
            value = getattr(DEFAULTS, name)
            found[name] = getattr(LIVE_DEFAULTS, name) if value is None or value == () else value
        return found


_G, _M, _L = Kind.GATE, Kind.MONITOR, Kind.LATCH


def _row(code: str, kind: Kind, name: str, sentence: str, **more: Any) -> Row:
    return Row(code=code, kind=kind, name=name, sentence=sentence, **more)


TABLE: Final[tuple[Row, ...]] = (
    _row("R1", _G, "order quantity", "units of one order", limits=("order_quantity_max", "shrink"),
         checks=(checks.order_quantity,), codes=("QUANTITY",)),
    _row("R2", _G, "order notional", "money of one order in base currency; an unknown rate refuses",
         limits=("order_notional_max",), checks=(checks.order_notional,), codes=("NOTIONAL", "NO_RATE")),
    _row("R3", _G, "price collar", "how much worse than the market a limit may be; wider in ticks and after the open",
         limits=("price_collar_pct", "price_collar_ticks", "price_collar_open_pct", "price_collar_open_s"),
         checks=(checks.price_collar,), codes=("COLLAR",)),
    _row("R4", _G, "price drift", "how far own limit prices may walk the worse way within a window",
         limits=("price_drift_pct", "price_drift_window_s"), checks=(pricing.price_drift,), codes=("DRIFT",)),
    _row("R5", _G, "size against the market", "one order against the size shown, and against a day's average volume",
         limits=("displayed_size_pct", "average_volume_pct", "average_volume"),
         checks=(pricing.displayed_size, pricing.average_volume),
         codes=("DISPLAYED", "VOLUME")),
    _row("R6", _G, "duplicate order", "the same order open already, or sent a moment ago; live it is held for a person",
         limits=("duplicate_window_s",), checks=(checks.duplicate,), codes=("DUPLICATE",), new_only=True),
    _row("R7", _G, "order rate", "new orders within any minute; refused, never queued",
         limits=("orders_per_minute_max",), checks=(checks.order_rate,), codes=("RATE",), new_only=True),
    _row("R8", _G, "message rate", "orders, modifications and cancels within any minute; cancels are never refused",
         limits=("messages_per_minute_max",), checks=(sums.message_rate,), codes=("MESSAGES",)),
    _row("R9", _L, "repeated execution", "orders within any hour: reduce-only; then as many more asked for: halted",
         limits=("orders_per_hour_max", "throttled_orders_max"), checks=(sums.throttle,), codes=("THROTTLE",),
         new_only=True),
    _row("R10", _G, "position", "units held if every open order of a side fills",
         limits=("position_max",), checks=(checks.position,), codes=("POSITION",)),
    _row("R11", _G, "money at stake", "gross, net, by sector, by currency and leverage, at the worst case",
         limits=("gross_max", "net_max", "sector_max", "currency_max", "leverage_max"), checks=(sums.money_at_stake,),
         codes=("GROSS", "NET", "SECTOR", "CURRENCY", "LEVERAGE")),
    _row("R12", _G, "reservation", "what is approved counts at once; modifications at the worse of old and new",
         elsewhere="engine.risk.ledger"),
    _row("R13", _G, "open orders", "orders open at one time", limits=("open_orders_max",),
         checks=(checks.open_orders,), codes=("OPEN_ORDERS",), new_only=True),
    _row("R14", _G, "allow list", "instruments and exchanges that may be traded", limits=("allowed", "exchanges"),
         checks=(conduct.allow_list,), codes=("NOT_ALLOWED",)),
    _row("R15", _L, "daily loss", "realised, and in all, by account and strategy; reduce-only first, then halted",
         limits=("daily_loss_reduce", "daily_loss_max", "daily_realised_loss_reduce", "daily_realised_loss_max"),
         codes=("LOSS",), elsewhere="engine.risk.losses"),
    _row("R16", _L, "drawdown", "from the highest worth so far; reduce-only first, then halted",
         limits=("drawdown_reduce_pct", "drawdown_halt_pct"), codes=("DRAWDOWN",), elsewhere="engine.risk.losses"),
    _row("R17", _L, "loss streak", "closing trades at a loss in a row; reduce-only (for a time if set), then halted",
         limits=("loss_streak_max", "loss_streak_halt", "loss_streak_pause_s"), codes=("STREAK",),
         elsewhere="engine.risk.losses"),
    _row("R18", _L, "kill switch", "halt, cancel all, flatten; always on", elsewhere="engine.operator, engine.guard"),
    _row("R19", _L, "trading state", "reduce-only passes only what makes positions smaller; halted passes nothing",
         codes=("TRADING", "LATCHED"), elsewhere="engine.risk.longway, engine.operator.trading"),
    _row("R20", _G, "self-trade", "an own order of any strategy rests across", limits=("self_trade",),
         checks=(conduct.self_trade,), codes=("SELF_TRADE",)),
    _row("R21", _M, "order to trade", "messages for each execution of a day; a person is told",
         limits=("order_to_trade_max",), codes=("ORDER_TO_TRADE",), elsewhere="engine.risk.monitors"),
    _row("R22", _G, "restricted", "restricted and no-short lists, and windows such as around earnings",
         limits=("restricted", "no_short", "blackouts"), checks=(checks.restricted, conduct.no_short, conduct.blackout),
         codes=("RESTRICTED", "NO_SHORT", "BLACKOUT")),
    _row("R23", _G, "short sale", "shares to borrow, and their fee",
         limits=("short_availability", "borrow_fee_max_pct"),
         checks=(venueside.short_availability,), codes=("SHORT",), live=True),
    _row("R24", _G, "day trades, settled cash", "day trades kept back for getting out; a cash account's settled cash",
         limits=("day_trades_max", "settled_cash"), checks=(venueside.day_trades, venueside.settled_cash),
         codes=("DAY_TRADES", "SETTLED"), live=True),
    _row("R25", _G, "quote", "stale, one-sided or crossed, or bid and ask too far apart",
         limits=("quote_age_max_s", "two_sided", "spread_max_pct"), checks=(checks.stale_quote, pricing.sound_quote),
         codes=("NO_PRICE", "STALE", "ONE_SIDED", "CROSSED", "SPREAD")),
    _row("R26", _G, "availability", "delayed or frozen data drive no order", limits=("live_data",),
         checks=(venueside.live_data,), codes=("NOT_LIVE",), live=True),
    _row("R27", _G, "session hours", "closed, halted, or outside regular hours without the flag",
         limits=("session_hours",), checks=(checks.session_hours, checks.warm_up),
         codes=("CLOSED", "HALTED", "WARM_UP")),
    _row("R28", _G, "maintenance", "the session is primed and the venue takes orders", checks=(venueside.session_up,),
         codes=("NOT_READY",), live=True),
    _row("R29", _G, "tick and lot", "prices on the tick table, quantities in the size increment",
         limits=("tick_and_lot",), checks=(checks.tick_and_lot,), codes=("TICK", "LOT")),
    _row("R30", _G, "terms", "order types and times in force, ours and the venue's", limits=("order_types", "tifs"),
         checks=(conduct.terms_allowed,), codes=("TERMS",)),
    _row("R31", _G, "margin", "excess liquidity above the cushion; a preview above a size",
         limits=("margin_cushion_pct", "what_if_above"),
         checks=(venueside.margin,), codes=("MARGIN", "WHAT_IF"), live=True),
    _row("R32", _G, "buying power", "the account summary says that it can be paid",
         limits=("buying_power", "summary_age_max_s"), checks=(venueside.buying_power,), codes=("BUYING_POWER",),
         live=True),
    _row("R33", _G, "options", "shorts without cover, delta, vega, last days, and calls before the ex-date",
         limits=("naked_short", "option_delta_max", "option_vega_max", "expiry_days_min"),
         checks=(derivatives.naked_short, derivatives.option_risk, derivatives.expiry),
         codes=("NAKED", "DELTA", "VEGA", "EXPIRY", "EX_DATE"), live=True),
    _row("R34", _G, "futures", "last day of trading and first notice", limits=("delivery_days_min",),
         checks=(derivatives.delivery,), codes=("DELIVERY",), live=True),
    _row("R35", _G, "combos", "legs in lowest terms, and a limit of the right sign", limits=("combo_sanity",),
         checks=(derivatives.combo,), codes=("RATIO", "SIGN")),
    _row("R36", _G, "account", "the ticket's account is the session's", checks=(venueside.account_guard,),
         codes=("ACCOUNT",), live=True),
    _row("R37", _G, "strategy", "whoever trades is allowed to", checks=(venueside.known_strategy,),
         codes=("STRATEGY",), live=True),
    _row("R38", _G, "own range", "size and price far outside what the strategy sent lately; live it is held",
         limits=("range_factor",), checks=(pricing.own_range,), codes=("RANGE",)),
    _row("R39", _G, "in doubt", "orders in doubt; above that many only what makes positions smaller",
         limits=("in_doubt_max",), checks=(conduct.in_doubt,), codes=("IN_DOUBT",)),
    _row("R40", _M, "reconciliation drift", "our books and the venue's differ: the instrument is halted",
         limits=("reconcile_drift_max",), codes=("DRIFTED",),
         elsewhere="engine.orders.reconcile, engine.risk.monitors"),
    _row("R41", _M, "health", "clock skew, loop lag, waiting messages, memory; reduce-only, then halted",
         limits=("clock_skew_max_ms", "loop_lag_max_ms", "queue_max", "memory_max_mb"), codes=("HEALTH",),
         elsewhere="engine.risk.monitors"),
    _row("R42", _M, "profit jump", "worth that jumps without a trade is a bad mark: loss latches wait",
         limits=("pnl_jump_pct", "pnl_jump_pause_s"), codes=("JUMP",), elsewhere="engine.risk.losses"),
    _row("R43", _G, "replies", "a question of the venue's is confirmed only where our own checks hold now",
         elsewhere="engine.risk.confirming"),
    _row("R44", _G, "modifications", "judged as the full ticket they become", elsewhere="engine.risk.longway"),
    _row("R45", _G, "day's sums", "orders, messages and money of a day; rebuilt from the journal after a restart",
         limits=("orders_per_day_max", "messages_per_day_max", "notional_per_day_max"), checks=(sums.day_sums,),
         codes=("DAY",)),
    _row("R46", _M, "post-trade", "fills outside the collar, too large, after the end, or of nobody's order",
         limits=("fill_collar_pct",), codes=("FILL_COLLAR", "OVER_FILL", "LATE_FILL", "UNKNOWN_FILL"),
         elsewhere="engine.risk.monitors"),
    _row("R47", _M, "alerts", "a person is told within seconds", limits=("alert_latency_max_s",),
         codes=("ALERT_LATE",), elsewhere="engine.risk.monitors"),
    _row("R48", _M, "self-assessment", "which rows are on and how often each has refused: `engine risk show`",
         elsewhere="engine.risk.showing"),
)  # fmt: skip

# A person may let these pass; where nobody can be asked they are refused.
WHAT_IF: Final = "WHAT_IF"  # waits for the venue's preview, not for a person
HELD_FOR_A_PERSON: Final = frozenset({"DUPLICATE", "RANGE"})
_BASE: Final = frozenset(checks.NEW_ORDER)
_NO_SWITCHES_ON: Final = frozenset({"self_trade", "naked_short"})


def is_set(name: str, value: Any) -> bool:
    """Whether a limit's value asks for its check."""
    if value is None:
        return False
    if name in _NO_SWITCHES_ON:
        return value is False
    if isinstance(value, bool):
        return value
    return bool(value) or name in ("allowed", "exchanges", "order_types", "tifs") or not isinstance(value, tuple)


def arm(
    bounds: Bounds,
    instrument: Instrument,
    *,
    live: bool,
    options: bool = True,
    plugins: Sequence[Row] = (),
    legs: Sequence[tuple[Bounds, Instrument]] = (),
) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """The checks that these limits switch on beside those that are always asked: of new orders, of modifications.

    Args:
        options: Whether there are options among the instruments; without any nothing has to cover one.
        legs: Of a combo; what is forbidden of a leg is forbidden of it.
    """
    new: list[Check] = []
    changed: list[Check] = []
    for row in TABLE:
        if row.live and not live:
            continue
        for check in row.checks:
            concerned = legs if check in _OF_LEGS else ()
            if check in _BASE or not any(
                _asks(row, check, *of, live=live) for of in ((bounds, instrument), *concerned)
            ):
                continue
            if check is derivatives.naked_short and not options:
                continue
            new.append(check)
            if not row.new_only:
                changed.append(check)
    for row in plugins:
        new += row.checks
        changed += () if row.new_only else row.checks
    return tuple(new), tuple(changed)


_BY_LIMIT: Final[dict[Check, tuple[str, ...]]] = {
    pricing.displayed_size: ("displayed_size_pct",),
    pricing.average_volume: ("average_volume_pct",),
    pricing.sound_quote: ("two_sided", "spread_max_pct"),
    conduct.no_short: ("no_short",),
    conduct.blackout: ("blackouts",),
    venueside.day_trades: ("day_trades_max",),
    venueside.settled_cash: ("settled_cash",),
    derivatives.option_risk: ("option_delta_max", "option_vega_max"),
    derivatives.naked_short: ("naked_short",),
}
_OPTIONS: Final = frozenset({"OPT", "FOP"})
_BY_KIND: Final[dict[Check, frozenset[str]]] = {
    derivatives.naked_short: _OPTIONS | {"STK", "FUT", "BAG"},  # and what may cover a short option
    derivatives.option_risk: _OPTIONS,
    derivatives.expiry: _OPTIONS,
    derivatives.delivery: frozenset({"FUT"}),
    derivatives.combo: frozenset({"BAG"}),
    venueside.short_availability: frozenset({"STK"}),
}


# What asks about each leg of a combo, as if it were traded alone.
_OF_LEGS: Final[frozenset[Check]] = frozenset(
    {
        conduct.no_short,
        conduct.blackout,
        venueside.short_availability,
        derivatives.option_risk,
        derivatives.expiry,
        derivatives.delivery,
    }
)


def _asks(row: Row, check: Check, bounds: Bounds, instrument: Instrument, *, live: bool) -> bool:
    """Whether limits switch a check of a row on for an instrument."""
    wanted = any(is_set(name, getattr(bounds.tightest, name)) for name in row.limits) or not row.limits
    return (wanted or (row.code == "R30" and live)) and _concerns(check, instrument, bounds)


_BY_CHECK: Final[dict[Check, Row]] = {check: row for row in reversed(TABLE) for check in row.checks}


def _concerns(check: Check, instrument: Instrument, bounds: Bounds) -> bool:
    """Whether a check can ever refuse an order in this instrument under these limits."""
    kinds = _BY_KIND.get(check)
    if kinds is not None and str(instrument.sec_type) not in kinds:
        return False
    names = _BY_LIMIT.get(check)
    return names is None or any(is_set(name, getattr(bounds.tightest, name)) for name in names)


def row_of(check: Check, plugins: Iterable[Row] = ()) -> Row:
    """The row that a check stands behind."""
    found = _BY_CHECK.get(check)
    return found or next(row for row in plugins if check in row.checks)


def row(code: str) -> Row:
    """A row of ours by its number. Raises: StopIteration."""
    return next(one for one in TABLE if one.code == code)


def row_of_code(code: str) -> Row | None:
    """The row whose refusal has this code."""
    return next((row for row in TABLE if code in row.codes), None)
