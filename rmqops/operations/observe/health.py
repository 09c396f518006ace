"""Wait until a cluster is healthy, and say why when it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from rmqops.errors import OperationFailed, RmqopsError
from rmqops.model.commands import Command
from rmqops.model.topology import Topology
from rmqops.operations.observe.status import Status, observe
from rmqops.transport.base import Transports, transport_for

DEADLINE = 120.0
"""Seconds. A NameServer that was restarted knows a broker again at its next heartbeat, 30 s at most by default."""
INTERVAL = 0.2

_REASON = """
[ -x "$1/current/bin/reason.sh" ] || { echo "$1/current/bin has no reason.sh: rmqops deploy brings it"; exit; }
timeout 25 "$1/current/bin/reason.sh"
"""


def wait(
    topology: Topology,
    deadline: float | None = None,
    *,
    only: Collection[str] = (),
    look: Callable[[Topology], Status] = observe,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    transports: Transports = transport_for,
) -> Status:
    """Wait for health and return the status.

    Args:
        topology: The cluster.
        deadline: Seconds to wait; :data:`DEADLINE` unless given.
        only: Instances; problems that none of them has a part in do not count. All count when empty.
        look: How the cluster is asked; a test hands in its own, and so the clock.
        clock: Seconds, monotonic.
        pause: Waits between two looks.
        transports: How hosts are reached, for their logs.

    Raises:
        OperationFailed: it did not become healthy; with the last problems seen and the logs that explain them.
    """
    seconds = DEADLINE if deadline is None else deadline
    end = clock() + seconds
    while True:
        status = look(topology)
        status = status.about(only) if only else status
        if status.healthy:
            return status
        if clock() >= end:
            raise OperationFailed(
                f"{topology.cluster} is not healthy after {seconds:g} s",
                detail="\n".join([*status.problems, *reasons(topology, status.ailing, transports)]),
            )
        pause(INTERVAL)


def masters_by_group(topology: Topology) -> dict[str, str | None]:
    """Return the address of each group's master on which all NameServers agree; None where they do not."""
    return {group.name: group.master for group in observe(topology).groups}


def masters(topology: Topology) -> frozenset[str]:
    """Return the address of every group's master that all NameServers agree on."""
    return frozenset(filter(None, masters_by_group(topology).values()))


def reasons(topology: Topology, names: Sequence[str], transports: Transports = transport_for) -> list[str]:
    """Return what the logs of some instances say went wrong since their start, as far as hosts can be reached.

    Which logs, and what of them, decides ``templates/common/bin/reason.sh.j2``; ``start.sh`` shows the same.
    """
    texts = []
    for instance in map(topology.instance, names):
        try:
            said = transports(instance).run(Command.shell(_REASON, instance.home)).stdout.rstrip()
        except RmqopsError as error:
            said = str(error)
        if said:
            texts.append(f"{instance.name}:\n{said}")
    return texts
