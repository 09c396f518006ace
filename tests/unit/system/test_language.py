"""The language that programs speak to us, whatever the machine speaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rmqops.errors import PreflightFailed
from rmqops.system import language


@pytest.fixture(autouse=True)
def _afresh() -> None:
    language._utf8_locale.cache_clear()


def machine(directory: Path, *locales: str) -> dict[str, str]:
    """Return the environment of a machine that has some locales."""
    program = directory / "locale"
    program.write_text("#!/bin/sh\ncat <<'.'\n" + "\n".join(locales) + "\n.\n")
    program.chmod(0o755)
    return {
        "PATH": f"{directory}:{os.environ['PATH']}",
        "LC_ALL": "de_DE",
        "LANGUAGE": "de",
        "PYTHONIOENCODING": "latin1",
    }


@pytest.mark.parametrize(
    ("locales", "chosen"),
    [
        (("C", "C.utf8", "POSIX", "de_DE.utf8"), "C.utf8"),
        (("C", "C.UTF-8"), "C.UTF-8"),
        (("C", "de_DE", "de_DE.iso88591", "fr_FR.UTF-8", "en_US.utf8"), "en_US.utf8"),
        (("C", "sr_RS.utf8@latin"), "sr_RS.utf8@latin"),
    ],
)
def test_a_locale_in_utf8_is_found(tmp_path: Path, locales: tuple[str, ...], chosen: str) -> None:
    made = language.in_english_utf8(machine(tmp_path, *locales))
    assert {name: value for name, value in made.items() if name != "PATH"} == {"LANG": "C", "LC_CTYPE": chosen}


def test_a_machine_without_one_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match="no locale in UTF-8") as caught:
        language.in_english_utf8(machine(tmp_path, "C", "POSIX", "de_DE.iso88591"))
    assert caught.value.exit_code == 4


def test_a_machine_that_cannot_list_them(tmp_path: Path) -> None:
    assert language.in_english_utf8({"PATH": str(tmp_path)})["LC_CTYPE"] == "C.UTF-8"


def test_the_encoding_stays_the_machines_own_where_that_is_wanted() -> None:
    made = language.in_english({"LC_ALL": "de_DE.iso88591", "LANGUAGE": "de", "HOME": "/h"})
    assert made == {"LC_CTYPE": "de_DE.iso88591", "LC_MESSAGES": "C", "HOME": "/h"}
