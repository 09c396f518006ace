"""Why Maven failed, from what it really says; ``tests/e2e/test_maven.py`` hears it from a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.source.maven_failures import REASONS, failure

CASES = yaml.safe_load(Path(__file__).with_name("maven_outputs.yml").read_text())
ADVICE = ("To see the full stack trace", "Re-run Maven", "[Help ", "For more information", "\x1b")


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_the_reason_is_shown_and_what_to_do(case: dict[str, Any]) -> None:
    lines = case["output"].replace("ESC", "\x1b").splitlines()
    error = failure(case.get("code", 1), lines, Path("/the/log"), case.get("offline", False))
    assert case["message"] in error.message
    assert "/the/log" in error.message
    assert case["remedy"] in str(error.remedy)
    assert str(error.detail).startswith(case["first"])
    assert not any(advice in str(error.detail) for advice in ADVICE)


def test_another_jdk_is_advised_only_where_the_source_does_not_compile() -> None:
    assert [reason.what for reason in REASONS if "another JDK" in reason.remedy] == [
        "could not compile the source"
    ]


def test_every_reason_has_been_seen() -> None:
    """But those that this machine cannot be brought to: an address without encryption that is not its own."""
    said = [
        failure(case.get("code", 1), case["output"].splitlines(), Path("/log"), False).message for case in CASES
    ]
    unseen = [reason.what for reason in REASONS if not any(reason.what in message for message in said)]
    assert unseen == ["refuses a repository without encryption"]
