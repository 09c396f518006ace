"""What start, stop and restart share: they are one command, but for the verb and the last word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rmqops.cli import fleet_change, host_access, output

if TYPE_CHECKING:
    from rmqops.operations.change.lifecycle import ProcessVerb


def run(
    verb: type[ProcessVerb],
    result: str,
    inventory: Sequence[str],
    names: Sequence[str] | None,
    *,
    accept_new: bool,
    ask_become_pass: bool,
) -> None:
    """Carry a verb out for some instances, all when none is named, and print the result's word with their names.

    Raises:
        UsageError: a name is neither an instance nor a group.
    """
    from rmqops.operations import inventories
    from rmqops.operations.change.fleet import Fleet

    topology = inventories.load(inventory).topology
    instances = topology.select(names or [])
    host_access.prepare(topology, accept_new=accept_new, ask_become_pass=ask_become_pass)
    fleet_change.perform(verb(Fleet(topology), instances), fleet_change.show_nothing)
    output.result(f"{result}: " + ", ".join(instance.name for instance in instances))
