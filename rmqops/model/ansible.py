"""What Ansible understands by a value. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_REFUSAL: Final = re.compile(r"\s*(?:\[ERROR\]:|ERROR!?:?) *(.*)")
_ENDED: Final = re.compile(r"\s*(?:Traceback |\[WARNING\]|\[DEPRECATION WARNING\]|\[ERROR\]:|ERROR!?:? )")
_LINES: Final = 12
_TRUE = frozenset({"y", "yes", "on", "1", "true", "t", "1.0"})
"""``BOOLEANS_TRUE`` of ``ansible.module_utils.parsing.convert_bool``."""


def truthy(value: object) -> bool:
    """Tell whether Ansible takes a value as true; nothing and unknown words are false."""
    return str(value).lower().strip() in _TRUE


def complaint(output: str) -> str:
    """Return what Ansible itself says it cannot do; empty when it says nothing of the kind.

    Its programs write ``ERROR: …``, ``ERROR! …`` or ``[ERROR]: …``, then lines that belong to that (``Origin: …``
    and the place in the file), then, at times, Python's own account, which is left out.

    Args:
        output: What a program of Ansible's wrote to standard error, or all that it wrote.
    """
    return "\n".join(_told(output.splitlines())).strip()


def _told(lines: list[str]) -> Iterator[str]:
    start = next((number for number, line in enumerate(lines) if _REFUSAL.match(line)), None)
    if start is None:
        return
    first = _REFUSAL.match(lines[start])
    yield first[1] if first else ""
    for line in lines[start + 1 : start + _LINES]:
        if _ENDED.match(line):
            return
        yield line.rstrip()


def is_whole(text: str) -> bool:
    """Tell whether a text is a whole number of at most 18 digits, and so one that needs no care."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 18


def is_number(value: object) -> bool:
    """Tell whether a value is a whole number, or a text that a template writes as it writes that number."""
    if isinstance(value, str):
        return is_whole(value) and str(int(value)) == value
    return isinstance(value, int) and not isinstance(value, bool) and is_whole(str(value))
