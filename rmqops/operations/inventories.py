"""Find, read and load an inventory: what every command does first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from rmqops import assets
from rmqops.errors import InventoryError, Problem
from rmqops.model import config_checks, config_keys, inventory, schema, validation
from rmqops.model.cluster import LOCAL, Reference
from rmqops.model.inventory import RawInventory
from rmqops.model.topology import Topology, Value
from rmqops.operations.ansible_inventory import answers, sources
from rmqops.operations.ansible_inventory.asking import Answer
from rmqops.source import patching
from rmqops.system import parallel

_CLUSTER: Final = "rocketmq_cluster"
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Loaded:
    """An inventory that was found good."""

    topology: Topology
    warnings: tuple[Problem, ...]
    """What is allowed and should be known."""
    placeholders: tuple[Problem, ...]
    """What a sample leaves to be filled in: fine for rendering, refused by deploy."""


def load(names: str | Sequence[str]) -> Loaded:
    """Find an inventory, have Ansible read it, and hold it to every rule.

    Args:
        names: What is given as ``-i``, in that order: names in ``./inventory`` or of those that rmqops ships,
            paths, or lists of hosts with a comma. Several are one inventory, as Ansible takes them.

    Raises:
        InventoryError: there is none, or it breaks a rule; all problems at once.
        ToolMissing: there is no ``ansible-inventory``.
    """
    topology, problems = validation.load(
        read([names] if isinstance(names, str) else names),
        reference(),
        os.environ,
        machine_memory={LOCAL: memory()},
        machine_names={LOCAL: os.uname().nodename},
    )
    warnings = tuple(problem for problem in problems if problem.severity == "warning")
    placeholders = tuple(problem for problem in problems if problem.severity == "placeholder")
    return Loaded(topology, warnings, placeholders)


def read(names: Sequence[str]) -> RawInventory:
    """Return what Ansible says of an inventory, templates as they stand; the arguments are those of :func:`load`.

    Raises:
        InventoryError: there is none, Ansible cannot read it, or several are inventories of different clusters.
        ToolMissing: there is no ``ansible-inventory``.
    """
    files = sources.look([_source(name) for name in names])
    if files.places.problems:
        raise InventoryError(files.places.problems)
    answer = answers.read(files)
    raw = inventory.from_listing(answer.listing, files.sources, files.places, [*_warnings(answer, files.sources)])
    if len(files.sources) > 1:
        _refuse_other_clusters(raw)
    return raw


def _source(name: str) -> str:
    """Return what Ansible is given for a name; a path stays as it was written: ./prod is not prod."""
    if "," in name and not Path(name).exists():
        return name
    found = assets.find_inventory(name)
    return name if found == Path(name) else str(found)


def _warnings(answer: Answer, named: Sequence[str]) -> Iterator[Problem]:
    for warning in answer.warnings:
        remedy = "Mend what it is about, or take it as it is"
        yield Problem(", ".join(named), None, None, "", f"Ansible warns: {warning}", remedy, "warning")


def _refuse_other_clusters(raw: RawInventory) -> None:
    """Refuse sources that are inventories of different clusters: the last would be taken, for a destroy as well.

    What each source says alone is asked of Ansible, too, so that it is known of any kind of source.
    """
    problems = []
    for source, alone in zip(raw.sources, parallel.mapped(_alone, raw.sources), strict=True):
        for name, host in alone.items():
            said, taken = host.get(_CLUSTER), raw.hosts[name].variables.get(_CLUSTER)
            if said is not None and said != taken:
                what = f"is the inventory of another cluster than the inventories together, which is {taken}"
                remedy = "Name the inventories of one cluster; one that several share names none"
                problems.append(Problem(source, name, _CLUSTER, str(said), what, remedy))
    if problems:
        raise InventoryError(problems)


def _alone(source: str) -> Mapping[str, Mapping[str, Value]]:
    """Return the variables of each host that a source has by itself; none of one that is no inventory alone."""
    files = sources.look([source])
    try:
        listing = answers.read(files).listing
    except InventoryError:
        return {}
    raw = inventory.from_listing(listing, files.sources, files.places)
    return {name: host.variables for name, host in raw.hosts.items()}


@cache
def reference() -> Reference:
    """Return what every inventory is held to: the role's variables, RocketMQ's keys, our patches."""
    role = assets.path("roles", "rocketmq")
    keys, checks = (Path(file).with_suffix(".json") for file in (config_keys.__file__, config_checks.__file__))
    return Reference(
        schema.schema(
            (role / "meta" / "argument_specs.yml").read_text("utf-8"),
            (role / "defaults" / "main.yml").read_text("utf-8"),
        ),
        config_keys.parse(keys.read_text("utf-8")),
        config_checks.parse(checks.read_text("utf-8")),
        {patch.name: patch for patch in patching.catalogue()},
    )


def memory() -> int:
    """Return the bytes of memory that this machine, or the container that rmqops runs in, has."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in _CGROUP_LIMITS:
        text = limit.read_text("ascii").strip() if limit.is_file() else ""
        if text.isdecimal():
            return min(physical, int(text))
    return physical
