"""The simulated Web API server: an exchange, accounts and a session that any client can trade against."""
