"""One call of every method of the client, with plain arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from engine.domain.instrument import Instrument
from engine.webapi.calls import Caller
from engine.webapi.endpoints.accounts import Accounts
from engine.webapi.endpoints.advisor import Advisor
from engine.webapi.endpoints.alerts import Alerts, Condition
from engine.webapi.endpoints.base import Group
from engine.webapi.endpoints.contracts import Contracts
from engine.webapi.endpoints.discovery import Discovery
from engine.webapi.endpoints.fyi import Fyi
from engine.webapi.endpoints.marketdata import MarketData
from engine.webapi.endpoints.orders import Orders
from engine.webapi.endpoints.performance import Performances
from engine.webapi.endpoints.portfolio import Portfolio
from engine.webapi.endpoints.scanner import Scanner
from engine.webapi.endpoints.session import Session
from engine.webapi.endpoints.watchlists import Watchlists
from engine.webapi.facts.advisor import Presets
from engine.webapi.tickets import to_wire
from tests.domain.made import ticket

AAPL = Instrument(conid=265598, symbol="AAPL")
TICKET = ticket(100, conid=265598, limit_price=Decimal("165.10"))
WIRE = to_wire(TICKET, AAPL)


class Still:
    """A clock that stands, and passes over every wait."""

    def __init__(self) -> None:
        self.now = 0
        self.waits: list[float] = []

    def now_ns(self) -> int:
        """The moment it stands at."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Note the wait."""
        self.waits.append(seconds)

    async def sleep_until(self, moment_ns: int) -> None:
        """Move on to the moment."""
        self.now = max(self.now, moment_ns)


class Client:
    """All groups over one caller."""

    def __init__(self, caller: Caller) -> None:
        self.clock = Still()
        self.session = Session(caller)
        self.accounts = Accounts(caller)
        self.contracts = Contracts(caller)
        self.discovery = Discovery(caller)
        self.market = MarketData(caller, self.clock)
        self.orders = Orders(caller)
        self.portfolio = Portfolio(caller)
        self.performance = Performances(caller)
        self.scanner = Scanner(caller)
        self.alerts = Alerts(caller)
        self.fyi = Fyi(caller)
        self.watchlists = Watchlists(caller)
        self.advisor = Advisor(caller)

    def groups(self) -> dict[str, Group]:
        """The groups by name."""
        return {name: group for name, group in vars(self).items() if isinstance(group, Group)}


