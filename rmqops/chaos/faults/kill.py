"""The process dies at once, as by the kernel's out-of-memory killer: ``kill -9``.

Its sockets are closed by the kernel, so its peers notice at once; a machine that loses power closes none.
"""

from __future__ import annotations

from rmqops.chaos import processes
from rmqops.chaos.faults import Aim, Option, Plan
from rmqops.model.commands import Command

SUMMARY = "kill -9 of the process; healed by starting it again"
OPTIONS: dict[str, Option] = {}


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, found: str) -> Plan:
    """Return the plan; ``found`` is the process id."""
    pid = found.strip()
    return Plan(
        inject=processes.signal(aim.instance, pid, "KILL"),
        verify=processes.gone(aim.instance, pid),
        heal=processes.start(aim.instance),
        healed=processes.runs(aim.instance),
    )
