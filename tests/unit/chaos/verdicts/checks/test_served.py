"""Which member gave consumers their messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmqops.chaos.history.format import DRAIN
from rmqops.chaos.verdicts.bounds import Bounds
from rmqops.chaos.verdicts.verdict import CheckResult, Verdict
from rmqops.model.history import Event
from tests.unit.chaos.verdicts.checks.recorded import judge

MASTER, SLAVE = "10.0.0.1:1", "10.0.0.2:1"


def judged(directory: Path, given: list[tuple[str, str, str]], *, from_slaves: int = 1) -> CheckResult | None:
    """Judge a history in which consumers were given messages: who, by which address, as what."""
    events = [
        Event(float(offset), name, "receive", "ok", "drill", "a", 0, offset, f"p-{offset}", None, address,
              {"from": source})
        for offset, (name, address, source) in enumerate(given)
    ]  # fmt: skip
    drains = [
        Event(99.0, f"{DRAIN}{name}", "receive", "invoke", "drill", "a", 0, 0, address=address)
        for name, address in (("a-0", MASTER), ("a-1", SLAVE))
    ]
    return judge([*events, *drains], directory, Bounds(from_slaves=from_slaves)).get("served")


BY_MASTER, BY_SLAVE = ("consumer-1", MASTER, "master"), ("consumer-2", SLAVE, "slave")


def test_each_member_is_told_with_what_it_gave_as_what_it_was_asked(tmp_path: Path) -> None:
    found = judged(tmp_path, [BY_MASTER, BY_SLAVE, BY_SLAVE, ("consumer-2", SLAVE, "master")])
    assert found is not None
    assert (found.verdict, found.summary) == (Verdict.PASS, "2 messages from slaves, 2 from masters")
    assert found.numbers == {
        "from_slaves": 2, "from_masters": 2, "a-0.as_master": 1, "a-1.as_master": 1, "a-1.as_slave": 2
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "from_slaves"),
    [([BY_MASTER], 1), ([BY_MASTER, BY_SLAVE], 2), ([BY_SLAVE, ("consumer-2-2", SLAVE, "master")], 2), ([], 1)],
)
def test_a_consumer_that_no_slave_gave_anything_is_a_fail(
    tmp_path: Path, given: list[tuple[str, str, str]], from_slaves: int
) -> None:
    found = judged(tmp_path, given, from_slaves=from_slaves)
    assert found is not None
    assert found.verdict is Verdict.FAIL


def test_a_drill_without_such_consumers_is_not_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, [BY_MASTER], from_slaves=0) is None
