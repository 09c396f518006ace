"""What runs without the patches that close known holes, and from where it was reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts.facts import Facts


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
