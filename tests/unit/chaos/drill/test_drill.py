"""Drills as files: what ships is good, and a slip of the pen is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rmqops.chaos import drill, faults
from rmqops.chaos.load import settings
from rmqops.errors import UsageError

GOOD = {
    "name": "trial",
    "description": "a trial",
    "proves": ["something"],
    "does_not_prove": ["anything else"],
    "phases": [{"strikes": [{"fault": "kill", "target": "master"}]}],
}


def struck(**strike: object) -> list[dict[str, Any]]:
    return [{"strikes": [{"fault": "kill", "target": "master", **strike}]}]


def parse(**changes: object) -> drill.Drill:
    return drill.parse(yaml.safe_dump({**GOOD, **changes}), "trial.yml")


def test_every_drill_that_ships_can_be_run() -> None:
    assert "kill-master" in drill.names()
    for name in drill.names():
        found = drill.find(name)
        assert found.name == name
        assert found.proves
        assert found.does_not_prove
        assert all(faults.find(strike.fault).SUMMARY for strike in found.strikes)
        assert drill.parse(found.yaml(), "again.yml") == found


@pytest.mark.parametrize("name", drill.names())
def test_who_has_to_be_dead_for_the_drill_to_be_true_stays_dead(name: str) -> None:
    """systemd starts a killed process again after 5 s, and then service may be back before the heal."""
    for phase in drill.find(name).phases:
        if phase.expects in {"standstill", "reads"}:
            assert all(strike.options.get("stay") for strike in phase.strikes if strike.fault == "kill")


def test_what_is_not_said_has_its_default() -> None:
    assert parse(load={"rate": 5.5}).load == settings.Load(rate=5.5)


def test_settings_of_the_official_client_have_its_own_names() -> None:
    found = parse(load={"driver": "java", "client": {"pollNameServerInterval": 500}})
    assert found.load.client == settings.JavaClient(poll=500)
    assert found.document()["load"] == {"driver": "java", "client": {"pollNameServerInterval": 500}}
    assert drill.parse(found.yaml(), "again.yml") == found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"descripton": "x"}, "descripton is not known"),
        ({"phases": struck(fault="explode")}, "no fault 'explode'"),
        ({"phases": struck(target="")}, "phases.0.strikes.0.target is ''"),
        ({"phases": struck(**{"with": {"percent": 5}})}, "kill has no option 'percent'"),
        ({"phases": struck(fault="loss", **{"with": {"percent": 500}})}, "percent is 500"),
        ({"phases": struck(fault="loss", **{"with": {"direction": "up"}})}, "direction is 'up'"),
        ({"phases": struck(fault="loss", **{"with": {"percent": [5]}})}, "with.percent"),
        ({"phases": []}, "phases is"),
        ({"phases": [{"strikes": [], "expects": "service"}]}, "strikes is"),
        ({"phases": [{**struck()[0], "expects": "wonders"}]}, "expects is 'wonders'"),
        ({"schedule": {"pause": [5, 2]}}, "pause must not end before it begins"),
        ({"schedule": {"order": "any"}}, "schedule.order is 'any'"),
        ({"abort": {"failed": -1}}, "abort.failed is -1"),
        ({"name": "../up"}, "name is"),
        ({"proves": "x"}, "proves is 'x'"),
        ({"allows": ["everything"]}, "everything"),
        ({"load": {"rates": 5}}, "rates is not known"),
        ({"load": {"producers": 1.5}}, "producers is 1.5"),
        ({"load": {"producers": True}}, "producers is True"),
        ({"load": {"producers": 0}}, "producers is 0"),
        ({"load": {"rate": -1}}, "rate is -1"),
        ({"load": {"size": 8}}, "size is 8"),
        ({"load": {"driver": "c++"}}, "driver is 'c"),
        ({"load": {"choice": "any"}}, "choice is 'any'"),
        (
            {"load": {"driver": "java", "client": {"pollNameserverInterval": 5}}},
            "pollNameserverInterval is not known",
        ),
        ({"load": {"driver": "java", "client": {"sendMsgTimeout": 1.5}}}, "client.sendMsgTimeout is 1.5"),
        ({"load": {"client": {"pollNameServerInterval": 500}}}, "say driver: java"),
        ({"load": {"driver": "java", "where": "here"}}, "load.where is 'here'"),
        ({"phases": struck(fault="pause", target="producer")}, "pause cannot strike a producer"),
        (
            {"phases": struck(target="producer", **{"with": {"stay": 1}})},
            "takes no options where it strikes a producer",
        ),
        ({"phases": struck(target="producer-3")}, "no producer-3: the load has 2"),
        ({"phases": struck(target="consumer-0")}, "no consumer-0: the load has 1"),
        ({"phases": struck(target="producer"), "load": {"producers": 1}}, "must go on sending"),
        (
            {"phases": [{"strikes": [*struck(target="consumer")[0]["strikes"]] * 2}]},
            "kills 2 of the load's 1 consumers",
        ),
        ({"times": {"before": -1}}, "before is -1"),
        ({"times": {"hold": 30, "deadline": 35}}, "deadline of 35 s"),
        ({"times": []}, r"times is \[\]"),
    ],
)
def test_a_drill_that_is_wrong_is_refused_with_its_key(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse(**changes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "not YAML"),
        ("- a", "not a mapping"),
        ("name: x", "is missing"),
        ("name: x\nphases: []\nphases: []", "trial.yml:3: phases stands twice in one mapping .first in line 2."),
        ("times:\n  hold: 1\n  hold: 2", "trial.yml:3: hold stands twice"),
        ("phases:\n  - strikes: [{fault: kill, fault: pause}]", "trial.yml:2: fault stands twice"),
        ("phases:\n  - strikes: []\n    hold: 5\n    hold: 60", "trial.yml:4: hold stands twice"),
        ("name: !vault x", "trial.yml:1: name has a tag"),
        ("phases: [{strikes: !mine x}]", "trial.yml:1: phases has a tag"),
        ("a: &a [*a]", "alias"),
        (f"a: {'[' * 60}", "levels deep"),
    ],
)
def test_a_file_that_is_no_drill_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        drill.parse(text, "trial.yml")


def test_an_unknown_drill_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match="kill-master"):
        drill.find("kill-everybody")


MIXED = """
name: mixed
description: a trial
proves: [a]
does_not_prove: [b]
phases:
  - strikes: [{fault: kill, target: master}]
  - strikes:
      - {fault: pause, target: slave}
      - {fault: loss, target: master, with: {percent: 30, peers: clients}}
    expects: anything
    hold: 3