Doing = Callable[[Client], Awaitable[Any]]
CONDITION = Condition(conidex="265598@SMART", value=Decimal("195.50"))
EVERY: dict[str, Doing] = {
    "session.tickle": lambda c: c.session.tickle(),
    "session.status": lambda c: c.session.status(),
    "session.init": lambda c: c.session.init(compete=True),
    "session.logout": lambda c: c.session.logout(),
    "session.sso": lambda c: c.session.sso(),
    "session.reauthenticate": lambda c: c.session.reauthenticate(),
    "accounts.accounts": lambda c: c.accounts.accounts(),
    "accounts.switch": lambda c: c.accounts.switch("DU1"),
    "accounts.pnl": lambda c: c.accounts.pnl(),
    "accounts.summary": lambda c: c.accounts.summary("DU1"),
    "accounts.available_funds": lambda c: c.accounts.available_funds("DU1"),
    "accounts.balances": lambda c: c.accounts.balances("DU1"),
    "accounts.margins": lambda c: c.accounts.margins("DU1"),
    "accounts.market_value": lambda c: c.accounts.market_value("DU1"),
    "accounts.search": lambda c: c.accounts.search("DU"),
    "accounts.set_dynamic": lambda c: c.accounts.set_dynamic("DU1"),
    "accounts.signatures": lambda c: c.accounts.signatures("DU1"),
    "contracts.info": lambda c: c.contracts.info(265598),
    "contracts.rules": lambda c: c.contracts.rules(265598, modifies=7),
    "contracts.info_and_rules": lambda c: c.contracts.info_and_rules(265598, buy=True),
    "contracts.algos": lambda c: c.contracts.algos(265598, ["Adaptive", "Vwap"]),
    "contracts.definitions": lambda c: c.contracts.definitions([265598, 8314]),
    "contracts.trading_schedule": lambda c: c.contracts.trading_schedule(265598, exchange="NASDAQ"),
    "contracts.venue_schedules": lambda c: c.contracts.venue_schedules("STK", "AAPL", exchange="NASDAQ"),
    "contracts.currency_pairs": lambda c: c.contracts.currency_pairs("USD"),
    "contracts.exchange_rate": lambda c: c.contracts.exchange_rate("USD", "EUR"),
    "discovery.search": lambda c: c.discovery.search("AAPL", sec_type="STK", by_name=False),
    "discovery.search_posted": lambda c: c.discovery.search_posted("AAPL", sec_type="STK", by_name=False),
    "discovery.strikes": lambda c: c.discovery.strikes(756733, sec_type="OPT", month="JAN27"),
    "discovery.derivatives": lambda c: c.discovery.derivatives(
        756733, sec_type="OPT", month="JAN27", strike=Decimal("650.5"), right="C", exchange="SMART"
    ),
    "discovery.bond_filters": lambda c: c.discovery.bond_filters("e123"),
    "discovery.stocks": lambda c: c.discovery.stocks(["aapl", "IBM"]),
    "discovery.futures": lambda c: c.discovery.futures(["ES"], exchange="CME"),
    "discovery.all_conids": lambda c: c.discovery.all_conids("NASDAQ", asset_class="STK"),
    "discovery.forecast_categories": lambda c: c.discovery.forecast_categories(),
    "discovery.forecast_market": lambda c: c.discovery.forecast_market(658663572),
    "discovery.forecast_rules": lambda c: c.discovery.forecast_rules(722489372),
    "discovery.forecast_details": lambda c: c.discovery.forecast_details(722489372),
    "discovery.forecast_schedule": lambda c: c.discovery.forecast_schedule(722489372),
    "market.snapshot": lambda c: c.market.snapshot([756733], ["31", "84"], tries=1),
    "market.history": lambda c: c.market.history(
        265598, period="1d", bar="1h", start_ns=1702317649 * 10**9, outside_rth=True, source="Midpoint", direction=1
    ),
    "market.unsubscribe": lambda c: c.market.unsubscribe(265598),
    "market.unsubscribe_all": lambda c: c.market.unsubscribe_all(),
    "orders.place": lambda c: c.orders.place("DU1", [WIRE]),
    "orders.modify": lambda c: c.orders.modify("DU1", 7, WIRE),
    "orders.reply": lambda c: c.orders.reply("r-1", confirmed=True),
    "orders.cancel": lambda c: c.orders.cancel("DU1", 7, says_who=True, operator="me"),
    "orders.what_if": lambda c: c.orders.what_if("DU1", [WIRE]),
    "orders.live": lambda c: c.orders.live(force=True),
    "orders.status": lambda c: c.orders.status(7),
    "orders.trades": lambda c: c.orders.trades(),
    "orders.suppress": lambda c: c.orders.suppress(["o354", "o163"]),
    "orders.reset_suppression": lambda c: c.orders.reset_suppression(),
    "orders.answer_prompt": lambda c: c.orders.answer_prompt(order_id=7, request_id="22170", option="Yes"),
    "portfolio.accounts": lambda c: c.portfolio.accounts(),
    "portfolio.subaccounts": lambda c: c.portfolio.subaccounts(),
    "portfolio.subaccounts_page": lambda c: c.portfolio.subaccounts_page(0),
    "portfolio.all_subaccounts": lambda c: c.portfolio.all_subaccounts(),
    "portfolio.meta": lambda c: c.portfolio.meta("DU1"),
    "portfolio.positions_page": lambda c: c.portfolio.positions_page("DU1", 0, model="m", sort="x", descending=True),
    "portfolio.positions": lambda c: c.portfolio.positions("DU1"),
    "portfolio.positions_now": lambda c: c.portfolio.positions_now("DU1", model="m"),
    "portfolio.position": lambda c: c.portfolio.position("DU1", 756733),
    "portfolio.position_by_account": lambda c: c.portfolio.position_by_account(756733),
    "portfolio.combos": lambda c: c.portfolio.combos("DU1", fresh=True),
    "portfolio.invalidate": lambda c: c.portfolio.invalidate("DU1"),
    "portfolio.ledger": lambda c: c.portfolio.ledger("DU1"),
    "portfolio.summary": lambda c: c.portfolio.summary("DU1"),
    "portfolio.allocation": lambda c: c.portfolio.allocation("DU1", model="m"),
    "portfolio.joint_allocation": lambda c: c.portfolio.joint_allocation(["DU1", "DU2"]),
    "performance.performance": lambda c: c.performance.performance(["DU1"], "MTD"),
    "performance.all_periods": lambda c: c.performance.all_periods(["DU1"]),
    "performance.transactions": lambda c: c.performance.transactions(["DU1"], 265598),
    "scanner.parameters": lambda c: c.scanner.parameters(),
    "scanner.run": lambda c: c.scanner.run(
        instrument="STK", scan="TOP_PERC_GAIN", location="STK.US.MAJOR", filters={"priceAbove": 5}
    ),
    "scanner.open_hmds": lambda c: c.scanner.open_hmds(),
    "scanner.run_hmds": lambda c: c.scanner.run_hmds(
        instrument="BOND", scan="HIGH_BOND_ASK_YIELD_ALL", location="BOND.US", sec_type="BOND"
    ),
    "alerts.listed": lambda c: c.alerts.listed("DU1"),
    "alerts.detail": lambda c: c.alerts.detail(100001),
    "alerts.mta": lambda c: c.alerts.mta(),
    "alerts.save": lambda c: c.alerts.save(
        "DU1",
        name="n",
        message="m",
        conditions=[CONDITION, CONDITION],
        alert_id=9,
        expires_ns=1702317649 * 10**9,
        email="a@b.c",
    ),
    "alerts.activate": lambda c: c.alerts.activate("DU1", 100001),
    "alerts.delete": lambda c: c.alerts.delete("DU1", 100001),
    "fyi.unread": lambda c: c.fyi.unread(),
    "fyi.notifications": lambda c: c.fyi.notifications(include=["PF"]),
    "fyi.more": lambda c: c.fyi.more("2024031947509444"),
    "fyi.mark_read": lambda c: c.fyi.mark_read("2026040190532092"),
    "fyi.settings": lambda c: c.fyi.settings(),
    "fyi.set_enabled": lambda c: c.fyi.set_enabled("BA", enabled=True),
    "fyi.disclaimer": lambda c: c.fyi.disclaimer("BA"),
    "fyi.accept_disclaimer": lambda c: c.fyi.accept_disclaimer("BA"),
    "fyi.delivery": lambda c: c.fyi.delivery(),
    "fyi.set_email": lambda c: c.fyi.set_email(enabled=True),
    "fyi.set_device": lambda c: c.fyi.set_device(device_id="d", name="n", shown_as="u", enabled=True),
    "fyi.delete_device": lambda c: c.fyi.delete_device("d"),
    "watchlists.listed": lambda c: c.watchlists.listed(),
    "watchlists.read": lambda c: c.watchlists.read("99999"),
    "watchlists.save": lambda c: c.watchlists.save("99999", "n", [265598, None]),
    "watchlists.delete": lambda c: c.watchlists.delete("99999"),
    "advisor.accounts": lambda c: c.advisor.accounts(),
    "advisor.groups": lambda c: c.advisor.groups(),
    "advisor.group": lambda c: c.advisor.group("g"),
    "advisor.create": lambda c: c.advisor.create("g", "N", {"DU1": None, "DU2": Decimal(10)}),
    "advisor.change": lambda c: c.advisor.change("g", "N", {"DU1": None}, was="old"),
    "advisor.delete": lambda c: c.advisor.delete("g"),
    "advisor.presets": lambda c: c.advisor.presets(),
    "advisor.set_presets": lambda c: c.advisor.set_presets(Presets(method="N", strict_credit_check=False)),
}
