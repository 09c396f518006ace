"""Where the whole output of an operation is kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from rmqops.errors import OperationFailed
from rmqops.system import files

STATE_VARIABLE = "RMQOPS_STATE"
KEEP = 50


def state_directory() -> Path:
    """Return the directory for what rmqops remembers: ``$RMQOPS_STATE``, else the user's state directory."""
    return Path(os.environ.get(STATE_VARIABLE) or platformdirs.user_state_dir("rmqops"))


def private_directory(name: str) -> Path:
    """Return a directory of the state, that its owner alone may look into; made, and mended, where it is not so.

    Its files are made by others, some before rmqops made them private; those are mended as well.

    Raises:
        OperationFailed: it cannot be made.
    """
    directory = state_directory() / name
    try:
        state_directory().mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.mkdir(exist_ok=True, mode=0o700)
        with os.scandir(directory) as entries:
            files.make_private(
                directory, *(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
            )
    except OSError as error:
        raise OperationFailed(
            f"{directory}, where rmqops keeps what it remembers, cannot be used: {error.strerror}",
            remedy=f"mend that, or name another directory by {STATE_VARIABLE}",
        ) from error
    return directory


def new_log(verb: str, cluster: str) -> Path:
    """Return the path of a new log and remove the oldest ones."""
    directory = private_directory("logs")
    for old in sorted(directory.glob("*.log"))[:-KEEP]:
        old.unlink(missing_ok=True)
    return directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{verb}-{cluster}.log"
