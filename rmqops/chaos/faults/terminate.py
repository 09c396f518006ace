"""The process is asked to end and does so in order, as on a shutdown of its machine: TERM.

A broker flushes its store and takes itself out of every NameServer's route before it ends.
"""

from __future__ import annotations

from rmqops.chaos import processes
from rmqops.chaos.faults import Plan
from rmqops.model.commands import Command
from rmqops.model.topology import Instance

SUMMARY = "TERM to the process, which ends in order; healed by starting it again"


def requires(instance: Instance) -> Command:
    """Probe the process."""
    return processes.probe(instance)


def plan(instance: Instance, found: str) -> Plan:
    """Return the plan; ``found`` is the process id."""
    pid = found.strip()
    return Plan(
        inject=processes.signal(instance, pid, "TERM"),
        verify=processes.gone(instance, pid, instance.number("rocketmq_stop_timeout")),
        heal=processes.start(instance),
        healed=processes.runs(instance),
    )
