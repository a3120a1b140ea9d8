"""What the `/iserver` account endpoints tell."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from engine.webapi import values
from engine.webapi.facts.session import ServerInfo
from engine.webapi.facts.wire import Fact, wire


class AccountTraits(Fact, frozen=True, kw_only=True):
    """What an account can do."""

    has_children: Annotated[bool | None, wire("hasChildAccounts")] = None
    cash_quantity: Annotated[bool | None, wire("supportsCashQty")] = None
    fractions: Annotated[bool | None, wire("supportsFractions")] = None
    no_fx_conversion: Annotated[bool | None, wire("noFXConv")] = None


class BrokerageAccounts(Fact, frozen=True, kw_only=True):
    """Accounts of the brokerage session (GET /iserver/accounts, and the `act` frame's args)."""

    accounts: tuple[str, ...]
    selected: Annotated[str, wire("selectedAccount")] = ""
    aliases: dict[str, str] = msgspec.field(default_factory=dict)
    traits: Annotated[dict[str, AccountTraits], wire("acctProps")] = msgspec.field(default_factory=dict)
    paper: Annotated[bool | None, wire("isPaper")] = None
    server: Annotated[ServerInfo | None, wire("serverInfo")] = None


class AccountSwitch(Fact, frozen=True, kw_only=True):
    """Answer to a choice of account; `success` is the text where it was chosen already."""

    set: bool | None = None
    account: Annotated[str, wire("acctId")] = ""
    success: str = ""

    @property
    def done(self) -> bool:
        """Whether the account is the selected one now."""
        return self.set is True or "already set" in self.success.lower()


class MatchedAccount(Fact, frozen=True, kw_only=True):
    """One account found by a pattern."""

    account: Annotated[str, wire("accountId")]
    alias: str = ""
    allocation: Annotated[str, wire("allocationId")] = ""


class PnlRow(Fact, frozen=True, kw_only=True):
    """Profit and loss of one account or model, in its base currency."""

    daily: Annotated[Decimal | None, wire("dpl")] = None
    unrealised: Annotated[Decimal | None, wire("upl")] = None
    net_liquidation: Annotated[Decimal | None, wire("nl")] = None
    excess_liquidity: Annotated[Decimal | None, wire("el")] = None
    excess_liquidity_now: Annotated[Decimal | None, wire("uel")] = None
    market_value: Annotated[Decimal | None, wire("mv")] = None  # or margin: sources disagree
    row_type: Annotated[int | None, wire("rowType")] = None


class CashBalance(Fact, frozen=True, kw_only=True):
    """Cash of one currency; the total row's currency is a text such as "Total (in USD)"."""

    currency: str
    balance: Decimal | None = None
    settled: Annotated[Decimal | None, wire("settledCash")] = None


class AccountSummary(Fact, frozen=True, kw_only=True):
    """Equity and margin of one account, in its base currency."""

    account_type: Annotated[str, wire("accountType")] = ""
    status: str = ""
    balance: Decimal | None = None
    sma: Annotated[Decimal | None, wire("SMA")] = None
    buying_power: Annotated[Decimal | None, wire("buyingPower")] = None
    available_funds: Annotated[Decimal | None, wire("availableFunds")] = None
    excess_liquidity: Annotated[Decimal | None, wire("excessLiquidity")] = None
    net_liquidation: Annotated[Decimal | None, wire("netLiquidationValue")] = None
    equity_with_loan: Annotated[Decimal | None, wire("equityWithLoanValue")] = None
    reg_t_loan: Annotated[Decimal | None, wire("regTLoan")] = None
    securities_gross: Annotated[Decimal | None, wire("securitiesGVP")] = None
    total_cash: Annotated[Decimal | None, wire("totalCashValue")] = None
    accrued_interest: Annotated[Decimal | None, wire("accruedInterest")] = None
    reg_t_margin: Annotated[Decimal | None, wire("regTMargin")] = None
    initial_margin: Annotated[Decimal | None, wire("initialMargin")] = None
    maintenance_margin: Annotated[Decimal | None, wire("maintenanceMargin")] = None
    cash: Annotated[tuple[CashBalance, ...], wire("cashBalances")] = ()


class SummaryPage(Fact, frozen=True, kw_only=True):
    """A page of display texts by segment ("total", "securities" ...) and caption: for people, never for sizing."""

    segments: dict[str, dict[str, str]]


class Signer(Fact, frozen=True, kw_only=True):
    """Somebody with a right on an account."""

    role: Annotated[str, wire("roleId")] = ""
    user_name: Annotated[str, wire("userName")] = ""
    may_sign: Annotated[bool | None, wire("hasRightCodeInd")] = None


class Signatures(Fact, frozen=True, kw_only=True):
    """Owners and signatures of an account."""

    account: Annotated[str, wire("accountId", read=values.identifier)]
    users: tuple[Signer, ...] = ()
