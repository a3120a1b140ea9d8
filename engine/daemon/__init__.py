"""The daemon: its configuration, its start, and the one process that trades for weeks."""