schedule: {rounds: 4, order: ORDER, pause: [1, 9]}
"""


@pytest.mark.parametrize(("order", "count"), [("given", 8), ("shuffled", 8), ("random", 4)])
def test_the_same_seed_gives_the_same_schedule(order: str, count: int) -> None:
    found = drill.parse(MIXED.replace("ORDER", order), "mixed.yml")
    steps = drill.scheduled(found, 7)
    assert steps == drill.scheduled(found, 7)
    assert [step.number for step in steps] == list(range(1, count + 1))
    assert steps[0].pause == 0
    assert all(1 <= step.pause <= 9 for step in steps[1:])
    assert steps != drill.scheduled(found, 8)
    if order == "given":
        assert [step.phase for step in steps] == [*found.phases] * 4
    if order == "shuffled":
        rounds = [steps[n : n + 2] for n in range(0, 8, 2)]
        assert all({step.phase.expects for step in one} == {"anything", "service"} for one in rounds)


def test_every_problem_of_a_drill_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse(load={"rate": -1, "size": 1}, times={"hold": -1})
    told = f"{caught.value.message}\n{caught.value.detail}"
    assert all(key in told for key in ("load.rate", "load.size", "times.hold"))


def test_a_drill_may_be_changed_and_is_read_as_strictly() -> None:
    found = parse()
    assert found.changed(load=settings.Load(rate=5)).load.rate == 5
    with pytest.raises(UsageError, match="rate is -5"):
        found.changed(load=found.load.model_copy(update={"rate": -5}))


def test_the_schema_knows_every_fault_and_its_options() -> None:
    schema = drill.schema()
    strike = schema["$defs"]["Strike"]
    assert strike["properties"]["fault"]["enum"] == list(faults.kinds())
    options = {
        one["if"]["properties"]["fault"]["const"]: one["then"]["properties"]["with"]["properties"]
        for one in strike["allOf"]
    }
    assert options["loss"]["percent"]["maximum"] == 100
    assert options["terminate"] == {}
    assert options["kill"]["stay"]["maximum"] == 1


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), (b"\xff\xfe", "not UTF-8"), (b"#" * (2 << 20), "larger than")]
)
def test_a_file_of_ones_own_that_cannot_be_read(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=told):
        drill.find(str(path))
