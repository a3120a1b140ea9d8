"""Typed calls, one group class a section of the Web API, each over a `calls.Caller`.

    session.Session          tickle, auth status, init, logout, sso, reauthenticate
    accounts.Accounts        accounts of the brokerage session, switch, profit and loss, summaries
    contracts.Contracts      contract info, rules, algos, definitions, schedules, currencies
    discovery.Discovery      symbol search, strikes, derivatives, stocks, futures, event contracts
    marketdata.MarketData    snapshots with their pre-flight, history, ends of streams
    orders.Orders            place, modify, cancel, what-if, reply, suppress, live orders, status, trades
    portfolio.Portfolio      accounts, positions both ways, ledger, summary, allocation
    performance.Performances returns and transactions
    scanner.Scanner          market scanners
    alerts.Alerts            alerts
    fyi.Fyi                  notifications
    watchlists.Watchlists    watchlists
    advisor.Advisor          allocation groups and presets

What every method raises:
    VenueRefused      it said no (`status` 200 where the refusal stood in a good answer)
    VenueUnreachable  nothing left us, or the request may be repeated and brought nothing that can be read
    AnswerLost        a write whose outcome is unknown
"""
