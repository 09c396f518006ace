"""Find ``playbooks/``, ``roles/``, ``templates/`` and ``inventory/``, in a checkout or in the wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rmqops.errors import RmqopsError

ASSET_DIRECTORIES = ("playbooks", "roles", "templates", "inventory")


@cache
def root() -> Path:
    """Return the directory that holds the asset directories.

    A wheel carries them in ``rmqops/_assets`` (``pyproject.toml``, force-include); a checkout has them
    beside the package.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_assets", package.parent):
        if all((candidate / name).is_dir() for name in ASSET_DIRECTORIES):
            return candidate
    raise RmqopsError(
        f"{package} has no {', '.join(ASSET_DIRECTORIES)} beside it",
        remedy="install rmqops from its wheel or run it from a checkout",
    )


def path(*parts: str) -> Path:
    """Return the path of one asset, such as ``path("playbooks", "site.yml")``."""
    return root().joinpath(*parts)
