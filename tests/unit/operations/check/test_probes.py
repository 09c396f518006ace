"""Each probe by the cases in probes.yml: what a machine answers, and what the probe must make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from rmqops.model.variables import HostVariables
from rmqops.operations.check import probes
from rmqops.operations.check.probes import Finding, Survey
from rmqops.operations.hosts import sections
from rmqops.operations.hosts.directories import Directory
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.operations.hosts.sections import Answer
from rmqops.transport.local import LocalTransport
from tests.unit.model.conftest import edited, load

PROBES = probes.discover()


@dataclass(frozen=True)
class Case:
    probe: str
    case: str
    base: str = "fleet"
    set: Mapping[str, Any] = field(default_factory=dict)
    at: str = "ns1"
    output: str = ""
    code: int = 0
    outputs: Sequence[str] | None = None
    asks: int = 1
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clocks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    ok: int = 0
    says: Sequence[str] = ()
    mend: str | None = None

    def __str__(self) -> str:
        return f"{self.probe}: {self.case}"

    @property
    def machines(self) -> tuple[Machine, ...]:
        return machines(load(edited(self.base, dict(self.set)))[0].instances)

    def machine(self, instance: str) -> Machine:
        return next(item for item in self.machines if instance in [one.name for one in item.instances])

    @property
    def own(self) -> tuple[Answer, ...]:
        texts = [self.output] if self.outputs is None else self.outputs
        return tuple(Answer(self.code, text) for text in texts)

    @property
    def survey(self) -> Survey:
        return Survey(
            machines=self.machines,
            facts={
                name: Facts(
                    **{
                        **told,
                        "listening": frozenset(told.get("listening", ())),
                        "directories": {
                            part: Directory(**of_it) for part, of_it in told.get("directories", {}).items()
                        },
                    }
                )
                for name, told in self.facts.items()
            },
            clocks={self.machine(name).name: (low, high) for name, (low, high) in self.clocks.items()},
            answers={
                probe: {
                    self.machine(name).name: tuple(Answer(0, text) for text in texts)
                    for name, texts in answers.items()
                }
                for probe, answers in {self.probe: self.answers, **self.others}.items()
            },
            architecture="x86_64",
            token="T",
        )


_TABLE = yaml.safe_load(Path(__file__).with_name("probes.yml").read_text("utf-8"))
CASES = [Case(probe=probe, **case) for probe, cases in _TABLE.items() for case in cases]


def matches(wanted: str, finding: Finding) -> bool:
    """Tell whether a finding has the severity and, anywhere in it, every word of the case in order."""
    severity, _, text = wanted.partition(": ")
    told = f"{finding.subject} {finding.found} {finding.wanted} {finding.remedy}"
    place = 0
    for word in text.split():
        place = told.find(word, place)
        if place < 0:
            return False
    return severity == finding.severity


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_an_answer_means(case: Case) -> None:
    found = list(PROBES[case.probe].judge(case.machine(case.at), case.own, case.survey))
    bad = [finding for finding in found if finding.severity != "ok"]
    assert len(bad) == len(case.says), found
    for wanted, finding in zip(case.says, bad, strict=True):
        assert matches(wanted, finding), (wanted, finding)
    assert len(found) - len(bad) == case.ok, found
    assert all(finding.remedy for finding in bad)
    assert all(finding.found and finding.wanted for finding in found)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_would_mend_it(case: Case) -> None:
    offer = probes.mend(PROBES[case.probe], case.machine(case.at), case.own, case.survey)
    if case.mend is None:
        assert offer is None
    else:
        assert offer is not None
        assert case.mend in offer.summary


@pytest.mark.parametrize("case", CASES, ids=str)
def test_how_many_questions_it_asks(case: Case) -> None:
    asked = list(probes.rounds(PROBES[case.probe])[0](case.machine(case.at), case.survey))
    assert len(asked) == (0 if case.probe in {"connections", "ports"} else case.asks)


def test_every_probe_has_cases_good_and_bad() -> None:
    for name in PROBES:
        mine = [case for case in CASES if case.probe == name]
        assert any(case.ok for case in mine), name
        assert any(case.says for case in mine), name
    assert {case.probe for case in CASES} == set(PROBES)


@pytest.mark.parametrize("supervisor", ["detached", "systemd"])
@pytest.mark.parametrize("name", sorted(PROBES))
def test_its_questions_are_understood_by_a_real_machine(name: str, supervisor: str, tmp_path: Path) -> None:
    """Every script runs under /bin/sh here, prints what its probe can read, and leaves nothing."""
    edits = {"vars.rocketmq_base_dir": str(tmp_path / "srv"), "vars.rocketmq_supervisor": "detached"}
    (here,) = machines(load(edited("laptop", edits))[0].instances)
    kept: dict[str, Any] = {
        "rocketmq_supervisor": supervisor
    }  # units are refused in a directory for temporary files
    machine = replace(
        here,
        instances=tuple(
            replace(item, variables=cast("HostVariables", item.variables).overlaid(kept))
            for item in here.instances
        ),
    )
    survey = Survey(
        machines=(machine,), facts={item.name: Facts() for item in machine.instances}, python="python3"
    )
    commands = list(PROBES[name].ask(machine, survey))
    done = LocalTransport().run(sections.joined(commands, 60))
    answers = sections.answers(done.stdout, len(commands))
    assert sections.NEVER not in answers
    found = list(PROBES[name].judge(machine, answers, survey))
    assert "unknown" not in {finding.severity for finding in found if name != "connections"}, (found, answers)
    assert list(tmp_path.iterdir()) == []


def test_every_probe_is_in_the_docs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "check.md").read_text("utf-8")
    assert [name for name in PROBES if f"\n| `{name}` |" not in page] == []
