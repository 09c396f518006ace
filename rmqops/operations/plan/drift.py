"""What somebody changed behind the inventory's back: on a host, or in a running process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from rmqops.model.topology import Instance
from rmqops.operations import inventories
from rmqops.operations.hosts.facts import Facts
from rmqops.operations.plan import mastership
from rmqops.render import files

UNIT = "rocketmq.service"
"""The systemd unit's path in an instance's tree."""

_ELECTED = frozenset({"brokerRole", "brokerId"})
"""What DLedger changes by itself when it elects."""

_COMPUTED = frozenset(
    {
        "bitMapLengthConsumeQueueExt",
        "brokerIP1",
        "brokerIP2",
        "haListenPort",
        "listenPort",
        "namesrvAddr",
        "rocketmqHome",
    }
)
"""What a process fills in by itself where its file says nothing (``BrokerController``, ``BrokerStartup``)."""


def differing_files(facts: Facts, fingerprints: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the files that are missing, differ or are too many."""
    return sorted(
        path for path in {*fingerprints, *facts.files} if fingerprints.get(path) != facts.files.get(path)
    )


def everything(
    instance: Instance,
    facts: Facts,
    settings: Mapping[str, str],
    fingerprints: Mapping[str, tuple[str, str]] | None = None,
) -> list[str]:
    """Say everything that has drifted of one instance: its files and unit, its role, its process's settings.

    Args:
        instance: The instance.
        facts: What is on its host.
        settings: Every key of the process's configuration; empty where it did not answer.
        fingerprints: As in :func:`on_host`.
    """
    return [*on_host(facts, fingerprints), *of_role(instance, facts), *in_force(instance, facts, settings)]


def on_host(facts: Facts, fingerprints: Mapping[str, tuple[str, str]] | None = None) -> Iterator[str]:
    """Say what was edited on a host.

    A tree carries the name of the content that a deploy gave it, so one that was edited since is known by that,
    whatever the inventory has become in the meantime.

    Args:
        facts: What is on the host.
        fingerprints: Those of the files of its tree as the inventory has them now, to name the edited ones.
    """
    if facts.tree is None:
        return
    name = PurePosixPath(facts.tree).name
    if files.tree_name(facts.files) != name:
        edited: list[str] = []
        if fingerprints and files.tree_name(fingerprints) == name:
            edited = differing_files(facts, fingerprints)
        yield f"files were edited on the host{': ' if edited else ''}{', '.join(edited)}"
    deployed = facts.files.get(UNIT)
    if facts.unit is not None and deployed is not None and facts.unit != deployed[1]:
        yield "its systemd unit was edited on the host"
    for override in facts.overrides:
        yield f"its systemd unit is overridden by {override}"


def of_role(instance: Instance, facts: Facts) -> Iterator[str]:
    """Say that a member without elections has another role than the inventory says, as a promotion leaves it."""
    if text := mastership.difference(instance, facts):
        yield text


def in_force(instance: Instance, facts: Facts, settings: Mapping[str, str]) -> Iterator[str]:
    """Say what a process runs with and its file does not say, as ``mqadmin updateBrokerConfig`` leaves it.

    Args:
        instance: The instance.
        facts: What is on its host.
        settings: Every key of the process's configuration.
    """
    keys = inventories.reference().config_keys[instance.text("rocketmq_version")][instance.kind]
    for key, value in sorted(settings.items()):
        if key in _ELECTED and instance.variables["rocketmq_mode"] == "dledger":
            continue
        known = keys.get(key)
        default = None if known is None or key in _COMPUTED else known.default
        expected = facts.settings.get(key, default)
        if expected is not None and expected != value:
            origin = "its file says" if key in facts.settings else "the default is"
            yield f"runs with {key}={value}, {origin} {expected}"
