"""What the faults of a process have in common. PURE: only commands.

The process is the one that the instance's own ``bin/pid.sh`` reports (``docs/adr/0005``): a pid is never trusted
unless its command line names the instance.
"""

from __future__ import annotations

from rmqops.model.commands import Command
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

# The command line of a process that is dead and not yet collected is empty, so a zombie counts as dead.
_GONE = """
ours() { tr '\\0' '\\n' < "/proc/$2/cmdline" | grep -Fqx -e "-Drmqops.instance=$1"; } 2>/dev/null
tries=0
while ours "$1" "$2"; do
  [ "$tries" -lt "$3" ] || { echo "process $2 of $1 is still alive" >&2; exit 1; }
  tries=$((tries + 1))
  sleep 0.01
done
"""


def probe(instance: Instance) -> Command:
    """Probe that the process runs, that we may signal it, and that there is a way to start it; prints its pid."""
    return Command.shell(_PROBE, instance.home)


def signal(instance: Instance, pid: str, name: str) -> Command:
    """Return what sends a signal to the process that the probe found, and to no other."""
    return Command.shell(_SIGNAL, instance.home, pid, name)


def gone(instance: Instance, pid: str, seconds: int = VERIFY_SECONDS) -> Command:
    """Return what waits until that process is dead."""
    return Command.shell(_GONE, instance.home, pid, str(seconds * 100), timeout=seconds * 4)


def start(instance: Instance) -> Command:
    """Return what starts the instance, and does nothing where it runs."""
    seconds = instance.number("rocketmq_start_timeout") + 15.0
    return Command((f"{instance.home}/current/bin/start.sh",), timeout=seconds)


def runs(instance: Instance) -> Command:
    """Return what ends with 0 only when the instance runs."""
    return Command.shell('"$1/current/bin/pid.sh"', instance.home)
