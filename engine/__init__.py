"""An event-driven algorithmic trading engine for the IBKR Web API."""
