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


def differing_files(found: Facts, wanted: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the files that are missing, differ or are too many."""
    return sorted(path for path in {*wanted, *found.files} if wanted.get(path) != found.files.get(path))


def on_host(found: Facts, wanted: Mapping[str, tuple[str, str]] | None = None) -> Iterator[str]:
    """Say what was edited on a host.

    A tree carries the name of the content that a deploy gave it, so one that was edited since is known by that,
    whatever the inventory has become in the meantime.

    Args:
        found: What is on the host.
        wanted: Fingerprints of the files of its tree as the inventory has them now, to name the edited ones.
    """
    if found.tree is None:
        return
    name = PurePosixPath(found.tree).name
    if files.tree_name(found.files) != name:
        edited: list[str] = []
        if wanted is not None and files.tree_name(wanted) == name:
            edited = differing_files(found, wanted)
        yield f"files were edited on the host{': ' if edited else ''}{', '.join(edited)}"
    deployed = found.files.get(UNIT)
    if found.unit is not None and deployed is not None and found.unit != deployed[1]:
        yield "its systemd unit was edited on the host"
    for override in found.overrides:
        yield f"its systemd unit is overridden by {override}"


def role(instance: Instance, found: Facts) -> Iterator[str]:
    """Say that a member without elections has another role than the inventory says, as a promotion leaves it."""
    if text := mastership.difference(instance, found):
        yield text


def in_force(instance: Instance, found: Facts, live: Mapping[str, str]) -> Iterator[str]:
    """Say what a process runs with and its file does not say, as ``mqadmin updateBrokerConfig`` leaves it.

    Args:
        instance: The instance.
        found: What is on its host.
        live: Every key of the process's configuration.
    """
    keys = inventories.reference().config_keys[instance.text("rocketmq_version")][instance.kind]
    for key, value in sorted(live.items()):
        if key in _ELECTED and instance.variables["rocketmq_mode"] == "dledger":
            continue
        known = keys.get(key)
        default = None if known is None or key in _COMPUTED else known.default
        expected = found.settings.get(key, default)
        if expected is not None and expected != value:
            origin = "its file says" if key in found.settings else "the default is"
            yield f"runs with {key}={value}, {origin} {expected}"
