"""The process is asked to end and does so in order, as on a shutdown of its machine: TERM.

A broker flushes its store and takes itself out of every NameServer's route before it ends.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "TERM to the process, which ends in order; healed by starting it again"
OPTIONS: dict[str, Option] = {}


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    pid = probe_output.strip()
    return FaultPlan(
        inject=processes.signal(aim.instance, pid, "TERM"),
        verify=processes.gone(aim.instance, pid, aim.instance.number("rocketmq_stop_timeout")),
        heal=processes.start(aim.instance),
        healed=processes.runs(aim.instance),
    )
