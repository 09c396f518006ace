"""The inventory that ``lab up`` writes: its own file, known by a digest in its first lines.

An inventory that somebody has edited is theirs: it is neither overwritten nor removed.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from rmqops.system.files import write_whole

_HEADER: Final = (
    "# Written by `rmqops lab up` for lab {name}; `rmqops lab down` removes it unless it was edited.\n"
)
_DIGEST: Final = "# sha256 of what follows: {digest}\n"
_SHAPE: Final = re.compile(
    r"# Written by `rmqops lab up` for lab (?P<name>[a-z0-9-]+);[^\n]*\n"
    r"# sha256 of what follows: (?P<digest>[0-9a-f]{64})\n(?P<body>.*)",
    re.DOTALL,
)


def place(name: str, directory: Path) -> Path:
    """Return where the inventory of a lab belongs, from the directory that a user works in."""
    return directory.absolute() / "inventory" / name / "hosts.yml"


def sealed(name: str, body: str) -> str:
    """Return the text of the file."""
    return _HEADER.format(name=name) + _DIGEST.format(digest=_digest(body)) + body


def ours(name: str, text: str) -> bool:
    """Tell whether a text is what ``lab up`` has written for this lab, to the byte."""
    match = _SHAPE.fullmatch(text)
    return match is not None and match["name"] == name and match["digest"] == _digest(match["body"])


def write(name: str, path: Path, body: str) -> Literal["written", "same", "kept"]:
    """Write the inventory; ``kept`` is somebody else's, or was edited."""
    text = sealed(name, body)
    present = _read(path)
    if present == text:
        return "same"
    if present is not None and not ours(name, present):
        return "kept"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return "written"


def remove(name: str, path: Path) -> Literal["removed", "absent", "kept"]:
    """Remove the inventory, and its directories where nothing else is in them."""
    present = _read(path)
    if present is None:
        return "absent"
    if not ours(name, present):
        return "kept"
    path.unlink()
    with suppress(OSError):
        path.parent.rmdir()
        path.parent.parent.rmdir()
    return "removed"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
