"""Where the whole output of an operation is kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

STATE_VARIABLE = "RMQOPS_STATE"
KEEP = 50


def state_directory() -> Path:
    """Return the directory for what rmqops remembers: ``$RMQOPS_STATE``, else the user's state directory."""
    return Path(os.environ.get(STATE_VARIABLE) or platformdirs.user_state_dir("rmqops"))


def new_log(verb: str, cluster: str) -> Path:
    """Return the path of a new log and remove the oldest ones."""
    directory = state_directory() / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    for old in sorted(directory.glob("*.log"))[:-KEEP]:
        old.unlink(missing_ok=True)
    return directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{verb}-{cluster}.log"
