"""Where this user's rmqops keeps what can be made again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "RMQOPS_CACHE"


def cache_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Return ``$RMQOPS_CACHE``, else where the system keeps caches (XDG_CACHE_HOME); it may not be there yet."""
    own = (os.environ if environ is None else environ).get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("rmqops")
