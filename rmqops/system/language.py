"""The language that programs speak to us."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Final

from rmqops.errors import PreflightFailed

_PREFERRED: Final = ("c.utf8", "en_us.utf8")
_UTF8: Final = re.compile(r"\.utf-?8(?:@|$)", re.IGNORECASE)
_DECIDING: Final = re.compile(r"LC_\w+|LANG|LANGUAGE|PYTHONIOENCODING|PYTHONUTF8")
"""What decides the language or the encoding of a program in Python, whether it is there or not."""


def in_english(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a program's messages are untranslated, so that they can be read by us.

    The encoding stays the machine's own, because file names are in it: ``LC_ALL`` would decide that as well, so
    its value goes to ``LC_CTYPE``.
    """
    english = {name: value for name, value in environ.items() if name not in ("LC_ALL", "LANGUAGE")}
    if environ.get("LC_ALL"):
        english["LC_CTYPE"] = environ["LC_ALL"]
    english["LC_MESSAGES"] = "C"
    return english


def in_english_utf8(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a program that takes no encoding but UTF-8, and no locale that is not there.

    That is Ansible. Every category counts for it, so none is passed on.

    Raises:
        PreflightFailed: this machine has no locale in UTF-8.
    """
    locale = _utf8_locale(environ.get("PATH"), environ.get("LOCPATH"))
    if locale is None:
        raise PreflightFailed(
            "this machine has no locale in UTF-8, and Ansible runs in no other",
            detail="locale -a lists none",
            remedy="install one, such as C.UTF-8, which comes with the C library (Debian: libc-bin; RHEL: "
            "glibc-common), or one by localedef",
        )
    kept = {name: value for name, value in environ.items() if not _DECIDING.fullmatch(name)}
    return {**kept, "LANG": "C", "LC_CTYPE": locale}


@cache
def _utf8_locale(path: str | None, locales: str | None) -> str | None:
    """Return the name of a UTF-8 locale of this machine; None where it has none."""
    environment = {"PATH": path or os.defpath, "LC_ALL": "C", **({"LOCPATH": locales} if locales else {})}
    try:
        listed = subprocess.run(
            ["locale", "-a"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError:
        return "C.UTF-8"  # musl has no such program, and always this locale
    lines = listed.stdout.decode("utf-8", "replace").split()
    names = {name.replace("-", "").lower(): name for name in lines if _UTF8.search(name)}
    return next((names[name] for name in (*_PREFERRED, *sorted(names)) if name in names), None)
