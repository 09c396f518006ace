"""Find, read and load an inventory: what every command does first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rmqops import assets
from rmqops.errors import Problem
from rmqops.model import cluster, inventory, schema
from rmqops.model.schema import Schema
from rmqops.model.topology import Topology


@dataclass(frozen=True)
class Loaded:
    """An inventory that was found good."""

    topology: Topology
    warnings: tuple[Problem, ...]
    """What is allowed and should be known."""
    placeholders: tuple[Problem, ...]
    """What a sample leaves to be filled in; fine for rendering, refused by deploy."""
    location: Path


def load(name: str) -> Loaded:
    """Find, read and load an inventory, held to every rule.

    Args:
        name: A name in ``./inventory`` or of those that rmqops ships, or a path.

    Raises:
        InventoryError: there is none, or it breaks a rule; all problems at once.
    """
    location = assets.find_inventory(name)
    files = assets.read_inventory(location, inventory.is_inventory_file)
    topology, problems = cluster.load(str(location), files, _schema(), os.environ)
    return Loaded(topology, problems, (), location)


@cache
def _schema() -> Schema:
    role = assets.path("roles", "rocketmq")
    return schema.schema(
        (role / "meta" / "argument_specs.yml").read_text("utf-8"),
        (role / "defaults" / "main.yml").read_text("utf-8"),
    )
