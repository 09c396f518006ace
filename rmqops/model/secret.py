"""A text that must not be seen: it prints as stars wherever it ends up."""

from __future__ import annotations

import re
from typing import Final, NoReturn

_STARS: Final = "****"
_GIVEN: Final = r"(?i)((?:password|passwd|passphrase|secret|token|accesskey|apikey)[\w.-]*[=:\s]+)(\S+)"
"""Compiled when it is first used: that takes 10 ms, and most commands never hide anything."""


def hide(text: str) -> str:
    """Return a text with stars for what follows a word such as ``password=``, for logs and diffs."""
    return re.sub(_GIVEN, rf"\1{_STARS}", text)


class Secret:
    """A password. ``str``, ``repr`` and formatting give stars; only :meth:`reveal` gives the text."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text itself; for the one place that hands it on."""
        return self.__text

    def __repr__(self) -> str:
        return _STARS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.__text

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written to a file")
