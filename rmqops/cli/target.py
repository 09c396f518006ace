"""What a command is about: the cluster of an inventory, ready to be talked to, and the release that it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmqops.cli import host_access, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rmqops.model.topology import Topology
    from rmqops.source.artifacts import Artifact

FORKS = 10
"""Hosts that Ansible works on at once, unless told otherwise."""


def filled_in(inventory: Sequence[str]) -> Topology:
    """Load an inventory that is no sample, and show its warnings.

    Raises:
        InventoryError: it is wrong.
        Unsafe: it is a sample that was not filled in.
    """
    from rmqops.operations import inventories
    from rmqops.operations.change import deploy

    loaded = inventories.load(inventory)
    for warning in loaded.warnings:
        output.note(f"warning: {warning}")
    deploy.refuse_sample(loaded)
    return loaded.topology


def with_release(
    inventory: Sequence[str], *, accept_new: bool, ask_become_pass: bool
) -> tuple[Topology, Artifact]:
    """Load an inventory, make its hosts ready to be talked to, and build what they are to run.

    Raises:
        InventoryError: it is wrong.
        Unsafe: it is a sample that was not filled in.
        PreflightFailed: a host's key is not known, or a tool is missing.
        SourceError: the build failed.
    """
    from rmqops.cli import build_display
    from rmqops.source import patching
    from rmqops.source.build import BuildOptions, ensure_artifact

    topology = filled_in(inventory)
    host_access.prepare(topology, accept_new=accept_new, ask_become_pass=ask_become_pass)
    options = BuildOptions(
        runtime=any(item.bundles_java for item in topology.instances),
        patches=patching.chosen(topology.version, topology.patches),
    )
    with build_display.shown() as report:
        return topology, ensure_artifact(topology.version, options=options, progress=report)
