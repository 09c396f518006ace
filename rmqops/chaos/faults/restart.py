"""The instance is stopped and started in order, in one go, as an operator or a package's update would do it.

A broker flushes its store and signs off at the NameServers before it ends. No supervisor's own restart is
involved, and nothing of its configuration changes.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import processes
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command

SUMMARY = "stop.sh and start.sh, one after the other; nothing is left to heal where the start succeeds"
OPTIONS: dict[str, Option] = {}

_RESTART = """
"$1/current/bin/stop.sh" > /dev/null && "$1/current/bin/start.sh"
"""

_VERIFY = """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$pid" != "$2" ] || { echo "$1 runs as process $2 still" >&2; exit 1; }
"""


def requires(aim: Aim) -> Command:
    """Probe the process."""
    return processes.probe(aim.instance)


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    home, start = aim.instance.home, processes.start(aim.instance)
    seconds = start.timeout + aim.instance.number("rocketmq_stop_timeout") + 10
    return FaultPlan(
        inject=Command.shell(_RESTART, home, timeout=seconds),
        verify=Command.shell(_VERIFY, home, probe_output.strip()),
        heal=start,
        healed=processes.runs(aim.instance),
    )
