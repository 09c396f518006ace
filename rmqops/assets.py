"""Find ``playbooks/``, ``roles/``, ``templates/`` and ``inventory/``, in a checkout or in the wheel."""

from __future__ import annotations

from collections.abc import Callable
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
    """Find an inventory: a path that exists, else a name in ``./inventory``, else one that rmqops ships.

    Raises:
        InventoryError: there is none.
    """
    candidates = [Path(name), Path("inventory", name), path("inventory", name)]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    tried = f"{candidates[0]} and {candidates[1]}"
    shipped = sorted(entry.name for entry in path("inventory").iterdir() if entry.is_dir())
    raise InventoryError(
        [
            Problem(
                name,
                None,
                None,
                "",
                f"there is no such inventory (looked at {tried})",
                f"Name a file, a directory, or one of those that rmqops ships: {', '.join(shipped)}",
            )
        ]
    )


def read_inventory(location: Path, belongs: Callable[[str], bool]) -> dict[str, str]:
    """Return the text of every file of an inventory, by its path, in the order that Ansible reads them.

    A file's ``group_vars`` and ``host_vars`` lie beside it, a directory's inside it.

    Raises:
        InventoryError: a file cannot be read.
    """
    if location.is_dir():
        found = sorted(file for file in location.rglob("*") if file.is_file())
    else:
        beside = [location.parent / name for name in ("group_vars", "host_vars")]
        found = [location, *sorted(file for place in beside for file in place.rglob("*") if file.is_file())]
    texts = {}
    for file in found:
        if file != location and not belongs(
            str(file.relative_to(location if location.is_dir() else location.parent))
        ):
            continue
        try:
            texts[str(file)] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InventoryError(
                [Problem(str(file), None, None, "", f"cannot be read: {error}", "Make it readable UTF-8 text")]
            ) from error
    return texts
