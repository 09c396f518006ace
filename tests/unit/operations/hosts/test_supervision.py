"""What systemd's words about a unit mean to an operator."""

from __future__ import annotations

import pytest

from rmqops.operations.hosts.facts import Facts
from rmqops.operations.hosts.supervision import complaint


@pytest.mark.parametrize(
    ("active", "sub", "restarts"),
    [("active", "running", "3"), ("inactive", "dead", "0"), ("activating", "start-post", "0")],
)
def test_what_is_well_or_was_stopped_is_no_complaint(active: str, sub: str, restarts: str) -> None:
    assert complaint(Facts(state={"ActiveState": active, "SubState": sub, "NRestarts": restarts})) is None


def test_an_instance_without_a_unit_is_no_complaint() -> None:
    assert complaint(Facts()) is None


def test_a_failed_unit_with_its_last_words() -> None:
    state = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "NRestarts": "5"}
    told = complaint(Facts(state=state, said=("no such option", "no JVM")))
    assert told == (
        "its unit has failed (exit-code) and is not started again; it said last: no such option | no JVM"
    )


@pytest.mark.parametrize(("sub", "restarts"), [("auto-restart", "0"), ("auto-restart", "2"), ("start-post", "2")])
def test_a_unit_that_is_started_again_and_again(sub: str, restarts: str) -> None:
    state = {"ActiveState": "activating", "SubState": sub, "Result": "signal", "NRestarts": restarts}
    assert complaint(Facts(state=state)) == (
        f"its unit fails (signal) and is started again and again, {restarts} times so far"
    )
