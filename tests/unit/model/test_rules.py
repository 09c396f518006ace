"""Each rule by the cases in rules.yml: what is changed in a good inventory, and what must then be said."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from rmqops.errors import Problem
from rmqops.model import rules, validation
from rmqops.operations import inventories
from tests.support import plain_inventory
from tests.unit.model.conftest import BASES, REMOVED, edited, load, problems

RESOLUTION = "resolution"
"""Cases of what the loader itself says of templates."""


@dataclass(frozen=True)
class Case:
    rule: str
    case: str
    says: str
    base: str = "fleet"
    set: Mapping[str, Any] | None = None
    remove: tuple[str, ...] = ()
    host: str | None = None
    key: str | None = None
    severity: Literal["error", "warning", "placeholder"] = "error"
    memory: Mapping[str, int] | None = None
    replace: tuple[str, str] = ("", "")
    """A part of the text, and what stands there instead: YAML that no value is written as."""

    @property
    def text(self) -> str:
        text = edited(self.base, {**(self.set or {}), **dict.fromkeys(self.remove, REMOVED)})
        return text.replace(*self.replace) if self.replace[0] else text

    def matches(self, problem: Problem) -> bool:
        return (
            problem.severity == self.severity
            and problem.key == self.key
            and self.says in f"{problem.message} {problem.remedy}"
        )

    def __str__(self) -> str:
        return f"{self.rule}: {self.case}"


_TABLE = yaml.safe_load(Path(__file__).with_name("rules.yml").read_text("utf-8"))
CASES = [Case(rule=rule, **case) for rule, cases in _TABLE.items() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_wrong_is_said_once_and_with_little_else(case: Case) -> None:
    said = problems(case.text, memory=case.memory)
    matching = [problem for problem in said if case.matches(problem)]
    assert matching, f"said only: {[str(problem) for problem in said]}"
    assert case.host is None or [problem.host for problem in matching] == [case.host]
    assert all(problem.file.startswith(("hosts.yml:", "inv")) and problem.remedy for problem in matching)
    others = {(problem.key, problem.message) for problem in said if problem.severity == "error"}
    assert len(others) <= 4, others


@pytest.mark.parametrize("case", [case for case in CASES if case.rule != RESOLUTION], ids=str)
def test_its_own_rule_says_it(case: Case) -> None:
    raw = plain_inventory.parsed({"hosts.yml": case.text})
    resolved, _ = validation.resolve_cluster(raw, inventories.reference(), {}, case.memory or {})
    rule = importlib.import_module(f"{rules.__name__}.{case.rule}")
    said = list(rule.check(resolved))
    strict = case.severity == "error" and case.set is not None and "vars.rocketmq_strict" in case.set
    assert any(case.matches(problem) or strict for problem in said), said


def test_every_rule_has_cases() -> None:
    assert {case.rule for case in CASES} - {RESOLUTION} == {
        item.name for item in pkgutil.iter_modules(rules.__path__)
    }


@pytest.mark.parametrize("base", BASES)
def test_a_good_inventory_is_good(base: str) -> None:
    topology, said = load(BASES[base])
    assert topology.cluster == "test"
    assert [problem.severity for problem in said] == (["warning"] if base == "laptop" else [])


@pytest.mark.parametrize(
    "edits",
    [
        {"lone.vars.rocketmq_config": {"fileReservedTime": "48", "deleteWhen": 4, "traceTopicEnable": "true"}},
        {"lone.vars.rocketmq_config": {"haTransferBatchSize": 32768, "flushDiskType": "SYNC_FLUSH"}},
        {"alpha.hosts.a0.rocketmq_listen_port": "10911"},
        {"alpha.hosts.a0.rocketmq_jvm_options": ["-XX:+UseG1GC", "8:-XX:+PrintGC", "9-:-Xlog:gc", "-Dx=a b"]},
        {"lone.vars.rocketmq_config": {"highSpeedMode": False, "diskMaxUsedSpaceRatio": 80}},
        {"alpha.vars": {"rocketmq_config": {"messageDelayLevel": "1s 5s"}}},
        {"pair.vars.rocketmq_config": {"transientStorePoolEnable": True, "transientStorePoolSize": 3}},
        {"vars.rocketmq_jvm_options": ["8:-XX:+UseConcMarkSweepGC", "8:-XX:+UseParNewGC", "9-:-XX:+UseZGC"]},
        {
            "vars.rocketmq_jvm_options": [
                "-XX:+UseParallelGC",
                "-XX:+UseParallelOldGC",
                "-Dtls.server.mode=disabled",
            ]
        },
        {"vars.rocketmq_jvm_options": ["-Xlog:safepoint:file={{ rocketmq_log_dir }}/safepoint.log:time"]},
        {"vars.rocketmq_data_dir": "/data"},
        {"vars.ansible_become_password": "secret", "vars.site": {"a": [1, 2.5, None]}},
        {"vars.rocketmq_supervisor": "detached", "vars.rocketmq_base_dir": "/opt/with space"},
        {"pair.hosts.p0.ansible_port": 2222},
        {"vars.rocketmq_patches": {"with": ["late-unregister"]}},
        {"vars.rocketmq_version": "4.5.1", "lone.vars.rocketmq_config": {"mapedFileSizeCommitLog": 67108864}},
    ],
)
def test_what_is_right_is_not_complained_of(edits: dict[str, Any]) -> None:
    assert problems(edited("fleet", edits)) == ()


def test_hosts_that_are_nobodys() -> None:
    spare = {"children.clients": {"hosts": {"c1": {"ansible_host": "10.9.9.9"}}}}
    topology, said = load(edited("fleet", spare))
    assert said == ()
    assert [(one.name, one.machine, one.text("rocketmq_java")) for one in topology.clients] == [
        ("c1", "10.9.9.9", "system")
    ]
    assert "c1" not in {instance.name for instance in topology.instances}
    [problem] = problems(edited("fleet", {"children.others": spare["children.clients"]}))
    assert (problem.key, problem.severity) == ("c1", "warning")


def test_containers_behind_one_address_are_machines_of_their_own() -> None:
    edits = {
        f"alpha.hosts.a{n}.{key}": value
        for n in range(3)
        for key, value in {
            "ansible_host": "10.0.1.0",
            "ansible_port": 2200 + n,
            "rocketmq_address": f"10.5.0.{n + 1}",
        }.items()
    }
    assert problems(edited("fleet", edits)) == ()


def test_the_usual_ssh_port_makes_no_other_machine() -> None:
    text = edited("fleet", {"pair.hosts.p1.ansible_host": "10.0.2.0", "pair.hosts.p1.ansible_port": 22})
    assert any("on the same machine" in problem.message for problem in problems(text))


def test_a_collision_names_both_sides() -> None:
    text = edited("laptop", {"alpha.hosts.a1.rocketmq_dledger_port": 40910})
    [problem] = [problem for problem in problems(text) if problem.severity == "error"]
    assert "40910" in text.splitlines()[int(problem.file.split(":")[1]) - 1]
    assert problem.host == "a1"
    assert "a0 (hosts.yml:" in problem.message


def test_memory_of_a_machine_that_is_not_known_is_not_judged() -> None:
    assert problems(edited("fleet", {"vars.rocketmq_heap": "900g"}), memory={"localhost": 1 << 30}) == ()


def test_all_problems_at_once() -> None:
    edits = {
        "vars.rocketmq_version": "4.4.0",
        "vars.rocketmq_haep": "1g",
        "alpha.hosts.a0.rocketmq_address": "127.0.0.1",
        "alpha.hosts.a1.rocketmq_dledger_id": "n0",
        "pair.hosts.p0.rocketmq_heap": "{{ nix }}",
    }
    keys = {problem.key for problem in problems(edited("fleet", edits))}
    assert keys == {
        "rocketmq_version",
        "rocketmq_haep",
        "rocketmq_address",
        "rocketmq_dledger_id",
        "rocketmq_heap",
    }
