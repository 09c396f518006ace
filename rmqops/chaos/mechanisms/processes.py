"""What the faults of a process have in common. PURE: only commands.

The process is the one that the instance's own ``bin/pid.sh`` reports (``docs/adr/0005``): a pid is never trusted
unless its command line names the instance.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import bounded_wait, process_marks
from rmqops.model.commands import Command, Script
from rmqops.model.topology import Instance

VERIFY_SECONDS = 5
"""How long the effect of a signal may take; a dead broker's gigabyte of memory has to be given back first."""

_PROBE = """
pid=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
kill -0 "$pid" || exit 1
[ -x "$1/current/bin/start.sh" ] || { echo "$1 has no start.sh to heal with" >&2; exit 1; }
echo "$pid"
"""

_SIGNAL = """
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$2" ] || { echo "$1 runs as $now and not as $2 any more" >&2; exit 1; }
kill -s "$3" "$2"
"""

# $1 home, $2 pid. stop.sh finds nobody; it keeps systemd from starting the unit again.
_KILL = """
dead() { ! "$1/current/bin/pid.sh" > /dev/null; }
now=$("$1/current/bin/pid.sh") || { echo "$1 does not run" >&2; exit 1; }
[ "$now" = "$2" ] || { echo "$1 runs as $now and not as $2 any more" >&2; exit 1; }
kill -s KILL "$2" || exit 1
wait_until dead "$1" || { echo "process $2 of $1 is still alive" >&2; exit 1; }
"$1/current/bin/stop.sh" > /dev/null || exit 1
dead "$1" || { echo "$1 was started by somebody else" >&2; exit 1; }
"""

# The command line of a process that is dead and not yet collected is empty, so a zombie counts as dead.
_GONE = f"""{process_marks.BEARERS}
dead() {{ ! bears "$2" "-Drmqops.instance=$1"; }}
wait_until dead "$1" "$2" || {{ echo "process $2 of $1 is still alive" >&2; exit 1; }}
"""


def probe(instance: Instance) -> Command:
    """Probe that the process runs, that we may signal it, and that there is a way to start it; prints its pid."""
    return Command.shell(_PROBE, instance.home)


def signal(instance: Instance, pid: str, name: str) -> Command:
    """Return a Command that sends a signal to the process that the probe found, and to no other."""
    return Command.shell(_SIGNAL, instance.home, pid, name)


def kill(instance: Instance, pid: str, then: Script | None = None) -> Command:
    """Return a Command that kills the process for as long as nobody starts it.

    Args:
        instance: The victim.
        pid: The process that the probe found.
        then: What is run when the process is dead.
    """
    script = bounded_wait.script(_KILL, instance.home, pid, seconds=VERIFY_SECONDS)
    seconds = instance.number("rocketmq_stop_timeout") + 60.0
    return (script.then(then) if then else script).command(timeout=seconds)


def gone(instance: Instance, pid: str, seconds: float = VERIFY_SECONDS) -> Command:
    """Return a Command that waits until that process is dead."""
    return bounded_wait.command(_GONE, instance.home, pid, seconds=seconds)


def start(instance: Instance) -> Command:
    """Return a Command that starts the instance, and does nothing where it runs."""
    seconds = instance.number("rocketmq_start_timeout") + 15.0
    return Command((f"{instance.home}/current/bin/start.sh",), timeout=seconds)


def runs(instance: Instance) -> Command:
    """Return a Command that exits 0 only when the instance runs."""
    return Command.shell('"$1/current/bin/pid.sh"', instance.home)
