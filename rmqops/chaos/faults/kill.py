"""The process dies at once, as by the kernel's out-of-memory killer: ``kill -9``.

Its sockets are closed by the kernel, so its peers notice at once; a machine that loses power closes none. A unit
of systemd's is started again 5 s later, so a drill about the time without it asks that it stay dead.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "kill -9 of the process; healed by starting it again"
OPTIONS = {"stay": Option(0, "1: its supervisor does not start it again before the heal", low=0, high=1)}


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    pid = probe_output.strip()
    return FaultPlan(
        inject=processes.kill(aim.instance, pid)
        if aim.number("stay")
        else processes.signal(aim.instance, pid, "KILL"),
        verify=processes.gone(aim.instance, pid),
        heal=processes.start(aim.instance),
        healed=processes.runs(aim.instance),
    )
