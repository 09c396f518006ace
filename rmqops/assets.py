"""Find ``playbooks/``, ``roles/``, ``templates/`` and ``inventory/``, in a checkout or in the wheel."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from rmqops.errors import InventoryError, Problem, RmqopsError

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


def find_inventory(name: str) -> Path:
    """Find an inventory.

    A bare name is looked up in ``./inventory``, with ``.yml`` too, then among those that rmqops ships, and
    is a path last; anything with a slash or a suffix is a path.

    Raises:
        InventoryError: there is none.
    """
    shipped = path("inventory")
    is_name = re.fullmatch(r"\w[\w-]*", name) is not None
    named = [Path("inventory", name), Path("inventory", f"{name}.yml"), shipped / name] if is_name else []
    candidates = [*named, Path(name)]
    for candidate in candidates:
        if name and (candidate.is_file() or candidate.is_dir()):
            return candidate
    names = ", ".join(sorted(entry.name for entry in shipped.iterdir() if entry.is_dir()))
    tried = " and ".join(str(candidate) for candidate in candidates if candidate.parent != shipped)
    message = f"there is no such inventory (looked at {tried})" if name else "an empty name names no inventory"
    remedy = f"Name a file, a directory, or one of those that rmqops ships: {names}"
    raise InventoryError([Problem(name, None, None, "", message, remedy)])
