"""Wait for what a change of roles stands on: logs at rest, logs that are level, and who is named master."""

from __future__ import annotations

from rmqops.errors import OperationFailed
from rmqops.model.topology import Group, Instance, Topology
from rmqops.operations.observe import health, status
from rmqops.operations.observe.status import Status
from rmqops.system.waiting import until_sync
from rmqops.transport.base import Transports

NAMED_WITHIN = 120.0
"""Seconds for every NameServer to name the new master; it registers at once when it starts."""
LEVEL_WITHIN = 60.0
"""Seconds for a slave to have what its master has, and for a log to come to rest."""
REST = 1.0
"""Seconds in which a log must not grow to be taken as finished; the pause between two looks at it."""


def log_end_at_rest(topology: Topology, instance: Instance) -> int:
    """Return where a broker's log ends once it has not grown for a moment.

    Raises:
        OperationFailed: it grows and grows, or the broker does not answer.
    """
    last: int | None = None

    def look() -> str | None:
        nonlocal last
        answers = status.hear(topology)
        runtime = answers.runtimes.get(instance.name)
        end = None if runtime is None else runtime.log_max
        at_rest = end is not None and end == last
        last = end
        if end is None:
            return f"it does not answer: {answers.errors.get(instance.name)}"
        return None if at_rest else f"it ended at {end}"

    until_sync(f"the log of {instance.name} at rest", look, LEVEL_WITHIN, interval=REST)
    assert last is not None
    return last


def wait_until_near(topology: Topology, master: Instance, slave: Instance) -> None:
    """Wait until a slave lacks little, before sends are refused for the sake of it.

    A broker that has just started does not say at once where its log ends (``Admin.runtime_info``).

    Raises:
        OperationFailed: it lacks much still, or does not answer.
    """

    def look() -> str | None:
        answers = status.hear(topology)
        ends = [answers.runtimes[one.name].log_max for one in (master, slave) if one.name in answers.runtimes]
        if len(ends) < 2:
            return f"does not answer: {dict(answers.errors)}"
        return None if ends[0] - ends[1] <= status.MAX_LAG else f"{slave.name} lacks {ends[0] - ends[1]} bytes"

    try:
        until_sync(f"{slave.name} near {master.name}", look, LEVEL_WITHIN, interval=REST)
    except OperationFailed as error:
        raise OperationFailed(
            f"{error.message}; nothing was changed", remedy="try again when it has caught up"
        ) from error


def wait_until_level(topology: Topology, master: Instance, slave: Instance) -> int:
    """Wait until a slave's log ends where its master's does, and neither grows; return where that is.

    Raises:
        OperationFailed: not in time.
    """
    last: dict[str, int] = {}

    def look() -> str | None:
        nonlocal last
        runtimes = status.hear(topology).runtimes
        ends = {one.name: runtimes[one.name].log_max for one in (master, slave) if one.name in runtimes}
        level = len(ends) == 2 and len(set(ends.values())) == 1
        at_rest = level and set(ends.values()) == set(last.values())
        last = ends if level else {}
        return None if at_rest else f"the logs ended at {ends}"

    until_sync(f"{slave.name} level with {master.name}", look, LEVEL_WITHIN, interval=REST)
    return last[slave.name]


def wait_until_named(topology: Topology, group: Group, master: Instance, transports: Transports) -> Status:
    """Wait until every NameServer that answers names a master, and return the status.

    Raises:
        OperationFailed: not in time; with the logs that explain it.
    """
    seen: Status | None = None

    def look() -> str | None:
        nonlocal seen
        seen = status.observe(topology)
        of_group = next(each for each in seen.groups if each.name == group.name)
        alive = {member.name for member in of_group.members if member.alive}
        if of_group.master == master.address and master.name in alive:
            return None
        return "; ".join(seen.problems) or f"{of_group.master} is master"

    try:
        until_sync(f"every NameServer names {master.name}", look, NAMED_WITHIN, interval=health.INTERVAL)
    except OperationFailed as error:
        logs = health.reasons(topology, (master.name,), transports)
        raise OperationFailed(error.message, detail="\n".join(logs) or None) from error
    assert seen is not None
    return seen
