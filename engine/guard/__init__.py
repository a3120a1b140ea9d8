"""The guard: a small process that answers operators, and acts for a daemon that no longer can."""
