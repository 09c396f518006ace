"""Find, read and load an inventory: what every command does first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rmqops import assets
from rmqops.errors import Problem
from rmqops.model import config_checks, config_keys, inventory_files, schema, validation
from rmqops.model.cluster import LOCAL, Reference
from rmqops.model.topology import Topology
from rmqops.source import patching

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Loaded:
    """An inventory that was found good."""

    topology: Topology
    warnings: tuple[Problem, ...]
    """What is allowed and should be known."""
    placeholders: tuple[Problem, ...]
    """What a sample leaves to be filled in: fine for rendering, refused by deploy."""
    location: Path


def load(name: str) -> Loaded:
    """Find, read and load an inventory, held to every rule.

    Args:
        name: A name in ``./inventory`` or of those that rmqops ships, or a path.

    Raises:
        InventoryError: there is none, or it breaks a rule; all problems at once.
    """
    location = assets.find_inventory(name)
    directory = location if location.is_dir() else location.parent
    topology, problems = validation.load(
        str(location),
        assets.read_inventory(location, inventory_files.is_inventory_file),
        reference(),
        os.environ,
        directory=str(directory.absolute()),
        machine_memory={LOCAL: memory()},
        machine_names={LOCAL: os.uname().nodename},
    )
    warnings = tuple(problem for problem in problems if problem.severity == "warning")
    placeholders = tuple(problem for problem in problems if problem.severity == "placeholder")
    return Loaded(topology, warnings, placeholders, location)


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
