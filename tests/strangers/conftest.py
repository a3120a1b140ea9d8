"""A stranger's client reads its settings from the environment when it is imported: no log files, quick pings."""

from __future__ import annotations

import os

os.environ.update(IBIND_LOG_TO_FILE="false", IBIND_LOG_TO_CONSOLE="false", IBIND_WS_PING_INTERVAL="1")
