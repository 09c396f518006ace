"""Find ``playbooks/``, ``roles/``, ``templates/`` and ``inventory/``, in a checkout or in the wheel."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rmqops.errors import InventoryError, Problem, RmqopsError

ASSET_DIRECTORIES = ("playbooks", "roles", "templates", "inventory")
_VARIABLES = ("group_vars", "host_vars")
_MAX_BYTES = 16 << 20


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


def read_inventory(location: Path, belongs: Callable[[str], bool]) -> dict[str, str]:
    """Return the text of every file of an inventory, by its path, in the order that Ansible reads them.

    A file's ``group_vars`` and ``host_vars`` lie beside it, a directory's inside it.

    Args:
        location: A file, or a directory.
        belongs: Tells whether a file in that directory is of the inventory, by its path in there.

    Raises:
        InventoryError: files cannot be read; all problems at once.
    """
    directory = location if location.is_dir() else location.parent
    found: list[Path] = [] if location.is_dir() else [location]
    problems = []
    for entry in sorted(directory.iterdir()) if location.is_dir() else []:
        if not belongs(entry.name) or entry.name in _VARIABLES:
            continue
        if entry.is_dir():
            what = "is a directory in an inventory: Ansible reads inventories in it, rmqops does not"
            problems.append(
                Problem(str(entry), None, None, "", what, "Name one inventory, or move this out of it")
            )
        else:
            found.append(entry)
    for name in _VARIABLES:
        inside = sorted(file for file in (directory / name).rglob("*") if file.is_file())
        found += [file for file in inside if belongs(str(file.relative_to(directory)))]
    texts = {}
    for file in found:
        try:
            texts[str(file)] = _text(file)
        except (OSError, ValueError) as error:
            remedy = "Make it readable UTF-8 text"
            problems.append(Problem(str(file), None, None, "", f"cannot be read: {error}", remedy))
    if problems:
        raise InventoryError(problems)
    return texts


def _text(file: Path) -> str:
    if file.stat().st_size > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES} bytes")
    return file.read_text(encoding="utf-8-sig")
