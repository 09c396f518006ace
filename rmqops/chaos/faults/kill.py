"""The process dies at once, as by the kernel's out-of-memory killer: ``kill -9``.

Its sockets are closed by the kernel, so its peers notice at once; a machine that loses power closes none.
"""

from __future__ import annotations

from rmqops.chaos import processes
from rmqops.chaos.faults import Plan
from rmqops.model.commands import Command
from rmqops.model.topology import Instance

SUMMARY = "kill -9 of the process; healed by starting it again"


def requires(instance: Instance) -> Command:
    """Probe the process."""
    return processes.probe(instance)


def plan(instance: Instance, found: str) -> Plan:
    """Return the plan; ``found`` is the process id."""
    pid = found.strip()
    return Plan(
        inject=processes.signal(instance, pid, "KILL"),
        verify=processes.gone(instance, pid),
        heal=processes.start(instance),
        healed=processes.runs(instance),
    )
