"""Drills as files: what ships is good, and a slip of the pen is refused."""

from __future__ import annotations

import pytest
import yaml

from rmqops.chaos import drill, faults
from rmqops.errors import UsageError

GOOD = {
    "name": "trial",
    "description": "a trial",
    "proves": ["something"],
    "does_not_prove": ["anything else"],
    "fault": "kill",
    "target": "master",
}


def parse(**changes: object) -> drill.Drill:
    return drill.parse(yaml.safe_dump({**GOOD, **changes}), "trial.yml")


def test_every_drill_that_ships_can_be_run() -> None:
    assert "kill-master" in drill.names()
    for name in drill.names():
        found = drill.find(name)
        assert found.name == name
        assert found.proves
        assert found.does_not_prove
        assert faults.find(found.fault).SUMMARY


def test_what_is_not_said_has_its_default() -> None:
    assert parse(load={"rate": 5.5}).load == drill.Load(rate=5.5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"descripton": "x"}, "descripton is not known"),
        ({"fault": "explode"}, "no fault 'explode'"),
        ({"target": ""}, "target is ''"),
        ({"proves": "x"}, "proves is 'x'"),
        ({"allows": ["everything"]}, "everything"),
        ({"load": {"rates": 5}}, "rates is not known"),
        ({"load": {"producers": 1.5}}, "producers is 1.5"),
        ({"load": {"producers": True}}, "producers is True"),
        ({"load": {"producers": 0}}, "needs producers"),
        ({"load": {"rate": 0}}, "a rate of 0"),
        ({"load": {"size": 8}}, "bodies of 8 bytes"),
        ({"times": {"before": -1}}, "before must not be negative"),
        ({"times": {"hold": 30, "deadline": 35}}, "a deadline of 35 s"),
        ({"times": []}, "not a mapping"),
    ],
)
def test_a_drill_that_is_wrong_is_refused_with_its_key(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse(**changes)


@pytest.mark.parametrize(
    ("text", "told"), [("a: [", "not YAML"), ("- a", "not a mapping"), ("name: x", "is missing")]
)
def test_a_file_that_is_no_drill_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        drill.parse(text, "trial.yml")


def test_an_unknown_drill_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match="kill-master"):
        drill.find("kill-everybody")
