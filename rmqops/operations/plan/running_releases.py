"""Which release each process runs, which lack patches that close known holes, and from where those are reached.

A process tells the directory that it was started from, and that is named as the artifact
(:class:`~rmqops.source.artifacts.Artifact`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts.facts import Facts

_NAME: Final = re.compile(r"rocketmq-(?P<version>.+?)(-(hardened|patched))?-[0-9a-f]{16}")


def version(release: str) -> str:
    """Return the version of a release by its name on a host; the name itself where it is none of ours."""
    match = _NAME.fullmatch(release)
    return match["version"] if match else release


def pending(topology: Topology, facts: Mapping[str, Facts]) -> str:
    """Say which processes run another release than the inventory wants; empty when none does."""
    others: dict[str, list[str]] = {}
    for name, host in facts.items():
        if host.on is not None and version(host.on) != topology.version:
            others.setdefault(version(host.on), []).append(name)
    what = "; ".join(f"{', '.join(names)}: {release}" for release, names in others.items())
    return what and f"not all run RocketMQ {topology.version}, as the inventory says (rmqops plan): {what}"


def lacking(release: str) -> str:
    """Say what a release lacks, by its name on a host (``PatchSet.label`` is in it); empty for a hardened one."""
    if "-hardened-" in release:
        return ""
    return "without some of the patches" if "-patched-" in release else "as it was published"


def warning(topology: Topology, facts: Mapping[str, Facts], reached: Collection[str]) -> str:
    """Say what runs unpatched, in one sentence for the whole cluster; empty when nothing does.

    Args:
        topology: The cluster.
        facts: What was seen of its instances, by name.
        reached: The instances that answered this machine.
    """
    found: dict[str, list[Instance]] = {}
    for instance in topology.instances:
        release = facts[instance.name].on if instance.name in facts else None
        if release and (text := lacking(release)):
            found.setdefault(f"{release}, {text}", []).append(instance)
    if not found:
        return ""
    what = "; ".join(f"{', '.join(item.name for item in items)}: {text}" for text, items in found.items())
    exposed = [item.address for items in found.values() for item in items if item.name in reached]
    here = f"this machine reaches {', '.join(exposed)}" if exposed else "this machine reached none of them"
    return (
        f"holes that scanners know are open on {what}. Whoever reaches their ports, on any address of their "
        f"machines, can use them; {here}. rmqops deploy brings what is built by default (docs/security.md)"
    )
