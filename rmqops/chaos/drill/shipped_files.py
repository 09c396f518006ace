"""The YAML files that rmqops ships, by folder and name."""

from __future__ import annotations

from importlib import resources
from typing import Literal

Folder = Literal["drill/drills", "suite/suites"]
"""Below ``rmqops/chaos``."""

_SUFFIX = ".yml"


def names(folder: Folder) -> tuple[str, ...]:
    """Return the name of every file of a folder, without its suffix."""
    entries = resources.files("rmqops.chaos").joinpath(folder).iterdir()
    return tuple(sorted(entry.name.removesuffix(_SUFFIX) for entry in entries if entry.name.endswith(_SUFFIX)))


def text(folder: Folder, name: str) -> str:
    """Return the text of a file, by one of its :func:`names`."""
    return resources.files("rmqops.chaos").joinpath(folder, f"{name}{_SUFFIX}").read_text("utf-8")
