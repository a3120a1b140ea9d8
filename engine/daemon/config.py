"""The configuration of `engine run`: the tables a backtest has too, and those of a live session.

mode = "sim"                     # sim, paper or live
[gateway]                        # sim: leave url out, and the daemon starts a simulated one
url = "https://localhost:5000/v1/api"
ca = "ca.pem"
[[instrument]]                   # conid and symbol are enough; `engine find` prints these tables
conid = 265598
symbol = "AAPL"
[replies]                        # what the venue's questions are answered with
[suppress]
ids = ["o354"]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from engine import config
from engine.config_checks import check
from engine.domain.instrument import Instrument
from engine.errors import ConfigError, RecordingError
from engine.orders.census import CensusPolicy
from engine.orders.questions import KNOWN
from engine.orders.reconcile import ReconcilePolicy, Remedy
from engine.orders.replies import ReplyPolicy, read_policy
from engine.recording.head import instrument_from
from engine.risk.limits import NEEDED, misplaced, without_limits
from engine.settings import AccountSettings, RecordingSettings, ReportSettings, RiskSettings, Settings
from engine.tables import nearest, structure
from engine.webapi.tls import checked_base, is_loopback

GUARDS_WAY: Final = "engine.daemon.access:open_venue"  # how a guard reaches the gateway, by `guard.launch`

# A simulated clock runs many times as fast as requests come through on a busy machine.
SIM_SUMMARY_S: Final = Decimal(3_600)
SUPPRESSED_MAX: Final = 51  # as many ids as the venue takes
TOP: Final = (
    "name",
    "mode",
    "seed",
    "account",
    "gateway",
    "instrument",
    "strategy",
    "risk",
    "replies",
    "suppress",
    "orders",
    "session",
    "recorder",
    "stop",
    "guard",
    "kill",
)


class Mode(StrEnum):
    """Whose money it is."""

    SIM = "sim"
    PAPER = "paper"
    LIVE = "live"


class StopPolicy(StrEnum):
    """What becomes of open orders and positions when the daemon is told to stop."""

    LEAVE = "leave"
    CANCEL = "cancel"
    FLATTEN = "flatten"


@frozen(kw_only=True)
class GatewaySettings:
    """`[gateway]`. Without `url`, in mode sim, the daemon starts a simulated gateway of its own by the other keys.

    `ca` is the authority's certificate to trust, `pinned` the one certificate of a gateway on this machine. Secrets of
    `auth` oauth1 and oauth2 come from the environment or from files, never from here; `keys` is their folder.
    """

    url: str | None = None
    ca: Path | None = None
    pinned: Path | None = None
    auth: str = "gateway"
    keys: Path | None = None
    speed: float = 1.0
    synthetic: tuple[str, ...] = ()
    recording: Path | None = None
    faults: Path | None = None
    config: Path | None = None
    seed: int = 7


@frozen(kw_only=True)
class SuppressSettings:
    """`[suppress]`: questions the venue need not ask. The whole list is sent with every new session."""

    ids: tuple[str, ...] = ()


@frozen(kw_only=True)
class ReconcileSettings:
    """`[orders.reconcile]`: what follows from a difference of each class, and how often books are compared."""

    every_minutes: float = 10.0
    manual_trade: Remedy = Remedy.HALT_INSTRUMENT
    liquidation: Remedy = Remedy.HALT_INSTRUMENT
    split: Remedy = Remedy.HALT_INSTRUMENT
    unknown: Remedy = Remedy.HALT_INSTRUMENT
    cash_tolerance: Decimal = Decimal(5)

    def policy(self) -> ReconcilePolicy:
        """As the comparison takes it."""
        return ReconcilePolicy(
            manual_trade=self.manual_trade,
            liquidation=self.liquidation,
            split=self.split,
            unknown=self.unknown,
            cash_tolerance=self.cash_tolerance,
        )


@frozen(kw_only=True)
class OrdersSettings:
    """`[orders]`, seconds of the venue's clock.

    `missing_stop` says what is done about a bracket without its stop: cancel-entry, flatten or alert. An order worth
    more than `preview_above`, in base currency, is previewed by the venue before it leaves. With `resend` a single
    order whose answer was lost, and which is proved absent, goes out once more under its id. `fee_estimate` is the fee
    schedule that executions are charged by until their commission is told: a shipped one, "none" or a .toml file.
    An order that a person may let pass (a duplicate, one far outside the strategy's own range) waits `hold_s` for an
    answer; 0 asks nobody, and it is refused.
    """

    settle_s: float = 45.0
    operator_after_s: float = 300.0
    cancel_waits_s: float = 2.0
    missing_stop: CensusPolicy = CensusPolicy.CANCEL_ENTRY
    children_named: bool = True
    preview_above: Decimal | None = None
    resend: bool = False
    fee_estimate: str = "ibkr-us-fixed-2026"
    hold_s: float = 300.0
    reconcile: ReconcileSettings = field(factory=ReconcileSettings)


@frozen(kw_only=True)
class SessionSettings:
    """`[session]`: when another session of the user holds the brokerage session: stand-down, steal or bounded-steal.

    `inits_per_hour` is how often the brokerage session may be opened within an hour of the venue's clock.
    """

    competing: str = "stand-down"
    inits_per_hour: int = 60


@frozen(kw_only=True)
class RecorderSettings:
    """`[recorder]`: what is kept of the live session below the state folder."""

    market: bool = True
    wire: bool = True


@frozen(kw_only=True)
class StopSettings:
    """`[stop]`: what SIGTERM does to orders and positions, and how long it may take (seconds on the wall)."""

    policy: StopPolicy = StopPolicy.CANCEL
    limit_s: float = 30.0


@frozen(kw_only=True)
class GuardSettings:
    """`[guard]`: after how many seconds of silence (on the wall) it acts, and whether it flattens too."""

    on: bool = True
    silence_s: float = 10.0
    flatten: bool = False


@frozen(kw_only=True)
class KillSettings:
    """`[kill]`: what the kill switch does beyond halting and cancelling; times on the venue's clock.

    `flatten`: signal, file and timer close positions too. They are closed once every order is proved dead, or after
    `flatten_after_s`. Above `cancel_all_above` open orders a halt cancels by one request for everything in the account,
    foreign orders included; None: never. Where nobody has said `engine alive` for `dead_man_hours`, trading is
    `dead_man`: reducing or halted.
    """

    flatten: bool = False
    flatten_after_s: float = 30.0
    cancel_all_above: int | None = None
    dead_man_hours: float | None = None
    dead_man: str = "reducing"


@frozen(kw_only=True)
class RunSettings:
    """One daemon. `base` has what a backtest's configuration has too.

    `simulated`: a session in mode paper with a simulated gateway, as is found at the start; see `on_simulated_clock`.
    """

    base: Settings
    mode: Mode
    gateway: GatewaySettings
    instruments: Mapping[str, Instrument]
    replies: ReplyPolicy
    suppress: SuppressSettings
    orders: OrdersSettings
    session: SessionSettings
    recorder: RecorderSettings
    stop: StopSettings
    guard: GuardSettings
    kill: KillSettings = field(factory=KillSettings)
    overrides: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def by_wall(self) -> bool:
        """Whether the venue's clock is the wall's."""
        return self.mode is not Mode.SIM and not self.simulated

    @property
    def by_conid(self) -> dict[int, Instrument]:
        """The instruments by conid."""
        return {instrument.conid: instrument for instrument in self.instruments.values()}


def load(path: Path, overrides: Sequence[str] = ()) -> RunSettings:
    """Read the configuration of a daemon.

    Raises: ConfigError, for the first thing that is wrong.
    """
    return config.read(path, overrides, lambda table: evolve(_settings(table, path), overrides=tuple(overrides)))


def _settings(table: dict[str, Any], path: Path) -> RunSettings:
    for key in table:
        if key not in TOP:
            hint = nearest(key, TOP)
            if key in ("recording", "venue", "replay", "report"):
                hint = "; it belongs to a backtest"
            raise ConfigError(f"unknown key{hint}", place=f"{path}: {key}")
    for key in ("name", "instrument"):
        if key not in table:
            raise ConfigError("missing; it is required", place=f"{path}: {key}")

    def read(key: str, kind: type[Any]) -> Any:
        return structure(table.get(key, {}), kind, file=path, key=key, folder=path.parent)

    base = Settings(
        name=config.plain(table["name"], str, "a text in quotes", f"{path}: name"),
        seed=config.plain(table.get("seed", 0), int, "a whole number", f"{path}: seed"),
        source=path,
        recording=RecordingSettings(path=path.parent),
        account=read("account", AccountSettings),
        strategies=config.strategies(table, path),
        risk=read("risk", RiskSettings),
        report=ReportSettings(),
    )
    check(base)
    mode = _mode(table.get("mode", "sim"), path)
    if mode is Mode.SIM:
        base = _patient(base)
    found = RunSettings(
        base=base,
        mode=mode,
        gateway=read("gateway", GatewaySettings),
        instruments=_instruments(table["instrument"], path),
        replies=_replies(table.get("replies", {}), path),
        suppress=read("suppress", SuppressSettings),
        orders=read("orders", OrdersSettings),
        session=read("session", SessionSettings),
        recorder=read("recorder", RecorderSettings),
        stop=read("stop", StopSettings),
        guard=read("guard", GuardSettings),
        kill=read("kill", KillSettings),
    )
    for key, sentence in _problems(found):
        raise ConfigError(sentence, place=f"{path}: {key}")
    return found


def on_simulated_clock(settings: RunSettings) -> RunSettings:
    """The same in mode paper where the gateway turns out to be a simulated one, whose clock counts then."""
    return evolve(settings, simulated=True, base=_patient(settings.base))


def _patient(base: Settings) -> Settings:
    if base.risk.account.summary_age_max_s is not None:
        return base
    account = evolve(base.risk.account, summary_age_max_s=SIM_SUMMARY_S)
    return evolve(base, risk=evolve(base.risk, account=account))


def _mode(value: object, path: Path) -> Mode:
    try:
        return Mode(str(value))
    except ValueError:
        raise ConfigError(f"must be sim, paper or live, not {value!r}", place=f"{path}: mode") from None


def _replies(table: object, path: Path) -> ReplyPolicy:
    if not isinstance(table, Mapping):
        raise ConfigError("must be a table", place=f"{path}: replies")
    try:
        return read_policy({key: float(v) if isinstance(v, Decimal) else v for key, v in table.items()})
    except ConfigError as error:
        raise ConfigError(error.problem, place=f"{path}: {error.place}") from error


def _instruments(rows: object, path: Path) -> dict[str, Instrument]:
    if not isinstance(rows, list) or not rows:
        raise ConfigError("must be written [[instrument]], one for each", place=f"{path}: instrument")
    found: dict[str, Instrument] = {}
    for number, row in enumerate(rows):
        place = f"{path}: instrument.{number}"
        try:
            instrument = instrument_from(row, place=place)
        except RecordingError as error:
            raise ConfigError(error.problem, place=error.place) from error
        if instrument.symbol in found:
            raise ConfigError(f"two instruments have the symbol {instrument.symbol}", place=place)
        if any(one.conid == instrument.conid for one in found.values()):
            raise ConfigError(f"two instruments have the conid {instrument.conid}", place=place)
        found[instrument.symbol] = instrument
    return found


def _problems(found: RunSettings) -> list[tuple[str, str]]:
    """What must agree. (dotted key, sentence), the first one counts."""
    problems: list[tuple[str, str]] = []
    gateway, known = found.gateway, found.instruments

    def bad(key: str, sentence: str) -> None:
        problems.append((key, sentence))

    for strategy in found.base.strategies:
        for symbol in strategy.instruments:
            if symbol not in known:
                bad(f"strategy.{strategy.name}.instruments", f"no [[instrument]] is {symbol!r}{nearest(symbol, known)}")
    for symbol in found.base.risk.instrument:
        if symbol not in known:
            bad(f"risk.instrument.{symbol}", f"no [[instrument]] is {symbol!r}{nearest(symbol, known)}")
    for key, table in misplaced(found.base.risk):
        bad(key, f"nothing is held to it here; it belongs into {table}")
    by_conid = found.by_conid
    for symbol, instrument in known.items():
        for leg in instrument.legs:
            if leg.conid not in by_conid:
                bad(f"instrument.{symbol}", f"no [[instrument]] is its leg {leg.conid}; positions come leg by leg")
            elif by_conid[leg.conid].legs:
                bad(f"instrument.{symbol}", f"its leg {leg.conid} is a combo itself")
    if gateway.auth not in ("gateway", "oauth1", "oauth2"):
        bad("gateway.auth", f"must be gateway, oauth1 or oauth2, not {gateway.auth!r}")
    if gateway.url is not None:
        try:
            checked_base(gateway.url)
        except ConfigError as error:
            bad("gateway.url", error.problem)
    elif found.mode is not Mode.SIM:
        bad("gateway.url", f"is missing; mode {found.mode} trades through a gateway of yours or api.ibkr.com")
    if gateway.speed <= 0:
        bad("gateway.speed", "must be above zero")
    if found.session.competing not in ("stand-down", "steal", "bounded-steal"):
        bad("session.competing", f"must be stand-down, steal or bounded-steal, not {found.session.competing!r}")
    if found.session.inits_per_hour < 1:
        bad("session.inits_per_hour", "must be at least 1")
    ids = found.suppress.ids
    if len(set(ids)) > SUPPRESSED_MAX:
        bad("suppress.ids", f"has {len(set(ids))} ids, and the venue takes {SUPPRESSED_MAX}")
    for one in ids:
        if not re.fullmatch(r"[a-z]\d+", one):
            bad("suppress.ids", f"{one!r} is no message id{nearest(one, KNOWN)}")
    for key, value, least in (
        ("orders.settle_s", found.orders.settle_s, 5.0),
        ("orders.hold_s", found.orders.hold_s, 0.0),
        ("orders.operator_after_s", found.orders.operator_after_s, 1.0),
        ("orders.reconcile.every_minutes", found.orders.reconcile.every_minutes, 0.5),
        ("stop.limit_s", found.stop.limit_s, 1.0),
        ("guard.silence_s", found.guard.silence_s, 0.2),
        ("kill.flatten_after_s", found.kill.flatten_after_s, 0.0),
    ):
        if not least <= value <= 86_400:
            bad(key, f"must be from {least:g} to 86,400, not {value:g}")
    if found.kill.dead_man not in ("reducing", "halted"):
        bad("kill.dead_man", f"must be reducing or halted, not {found.kill.dead_man!r}")
    hours = found.kill.dead_man_hours
    if hours is not None and not 0 < hours <= 24 * 31:
        bad("kill.dead_man_hours", f"must be above 0 and at most 744, not {hours:g}")
    most = found.kill.cancel_all_above
    if most is not None and most < 0:
        bad("kill.cancel_all_above", f"must be a number of orders, not {most}")
    above = found.orders.preview_above
    if above is not None and above < 0:
        bad("orders.preview_above", f"must be an amount of money, not {above}")
    account = found.base.account.id
    if found.mode is not Mode.LIVE and gateway.url is None and not re.fullmatch(r"DU\d+", account):
        bad("account.id", f"must begin with DU in mode {found.mode}, not {account!r}")
    if found.mode is Mode.PAPER and not account.startswith(("DU", "DF")):
        bad("account.id", f"{account!r} is no paper account: those begin with DU or DF")
    if found.mode is Mode.LIVE and account.startswith(("DU", "DF")):
        bad("account.id", f"{account!r} is a paper account, and the mode is live")
    if found.mode is not Mode.SIM:
        trades = {strategy.name: [*_with_legs(strategy.instruments, known)] for strategy in found.base.strategies}
        for name, symbol in without_limits(found.base.risk, trades):
            named = ", ".join(NEEDED)
            sentence = f"{name} trades {symbol} in mode {found.mode}, and it has no limit of its own: set {named}"
            bad("risk", sentence)
    return problems


def _with_legs(symbols: Iterable[str], known: Mapping[str, Instrument]) -> dict[str, None]:
    """These, and what the combos among them trade, in this order."""
    by_conid = {one.conid: symbol for symbol, one in known.items()}
    found: dict[str, None] = {}
    for symbol in symbols:
        legs = known[symbol].legs if symbol in known else ()
        found |= dict.fromkeys((symbol, *(by_conid[leg.conid] for leg in legs if leg.conid in by_conid)))
    return found


def is_direct(settings: RunSettings) -> bool:
    """Whether requests go to IBKR's own host, with its larger budget."""
    host = _host(settings)
    return not is_loopback(host) and host.endswith("ibkr.com")


def is_beside(settings: RunSettings) -> bool:
    """Whether a gateway was named that lies on this machine."""
    return is_loopback(_host(settings))


def _host(settings: RunSettings) -> str:
    url = settings.gateway.url or ""
    return url.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
