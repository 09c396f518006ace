"""What is said of releases whose known holes are open."""

from __future__ import annotations

from rmqops.model.topology import Topology
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import running_releases
from rmqops.source.patching import PatchSet, chosen
from tests.unit.model.conftest import BASES, load


def test_a_release_is_known_by_the_word_that_a_build_puts_into_its_name() -> None:
    hardened = chosen("4.5.2")
    some = PatchSet("4.5.2", hardened.patches[:1])
    labels = [hardened.label, some.label, PatchSet("4.5.2").label]
    names = ["-".join(filter(None, ("rocketmq-4.5.2", label, "0123456789abcdef"))) for label in labels]
    said = [running_releases.lacking(name) for name in names]
    assert said == ["", "without some of the patches", "as it was published"]


def warned(topology: Topology, running: dict[str, str], reached: list[str]) -> str:
    facts = {item.name: Facts(on=running.get(item.name)) for item in topology.instances}
    return running_releases.warning(topology, facts, reached)


def test_one_sentence_names_what_runs_unpatched_and_what_was_reached() -> None:
    topology, _ = load(BASES["fleet"])
    names = [item.name for item in topology.instances]
    assert warned(topology, {}, names) == ""
    assert warned(topology, dict.fromkeys(names, "rocketmq-4.5.2-hardened-ab"), names) == ""
    said = warned(topology, {"ns1": "rocketmq-4.5.2-ab", "a0": "rocketmq-4.5.2-patched-cd"}, ["ns1", "a1"])
    assert "ns1: rocketmq-4.5.2-ab, as it was published; a0: rocketmq-4.5.2-patched-cd, without some" in said
    assert f"this machine reaches {topology.instance('ns1').address}. " in said
    assert "reached none of them" in warned(topology, {"ns1": "rocketmq-4.5.2-ab"}, [])


def test_processes_of_another_release_than_the_wanted_one_are_named_by_it() -> None:
    topology, _ = load(BASES["fleet"])
    assert running_releases.version("rocketmq-5.0.0-ALPHA-hardened-0123456789abcdef") == "5.0.0-ALPHA"
    assert running_releases.version("by-hand") == "by-hand"
    facts = {item.name: Facts(on="rocketmq-4.5.2-0123456789abcdef") for item in topology.instances}
    assert running_releases.pending(topology, facts) == ""
    facts |= {"a0": Facts(on="rocketmq-4.5.1-patched-0123456789abcdef"), "a1": Facts()}
    assert running_releases.pending(topology, facts).endswith("(rmqops plan): a0: 4.5.1")
