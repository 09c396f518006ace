"""Run one command on the machines of a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from rmqops.model.commands import Command
from rmqops.model.topology import Instance, Topology
from rmqops.operations.hosts.streams import Job


def jobs(topology: Topology, names: Sequence[str], argv: Sequence[str]) -> tuple[Job, ...]:
    """Return what to run: once a machine, or once for each instance where some are named.

    An instance's command finds ``RMQOPS_INSTANCE`` (its name), ``RMQOPS_INSTANCE_DIR`` (its directory) and
    ``RMQOPS_LOG_DIR`` in its environment.

    Raises:
        UsageError: a name is neither an instance nor a group.
    """
    if names:
        return tuple(
            Job(item.name, item, Command(("env", *_environment(item), *argv))) for item in topology.select(names)
        )
    machines = {item.machine: item for item in reversed(topology.instances)}
    return tuple(Job(name, item, Command(tuple(argv))) for name, item in reversed(machines.items()))


def _environment(instance: Instance) -> tuple[str, ...]:
    return (
        f"RMQOPS_INSTANCE={instance.name}",
        f"RMQOPS_INSTANCE_DIR={instance.home}",
        f"RMQOPS_LOG_DIR={instance.text('rocketmq_log_dir')}",
    )
