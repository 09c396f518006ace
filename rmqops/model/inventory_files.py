"""Which files of an inventory directory Ansible reads, and whose variables each one holds. PURE."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

YAML_SUFFIXES: Final = (".yml", ".yaml", ".json")
"""Ansible's ``YAML_FILENAME_EXTENSIONS``."""
IGNORED: Final = re.compile(r"^\.|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$")
"""What Ansible passes over in an inventory directory (``INVENTORY_IGNORE_EXTS``)."""


def is_inventory_file(name: str) -> bool:
    """Tell whether Ansible would read a file of an inventory directory, by its path in there."""
    parts = PurePosixPath(name).parts
    if any(IGNORED.search(part) for part in parts):
        return False
    if variables_owner(name) is None:
        return True
    return PurePosixPath(name).suffix in ("", *YAML_SUFFIXES) or len(parts) == 2


def variables_owner(name: str) -> tuple[str, str] | None:
    """Return (``group_vars`` or ``host_vars``, owner) for a file of variables, and None for a list of hosts."""
    parts = PurePosixPath(name).parts
    for index, part in enumerate(parts[:-1]):
        if part in {"group_vars", "host_vars"}:
            owner = parts[index + 1]
            return part, owner.removesuffix(_suffix(owner)) if index + 2 == len(parts) else owner
    return None


def read_by_ansible(names: list[str], kind: str) -> list[str]:
    """Return the files that Ansible reads (``DataLoader.find_vars_files``): a directory, or else one file."""
    inside = [name for name in names if PurePosixPath(name).parent.name != kind]
    if inside:
        return sorted(inside)
    order = ("", *YAML_SUFFIXES)
    return sorted(names, key=lambda name: order.index(_suffix(name)))[:1]


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return suffix if suffix in YAML_SUFFIXES else ""
